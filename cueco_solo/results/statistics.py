"""Means over seeds, and differences to a baseline paired by seed."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from scipy.stats import t as student

from cueco_solo.results.figures import Figure

_LEVEL = 0.95


class Spread(NamedTuple):
    """Mean and sample standard deviation (n - 1) of ``n`` values; no deviation of a single one."""

    mean: float
    std: float | None
    n: int


class Paired(NamedTuple):
    """Mean difference over ``n`` pairs and its 95 % interval; no interval of a single pair."""

    difference: float
    low: float | None
    high: float | None
    n: int


def mean_std(values: Sequence[float]) -> Spread:
    """Mean, sample standard deviation and number of at least one value."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), std, len(values))


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Paired | None:
    """Values minus baseline over the seeds that both have, under Student's t with n - 1 degrees.

    Args:
        values: by seed.
        baseline: by seed.

    Returns:
        None where they have no seed in common.
    """
    seeds = sorted(values.keys() & baseline.keys())
    if not seeds:
        return None
    mean, std, n = mean_std([values[seed] - baseline[seed] for seed in seeds])
    if std is None:
        return Paired(mean, None, None, n)
    half = float(student.ppf((1 + _LEVEL) / 2, n - 1)) * std / math.sqrt(n)
    return Paired(mean, mean - half, mean + half, n)


class Comparison(TypedDict):
    """Method minus baseline in one metric, paired by seed.

    Attributes:
        dataset, method, protocol, metric: what is compared.
        seeds: number of pairs.
        difference: the mean, in the metric's unit.
        low, high: 95 % confidence interval (Student's t); None with fewer than two pairs.
    """

    dataset: str
    method: str
    protocol: str
    metric: str
    seeds: int
    difference: float
    low: float | None
    high: float | None


Cell = tuple[str, str, str, str]


def by_seed(figures: Iterable[Figure]) -> dict[Cell, dict[int, float]]:
    """Our figures as value by seed, for each (data set, method, protocol, metric), in order."""
    cells: dict[Cell, dict[int, float]] = defaultdict(dict)
    for row in figures:
        if row["seed"] is not None:
            cell = (row["dataset"], row["method"], row["protocol"], row["metric"])
            cells[cell][row["seed"]] = row["value"]
    return dict(cells)


def comparisons(figures: Iterable[Figure], baseline: str) -> list[Comparison]:
    """Every method's paired difference to the baseline, in every metric that both have.

    Args:
        figures: ours; one for each data set, method, protocol, metric and seed.
        baseline: its ``method``.
    """
    cells, found = by_seed(figures), []
    for (dataset, method, protocol, metric), values in cells.items():
        other = cells.get((dataset, baseline, protocol, metric))
        pairs = paired(values, other) if other and method != baseline else None
        if pairs:
            found.append(
                Comparison(
                    dataset=dataset,
                    method=method,
                    protocol=protocol,
                    metric=metric,
                    seeds=pairs.n,
                    difference=pairs.difference,
                    low=pairs.low,
                    high=pairs.high,
                )
            )
    return found
