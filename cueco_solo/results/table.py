"""The one table of figures. Markdown, LaTeX, CSV, JSON, terminal and report are renderers of it."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from cueco_solo.results.figures import UNTRAINED, Figure
from cueco_solo.results.runs import RunFigures, check_baseline
from cueco_solo.results.statistics import Paired, mean_std, paired

Key = tuple[str, str]  # protocol, metric

_PROTOCOLS = {
    "linear": "Linear",
    "linear-offline": "Linear, offline",
    "linear-cached": "Linear, cached features",
    "linear-online": "Linear, online",
    "knn": "k-NN",
    "clustering": "Clustering",
    "clustering-first-head": "Own labels, first head",
    "clustering-best-head": "Own labels, best head",
    "semi-supervised-1pct": "Fine-tuned, 1 % of labels",
    "semi-supervised-10pct": "Fine-tuned, 10 % of labels",
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
    *("nmi", "ami", "ari", "acc", "seconds"),
}
# neither a high rank nor a long training is an aim in itself
_NOT_RANKED = ("rankme", "seconds")


@dataclass(frozen=True)
class Column:
    """One metric of one protocol; ``primary`` ones are shown by every renderer."""

    protocol: str
    metric: str
    primary: bool

    @property
    def key(self) -> Key:
        return self.protocol, self.metric

    @property
    def group(self) -> str:
        """The protocol as people write it; an unknown one as it is."""
        return _PROTOCOLS.get(self.protocol, self.protocol)

    @property
    def title(self) -> str:
        """The metric as people write it: ``knn20-euclidean`` is "20-NN, Euclidean"."""
        if not self.metric.startswith("knn"):
            return _METRICS.get(self.metric, self.metric)
        k, *rest = self.metric.removeprefix("knn").split("-")
        words = [_KNN_WORDS.get(word, word) for word in rest]
        return ", ".join([f"{k}-NN", *words])


@dataclass(frozen=True)
class Cell:
    """Mean over ``n`` runs and their sample standard deviation; ``best`` of its data set."""

    mean: float
    std: float | None = None
    n: int = 1
    best: bool = False


@dataclass(frozen=True)
class Single:
    """One run of a row, with what was measured of it on the row's data."""

    run: RunFigures
    figures: dict[Key, Figure]


@dataclass
class Row:
    """One method on one data set, or published figures of one source.

    Attributes:
        series: what the method is called.
        dataset, backbone, epochs: what the figures are of; ``epochs`` is None if unknown.
        source: what published figures stand in; empty for ours.
        label: ``series``, with backbone and epochs where the table has the series twice.
        singles: the runs; empty for published figures.
        cells: one per column of the table; None where nothing was measured.
    """

    series: str
    dataset: str
    backbone: str
    epochs: int | None
    source: str = ""
    label: str = ""
    singles: list[Single] = field(default_factory=list)
    cells: list[Cell | None] = field(default_factory=list)

    @property
    def setting(self) -> str:
        """Backbone and epochs."""
        epochs = "unknown" if self.epochs is None else self.epochs
        return f"{self.backbone}, {epochs} {'epoch' if epochs == 1 else 'epochs'}"

    def by_seed(self, key: Key) -> dict[int, float]:
        """The values of one column by seed, of the runs whose seed is known."""
        return {
            single.run.seed: single.figures[key]["value"]
            for single in self.singles
            if key in single.figures and single.run.seed is not None
        }


@dataclass(frozen=True)
class Difference:
    """A row minus the baseline's row in one column, paired by seed."""

    row: Row
    column: Column
    paired: Paired


@dataclass(frozen=True)
class ResultTable:
    """All figures of some runs.

    Attributes:
        columns: those that have a figure of ours, known protocols first.
        rows: ours; untrained backbones first, then in the order of the runs.
        published: rows of others' figures on the same data in the same columns.
        baseline: the series that the others are compared with, if any.
        differences: row by row, column by column.
    """

    columns: list[Column]
    rows: list[Row]
    published: list[Row]
    baseline: str | None
    differences: list[Difference]

    def figures(self) -> list[Figure]:
        """Our figures, one per measurement, in the order of the rows."""
        return [
            figure
            for row in self.rows
            for single in row.singles
            for figure in single.figures.values()
        ]


def make_table(
    runs: Sequence[RunFigures],
    baseline: str | None = None,
    *,
    same_setting: bool = True,
    published: Iterable[Figure] = (),
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
    columns = make_columns(key for row in rows for single in row.singles for key in single.figures)
    for row in rows:
        row.cells = [_mean(row, column.key) for column in columns]
    _mark_best(rows, columns)
    _label(rows)
    differences = _differences(rows, columns, baseline, same_setting) if baseline else []
    return ResultTable(
        columns, rows, _published_rows(published, rows, columns), baseline, differences
    )


def make_columns(keys: Iterable[Key]) -> list[Column]:
    """The protocols and metrics that occur, known ones first."""
    metrics: dict[str, dict[str, None]] = {}
    for protocol, metric in keys:
        metrics.setdefault(protocol, {})[metric] = None
    found = []
    for protocol in sorted(metrics, key=_order(_PROTOCOLS)):
        names = sorted(metrics[protocol], key=_order(_METRICS))
        primary = _PRIMARY.intersection(names) or set(names)
        found += [Column(protocol, name, name in primary) for name in names]
    return found


def _order(known: dict[str, str]) -> Callable[[str], tuple[int, int, str]]:
    """A sorting key: known names first; k-NN by its number, as text would put 100 before 20."""
    places = {name: place for place, name in enumerate(known)}

    def place(name: str) -> tuple[int, int, str]:
        k, rest = found.groups() if (found := re.match(r"knn(\d+)(.*)", name)) else (0, "")
        return places.get(name, len(places)), int(k), rest

    return place


def _rows(runs: Sequence[RunFigures]) -> list[Row]:
    """One row per series, data set, backbone and epochs; a run evaluated on several has several."""
    rows: dict[tuple[str, str, str, int | None], Row] = {}

    def row(series: str, dataset: str, run: RunFigures, epochs: int | None) -> Row:
        names = series, dataset, run.backbone, epochs
        return rows.setdefault(names, Row(*names))

    for run in runs:
        for figure in run.untrained:
            singles = row(UNTRAINED, figure["dataset"], run, 0).singles
            # the seed decides the untrained backbone, whichever run it was evaluated for
            same = (s for s in singles if s.run is run or s.run.seed == run.seed is not None)
            single = next(same, None) or Single(run, {})
            if single not in singles:
                singles.append(single)
            single.figures.setdefault((figure["protocol"], figure["metric"]), figure)
    for run in runs:
        for dataset in dict.fromkeys([run.dataset, *(f["dataset"] for f in run.figures)]):
            here = [figure for figure in run.figures if figure["dataset"] == dataset]
            single = Single(run, {(f["protocol"], f["metric"]): f for f in here})
            row(run.series, dataset, run, run.epochs).singles.append(single)
    return list(rows.values())


def _mean(row: Row, key: Key) -> Cell | None:
    values = [single.figures[key]["value"] for single in row.singles if key in single.figures]
    return Cell(*mean_std(values)) if values else None


def _mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    for i, column in enumerate(columns):
        for dataset in {row.dataset for row in rows}:
            here = [row for row in rows if row.dataset == dataset and row.cells[i]]
            if len(here) < 2 or column.metric.startswith(_NOT_RANKED):
                continue
            highest = max(cell.mean for row in here if (cell := row.cells[i]))
            for row in here:
                if (cell := row.cells[i]) and cell.mean == highest:
                    row.cells[i] = replace(cell, best=True)


def _label(rows: Sequence[Row]) -> None:
    for row in rows:
        same = [r for r in rows if (r.series, r.dataset) == (row.series, row.dataset)]
        row.label = row.series if len(same) == 1 else f"{row.series}, {row.setting}"


def _differences(
    rows: Sequence[Row], columns: Sequence[Column], baseline: str, same_setting: bool
) -> list[Difference]:
    found = []
    for row in rows:
        others = [o for o in rows if (o.series, o.dataset) == (baseline, row.dataset)]
        alike = [o for o in others if o.setting == row.setting]
        for column in columns if row.series != baseline else ():
            base: dict[int, float] = {}
            for other in alike or ([] if same_setting else others):
                base = other.by_seed(column.key) | base
            if pairs := paired(row.by_seed(column.key), base):
                found.append(Difference(row, column, pairs))
    return found


def _published_rows(
    figures: Iterable[Figure], ours: Sequence[Row], columns: Sequence[Column]
) -> list[Row]:
    """One row per source, method, data set, epochs and backbone, where ours has data and column."""
    places = {column.key: i for i, column in enumerate(columns)}
    pairs = ((row, c.key, cell) for row in ours for c, cell in zip(columns, row.cells, strict=True))
    measured = {(row.dataset, key) for row, key, cell in pairs if cell}
    rows: dict[tuple[str, str, str, int | None, str], Row] = {}
    for figure in figures:
        key = figure["protocol"], figure["metric"]
        if (figure["dataset"], key) not in measured:
            continue
        names = figure["method"], figure["dataset"], figure["backbone"], figure["epochs"]
        row = rows.setdefault((*names, figure["source"]), Row(*names, source=figure["source"]))
        row.label, row.cells = row.series, row.cells or [None] * len(columns)
        row.cells[places[key]] = Cell(figure["value"])
    return list(rows.values())
