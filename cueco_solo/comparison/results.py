"""What a comparison leaves on the disk."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cueco_solo.comparison.execute import Outcome
from cueco_solo.comparison.published import published_figures
from cueco_solo.comparison.render import latex, markdown
from cueco_solo.comparison.rows import run_figures, training_time
from cueco_solo.comparison.statistics import comparisons
from cueco_solo.comparison.tables import Table, make_tables
from cueco_solo.errors import config_error
from cueco_solo.report.document import Figure
from cueco_solo.runs import write_json


def collect(outcomes: Sequence[Outcome]) -> list[Figure]:
    """Our figures by the names of the comparison; the untrained backbone's come first.

    ``run`` is the run's folder.
    """
    found, trained = [], []
    for outcome in outcomes:
        if outcome.folder is None:
            continue
        names = {"dataset": outcome.dataset, "run": str(outcome.folder)}
        untrained = run_figures(outcome.folder, untrained=True, only=outcome.files)
        found += [{**figure, **names} for figure in untrained]
        figures = run_figures(outcome.folder, only=outcome.files) + training_time(outcome.folder)
        trained += [{**figure, **names, "method": outcome.method} for figure in figures]
    return [Figure(**figure) for figure in found + trained]  # type: ignore[typeddict-item]


def tables_of(figures: Sequence[Figure], baseline: str | None) -> list[Table]:
    """Means and differences to the baseline, if any, with published figures beside ours."""
    differences = comparisons(figures, baseline) if baseline else []
    return make_tables(figures, differences, published_figures(), baseline)


def write_results(out: Path, figures: Sequence[Figure], tables: Sequence[Table]) -> list[Path]:
    """Write ``results.csv``, ``results.json``, ``table.md`` and ``table.tex``.

    The first two hold our figures only, one row a measurement.

    Args:
        out: folder, made if need be.
        figures: ours, in the order of the tables.
        tables: what :func:`tables_of` gave.

    Returns:
        The files.

    Raises:
        ConfigError: the folder can't be written.
    """
    paths = [out / name for name in ("results.json", "results.csv", "table.md", "table.tex")]
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_json(paths[0], list(figures))
        for path, text in zip(
            paths[1:], (_csv(figures), markdown(tables), latex(tables)), strict=True
        ):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        raise config_error("--out", str(out), reason, "give a folder of yours") from error
    return paths


def _csv(figures: Sequence[Figure]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Figure.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(figures)
    return text.getvalue()
