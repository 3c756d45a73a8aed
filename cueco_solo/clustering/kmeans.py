"""K-means on the device where the features are, deterministic under a seed."""

from dataclasses import dataclass

import torch

from cueco_solo.numerics import in_float32

# computed at a time, of some rows to all centroids: 8 MB, which a CPU's cache can hold, 64 on a GPU
_DISTANCES = {True: 2**21, False: 2**24}
_ITERATIONS, _TOLERANCE = 50, 1e-4
_DRAWS = 2048  # at a time, each compared with each


def _rows(width: int, x: torch.Tensor) -> int:
    return max(1, _DISTANCES[x.is_cpu] // width)


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


class _Nearest:
    """Nearest centroids of features that stay: their norms and one block of distances are kept.

    Args:
        x: features, ``[n, D]``.
    """

    @torch.no_grad()
    def __init__(self, x: torch.Tensor):
        self.x = x
        # by blocks: squares of all features would be a second copy of them
        self.norms = torch.cat([rows.square().sum(1) for rows in x.split(_rows(x.shape[1], x))])
        self._block = x.new_empty(0)

    @torch.no_grad()
    def __call__(self, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What :func:`assign` returns, for centroids ``[L, D]``."""
        n, num_clusters = len(self.x), len(centroids)
        size = max(1, min(n, _rows(num_clusters, self.x)))
        if self._block.numel() < size * num_clusters:
            self._block = self.x.new_empty(size * num_clusters)
        labels = torch.empty(n, dtype=torch.long, device=self.x.device)
        squared = torch.empty_like(self.norms)
        norms = centroids.square().sum(1)
        for first in range(0, n, size):
            rows = self.x[first : first + size]
            block = self._block[: len(rows) * num_clusters].view(len(rows), num_clusters)
            torch.addmm(norms, rows, centroids.T, alpha=-2, out=block)
            if block.is_cpu:
                # NumPy's argmin is vectorised, torch's minimum with an index isn't
                found = torch.from_numpy(block.numpy().argmin(1))
                least = block.gather(1, found[:, None])[:, 0]
            else:
                least, found = block.min(dim=1)
            labels[first : first + size] = found
            squared[first : first + size] = least
        return labels, squared.add_(self.norms).clamp_(min=0)


@torch.no_grad()
@in_float32
def assign(x: torch.Tensor, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the nearest centroid ``[L, D]`` of each feature ``[n, D]`` (Eq. 3 of CueCo).

    In float32 at least: ``|c|^2 - 2 x c`` by blocks of features, so that memory doesn't grow with
    n L.

    Returns:
        tuple: the index of the nearest centroid, ``[n]`` of int64, and the squared Euclidean
        distance to it, ``[n]``; neither has a gradient.
    """
    return _Nearest(x)(centroids)


def group_sums(
    x: torch.Tensor, labels: torch.Tensor, num_clusters: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum the features ``[n, D]`` of each of L clusters; differentiable in ``x``.

    Always in the same order, so that ranks that hold the same features come to the same sums.

    Args:
        labels: each feature's cluster, ``[n]``, int64; -1 for none.

    Returns:
        tuple: sums ``[L, D]`` and the numbers of members ``[L]``, both in the dtype of ``x``.
    """
    # one more row for the features without a cluster: leaving them out would need their number
    labels = labels % (num_clusters + 1)
    sums = _add(x.new_zeros(num_clusters + 1, x.shape[1]), labels, x)
    counts = x.new_zeros(num_clusters + 1).index_add_(0, labels, x.new_ones(len(x)))
    return sums[:-1], counts[:-1]


def _add(sums: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Add the features ``[n, D]`` to the rows of ``[L, D]`` that the labels name, in place."""
    if x.is_cpu:
        return sums.index_add_(0, labels, x)
    # index_add adds in any order on a GPU; this sorts the labels and sums each one's segment
    return sums.index_put_((labels,), x, accumulate=True)


def group_means(
    x: torch.Tensor, labels: torch.Tensor, num_clusters: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the features of each cluster; arguments as :func:`group_sums` has them.

    Returns:
        tuple: means ``[L, D]``, zero for a cluster without members, and the numbers of members
        ``[L]``, both in the dtype of ``x``.
    """
    sums, counts = group_sums(x, labels, num_clusters)
    return sums / counts.clamp(min=1)[:, None], counts


def _accepted(
    rows: torch.Tensor, weights: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Which of the rows drawn at once K-means++ would have drawn one after the other.

    Rows ``[B, D]`` are drawn with probabilities proportional to their weights ``[B]``, the squared
    distances to the centroids so far. Each then stays with the probability ``w' / w``, where ``w'``
    is what is left of its weight beside those before it that stay. So it is drawn in proportion
    to ``w'`` (rejection sampling). Returns a mask, ``[B]``; the first one always stays.
    """
    norms = rows.square().sum(1)
    between = torch.addmm(norms, rows, rows.T, alpha=-2).add_(norms[:, None]).clamp_(min=0)
    drawn = torch.rand(len(rows), dtype=rows.dtype, generator=generator).to(rows.device)
    between += torch.finfo(rows.dtype).tiny
    removes = (between <= drawn * weights).triu_(1)
    stays = torch.ones_like(drawn, dtype=torch.bool)
    while True:
        # settles from the first row on, after as many rounds as the longest chain of removals
        found = ~(removes & stays[:, None]).any(0)
        if torch.equal(found, stays):
            return stays
        stays = found


def _plus_plus(
    nearest: _Nearest, num_clusters: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What :func:`kmeans_plus_plus` returns, and what :func:`assign` returns for it."""
    x, n = nearest.x, len(nearest.x)
    tiny = torch.finfo(x.dtype).tiny
    chosen = torch.randint(n, (1,), generator=generator).to(x.device)
    labels, squared = nearest(x[chosen])
    # how many are accepted is not known before: each of about log(L) + L / 2048 rounds waits
    while len(chosen) < num_clusters:
        missing = num_clusters - len(chosen)
        # where every feature lies on a centroid, any will do
        weights = squared + tiny
        size = min(8 * len(chosen), 2 * missing, _DRAWS)
        # on a GPU a sum of this kind has no fixed order, and not every device has float64
        edges = weights.cpu().double().cumsum(0)
        drawn = torch.rand(size, dtype=edges.dtype, generator=generator)
        drawn = torch.searchsorted(edges, drawn * edges[-1], right=True).clamp(max=n - 1)
        drawn = drawn.to(x.device)
        added = drawn[_accepted(x[drawn], weights[drawn], generator)][:missing]
        found, to_added = nearest(x[added])
        closer = to_added < squared
        labels = torch.where(closer, found + len(chosen), labels)
        squared = torch.minimum(squared, to_added)
        chosen = torch.cat([chosen, added])
    return x[chosen], labels, squared


@torch.no_grad()
@in_float32
def kmeans_plus_plus(
    x: torch.Tensor, num_clusters: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw L starting centroids ``[L, D]`` from rows ``[n, D]`` (Arthur & Vassilvitskii 2007).

    Each next centroid is drawn with a probability proportional to the squared distance to the
    nearest one so far. Many are drawn at once, and those that the ones before them make too likely
    are rejected; which changes nothing in the probabilities, and in all takes one assignment.
    n must be at least L, the generator the CPU's.
    """
    return _plus_plus(_Nearest(x), num_clusters, generator)[0]


@torch.no_grad()
@in_float32
def lloyd(
    x: torch.Tensor,
    centroids: torch.Tensor,
    *,
    max_iterations: int = _ITERATIONS,
    tolerance: float = _TOLERANCE,
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
    nearest = _Nearest(x)
    start = KMeans(centroids, *nearest(centroids))
    return _moved(nearest, start, max_iterations, tolerance)


def _sum(squared: torch.Tensor) -> float:
    return float(squared.cpu().sum(dtype=torch.float64))


def _moved(nearest: _Nearest, start: KMeans, max_iterations: int, tolerance: float) -> KMeans:
    """What :func:`lloyd` returns, from a start with its labels and distances."""
    x, centroids, labels, squared = nearest.x, start.centroids, start.labels, start.squared
    num_clusters = len(centroids)
    inertia = _sum(squared)
    sums, counts = group_sums(x, labels, num_clusters)
    for _ in range(max_iterations):
        empty = counts == 0
        centroids = sums / counts.clamp(min=1)[:, None]
        # waits for the GPU, as what follows does; K-means runs once in a thousand steps
        any_empty = bool(empty.any())
        if any_empty:
            farthest = x[squared.topk(num_clusters).indices]
            centroids = torch.where(empty[:, None], farthest[empty.cumsum(0) - 1], centroids)
        before = labels
        labels, squared = nearest(centroids)
        previous, inertia = inertia, _sum(squared)
        if previous - inertia <= tolerance * previous and not any_empty:
            break
        # few features change their cluster, but for the first moves
        for part in (labels != before).nonzero()[:, 0].split(_rows(x.shape[1], x)):
            rows = x[part]
            _add(sums, before[part], -rows)
            _add(sums, labels[part], rows)
        counts = torch.zeros_like(counts).index_add_(0, labels, torch.ones_like(squared))
    return KMeans(centroids, labels, squared)


@torch.no_grad()
@in_float32
def kmeans(
    x: torch.Tensor,
    num_clusters: int,
    *,
    seed: int,
    start: torch.Tensor | None = None,
    max_iterations: int = _ITERATIONS,
    tolerance: float = _TOLERANCE,
) -> KMeans:
    """Cluster features ``[n, D]``, in float32 at least: K-means++ start, then Lloyd's iteration.

    On one CPU the same seed gave the same bits on every number of threads tried; between CPUs, or
    a CPU and a GPU, the last bits of the distances differ, and with them single features.

    Args:
        x: features, ``[n, D]``.
        num_clusters: L <= n.
        seed: of the K-means++ start.
        start: centroids to start from instead, ``[L, D]``.
        max_iterations: as in :func:`lloyd`.
        tolerance: as in :func:`lloyd`.

    Raises:
        ValueError: fewer features than clusters.
    """
    if len(x) < num_clusters:
        raise ValueError(f"{len(x)} features can't make num_clusters={num_clusters} clusters")
    nearest = _Nearest(x)
    if start is None:
        generator = torch.Generator().manual_seed(seed)
        first = KMeans(*_plus_plus(nearest, num_clusters, generator))
    else:
        start = start.to(x.dtype)
        first = KMeans(start, *nearest(start))
    return _moved(nearest, first, max_iterations, tolerance)
