"""From run folders to what a report shows of them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cueco_solo.report.curves import read_curves, steps_per_epoch
from cueco_solo.report.document import Document, RunPart
from cueco_solo.report.features import FeatureViews
from cueco_solo.report.neighbours import knn_sweeps
from cueco_solo.report.reproduction import reproduce
from cueco_solo.results.runs import RunFigures, labels
from cueco_solo.results.table import ResultTable
from cueco_solo.training.history import told
from cueco_solo.training.run_folder import Run


def gather_document(
    runs: Sequence[Run],
    described: Sequence[RunFigures],
    table: ResultTable,
    title: str = "Runs side by side",
    **looking: Any,
) -> Document:
    """Collect all that a report shows of some runs.

    What couldn't be read of a run is listed in its ``missing``.

    Args:
        runs: the runs.
        described: the same with names and figures, see :mod:`cueco_solo.results.runs`.
        table: of these figures.
        title: of the page.
        looking: see :class:`~cueco_solo.report.features.FeatureViews`.

    Raises:
        ConfigError: the embedding isn't available.
    """
    views, names = FeatureViews(**looking), labels(described)
    parts = []
    for number, (run, one) in enumerate(zip(runs, described, strict=True), 1):
        print(f"[{number}/{len(runs)}] {run.folder}", flush=True)
        parts.append(_part(run, one, names[one.id]))
        views.fill(run, parts[-1])
    created = datetime.now().astimezone().isoformat(timespec="seconds")
    return Document(title, created, table, parts, views.albums(), knn_sweeps(table))


def _part(run: Run, one: RunFigures, label: str) -> RunPart:
    """All of a run but what needs its images."""
    made, unknown = reproduce(run)
    curves, lost = _curves(run.folder / "metrics.csv")
    return RunPart(
        id=one.id,
        folder=str(run.folder),
        label=label,
        series=one.series,
        method=one.method,
        dataset=one.dataset,
        images=None,
        curves=curves,
        steps_per_epoch=steps_per_epoch(run.folder / "metrics.csv"),
        embedding=None,
        clusters=[],
        companions=[],
        config=one.config,
        reproduce=made,
        history=told(run.folder),
        missing=[*unknown, *one.missing, *lost],
    )


def _curves(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What a run logged, and a sentence if there is nothing."""
    try:
        curves = read_curves(path)
    except FileNotFoundError:
        return {}, [
            "Training curves: there is no metrics.csv; cueco-solo pretrain writes it, solo-learn's "
            "own programs don't."
        ]
    except OSError as error:
        return {}, [f"Training curves: metrics.csv can't be read ({error.strerror})."]
    return curves, [] if curves else ["Training curves: metrics.csv holds no number."]
