"""How well clusters agree with classes: NMI, AMI, ARI and accuracy under the best matching."""

from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.metrics.cluster import contingency_matrix


def clustering_accuracy(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of samples whose cluster is matched with their class, under the best matching.

    Of classes and clusters ``[N]``; clusters beyond the number of classes stay unmatched.
    """
    counts = contingency_matrix(labels, clusters)
    classes, matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[classes, matched].sum() / counts.sum())


def agreement(labels: ArrayLike, clusters: ArrayLike) -> dict[str, float]:
    """How well clusters ``[N]`` agree with classes ``[N]``.

    Returns:
        Percent: ``nmi`` (arithmetic mean), ``ami``, ``ari`` and ``acc``.
    """
    return {
        "nmi": 100.0 * float(normalized_mutual_info_score(labels, clusters)),
        "ami": 100.0 * float(adjusted_mutual_info_score(labels, clusters)),
        "ari": 100.0 * float(adjusted_rand_score(labels, clusters)),
        "acc": 100.0 * clustering_accuracy(labels, clusters),
    }


def label_scores(labels: ArrayLike, clusters: ArrayLike) -> dict[str, float]:
    """How well a method's own labels ``[N]`` agree with classes ``[N]``, which may be fewer.

    Returns:
        Percent: what :func:`agreement` returns, whose ``acc`` matches one label with each class,
        and ``acc_many_to_one``, which takes a label for the class that most of its samples have.
    """
    counts = contingency_matrix(labels, clusters)
    many_to_one = 100.0 * float(counts.max(0).sum() / counts.sum())
    return {**agreement(labels, clusters), "acc_many_to_one": many_to_one}
