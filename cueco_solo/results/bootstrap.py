"""Intervals over validation images: the bootstrap, with the same resamples for all methods.

They say how much a figure would move with other validation images. They say nothing of other
seeds, which move it, too.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from cueco_solo.evaluation.accuracy import PER_CLASS
from cueco_solo.evaluation.per_image import PerImage, unpacked

RESAMPLES = 1000
_SEED = 5
_NOTHING = 1e-9
_CHUNK = 2**25  # weights held as floats at a time: 128 MB
_Z = float(norm.ppf(0.975))
Array = NDArray[np.floating]


@lru_cache(maxsize=2)
def _weights(images: int) -> NDArray[np.uint8]:
    """How often each image is drawn, ``[RESAMPLES, images]``; the same at every call."""
    random = np.random.default_rng(_SEED)
    drawn = np.empty((RESAMPLES, images), np.uint8)
    for row in drawn:
        row[:] = np.bincount(random.integers(images, size=images), minlength=images)
    return drawn


def _means(values: NDArray[Any]) -> Array:
    """The images' mean in each resample, ``[RESAMPLES]``."""
    return np.concatenate([part @ values for part in _parts(len(values))]) / len(values)


def _parts(images: int) -> Iterator[NDArray[np.float32]]:
    """The weights, some resamples at a time."""
    rows = max(1, _CHUNK // images)
    for at in range(0, RESAMPLES, rows):
        yield _weights(images)[at : at + rows].astype(np.float32)


def _drawn(codes: NDArray[Any], values: Any = 1.0) -> Array:
    """Sums of the images' values by code, of each resample: ``[codes, RESAMPLES]``."""
    images = len(codes)
    shape = images, int(codes.max()) + 1
    values = np.broadcast_to(np.asarray(values, np.float64), images)
    member = csr_matrix((values, (np.arange(images), codes)), shape).T.tocsr()
    return np.concatenate([member @ part.T for part in _parts(images)], axis=1)


def resampled(images: PerImage, figure: str) -> Array | None:
    """The figure of each resample of the validation images, in percent, ``[RESAMPLES]``.

    ACC and many-to-one accuracy keep the matching of all images, AMI the information that is
    expected by chance in all images.

    Args:
        images: what was found of each.
        figure: its name in the evaluation's file.

    Returns:
        None where the figure isn't one of hits or clusters.
    """
    labels = images.labels
    if not len(labels):
        return None
    if figure in images.hits:
        hits = unpacked(images.hits[figure]).astype(np.float64)
        if figure.endswith(PER_CLASS):
            return _mean_per_class(labels, hits)
        return 100 * _means(hits)
    for prefix in sorted(images.clusters, key=len, reverse=True):
        score = _SCORES.get(figure.removeprefix(prefix)) if figure.startswith(prefix) else None
        if score:
            return 100 * score(labels, unpacked(images.clusters[prefix]))
    return None


def _mean_per_class(labels: NDArray[Any], hits: Array) -> Array:
    with np.errstate(invalid="ignore"):  # a class of which a resample has no image
        return 100 * np.nanmean(_drawn(labels, hits) / _drawn(labels), axis=0)


def _accuracy(labels: NDArray[Any], clusters: NDArray[Any]) -> Array:
    counts = contingency_matrix(labels, clusters)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    matched = np.zeros(counts.shape, bool)
    matched[rows, columns] = True
    return _share(labels, clusters, matched)


def _many_to_one(labels: NDArray[Any], clusters: NDArray[Any]) -> Array:
    counts = contingency_matrix(labels, clusters)
    matched = np.zeros(counts.shape, bool)
    matched[counts.argmax(0), np.arange(counts.shape[1])] = True
    return _share(labels, clusters, matched)


def _share(labels: NDArray[Any], clusters: NDArray[Any], matched: NDArray[np.bool_]) -> Array:
    """Share of the images whose class and cluster are matched."""
    label, cluster = (np.unique(x, return_inverse=True)[1] for x in (labels, clusters))
    return _means(matched[label, cluster])


def _pairs(labels: NDArray[Any], clusters: NDArray[Any]) -> NDArray[np.integer]:
    """A number for each pair of class and cluster that there is, ``[images]``."""
    pairs = labels.astype(np.int64) * (int(clusters.max()) + 1) + clusters
    return np.unique(pairs, return_inverse=True)[1]


def _information(labels: NDArray[Any], clusters: NDArray[Any]) -> tuple[Array, Array]:
    """Mutual information and mean entropy of classes and clusters, in nats, ``[RESAMPLES]``."""
    entropy = []
    for codes in (labels, clusters, _pairs(labels, clusters)):
        shares = _drawn(codes) / len(labels)
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        entropy.append(-(shares * logs).sum(0))
    return entropy[0] + entropy[1] - entropy[2], (entropy[0] + entropy[1]) / 2


def _nmi(labels: NDArray[Any], clusters: NDArray[Any]) -> Array:
    mutual, mean = _information(labels, clusters)
    return mutual / np.maximum(mean, np.finfo(np.float64).tiny)


def _ami(labels: NDArray[Any], clusters: NDArray[Any]) -> Array:
    mutual, mean = _information(labels, clusters)
    counts = contingency_matrix(labels, clusters, sparse=True)
    chance = expected_mutual_information(counts.astype(np.int64), len(labels))
    return (mutual - chance) / np.maximum(mean - chance, np.finfo(np.float64).tiny)


def _ari(labels: NDArray[Any], clusters: NDArray[Any]) -> Array:
    codes = _pairs(labels, clusters), labels, clusters
    alike, classes, groups = ((counts * (counts - 1) / 2).sum(0) for counts in map(_drawn, codes))
    chance = classes * groups / (len(labels) * (len(labels) - 1) / 2)
    spread = (classes + groups) / 2 - chance
    return np.divide(alike - chance, spread, out=np.ones_like(spread), where=spread != 0)


_SCORES = {
    "nmi": _nmi,
    "ami": _ami,
    "ari": _ari,
    "acc": _accuracy,
    "acc_many_to_one": _many_to_one,
}


def half_width(values: Array) -> float | None:
    """Half of the 95 % interval around a figure, or a difference, of what its resamples gave.

    The normal approximation, since resampled mutual information is biased upwards: an image that
    is drawn twice agrees with itself.
    """
    half = _Z * float(values.std(ddof=1))
    # none of figures that are the same in all resamples, as of all right or all wrong answers
    return half if math.isfinite(half) and half > _NOTHING else None
