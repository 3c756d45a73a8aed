"""The hierarchy of clusters of all training samples, refined with every batch (RCL, Sec. 4.3)."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from cueco_solo.clustering.density_peaks import density_peaks
from cueco_solo.clustering.kmeans import group_means
from cueco_solo.clustering.members import Members
from cueco_solo.clustering.nesting import connected, nested
from cueco_solo.numerics import in_float32

# what bounds a step's work, whatever the size of the clusters
_CLUSTER_SAMPLE = 32  # members that a cluster is split by
_UNIT_SAMPLE = 16  # members that a unit's centre is the mean of
_ROWS = 65536  # features at a time


class Hierarchy(nn.Module):
    """Nested clusterings of the training set on levels 1 (each sample alone) to H (the coarsest).

    After every operation each level is a partition, two samples that share a label share it on all
    levels above (*cluster preserve*), and a cluster's label is the index of one of its samples.
    Every process must call the methods with the same (gathered) features and indexes; then all hold
    the same state. Memory: ``2 n D`` bytes for the bank and ``8 n H`` for the labels, 0.69 GB for
    ImageNet with D = 256 and H = 3.

    The refinement waits for the GPU a few times per level, since it works on as many rows as the
    clusters touched by a batch have.

    Buffers:
        labels: ``[H, n]``, int64; row 0 is level 1.
        bank: each sample's last key, unit vectors (zero before the first), ``[n, D]``, float16.
        runs: how often the levels were set by a clustering of all samples, int64 scalar; 0 means
            that there are none yet.
        steps: how often they were refined, int64 scalar.

    Args:
        num_levels: H, at least 2.
        max_splits: parts that a cluster is split into, m.
        merge_threshold: similarity of centres above which two clusters merge, sigma_m, for each
            level from H down to 2.

    Raises:
        ValueError: there is another number of thresholds, or fewer than two levels.
    """

    labels: torch.Tensor
    bank: torch.Tensor
    runs: torch.Tensor
    steps: torch.Tensor

    def __init__(
        self,
        num_samples: int,
        dim: int,
        num_levels: int,
        *,
        max_splits: int,
        merge_threshold: Sequence[float],
    ):
        super().__init__()
        if num_levels < 2 or len(merge_threshold) != num_levels - 1:
            raise ValueError(
                f"merge_threshold must have num_levels - 1 = {num_levels - 1} numbers, at least "
                f"one, but has {len(merge_threshold)}"
            )
        self.max_splits = max_splits
        self.merge_threshold = dict(zip(range(num_levels, 1, -1), merge_threshold, strict=True))
        alone = torch.arange(num_samples)
        self.register_buffer("labels", alone.repeat(num_levels, 1))
        self.register_buffer("bank", torch.zeros(num_samples, dim, dtype=torch.float16))
        self.register_buffer("runs", torch.zeros((), dtype=torch.long))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    @in_float32
    def remember(self, k: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Put a batch's keys into the bank.

        Args:
            k: keys of both views, ``[views, N, D]``; their mean direction is kept, unless it isn't
                finite.
            index: their samples, ``[N]``, int64; may repeat.

        Returns:
            torch.Tensor: the distinct samples in ascending order, int64.
        """
        samples, groups = index.unique(return_inverse=True)
        k = k.mean(0)
        # an overflow under half precision must not get into the labels
        k = torch.where(k.isfinite().all(1, keepdim=True), k, 0)
        means = group_means(k, groups, len(samples))[0]
        keys = F.normalize(means, dim=1).to(self.bank.dtype)
        self.bank[samples] = torch.where(means.any(1, keepdim=True), keys, self.bank[samples])
        return samples

    @torch.no_grad()
    def restart(self, levels: torch.Tensor) -> None:
        """Replace levels 2 to H by clusterings ``[H - 1, n]``, int64, made nested here.

        They go from level 2 up, as :func:`~cueco_solo.clustering.nesting.nested` takes them.
        """
        self.labels[1:] = nested(levels)
        self.runs += 1
        if dist.is_available() and dist.is_initialized():
            # clusterings amplify the last bit in which two GPUs may differ
            dist.broadcast(self.labels, src=0)

    @torch.no_grad()
    @in_float32
    def refine(self, samples: torch.Tensor, *, seed: int) -> dict[str, torch.Tensor]:
        """Split and merge the clusters of some samples, from level 2 up to level H.

        *Split*: the units of a cluster are the clusters one level below; density peaks choose the m
        most dissimilar, the others join the nearest of them. *Merge*: parts and clusters under the
        same cluster one level above merge where the inner product of their centres exceeds sigma_m,
        directly or through others. A centre is the mean of its unit vectors, so this is the mean
        cosine similarity of the members (ours): it means the same for clusters of any size, while
        normalised centres grow alike as clusters grow, and all of them would end as one.

        A part that merges back leaves its cluster as it was, so a cluster is first split by a
        sample of its members, and only where a part survives are all its units assigned.

        Args:
            samples: distinct sample indexes in ascending order, ``[S]``, int64; their clusters are
                the touched ones.
            seed: of the members that are drawn.

        Returns:
            dict: ``splits_level2`` ... and ``merges_level2`` ...: by how many clusters this step
            raised and lowered the number on each level, int64 scalars.
        """
        self.steps += 1
        generator, counts = torch.Generator().manual_seed(seed), {}
        for level in range(2, len(self.labels) + 1):
            splits, merges = self._refine_level(level, samples, generator)
            counts[f"splits_level{level}"] = splits
            counts[f"merges_level{level}"] = merges
        return counts

    def _refine_level(
        self, level: int, samples: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        labels, units = self.labels[level - 1], self.labels[level - 2]
        touched = labels[samples].unique()
        members = Members.of(touched, labels)
        rows, valid = members.draw(_CLUSTER_SAMPLE, generator)
        features = self.bank[rows].float()

        # split, by the sample: each unit counts once, with the mean of its members in the sample
        of = units[rows]
        same = ((of[:, :, None] == of[:, None, :]) & valid[:, None, :]).float()
        first = valid & (same.argmax(2) == torch.arange(rows.shape[1], device=rows.device))
        centres = features if level == 2 else F.normalize(same @ features, dim=2)
        peaks, there = density_peaks(centres, first, self.max_splits)
        prototypes = centres.gather(1, peaks[:, :, None].expand(-1, -1, centres.shape[2]))
        part = _nearest(centres, prototypes, there)
        parts = torch.arange(peaks.shape[1], device=rows.device)
        # no part without its prototype, should another one be just as near
        part = part.scatter(1, peaks, torch.where(there, parts, part.gather(1, peaks)))

        # merge, under the parent
        belongs = ((part[:, None, :] == parts[:, None]) & valid[:, None, :]).float()
        sizes = belongs.sum(2, keepdim=True).clamp(min=1)
        part_centres = (belongs @ features / sizes).flatten(0, 1)
        top = level == len(self.labels)
        parents = torch.zeros_like(touched) if top else self.labels[level][touched]
        parents = parents.repeat_interleave(len(parts))
        similar = (part_centres @ part_centres.T > self.merge_threshold[level]).triu_()
        similar &= (parents[:, None] == parents) & (there.flatten()[:, None] & there.flatten())
        one, other = similar.nonzero(as_tuple=True)
        groups = connected(one, other, len(similar)).view_as(there)

        # a group's label is the smallest of its parts' names, each a sample in it: a split cluster
        # names its parts after their prototypes, a whole one keeps its label
        split = (there & (groups != groups[:, :1])).any(1)
        chosen = rows.gather(1, peaks)
        names = torch.where(split[:, None], chosen, touched[:, None])
        names = names.masked_fill(~there, self.labels.shape[1])
        label_of = torch.full_like(names.flatten(), self.labels.shape[1])
        label_of = label_of.scatter_reduce(0, groups.flatten(), names.flatten(), "amin")[groups]

        member_part = torch.zeros_like(members.rows)
        divided = split[members.slots].nonzero().squeeze(1)
        if len(divided):
            member_part[divided] = self._divide(
                level,
                members.rows[divided],
                members.slots[divided],
                (prototypes, there, chosen),
                generator,
            )
        labels[members.rows] = label_of[members.slots, member_part]

        # pieces: the parts of one cluster that are in one group
        first_of_group = (groups[:, :, None] == groups[:, None, :]) & there[:, None, :]
        pieces = (there & (first_of_group.float().argmax(2) == parts)).sum()
        groups_now = label_of.masked_fill(~there, -1).unique()
        total = (groups_now >= 0).sum()
        return pieces - len(touched), pieces - total

    def _divide(
        self,
        level: int,
        rows: torch.Tensor,
        slots: torch.Tensor,
        split: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        generator: torch.Generator,
    ) -> torch.Tensor:
        """The part of its cluster that each row goes to: with its whole unit, to the nearest one.

        ``split`` has prototypes ``[T, m, D]``, whether they exist ``[T, m]``, and a sample of the
        unit that each stands for ``[T, m]``; ``slots`` ``[M]`` are the samples' rows in it.
        """
        prototypes, there, chosen = split
        labels = self.labels[level - 2]
        units, unit_of = labels[rows].unique(return_inverse=True)
        slot_of = torch.zeros_like(units)
        slot_of[unit_of] = slots
        centres = self._centres(level - 1, units, generator)
        part_of = torch.cat(
            [
                _nearest(c[:, None], prototypes[s], there[s]).squeeze(1)
                for c, s in zip(centres.split(_ROWS), slot_of.split(_ROWS), strict=True)
            ]
        )
        # a prototype's unit makes its part, even if its centre was estimated differently here
        cluster, part = (there & torch.isin(labels[chosen], units)).nonzero(as_tuple=True)
        part_of[torch.searchsorted(units, labels[chosen[cluster, part]])] = part
        return part_of[unit_of]

    def _centres(
        self, level: int, clusters: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Unit centres of clusters of a level, ``[C, D]``, of large ones by a sample."""
        if level == 1:
            return self.bank[clusters].float()
        rows, valid = Members.of(clusters, self.labels[level - 1]).draw(_UNIT_SAMPLE, generator)
        sums = [
            (self.bank[r].float() * v[:, :, None]).sum(1)
            for r, v in zip(
                rows.split(_ROWS // _UNIT_SAMPLE), valid.split(_ROWS // _UNIT_SAMPLE), strict=True
            )
        ]
        return F.normalize(torch.cat(sums), dim=1)

    def sizes(self) -> torch.Tensor:
        """The number of samples in the cluster of each label, ``[H, n]``, int64, mostly zeros."""
        return torch.stack([torch.bincount(row, minlength=len(row)) for row in self.labels])


def _nearest(x: torch.Tensor, prototypes: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Each vector's most similar prototype, ``[T, P, D], [T, m, D], [T, m] -> [T, P]``."""
    similarity = x @ prototypes.transpose(1, 2)
    return similarity.masked_fill(~there[:, None, :], -torch.inf).argmax(2)
