"""One scale for the features of every method, decided by the training features alone."""

import torch
from torch import Tensor

_CHUNK = 2**14  # rows that are held in float64 at a time


class Standard:
    """Moves and scales features so that their mean is zero and their mean squared norm is one.

    All directions are moved and scaled alike, so a linear classifier with a bias can tell the same
    classes apart before and after; dividing each dimension by its own deviation would favour
    features with much in weak dimensions. What changes is the unit of learning rates and penalties:
    they mean the same for features of any size.

    Args:
        train: training features, float ``[N, D]``.
    """

    def __init__(self, train: Tensor) -> None:
        parts = train.split(_CHUNK)
        centre = torch.stack([part.sum(0, dtype=torch.float64) for part in parts]).sum(0)
        centre /= len(train)
        squares = sum(float((part.double() - centre).pow(2).sum()) for part in parts)
        self.centre = centre.to(train.dtype)
        self.norm = (squares / len(train)) ** 0.5 or 1.0  # of features that are all equal

    def to(self, device: str) -> "Standard":
        """Itself, on a device."""
        self.centre = self.centre.to(device)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """``[n, D]`` moved and scaled."""
        return (x - self.centre) / self.norm
