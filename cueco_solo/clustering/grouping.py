"""Clusters that follow the keys by momentum between two runs of K-means (CueCo, Sec. 3.4)."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from cueco_solo.clustering.kmeans import assign, group_means, group_sums, kmeans
from cueco_solo.numerics import in_float32, perplexity

_ACTIVE_STEPS = 1000  # a cluster without members for this long counts as dead
# K-means sees two views of each image: a cluster of one image alone has next to no variance
_PRIOR_KEYS = 2
_VARIANCES = ("sum", "mean", "per_dimension")
_USAGE_DECAY = 0.99  # the assignment histogram forgets with a half-life of 69 steps


def _moves(
    x: torch.Tensor, labels: torch.Tensor, centroids: torch.Tensor, momentum: float
) -> torch.Tensor:
    """How far each cluster moves, in the row of its first member; zero in the other rows.

    So all has the size of the batch, ``[n, D]``, however many clusters there are. Arguments as
    :func:`moved_centroids` has them.
    """
    n, num_clusters = len(x), len(centroids)
    first = labels.new_full((num_clusters + 1,), n).scatter_reduce(
        0, labels % (num_clusters + 1), torch.arange(n, device=labels.device), "amin"
    )
    sums, counts = group_sums(x, torch.where(labels < 0, -1, first[labels]), n)
    rows = centroids[labels]
    means = sums / counts.clamp(min=1)[:, None]
    moved = F.normalize(momentum * rows + (1 - momentum) * means, dim=1)
    return (moved - rows) * (counts > 0)[:, None]


def moved_centroids(
    x: torch.Tensor, labels: torch.Tensor, centroids: torch.Tensor, momentum: float
) -> torch.Tensor:
    """One step of momentum grouping for the centroids (Eq. 7), differentiable in ``x``.

    Args:
        x: features, ``[n, D]``.
        labels: their clusters, ``[n]``, int64; -1 for none.
        centroids: unit vectors, ``[L, D]``.
        momentum: the paper's beta_1.

    Returns:
        torch.Tensor: unit vectors, ``[L, D]``; a cluster without members keeps its centroid.
    """
    moves = _moves(x, labels, centroids, momentum)
    return centroids.index_add(0, labels.clamp(min=0), moves)


class MomentumGrouping(nn.Module):
    """Centroids and variances of L clusters on the unit sphere in D dimensions.

    Every process must call the updates with the same (gathered) keys; then all hold the same state.

    Buffers:
        centroids: unit vectors, ``[L, D]``, float32.
        variances: mean squared deviation of the members from the centroid, float32: summed over the
            dimensions or averaged, ``[L]``, or of each dimension, ``[L, D]``.
        last_seen: the step in which a cluster last had members, ``[L]``, int64.
        usage: decaying histogram of the assignments, ``[L]``, float32.
        runs: how often K-means has set the clusters, int64 scalar; 0 means there are none yet.

    Args:
        centroid_momentum: beta_1 of Eq. 7.
        variance_momentum: beta_2 of Eq. 8.
        variance: ``"sum"`` over the dimensions, their ``"mean"``, or ``"per_dimension"``, which
            Eqs. 2 and 8 leave open.

    Raises:
        ValueError: one of them is out of range.
    """

    centroids: torch.Tensor
    variances: torch.Tensor
    last_seen: torch.Tensor
    usage: torch.Tensor
    runs: torch.Tensor

    def __init__(
        self,
        num_clusters: int,
        dim: int,
        *,
        centroid_momentum: float,
        variance_momentum: float,
        variance: str = "sum",
    ):
        super().__init__()
        momenta = {"centroid_momentum": centroid_momentum, "variance_momentum": variance_momentum}
        for name, value in momenta.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], but is {value}")
        if variance not in _VARIANCES:
            raise ValueError(
                f"variance must be one of {', '.join(_VARIANCES)}, but is {variance!r}"
            )
        if min(num_clusters, dim) < 1:
            raise ValueError(f"num_clusters={num_clusters} and dim={dim} must be at least 1")
        self.centroid_momentum = centroid_momentum
        self.variance_momentum = variance_momentum
        self.variance = variance
        self.register_buffer("centroids", F.normalize(torch.randn(num_clusters, dim), dim=1))
        shape = (num_clusters, dim) if variance == "per_dimension" else (num_clusters,)
        unit = 1.0 if variance == "sum" else 1.0 / dim
        self.register_buffer("variances", torch.full(shape, unit))
        self.register_buffer("last_seen", torch.zeros(num_clusters, dtype=torch.long))
        self.register_buffer("usage", torch.zeros(num_clusters))
        self.register_buffer("runs", torch.zeros((), dtype=torch.long))

    def nearest(self, x: torch.Tensor) -> torch.Tensor:
        """Each feature's cluster (Eq. 3), ``[n, D] -> [n]`` of int64."""
        return assign(x, self.centroids)[0]

    @torch.no_grad()
    @in_float32
    def update(self, k: torch.Tensor, step: int, *, move: bool = True) -> None:
        """Follow one batch of keys (Eqs. 7 and 8) and count what they were assigned to.

        The variance moves towards the members' mean squared distance from the *centroid*. Eq. 8 as
        printed measures it from the batch mean, which makes it zero for every cluster with a single
        member in the batch, and then the variance loss explodes.

        Args:
            k: keys gathered over all processes, unit vectors, ``[n, D]``; those that aren't finite
                are left out.
            step: the number of the optimisation step, for the count of active clusters.
            move: false to count alone and leave centroids and variances where they are.
        """
        finite = k.sum(1).isfinite()  # what isn't finite stays so in a sum
        k = torch.where(finite[:, None], k, 0)
        labels = torch.where(finite, assign(k, self.centroids)[0], -1)  # -1: of no cluster
        if move:
            moves = _moves(k, labels, self.centroids, self.centroid_momentum)
            # of what is added to a centroid, one row isn't zero: the order doesn't matter
            self.centroids.index_add_(0, labels.clamp(min=0), moves)
        squared = (k - self.centroids[labels]).pow(2)
        if self.variance != "per_dimension":
            squared = squared.sum(1, keepdim=True)
        spread, counts = self._spread(squared, labels)
        present = counts > 0
        if move:
            seen = present if self.variances.ndim == 1 else present[:, None]
            self.variances.lerp_(
                torch.where(seen, spread, self.variances), 1 - self.variance_momentum
            )
        self.last_seen.copy_(torch.where(present, step, self.last_seen))
        self.usage.mul_(_USAGE_DECAY).add_(counts)

    @torch.no_grad()
    @in_float32
    def recluster(self, k: torch.Tensor, *, seed: int, step: int, warm: bool = False) -> None:
        """Replace all clusters by K-means of the given keys (Eq. 2, Sec. 3.4 and 4.1).

        Each variance counts two more keys at the distance of the average key. In clusters of usual
        size they hardly show; a cluster of one image, whose two views nearly coincide, would get a
        variance near zero without them, and the variance loss would be made of such clusters (ours:
        the paper doesn't say).

        Args:
            k: keys, unit vectors, ``[n, D]``, of which at least L are finite and count, the same on
                all processes.
            seed: of the K-means++ start.
            step: the number of the optimisation step, for the count of active clusters.
            warm: start from the centroids as they are instead; those without keys move to the keys
                farthest from theirs.
        """
        k = k[k.isfinite().all(1)]
        start = self.centroids if warm else None
        result = kmeans(k, len(self.centroids), seed=seed, start=start)
        self.centroids.copy_(F.normalize(result.centroids, dim=1))
        labels, squared = assign(k, self.centroids)
        prior = squared.mean() / (self.centroids.shape[1] if self.variance == "mean" else 1)
        squared = squared[:, None]
        if self.variance == "per_dimension":
            squared = (k - self.centroids[labels]).pow(2)
            prior = squared.mean(0)
        spread, counts = self._spread(squared, labels)
        n = counts if self.variances.ndim == 1 else counts[:, None]
        self.variances.copy_((n * spread + _PRIOR_KEYS * prior) / (n + _PRIOR_KEYS))
        # seen by no batch yet: K-means itself gives members to every cluster
        self.last_seen.fill_(step - _ACTIVE_STEPS)
        self.usage.copy_(counts)
        self.runs += 1
        if dist.is_available() and dist.is_initialized():
            # K-means amplifies the last bit in which two GPUs may differ
            for buffer in self.buffers():
                dist.broadcast(buffer, src=0)

    def _spread(
        self, squared: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Each cluster's variance by its members' squared deviations, and the members' number.

        Args:
            squared: summed over the dimensions, ``[n, 1]``, or of each, ``[n, D]``.
            labels: ``[n]``, int64.
        """
        means, counts = group_means(squared, labels, len(self.centroids))
        if self.variance == "per_dimension":
            return means, counts
        means = means[:, 0]
        return means / self.centroids.shape[1] if self.variance == "mean" else means, counts

    @torch.no_grad()
    def health(self, step: int) -> dict[str, torch.Tensor]:
        """What tells a living clustering from a collapsed one.

        Returns:
            Scalars ``active`` (clusters with members since K-means, and in the last 1000
            steps), ``perplexity`` of the assignment histogram (1 to L), ``mean_variance``,
            ``largest_share`` (0 to 1).
        """
        return {
            "active": (self.last_seen > step - _ACTIVE_STEPS).sum().float(),
            "perplexity": perplexity(self.usage),
            "mean_variance": self.variances.mean(),
            "largest_share": self.usage.max() / self.usage.sum().clamp(min=1),
        }
