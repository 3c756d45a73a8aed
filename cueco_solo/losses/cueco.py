"""The three losses of CueCo (Sec. 3.1 and 3.2) as pure functions.

All vectors are expected to be l2-normalised, as the method makes them. Gradient flows into every
argument that requires it; the method passes keys, queue, centroids and variances as state, without.
Each returns the mean over the queries, a float32 (or float64) scalar.
"""

import torch
import torch.nn.functional as F

from cueco_solo.numerics import in_float32


@in_float32
def info_nce(
    z: torch.Tensor, k: torch.Tensor, queue: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """Contrast each query with its key against a queue of negatives (Eq. 1).

    Args:
        z: queries, ``[N, D]``.
        k: keys of the same images, ``[N, D]``.
        queue: negatives, ``[K, D]``.
    """
    positive = (z * k).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, z @ queue.T], dim=1) / temperature
    return F.cross_entropy(logits, logits.new_zeros(len(z), dtype=torch.long))


@in_float32
def centroid_contrastive(
    z: torch.Tensor, centroids: torch.Tensor, targets: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """Align each query with its centroid and keep it from the others (Eq. 4).

    The denominator's sum runs over the *other* centroids, so the loss is the cross entropy of the
    similarities to all centroids against the assigned one.

    Args:
        z: queries, ``[N, D]``.
        centroids: ``[L, D]``.
        targets: each query's cluster, ``[N]`` of int64, or its distribution over the clusters,
            ``[N, L]``, rows summing to one.
    """
    return F.cross_entropy(z @ centroids.T / temperature, targets)


@in_float32
def variance_loss(
    z: torch.Tensor,
    centroids: torch.Tensor,
    variances: torch.Tensor,
    targets: torch.Tensor,
    *,
    eps: float = 1e-6,
) -> torch.Tensor:
    """Pull each query to its centroid, measured in that cluster's variance (Eq. 5).

    Args:
        z: queries, ``[N, D]``.
        centroids: ``[L, D]``.
        variances: of each cluster, ``[L]``, or of each of its dimensions, ``[L, D]``; see
            :class:`cueco_solo.clustering.grouping.MomentumGrouping`.
        targets: as in :func:`centroid_contrastive`; with a distribution the loss is its mean over
            the clusters.
        eps: the constant that keeps the division finite.
    """
    scale = 1 / (2 * variances + eps)
    if variances.ndim == 2:
        if targets.is_floating_point():
            weighted = scale * centroids
            sums = z.pow(2) @ scale.T - 2 * z @ weighted.T + (weighted * centroids).sum(1)
            return (targets * sums).sum(1).mean()
        return ((z - centroids[targets]).pow(2) * scale[targets]).sum(1).mean()
    if targets.is_floating_point():
        squared = z.pow(2).sum(1, keepdim=True) + centroids.pow(2).sum(1) - 2 * z @ centroids.T
        return (targets * squared * scale).sum(1).mean()
    return ((z - centroids[targets]).pow(2).sum(1) * scale[targets]).mean()
