"""What a run's features and clusters look like: the parts of a report that need its images."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.comparison.rows import dataset_name
from cueco_solo.errors import ConfigError, HostError, one_line
from cueco_solo.report.document import Images, RunPart
from cueco_solo.report.pictures import Album, balanced
from cueco_solo.runs import Run

# the figures' own, so that the clusters shown are those that were scored
_KMEANS = {"restarts": 10, "seed": 5}
_BATCH_SIZE = 256
# what a folder, a configuration or a data set that isn't as it should be ends in
PROBLEMS = (ConfigError, HostError, OSError, OmegaConfBaseException)


@dataclass
class Looking:
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
        from cueco_solo.report.maps import check_algorithm

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
        from cueco_solo.evaluation.cache import cached_features
        from cueco_solo.evaluation.cluster import assigned_clusters
        from cueco_solo.evaluation.features import evaluation_data
        from cueco_solo.evaluation.own_labels import HEADS, own_labels
        from cueco_solo.report import maps
        from cueco_solo.report.tables import protocol_title

        data = evaluation_data(run, self.train_path, self.val_path)
        features = cached_features(
            run, data, False, _BATCH_SIZE, data.num_workers, self.device, cache=self.cache
        )
        album.num_classes = features.num_classes
        test, labels = features.test.numpy(), features.test_labels.numpy()

        def show(name: str, assigned: NDArray, number: int) -> None:
            shape = number, features.num_classes
            found = maps.cluster_images(name, assigned, labels, shape, album, self.seed)
            part["clusters"].append(found)
            if not found["matrix"]:
                size = f"{number} clusters and {features.num_classes} classes"
                most = f"a table of {size} is too large to be read"
                part["missing"].append(f"Clusters against classes, {name}: {most}.")

        def cluster() -> None:
            assigned = assigned_clusters(features, **_KMEANS)
            show("K-means", assigned, features.num_classes)

        def own() -> None:
            for head, assigned in zip(HEADS, own_labels(run, features.test), strict=True):
                name = protocol_title(f"clustering-{head}-head")
                show(name, assigned.numpy(), run.cfg.method_kwargs.head_size)

        def embed() -> None:
            chosen: Any = balanced(labels, self.images, self.seed)
            part["embedding"] = maps.embedding(
                test, labels, chosen, album, self.embedding, self.seed
            )

        if self.embedding != "none":
            self._try(part, "Embedding", embed)
        self._try(part, "Clusters", cluster)
        if run.cfg.method == "self_classifier":
            self._try(part, "Its own labels", own)
