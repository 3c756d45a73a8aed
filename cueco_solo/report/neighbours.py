"""k-NN accuracies by k and temperature, out of the figures of the table."""

import re
from typing import Any

from cueco_solo.report.document import KNNSweep
from cueco_solo.results.settings import as_text
from cueco_solo.results.statistics import mean_std
from cueco_solo.results.table import ResultTable, Row

_COSINE = re.compile(r"knn(\d+)(-mean_per_class)?")


def knn_sweeps(table: ResultTable) -> list[KNNSweep]:
    """Every row's accuracies by cosine, where there is more than one k or temperature.

    What was measured with other settings beside these two, and the mean of the classes' accuracies,
    make sweeps of their own.
    """
    return [sweep for row in table.rows for sweep in _sweeps(row)]


def _sweeps(row: Row) -> list[KNNSweep]:
    found: dict[tuple[str, str], dict[str, dict[tuple[int, float], float]]] = {}
    for single in row.singles:
        # of a run, the mean over the evaluation's seeds
        for key, figure in single.figures.items():
            named = _COSINE.fullmatch(key.metric)
            settings = dict(figure["settings"])
            if key.protocol != "knn" or not named or "temperature" not in settings:
                continue
            place = int(named[1]), float(settings.pop("temperature"))
            accuracy = "mean per class" if named[2] else "top-1"
            runs = found.setdefault((accuracy, as_text(settings)), {})
            runs.setdefault(single.run.id, {})[place] = figure["value"]
    several = len({settings for _, settings in found}) > 1
    return [
        _sweep(row, accuracy, settings if several else "", cells)
        for (accuracy, settings), runs in found.items()
        if len(cells := _complete(list(runs.values()))) > 1
    ]


def _complete(runs: list[dict[tuple[int, float], float]]) -> dict[tuple[int, float], list[float]]:
    """The cells of the run that has most, of all runs that have these: means of the same runs."""
    most = max(runs, key=len)
    return {place: [run[place] for run in runs if run.keys() >= most.keys()] for place in most}


def _sweep(row: Row, accuracy: str, settings: str, cells: dict[Any, list[float]]) -> KNNSweep:
    ks, temperatures = (sorted(set(values)) for values in zip(*cells, strict=True))
    means = [
        [mean_std(cells[k, t]).mean if (k, t) in cells else None for t in temperatures] for k in ks
    ]
    return KNNSweep(
        series=row.series,
        name=f"{row.label} on {row.dataset}",
        accuracy=accuracy,
        settings=settings,
        runs=max(map(len, cells.values())),
        ks=ks,
        temperatures=temperatures,
        means=means,
    )
