"""What K-means and momentum grouping cost beside the peers' own, as ratios within one run.

    python scripts/benchmarks/clustering_cost.py [--only kmeans grouping ...] [--repeats 3]

- ``kmeans``: time and inertia over faiss-cpu's, which gets 25 iterations, no subsampling and the
  same threads; ours runs as CueCo has it. Each repeat has a seed of its own and measures one right
  after the other. Two kinds of features: 200 separate groups, which either finds in ten
  iterations, and groups that overlap along axes of falling size, where faiss needs all 25.
- ``grouping``: an update of 512 keys by 256 dimensions over a loop that follows SMoG's description:
  keys to their most similar group, then each group with members towards their mean, one by one.
- ``warm``: K-means from the centroids of keys that have drifted since, over one from a new start.
- ``step``: the largest memory of the process in two training steps of CueCo, over MoCo V2+'s with
  the same queue and heads; Linux.
- ``large``: memory beside the features, and time, of K-means with 30,000 clusters on parts of
  1.28 million by 256, and what the whole comes to in proportion.
"""

import argparse
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from common import configuration, machine, random_batch, timed, training_step
from cueco_cost import give_clusters

from cueco_solo.clustering.grouping import MomentumGrouping
from cueco_solo.clustering.kmeans import assign, kmeans
from cueco_solo.host import METHODS
from cueco_solo.methods.cueco import CueCo

_SIZES = {(32_768, 256): [100, 500, 1000, 3000], (50_000, 512): [10, 100, 1000]}
_CLUSTERS = [100, 300, 1000, 3000]
_PARTS, _WHOLE, _LARGE = (40_000, 80_000), 1_280_000, 30_000
_BETA = 0.99


def keys(n: int, dim: int, kind: str) -> torch.Tensor:
    """Two views of each of n / 2 images, unit vectors, ``[n, dim]``, in 200 groups."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    groups = F.normalize(noise(200, dim), dim=1)
    images = groups[torch.randint(200, (n // 2,), generator=generator)]
    if kind == "separate":
        views = images + 0.06 * noise(2, n // 2, dim)
    else:
        size = torch.arange(1, dim + 1).rsqrt()
        views = (4 * images + 0.5 * noise(n // 2, dim) + 0.1 * noise(2, n // 2, dim)) * size
    return F.normalize(views, dim=-1).flatten(0, 1)


def spread(values: list[float], digits: int = 2) -> str:
    """The median, and the least and largest in brackets."""
    values = sorted(values)
    median, least, largest = (
        f"{v:.{digits}f}" for v in (values[len(values) // 2], values[0], values[-1])
    )
    return f"{median} [{least}, {largest}]"


def time_kmeans(repeats: int) -> None:
    """Both K-means in turn, on all sizes and kinds of features."""
    try:
        import faiss
    except ImportError:
        print("kmeans: needs faiss, which the project doesn't: pip install faiss-cpu")
        return
    faiss.omp_set_num_threads(torch.get_num_threads())
    print(f"K-means over faiss {faiss.__version__}: median [least, largest] of {repeats} seeds")
    for (n, dim), numbers in _SIZES.items():
        for kind in ("separate", "overlapping"):
            x = keys(n, dim, kind)
            for number in numbers:
                times, peers, inertias = [], [], []
                for seed in range(repeats):
                    own_time, own = timed(lambda x=x, k=number, s=seed: kmeans(x, k, seed=s))
                    peer = faiss.Kmeans(
                        dim,
                        number,
                        niter=25,
                        seed=seed + 1,
                        min_points_per_centroid=1,
                        max_points_per_centroid=n,
                    )
                    peer_time, _ = timed(lambda x=x, peer=peer: peer.train(x.numpy()))
                    squared = assign(x, torch.from_numpy(peer.centroids))[1]
                    times.append(own_time)
                    peers.append(peer_time)
                    inertias.append(float(own.inertia / squared.sum()))
                ratios = [a / b for a, b in zip(times, peers, strict=True)]
                print(
                    f"{n} x {dim} {kind:11} L={number:5d}: {spread(times)} s, "
                    f"time x {spread(ratios)}, inertia x {spread(inertias, 4)}",
                    flush=True,
                )


def loop(k: torch.Tensor, labels: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Each group with members moves towards their mean, one after the other."""
    groups = groups.clone()
    for group in labels.unique():
        groups[group] = _BETA * groups[group] + (1 - _BETA) * k[labels == group].mean(0)
    return F.normalize(groups, dim=1)


def time_grouping(repeats: int) -> None:
    """Parts of an update in turn, many times."""
    k = F.normalize(torch.randn(512, 256), dim=1)
    print(f"Grouping of 512 x 256 keys, ms: median [least, largest] of {5 * repeats}")
    for number in _CLUSTERS:
        own = MomentumGrouping(number, 256, centroid_momentum=_BETA, variance_momentum=_BETA)
        groups = own.centroids.clone()
        labels = assign(k, groups)[0]

        def theirs(groups: torch.Tensor = groups) -> torch.Tensor:
            similar = F.normalize(k, dim=1) @ F.normalize(groups, dim=1).T
            return loop(k, similar.argmax(1), groups)

        parts: dict[str, Callable[[], object]] = {
            "update": lambda own=own: own.update(k, 1),
            "assignment": lambda groups=groups: assign(k, groups),
            "product": lambda groups=groups: k @ groups.T,
            "peer": theirs,
            "its loop": lambda labels=labels, groups=groups: loop(k, labels, groups),
        }
        times: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(5 * repeats + 1):
            for name, part in parts.items():
                times[name].append(1000 * timed(part)[0])
        kept = {name: values[1:] for name, values in times.items()}
        # of the least times: an interruption by other work takes longer than the whole update
        least = {name: min(values) for name, values in kept.items()}
        beside = least["update"] - least["assignment"]
        print(
            f"L={number:5d}: "
            + ", ".join(f"{name} {spread(values, 1)}" for name, values in kept.items())
            + f"; of the least: peer / update {least['peer'] / least['update']:.1f}, beside the "
            f"assignment {beside:.1f} ms, its loop / that {least['its loop'] / beside:.1f}",
            flush=True,
        )


def memory(field: str) -> float:
    """This process's memory, in MB, as Linux has it: ``VmRSS`` now, ``VmHWM`` at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def largest_memory(function: Callable[[], object]) -> tuple[float, float]:
    """MB at most while it runs, and before."""
    Path("/proc/self/clear_refs").write_text("5")  # the largest so far is what there is now
    before = memory("VmRSS")
    function()
    return memory("VmHWM"), before


def time_warm(repeats: int) -> None:
    """Both starts in turn; noise of the size of the views' distance stands for the drift."""
    x = keys(32_768, 256, "overlapping")
    generator = torch.Generator().manual_seed(5)
    later = F.normalize(x + 0.02 * torch.randn(x.shape, generator=generator), dim=1)
    print(f"K-means from living centroids over a new start: median of {repeats} seeds")
    for number in (100, 1000):
        living = F.normalize(kmeans(x, number, seed=0).centroids, dim=1)
        ratios, inertias = [], []
        for seed in range(repeats):
            new_time, new = timed(lambda k=number, s=seed: kmeans(later, k, seed=s))
            warm_time, warm = timed(
                lambda k=number, s=seed, c=living: kmeans(later, k, seed=s, start=c)
            )
            ratios.append(warm_time / new_time)
            inertias.append(float(warm.inertia / new.inertia))
        print(
            f"L={number:5d}: time x {spread(ratios)}, inertia x {spread(inertias, 3)}", flush=True
        )


def step_memory(num_clusters: int) -> float:
    """MB at most in two steps of 64 images; 0 clusters: of MoCo V2+."""
    heads = {"proj_hidden_dim": 2048, "proj_output_dim": 256, "queue_size": 16_384}
    if num_clusters:
        own = {**heads, "num_clusters": num_clusters, "predictor": "none"}
        model = CueCo(configuration("cueco", own, 0.996))
        give_clusters(model)
    else:
        peer = configuration("mocov2plus", {**heads, "temperature": 0.2}, 0.996)
        model = METHODS["mocov2plus"](peer)
    step = training_step(model, random_batch(64, 50_000, "cpu"))
    step()  # makes the gradients and the optimizer's averages
    step()
    return largest_memory(lambda: (step(), step()))[0]


def measure_step(_: int) -> None:
    """Each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    found = {}
    for number in (0, 100, 1000):
        with context.Pool(1) as pool:
            found[number] = pool.apply(step_memory, (number,))
        name = f"CueCo, L={number}" if number else "MoCo V2+"
        print(f"{name}: {found[number]:.0f} MB, x {found[number] / found[0]:.3f}", flush=True)


def measure_large(_: int) -> None:
    """One start and one move on parts of the features."""
    print(f"K-means, L={_LARGE}, dimension 256, a start and one move")
    x = keys(max(_PARTS), 256, "overlapping")[torch.randperm(max(_PARTS))]
    for n in _PARTS:
        seconds: list[float] = []

        def run(n: int = n, seconds: list[float] = seconds) -> None:
            seconds.append(timed(lambda: kmeans(x[:n], _LARGE, seed=0, max_iterations=1))[0])

        largest, before = largest_memory(run)
        print(
            f"n={n}: {seconds[0]:.1f} s, at most {largest - before:.0f} MB beside the "
            f"features; n={_WHOLE} in proportion {seconds[0] * _WHOLE / n / 3600:.2f} h",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    measures = {
        "grouping": time_grouping,
        "kmeans": time_kmeans,
        "warm": time_warm,
        "step": measure_step,
        "large": measure_large,
    }
    parser.add_argument("--only", nargs="+", choices=measures, default=list(measures))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    print(machine())
    torch.manual_seed(0)
    for name, measure in measures.items():
        if name in args.only:
            measure(args.repeats)


if __name__ == "__main__":
    main()
