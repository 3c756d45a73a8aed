"""Weighted k-NN classification of frozen features, with solo-learn's votes, all at once."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from cueco_solo.evaluation.accuracy import PER_CLASS, mean_per_class
from cueco_solo.evaluation.checks import TEMPERATURE
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.per_image import PerImage

DISTANCES = ("cosine", "euclidean")
_PRODUCTS = 2**24  # held at a time, of some test samples with all train samples: 64 MB
_PAIRS = 2**15  # of features, subtracted at a time
_EPSILON = 1e-5  # solo-learn's, which keeps a vote finite
# a squared distance below this share of the squared norms has lost digits to their cancellation
_BLURRED = 1e-2
# below which a vector counts as zero, as in torch's normalize
_ZERO = 1e-12


def knn_accuracies(
    features: Features,
    ks: Sequence[int] = (20, 100, 200),
    temperature: float = TEMPERATURE,
    per_class: bool = False,
) -> dict[str, float]:
    """:func:`knn_sweep` at one temperature."""
    return knn_sweep(features, ks, (temperature,), per_class)[temperature]


@torch.no_grad()
def knn_sweep(
    features: Features,
    ks: Sequence[int],
    temperatures: Sequence[float],
    per_class: bool = False,
    images: Mapping[float, PerImage] | None = None,
) -> dict[float, dict[str, float]]:
    """Accuracies of test features classified by their nearest train features.

    The figures are those of solo-learn's ``WeightedKNNClassifier``, of which each k, distance and
    temperature would take one. Here a single product of test and train features serves them all.
    Among train samples at the same distance, of which some are beyond the k-th place, any may
    count.

    Args:
        ks: numbers of neighbours; all train features, if there are fewer.
        temperatures: of the cosine votes ``exp(cosine / temperature)``; Euclidean votes are
            ``1 / distance``.
        per_class: also the mean of the classes' accuracies.
        images: by temperature, where the right answers by cosine are noted.

    Returns:
        By temperature: percent by ``"<distance>_<k>_top1"`` and ``"..._top5"``, also
        ``"..._mean_per_class"``. The Euclidean ones are the same at all temperatures.
    """
    wanted = list(dict.fromkeys(temperatures))
    first: dict[float | None, dict[str, list[Tensor]]] = {}  # hits of the nearest class
    hits: dict[float | None, dict[str, int]] = {}
    labels = features.train_labels
    classes = int(torch.cat((labels, features.test_labels)).max()) + 1
    most = min(max(ks), len(labels))
    for targets, distance, temperature, weights, neighbours in _nearest(features, most, wanted):
        counts = hits.setdefault(temperature, {})
        votes, counted = weights.new_zeros(len(weights), classes), 0
        for k in sorted(set(ks)):
            part = slice(counted, min(k, most))
            votes.scatter_add_(1, labels[neighbours[:, part]], weights[:, part])
            counted = part.stop
            right = votes.sort(1, descending=True).indices == targets[:, None]
            for n in (1, 5):
                name = f"{distance}_{k}_top{n}"
                counts[name] = counts.get(name, 0) + int(right[:, : min(n, part.stop)].sum())
            own = first.setdefault(temperature, {})
            own.setdefault(f"{distance}_{k}", []).append(right[:, 0])
    places = [f"{distance}_{k}_top{n}" for distance in DISTANCES for k in ks for n in (1, 5)]
    found = {}
    for temperature in wanted:
        count = hits[temperature] | hits[None]
        shares = {name: 100.0 * count[name] / len(features.test) for name in places}
        means: dict[str, float] = {}
        for name, parts in (first[temperature] | first[None]).items():
            right, more = torch.cat(parts), f"{name}_{PER_CLASS}"
            if per_class:
                means[more] = mean_per_class(right, features.test_labels)
            if images and name.startswith("cosine"):
                for figure in (f"{name}_top1", more) if per_class else (f"{name}_top1",):
                    images[temperature].add_hits(figure, right, features.test_labels)
        found[temperature] = means | shares
    return found


def _nearest(
    features: Features, k: int, temperatures: Sequence[float]
) -> Iterator[tuple[Tensor, str, float | None, Tensor, Tensor]]:
    """Targets, distance, temperature, votes and neighbours ``[n, k]``, nearest first, chunk-wise.

    The Euclidean distance has no temperature.
    """
    bank, squares = features.train, features.train.pow(2).sum(1)
    norms = squares.sqrt().clamp_min(_ZERO)
    size = max(1, _PRODUCTS // len(bank))
    for query, targets in zip(
        features.test.split(size), features.test_labels.split(size), strict=True
    ):
        own = query.pow(2).sum(1, keepdim=True)
        products = query @ bank.T
        cosine, nearest = (products / norms).topk(k)
        cosine = cosine / own.sqrt().clamp_min(_ZERO)
        # relative to the largest, which changes no rank and can't overflow
        cosine = cosine - cosine[:, :1]
        for temperature in temperatures:
            yield targets, "cosine", temperature, (cosine / temperature).exp(), nearest
        half, nearest = products.sub_(squares / 2).topk(k)
        squared = (own - 2 * half).clamp_min_(0)
        rows, places = (squared < _BLURRED * (own + squares[nearest])).nonzero(as_tuple=True)
        for row, place in zip(rows.split(_PAIRS), places.split(_PAIRS), strict=True):
            gap = query[row] - bank[nearest[row, place]]
            squared[row, place] = gap.pow(2).sum(1)
        # nearest first, since the exact distances may order them anew
        squared, order = squared.sort(dim=1)
        votes = 1 / (squared.sqrt() + _EPSILON)
        yield targets, "euclidean", None, votes, nearest.gather(1, order)
