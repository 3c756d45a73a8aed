"""A random sample of the features that pass by."""

import torch
from torch import Tensor


class Sample:
    """So many of the rows of a stream whose length isn't known, each as likely as any other.

    The same for every stream of the same length, whatever its batches: processes that see equally
    many rows keep the same positions. Holds three times ``size`` rows at most, and a batch.
    """

    def __init__(self, size: int) -> None:
        self.size, self.seen = size, 0
        self._generator = torch.Generator().manual_seed(0)
        self._parts: list[tuple[Tensor, ...]] = []

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Take a batch of features ``[n, D]`` and labels ``[n]``, on the same device."""
        number = len(features)
        # of all rows, those with the lowest keys stay; float64 has no ties
        keys = torch.rand(number, generator=self._generator, dtype=torch.float64)
        positions = torch.arange(self.seen, self.seen + number)
        self.seen += number
        self._parts.append((keys, positions, features, labels))
        if sum(len(part[0]) for part in self._parts) > 2 * self.size:
            self._parts = [self._chosen()]

    def _chosen(self) -> tuple[Tensor, ...]:
        columns = [torch.cat(column) for column in zip(*self._parts, strict=True)]
        keys = columns[0]
        kept = keys.topk(min(self.size, len(keys)), largest=False).indices.sort().values
        return tuple(column[kept.to(column.device)] for column in columns)

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is kept, in the order in which it came, if anything has come.

        Returns:
            Positions in the stream ``[m]``, features ``[m, D]``, labels ``[m]``; all on the device
            of the features.
        """
        _, positions, features, labels = self._chosen()
        return positions.to(features.device), features, labels
