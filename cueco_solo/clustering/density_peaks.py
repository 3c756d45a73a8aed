"""Density peaks of many small sets at once (Rodriguez & Laio 2014), for RCL's cluster split."""

import torch

# of the set's mean squared distance; small, so that only close units make density
_WIDTH = 0.25


def density_peaks(
    units: torch.Tensor, valid: torch.Tensor, num_peaks: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose the units of each set that stand for the parts it falls into.

    A unit's density is the sum of Gaussians of its distances to the others, whose squared width is
    a quarter of the set's mean squared distance (ours: the 1 to 2 % of the distances that Rodriguez
    & Laio go by mean nothing in sets of a few dozen). Peaks have the largest products of density
    and distance to the nearest denser unit. Sets with fewer units than ``num_peaks`` give each.

    Args:
        units: unit vectors, ``[T, P, D]``.
        valid: which of them count, bool, ``[T, P]``.
        num_peaks: m.

    Returns:
        tuple: the peaks' places in their sets, ``[T, min(m, P)]`` of int64, strongest first, and
        whether there is such a peak, ``[T, min(m, P)]`` of bool.
    """
    size = units.shape[1]
    squared = (units @ units.transpose(1, 2)).mul_(-2).add_(2).clamp_(min=0)
    squared.masked_fill_(~(valid[:, :, None] & valid[:, None, :]), 0)
    squared.diagonal(dim1=1, dim2=2).zero_()
    counts = valid.sum(1)
    width = _WIDTH * squared.sum((1, 2)) / (counts * (counts - 1)).clamp(min=1)
    near = torch.exp(squared / -width.clamp(min=1e-6)[:, None, None]) * valid[:, None, :]
    density = near.sum(2)  # itself included

    denser = (density[:, None, :] > density[:, :, None]) & valid[:, None, :]
    to_denser = squared.masked_fill(~denser, torch.inf).amin(2)
    # of the densest: to any other
    separation = torch.where(to_denser.isinf(), squared.amax(2), to_denser).sqrt()
    strength = (density * separation).masked_fill(~valid, -1)
    best = strength.topk(min(num_peaks, size), dim=1)
    return best.indices, best.values >= 0
