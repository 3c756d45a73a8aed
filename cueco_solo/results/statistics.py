"""Means over seeds, and differences to a baseline paired by seed."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

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
    from scipy.stats import t as student  # a second of import that no wrong name has to wait for

    half = float(student.ppf((1 + _LEVEL) / 2, n - 1)) * std / math.sqrt(n)
    return Paired(mean, mean - half, mean + half, n)
