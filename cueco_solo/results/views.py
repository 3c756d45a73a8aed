"""Says of runs that are compared where not all of their views were made in the same way."""

from collections.abc import Iterable, Mapping
from typing import Protocol

KEY, DEFAULT = "data.augment", "workers"


class _Run(Protocol):
    series: str
    dataset: str
    config: dict[str, str]


def made_by(config: Mapping[str, str]) -> str:
    """The value of ``data.augment`` in a flat configuration; older ones don't have it."""
    return config.get(KEY, DEFAULT)


def mixed_views(runs: Iterable[_Run]) -> dict[str, str]:
    """A sentence for each data set whose runs differ in who made their views."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for run in runs:
        by = found.setdefault(run.dataset, {}).setdefault(made_by(run.config), {})
        by[run.series] = None
    return {
        dataset: "Views: "
        + "; ".join(f"{KEY}={value} of {', '.join(series)}" for value, series in by.items())
        + ". A difference between these may be one of their views."
        for dataset, by in found.items()
        if len(by) > 1
    }
