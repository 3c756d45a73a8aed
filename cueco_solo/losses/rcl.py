"""The relative contrastive loss of RCL (Sec. 4.1) and its choice of keys, as pure functions.

All vectors are expected to be l2-normalised, as the method makes them.
"""

from typing import NamedTuple

import torch

from cueco_solo.numerics import in_float32


class RelativeKeys(NamedTuple):
    """What queries are compared with.

    Attributes:
        keys: ``[N, R, D]``.
        positive: whether each criterion calls them positive, 0 or 1, ``[H, N, R]``, floating.
        present: bool, ``[N, R]``; false where none was found.
        queued: bool, ``[R]``; whether the key is an entry of the queue.
    """

    keys: torch.Tensor
    positive: torch.Tensor
    present: torch.Tensor
    queued: torch.Tensor

    def shares(self) -> dict[str, torch.Tensor]:
        """For the log: what share of the keys each criterion calls positive,
        ``train_positive_level1`` ..., and of the searches in the queue found one,
        ``train_retrieved``."""
        by_level = (self.positive * self.present).sum((1, 2)) / self.present.sum()
        values = {f"train_positive_level{n}": share for n, share in enumerate(by_level, 1)}
        searched = self.queued.expand_as(self.present)
        found = (self.present & searched).sum()
        return {**values, "train_retrieved": found / searched.sum().clamp(min=1)}


@in_float32
def relative_contrastive(
    q: torch.Tensor,
    keys: torch.Tensor,
    positive: torch.Tensor,
    queue: torch.Tensor,
    *,
    temperature: float,
    present: torch.Tensor,
    queued: torch.Tensor,
) -> torch.Tensor:
    """Pull each prediction to its positive relative keys and push it from all others (Eq. 3).

    A key that a criterion calls positive has the numerator ``exp(q k / temperature)``, any other
    has 1. With a share of criteria in ``positive`` the result is Eq. 2 for criteria that use the
    same predictor, weighted alike.

    Args:
        q: one predictor's output, ``[N, D]``.
        keys: relative keys of each query, ``[N, R, D]``.
        positive: whether the criterion gives query and key the same label, or the share of the
            criteria that do (P_c of Eq. 9), 0 to 1, ``[N, R]``, floating.
        queue: what stands in the denominator beside the key, ``[K, D]``.
        present: bool, ``[N, R]``; the mean over a query's keys leaves out the absent ones.
        queued: bool, ``[R]``; such a key is an entry of the queue, which counts it already.

    Returns:
        torch.Tensor: the mean over the queries of the mean over their keys, a float32 (or float64)
        scalar.
    """
    logits = torch.einsum("nd,nrd->nr", q, keys) / temperature
    others = (q @ queue.T / temperature).logsumexp(dim=1, keepdim=True)
    denominator = torch.where(queued, others, torch.logaddexp(others, logits))
    losses = (denominator - positive * logits) * present
    return (losses.sum(1) / present.sum(1).clamp(min=1)).mean()


@torch.no_grad()
@in_float32
def nearest_entries(
    k: torch.Tensor, queue: torch.Tensor, allowed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each key the most similar entry of the queue, under each of several restrictions.

    Args:
        k: keys, ``[N, D]``.
        queue: ``[K, D]``.
        allowed: the entries that may be chosen, bool, ``[R, N, K]``.

    Returns:
        tuple: the entries' places in the queue, ``[R, N]`` of int64, and whether there was one to
        choose, ``[R, N]`` of bool.
    """
    similarity = (k @ queue.T).expand_as(allowed).masked_fill(~allowed, -torch.inf)
    best = similarity.max(dim=2)
    return best.indices, best.values > -torch.inf


def own_key(k: torch.Tensor, criteria: int) -> RelativeKeys:
    """Each query's own key ``[N, D]`` alone, positive under all H criteria: Eq. 2 is Eq. 1."""
    own = torch.ones(len(k), 1, dtype=torch.bool, device=k.device)
    return RelativeKeys(
        k[:, None], own.float().expand(criteria, -1, -1), own, torch.zeros_like(own[0])
    )


@torch.no_grad()
def nearest_key(k: torch.Tensor, queue: torch.Tensor, queue_index: torch.Tensor) -> RelativeKeys:
    """The nearest entry of the queue alone, positive: NNCLR (Sec. 5.2).

    While the queue is empty the own key takes its place.

    Args:
        k: the queries' own keys, ``[N, D]``.
        queue: ``[K, D]``.
        queue_index: the samples of its entries, -1 for those not filled yet, ``[K]``, int64.
    """
    places, found = nearest_entries(k, queue, (queue_index >= 0).expand(1, len(k), -1))
    own = own_key(torch.where(found[0, :, None], queue[places[0]], k), 1)
    return own._replace(queued=found[:, 0])


@torch.no_grad()
def relative_keys(
    k: torch.Tensor,
    queue: torch.Tensor,
    index: torch.Tensor,
    queue_index: torch.Tensor,
    labels: torch.Tensor,
) -> RelativeKeys:
    """The own key and, for each level above the first, the nearest entry of the query's cluster.

    Args:
        k: the queries' own keys, ``[N, D]``.
        queue: ``[K, D]``.
        index: the queries' samples, whose own entries are left out, ``[N]``, int64.
        queue_index: the samples of the entries, -1 for those not filled yet, ``[K]``, int64.
        labels: of all samples on all levels, ``[H, n]``, int64.

    Returns:
        RelativeKeys: of R = H keys; the criteria are the levels.
    """
    entries = queue_index.clamp(min=0)
    others = (queue_index >= 0) & (queue_index != index[:, None])
    allowed = (labels[1:, index, None] == labels[1:, None, entries]) & others
    places, found = nearest_entries(k, queue, allowed)
    same = labels[:, index][:, None] == labels[:, entries[places]]
    own = torch.ones(len(k), 1, dtype=torch.bool, device=k.device)
    return RelativeKeys(
        torch.cat([k[:, None].to(queue.dtype), queue[places].transpose(0, 1)], dim=1),
        torch.cat([own.expand(len(labels), -1, -1), same.transpose(1, 2)], dim=2).float(),
        torch.cat([own, found.T], dim=1),
        torch.arange(len(labels), device=k.device) > 0,
    )
