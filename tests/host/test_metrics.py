"""k-NN and top-k accuracy against naive computation, and against solo-learn's where it works."""

import importlib.util
import math

import pytest
import torch
from torch import Tensor

from cueco_solo import host
from cueco_solo.host import WeightedKNNClassifier, accuracy_at_k


def clusters(n: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, 6, generator=torch.Generator().manual_seed(9))
    labels = torch.randint(classes, (n,), generator=generator)
    return centres[labels] + torch.randn(n, 6, generator=generator), labels


def naive_knn(
    bank: Tensor, labels: Tensor, queries: Tensor, targets: Tensor, k: int, T: float, cosine: bool
) -> tuple[float, float]:
    top1 = top5 = 0
    for query, target in zip(queries.double(), targets.tolist(), strict=True):
        votes: dict[int, float] = {}
        scored = []
        for feature, label in zip(bank.double(), labels.tolist(), strict=True):
            if cosine:
                scored.append((math.exp(torch.cosine_similarity(query, feature, 0) / T), label))
            else:
                scored.append((1 / (torch.dist(query, feature).item() + 1e-5), label))
        for weight, label in sorted(scored, reverse=True)[:k]:
            votes[label] = votes.get(label, 0) + weight
        ranked = sorted(votes, key=votes.__getitem__, reverse=True)
        top1 += target in ranked[:1]
        top5 += target in ranked[: min(5, k)]
    return 100 * top1 / len(targets), 100 * top5 / len(targets)


@pytest.mark.parametrize("distance_fx", ["cosine", "euclidean"])
@pytest.mark.parametrize(("k", "T"), [(1, 0.07), (3, 0.07), (7, 1.0), (500, 0.5)])
def test_knn_is_the_naive_vote(distance_fx: str, k: int, T: float) -> None:
    bank, labels = clusters(60, 9, seed=0)
    queries, targets = clusters(40, 9, seed=1)
    knn = WeightedKNNClassifier(k=k, T=T, distance_fx=distance_fx, max_distance_matrix_size=700)
    for part in (slice(0, 25), slice(25, None)):
        assert knn(train_features=bank[part], train_targets=labels[part]) is None
    knn(test_features=queries, test_targets=targets)
    top1, top5 = knn.compute()
    expected = naive_knn(bank, labels, queries, targets, k, T, distance_fx == "cosine")
    assert top1 == pytest.approx(expected[0])
    if k >= 60:
        assert top5 == pytest.approx(expected[1])
    else:  # where fewer than five classes have votes, others fill the ranks, as in solo-learn
        assert top5 >= max(top1, expected[1])
    assert knn.train_features == knn.test_targets == []  # computing has emptied it


@pytest.mark.parametrize("distance_fx", ["cosine", "euclidean"])
def test_knn_gives_the_values_of_solo_learns_own(distance_fx: str) -> None:
    """On main its own ``compute`` runs, given our metric's state; its constructor wouldn't."""
    if host.FORM != "main":
        pytest.skip("1.0.2's own does not normalise for cosine")
    knn = WeightedKNNClassifier(k=5, distance_fx=distance_fx)
    spec = importlib.util.find_spec("solo.utils.knn")
    assert spec is not None
    assert spec.loader is not None
    stock = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stock)
    values = []
    for compute in (stock.WeightedKNNClassifier.compute, WeightedKNNClassifier.compute):
        for split, (x, y) in (("train", clusters(300, 7, 0)), ("test", clusters(200, 7, 1))):
            knn.update(**{f"{split}_features": x, f"{split}_targets": y})
        values.append(compute(knn))
    assert values[0] == pytest.approx(values[1])


def test_knn_where_the_test_split_misses_a_class() -> None:
    knn = WeightedKNNClassifier(k=1)
    eye = torch.eye(4)
    knn(train_features=eye, train_targets=torch.tensor([0, 1, 2, 3]))
    knn(test_features=eye[[0, 3, 3]], test_targets=torch.tensor([0, 3, 1]))
    assert knn.compute()[0] == pytest.approx(200 / 3)


def test_knn_leaves_out_samples_without_a_label() -> None:
    knn = WeightedKNNClassifier(k=1, distance_fx="euclidean")
    eye = torch.eye(4)
    knn(train_features=eye, train_targets=torch.tensor([-1, 1, 2, 0]))
    knn(test_features=eye[[1, 2, 0]], test_targets=torch.tensor([1, 2, -1]))
    assert knn.compute()[0] == 100


def test_knn_takes_half_precision() -> None:
    knn = WeightedKNNClassifier(k=2)
    eye = torch.eye(3, dtype=torch.float16)
    knn(train_features=eye, train_targets=torch.arange(3))
    knn(test_features=eye, test_targets=torch.arange(3))
    assert knn.compute()[0] == 100  # exp(1 / 0.07) is beyond float16


def test_knn_refuses_what_it_cant_do() -> None:
    with pytest.raises(ValueError, match="distance_fx='l1' must be 'cosine' or 'euclidean'"):
        WeightedKNNClassifier(distance_fx="l1")
    with pytest.raises(ValueError, match="train_features and train_targets go together"):
        WeightedKNNClassifier().update(train_features=torch.eye(2))


def test_accuracy_at_k() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    top1, top2, top5 = accuracy_at_k(logits, torch.tensor([0, 2, 0, 2]), top_k=(1, 2, 5))
    assert (top1.shape, float(top1), float(top2), float(top5)) == ((1,), 25.0, 50.0, 100.0)
