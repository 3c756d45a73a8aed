"""Figure 2 of the Self-Classifier paper from runs of one's own: ARI and AMI of its labels by epoch.

    python scripts/benchmarks/self_classifier_figure.py RUN ... --out FIGURE.png

RUN are folders that ``cueco-solo pretrain`` made (``method: self_classifier``, with a validation
set); a thin line is a run, a thick one their mean. Needs matplotlib.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

METRICS = {"ari": "ARI", "ami": "AMI"}
HEADS = {"first": ("first head", "C0"), "best": ("head of the lowest loss", "C1")}


def logged(run: Path, name: str) -> NDArray[np.float64]:
    """A quantity after each epoch, percent, ``[epochs]``; a repeated epoch's last value counts."""
    with (run / "metrics.csv").open(newline="") as file:
        values = {int(row["epoch"]): float(row[name]) for row in csv.DictReader(file) if row[name]}
    return np.array([values[epoch] for epoch in sorted(values)])


def figure(runs: list[Path], out: Path) -> None:
    shown, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axis, (metric, title) in zip(axes, METRICS.items(), strict=True):
        for head, (label, colour) in HEADS.items():
            curves = defaultdict(list)
            for run in runs:
                values = logged(run, f"val_{head}_head_{metric}")
                axis.plot(np.arange(1, len(values) + 1), values, color=colour, lw=0.7, alpha=0.5)
                curves[len(values)].append(values)
            for epochs, alike in curves.items():
                mean = np.mean(alike, 0)
                axis.plot(np.arange(1, epochs + 1), mean, color=colour, lw=2)
            axis.plot([], [], color=colour, lw=2, label=label)
        axis.set(title=f"{title} of its own labels, percent", xlabel="epoch")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    shown.savefig(out, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    arguments = parser.parse_args()
    figure(arguments.runs, arguments.out)
