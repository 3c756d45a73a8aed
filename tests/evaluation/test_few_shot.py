"""Few-shot accuracies: what is drawn, what comes of it, and what can't be drawn."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from support import refusal

from cueco_solo.evaluation import few_shot
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.few_shot import check_shots, few_shot_accuracies, possible_shots

CLASSES, DIM = 4, 12
SEEDS = range(5, 11)


def features(spread: float = 0.6) -> Features:
    """Overlapping classes of unequal size, far from the origin."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([40, 10, 25, 25])
    labels = [torch.arange(CLASSES).repeat_interleave(sizes), torch.arange(1000) % CLASSES]
    train, test = (
        5 + torch.eye(DIM)[of] + spread * torch.randn(len(of), DIM, generator=generator)
        for of in labels
    )
    return Features(train, labels[0], test, labels[1], CLASSES)


def test_each_draw_has_k_of_each_class_and_part_of_a_larger_one(monkeypatch: pytest.MonkeyPatch):
    data = features()
    drawn: dict[int, list[set[int]]] = {1: [], 5: []}
    scaled = few_shot.Standard(data.train)(data.train)
    place = {row.numpy().tobytes(): number for number, row in enumerate(scaled)}

    class Watched(LogisticRegression):
        def fit(self, x: Any, y: Any) -> Any:
            k = len(y) // CLASSES
            assert Counter(y.tolist()) == dict.fromkeys(range(CLASSES), k)
            rows = {place[row.tobytes()] for row in x}
            assert [int(data.train_labels[row]) for row in sorted(rows)] == sorted(y.tolist())
            drawn[k].append(rows)
            return super().fit(x, y)

    monkeypatch.setattr(few_shot, "LogisticRegression", Watched)
    few_shot_accuracies(data, [1, 5], SEEDS)
    assert [len(rows) for rows in drawn[5]] == [20] * 6
    assert all(one <= five for one, five in zip(drawn[1], drawn[5], strict=True))
    assert len({frozenset(rows) for rows in drawn[5]}) == 6


def test_mean_and_interval_are_those_of_the_draws():
    data = features()
    found = few_shot_accuracies(data, [1, 5], SEEDS)
    for shots in found.values():
        assert len(set(shots.draws)) > 1
        low, high = stats.t.interval(
            0.95, 5, loc=np.mean(shots.draws), scale=stats.sem(shots.draws)
        )
        assert shots.half_width is not None
        assert shots.mean - shots.half_width == pytest.approx(low)
        assert shots.mean + shots.half_width == pytest.approx(high)
    assert 100 / CLASSES < found[1].mean < found[5].mean < 100
    one = few_shot_accuracies(data, [5], [7])[5]
    assert one[:3] == (found[5].draws[2], None, [found[5].draws[2]])
    assert 100 * one.hits.mean().item() == pytest.approx(one.mean)


def test_accuracy_is_that_of_the_test_split():
    data = features(spread=0.05)
    assert few_shot_accuracies(data, [2], SEEDS)[2].mean == 100
    shifted = replace(data, test_labels=(data.test_labels + 1) % CLASSES)
    assert few_shot_accuracies(shifted, [2], SEEDS)[2].mean == 0


@pytest.mark.parametrize("factor", [0.001, 1000])
def test_the_size_of_the_features_changes_nothing(factor: float):
    data = features()
    scaled = replace(data, train=data.train * factor, test=data.test * factor)
    found, expected = (few_shot_accuracies(one, [1, 5], SEEDS) for one in (scaled, data))
    for k in (1, 5):
        assert found[k].mean == pytest.approx(expected[k].mean, abs=0.3)


def test_what_cant_be_drawn():
    labels = features().train_labels
    assert possible_shots(labels, [1, 5, 10, 20]) == [1, 5, 10]
    check_shots(labels, [1, 10])
    message = refusal(check_shots, labels, [5, 20])
    assert message == (
        "--k=20 must be at most 10: the smallest class has 10 training images; give --k 5"
    )
    even = torch.arange(12) % 4
    assert possible_shots(even, [1, 2, 3]) == [1, 2]
    message = refusal(check_shots, even, [3])
    assert "--k=3 must be at most 2: of all 3 training images of each class, no two" in message
    for check in (check_shots, possible_shots):
        message = refusal(check, torch.arange(4), [1])
        assert "--train-path=4 images are one of each class, of which no two draws" in message
