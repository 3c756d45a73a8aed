"""The one table of figures. Markdown, LaTeX, CSV, JSON, terminal and report are renderers of it."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from cueco_solo.evaluation.checks import TEMPERATURE
from cueco_solo.results.figures import UNTRAINED, Figure
from cueco_solo.results.published import OFFLINE, ONLINE, UNKNOWN, Published
from cueco_solo.results.runs import RunFigures, check_baseline
from cueco_solo.results.settings import as_text, differing
from cueco_solo.results.statistics import Paired, mean_std, paired


class Key(NamedTuple):
    """What a column shows: a metric of a protocol, and the settings that tell it from another."""

    protocol: str
    metric: str
    settings: str = ""


_PROTOCOLS = {
    "linear": "Linear",
    "linear-cached": "Linear, cached features",
    "linear-sweep": "Linear, swept",
    "linear-online": "Linear, online",
    UNKNOWN: "Linear, online or offline",
    "fewshot": "Few-shot",
    "knn": "k-NN",
    "clustering": "Clustering",
    "clustering-first-head": "Own labels, first head",
    "clustering-best-head": "Own labels, best head",
    **{
        f"semi-supervised-{percent}pct{kind}": f"Fine-tuned, {percent} % of labels{words}"
        for percent in (1, 10)
        for kind, words in (
            ("", ""),
            ("-sweep", ", swept"),
            ("-sweep-on-validation", ", swept on validation images"),
        )
    },
    "training": "Training",
}
_METRICS = {
    "mean_per_class": "mean per class",
    "top1": "top-1",
    "top5": "top-5",
    "nmi": "NMI",
    "ami": "AMI",
    "ari": "ARI",
    "acc": "ACC",
    "acc_many_to_one": "ACC, many to one",
    "rankme_train": "RankMe, train",
    "rankme_test": "RankMe, test",
    "seconds": "seconds",
}
_KNN_WORDS = {"euclidean": "Euclidean", "top5": "top-5", "mean_per_class": "mean per class"}
# what every renderer shows; the others stand in CSV and JSON, and in the report on demand. A
# protocol that has none of these shows all of its metrics.
_PRIMARY = {
    *("mean_per_class", "top1", "knn20-mean_per_class", "knn20"),
    *(f"{k}-shot{of}" for k in (1, 5, 20) for of in ("", "-mean_per_class")),
    *("nmi", "ami", "ari", "acc", "seconds"),
}
# what the renderers say of intervals over images
OVER_IMAGES = (
    "[low, high], of a single seed: 95 % interval over the validation images (bootstrap). It says "
    "nothing of other seeds."
)
DIFFERENCE_OVER_IMAGES = (
    "[low to high], of a single pair: 95 % interval over the validation images (bootstrap, the "
    "same images for both). It says nothing of other seeds."
)
# k-NN at another temperature stands back where the usual one is there, too
_TEMPERATURE, _USUAL = re.compile(r"temperature=[^,]+"), f"temperature={TEMPERATURE:g}"
_INTERVAL = "-interval"
# neither a high rank nor a long training is an aim in itself
_NOT_RANKED = ("rankme", "seconds")


@dataclass(frozen=True)
class Column:
    """One metric of one protocol; ``primary`` ones are shown by every renderer.

    ``settings`` are those that differ between figures of the protocol on one data set, as text:
    what was measured with other settings stands in another column.
    """

    protocol: str
    metric: str
    primary: bool
    settings: str = ""

    @property
    def key(self) -> Key:
        return Key(self.protocol, self.metric, self.settings)

    @property
    def condition(self) -> str:
        """What the metrics of a group have in common."""
        return f"{self.protocol}: {self.settings}" if self.settings else self.protocol

    @property
    def group(self) -> str:
        """The protocol as people write it, with the settings; an unknown one as it is."""
        name = _PROTOCOLS.get(self.protocol, self.protocol)
        return f"{name} ({self.settings})" if self.settings else name

    @property
    def title(self) -> str:
        """The metric as people write it: ``knn20-euclidean`` is "20-NN, Euclidean"."""
        if self.metric.endswith(_INTERVAL):
            return f"{self.metric.removesuffix(_INTERVAL)}, 95 % interval ±"
        if not self.metric.startswith("knn"):
            return _METRICS.get(self.metric, self.metric)
        k, *rest = self.metric.removeprefix("knn").split("-")
        words = [_KNN_WORDS.get(word, word) for word in rest]
        return ", ".join([f"{k}-NN", *words])


@dataclass(frozen=True)
class Cell:
    """Mean over ``n`` runs and their sample standard deviation; ``best`` of its data set.

    ``note`` is the footnote of a published figure; ``half``, of a single run, the half-width of the
    95 % interval over the validation images, which doesn't go below ``lowest``.
    """

    mean: float
    std: float | None = None
    n: int = 1
    best: bool = False
    note: str = ""
    half: float | None = None
    lowest: float = 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval over images, in percent."""
        if self.half is None:
            return None
        return max(self.lowest, self.mean - self.half), min(100.0, self.mean + self.half)


@dataclass
class Single:
    """One run of a row, with what was measured of it on the row's data.

    Attributes:
        run: the run.
        measured: by column, the figures by seed of the evaluation.
    """

    run: RunFigures
    measured: dict[Key, dict[int | None, Figure]] = field(default_factory=dict)

    @property
    def figures(self) -> dict[Key, Figure]:
        """By column, the mean over the evaluation's seeds; of these, half-widths have none."""
        return {
            key: _mean_figure(list(found.values()))
            for key, found in self.measured.items()
            if len(found) == 1 or not key.metric.endswith(_INTERVAL)
        }

    def resampled(self, key: Key, other: "Single | None" = None) -> Any:
        """The figure of each resample of the validation images, ``[RESAMPLES]``.

        The mean over the evaluation's seeds; None where it isn't known what was found of each
        image, or ``other``'s images are others.
        """
        from cueco_solo.results.bootstrap import resampled  # imports torch and scikit-learn

        found = self.measured[key].values()
        known = [figure["images"] for figure in found if "images" in figure]
        theirs = (
            [f["images"] for f in other.measured[key].values() if "images" in f] if other else []
        )
        if len(known) < len(found) or not all(
            known[0][0].same_images(images) for images, _ in [*known, *theirs]
        ):
            return None
        values = [value for one in known if (value := resampled(*one)) is not None]
        return np.mean(values, axis=0) if values and len(values) == len(found) else None

    def add(self, key: Key, figure: Figure) -> None:
        """Add a figure, unless there is one of this column and seed."""
        self.measured.setdefault(key, {}).setdefault(figure["evaluation_seed"], figure)


def _mean_figure(figures: Sequence[Figure]) -> Figure:
    first = figures[0]
    if len(figures) == 1:
        return first
    mean = mean_std([figure["value"] for figure in figures]).mean
    return {**first, "value": mean, "evaluation_seed": None}


@dataclass
class Row:
    """One method on one data set, or published figures of one source.

    Attributes:
        series: what the method is called.
        dataset, backbone, epochs: what the figures are of; ``epochs`` is None if unknown.
        source: what published figures stand in; empty for ours.
        label: ``series``, with backbone, epochs or the data that it was pre-trained on where the
            table has the series twice.
        singles: the runs; empty for published figures.
        cells: one per column of the table, of published figures per published column; None where
            nothing was measured.
        pretrained: data set of the pre-training; empty for published figures.
    """

    series: str
    dataset: str
    backbone: str
    epochs: int | None
    source: str = ""
    label: str = ""
    singles: list[Single] = field(default_factory=list)
    cells: list[Cell | None] = field(default_factory=list)
    pretrained: str = ""

    @property
    def transferred(self) -> bool:
        """Whether the figures are of other images than those of the pre-training."""
        return self.dataset not in (self.pretrained, f"{self.pretrained}-20")  # superclasses

    @property
    def setting(self) -> str:
        """Backbone and epochs."""
        epochs = "unknown" if self.epochs is None else self.epochs
        return f"{self.backbone}, {epochs} {'epoch' if epochs == 1 else 'epochs'}"

    def by_seed(self, key: Key) -> dict[int, Single]:
        """The runs with a figure in one column by seed, where that is known."""
        return {
            single.run.seed: single
            for single in self.singles
            if key in single.figures and single.run.seed is not None
        }


@dataclass(frozen=True)
class Difference:
    """A row minus the baseline's row in one column, paired by seed."""

    row: Row
    column: Column
    paired: Paired

    @property
    def over_images(self) -> bool:
        """Whether the interval is one over validation images, as there is one pair of seeds."""
        return self.paired.n == 1 and self.paired.low is not None


@dataclass(frozen=True)
class ResultTable:
    """All figures of some runs.

    Attributes:
        columns: those that have a figure of ours, known protocols first.
        rows: ours; untrained backbones first, then in the order of the runs.
        published_columns: those that ours can be compared with, and figures that may be either.
        published: rows of others' figures on the same data, in these columns.
        baseline: the series that the others are compared with, if any.
        differences: row by row, column by column.
    """

    columns: list[Column]
    rows: list[Row]
    published_columns: list[Column]
    published: list[Row]
    baseline: str | None
    differences: list[Difference]

    @property
    def over_images(self) -> bool:
        """Whether a cell has an interval over validation images."""
        return any(cell and cell.half is not None for row in self.rows for cell in row.cells)

    @property
    def notes(self) -> dict[str, str]:
        """The footnotes of published figures, and the letter of each."""
        cells = (cell for row in self.published for cell in row.cells)
        notes = dict.fromkeys(cell.note for cell in cells if cell and cell.note)
        return {note: _letters(i) for i, note in enumerate(notes)}

    def figures(self) -> list[Figure]:
        """Our figures, one per measurement, in the order of the rows."""
        return [
            figure
            for row in self.rows
            for single in row.singles
            for found in single.measured.values()
            for figure in found.values()
        ]


def _letters(number: int) -> str:
    """a to z, aa, ab, ..."""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("a") + last)


def make_table(
    runs: Sequence[RunFigures],
    baseline: str | None = None,
    *,
    same_setting: bool = True,
    published: Iterable[Published] = (),
) -> ResultTable:
    """Aggregate over seeds, pair with the baseline and choose what is shown.

    Args:
        runs: with their figures.
        baseline: a series.
        same_setting: compare only rows of the same backbone and epochs; otherwise those are
            preferred.
        published: figures of others, on any data and in any protocol.

    Raises:
        ConfigError: no run is of the baseline.
    """
    check_baseline(baseline, [run.series for run in runs])
    rows = _rows(runs)
    columns = make_columns(key for row in rows for single in row.singles for key in single.measured)
    columns = _usual_temperature(columns, rows)
    for row in rows:
        row.cells = [_mean(row, column) for column in columns]
    _mark_best(rows, columns)
    _label(rows)
    differences = _differences(rows, columns, baseline, same_setting) if baseline else []
    return ResultTable(columns, rows, *_published(published, rows), baseline, differences)


def make_columns(keys: Iterable[tuple[str, ...]]) -> list[Column]:
    """The protocols and metrics that occur, known ones first."""
    metrics: dict[str, dict[str, dict[str, None]]] = {}
    for protocol, metric, settings in (Key(*key) for key in keys):
        metrics.setdefault(protocol, {}).setdefault(settings, {})[metric] = None
    found = []
    for protocol in sorted(metrics, key=_order(_PROTOCOLS)):
        variants = metrics[protocol]
        primary = _PRIMARY.intersection(name for names in variants.values() for name in names)
        for settings in sorted(variants, key=_natural):
            names = sorted(variants[settings], key=_order(_METRICS))
            found += [
                Column(protocol, name, name in primary or not primary, settings) for name in names
            ]
    return found


def _usual_temperature(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns, of which k-NN at a temperature that says nothing more of any run isn't primary.

    A run that was measured at another temperature only keeps its column.
    """

    def stands_back(column: Column) -> bool:
        usual = column.key._replace(settings=_TEMPERATURE.sub(_USUAL, column.settings))
        if column.protocol != "knn" or usual == column.key:
            return False
        singles = [single for row in rows for single in row.singles]
        return all(usual in one.measured for one in singles if column.key in one.measured)

    return [replace(column, primary=False) if stands_back(column) else column for column in columns]


def _natural(text: str) -> list[tuple[float, str]]:
    """A sorting key by which numbers in a text count as such: 9 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (0.0, part) for i, part in enumerate(parts)]


def _order(known: dict[str, str]) -> Callable[[str], tuple[int, int, str]]:
    """A sorting key: known names first; then by number, as text would put 100 before 20."""
    places = {name: place for place, name in enumerate(known)}

    def place(name: str) -> tuple[int, int, str]:
        k, rest = found.groups() if (found := re.match(r"(?:knn)?(\d+)(.*)", name)) else (0, "")
        return places.get(name, len(places)), int(k), rest

    return place


def _rows(runs: Sequence[RunFigures]) -> list[Row]:
    """One row per series, data set, backbone, epochs and data set of the pre-training.

    A run evaluated on several data sets has several.
    """
    rows: dict[tuple[str, str, str, int | None, str], Row] = {}
    key_of = _keys(figure for run in runs for figure in (*run.untrained, *run.figures))

    def row(series: str, dataset: str, run: RunFigures, epochs: int | None) -> Row:
        names = series, dataset, run.backbone, epochs
        return rows.setdefault((*names, run.dataset), Row(*names, pretrained=run.dataset))

    for run in runs:
        for figure in run.untrained:
            singles = row(UNTRAINED, figure["dataset"], run, 0).singles
            # the seed decides the untrained backbone, whichever run it was evaluated for
            same = (s for s in singles if s.run is run or s.run.seed == run.seed is not None)
            single = next(same, None) or Single(run)
            if single not in singles:
                singles.append(single)
            single.add(key_of(figure), figure)
    for run in runs:
        for dataset in dict.fromkeys([run.dataset, *(f["dataset"] for f in run.figures)]):
            single = Single(run)
            for figure in run.figures:
                if figure["dataset"] == dataset:
                    single.add(key_of(figure), figure)
            row(run.series, dataset, run, run.epochs).singles.append(single)
    return list(rows.values())


def _keys(figures: Iterable[Figure]) -> Callable[[Figure], Key]:
    """The column of each figure: settings that differ on its data set, in its protocol, count."""
    stated: dict[tuple[str, str], list[dict[str, str]]] = {}
    for figure in figures:
        stated.setdefault((figure["dataset"], figure["protocol"]), []).append(figure["settings"])
    differ = {place: differing(settings) for place, settings in stated.items()}

    def key(figure: Figure) -> Key:
        names = differ[figure["dataset"], figure["protocol"]]
        return Key(figure["protocol"], figure["metric"], as_text(figure["settings"], names))

    return key


def _mean(row: Row, column: Column) -> Cell | None:
    there = [single for single in row.singles if column.key in single.measured]
    values = {id(s): s.figures[column.key]["value"] for s in there if column.key in s.figures}
    if not values:
        return None
    cell = Cell(*mean_std(list(values.values())))
    if len(there) > 1 or not column.primary:
        return cell
    over_images = there[0].resampled(column.key)
    if over_images is None:
        return cell
    lowest = -100.0 if column.metric in ("ami", "ari") else 0.0
    return replace(cell, half=_half_width(over_images), lowest=lowest)


def _half_width(values: Any) -> float | None:
    from cueco_solo.results.bootstrap import half_width

    return half_width(values)


def _mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    for i, column in enumerate(columns):
        for dataset in {row.dataset for row in rows}:
            here = [row for row in rows if row.dataset == dataset and row.cells[i]]
            ranked = not column.metric.startswith(_NOT_RANKED)
            if len(here) < 2 or not ranked or column.metric.endswith(_INTERVAL):
                continue
            highest = max(cell.mean for row in here if (cell := row.cells[i]))
            for row in here:
                if (cell := row.cells[i]) and cell.mean == highest:
                    row.cells[i] = replace(cell, best=True)


def _label(rows: Sequence[Row]) -> None:
    for row in rows:
        same = [r for r in rows if (r.series, r.dataset) == (row.series, row.dataset)]
        several = {other.setting for other in same}, {other.pretrained for other in same}
        parts = row.setting, f"from {row.pretrained}"
        shown = [part for part, of in zip(parts, several, strict=True) if len(of) > 1]
        row.label = ", ".join([row.series, *shown])


def _differences(
    rows: Sequence[Row], columns: Sequence[Column], baseline: str, same_setting: bool
) -> list[Difference]:
    found = []
    for row in rows:
        of = baseline, row.dataset, row.pretrained
        others = [o for o in rows if (o.series, o.dataset, o.pretrained) == of]
        alike = [o for o in others if o.setting == row.setting]
        for column in columns if row.series != baseline else ():
            base: dict[int, Single] = {}
            for other in alike or ([] if same_setting else others):
                base = other.by_seed(column.key) | base
            own = row.by_seed(column.key)
            values = (
                {n: s.figures[column.key]["value"] for n, s in x.items()} for x in (own, base)
            )
            if pairs := paired(*values):
                if pairs.n == 1 and column.primary:
                    seed = next(iter(own.keys() & base.keys()))
                    pairs = _over_images(pairs, own[seed], base[seed], column.key)
                found.append(Difference(row, column, pairs))
    return found


def _over_images(pairs: Paired, own: Single, base: Single, key: Key) -> Paired:
    """A single pair with the interval over the validation images, where both have the same."""
    values = own.resampled(key, base), base.resampled(key, own)
    if values[0] is None or values[1] is None:
        return pairs
    half = _half_width(values[0] - values[1])
    if half is None:
        return pairs
    return pairs._replace(low=pairs.difference - half, high=pairs.difference + half)


def _published(figures: Iterable[Published], ours: Sequence[Row]) -> tuple[list[Column], list[Row]]:
    """Columns, and a row per source, method, data set, epochs and backbone, where ours has figures.

    Of the same data, protocol and metric; settings are those of the source. What may be online or
    offline stands beside either of ours, in a column of its own.
    """
    measured = {
        (row.dataset, protocol, key.metric)
        for row in ours
        if not row.transferred  # which the published ones aren't
        for single in row.singles
        for key in single.measured
        for protocol in (key.protocol, *([UNKNOWN] if key.protocol in (ONLINE, OFFLINE) else []))
    }
    shown = [f for f in figures if (f["dataset"], f["protocol"], f["metric"]) in measured]
    columns = make_columns((figure["protocol"], figure["metric"]) for figure in shown)
    places = {column.key: i for i, column in enumerate(columns)}
    rows: dict[tuple[str, str, str, int | None, str], Row] = {}
    for figure in shown:
        names = figure["method"], figure["dataset"], figure["backbone"], figure["epochs"]
        row = rows.setdefault((*names, figure["source"]), Row(*names, source=figure["source"]))
        row.label, row.cells = row.series, row.cells or [None] * len(columns)
        place = places[Key(figure["protocol"], figure["metric"])]
        row.cells[place] = Cell(figure["value"], note=figure.get("note", ""))
    return columns, list(rows.values())
