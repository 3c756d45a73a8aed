"""What RCL's hierarchy costs, as ratios against peers measured in the same run.

    python scripts/benchmarks/rcl_cost.py [--batch-size 256] [--steps 5] [--samples 50000 1281167]

Prints, for the CIFAR setting (ResNet-18 with CIFAR stem, 32 pixels, queue 16384, H = 3):

- a training step of RCL with a living hierarchy over one of solo-learn's NNCLR (same heads but for
  the H predictors, no momentum encoder) and over one of RCL with a single criterion;
- bank, refinement and the search for relative keys as a share of RCL's step;
- a step of refinement at each number of samples, with the memory of the hierarchy's state;
- DBSCAN at two radii over scikit-learn's at one, on the same features.
"""

import argparse

import torch
import torch.nn.functional as F
from common import configuration, machine, random_batch, seconds, timed, training_step
from sklearn.cluster import DBSCAN

from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.clustering.hierarchy import Hierarchy
from cueco_solo.host import METHODS
from cueco_solo.methods.rcl import RCL

_DIM, _PER_GROUP = 256, 10
_THRESHOLDS = [0.35, 0.6]  # between the mean similarities within and across what is planted
_MISPLACED = 0.1


def planted(n: int, device: str, clusters: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors in clusters in groups, and labels of which some are wrong, level 2 first."""
    groups = F.normalize(torch.randn(clusters // _PER_GROUP, 1, _DIM, device=device), dim=2)
    noise = torch.randn(clusters // _PER_GROUP, _PER_GROUP, _DIM, device=device)
    centres = F.normalize(groups + 0.8 * F.normalize(noise, dim=2), dim=2).flatten(0, 1)
    fine = torch.randint(clusters, (n,), device=device)
    x = torch.empty(n, _DIM, dtype=torch.float16, device=device)
    for rows, of in zip(x.split(65536), fine.split(65536), strict=True):
        noise = F.normalize(torch.randn(len(of), _DIM, device=device), dim=1)
        rows.copy_(F.normalize(centres[of] + 0.6 * noise, dim=1))
    wrong = torch.rand(n, device=device) < _MISPLACED
    fine = torch.where(wrong, torch.randint(clusters, (n,), device=device), fine)
    return x, torch.stack([fine, fine // _PER_GROUP])


def living(hierarchy: Hierarchy, clusters: int = 2000) -> torch.Tensor:
    """Give it planted clusters on level 2, a tenth as many on level 3; returns the features."""
    x, levels = planted(len(hierarchy.bank), str(hierarchy.bank.device), clusters)
    hierarchy.bank.copy_(x)
    hierarchy.restart(levels)
    return x


def give_hierarchy(model: RCL) -> torch.Tensor:
    """The same for a model, with what its queue takes of the features."""
    assert model.hierarchy is not None
    model.hierarchy.merge_threshold = dict(zip((3, 2), _THRESHOLDS, strict=True))
    x = living(model.hierarchy)
    queued = torch.randperm(len(x))[: model.queue.size].to(x.device)
    model.queue.enqueue(x[queued].float().expand(2, -1, -1), queued)
    model._runs = 1
    return x


def refinement(hierarchy: Hierarchy, batch_size: int):
    """One step of bank and refinement on a random batch; counts splits and merges."""
    total = {"steps": 0, "splits": 0, "merges": 0}

    def step() -> None:
        bank = hierarchy.bank
        index = torch.randint(len(bank), (batch_size,)).to(bank.device)
        samples = hierarchy.remember(bank[index].float().expand(2, -1, -1), index)
        for name, count in hierarchy.refine(samples, seed=total["steps"]).items():
            total[name.partition("_")[0]] += int(count)
        total["steps"] += 1

    return step, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000, 1_281_167])
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(machine())
    torch.manual_seed(0)
    n, size = args.batch_size, args.samples[0]
    batch = random_batch(n, size, device)

    heads = {"proj_hidden_dim": 2048, "proj_output_dim": _DIM, "pred_hidden_dim": 4096}
    kwargs = {**heads, "queue_size": 16384, "temperature": 0.1}
    nnclr = METHODS["nnclr"](configuration("nnclr", kwargs, 0.99)).to(device)
    nnclr_time = seconds(training_step(nnclr, batch), args.steps)
    single = RCL(configuration("rcl", {**kwargs, "num_levels": 1}, 0.99)).to(device)
    single_time = seconds(training_step(single, batch), args.steps)

    model = RCL(configuration("rcl", {**kwargs, "num_samples": size}, 0.99)).to(device)
    x = give_hierarchy(model)
    assert model.hierarchy is not None
    whole = seconds(training_step(model, batch), args.steps)
    step, _ = refinement(model.hierarchy, n)
    refine_time = seconds(step, 3 * args.steps)
    k, queue = x[batch[0]].float(), model.queue.keys[0]
    # of both views
    keys_time = 2 * seconds(lambda: model._relative_keys(k, queue, batch[0]), 3 * args.steps)
    print(
        f"batch {n}, {size} samples: RCL step {whole:.3f} s = {whole / nnclr_time:.2f} x NNCLR "
        f"(which has no momentum encoder) = {whole / single_time:.2f} x RCL with one criterion; "
        f"bank and refinement {refine_time / whole:.2%} of it, relative keys "
        f"{keys_time / whole:.2%}"
    )

    first = None
    for samples in args.samples:
        hierarchy = Hierarchy(samples, _DIM, 3, max_splits=4, merge_threshold=_THRESHOLDS)
        living(hierarchy.to(device))
        step, total = refinement(hierarchy, n)
        taken = seconds(step, 6 * args.steps)
        first = first or (samples, taken)
        memory = sum(b.numel() * b.element_size() for b in hierarchy.buffers())
        print(
            f"{samples} samples: refinement {taken * 1e3:.1f} ms = {taken / first[1]:.2f} x that "
            f"of {first[0]}, for {samples / first[0]:.1f} x the samples; state "
            f"{memory / 1e6:.0f} MB; {total['splits'] / total['steps']:.1f} splits and "
            f"{total['merges'] / total['steps']:.1f} merges a step"
        )

    x = x[:50_000]  # scikit-learn's compares all pairs
    ours, labels = timed(lambda: dbscan(x, [0.8, 0.7], min_samples=4))
    peer = DBSCAN(eps=0.7, min_samples=4, algorithm="brute", n_jobs=-1)
    theirs_time, theirs = timed(lambda: peer.fit(F.normalize(x.float(), dim=1).cpu().numpy()))
    same = torch.equal(labels[1].cpu() < 0, torch.from_numpy(theirs.labels_ < 0))
    print(
        f"DBSCAN of {len(x)} samples: {ours:.1f} s for two radii = {ours / theirs_time:.2f} x "
        f"scikit-learn's time for one; the same noise: {same}"
    )


if __name__ == "__main__":
    main()
