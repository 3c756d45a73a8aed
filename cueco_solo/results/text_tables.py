"""Tables of a comparison: means over seeds, published figures beside them, paired differences."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cueco_solo.results.figures import Figure
from cueco_solo.results.published import same_method
from cueco_solo.results.statistics import Comparison, by_seed, mean_std
from cueco_solo.results.tables import columns, metric_title, protocol_title

PUBLISHED = "published"


@dataclass(frozen=True)
class Table:
    """Text, ready to be escaped.

    Attributes:
        title: what it shows.
        head: by column the group that it belongs to and its own name; the first one has no group.
        rows: as many cells as ``head``.
        ours: number of rows that are ours; those below hold published figures only.
        note: a sentence that stands below.
    """

    title: str
    head: list[tuple[str, str]]
    rows: list[list[str]]
    ours: int
    note: str


def make_tables(
    figures: Sequence[Figure],
    comparisons: Sequence[Comparison],
    published: Sequence[Figure],
    baseline: str | None,
) -> list[Table]:
    """Two tables for each data set: means, and differences to the baseline where there is one.

    Args:
        figures: ours.
        comparisons: what :func:`~cueco_solo.results.statistics.comparisons` gave.
        published: for any data sets and protocols; what we have no column for is left out.
        baseline: the name of the method that was compared with.
    """
    tables = []
    for dataset in dict.fromkeys(figure["dataset"] for figure in figures):
        here = [figure for figure in figures if figure["dataset"] == dataset]
        tables.append(_means(dataset, here, published))
        differences = [item for item in comparisons if item["dataset"] == dataset]
        if differences:
            tables.append(_differences(dataset, differences, str(baseline)))
    return tables


Metric = tuple[str, str]


def _shown(items: Iterable[Figure] | Iterable[Comparison]) -> list[Metric]:
    """The metrics that a reader looks at first; all of them are in the CSV."""
    return [(c.protocol, c.metric) for c in columns(items) if c.primary]  # type: ignore[arg-type]


def _means(dataset: str, figures: Sequence[Figure], published: Sequence[Figure]) -> Table:
    shown, cells = _shown(figures), by_seed(figures)
    theirs = _published(dataset, shown, published)
    methods = list(dict.fromkeys(figure["method"] for figure in figures))
    rows = []
    for method in [*methods, *_others(methods, theirs)]:
        values = [list(cells.get((dataset, method, *metric), {}).values()) for metric in shown]
        most = max(map(len, values))
        ours = [_pretraining(method, figures), str(most or "")]
        ours += [_mean(cell, most) for cell in values]
        rows.append([method, *ours, *(_as_printed(column, method) for column in theirs.values())])
    note = (
        "Mean ± sample standard deviation over the seeds; in percent, but for seconds and ranks. "
        "Where a cell has fewer seeds than its row, it says so."
    )
    if theirs:
        note += f" Columns headed {PUBLISHED} were not measured here: they are as printed there."
    head = [*_head("pre-training", "seeds", shown=shown), *theirs]
    return Table(dataset, head, rows, len(methods), note)


def _head(*names: str, shown: Sequence[Metric]) -> list[tuple[str, str]]:
    titles = [(protocol_title(protocol), metric_title(metric)) for protocol, metric in shown]
    return [("", "method"), *(("", name) for name in names), *titles]


def _pretraining(method: str, figures: Iterable[Figure]) -> str:
    """What a method's figures are of; empty for one of which there are none."""
    return " / ".join(dict.fromkeys(_setting(f) for f in figures if f["method"] == method))


def _setting(figure: Figure) -> str:
    epochs = "unknown" if figure["epochs"] is None else figure["epochs"]
    return f"{figure['backbone']}, {epochs} {'epoch' if epochs == 1 else 'epochs'}"


Column = dict[str, float]


def _published(
    dataset: str, shown: Sequence[Metric], figures: Sequence[Figure]
) -> dict[tuple[str, str], Column]:
    """Value by method, in a column for each source, setting, protocol and metric."""
    found: dict[tuple[str, str], Column] = {}
    for figure in figures:
        protocol, metric = figure["protocol"], figure["metric"]
        if figure["dataset"] == dataset and (protocol, metric) in shown:
            group = f"{PUBLISHED}: {figure['source']} ({_setting(figure)})"
            title = f"{protocol_title(protocol)}: {metric_title(metric)}"
            found.setdefault((group, title), {})[figure["method"]] = figure["value"]
    return found


def _others(methods: Sequence[str], columns: dict[tuple[str, str], Column]) -> list[str]:
    """Published methods that aren't among ours, each in the first of its spellings."""
    names: list[str] = []
    for name in itertools.chain.from_iterable(columns.values()):
        if not any(same_method(name, other) for other in (*methods, *names)):
            names.append(name)
    return names


def _as_printed(column: Column, method: str) -> str:
    return next((f"{value:g}" for name, value in column.items() if same_method(name, method)), "")


def _mean(values: Sequence[float], most: int) -> str:
    if not values:
        return ""
    mean, std, n = mean_std(values)
    text = f"{mean:.1f}" if std is None else f"{mean:.1f} ± {std:.1f}"
    return text if n == most else f"{text}, n = {n}"


def _differences(dataset: str, items: Sequence[Comparison], baseline: str) -> Table:
    shown = _shown(items)
    by_cell = {(i["method"], i["protocol"], i["metric"]): i for i in items}
    rows = []
    for method in dict.fromkeys(item["method"] for item in items):
        found = [by_cell.get((method, *metric)) for metric in shown]
        most = max(item["seeds"] for item in found if item)
        rows.append([method, str(most), *(_difference(item, most) for item in found)])
    note = (
        f"Mean difference over the seeds that both have, and its 95 % interval (Student's t, "
        f"paired by seed). An interval that holds 0 doesn't tell a method from {baseline}; one "
        "seed has no interval."
    )
    return Table(
        f"{dataset}: difference to {baseline}", _head("pairs", shown=shown), rows, len(rows), note
    )


def _difference(item: Comparison | None, most: int) -> str:
    if item is None:
        return ""
    text = f"{item['difference']:+.1f}"
    if item["low"] is not None and item["high"] is not None:
        text += f" ({item['low']:+.1f} to {item['high']:+.1f})"
    text = text.replace("-", "\N{MINUS SIGN}")
    return text if item["seeds"] == most else f"{text}, n = {item['seeds']}"
