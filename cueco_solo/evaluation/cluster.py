"""Unsupervised classification: K-means on frozen features, scored against the labels."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from cueco_solo.clustering.agreement import agreement
from cueco_solo.errors import config_error, moved
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.per_image import PerImage

_MOVES = 10
_DRAWN_FROM = 10_000  # features that starts are drawn from


def _starts(x: torch.Tensor, k: int, restarts: int, seed: int) -> Iterator[NDArray[np.floating]]:
    """Centroids drawn by K-means++ among some of the features, for all restarts at once."""
    generator = torch.Generator().manual_seed(seed)
    x = x[torch.randperm(len(x), generator=generator)[: max(_DRAWN_FROM, 10 * k)]]
    norms, runs = x.pow(2).sum(1), torch.arange(restarts)
    trials = 2 + int(math.log(k))  # the best of so many is taken, as in scikit-learn
    chosen = torch.randint(len(x), (restarts, 1), generator=generator)
    nearest = (norms + norms[chosen] - 2 * x[chosen[:, 0]] @ x.T).clamp(min=0)
    while chosen.shape[1] < k:
        # where every feature lies on a centroid, any will do
        weights = nearest + torch.finfo(x.dtype).tiny
        drawn = weights.multinomial(trials, replacement=True, generator=generator)
        products = (x[drawn.flatten()] @ x.T).unflatten(0, drawn.shape)
        squared = (norms + norms[drawn][..., None] - 2 * products).clamp(min=0)
        squared = torch.minimum(nearest[:, None], squared)
        best = squared.sum(2).argmin(1)
        nearest, last = squared[runs, best], drawn[runs, best]
        chosen = torch.cat((chosen, last[:, None]), dim=1)
    return (x[rows].numpy() for rows in chosen)


def fitted_kmeans(x: torch.Tensor, k: int, restarts: int, seed: int) -> KMeans:
    """scikit-learn's K-means of ``[N, D]`` float32, N >= k, from several K-means++ starts.

    Each start is moved ten times; the one with the lowest inertia is then run to convergence.
    Running all of them to convergence takes many times as long and hardly lowers the inertia.
    """
    array = x.numpy()
    tried = [
        KMeans(k, init=start, n_init=1, max_iter=_MOVES).fit(array)
        for start in _starts(x, k, restarts, seed)
    ]
    best = min(tried, key=lambda kmeans: kmeans.inertia_)
    return KMeans(k, init=best.cluster_centers_, n_init=1).fit(array)


def assigned_clusters(features: Features, restarts: int = 10, seed: int = 5) -> NDArray[np.integer]:
    """The cluster of each test feature, ``[M]``: K-means with one cluster per class.

    Fitted on the train features, see :func:`fitted_kmeans`.

    Raises:
        ConfigError: there are fewer train features than classes.
    """
    if len(features.train) < features.num_classes:
        raise config_error(
            "--train-path",
            len(features.train),
            f"images are fewer than the {features.num_classes} clusters to find",
            "give as many images of each class",
        )
    kmeans = fitted_kmeans(features.train, features.num_classes, restarts, seed)
    return kmeans.predict(features.test.numpy())


def cluster_scores(
    features: Features, restarts: int = 10, seed: int = 5, images: PerImage | None = None
) -> dict[str, float]:
    """:func:`agreement` of :func:`assigned_clusters`, noted in ``images``, with the test labels."""
    clusters, labels = assigned_clusters(features, restarts, seed), features.test_labels.numpy()
    if images is not None:
        images.add_clusters("", clusters, labels)
    return agreement(labels, clusters)


__getattr__ = moved(
    __name__,
    clustering_accuracy="clustering.agreement.clustering_accuracy",
    label_scores="clustering.agreement.label_scores",
)
