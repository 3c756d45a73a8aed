"""The figures of a set of features."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cueco_solo.clustering.agreement import agreement
from cueco_solo.clustering.kmeans import kmeans
from cueco_solo.numerics import alignment, perplexity, rank_me, uniformity

RESTARTS = 3


def clustering_scores(features: Tensor, labels: Tensor, num_clusters: int) -> dict[str, float]:
    """K-means of the features, the best of 3 starts, scored against the labels.

    Unlike in ``cueco-solo cluster``, which fits ten starts to the train features, the same features
    are fitted and scored.

    Args:
        features: floating, ``[N, D]``, N >= num_clusters.

    Returns:
        ``nmi``, ``ami``, ``ari`` and ``acc`` in percent; ``rankme``, the features' effective rank;
        and of the clusters ``cluster_active``, the number that isn't empty,
        ``cluster_perplexity`` (1 to num_clusters) and ``cluster_largest_share`` (0 to 1).
    """
    features = features.float()
    clusters = _clusters(features, num_clusters)
    return {
        **agreement(labels.cpu().numpy(), clusters.numpy()),
        **_health(features, clusters, num_clusters),
    }


def label_free_scores(features: Tensor, num_clusters: int) -> dict[str, float]:
    """What of :func:`clustering_scores` needs no labels, of the same arguments.

    Returns:
        ``rankme``, ``cluster_active``, ``cluster_perplexity`` and ``cluster_largest_share``.
    """
    features = features.float()
    return _health(features, _clusters(features, num_clusters), num_clusters)


def _clusters(features: Tensor, number: int) -> Tensor:
    centred = features - features.mean(0)  # distances keep more digits
    runs = [kmeans(centred, number, seed=seed) for seed in range(RESTARTS)]
    return min(runs, key=lambda run: float(run.inertia)).labels.cpu()


def _health(features: Tensor, clusters: Tensor, number: int) -> dict[str, float]:
    sizes = clusters.bincount(minlength=number).float()
    return {
        "rankme": float(rank_me(features)),
        "cluster_active": float((sizes > 0).sum()),
        "cluster_perplexity": float(perplexity(sizes)),
        "cluster_largest_share": float(sizes.max() / sizes.sum()),
    }


def pair_scores(views: Tensor) -> dict[str, float]:
    """How close the views of an image are, and how evenly all are spread, of ``[2, N, D]``, N >= 2.

    Returns:
        ``alignment`` and, the mean over the views, ``uniformity``; see :mod:`cueco_solo.numerics`.
    """
    z = F.normalize(views.float(), dim=-1)
    spread = torch.stack([uniformity(view) for view in z]).mean()
    return {"alignment": float(alignment(z[0], z[1])), "uniformity": float(spread)}
