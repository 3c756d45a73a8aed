"""DBSCAN at several radii at once, in bounded memory, on the device where the features are."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F

from cueco_solo.clustering.nesting import connected
from cueco_solo.numerics import widened

_ROWS = 1024  # samples on either side of a block of inner products, which then takes 4 MB


def _unit(rows: torch.Tensor) -> torch.Tensor:
    # rounding to half precision takes rows off the sphere
    return F.normalize(widened(rows), dim=1)


def _products(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    """First row, first column and inner products of square blocks on and above the diagonal."""
    for i in range(0, len(x), _ROWS):
        for j in range(i, len(x), _ROWS):
            yield i, j, x[i : i + _ROWS] @ x[j : j + _ROWS].T


def _first_core_radius(
    x: torch.Tensor, thresholds: Sequence[float], min_samples: int
) -> torch.Tensor:
    """The position of the smallest radius at which a sample is a core point, ``[n]``, int64.

    ``thresholds`` are the least inner products of neighbours for each radius, descending; samples
    that are core at no radius get their number.
    """
    counts = torch.zeros(len(thresholds), len(x), dtype=torch.int32, device=x.device)
    for i, j, block in _products(x):
        for count, threshold in zip(counts, thresholds, strict=True):
            near = block >= threshold
            count[i : i + _ROWS] += near.sum(1, dtype=torch.int32)
            if j > i:
                count[j : j + _ROWS] += near.sum(0, dtype=torch.int32)
    return (counts < min_samples).sum(0)


def _contracted(component: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Merge components ``a[e]`` and ``b[e]`` for every edge e and number them from 0 again."""
    return connected(a, b, int(component.max()) + 1)[component]


def _components(
    cores: torch.Tensor, sizes: Sequence[int], thresholds: Sequence[float]
) -> list[torch.Tensor]:
    """Connected components of the core points at each radius, ``[size]`` of int64 from 0.

    ``cores`` ``[m, D]`` start with those that are core at smaller radii; ``sizes`` counts them for
    each radius, ascending, up to m.
    """
    components = [torch.arange(size, device=cores.device) for size in sizes]
    for i, j, block in _products(cores):
        for k, threshold in enumerate(thresholds):
            rows, columns = components[k][i : i + _ROWS], components[k][j : j + _ROWS]
            # pairs already connected are the bulk of dense data: without them edges stay few
            apart = rows[:, None] != columns
            near = (block[: len(rows), : len(columns)] >= threshold) & apart
            a, b = near.nonzero(as_tuple=True)
            if len(a):
                components[k] = _contracted(components[k], rows[a], columns[b])
    return components


@torch.no_grad()
def dbscan(
    x: torch.Tensor,
    eps: Sequence[float],
    *,
    min_samples: int,
    max_samples: int | None = 50_000,
    seed: int = 0,
) -> torch.Tensor:
    """Cluster unit vectors by density (Ester et al. 1996) at several radii.

    A core point has at least ``min_samples`` neighbours, itself included, at a Euclidean distance
    of at most the radius: an inner product of at least 1 - eps²/2. Clusters are the connected
    components of the core points. A sample that isn't core joins the cluster of its nearest core
    point if that is within the radius, else it is noise; scikit-learn takes any such core point.

    Two passes over the pairs of samples count neighbours and connect core points, a third compares
    the others with the core points. All compute inner products block by block and share them among
    the radii; no more than one block is held, whatever the data, and ``max_samples`` features in
    float32.

    With more than ``max_samples`` samples (None: no limit), DBSCAN runs on a random subset of so
    many, and the other samples join the cluster of their nearest core point of the subset within
    the radius. The cost is n * max_samples products rather than n². A core point then needs its
    ``min_samples`` neighbours within the subset, which is DBSCAN at a density lower by
    n / max_samples: sparse clusters that all samples would make become noise.

    Args:
        x: features, ``[n, D]``, any floating dtype; scaled to unit norm and compared in float32 at
            least, where radii below 0.001 can't be told from 0. Zero rows, samples without a
            feature, are noise and nobody's neighbours.
        eps: radii, in any order.
        seed: of the subset; processes that pass the same seed take the same one.

    Returns:
        torch.Tensor: ``[len(eps), n]``, int64, on the device of ``x``: for each sample the smallest
        index of a sample in its cluster, -1 for noise.
    """
    ascending = sorted(range(len(eps)), key=lambda k: eps[k])
    thresholds = [1 - eps[k] ** 2 / 2 for k in ascending]
    sample = present = x.any(dim=1).nonzero().squeeze(1)
    if max_samples is not None and len(present) > max_samples:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(present), generator=generator)[:max_samples]
        sample = present[drawn.to(x.device)]
    labels = torch.full((len(eps), len(x)), -1, device=x.device)
    with torch.autocast(x.device.type, enabled=False):
        subset = _unit(x[sample])
        # core at one radius is core at all larger ones: in this order, core points of any radius
        # come first
        first, order = _first_core_radius(subset, thresholds, min_samples).sort(stable=True)
        sizes = [int((first <= k).sum()) for k in range(len(eps))]
        cores = subset[order[: sizes[-1]]]
        components = _components(cores, sizes, thresholds)
        always = sample[order[: sizes[0]]]
        for k, component in zip(ascending, components, strict=True):
            labels[k, always] = component[: sizes[0]]
        # a point that is core at larger radii only is its own nearest core point there
        for index in present[labels[ascending[0], present] < 0].split(_ROWS):
            rows = _unit(x[index])
            best, nearest = rows.new_full((len(rows),), -torch.inf), torch.zeros_like(index)
            for k, (start, stop) in enumerate(pairwise([0, *sizes])):
                for c in range(start, stop, _ROWS):
                    value, at = (rows @ cores[c : min(c + _ROWS, stop)].T).max(dim=1)
                    nearest = torch.where(value > best, at + c, nearest)
                    best = torch.maximum(best, value)
                near = best >= thresholds[k]
                labels[ascending[k], index[near]] = components[k][nearest[near]]
    for row in labels:
        members = (row >= 0).nonzero().squeeze(1)
        beyond = torch.full((len(x),), len(x), device=x.device)
        row[members] = beyond.scatter_reduce(0, row[members], members, "amin")[row[members]]
    return labels
