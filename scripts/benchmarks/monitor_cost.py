"""What the online clustering metrics cost, as a share of an epoch.

    python scripts/benchmarks/monitor_cost.py [--config-name simclr-digits-placed ...]
        [--epochs 3] [--images 10000] [KEY=VALUE ...]

Prints:

- for each configuration, trained into a temporary folder, the seconds that the monitor took
  (``online_seconds``, the median over the epochs) as a share of an epoch, validation included;
- the seconds of its figures alone for random features of 10, 100 and 1000 classes.
"""

import argparse
import csv
import functools
import statistics
import tempfile
from pathlib import Path

import torch
from common import machine, seconds

from cueco_solo.training.checkpoints import latest_checkpoint, read_checkpoint
from cueco_solo.training.compose import compose_config
from cueco_solo.training.monitor.scores import clustering_scores
from cueco_solo.training.pretrain import pretrain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["simclr-digits-placed", "cueco-digits-placed"]
    parser.add_argument("--config-name", nargs="+", default=names)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    args = parser.parse_args()

    print(machine())
    for name in args.config_name:
        monitor, epoch = measured(name, args.epochs, args.overrides)
        print(f"{name}: {monitor:.2f} s of {epoch:.1f} s an epoch, {monitor / epoch:.1%}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for classes in (10, 100, 1000):
        labels = torch.arange(args.images) % classes
        centres = torch.randn(classes, args.dim)
        features = (centres[labels] + torch.randn(args.images, args.dim)).to(device)
        run = seconds(functools.partial(clustering_scores, features, labels, classes), 1)
        print(f"{args.images} images, {args.dim} features, {classes} classes: {run:.2f} s")


def measured(name: str, epochs: int, overrides: list[str]) -> tuple[float, float]:
    """Seconds of the monitor and of an epoch, from a run's own records."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = compose_config(
            name,
            None,
            [
                f"max_epochs={epochs}",
                "online_clustering.enabled=True",
                f"checkpoint.dir={folder}",
                "enable_progress_bar=False",
                *overrides,
            ],
        )
        run = pretrain(cfg)
        with (run / "metrics.csv").open(newline="") as file:
            rows = [row["online_seconds"] for row in csv.DictReader(file)]
        state = read_checkpoint(latest_checkpoint(run) or Path(), "checkpoint")
        elapsed = state["callbacks"]["Timer"]["time_elapsed"]["train"]
    return statistics.median(float(text) for text in rows if text), elapsed / epochs


if __name__ == "__main__":
    main()
