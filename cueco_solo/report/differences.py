"""Differences to a baseline, in words and as places on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from cueco_solo.results.statistics import Comparison
from cueco_solo.results.tables import columns, metric_title, protocol_title

_READINGS = {
    "higher": "higher",
    "lower": "lower",
    "undecided": "undecided",
    "one seed": "without an interval (one seed)",
}


@dataclass(frozen=True)
class Difference:
    """A :class:`Comparison` in words; ``plot`` is low, mean, high in percent of the width."""

    comparison: Comparison
    protocol: str
    metric: str
    difference: str
    interval: str
    reading: str
    plot: tuple[float, float, float]
    primary: bool


def differences(comparisons: Sequence[Comparison]) -> list[Difference]:
    """The comparisons in words; all are plotted on one scale."""
    ends = [
        abs(end)
        for item in comparisons
        for end in (item["difference"], item["low"], item["high"])
        if end is not None
    ]
    scale = max(ends, default=0.0) or 1.0
    primary = {(c.protocol, c.metric) for c in columns(comparisons) if c.primary}
    return [_difference(item, scale, primary) for item in comparisons]


def verdicts(found: Sequence[Difference]) -> list[str]:
    """By method and data set, in how many of the main metrics it is ahead, behind or neither."""
    groups: dict[tuple[str, str], list[str]] = {}
    for item in found:
        if item.primary:
            key = item.comparison["method"], item.comparison["dataset"]
            groups.setdefault(key, []).append(item.reading)
    sentences = []
    for (method, dataset), readings in groups.items():
        counts = [
            f"{said} in {readings.count(name)}"
            for name, said in _READINGS.items()
            if name in readings
        ]
        sentences.append(
            f"{method} on {dataset}: of {len(readings)} main metrics {', '.join(counts)}."
        )
    return sentences


def _difference(item: Comparison, scale: float, primary: set[tuple[str, str]]) -> Difference:
    mean, low, high = item["difference"], item["low"], item["high"]
    if low is None or high is None:
        interval, reading, ends = "\N{EN DASH}", "one seed", (mean, mean)
    else:
        interval, ends = f"{low:+.1f} to {high:+.1f}", (low, high)
        reading = "higher" if low > 0 else "lower" if high < 0 else "undecided"
    return Difference(
        item,
        protocol_title(item["protocol"]),
        metric_title(item["metric"]),
        f"{mean:+.1f}".replace("-", "\N{MINUS SIGN}"),
        interval.replace("-", "\N{MINUS SIGN}"),
        reading,
        tuple(50 + 48 * value / scale for value in (ends[0], mean, ends[1])),  # type: ignore[arg-type]
        (item["protocol"], item["metric"]) in primary,
    )
