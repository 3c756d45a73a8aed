"""Float32 for losses under autocast, and figures of representations that need no labels."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def widened(x: Any) -> Any:
    """``x`` with half-precision tensors as float32; float64 and integers are left alone."""
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        return x.to(torch.promote_types(x.dtype, torch.float32))
    return x


def in_float32(function: F) -> F:
    """Run ``function`` outside autocast, on widened tensors.

    exp and log of similarities divided by a small temperature overflow float16 and lose three
    digits in bfloat16. At least one positional argument must be a tensor; it names the device.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        with torch.autocast(device_type=tensors[0].device.type, enabled=False):
            args = tuple(widened(a) for a in args)
            return function(*args, **{name: widened(a) for name, a in kwargs.items()})

    return wrapper  # type: ignore[return-value]


def perplexity(histogram: torch.Tensor) -> torch.Tensor:
    """The effective number of used bins of non-negative weights ``[L]``: exp of the entropy.

    A scalar between 1 (one bin has all) and L (all alike); 1 if all are zero.
    """
    shares = histogram / histogram.sum().clamp(min=1e-30)
    return torch.special.entr(shares).sum().exp()


@in_float32
def alignment(z: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of positive pairs (Wang & Isola 2020, Eq. 4 with alpha = 2).

    Of unit vectors ``[N, D]`` of the same images, a scalar in [0, 4]: 0 when each pair coincides.
    """
    return (z - k).pow(2).sum(1).mean()


@in_float32
def uniformity(z: torch.Tensor) -> torch.Tensor:
    """Log of the mean Gaussian potential of all pairs (Wang & Isola 2020, Eq. 5 with t = 2).

    Of unit vectors ``[N, D]``, N >= 2, a scalar in [-8, 0]: 0 when all coincide.
    """
    return torch.pdist(z).pow(2).mul(-2).exp().mean().log()


@in_float32
def spread(x: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of the directions of vectors ``[N, D]`` from their mean.

    A scalar in [0, 1]: 0 when all point in one direction, or are zero.
    """
    x = torch.nn.functional.normalize(x, dim=1)
    return (x - x.mean(0)).pow(2).sum(1).mean()


def rank_me(features: torch.Tensor) -> torch.Tensor:
    """Effective rank of a floating feature matrix ``[N, D]`` (RankMe, Garrido et al. 2023).

    The exponential of the entropy of ``p = s / sum(s) + 1e-7``, s the singular values of the
    matrix as it is, not centred; a float64 scalar between 1 and min(N, D), 1 also if all are zero.
    A high value is necessary for good features, not sufficient.
    """
    tall = features if features.size(0) >= features.size(1) else features.T
    # no float64 copy of all rows, as an SVD needs; what squaring loses is below the 1e-7
    gram = tall.new_zeros((tall.size(1),) * 2, dtype=torch.float64)
    for part in tall.split(8192):
        gram.addmm_(part.double().T, part.double())
    s = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    p = s / s.sum().clamp(min=torch.finfo(s.dtype).tiny) + 1e-7
    return torch.special.entr(p).sum().exp()


def lidar(views: torch.Tensor, delta: float = 1e-4, epsilon: float = 1e-8) -> torch.Tensor:
    """Effective rank of what tells images apart (LiDAR, Thilak et al. 2023).

    Each image is a class of its own, its augmented views are the class's samples. Of the classes'
    scatter, as seen where the mean scatter within classes plus ``delta`` is the identity, the
    eigenvalues count: the exponential of the entropy of their shares, ``epsilon`` added to each.
    Values can be compared under equal numbers of images and views only. ``epsilon`` goes to the
    shares as in the paper; added to the eigenvalues, features that are all alike would have D.

    Args:
        views: floating features ``[N, Q, D]`` of Q >= 2 views of each of N >= 2 images.

    Returns:
        A float64 scalar between 1 and, but for ``epsilon``, min(N - 1, D); 1 also if all features
        are alike.

    Raises:
        ValueError: there are fewer images or views.
    """
    if views.ndim != 3 or min(views.shape[:2]) < 2:
        raise ValueError(f"views of shape {tuple(views.shape)} must be [N >= 2, Q >= 2, D]")
    x = views.double()
    means = x.mean(1)
    within = (x - means[:, None]).flatten(0, 1)
    between = means - means.mean(0)
    n, q, dim = x.shape
    scatter = within.T @ within / (n * (q - 1))
    scatter.diagonal().add_(delta)
    # of L^-1 B L^-T with L L^T the scatter; the inverse square root has the same eigenvalues
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(scatter), between.T, upper=False)
    # the smaller of the two products has all that aren't zero
    gram = whitened @ whitened.T if dim <= n else whitened.T @ whitened
    found = torch.linalg.eigvalsh(gram / (n - 1)).clamp(min=0)
    values = torch.cat([found, found.new_zeros(max(0, dim - n))])
    shares = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny) + epsilon
    return torch.special.entr(shares).sum().exp()
