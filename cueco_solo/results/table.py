"""The one table of figures. Markdown, LaTeX, CSV, JSON, terminal and report are renderers of it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cueco_solo.evaluation.checks import TEMPERATURE
from cueco_solo.results.columns import Column, Key, make_columns
from cueco_solo.results.figures import Figure
from cueco_solo.results.published import OFFLINE, ONLINE, UNKNOWN, Published
from cueco_solo.results.rows import Cell, Row, Single, half_width_over, make_rows, mean_cell
from cueco_solo.results.runs import RunFigures
from cueco_solo.results.statistics import Paired, paired
from cueco_solo.results.titles import check_baseline
from cueco_solo.results.views import mixed_views

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
        mixed: by data set what to say of views that were not all made in the same way.
    """

    columns: list[Column]
    rows: list[Row]
    published_columns: list[Column]
    published: list[Row]
    baseline: str | None
    differences: list[Difference]
    mixed: dict[str, str] = field(default_factory=dict)

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
    baseline = check_baseline(baseline, [run.series for run in runs])
    rows = make_rows(runs)
    columns = make_columns(key for row in rows for single in row.singles for key in single.measured)
    columns = _usual_temperature(columns, rows)
    for row in rows:
        row.cells = [mean_cell(row, column) for column in columns]
    _mark_best(rows, columns)
    _label(rows)
    differences = _differences(rows, columns, baseline, same_setting) if baseline else []
    theirs, mixed = _published(published, rows), mixed_views(runs)
    return ResultTable(columns, rows, *theirs, baseline, differences, mixed)


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


def _mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    for i, column in enumerate(columns):
        for dataset in {row.dataset for row in rows}:
            here = [row for row in rows if row.dataset == dataset and row.cells[i]]
            if len(here) < 2 or not column.ranked:
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
    half = half_width_over(values[0] - values[1])
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
