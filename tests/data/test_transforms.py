"""Labelled images come at the size that the network was trained with."""

import pytest
import torch
from PIL import Image

from cueco_solo.data.transforms import labelled_transforms


@pytest.mark.parametrize(("size", "shape"), [(32, (40, 30)), (64, (64, 64)), (224, (300, 260))])
def test_custom_data_has_the_size_of_the_pretraining(size: int, shape: tuple[int, int]):
    for transform in labelled_transforms("custom", {"crop_size": size}):
        assert transform(Image.new("RGB", shape)).shape == (3, size, size)


def test_thumbnails_are_seen_whole_and_photos_at_the_usual_ratio():
    edge = Image.new("RGB", (96, 96))
    for place in range(96):  # a white frame of one pixel
        for point in ((place, 0), (place, 95), (0, place), (95, place)):
            edge.putpixel(point, (255, 255, 255))
    views = {size: labelled_transforms("custom", {"crop_size": size})[1](edge) for size in (48, 96)}
    assert views[48][0, 0, 24] > views[48][0, 24, 24]
    assert torch.equal(views[96][:, 0, 48], views[96][:, 48, 48])


def test_normalisation_is_that_of_the_augmentation():
    _, val = labelled_transforms("custom", {"crop_size": 8, "mean": [0.5] * 3, "std": [0.25] * 3})
    assert torch.equal(val(Image.new("RGB", (8, 8), (255, 255, 255))), torch.full((3, 8, 8), 2.0))


def test_known_data_sets_keep_solo_learns_transforms():
    _, val = labelled_transforms("cifar10", {"crop_size": 64})
    assert val(Image.new("RGB", (32, 32))).shape == (3, 32, 32)
