"""First-in-first-out memory of keys."""

import torch
import torch.nn.functional as F
from torch import nn


class KeyQueue(nn.Module):
    """The last ``size`` keys of each view; starts as random unit vectors, like MoCo's.

    Buffers:
        keys: ``[views, size, dim]``, float32.
        count: how many keys each view has been given since the start, int64 scalar. The next key
            goes to ``count % size``.

    Args:
        views: number of queues side by side.
        size: keys per queue (K).
        dim: size of a key (D).
    """

    keys: torch.Tensor
    count: torch.Tensor

    def __init__(self, views: int, size: int, dim: int):
        super().__init__()
        self.size = size
        self.register_buffer("keys", F.normalize(torch.randn(views, size, dim), dim=-1))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys: torch.Tensor) -> None:
        """Replace the oldest keys.

        Args:
            keys: ``[views, n, dim]``, gathered over all processes, oldest first; any ``n``: it need
                not divide ``size``, and of more than ``size`` keys the last ones stay.
        """
        n = keys.shape[1]
        keys = keys[:, -self.size :]
        first = self.count + (n - keys.shape[1])
        # the place stays on the device: reading the counter would wait for the GPU in every step
        slots = (first + torch.arange(keys.shape[1], device=self.keys.device)) % self.size
        self.keys.index_copy_(1, slots, keys.to(self.keys.dtype))
        self.count += n

    def filled(self) -> torch.Tensor:
        """The keys that were enqueued, without the random start, ``[views, n, dim]``, any order.

        Reads the counter on the host, so it waits for the GPU: not for use in every step.
        """
        return self.keys[:, : min(int(self.count), self.size)]
