"""Differences to a baseline, in words and as positions on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from cueco_solo.results.columns import Key
from cueco_solo.results.table import Difference

_READINGS = {
    "higher": "higher",
    "lower": "lower",
    "undecided": "undecided",
    "one seed: higher": "higher over images (one seed)",
    "one seed: lower": "lower over images (one seed)",
    "one seed: undecided": "undecided over images (one seed)",
    "one seed": "without an interval (one seed)",
}


@dataclass(frozen=True)
class DifferenceView:
    """A :class:`Difference` as the page shows it.

    Attributes:
        item: the difference.
        difference, interval: as text.
        reading: higher, lower or undecided; "one seed", and what images alone say, if they do.
        plot: low, mean, high in percent of the width.
    """

    item: Difference
    difference: str
    interval: str
    reading: str
    plot: tuple[float, float, float]

    @property
    def tone(self) -> str:
        """The reading that a colour may stress: none of a single seed."""
        return "" if self.item.over_images else self.reading


def difference_views(differences: Sequence[Difference]) -> list[DifferenceView]:
    """The differences in words; those of one column are plotted on one scale."""
    scales: dict[Key, float] = {}
    for item in differences:
        ends = (item.paired.difference, item.paired.low, item.paired.high)
        widest = max(abs(end) for end in ends if end is not None)
        scales[item.column.key] = max(scales.get(item.column.key, 0.0), widest)
    return [_view(item, scales[item.column.key] or 1.0) for item in differences]


def forest(views: Sequence[DifferenceView]) -> list[list[DifferenceView]]:
    """The differences of each column; none where all are of a single seed."""
    panels: dict[Key, list[DifferenceView]] = {}
    for view in views:
        panels.setdefault(view.item.column.key, []).append(view)
    several = [view for view in views if view.item.paired.n > 1]
    return list(panels.values()) if several else []


def verdicts(views: Sequence[DifferenceView]) -> list[str]:
    """By method and data set, in how many of the main metrics it is ahead, behind or neither."""
    groups: dict[tuple[str, str], list[str]] = {}
    for view in views:
        if view.item.column.main:
            row = view.item.row
            groups.setdefault((row.label, row.dataset), []).append(view.reading)
    sentences = []
    for (method, dataset), readings in groups.items():
        counts = [
            f"{words} in {readings.count(name)}"
            for name, words in _READINGS.items()
            if name in readings
        ]
        sentences.append(
            f"{method} on {dataset}: of {len(readings)} main metrics {', '.join(counts)}."
        )
    return sentences


def _view(item: Difference, scale: float) -> DifferenceView:
    mean, low, high, _ = item.paired
    if low is None or high is None:
        interval, reading, ends = "\N{EN DASH}", "one seed", (mean, mean)
    else:
        interval, ends = f"{low:+.1f} to {high:+.1f}", (low, high)
        reading = "higher" if low > 0 else "lower" if high < 0 else "undecided"
        if item.over_images:
            interval, reading = f"[{interval}]", f"one seed: {reading}"
    plot = (50 + 48 * ends[0] / scale, 50 + 48 * mean / scale, 50 + 48 * ends[1] / scale)
    return DifferenceView(
        item,
        f"{mean:+.1f}".replace("-", "\N{MINUS SIGN}"),
        interval.replace("-", "\N{MINUS SIGN}"),
        reading,
        plot,
    )
