"""How RCL's refinement and Self-Classifier's heads grow, a plot each, and their share of a step.

    python scripts/benchmarks/growth.py [--out growth.png] [--repeats 7]

- Refinement and bank of a batch of 256 against the number of samples n (2000 clusters) and against
  the number of clusters L of level 2 (50,000 samples), on planted clusters as in rcl_cost.py;
- heads and loss, forward and backward, against the number of heads T, for the paper's sizes.

The sizes of a plot are measured in turn; printed and drawn are medians and extremes, and shares of
a step of the method in the CIFAR setting. On a CPU they are the processor's seconds, which other
work on the machine lengthens less than those of the clock. Needs matplotlib for --out.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from common import Times, configuration, in_turn, machine, random_batch, training_step
from rcl_cost import living, refinement
from self_classifier_cost import forward_and_backward, loss

from cueco_solo.clustering.hierarchy import Hierarchy
from cueco_solo.methods.rcl import RCL
from cueco_solo.methods.self_classifier import SelfClassifier
from cueco_solo.modules.classifiers import Classifiers

_BATCH, _DIM, _THRESHOLDS = 256, 256, [0.35, 0.6]
_SAMPLES, _CLUSTERS = (10_000, 50_000, 200_000, 1_281_167), (500, 2000, 8000, 20_000)
_HEADS = (1, 3, 10, 30, 100)
_SIZES = {"C = 1000, 128 dimensions": (1000, 128), "C = 30, 64 dimensions": (30, 64)}


def refining(samples: int, clusters: int, device: str) -> Callable[[], object]:
    """A step of bank and refinement; the first, which mend what was planted wrong, are over."""
    hierarchy = Hierarchy(samples, _DIM, 3, max_splits=4, merge_threshold=_THRESHOLDS)
    living(hierarchy.to(device), clusters)
    step, _ = refinement(hierarchy, _BATCH)
    for _ in range(5):
        step()
    return step


def heads_and_loss(heads: int, classes: int, dim: int, device: str) -> Callable[[], object]:
    z = F.normalize(torch.randn(2, _BATCH, dim, device=device), dim=-1).requires_grad_()
    return forward_and_backward(Classifiers(heads, classes, dim).to(device), loss, z)


def tell(title: str, taken: Times, step: float) -> None:
    first = next(iter(taken))
    for size, times in taken.items():
        middle = times[len(times) // 2]
        print(
            f"{title} {size}: {middle * 1e3:.2f} ms [{times[0] * 1e3:.2f}, {times[-1] * 1e3:.2f}], "
            f"{middle / taken[first][len(times) // 2]:.2f} x for {size / first:.1f} x, "
            f"{middle / step:.3%} of a step"
        )


def draw(plots: list[tuple[str, dict[str, Times], float]], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown, axes = plt.subplots(
        1, len(plots), figsize=(4 * len(plots), 3.4), sharey=True, layout="constrained"
    )
    for axis, (title, lines, step) in zip(axes, plots, strict=True):
        for place, (label, taken) in enumerate(lines.items()):
            middle = [1e3 * times[len(times) // 2] for times in taken.values()]
            axis.plot(list(taken), middle, "o-", color=f"C{place}", label=label)
            low, high = ([1e3 * times[end] for times in taken.values()] for end in (0, -1))
            axis.fill_between(list(taken), low, high, color=f"C{place}", alpha=0.2, lw=0)
            for size, value in zip(taken, middle, strict=True):
                axis.annotate(
                    f"{value / 10 / step:.2g} %",
                    *((size, value), (0, 7)),
                    textcoords="offset points",
                    ha="center",
                    size=8,
                )
        axis.set(xscale="log", yscale="log", xlabel=title)
        axis.margins(x=0.12, y=0.2)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        if len(lines) > 1:
            axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("ms per step, and its share")
    shown.savefig(out, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="PNG")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="training steps timed")
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(machine())
    torch.manual_seed(0)
    batch = random_batch(_BATCH, 50_000, device)
    kwargs = {"proj_hidden_dim": 2048, "proj_output_dim": _DIM, "pred_hidden_dim": 4096}
    kwargs |= {"queue_size": 16384, "temperature": 0.1, "num_samples": 50_000}
    rcl = RCL(configuration("rcl", kwargs, 0.99)).to(device)
    own = SelfClassifier(configuration("self_classifier", {}, 0.99)).to(device)
    steps = dict(enumerate(training_step(model, batch) for model in (rcl, own)))
    rcl_step, own_step = (each[args.steps // 2] for each in in_turn(steps, args.steps).values())
    print(f"a step of batch {_BATCH}: RCL {rcl_step:.3f} s, Self-Classifier {own_step:.3f} s")
    del rcl, own, steps

    by_samples = in_turn({n: refining(n, 2000, device) for n in _SAMPLES}, args.repeats)
    tell("RCL, n =", by_samples, rcl_step)
    by_clusters = in_turn({c: refining(50_000, c, device) for c in _CLUSTERS}, args.repeats)
    tell("RCL, L =", by_clusters, rcl_step)
    by_heads = {}
    for name, (classes, dim) in _SIZES.items():
        many = {heads: heads_and_loss(heads, classes, dim, device) for heads in _HEADS}
        by_heads[name] = in_turn(many, args.repeats)
        tell(f"Self-Classifier, {name}, T =", by_heads[name], own_step)
    if args.out:
        plots = [
            ("RCL: samples n (L = 2000)", {"": by_samples}, rcl_step),
            ("RCL: clusters L of level 2 (n = 50,000)", {"": by_clusters}, rcl_step),
            ("Self-Classifier: heads T", by_heads, own_step),
        ]
        draw(plots, args.out)


if __name__ == "__main__":
    main()
