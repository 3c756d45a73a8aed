"""k-NN accuracies against a loop over test samples."""

import math

import pytest
import torch

from cueco_solo.evaluation import knn
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.knn import knn_accuracies, knn_sweep
from cueco_solo.host import WeightedKNNClassifier


@pytest.fixture
def features() -> Features:
    generator = torch.Generator().manual_seed(3)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.randint(0, 7, (count,), generator=generator)
        centres = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
        return centres[labels] + torch.randn(count, 5, generator=generator), labels

    return Features(*split(60), *split(31), 7)


def naive(features: Features, distance: str, k: int, temperature: float) -> tuple[float, float]:
    top1 = top5 = 0
    for query, label in zip(features.test, features.test_labels.tolist(), strict=True):
        weighed = []
        for key, other in zip(features.train, features.train_labels.tolist(), strict=True):
            if distance == "cosine":
                cosine = float(query @ key / (query.norm() * key.norm()))
                weighed.append((cosine, math.exp(cosine / temperature), other))
            else:
                gap = float((query - key).norm())
                weighed.append((-gap, 1 / (gap + 1e-5), other))
        votes = [0.0] * 7
        for _, weight, other in sorted(weighed, reverse=True)[:k]:
            votes[other] += weight
        ranked = sorted(range(7), key=lambda name: -votes[name])
        top1 += label == ranked[0]
        top5 += label in ranked[:5]
    return 100 * top1 / len(features.test), 100 * top5 / len(features.test)


def test_accuracies_are_those_of_a_loop(features: Features):
    scores = knn_accuracies(features, ks=(8, 20), temperature=0.3)
    assert len(scores) == 8
    for distance in ("cosine", "euclidean"):
        for k in (8, 20):
            expected = naive(features, distance, k, 0.3)
            assert scores[f"{distance}_{k}_top1"] == pytest.approx(expected[0])
            assert scores[f"{distance}_{k}_top5"] == pytest.approx(expected[1])
    assert 0 < scores["cosine_8_top1"] < 100


@pytest.mark.parametrize("classes", [2, 7, 30])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_accuracies_are_those_of_solo_learns_classifier(
    classes: int, offset: float, monkeypatch: pytest.MonkeyPatch
):
    """Also with duplicates of test samples, vanishing ones, and more neighbours than samples."""
    monkeypatch.setattr(knn, "_PRODUCTS", 1000)  # several chunks
    generator = torch.Generator().manual_seed(classes)
    labels = torch.randint(0, classes, (200,), generator=generator)
    points = torch.randn(classes, 16, generator=generator)[labels] + offset
    points += torch.randn(200, 16, generator=generator)
    points[-5:] = points[:5]
    points[100] = 0
    features = Features(points[:150], labels[:150], points[150:], labels[150:], classes)
    scores = knn_accuracies(features, (150, 3, 1000, 20), temperature=0.1)
    for distance in ("cosine", "euclidean"):
        for k in (3, 20, 150, 1000):
            theirs = WeightedKNNClassifier(k=k, T=0.1, distance_fx=distance)
            double = distance == "euclidean" and offset > 0  # theirs blurs near distances too
            bank, queries = features.train, features.test
            theirs.update(bank, features.train_labels, queries, features.test_labels)
            if double:
                theirs.train_features = [bank.double()]
                theirs.test_features = [queries.double()]
            expected = theirs.compute()
            found = tuple(scores[f"{distance}_{k}_top{n}"] for n in (1, 5))
            assert found == pytest.approx(expected)


def test_a_low_temperature_doesnt_overflow(features: Features):
    scores = knn_accuracies(features, (20,), temperature=0.001)
    assert scores["cosine_20_top1"] == knn_accuracies(features, (1,))["cosine_1_top1"]


def test_more_neighbours_than_samples(features: Features):
    scores = knn_accuracies(features, ks=(60, 1000))
    assert scores["cosine_1000_top1"] == scores["cosine_60_top1"]


@pytest.mark.parametrize("per_class", [False, True])
def test_a_sweep_has_the_figures_of_each_temperature(
    features: Features, per_class: bool, monkeypatch: pytest.MonkeyPatch
):
    """Also with several chunks, a k beyond the bank and a temperature named twice."""
    monkeypatch.setattr(knn, "_PRODUCTS", 600)
    ks, temperatures = (1, 8, 20, 1000), (0.5, 0.02, 0.1, 0.02)
    swept = knn_sweep(features, ks, temperatures, per_class)
    assert list(swept) == [0.5, 0.02, 0.1]
    for temperature, scores in swept.items():
        single = knn_accuracies(features, ks, temperature, per_class)
        assert scores == single and list(scores) == list(single)
    assert swept[0.02]["cosine_20_top1"] != swept[0.5]["cosine_20_top1"]
    assert swept[0.02]["euclidean_20_top1"] == swept[0.5]["euclidean_20_top1"]
