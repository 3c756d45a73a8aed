"""The samples of some clusters, found among the labels of all."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Members:
    """The samples of some clusters.

    Attributes:
        rows: sample indexes, cluster after cluster, ``[M]``, int64.
        slots: which of the clusters each belongs to, ``[M]``, int64, ascending.
        counts: the number of samples of each cluster, ``[C]``, int64.
    """

    rows: torch.Tensor
    slots: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, clusters: torch.Tensor, labels: torch.Tensor) -> "Members":
        """Collect them: distinct labels ``[C]`` among those of all samples ``[n]``, int64."""
        slot_of = torch.full_like(labels, -1)
        slot_of[clusters] = torch.arange(len(clusters), device=labels.device)
        slots = slot_of[labels]
        rows = (slots >= 0).nonzero().squeeze(1)
        slots = slots[rows]
        order = _stable_order(slots)
        return cls(rows[order], slots[order], torch.bincount(slots, minlength=len(clusters)))

    def draw(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """All members of the small clusters, random ones (with repetition) of the large.

        Args:
            size: largest number of members per cluster.
            generator: on the CPU, whose numbers are the same on every machine.

        Returns:
            tuple: sample indexes ``[C, P]``, ``P <= size``, and whether they count, bool.
        """
        size = min(size, int(self.counts.max()))
        counts, device = self.counts[:, None], self.rows.device
        places = torch.arange(size, device=device)
        chance = torch.rand(len(counts), size, generator=generator).to(device)
        large = counts > size
        chosen = torch.where(large, (chance * counts).long(), places).minimum(counts - 1)
        starts = self.counts.cumsum(0) - self.counts
        return self.rows[starts[:, None] + chosen], large | (places < counts)


def _stable_order(numbers: torch.Tensor) -> torch.Tensor:
    """The permutation that sorts small integers and keeps equal ones in order."""
    if numbers.is_cuda:
        return numbers.sort(stable=True).indices
    # NumPy sorts 16-bit integers by radix, ten times as fast as torch on a CPU
    wide = numbers.numpy()
    narrow = wide.astype(np.uint16) if len(wide) and wide.max() < 2**16 else wide
    return torch.from_numpy(np.argsort(narrow, kind="stable"))
