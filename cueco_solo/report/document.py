"""What a report shows, as plain data between those who gather it and the page that draws it.

All but the table is JSON: str, int, float, bool, None, list and dict. Floats are finite. Pictures
are ``data:`` URIs.
"""

from dataclasses import dataclass, field
from typing import Any, TypedDict

from cueco_solo.errors import moved
from cueco_solo.results.table import ResultTable


class Curve(TypedDict):
    """A logged quantity; ``step`` and ``value`` have the same length."""

    step: list[int]
    value: list[float]


class Embedding(TypedDict):
    """Test features in two dimensions; one entry per image.

    Attributes:
        algorithm: ``"t-SNE"`` or ``"UMAP"``.
        x: first coordinate.
        y: second coordinate.
        label: class, an index into ``Images.classes``.
        image: an index into ``Images.thumbnails``.
        file: class folder and file of each image.
        near: of each image the five with the most similar features, most similar first: places in
            these lists.
        cluster: by K-means; empty where there is no clustering.
    """

    algorithm: str
    x: list[float]
    y: list[float]
    label: list[int]
    image: list[int]
    file: list[str]
    near: list[list[int]]
    cluster: list[int]


class Cluster(TypedDict):
    """A cluster of test images with up to nine random ones of them.

    Attributes:
        cluster: its number.
        size: images in it.
        entropy: of the classes in it, in nats; 0 if it holds one class only.
        images: indices into ``Images.thumbnails``.
    """

    cluster: int
    size: int
    entropy: float
    images: list[int]


class Clusters(TypedDict):
    """One clustering of the test images.

    Attributes:
        name: whose it is, e.g. ``"K-means"``.
        lowest_entropy: the clusters of the lowest entropy, lowest first.
        matrix: images by cluster (row) and class (column). Rows stand in the order of the best
            matching; one beyond the classes stands behind that of the class it has most of, an
            empty one behind all.
        order: the clusters' numbers by row.
    """

    name: str
    lowest_entropy: list[Cluster]
    matrix: list[list[int]]
    order: list[int]


class Companions(TypedDict):
    """A training image and, level by level, images of its cluster (RCL).

    Attributes:
        image: an index into ``Images.thumbnails``.
        levels: for level 2 and up: size of the cluster and some other members of it, most similar
            first.
    """

    image: int
    levels: list["Level"]


class Level(TypedDict):
    """See :class:`Companions`."""

    level: int
    size: int
    images: list[int]


class KNNSweep(TypedDict):
    """k-NN accuracies of a row of the table, by cosine.

    Attributes:
        series: what the method is called.
        name: of the row, with its data set.
        accuracy: ``"top-1"`` or ``"mean per class"``.
        settings: what tells the sweep from another one of the row, as text.
        runs: number of runs that a mean is of, at most.
        ks: numbers of neighbours, ascending.
        temperatures: ascending.
        means: percent by k (row) and temperature (column); None where nothing was measured.
    """

    series: str
    name: str
    accuracy: str
    settings: str
    runs: int
    ks: list[int]
    temperatures: list[float]
    means: list[list[float | None]]


class Images(TypedDict):
    """The pictures of one data set, shared by all runs that were evaluated on it."""

    classes: list[str]
    thumbnails: list[str]


class Reproduce(TypedDict):
    """How a run was made.

    Attributes:
        command: a shell command that makes it again, quoted.
        seed: of the run.
        commit: of this package, None if unknown.
        solo_learn: form, version and commit of solo-learn, as one text.
        versions: of the libraries, by name.
        hardware: platform and GPUs, as one text.
    """

    command: str | None
    seed: int | None
    commit: str | None
    solo_learn: str | None
    versions: dict[str, str]
    hardware: str | None


class RunPart(TypedDict):
    """One run; what it doesn't have is None or empty, and ``missing`` says why.

    Attributes:
        id: unique in the report.
        folder: as given.
        label: a short name.
        series: what its method is called in the tables.
        method, dataset: of the run.
        images: key into ``Document.images``.
        curves: by logged name, e.g. ``train_nce_loss``, ``val_acc1``, ``cluster_active``,
            ``train_alignment``, ``train_uniformity``.
        steps_per_epoch: of the curves' steps; None if unknown.
        config: flat: dotted key to value as text.
        history: sentences on when and where it started, stopped and went on.
        missing: sentences for what couldn't be shown, e.g. why there is no embedding, and for what
            can't be compared as it stands.
    """

    id: str
    folder: str
    label: str
    series: str
    method: str
    dataset: str
    images: str | None
    curves: dict[str, Curve]
    steps_per_epoch: float | None
    embedding: Embedding | None
    clusters: list[Clusters]
    companions: list[Companions]
    config: dict[str, Any]
    reproduce: Reproduce
    history: list[str]
    missing: list[str]


@dataclass(frozen=True)
class Document:
    """The whole report.

    Attributes:
        title: of the page.
        created: date and time with time zone, ISO 8601.
        table: of figures.
        runs: in the order given.
        images: by data set and place, see ``RunPart.images``.
        knn: sweeps of k-NN, in the order of the rows.
    """

    title: str
    created: str
    table: ResultTable
    runs: list[RunPart]
    images: dict[str, Images]
    knn: list[KNNSweep] = field(default_factory=list)


__getattr__ = moved(
    __name__, Figure="results.figures.Figure", Comparison="results.table.Difference"
)
