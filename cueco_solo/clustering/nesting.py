"""Labels of nested clusterings: a cluster's label is the index of one of its samples."""

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def connected(a: torch.Tensor, b: torch.Tensor, size: int) -> torch.Tensor:
    """Connected components of a graph with edges ``a[e], b[e]`` (``[E]``, int64), by the CPU.

    Returns:
        torch.Tensor: each node's component, numbered from 0, ``[size]``, int64, on the edges'
        device.
    """
    edges = (a.cpu().numpy(), b.cpu().numpy())
    graph = coo_array((np.ones(len(a), dtype=bool), edges), shape=(size, size))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).to(a)


def canonical(ids: torch.Tensor) -> torch.Tensor:
    """Name each cluster after its first sample.

    Args:
        ids: any numbers that are equal within a cluster and only there, ``[n]``, int64; below zero:
            a sample without a cluster, which becomes one of its own.

    Returns:
        torch.Tensor: ``[n]``, int64, in [0, n).
    """
    n = len(ids)
    samples = torch.arange(n, device=ids.device)
    ids = torch.where(ids < 0, ids.max().clamp(min=0) + 1 + samples, ids)
    groups, inverse = ids.unique(return_inverse=True)
    first = samples.new_full((len(groups),), n).scatter_reduce(0, inverse, samples, "amin")
    return first[inverse]


def nested(levels: torch.Tensor) -> torch.Tensor:
    """Make clusterings that were found one by one a hierarchy (cluster preserve, Sec. 4.3 of RCL).

    Each level is cut by those above it: two samples stay together only if they are together on all
    coarser levels too.

    Args:
        levels: what :func:`canonical` takes, from the finest level up, ``[levels, n]``.

    Returns:
        torch.Tensor: canonical labels, ``[levels, n]``.
    """
    n, above, result = levels.shape[1], None, []
    for ids in levels.flip(0):
        labels = canonical(ids)
        if above is not None:
            labels = canonical(above * n + labels)
        result.append(labels)
        above = labels
    return torch.stack(result[::-1])
