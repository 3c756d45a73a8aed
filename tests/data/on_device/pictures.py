"""Images for the tests of this folder, and solo-learn's operations with given parameters."""

from typing import Any

import numpy as np
import torch
import torchvision.transforms.functional as F
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from cueco_solo.data.on_device.draws import Draws
from cueco_solo.data.on_device.settings import CHANCES, JITTER, Augmentation

# all operations, each with its own probability and strength
KIND = Augmentation(
    crop_size=32,
    scale=(0.08, 1.0),
    jitter=0.8,
    factors={
        "brightness": (0.6, 1.4),
        "contrast": (0.0, 2.0),
        "saturation": (0.8, 1.2),
        "hue": (-0.1, 0.1),
    },
    chances=dict(zip(CHANCES, (0.2, 0.5, 0.1, 0.3, 0.5), strict=True)),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)
BICUBIC = Image.Resampling.BICUBIC
ADJUST = {
    "brightness": F.adjust_brightness,
    "contrast": F.adjust_contrast,
    "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
}


def pictures(number: int, height: int = 32, width: int = 32, seed: int = 0) -> list[Image.Image]:
    """Half of them smooth, as photographs are, half noise, where rounding shows most."""
    draw = np.random.default_rng(seed)
    found = []
    for index in range(number):
        coarse = 4 if index % 2 else 1
        shape = (height // coarse, width // coarse, 3)
        small = Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8))
        found.append(small.resize((width, height), BICUBIC))
    return found


def levels(images: list[Image.Image]) -> Tensor:
    """uint8 [B, 3, H, W]."""
    return torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images])


def grey(image: Image.Image) -> Image.Image:
    return F.rgb_to_grayscale(image, num_output_channels=3)


def view_by_pillow(image: Image.Image, place: int, draws: Draws, kind: Augmentation) -> Tensor:
    """The view of one image, operation by operation; ``place`` is its own in the batch."""
    top, left, high, wide = draws.boxes[place].tolist()
    if kind.scale is None:
        image = F.resize(image, kind.crop_size, F.InterpolationMode.BICUBIC)
    else:
        size = [kind.crop_size, kind.crop_size]
        image = F.resized_crop(image, top, left, high, wide, size, F.InterpolationMode.BICUBIC)
    *factors, sigma = draws.numbers[place].tolist()
    mine: dict[Any, bool] = {name: place in rows for name, rows in draws.groups().items()}
    for position in range(len(JITTER)):
        for name, factor in zip(JITTER, factors, strict=True):
            if mine.get((position, name)):
                image = ADJUST[name](image, factor)
    if mine.get("grayscale"):
        image = grey(image)
    if mine.get("gaussian_blur"):
        image = image.filter(ImageFilter.GaussianBlur(radius=sigma))
    if mine.get("solarization"):
        image = ImageOps.solarize(image)
    if mine.get("equalization"):
        image = ImageOps.equalize(image)
    if mine.get("horizontal_flip"):
        image = F.hflip(image)
    return F.normalize(F.to_tensor(image), list(kind.mean), list(kind.std))
