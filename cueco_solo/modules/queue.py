"""First-in-first-out memory of keys."""

import torch
import torch.nn.functional as F
from torch import nn


class KeyQueue(nn.Module):
    """The last ``size`` (K) keys of each view; starts as random unit vectors, like MoCo's.

    Buffers:
        keys: ``[views, size, dim]``, float32.
        count: how many keys each view has been given since the start, int64 scalar. The next key
            goes to ``count % size``.
        index: the sample that each key was made from, ``[size]``, int64, -1 for the random start;
            only where ``indexed``.

    Raises:
        ValueError: views, size or dim is below 1.
    """

    keys: torch.Tensor
    count: torch.Tensor
    index: torch.Tensor

    def __init__(self, views: int, size: int, dim: int, *, indexed: bool = False):
        super().__init__()
        for name, value in {"views": views, "size": size, "dim": dim}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, but is {value}")
        self.size = size
        self.register_buffer("keys", F.normalize(torch.randn(views, size, dim), dim=-1))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        if indexed:
            self.register_buffer("index", torch.full((size,), -1))

    @torch.no_grad()
    def enqueue(self, keys: torch.Tensor, index: torch.Tensor | None = None) -> None:
        """Replace the oldest keys.

        Args:
            keys: ``[views, n, dim]``, gathered over all processes, oldest first; any ``n``: it need
                not divide ``size``, and of more than ``size`` keys the last ones stay. Where a key
                isn't finite, the old ones stay in its place.
            index: their samples, ``[n]``, int64; where the queue is ``indexed``.
        """
        n = keys.shape[1]
        keys = keys[:, -self.size :]
        first = self.count + (n - keys.shape[1])
        # the place stays on the device: reading the counter would wait for the GPU in every step
        slots = (first + torch.arange(keys.shape[1], device=self.keys.device)) % self.size
        finite = keys.isfinite().all(dim=2).all(dim=0)
        kept = torch.where(finite[:, None], keys.to(self.keys.dtype), self.keys[:, slots])
        self.keys.index_copy_(1, slots, kept)
        if index is not None:
            self.index.index_copy_(
                0, slots, torch.where(finite, index[-self.size :], self.index[slots])
            )
        self.count += n

    def snapshot(self) -> torch.Tensor:
        """A copy of the keys, ``[views, size, dim]``, that stays as it is.

        For a loss whose backward pass follows :meth:`enqueue`, which changes ``keys`` in place.
        """
        return self.keys.clone()

    def filled(self) -> torch.Tensor:
        """The keys that were enqueued, without the random start, ``[views, n, dim]``, any order.

        Reads the counter on the host, so it waits for the GPU: not for use in every step.
        """
        return self.keys[:, : min(int(self.count), self.size)]
