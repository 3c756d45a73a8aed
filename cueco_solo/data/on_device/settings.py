"""What one of ``augmentations`` asks for, as plain numbers."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from cueco_solo.errors import config_error

# in the order of solo-learn's ColorJitter, which is torchvision's
JITTER = ("brightness", "contrast", "saturation", "hue")
# in the order in which they are done, after the crop and the colour jitter
CHANCES = ("grayscale", "gaussian_blur", "solarization", "equalization", "horizontal_flip")
_KEY, _VALUE = "data.augment", "device"


@dataclass(frozen=True)
class Augmentation:
    """One kind of view.

    Attributes:
        crop_size: pixels of a side.
        scale: smallest and largest share of the area that a crop has; None: the image is resized.
        jitter: probability of the colour jitter.
        factors: smallest and largest factor by operation of :data:`JITTER`, of the hue the largest
            shifts; None where the operation does nothing.
        chances: probability by operation of :data:`CHANCES`.
        mean, std: of the channels.
    """

    crop_size: int
    scale: tuple[float, float] | None
    jitter: float
    factors: dict[str, tuple[float, float] | None]
    chances: dict[str, float]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def augmentation(view: Any, normalise: Any) -> Augmentation:
    """The numbers of a view.

    Args:
        view: one of ``cfg.augmentations``, complete.
        normalise: the last step of solo-learn's pipeline for it, torchvision's ``Normalize``.
    """
    factors: dict[str, tuple[float, float] | None] = {}
    for name in JITTER:
        # without a chance the others may be left out
        most = float(view.color_jitter[name]) if view.color_jitter.prob else 0.0
        low, high = (-most, most) if name == "hue" else (max(0.0, 1 - most), 1 + most)
        factors[name] = (low, high) if most else None
    crop = view.rrc
    return Augmentation(
        crop_size=view.crop_size,
        scale=(crop.crop_min_scale, crop.crop_max_scale) if crop.enabled else None,
        jitter=view.color_jitter.prob,
        factors=factors,
        chances={name: view[name].prob for name in CHANCES},
        mean=tuple(map(float, normalise.mean)),
        std=tuple(map(float, normalise.std)),
    )


def check_device_augmentation(data: Any) -> None:
    """Refuse ``data.augment=device`` where it can't be done, as far as ``cfg.data`` tells.

    Raises:
        ConfigError: other formats than image folders are to be read, or kornia isn't installed.
    """
    if data.get("augment") != _VALUE:
        return
    if (kind := data.get("format", "image_folder")) != "image_folder":
        reason = f"can't be had with data.format={kind}"
        remedy = "set data.format=image_folder or data.augment=workers"
        raise config_error(_KEY, _VALUE, reason, remedy)
    if find_spec("kornia") is None:
        reason = "needs a package that is not installed"
        remedy = "pip install kornia, or set data.augment=workers"
        raise config_error(_KEY, _VALUE, reason, remedy)
