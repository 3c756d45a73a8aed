"""Figures that describe representations and clusterings without labels."""

import torch

from cueco_solo.precision import in_float32


def perplexity(histogram: torch.Tensor) -> torch.Tensor:
    """The effective number of used bins: the exponential of the entropy.

    Args:
        histogram: floating weights of any sum, ``[L]``, none negative.

    Returns:
        torch.Tensor: scalar between 1 (one bin has all) and L (all alike); 1 if all are zero.
    """
    shares = histogram / histogram.sum().clamp(min=1e-30)
    return torch.special.entr(shares).sum().exp()


@in_float32
def alignment(z: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of positive pairs (Wang & Isola 2020, Eq. 4 with alpha = 2).

    Args:
        z: unit vectors, ``[N, D]``.
        k: unit vectors of the same images, ``[N, D]``.

    Returns:
        torch.Tensor: scalar in [0, 4], 0 when each pair coincides.
    """
    return (z - k).pow(2).sum(1).mean()


@in_float32
def uniformity(z: torch.Tensor) -> torch.Tensor:
    """Log of the mean Gaussian potential of all pairs (Wang & Isola 2020, Eq. 5 with t = 2).

    Args:
        z: unit vectors, ``[N, D]``, N >= 2.

    Returns:
        torch.Tensor: scalar in [-8, 0], 0 when all vectors coincide.
    """
    return torch.pdist(z).pow(2).mul(-2).exp().mean().log()


def rank_me(features: torch.Tensor) -> torch.Tensor:
    """Effective rank of a feature matrix (RankMe, Garrido et al. 2023).

    The exponential of the entropy of ``p = s / sum(s) + 1e-7``, s the singular values of the
    matrix as it is, not centred. High is necessary for good features, not enough.

    Args:
        features: floating, ``[N, D]``.

    Returns:
        torch.Tensor: float64 scalar between 1 and min(N, D); 1 also if all are zero.
    """
    tall = features if features.size(0) >= features.size(1) else features.T
    # no float64 copy of all rows, as an SVD needs; what squaring loses is below the 1e-7
    gram = tall.new_zeros((tall.size(1),) * 2, dtype=torch.float64)
    for part in tall.split(8192):
        gram.addmm_(part.double().T, part.double())
    s = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    p = s / s.sum().clamp(min=torch.finfo(s.dtype).tiny) + 1e-7
    return torch.special.entr(p).sum().exp()
