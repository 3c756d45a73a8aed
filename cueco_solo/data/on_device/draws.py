"""The random parameters of views: a function of (seed, epoch, sample, view) alone.

So they depend neither on what else is in a batch nor on the number of workers or processes, and a
resumed run draws them again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cueco_solo.data.on_device.settings import CHANCES, JITTER, Augmentation

_TRIES = 10  # of torchvision's RandomResizedCrop
_RATIOS = 3 / 4, 4 / 3  # likewise
_SIGMAS = 0.1, 2.0  # of solo-learn's GaussianBlur
# which samples each of these is done to; by position, since a sample has an order of its own
_ORDERED = [(place, name) for place in range(len(JITTER)) for name in JITTER]
_GROUPS = (*_ORDERED, *CHANCES)
# what a view takes of its random numbers, one after the other
_COUNTS = {
    "shapes": 2 * _TRIES,
    "places": 2,
    "jitter": 1,
    "factors": len(JITTER),
    "order": len(JITTER),
    "chances": len(CHANCES),
    "sigma": 1,
}

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


def _mixed(words: Words) -> Words:
    """SplitMix64's output function: each bit of the input changes half of the output's."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


_STEP = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64's counter


def uniforms(seed: int, epoch: int, samples: NDArray[np.int64], view: int, count: int) -> Floats:
    """Random numbers in [0, 1), the same for the same arguments.

    SplitMix64, whose start is hashed from the arguments one by one.

    Args:
        seed: of the run.
        epoch: from 0.
        samples: [B], indexes in the data set.
        view: number of the view, from 0.
        count: of numbers for each sample.

    Returns:
        [B, count].
    """
    state = np.zeros(len(samples), np.uint64)
    for part in (np.array([seed]), np.array([epoch]), samples, np.array([view])):
        state = _mixed((state ^ part.astype(np.uint64)) + _STEP)
    words = _mixed(state[:, None] + _STEP * np.arange(1, count + 1, dtype=np.uint64))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True)
class Draws:
    """The parameters of one view of B samples.

    Attributes:
        boxes: int64 [B, 4]; top, left, height and width of the crops, in pixels.
        numbers: float32 [B, 5]; the factors of :data:`JITTER`, and the blur's sigma in pixels.
        rows: int64; which samples an operation is done to, one group after the other.
        sizes: of the groups. On the host, so that the device needn't be asked.
    """

    boxes: Tensor
    numbers: Tensor
    rows: Tensor
    sizes: tuple[int, ...]

    def groups(self) -> dict[object, Tensor]:
        """Rows by ``(position, operation)`` of the colour jitter, or by operation; none empty."""
        parts = self.rows.split(self.sizes)
        return {name: rows for name, rows in zip(_GROUPS, parts, strict=True) if len(rows)}

    def to(self, device: torch.device, non_blocking: bool = False) -> "Draws":
        """The same on another device."""
        return Draws(
            self.boxes.to(device, non_blocking=non_blocking),
            self.numbers.to(device, non_blocking=non_blocking),
            self.rows.to(device, non_blocking=non_blocking),
            self.sizes,
        )

    def pin_memory(self) -> "Draws":
        """The same in page-locked memory."""
        return Draws(
            self.boxes.pin_memory(), self.numbers.pin_memory(), self.rows.pin_memory(), self.sizes
        )


def draw(
    kind: Augmentation,
    height: int,
    width: int,
    seed: int,
    epoch: int,
    samples: NDArray[np.int64],
    view: int,
) -> Draws:
    """Parameters distributed as those of solo-learn's pipeline of torchvision transforms.

    Args:
        kind: what is drawn.
        height, width: of the images.
        seed, epoch, samples, view: as of :func:`uniforms`.
    """
    numbers = uniforms(seed, epoch, samples, view, sum(_COUNTS.values()))
    ends = np.cumsum([*_COUNTS.values()])[:-1]
    u = dict(zip(_COUNTS, np.split(numbers, ends, axis=1), strict=True))
    if kind.scale is None:
        boxes = np.tile([0, 0, height, width], (len(samples), 1))
    else:
        boxes = _boxes(kind.scale, height, width, u["shapes"], u["places"])
    factors = np.ones((len(samples), len(JITTER)))
    for column, name in enumerate(JITTER):
        if limits := kind.factors[name]:
            factors[:, column] = _between(limits, u["factors"][:, column])
    sigma = _between(_SIGMAS, u["sigma"])
    order = np.argsort(u["order"], axis=1)  # of independent numbers: each order alike
    jittered = u["jitter"][:, 0] < kind.jitter
    chosen = [
        jittered & (order[:, place] == JITTER.index(name)) & (kind.factors[name] is not None)
        for place, name in _ORDERED
    ]
    chosen += [u["chances"][:, i] < kind.chances[name] for i, name in enumerate(CHANCES)]
    rows = [np.flatnonzero(each) for each in chosen]
    return Draws(
        torch.from_numpy(boxes.astype(np.int64)),
        torch.from_numpy(np.concatenate([factors, sigma], axis=1).astype(np.float32)),
        torch.from_numpy(np.concatenate(rows).astype(np.int64)),
        tuple(map(len, rows)),
    )


def _between(limits: tuple[float, float], u: Floats) -> Floats:
    return limits[0] + (limits[1] - limits[0]) * u


def _boxes(
    scale: tuple[float, float], height: int, width: int, shapes: Floats, places: Floats
) -> NDArray[np.int64]:
    """Top, left, height and width as ``RandomResizedCrop.get_params`` draws them."""
    areas = _between(scale, shapes[:, :_TRIES]) * (height * width)
    log_ratios = np.log(_RATIOS[0]), np.log(_RATIOS[1])
    ratios = np.exp(_between(log_ratios, shapes[:, _TRIES:]))
    wide, high = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    first, found = np.argmax(fits, axis=1)[:, None], fits.any(axis=1)
    w, h = (np.take_along_axis(each, first, axis=1)[:, 0] for each in (wide, high))
    # without one that fits: the largest of an allowed ratio, in the middle
    ratio = np.clip(width / height, *_RATIOS)
    w = np.where(found, w, min(width, round(height * ratio)))
    h = np.where(found, h, min(height, round(width / ratio)))
    top = np.where(found, np.floor(places[:, 0] * (height - h + 1)), (height - h) // 2)
    left = np.where(found, np.floor(places[:, 1] * (width - w + 1)), (width - w) // 2)
    return np.stack([top, left, h, w], axis=1).astype(np.int64)
