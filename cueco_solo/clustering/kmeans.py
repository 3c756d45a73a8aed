"""K-means on the device where the features are, deterministic under a seed."""

from dataclasses import dataclass

import torch

from cueco_solo.numerics import in_float32

_DISTANCES = 2**24  # computed at a time, of some rows to all centroids: 64 MB


def _rows(num_clusters: int) -> int:
    return max(1, _DISTANCES // num_clusters)


@dataclass(frozen=True)
class KMeans:
    """A clustering of ``n`` features.

    Attributes:
        centroids: means of the clusters, ``[L, D]``, not normalised.
        labels: each feature's cluster, ``[n]``, int64.
        squared: each feature's squared Euclidean distance to its centroid, ``[n]``.
    """

    centroids: torch.Tensor
    labels: torch.Tensor
    squared: torch.Tensor

    @property
    def inertia(self) -> torch.Tensor:
        """The sum of squared distances, a scalar."""
        return self.squared.sum()


def assign(x: torch.Tensor, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the nearest centroid ``[L, D]`` of each feature ``[n, D]`` (Eq. 3 of CueCo).

    Returns:
        tuple: the index of the nearest centroid, ``[n]`` of int64, and the squared Euclidean
        distance to it, ``[n]``.
    """
    norms = centroids.pow(2).sum(1)
    parts = [(norms - 2 * rows @ centroids.T).min(dim=1) for rows in x.split(_rows(len(centroids)))]
    squared = torch.cat([part.values for part in parts]) + x.pow(2).sum(1)
    return torch.cat([part.indices for part in parts]), squared.clamp(min=0)


def group_means(
    x: torch.Tensor, labels: torch.Tensor, num_clusters: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the features ``[n, D]`` of each of L clusters; differentiable in ``x``.

    A matrix product with the one-hot labels rather than a scatter: on a GPU a scatter adds in no
    fixed order, and ranks that hold the same features would come to different sums.

    Returns:
        tuple: means ``[L, D]``, zero for a cluster without members, and the numbers of members
        ``[L]``, both in the dtype of ``x``.
    """
    clusters = torch.arange(num_clusters, device=x.device)
    sums, counts = x.new_zeros(num_clusters, x.shape[1]), x.new_zeros(num_clusters)
    size = _rows(num_clusters)
    for rows, row_labels in zip(x.split(size), labels.split(size), strict=True):
        members = (row_labels == clusters[:, None]).to(x.dtype)
        sums, counts = sums + members @ rows, counts + members.sum(1)
    return sums / counts.clamp(min=1)[:, None], counts


def kmeans_plus_plus(
    x: torch.Tensor, num_clusters: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw L starting centroids ``[L, D]`` from rows ``[n, D]`` (Arthur & Vassilvitskii 2007).

    Each next centroid is drawn with a probability proportional to the squared distance to the
    nearest one so far. That makes it a loop over the clusters, with one matrix-vector product each.
    n must be at least L, the generator on the device of ``x``.
    """
    norms = x.pow(2).sum(1)
    nearest = torch.full_like(norms, torch.finfo(x.dtype).max)
    weights = torch.ones_like(norms)
    chosen = []
    for _ in range(num_clusters):
        index = torch.multinomial(weights, 1, generator=generator)
        chosen.append(index)
        to_new = norms + norms[index] - 2 * (x @ x[index].T).squeeze(1)
        nearest = torch.minimum(nearest, to_new.clamp(min=0))
        # where every feature lies on a centroid, any will do
        weights = nearest + torch.finfo(x.dtype).tiny
    return x[torch.cat(chosen)]


def lloyd(
    x: torch.Tensor, centroids: torch.Tensor, *, max_iterations: int = 50, tolerance: float = 1e-4
) -> KMeans:
    """Move centroids to the means of their members until the inertia settles.

    Clusters without members are re-seeded from the features farthest from their centroids.

    Args:
        x: features, ``[n, D]``.
        centroids: start, ``[L, D]``, L <= n.
        max_iterations: largest number of moves.
        tolerance: stop when a move lowers the inertia by less than this share of it.

    Returns:
        KMeans: centroids and, for these very centroids, labels and distances.
    """
    num_clusters = len(centroids)
    labels, squared = assign(x, centroids)
    inertia = float(squared.sum())
    for _ in range(max_iterations):
        means, counts = group_means(x, labels, num_clusters)
        empty = counts == 0
        farthest = x[squared.topk(num_clusters).indices]
        seeds = farthest[(empty.cumsum(0) - 1).clamp(min=0)]
        centroids = torch.where(empty[:, None], seeds, means)
        labels, squared = assign(x, centroids)
        # the comparison waits for the GPU; K-means runs once in a thousand steps
        previous, inertia = inertia, float(squared.sum())
        if previous - inertia <= tolerance * previous and not bool(empty.any()):
            break
    return KMeans(centroids, labels, squared)


@torch.no_grad()
@in_float32
def kmeans(x: torch.Tensor, num_clusters: int, *, seed: int) -> KMeans:
    """Cluster features ``[n, D]``, in float32 at least: K-means++ start, then Lloyd's iteration.

    Raises:
        ValueError: fewer features than clusters.
    """
    if len(x) < num_clusters:
        raise ValueError(f"{len(x)} features can't make num_clusters={num_clusters} clusters")
    generator = torch.Generator(device=x.device).manual_seed(seed)
    return lloyd(x, kmeans_plus_plus(x, num_clusters, generator))
