"""Parameters of the views: the distributions of torchvision's, hashed from what they are of."""

import random
from dataclasses import replace
from math import factorial, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from data.on_device.pictures import KIND
from scipy.stats import chisquare, ks_2samp, kstest
from torchvision.transforms import ColorJitter, RandomResizedCrop

from cueco_solo.data.on_device.draws import Draws, draw, uniforms
from cueco_solo.data.on_device.settings import CHANCES, JITTER, Augmentation

N, P = 20_000, 1e-3  # samples, and the least p-value: all of it is fixed by seeds
SAMPLES = np.arange(N)


def drawn(kind: Augmentation = KIND, height: int = 32, width: int = 32, **of: Any) -> Draws:
    place = {"seed": 5, "epoch": 3, "samples": SAMPLES, "view": 0, **of}
    return draw(kind, height, width, **place)


def test_numbers_are_uniform_and_independent():
    numbers = uniforms(5, 0, SAMPLES, 0, 8)
    assert numbers.shape == (N, 8) and numbers.min() >= 0 and numbers.max() < 1
    columns = [*numbers.T]
    columns += [numbers[:-1, 0], numbers[1:, 0]]  # of neighbours
    columns += [uniforms(*key, SAMPLES, view, 1)[:, 0] for *key, view in ((5, 0, 1), (5, 1, 0))]
    columns += [uniforms(seed, 0, SAMPLES, 0, 1)[:, 0] for seed in (0, 4, 6, 2**32 - 1)]
    for column in columns:
        assert kstest(column, "uniform").pvalue > P
    same = np.corrcoef([column[: N - 1] for column in [columns[0], *columns[9:]]])
    every = np.corrcoef([column[: N - 1] for column in columns[:8]])
    for matrix in (same, every):
        rest = matrix[~np.eye(len(matrix), dtype=bool)]
        assert np.abs(rest).max() < 5 / sqrt(N)


def test_a_sample_has_its_numbers_whatever_is_beside_it():
    whole = uniforms(5, 2, SAMPLES, 1, 4)
    some = np.array([17, 3, 19_999])
    assert np.array_equal(uniforms(5, 2, some, 1, 4), whole[some])
    assert np.array_equal(uniforms(5, 2, some[1:2], 1, 2), whole[3:4, :2])


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(32, 32, (0.08, 1.0)), (40, 56, (0.2, 1.0)), (16, 64, (0.6, 1))]
)
def test_crops_are_distributed_as_torchvisions(height: int, width: int, scale: tuple[float, float]):
    """The last has crops that fit in none of ten tries."""
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    ratios = [3 / 4, 4 / 3]
    theirs = np.array(
        [RandomResizedCrop.get_params(image, list(scale), ratios) for _ in range(6000)]
    )
    ours = drawn(replace(KIND, scale=scale), height, width).boxes.numpy()
    top, left, high, wide = ours.T
    assert min(top.min(), left.min()) >= 0 and min(high.min(), wide.min()) > 0
    assert (top + high).max() <= height and (left + wide).max() <= width
    for name, of in {
        "area": lambda b: b[:, 2] * b[:, 3],
        "ratio": lambda b: b[:, 3] / b[:, 2],
        "top": lambda b: b[:, 0],
        "left": lambda b: b[:, 1],
        "place for its size": lambda b: b[:, 1] / (width - b[:, 3] + 1),
    }.items():
        assert ks_2samp(of(ours), of(theirs)).pvalue > P, name
    if height == 16:
        share = [np.mean((b[:, 2] == 16) & (b[:, 3] == 21)) for b in (ours, theirs)]
        assert share[1] > 0.5
        assert share[0] == pytest.approx(share[1], abs=0.03)


def test_without_crops_it_is_the_whole_image():
    boxes = drawn(replace(KIND, scale=None), 40, 56).boxes
    assert boxes.unique(dim=0).tolist() == [[0, 0, 40, 56]]


def test_colours_are_distributed_as_torchvisions():
    torch.manual_seed(0)
    jitter = ColorJitter(0.4, 1.0, 0.2, 0.1)
    theirs = np.array(
        [
            ColorJitter.get_params(
                jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
            )[1:]
            for _ in range(6000)
        ]
    )
    draws = drawn()
    for column, name in enumerate(JITTER):
        ours = draws.numbers[:, column].numpy()
        assert ks_2samp(ours, theirs[:, column]).pvalue > P, name
        assert np.abs(np.corrcoef(ours, draws.numbers[:, column - 1])[0, 1]) < 5 / sqrt(N)


def test_each_order_of_the_colours_is_as_frequent():
    draws = drawn()
    groups: Any = draws.groups()
    orders = np.full((N, len(JITTER)), -1)
    for place in range(len(JITTER)):
        for number, name in enumerate(JITTER):
            orders[groups[place, name], place] = number
    jittered = orders[orders[:, 0] >= 0]
    assert len(jittered) / N == pytest.approx(0.8, abs=4 * sqrt(0.16 / N))
    assert np.array_equal(np.sort(jittered, axis=1), np.tile(range(4), (len(jittered), 1)))
    _, counts = np.unique(jittered, axis=0, return_counts=True)
    assert len(counts) == factorial(4) and chisquare(counts).pvalue > P


def test_chances_and_blurs():
    draws = drawn()
    groups: Any = draws.groups()
    hits = {name: np.isin(SAMPLES, groups[name]) for name in CHANCES}
    for name, p in KIND.chances.items():
        assert hits[name].mean() == pytest.approx(p, abs=4 * sqrt(p * (1 - p) / N)), name
    pairs = np.corrcoef([*hits.values()])
    assert np.abs(pairs[~np.eye(len(pairs), dtype=bool)]).max() < 5 / sqrt(N)
    random.seed(0)
    theirs = [random.uniform(0.1, 2.0) for _ in range(6000)]  # as solo-learn's GaussianBlur
    assert ks_2samp(draws.numbers[:, -1].numpy(), theirs).pvalue > P


def test_what_changes_nothing_is_not_done():
    still = replace(KIND, factors={**KIND.factors, "hue": None}, chances=dict.fromkeys(CHANCES, 0))
    groups = drawn(still).groups()
    assert {name for _, name in groups} == {"brightness", "contrast", "saturation"}  # type: ignore
    assert drawn(replace(still, jitter=0.0)).groups() == {}


def test_seed_epoch_and_view_change_everything():
    first = drawn()
    assert torch.equal(drawn().numbers, first.numbers)
    for other in (drawn(seed=6), drawn(epoch=4), drawn(view=1)):
        assert (other.numbers == first.numbers).float().mean() < 1e-3
