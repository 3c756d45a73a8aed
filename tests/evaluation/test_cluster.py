"""Clustering scores against naive computations."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from cueco_solo.clustering.agreement import agreement, clustering_accuracy
from cueco_solo.errors import ConfigError
from cueco_solo.evaluation import cluster
from cueco_solo.evaluation.cluster import cluster_scores
from cueco_solo.evaluation.features import Features


@pytest.fixture
def assigned() -> tuple[list[int], list[int]]:
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 200)
    clusters = np.where(random.random(200) < 0.6, (labels + 1) % 4, random.integers(0, 4, 200))
    return labels.tolist(), clusters.tolist()


def test_accuracy_is_that_of_the_best_of_all_matchings(assigned: tuple[list[int], list[int]]):
    labels, clusters = assigned
    best = max(
        sum(match[cluster] == label for label, cluster in zip(labels, clusters, strict=True))
        for match in permutations(range(4))
    )
    assert clustering_accuracy(labels, clusters) == pytest.approx(best / 200)


def test_accuracy_with_unequal_numbers():
    assert clustering_accuracy([0, 0, 1, 1], [5, 6, 7, 7]) == 0.75
    assert clustering_accuracy([0, 0, 1, 2], [3, 3, 3, 3]) == 0.5


def naive_nmi_ari(labels: list[int], clusters: list[int]) -> tuple[float, float]:
    n = len(labels)
    joint = dict.fromkeys(zip(labels, clusters, strict=True), 0)
    for pair in zip(labels, clusters, strict=True):
        joint[pair] += 1
    rows = {a: labels.count(a) for a in set(labels)}
    columns = {b: clusters.count(b) for b in set(clusters)}
    mutual = sum(c / n * math.log(n * c / rows[a] / columns[b]) for (a, b), c in joint.items())
    entropies = [
        -sum(c / n * math.log(c / n) for c in counts.values()) for counts in (rows, columns)
    ]

    def pairs(counts: dict) -> int:
        return sum(math.comb(count, 2) for count in counts.values())

    expected = pairs(rows) * pairs(columns) / math.comb(n, 2)
    most = (pairs(rows) + pairs(columns)) / 2
    return mutual / (sum(entropies) / 2), (pairs(joint) - expected) / (most - expected)


def test_agreement(assigned: tuple[list[int], list[int]]):
    scores = agreement(*assigned)
    nmi, ari = naive_nmi_ari(*assigned)
    assert scores["nmi"] == pytest.approx(100 * nmi)
    assert scores["ari"] == pytest.approx(100 * ari)
    assert 0 < scores["ami"] < scores["nmi"]
    renamed = agreement(assigned[0], [(cluster + 2) % 4 for cluster in assigned[1]])
    assert renamed == pytest.approx(scores)


def test_perfect_and_meaningless_clusters():
    labels = [0, 1, 2] * 20
    assert agreement(labels, [2 - label for label in labels]) == pytest.approx(
        {"nmi": 100, "ami": 100, "ari": 100, "acc": 100}
    )
    assert agreement(labels, [0] * 60) == pytest.approx(
        {"nmi": 0, "ami": 0, "ari": 0, "acc": 100 / 3}
    )


def test_clusters_are_fitted_on_train_and_scored_on_test():
    """Train has three clouds; all test samples lie in one of them, whatever their label."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    train = 10.0 * torch.eye(3)[labels] + torch.randn(60, 3, generator=generator)
    test = 10.0 * torch.eye(3)[torch.zeros(9, dtype=torch.long)]
    scores = cluster_scores(Features(train, labels, train, labels, 3))
    assert scores["acc"] == 100
    scores = cluster_scores(Features(train, labels, test, torch.arange(9) % 3, 3))
    assert scores == pytest.approx({"nmi": 0, "ami": 0, "ari": 0, "acc": 100 / 3})


def test_the_seed_decides_and_too_few_samples_are_refused():
    generator = torch.Generator().manual_seed(0)
    noise, labels = torch.randn(100, 4, generator=generator), torch.arange(100) % 5
    features = Features(noise, labels, noise, labels, 5)
    once = cluster_scores(features, restarts=1, seed=1)
    assert cluster_scores(features, restarts=1, seed=1) == once
    assert any(cluster_scores(features, restarts=1, seed=seed) != once for seed in range(2, 6))
    with pytest.raises(ConfigError, match="images are fewer than the 101 clusters"):
        cluster_scores(Features(noise, labels, noise, labels, 101))


@pytest.mark.parametrize("drawn_from", [10_000, 120])
def test_the_order_of_the_images_neither_helps_nor_harms(
    drawn_from: int, monkeypatch: pytest.MonkeyPatch
):
    """By class, as folders are read, or shuffled; starts may be drawn from a part of the images.

    One start each, of which the quality depends on what it is drawn from.
    """
    monkeypatch.setattr(cluster, "_DRAWN_FROM", drawn_from)
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(12, 8, generator=generator)
    labels, test_labels = (torch.arange(12).repeat_interleave(n) for n in (60, 20))
    train, test = (
        centres[of] + 0.2 * torch.randn(len(of), 8, generator=generator)
        for of in (labels, test_labels)
    )

    def quality(order: torch.Tensor) -> float:
        features = Features(train[order], labels[order], test, test_labels, 12)
        return float(np.mean([cluster_scores(features, 1, seed)["nmi"] for seed in range(6)]))

    by_class = quality(torch.arange(len(train)))
    shuffled = quality(torch.randperm(len(train), generator=generator))
    assert by_class == pytest.approx(shuffled, abs=3)
    assert shuffled > 95
