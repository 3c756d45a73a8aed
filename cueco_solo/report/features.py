"""What a run's test features look like: in two dimensions with their images, and by clusters."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics.cluster import contingency_matrix

from cueco_solo.errors import ConfigError, config_error, one_line
from cueco_solo.report.document import Cluster, Clusters, Embedding, Images, RunPart
from cueco_solo.report.thumbnails import Album, balanced
from cueco_solo.results.figures import dataset_name
from cueco_solo.results.runs import PROBLEMS
from cueco_solo.training.run_folder import Run

# the figures' own, so that the clusters shown are those that were scored
_KMEANS = {"restarts": 10, "seed": 5}
_BATCH_SIZE = 256


@dataclass
class FeatureViews:
    """How the features are looked at.

    Attributes:
        embedding: ``"tsne"``, ``"umap"`` or ``"none"``.
        images: test images in it, at most.
        seed: of every random choice.
        device: where features are extracted that aren't kept yet.
        cache: keep extracted features in the run folder, and read them there.
        train_path: instead of the runs' ``data.train_path``.
        val_path: instead of the runs' ``data.val_path``.
    """

    embedding: str = "tsne"
    images: int = 1000
    seed: int = 5
    device: str = "cpu"
    cache: bool = True
    train_path: str | None = None
    val_path: str | None = None
    _albums: dict[str, Album] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        check_algorithm(self.embedding)

    def fill(self, run: Run, part: RunPart) -> None:
        """Add embedding, clusters and companions to a run's part, or to ``missing`` why not."""
        name, album = self._album(run)
        self._try(part, "Embedding and clusters", lambda: self._features(run, part, album))
        if run.cfg.method == "rcl":
            from cueco_solo.report.companions import companions

            def look() -> None:
                part["companions"] = companions(run, album, self.seed)

            self._try(part, "Companions", look)
        shown = part["embedding"] or part["clusters"] or part["companions"]
        part["images"] = name if shown else None

    def albums(self) -> dict[str, Images]:
        """The pictures of all runs so far."""
        found = {name: album.images() for name, album in self._albums.items()}
        return {name: images for name, images in found.items() if images["thumbnails"]}

    @staticmethod
    def _try(part: RunPart, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except PROBLEMS as error:
            part["missing"].append(f"{what}: {one_line(error)}.")

    def _album(self, run: Run) -> tuple[str, Album]:
        """The pictures of a run's data, by a name that is the same for all runs of the same."""
        data = DictConfig(run.cfg.data.copy())
        if not data.get("no_labels"):
            data.train_path = self.train_path or data.get("train_path")
        data.val_path = self.val_path or data.get("val_path")
        paths = " and ".join(str(Path(p)) for p in (data.train_path, data.val_path) if p)
        fraction = data.get("fraction") or -1
        share = f", {100 * fraction:g} % of the training images" if fraction > 0 else ""
        form = data.get("format") or "image_folder"
        name = f"{dataset_name(data)} in {paths} ({form}{share})"
        return name, self._albums.setdefault(name, Album(data))

    def _features(self, run: Run, part: RunPart, album: Album) -> None:
        from cueco_solo.evaluation.checks import evaluation_data
        from cueco_solo.evaluation.cluster import assigned_clusters
        from cueco_solo.evaluation.feature_cache import cached_features
        from cueco_solo.evaluation.own_labels import HEADS, own_labels
        from cueco_solo.results.columns import Column

        if run.cfg.data.get("no_labels") and not (self.train_path and self.val_path):
            reason = "leaves no labelled images to show"
            remedy = "give the report --train-path DIR --val-path DIR"
            raise config_error("data.no_labels", True, reason, remedy)
        data = evaluation_data(run, self.train_path, self.val_path)
        features = cached_features(
            run, data, False, _BATCH_SIZE, data.num_workers, self.device, cache=self.cache
        )
        album.num_classes = features.num_classes
        test, labels = features.test.numpy(), features.test_labels.numpy()

        def show(name: str, assigned: NDArray, number: int) -> None:
            shape = number, features.num_classes
            found = cluster_images(name, assigned, labels, shape, album, self.seed)
            part["clusters"].append(found)
            if not found["matrix"]:
                size = f"{number} clusters and {features.num_classes} classes"
                most = f"a table of {size} is too large to be read"
                part["missing"].append(f"Clusters against classes, {name}: {most}.")

        def cluster() -> None:
            assigned = assigned_clusters(features, **_KMEANS)
            if part["embedding"]:
                part["embedding"]["cluster"] = assigned[chosen].tolist()
            show("K-means", assigned, features.num_classes)

        def own() -> None:
            for head, assigned in zip(HEADS, own_labels(run, features.test), strict=True):
                name = Column(f"clustering-{head}-head", "", True).group
                show(name, assigned.numpy(), run.cfg.method_kwargs.head_size)

        chosen: Any = balanced(labels, self.images, self.seed)

        def embed() -> None:
            part["embedding"] = embedding(test, labels, chosen, album, self.embedding, self.seed)

        if self.embedding != "none":
            self._try(part, "Embedding", embed)
        self._try(part, "Clusters", cluster)
        if run.cfg.method == "self_classifier":
            self._try(part, "Its own labels", own)


ALGORITHMS = {"tsne": "t-SNE", "umap": "UMAP"}
_WIDTH = 50  # dimensions that PCA leaves for the neighbour search
_FEWEST = 5  # points
_NEAR = 5  # neighbours that a point is shown with
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
        file=[album.name("test", int(index)) for index in chosen],
        near=nearest(features[chosen], _NEAR),
        cluster=[],
    )


def nearest(features: NDArray, number: int) -> list[list[int]]:
    """The places of the others of the highest cosine similarity, for each of ``[N, D]``."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, : min(number, len(unit) - 1)].tolist()


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
                images=_chosen_images((assigned == c).nonzero()[0], album, generator),
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


def _chosen_images(members: NDArray, album: Album, generator: np.random.Generator) -> list[int]:
    number = min(_SHOWN_IMAGES, len(members))
    chosen = generator.choice(members, number, replace=False)
    return [album.add("test", int(index)) for index in chosen]
