"""solo-learn's augmentations of a batch of decoded images, with parameters for each sample.

Between two operations stand whole levels of 8 bits, rounded as Pillow rounds them: solarisation and
equalisation look at levels, and without it the views would be brighter than solo-learn's.
"""

import math
from collections.abc import Callable
from functools import cache

import kornia
import torch
from torch import Tensor

from cueco_solo.data.on_device.draws import Draws
from cueco_solo.data.on_device.filters import blurred, resized_crops
from cueco_solo.data.on_device.settings import CHANCES, JITTER, Augmentation

_SIGMA = len(JITTER)  # its column in the numbers of a sample
_JUST_BELOW = 1e-3  # what rounding in float32 may take from a whole level


def make_view(images: Tensor, draws: Draws, kind: Augmentation) -> Tensor:
    """A view of each image.

    Args:
        images: uint8 [B, 3, H, W].
        draws: on the same device.
        kind: what they were drawn for.

    Returns:
        float32 [B, 3, h, w], normalised; h and w are ``crop_size``, where an image isn't cropped
        that of its shorter side.
    """
    with torch.autocast(images.device.type, enabled=False):
        size = _size(kind, *images.shape[-2:])
        x = resized_crops(images, draws.boxes, *size) / 255
        groups, numbers = draws.groups(), draws.numbers
        for group in [(place, name) for place in range(len(JITTER)) for name in JITTER]:
            if (rows := groups.get(group)) is not None:
                operation, column = _JITTER[group[1]], JITTER.index(group[1])
                _change(x, rows, operation, numbers[:, column].index_select(0, rows))
        for name in CHANCES:
            if (rows := groups.get(name)) is not None:
                _change(x, rows, _CHANCES[name], numbers[:, _SIGMA].index_select(0, rows))
        return kornia.enhance.normalize(x, *_on(images.device, kind.mean, kind.std))


@cache
def _on(device: torch.device, *values: tuple[float, ...]) -> list[Tensor]:
    """Constants on a device, copied once: each copy from the host waits for the device."""
    return [torch.tensor(each, device=device) for each in values]


def _size(kind: Augmentation, height: int, width: int) -> tuple[int, int]:
    """Of a view: torchvision's ``Resize`` keeps the ratio of the sides, a crop is a square."""
    side = kind.crop_size
    if kind.scale is not None:
        return side, side
    short = min(height, width)
    return int(side * height / short), int(side * width / short)


Operation = Callable[[Tensor, Tensor], Tensor]


def _change(x: Tensor, rows: Tensor, operation: Operation, numbers: Tensor) -> None:
    """Replace these samples, in place."""
    x.index_copy_(0, rows, operation(x.index_select(0, rows), numbers))


def _levels(x: Tensor) -> Tensor:
    """Cut to whole levels, as Pillow's blending does."""
    return (x * 255 + _JUST_BELOW).floor_().div_(255)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """``ImageEnhance.Brightness`` of float32 [B, 3, H, W] in whole levels / 255, factors [B]."""
    return _levels(kornia.enhance.adjust_brightness_accumulative(x, factor))


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """``ImageEnhance.Contrast``, as :func:`brightness`."""
    return _levels(kornia.enhance.adjust_contrast_with_mean_subtraction(x, factor))


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """``ImageEnhance.Color``, as :func:`brightness`."""
    return _levels(kornia.enhance.adjust_saturation_with_gray_subtraction(x, factor))


def hue(x: Tensor, factor: Tensor) -> Tensor:
    """torchvision's ``adjust_hue`` of a PIL image, whose hue and saturation have 8 bits."""
    angle, share, value = kornia.color.rgb_to_hsv(x).unbind(1)
    turn = 2 * math.pi
    step = (factor * 255).trunc().view(-1, 1, 1)
    level = (angle * (255 / turn) + _JUST_BELOW).floor() + step
    angle = torch.remainder(level, 256) * (turn / 255)
    hsv = torch.stack([torch.remainder(angle, turn), _levels(share), value], dim=1)
    return _rounded(kornia.color.hsv_to_rgb(hsv))


def grayscale(x: Tensor, _: Tensor) -> Tensor:
    """``image.convert("L")`` in three channels, as :func:`brightness`."""
    return _rounded(kornia.color.rgb_to_grayscale(x)).expand_as(x)


def blur(x: Tensor, sigma: Tensor) -> Tensor:
    """``ImageFilter.GaussianBlur``, as :func:`brightness`."""
    return blurred(x * 255, sigma) / 255


def solarize(x: Tensor, _: Tensor) -> Tensor:
    """``ImageOps.solarize``, as :func:`brightness`."""
    # 0.5 as a number would be copied; 1 - x is just below a whole level for some
    return _rounded(kornia.enhance.solarize(x, x.new_full((len(x),), 0.5)))


def equalize(x: Tensor, _: Tensor) -> Tensor:
    """``ImageOps.equalize``, as :func:`brightness`."""
    return kornia.enhance.equalize(x)


def flip(x: Tensor, _: Tensor) -> Tensor:
    """Mirrored left to right."""
    return x.flip(-1)


def _rounded(x: Tensor) -> Tensor:
    return (x * 255 + 0.5).floor_().div_(255)


_JITTER = dict(zip(JITTER, (brightness, contrast, saturation, hue), strict=True))
_CHANCES = dict(zip(CHANCES, (grayscale, blur, solarize, equalize, flip), strict=True))
