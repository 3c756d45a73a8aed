"""The best setting of a grid: tried on images, the grid widened where the best lies at its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

_WIDENED_AT_MOST = 2
_STEP = 2.0  # closer rates would take many trainings for a little way

Setting = tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """One setting of a grid.

    Attributes:
        name: of the setting, in the figures' file.
        at: its value at a place, ascending; beyond the ends only if it can be widened.
        places: of the grid.
        more: how many places are added at an end; 0 leaves the setting as it is given.
    """

    name: str
    at: Callable[[int], float]
    places: range
    more: int = 0

    @property
    def values(self) -> list[float]:
        """Those of the grid."""
        return [self.at(place) for place in self.places]

    def widened(self, places: range, place: int) -> range:
        """``places``, and more where ``place`` is an end of them."""
        low = self.more if place == places.start else 0
        high = self.more if place == places.stop - 1 else 0
        return range(places.start - low, places.stop + high)


def given_axis(name: str, values: Sequence[float], factor: float = 0.0) -> Axis:
    """An axis of given values.

    Args:
        factor: how far it is widened at an end, at least, in steps like the last ones there, but at
            least twofold; a single value isn't. 0: it is never widened.
    """
    ordered = sorted(set(values))
    last, more = len(ordered) - 1, 0
    low = high = 1.0
    if factor and last:
        low = max(_STEP, ordered[1] / ordered[0])
        high = max(_STEP, ordered[-1] / ordered[-2])
        while min(low, high) ** more < factor:
            more += 1

    def at(place: int) -> float:
        if place < 0:
            return ordered[0] * low**place
        return ordered[place] if place <= last else ordered[-1] * high ** (place - last)

    return Axis(name, at, range(len(ordered)), more)


@dataclass(frozen=True)
class Tried:
    """A classifier on the images that the choice is made on.

    Attributes:
        setting: what it was trained with.
        top1: percent; 0 if it diverged.
        loss: mean cross entropy; None if it diverged.
    """

    setting: Setting
    top1: float
    loss: float | None

    @property
    def learning_rate(self) -> float:
        """The first part of the setting."""
        return self.setting[0]


@dataclass(frozen=True)
class Choice:
    """The best setting of a grid, and how it was found.

    Attributes:
        names: of the parts of a setting; the first is ``learning_rate``.
        best: the highest accuracy, and of those alike the lowest loss.
        edges: names of what is the lowest or highest, also of the widened grid.
        widened: how often the grid was widened.
        images: number of images that it was made on.
        curve: all that were tried, in the order of the last part of the setting, then the first.
        chosen_on: whose images these are.
    """

    names: tuple[str, ...]
    best: Tried
    edges: tuple[str, ...]
    widened: int
    images: int
    curve: list[Tried]
    chosen_on: str = "held-out training images"

    @property
    def at_edge(self) -> bool:
        """Whether a better setting may lie beyond the grid."""
        return bool(self.edges)

    def __str__(self) -> str:
        parts = zip(self.names, self.best.setting, strict=True)
        setting = " and ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in parts)
        text = f"{setting}, chosen on {self.images} {self.chosen_on} ({self.best.top1:.2f})"
        return f"{text}, at the edge of the grid" if self.at_edge else text

    def stated(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "best": self._plain(self.best),
            "at_edge": self.at_edge,
            "edges": list(self.edges),
            "widened": self.widened,
            "images": self.images,
            "chosen_on": self.chosen_on,
            "curve": [self._plain(one) for one in self.curve],
        }

    def _plain(self, one: Tried) -> dict[str, Any]:
        named = dict(zip(self.names, one.setting, strict=True))
        return {**named, "top1": one.top1, "loss": one.loss}


def best_of(
    axes: Sequence[Axis],
    try_all: Callable[[Sequence[Setting]], Sequence[Tried]],
    images: int,
    **more: Any,
) -> Choice:
    """The best setting of a grid, which is widened where that lies at an end, at most twice.

    Args:
        axes: of the grid; of all combinations.
        try_all: trains with each setting; gives as many, in this order.
        images: that it tries them on.
        more: see :class:`Choice`.
    """
    tried: dict[tuple[int, ...], Tried] = {}

    def best_place(places: Sequence[range]) -> tuple[int, ...]:
        new = [combined for combined in product(*places) if combined not in tried]
        settings = [tuple(a.at(p) for a, p in zip(axes, one, strict=True)) for one in new]
        tried.update(zip(new, try_all(settings), strict=True))
        return _best(tried)

    places, widened = [axis.places for axis in axes], 0
    best = best_place(places)
    while widened < _WIDENED_AT_MOST:
        wider = [a.widened(p, at) for a, p, at in zip(axes, places, best, strict=True)]
        if wider == places:
            break
        places, widened = wider, widened + 1
        best = best_place(places)
    edges = tuple(
        axis.name
        for axis, of, at in zip(axes, places, best, strict=True)
        if axis.widened(of, at) != of
    )
    curve = sorted(tried.values(), key=lambda one: one.setting[::-1])
    names = tuple(axis.name for axis in axes)
    return Choice(names, tried[best], edges, widened, images, curve, **more)


def _best(tried: Mapping[tuple[int, ...], Tried]) -> tuple[int, ...]:
    """The place of the highest accuracy, and of those alike of the lowest loss."""

    def rank(place: tuple[int, ...]) -> tuple[float, float]:
        one = tried[place]
        return one.top1, -float("inf") if one.loss is None else -one.loss

    return max(tried, key=rank)
