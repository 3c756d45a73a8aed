"""What a run logged, from its ``metrics.csv``."""

import csv
import math
from contextlib import suppress
from pathlib import Path

from cueco_solo.report.document import Curve

_POINTS = 300
_NOT_LOGGED = ("step", "epoch")


def read_curves(path: Path) -> dict[str, Curve]:
    """Every numeric column by name, what isn't finite left out, thinned to some 300 points.

    Of a quantity that was logged by step and as the mean of epochs, the epochs' means stay, unless
    there is one only; the name loses its ``_step`` or ``_epoch``.

    Args:
        path: of a ``metrics.csv``.

    Raises:
        OSError: it can't be read.
    """
    columns: dict[str, dict[int, float]] = {}
    # what follows a damaged field that swallows all of it can't be told apart
    with suppress(csv.Error), path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(line.replace("\0", "") for line in file):
            step = _number(row.get("step"))
            for name, text in row.items():
                value = _number(text)
                if step is not None and value is not None and name and name not in _NOT_LOGGED:
                    # the rows of a resumed run come last and count
                    columns.setdefault(name, {})[int(step)] = value
    curves = {name: _curve(points) for name, points in columns.items()}
    return {_name(name, curves): curve for name, curve in curves.items() if _kept(name, curves)}


def steps_per_epoch(path: Path) -> float | None:
    """By the last row before the epoch changes, else by the last one; None where there is none.

    Within an epoch that a run was stopped in there are fewer steps than it has.
    """
    ended: float | None = None
    before: tuple[float, float] | None = None
    with (
        suppress(OSError, csv.Error),
        path.open(newline="", encoding="utf-8", errors="replace") as file,
    ):
        for row in csv.DictReader(line.replace("\0", "") for line in file):
            step, epoch = _number(row.get("step")), _number(row.get("epoch"))
            if step is not None and epoch is not None and step >= 0 and epoch >= 0:
                if before and epoch > before[1]:
                    ended = (before[0] + 1) / (before[1] + 1)
                before = step, epoch
    return ended if ended or not before else (before[0] + 1) / (before[1] + 1)


def _number(text: str | None) -> float | None:
    """A finite number; None for what is empty, cut off, NaN or infinite."""
    try:
        value = float(text or "nan")
    except (TypeError, ValueError):  # a row with more cells than columns has a list
        return None
    return value if math.isfinite(value) else None


def _curve(points: dict[int, float]) -> Curve:
    steps = sorted(points)
    if len(steps) > _POINTS:
        last = len(steps) - 1
        steps = [steps[round(i * last / (_POINTS - 1))] for i in range(_POINTS)]
    # more digits than float32 has are noise, and make the page larger
    return Curve(step=steps, value=[float(f"{points[step]:.6g}") for step in steps])


def _name(name: str, curves: dict[str, Curve]) -> str:
    short = name.removesuffix("_step").removesuffix("_epoch")
    return name if short in curves else short


def _kept(name: str, curves: dict[str, Curve]) -> bool:
    short = name.removesuffix("_step").removesuffix("_epoch")
    means = curves.get(f"{short}_epoch")
    means_serve = means is not None and len(means["step"]) > 1
    if name.endswith("_step"):
        return not means_serve
    return not name.endswith("_epoch") or means_serve or f"{short}_step" not in curves
