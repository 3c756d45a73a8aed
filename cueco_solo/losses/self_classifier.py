"""The loss of Self-Classifier (Amrani & Bronstein, Eqs. 3 and 4, Algorithm 1)."""

import math

import torch

from cueco_solo.host import gather
from cueco_solo.numerics import in_float32

# logits of a head and view above which a CPU is faster with one head at a time, which stays in its
# cache: 2 x at 256 samples of 1000 classes, 1.1 x at 100, 0.6 x at 60 (raise it to measure that
# with scripts/benchmarks/self_classifier_cost.py)
_IN_CACHE = 20_000
_EPS = 1e-12  # the authors' later code's, against a division by zero and the logarithm of it


def _over_samples(x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """``logsumexp`` over the samples of all processes, with gradient, and their number.

    ``[..., N, C]`` gives ``[..., 1, C]``: what the processes exchange is one number per class, not
    their logits.
    """
    parts = gather(x.logsumexp(dim=-2, keepdim=True)[None])
    return parts.logsumexp(dim=0), len(parts) * x.shape[-2]


@in_float32
def sample_given_class(
    logits: torch.Tensor, *, temperature: float, normalize_rows: bool
) -> torch.Tensor:
    """p(x|y): a softmax over the samples of the batch of all processes, the *column* softmax.

    Args:
        logits: of this process's samples, ``[..., N, C]``.
        normalize_rows: bring each sample's values to a sum of one (Sec. 7.2, for CIFAR).

    Returns:
        torch.Tensor: ``[..., N, C]``; over all processes' samples each class sums to one, unless
        rows are normalised.
    """
    scaled = logits / temperature
    log_p = scaled - _over_samples(scaled)[0]
    return log_p.softmax(dim=-1) if normalize_rows else log_p.exp()


@in_float32
def log_class_given_sample(
    logits: torch.Tensor, *, temperature: float, normalize_columns: bool
) -> torch.Tensor:
    """log p(y|x): a softmax over the classes, the *row* softmax.

    Args:
        logits: of this process's samples, ``[..., N, C]``.
        normalize_columns: divide by each class's mean over the samples of all processes, times C
            (the authors' later code): ``log(N / C * p / sum_x p)``.

    Returns:
        torch.Tensor: ``[..., N, C]``.
    """
    log_p = (logits / temperature).log_softmax(dim=-1)
    if not normalize_columns:
        return log_p
    log_sums, samples = _over_samples(log_p)
    p = (log_p - log_sums.clamp(min=math.log(_EPS))).exp() * (samples / logits.shape[-1])
    return (p + _EPS).log()


@in_float32
def self_classification(
    logits: torch.Tensor,
    *,
    num_targets: int,
    temperature: float,
    column_temperature: float,
    normalize_rows: bool,
    normalize_columns: bool = False,
) -> torch.Tensor:
    """Same-class prediction of two views under a uniform prior on the classes (Eqs. 3 and 4).

    ``-1/N sum_x sum_y p(x2|y) log p(y|x1)``, the mean over all pairs of a target view and another
    view. Gradient flows into the target, too. With several processes the value belongs to this
    process's samples; the mean over the processes is the loss of the joined batch, and so are the
    gradients that DistributedDataParallel averages.

    Args:
        logits: cosines of all views, ``[V, T, N, C]``: views, heads, this process's samples (the
            same number on all of them), classes.
        num_targets: the first so many views are targets, of all others: the large crops.
        temperature: of the row softmax, over classes.
        column_temperature: of the column softmax, over samples.
        normalize_rows: see :func:`sample_given_class`.
        normalize_columns: see :func:`log_class_given_sample`.

    Returns:
        torch.Tensor: the loss of each head, ``[T]``, float32 (or float64).
    """
    one_by_one = logits.device.type == "cpu" and logits[0, 0].numel() > _IN_CACHE
    pairs = [(i, j) for i in range(num_targets) for j in range(len(logits)) if i != j]
    losses = []
    for heads in logits.split(1 if one_by_one else logits.shape[1], dim=1):
        targets = sample_given_class(
            heads[:num_targets], temperature=column_temperature, normalize_rows=normalize_rows
        )
        predictions = log_class_given_sample(
            heads, temperature=temperature, normalize_columns=normalize_columns
        )
        terms = [torch.einsum("tnc,tnc->t", targets[i], predictions[j]) for i, j in pairs]
        losses.append(-torch.stack(terms).mean(0) / logits.shape[2])
    return torch.cat(losses)
