"""Rows of a table: the runs of a method on a data set, and means over them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cueco_solo.results.columns import INTERVAL, Column, Key
from cueco_solo.results.figures import UNTRAINED, Figure
from cueco_solo.results.runs import RunFigures
from cueco_solo.results.settings import as_text, differing
from cueco_solo.results.statistics import mean_std


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
            if len(found) == 1 or not key.metric.endswith(INTERVAL)
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
        return np.mean(values, axis=0) if values else None  # by a figure's name: all or none

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
        return f"{self.backbone}, {self.length or 'unknown epochs'}"

    @property
    def length(self) -> str | None:
        """The epochs in words; None if they are unknown."""
        if self.epochs is None:
            return None
        return f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'}"

    def by_seed(self, key: Key) -> dict[int, Single]:
        """The runs with a figure in one column by seed, where that is known."""
        return {
            single.run.seed: single
            for single in self.singles
            if key in single.figures and single.run.seed is not None
        }


def make_rows(runs: Sequence[RunFigures]) -> list[Row]:
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


def mean_cell(row: Row, column: Column) -> Cell | None:
    """The mean over a row's runs; None where nothing was measured."""
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
    return replace(cell, half=half_width_over(over_images), lowest=lowest)


def half_width_over(values: Any) -> float | None:
    """:func:`.bootstrap.half_width`, whose module imports torch and scikit-learn."""
    from cueco_solo.results.bootstrap import half_width

    return half_width(values)
