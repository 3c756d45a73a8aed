"""The report's tables: figures grouped to rows and columns, as text ready to be shown."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cueco_solo.report.document import RunPart
from cueco_solo.results.figures import Figure
from cueco_solo.results.statistics import Comparison, mean_std

_PROTOCOLS = {
    "linear": "Linear",
    "linear-offline": "Linear, offline",
    "linear-cached": "Linear, cached features",
    "linear-online": "Linear, online",
    "knn": "k-NN",
    "clustering": "Clustering",
    "clustering-first-head": "Its own labels, first head",
    "clustering-best-head": "Its own labels, best head",
    "semi-supervised-1pct": "Fine-tuned, 1 % of labels",
    "semi-supervised-10pct": "Fine-tuned, 10 % of labels",
}
_METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "nmi": "NMI",
    "ami": "AMI",
    "ari": "ARI",
    "acc": "ACC",
    "acc_many_to_one": "ACC, many to one",
    "rankme_train": "RankMe, train",
    "rankme_test": "RankMe, test",
}
# Shown before "all metrics" is ticked; a protocol that has none of them shows all of its metrics.
_PRIMARY = {"top1", "knn20", "nmi", "ami", "ari", "acc"}
# A high rank is no aim in itself, so none of these is best.
_NOT_RANKED = ("rankme",)
# Runs that differ in these are no repetitions of each other.
_SETTINGS = {
    *("method_kwargs", "optimizer", "scheduler", "momentum", "augmentations", "backbone"),
    *("data.fraction", "accumulate_grad_batches"),
}


@dataclass(frozen=True)
class Column:
    """One metric of one protocol."""

    protocol: str
    metric: str
    title: str
    primary: bool


@dataclass(frozen=True)
class Cell:
    """What stands in one column of a row; ``n`` only where it isn't the row's."""

    text: str
    value: float
    spread: str = ""
    n: int | None = None
    best: bool = False


@dataclass
class Row:
    """One method on one data set; ``runs`` are its single runs, with their own cells."""

    series: str
    dataset: str
    backbone: str
    epochs: int | None
    n: int
    seeds: str = ""
    source: str = ""
    cells: list[Cell | None] = field(default_factory=list)
    runs: list[tuple[RunPart, list[Cell | None]]] = field(default_factory=list)


def protocol_title(protocol: str) -> str:
    """The protocol as people write it; an unknown one as it is."""
    return _PROTOCOLS.get(protocol, protocol)


def metric_title(metric: str) -> str:
    """The metric as people write it: ``knn20-euclidean`` is "20-NN, Euclidean"."""
    if not metric.startswith("knn"):
        return _METRICS.get(metric, metric)
    k, *rest = metric.removeprefix("knn").split("-")
    words = [{"euclidean": "Euclidean", "top5": "top-5"}.get(word, word) for word in rest]
    return ", ".join([f"{k}-NN", *words])


def columns(figures: Iterable[Figure] | Iterable[Comparison]) -> list[Column]:
    """The protocols and metrics that occur, known protocols first."""
    metrics: dict[str, list[str]] = {}
    for figure in figures:
        of_protocol = metrics.setdefault(figure["protocol"], [])
        if figure["metric"] not in of_protocol:
            of_protocol.append(figure["metric"])
    found = []
    for protocol in sorted(metrics, key=_order(_PROTOCOLS)):
        names = sorted(metrics[protocol], key=_order(_METRICS))
        primary = _PRIMARY.intersection(names) or set(names)
        found += [Column(protocol, name, metric_title(name), name in primary) for name in names]
    return found


def series_names(runs: Sequence[RunPart]) -> dict[str, str]:
    """By run: its method, and where runs of one method differ in settings, a run's name too.

    The name is that of the first run with these settings, or its id where another has that name.
    """
    setups: dict[tuple, dict[tuple, list[RunPart]]] = {}
    for run in runs:
        setups.setdefault(_setup(run), {}).setdefault(_settings(run), []).append(run)
    names: dict[str, str] = {}
    for variants in setups.values():
        for alike in variants.values():
            first = alike[0]
            name = f"{first['method']} · {first['name']}" if len(variants) > 1 else first["method"]
            if len(variants) > 1 and name in names.values():
                name = f"{first['method']} · {first['id']}"
            names |= {run["id"]: name for run in alike}
    return names


def run_labels(runs: Sequence[RunPart], series: dict[str, str]) -> dict[str, str]:
    """A short name for each run; its id where a shorter one would be ambiguous."""
    short = {run["id"]: _short_label(run, series[run["id"]]) for run in runs}
    if len({run["dataset"] for run in runs}) > 1:
        short = {run["id"]: f"{short[run['id']]} · {run['dataset']}" for run in runs}
    names = list(short.values())
    return {
        run: label if names.count(label) == 1 else f"{label} · {run}"
        for run, label in short.items()
    }


def summary(runs: Sequence[RunPart], shown: Sequence[Column]) -> list[Row]:
    """One row per method, data set, epochs, backbone and settings, in the order of the runs.

    A run that was evaluated on other data than its own is in a row of those, too.
    """
    series = series_names(runs)
    rows: dict[tuple, Row] = {}
    for run in runs:
        for dataset in dict.fromkeys([run["dataset"], *(f["dataset"] for f in run["figures"])]):
            setup = series[run["id"]], dataset, run["backbone"], run["epochs"]
            row = rows.setdefault(setup, Row(*setup, n=0))
            here = [figure for figure in run["figures"] if figure["dataset"] == dataset]
            row.runs.append((run, [_value_cell(here, column) for column in shown]))
            row.n += 1
    for row in rows.values():
        row.seeds = ", ".join(
            "unknown" if run["seed"] is None else str(run["seed"]) for run, _ in row.runs
        )
        row.cells = [_mean_cell(row, i) for i in range(len(shown))]
    return _mark_best(list(rows.values()), shown)


def published_rows(figures: Sequence[Figure], shown: Sequence[Column]) -> list[Row]:
    """One row per source, method, data set, epochs and backbone; no mean is taken of them."""
    groups: dict[tuple, list[Figure]] = {}
    for figure in figures:
        names = ("source", "method", "dataset", "epochs", "backbone")
        groups.setdefault(tuple(figure[name] for name in names), []).append(figure)  # type: ignore[literal-required]
    rows = []
    for (source, method, dataset, epochs, backbone), group in groups.items():
        row = Row(method, dataset, backbone, epochs, n=1, source=source)
        row.cells = [_value_cell(group, column, "{:g}") for column in shown]
        rows.append(row)
    return rows


def _value_cell(figures: Sequence[Figure], column: Column, form: str = "{:.2f}") -> Cell | None:
    values = [
        figure["value"]
        for figure in figures
        if (figure["protocol"], figure["metric"]) == (column.protocol, column.metric)
    ]
    if not values:
        return None
    return Cell(" / ".join(form.format(value) for value in values), values[0])


def _mean_cell(row: Row, column: int) -> Cell | None:
    values = [cells[column].value for _, cells in row.runs if cells[column] is not None]  # type: ignore[union-attr]
    if not values:
        return None
    mean, std, n = mean_std(values)
    spread = "" if std is None else f"{std:.1f}"
    return Cell(f"{mean:.1f}", mean, spread, None if n == row.n else n)


def _mark_best(rows: list[Row], shown: Sequence[Column]) -> list[Row]:
    for i, column in enumerate(shown):
        if column.metric.startswith(_NOT_RANKED):
            continue
        for dataset in {row.dataset for row in rows}:
            cells = [(row, row.cells[i]) for row in rows if row.dataset == dataset]
            values = [cell.value for _, cell in cells if cell is not None]
            for row, cell in cells:
                if cell is not None and len(values) > 1 and cell.value == max(values):
                    row.cells[i] = Cell(cell.text, cell.value, cell.spread, cell.n, best=True)
    return rows


def _settings(run: RunPart) -> tuple:
    defaults = {"data.fraction": "-1", "accumulate_grad_batches": "1"}
    config = defaults | {key: str(value) for key, value in run["config"].items()}
    return tuple(
        sorted((k, v) for k, v in config.items() if {k, re.split(r"[.\[]", k)[0]} & _SETTINGS)
    )


def _setup(run: RunPart) -> tuple:
    return run["method"], run["dataset"], run["epochs"], run["backbone"]


def _short_label(run: RunPart, series: str) -> str:
    return series if run["seed"] is None else f"{series} · seed {run['seed']}"


def _order(known: dict[str, str]) -> Callable[[str], tuple]:
    names = list(known)

    def place(name: str) -> tuple:
        if name in names:
            return (names.index(name),)
        # By its number of neighbours, which as text would put 100 before 20.
        neighbours = re.match(r"knn(\d+)(.*)", name)
        return (len(names), int(neighbours[1]), neighbours[2]) if neighbours else (len(names), 0)

    return place
