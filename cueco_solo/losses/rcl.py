"""The relative contrastive loss of RCL (Sec. 4.1) and its choice of keys, as pure functions.

All vectors are expected to be l2-normalised, as the method makes them.
"""

import torch

from cueco_solo.precision import in_float32


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
        temperature: the softmax temperature.
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
