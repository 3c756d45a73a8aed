"""Test images as a picture: by their features in two dimensions, and by clusters."""

import importlib.util

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics.cluster import contingency_matrix

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.report.document import Cluster, Clusters, Embedding
from cueco_solo.report.pictures import Album

ALGORITHMS = {"tsne": "t-SNE", "umap": "UMAP"}
_WIDTH = 50  # dimensions that PCA leaves for the neighbour search
_FEWEST = 5  # points
_NEIGHBOURS = {"tsne": 30, "umap": 15}
_SHOWN_CLUSTERS, _SHOWN_IMAGES = 10, 9
_LARGEST_MATRIX = 200  # clusters or classes


def check_algorithm(name: str) -> None:
    """Refuse what isn't known or not installed.

    Raises:
        ConfigError: it is neither tsne, umap nor none; or umap, without umap-learn.
    """
    if name not in (*ALGORITHMS, "none"):
        raise config_error("--embedding", name, "must be tsne, umap or none")
    if name == "umap" and importlib.util.find_spec("umap") is None:
        remedy = "pip install umap-learn, or take tsne"
        raise config_error("--embedding", name, "needs umap-learn, which isn't installed", remedy)


def in_two_dimensions(features: NDArray, algorithm: str, seed: int) -> NDArray:
    """Points that lie near each other where their features do.

    Args:
        features: ``[N, D]``.
        algorithm: a key of :data:`ALGORITHMS`.
        seed: of the algorithm.

    Returns:
        ``[N, 2]``.

    Raises:
        ConfigError: there are too few of them, or all are alike.
    """
    if len(features) < _FEWEST:
        raise ConfigError(f"{len(features)} test images are too few for an embedding")
    if not np.ptp(features, axis=0).any():
        raise ConfigError("the features of all test images are the same: they have collapsed")
    if min(features.shape) > _WIDTH:
        features = PCA(_WIDTH, random_state=seed).fit_transform(features)
    neighbours = min(_NEIGHBOURS[algorithm], (len(features) - 1) // 3)
    if algorithm == "tsne":
        return TSNE(perplexity=max(1, neighbours), random_state=seed).fit_transform(features)
    from umap import UMAP

    return UMAP(n_neighbors=max(2, neighbours), random_state=seed).fit_transform(features)


def embedding(
    features: NDArray, labels: NDArray, chosen: NDArray, album: Album, algorithm: str, seed: int
) -> Embedding:
    """Some test images in two dimensions.

    Args:
        features: of all test images, ``[M, D]``.
        labels: their classes, ``[M]``.
        chosen: which of them, ``[N]``.
        album: of the test images.
        algorithm: a key of :data:`ALGORITHMS`.
        seed: of the algorithm.

    Raises:
        ConfigError: see :func:`in_two_dimensions`; or an image can't be read.
    """
    points = in_two_dimensions(features[chosen], algorithm, seed)
    x, y = ([float(f"{value:.4g}") for value in axis] for axis in points.T)
    return Embedding(
        algorithm=ALGORITHMS[algorithm],
        x=x,
        y=y,
        label=labels[chosen].tolist(),
        image=[album.add("test", int(index)) for index in chosen],
    )


def cluster_images(
    name: str,
    assigned: NDArray,
    labels: NDArray,
    shape: tuple[int, int],
    album: Album,
    seed: int,
) -> Clusters:
    """Clusters against classes, and random images of the clusters of the lowest entropy.

    Clusters of fewer images than are shown don't count among those, unless all are as small: one
    image alone has no entropy at all.

    Args:
        name: of the clustering.
        assigned: cluster of each test image, ``[M]``.
        labels: class of each test image, ``[M]``.
        shape: number of clusters, number of classes.
        album: of the test images.
        seed: of the choice of images.

    Raises:
        ConfigError: an image can't be read.
    """
    matrix = np.zeros(shape, dtype=int)
    clusters, classes = np.unique(assigned), np.unique(labels)
    matrix[np.ix_(clusters, classes)] = contingency_matrix(labels, assigned).T
    sizes = matrix.sum(1)
    entropies = np.array([entropy(row) if row.any() else 0.0 for row in matrix])
    large = [c for c in clusters if sizes[c] >= _SHOWN_IMAGES] or list(clusters)
    lowest = sorted(large, key=lambda c: (entropies[c], -sizes[c]))[:_SHOWN_CLUSTERS]
    generator = np.random.default_rng(seed)
    few = max(shape) <= _LARGEST_MATRIX
    order = _matched(matrix) if few else []
    return Clusters(
        name=name,
        lowest_entropy=[
            Cluster(
                cluster=int(c),
                size=int(sizes[c]),
                entropy=float(f"{entropies[c]:.4g}"),
                images=_some((assigned == c).nonzero()[0], album, generator),
            )
            for c in lowest
        ],
        matrix=matrix[order].tolist() if few else [],
        order=order,
    )


def _matched(matrix: NDArray) -> list[int]:
    """Clusters by the class they are matched with, and behind it those with most of that class."""
    matched, classes = linear_sum_assignment(matrix, maximize=True)
    hit = matrix[matched, classes] > 0
    matched, classes = matched[hit], classes[hit]
    leading = np.where(matrix.any(1), matrix.argmax(1), matrix.shape[1])  # empty ones last
    leading[matched] = classes
    beyond = ~np.isin(np.arange(len(matrix)), matched)
    return np.lexsort((-matrix.max(1), beyond, leading)).tolist()


def _some(members: NDArray, album: Album, generator: np.random.Generator) -> list[int]:
    number = min(_SHOWN_IMAGES, len(members))
    chosen = generator.choice(members, number, replace=False)
    return [album.add("test", int(index)) for index in chosen]
