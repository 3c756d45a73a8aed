"""``cueco-solo`` whose training is killed in its first epoch: ``killed.py MOMENT WORDS...``.

MOMENT: ``checkpoint``, once that of the epoch is in its place, or ``row``, once the epoch's means
are in metrics.csv.
"""

import os
import signal
import sys
from typing import Any

from cueco_solo.cli import main


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_the_checkpoint() -> None:
    stock = os.replace

    def replace(source: Any, target: Any) -> None:
        stock(source, target)
        if str(target).endswith("-ep=0.ckpt"):
            die()

    os.replace = replace  # type: ignore[assignment]


def after_the_row() -> None:
    from cueco_solo.training.metrics_table import MetricsTable

    stock = MetricsTable.save

    def save(self: Any) -> None:
        logged = [key for row in self.experiment.metrics for key in row]
        stock(self)
        if "train_nce_loss_epoch" in logged:
            die()

    MetricsTable.save = save  # type: ignore[method-assign]


if __name__ == "__main__":
    moment, *words = sys.argv[1:]
    {"checkpoint": after_the_checkpoint, "row": after_the_row}[moment]()
    sys.exit(main(words))
