"""Operations against Pillow's with the same parameters, and whole views against solo-learn's."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.on_device.pictures import ADJUST, BICUBIC, grey, levels, pictures, view_by_pillow
from host import tiny
from omegaconf import OmegaConf
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

pytest.importorskip("kornia")
from cueco_solo import host
from cueco_solo.data.on_device import views as ours
from cueco_solo.data.on_device.draws import draw
from cueco_solo.data.on_device.filters import resized_crops
from cueco_solo.data.on_device.settings import Augmentation, augmentation

FILES = sorted((Path(__file__).parents[3] / "configs" / "augmentations").glob("*.yaml"))
NUMBER = 16


def off(found: Tensor, expected: Tensor) -> Tensor:
    """Distances in levels of 8 bits."""
    return (found - expected.float()).abs()


def nearly(
    found: Tensor, expected: Tensor, share: float, most: float = 1, bias: float = 0.02
) -> None:
    """At most ``most`` levels apart, at this share of the values apart at all."""
    distance = off(found, expected)
    assert distance.max() <= most + 0.01
    assert (distance > 0.01).float().mean() <= share
    assert (found - expected.float()).mean().abs() <= bias


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 56), (96, 80)])
@pytest.mark.parametrize("size", [(32, 32), (12, 20)])
def test_crops(height: int, width: int, size: tuple[int, int]):
    """Enlarged and made smaller; float32 may round a half to the other side.

    The width comes first here. Pillow has it second for some shapes, which shows where a pass cuts
    values off: at edges from black to white, of which noise has many.
    """
    images = pictures(NUMBER, height, width)
    draws = np.random.default_rng(1)
    high, wide = draws.integers(1, [height, width], (NUMBER, 2), endpoint=True).T
    top, left = draws.integers(0, [height, width] - np.stack([high, wide], 1), endpoint=True).T
    boxes = np.stack([top, left, high, wide], 1)
    found = resized_crops(levels(images), torch.from_numpy(boxes), *size)
    corners = np.stack([left, top, left + wide, top + high], 1).tolist()
    crops = [image.crop(tuple(box)) for image, box in zip(images, corners, strict=True)]
    in_turn = [
        crop.resize((size[1], crop.height), BICUBIC).resize(size[::-1], BICUBIC) for crop in crops
    ]
    nearly(found, levels(in_turn), share=0.002)
    at_once = levels([crop.resize(size[::-1], BICUBIC) for crop in crops])
    distance = off(found, at_once)
    assert (distance > 1.01).float().mean() < 0.02
    assert (found - at_once.float()).mean().abs() < 0.1


def test_a_crop_of_its_own_size_is_exact():
    images = levels(pictures(4))
    boxes = torch.tensor([[0, 0, 32, 32]] * 4)
    assert torch.equal(resized_crops(images, boxes, 32, 32), images.float())


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_blending(name: str):
    """Pillow's mean and grey are whole levels: a cut may then take one more or one less."""
    images, factors = pictures(NUMBER), torch.linspace(0, 2, NUMBER)
    found = getattr(ours, name)(levels(images) / 255, factors) * 255
    made = [ADJUST[name](image, float(f)) for image, f in zip(images, factors, strict=True)]
    nearly(found, levels(made), share=0.25, bias=0.2)


def test_hue():
    """Of 8 bits in Pillow: a hue that float32 cuts to the level below is 1/255 of a turn off."""
    images, shifts = pictures(NUMBER), torch.linspace(-0.5, 0.5, NUMBER)
    found = ours.hue(levels(images) / 255, shifts) * 255
    made = [ADJUST["hue"](image, float(f)) for image, f in zip(images, shifts, strict=True)]
    nearly(found, levels(made), share=0.005, most=6)


def test_blur():
    """Pillow rounds after each of its six passes, here it is once."""
    images, sigmas = pictures(NUMBER, 40, 56), torch.linspace(0.1, 2.0, NUMBER)
    found = ours.blur(levels(images) / 255, sigmas) * 255
    made = [
        image.filter(ImageFilter.GaussianBlur(float(s)))
        for image, s in zip(images, sigmas, strict=True)
    ]
    nearly(found, levels(made), share=0.5, most=3)
    assert (off(found, levels(made)) > 1.01).float().mean() < 0.05


@pytest.mark.parametrize(
    ("name", "pillow", "share"),
    [
        ("grayscale", grey, 0.002),
        ("solarize", ImageOps.solarize, 0),
        ("equalize", ImageOps.equalize, 0),
        ("flip", ImageOps.mirror, 0),
    ],
)
def test_the_others(name: str, pillow: Callable[[Image.Image], Image.Image], share: float):
    flat = [Image.new("RGB", (32, 32), colour) for colour in ("black", "white", (127, 128, 129))]
    images = [*pictures(NUMBER), *flat]
    found = getattr(ours, name)(levels(images) / 255, torch.zeros(len(images))) * 255
    nearly(found, levels([pillow(image) for image in images]), share=share)


def test_equalising_what_was_solarised():
    """Equalisation counts levels, so that one that lies just below its own is another."""
    images = [*pictures(NUMBER), Image.new("RGB", (32, 32), (130, 200, 254))]
    x = levels(images) / 255
    found = ours.equalize(ours.solarize(x, x), x) * 255
    made = [ImageOps.equalize(ImageOps.solarize(image)) for image in images]
    nearly(found, levels(made), share=0)


def kinds_of(views: Any, **changes: Any) -> tuple[list[Augmentation], list[Any]]:
    """As a configuration's, with solo-learn's pipelines."""
    views = [OmegaConf.merge(view, changes) for view in views]
    built = [host.pretrain_data.build_transform_pipeline("custom", view) for view in views]
    pairs = zip(views, built, strict=True)
    return [augmentation(view, pipeline.transforms[-1]) for view, pipeline in pairs], built


def everything() -> Any:
    return OmegaConf.create([*tiny.AUGMENTATIONS])


def views_of(path: Path | None) -> Any:
    return everything() if path is None else OmegaConf.load(path)


@pytest.mark.parametrize("path", [*FILES, None], ids=lambda path: path.stem if path else "all")
def test_a_view_is_what_pillow_makes_with_the_same_parameters(path: Path | None):
    """Solarisation and equalisation may make more of a level of difference: there, the middle."""
    images = pictures(24, 48, 40)
    kinds, _ = kinds_of(views_of(path), crop_size=32)
    for view, kind in enumerate(kinds):
        draws = draw(kind, 48, 40, 5, 0, np.arange(24), view)
        found = ours.make_view(levels(images), draws, kind)
        expected = torch.stack(
            [view_by_pillow(image, place, draws, kind) for place, image in enumerate(images)]
        )
        assert (found.shape, found.dtype) == (expected.shape, torch.float32)
        std = torch.tensor(kind.std).view(3, 1, 1)
        distance = ((found - expected) * std).abs() * 255
        assert distance.median() <= 1.01
        if not (kind.chances["solarization"] or kind.chances["equalization"]):
            assert torch.quantile(distance, 0.95) <= 3
            assert ((found - expected) * std * 255).mean().abs() < 0.5


@pytest.mark.parametrize("path", [*FILES, None], ids=lambda path: path.stem if path else "all")
def test_images_have_the_statistics_of_solo_learns(path: Path | None):
    """Own parameters for each: brightness, contrast, colour, sharpness, and brightness by place."""
    images = pictures(192, 40, 40)
    random.seed(0)
    torch.manual_seed(0)
    kinds, pipelines = kinds_of(views_of(path), crop_size=32)
    for view, (kind, pipeline) in enumerate(zip(kinds, pipelines, strict=True)):
        draws = draw(kind, 40, 40, 5, 0, np.arange(len(images)), view)
        found = statistics(ours.make_view(levels(images), draws, kind))
        expected = statistics(torch.stack([pipeline(image) for image in images]))
        for name, mine in found.items():
            difference = mine - expected[name]
            error = difference.std() / len(images) ** 0.5
            assert difference.mean().abs() <= 4 * error + 1e-3, name


def statistics(x: Tensor) -> dict[str, Tensor]:
    """[B] each."""
    grey = x.mean(1)
    return {
        **{f"mean of channel {c}": x[:, c].mean((1, 2)) for c in range(3)},
        "contrast": grey.std((1, 2)),
        "colour": x.std(1).mean((1, 2)),
        "differences across": (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)),
        "differences down": (x[..., 1:, :] - x[..., :-1, :]).abs().mean((1, 2, 3)),
        "middle": grey[:, 8:24, 8:24].mean((1, 2)),
        "upper edge": grey[:, 0].mean(1),
        "left edge": grey[:, :, 0].mean(1),
    }
