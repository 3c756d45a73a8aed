"""Linear classifiers side by side, as Self-Classifier has them."""

import torch
import torch.nn.functional as F
from torch import nn

from cueco_solo.numerics import in_float32


def orthonormal(heads: int, classes: int, dim: int) -> torch.Tensor:
    """Random unit vectors, as orthogonal as they can be (Self-Classifier, Sec. 5 and 7.2).

    ``[T, C, d]``, float32. With C <= d the rows of a matrix are orthonormal; else its columns were,
    before the rows were brought to unit length.
    """
    gaussian = torch.randn(heads, max(classes, dim), min(classes, dim), dtype=torch.float64)
    q = torch.linalg.qr(gaussian).Q
    rows = q if classes > dim else q.transpose(1, 2)
    return F.normalize(rows, dim=-1).float()


class Classifiers(nn.Module):
    """T linear heads of C classes on d dimensions, without bias; their rows are unit vectors.

    Buffers or parameters:
        weight: ``[T, C, d]``, float32; a buffer where fixed, a parameter where learnable, which is
            normalised on use.

    Args:
        learnable: train the classifiers too.
    """

    weight: torch.Tensor

    def __init__(self, heads: int, classes: int, dim: int, *, learnable: bool = False):
        super().__init__()
        weight = orthonormal(heads, classes, dim)
        self.learnable = learnable
        if learnable:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)

    @in_float32
    def forward(self, z: torch.Tensor, heads: torch.Tensor | None = None) -> torch.Tensor:
        """Cosines of unit vectors with the classes.

        Args:
            z: ``[N, d]``, l2-normalised.
            heads: which classifiers, ``[H]`` of int64; default: all T.

        Returns:
            torch.Tensor: ``[H, N, C]``, float32 (or float64): the loss divides it by a small
            temperature, for which bfloat16's three digits are too few.
        """
        weight = self.weight if heads is None else self.weight[heads]
        if self.learnable:
            weight = F.normalize(weight, dim=-1)
        # one product for all heads: see scripts/benchmarks/self_classifier_cost.py
        return F.linear(z, weight.flatten(0, 1)).unflatten(1, weight.shape[:2]).transpose(0, 1)
