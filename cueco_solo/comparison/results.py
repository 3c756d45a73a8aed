"""What a comparison leaves on the disk."""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cueco_solo.comparison.execute import Outcome
from cueco_solo.errors import ConfigError, config_error
from cueco_solo.results.figures import Figure, run_figures, training_time
from cueco_solo.results.published import published_figures
from cueco_solo.results.statistics import comparisons
from cueco_solo.results.text import latex, markdown
from cueco_solo.results.text_tables import Table, make_tables
from cueco_solo.training.run_folder import write_json


def collect(outcomes: Sequence[Outcome]) -> list[Figure]:
    """Our figures by the names of the comparison; the untrained backbone's come first.

    ``run`` is the run's folder.
    """
    found, trained = [], []
    for outcome in outcomes:
        if outcome.folder is None:
            continue
        folder, dataset = outcome.folder, outcome.dataset
        untrained = run_figures(folder, untrained=True, only=outcome.files, dataset=dataset)
        found += [{**figure, "run": str(folder)} for figure in untrained]
        figures = run_figures(folder, only=outcome.files, dataset=dataset)
        figures += training_time(folder, dataset)
        names = {"run": str(folder), "method": outcome.method}
        trained += [{**figure, **names} for figure in figures]
    return [Figure(**figure) for figure in found + trained]  # type: ignore[typeddict-item]


def tables_of(figures: Sequence[Figure], baseline: str | None) -> list[Table]:
    """Means and differences to the baseline, if any, with published figures beside ours."""
    differences = comparisons(figures, baseline) if baseline else []
    return make_tables(figures, differences, published_figures(), baseline)


def check_folder(out: Path) -> None:
    """Make the folder of the results, before hours are spent on them.

    Raises:
        ConfigError: it can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _unwritable(out, error) from error


def write_results(out: Path, figures: Sequence[Figure], tables: Sequence[Table]) -> list[Path]:
    """Write ``results.csv``, ``results.json``, ``table.md`` and ``table.tex``.

    The first two hold our figures only, one row a measurement.

    Args:
        out: folder.
        figures: ours, in the order of the tables.
        tables: what :func:`tables_of` gave.

    Returns:
        The files.

    Raises:
        ConfigError: the folder can't be written.
    """
    paths = [out / name for name in ("results.json", "results.csv", "table.md", "table.tex")]
    try:
        write_json(paths[0], list(figures))
        for path, text in zip(
            paths[1:], (_csv(figures), markdown(tables), latex(tables)), strict=True
        ):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(out, error) from error
    return paths


def _unwritable(out: Path, error: OSError) -> ConfigError:
    reason = f"can't be written ({error.strerror})"
    return config_error("--out", str(out), reason, "give a folder of yours")


def _csv(figures: Sequence[Figure]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Figure.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(figures)
    return text.getvalue()
