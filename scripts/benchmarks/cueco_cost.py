"""What CueCo's clustering costs, as ratios against peers measured in the same run.

    python scripts/benchmarks/cueco_cost.py [--batch-size 256] [--clusters 100 500 1000]

Prints, for the CIFAR setting (ResNet-18 with CIFAR stem, queue 16384):

- a training step of CueCo with living clusters over one of solo-learn's MoCo V2+;
- losses, queue and momentum grouping alone, as a share of CueCo's step;
- K-means on both queues, as a share of the 1000 steps between two resets, and its time and inertia
  over scikit-learn's (one K-means++ start each, on the same features).
"""

import argparse
import copy

import torch
import torch.nn.functional as F
from common import configuration, machine, random_batch, seconds, timed, training_step
from sklearn.cluster import KMeans

from cueco_solo.clustering.kmeans import kmeans
from cueco_solo.host import METHODS
from cueco_solo.methods.cueco import CueCo


def give_clusters(model: CueCo) -> tuple[float, torch.Tensor]:
    """Fill the queue and run K-means on it; seconds of the latter, and the keys.

    They are as a trained network gives them: views of the same image close, images in groups.
    """
    _, size, dim = model.queue.keys.shape
    device = model.queue.keys.device
    centres = F.normalize(torch.randn(200, dim, device=device), dim=1)
    images = centres[torch.randint(200, (size,), device=device)]
    noise = torch.randn(2, size, dim, device=device)
    model.queue.enqueue(F.normalize(images + 0.06 * noise, dim=-1))
    keys = model.queue.filled()
    return timed(lambda: model._recluster(keys.flatten(0, 1)))[0], keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=256)
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(machine())
    torch.manual_seed(0)
    n = args.batch_size
    batch = random_batch(n, 50_000, device)

    moco_kwargs = {
        "proj_hidden_dim": 2048,
        "proj_output_dim": 256,
        "temperature": 0.2,
        "queue_size": 16384,
    }
    moco = METHODS["mocov2plus"](configuration("mocov2plus", moco_kwargs, 0.996)).to(device)
    moco_time = seconds(training_step(moco, batch), args.steps)
    print(f"batch {n}, MoCo V2+ step {moco_time:.3f} s")

    for num_clusters in args.clusters:
        model = CueCo(configuration("cueco", {"num_clusters": num_clusters}, 0.996)).to(device)
        kmeans_time, queue = give_clusters(model)
        keys = queue.flatten(0, 1)

        whole = seconds(training_step(model, batch), args.steps)
        alone = copy.deepcopy(model)
        z = [F.normalize(v[:n].clone(), dim=1).requires_grad_() for v in queue]
        k = torch.stack([v[n : 2 * n] for v in queue])

        def extra(alone=alone, z=z, k=k):
            alone.weighted(alone.losses(z, k)).backward()
            alone.clusters.update(k.flatten(0, 1), 1)
            alone.queue.enqueue(k)

        share = seconds(extra, args.steps) / whole
        ours_time, ours = timed(lambda k=keys, n=num_clusters: kmeans(k, n, seed=0))
        peer = KMeans(num_clusters, n_init=1, random_state=0)
        theirs_time, theirs = timed(lambda k=keys, peer=peer: peer.fit(k.cpu().numpy()))
        print(
            f"L={num_clusters:5d}: CueCo step {whole / moco_time:.2f} x MoCo V2+; losses, "
            f"queue and grouping {share:.1%} of it; K-means {kmeans_time:.2f} s = "
            f"{kmeans_time / (1000 * whole):.2%} of the steps between resets, "
            f"{ours_time / theirs_time:.2f} x scikit-learn's time at "
            f"{ours.inertia.item() / theirs.inertia_:.3f} x its inertia"
        )


if __name__ == "__main__":
    main()
