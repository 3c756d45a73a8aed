"""The report as a file."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error
from cueco_solo.files import write_text
from cueco_solo.report.document import Document
from cueco_solo.results.runs import RunFigures
from cueco_solo.results.table import ResultTable
from cueco_solo.training.run_folder import Run


def write_report(
    runs: Sequence[Run],
    described: Sequence[RunFigures],
    table: ResultTable,
    out: Path,
    **options: Any,
) -> Path:
    """Write the report on some runs, whole or not at all, and print a summary.

    Args:
        runs: the runs.
        described: the same with names and figures.
        table: of these figures.
        out: the HTML file; one that is there is replaced.
        options: see :func:`~cueco_solo.report.gather.gather_document`.

    Returns:
        ``out``.

    Raises:
        ConfigError: see :func:`~cueco_solo.report.gather.gather_document`; or the file can't be
            written, which is found out first.
    """
    from cueco_solo.report.gather import gather_document
    from cueco_solo.report.html import render

    check_file(out)
    document = gather_document(runs, described, table, **options)
    try:
        write_text(out, render(document))
    except OSError as error:
        raise _unwritable(out, error) from error
    _print_summary(document, out)
    return out


def check_file(out: Path) -> None:
    """Make the report's folder, and find out whether a file can be written there.

    Raises:
        ConfigError: it can't.
    """
    if out.is_dir():
        raise config_error("--out", str(out), "is a folder", f"give {out / 'report.html'}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> Exception:
    return config_error(
        "--out", str(out), f"can't be written ({error.strerror})", "give another file"
    )


def _print_summary(document: Document, out: Path) -> None:
    albums = document.images.values()
    pictures = [uri for album in albums for uri in album["thumbnails"]]
    for run in document.runs:
        for sentence in run["missing"]:
            print(f"{run['id']}: {sentence}")
    print(f"pictures: {len(pictures)}, {sum(map(len, pictures)) / 1e6:.1f} MB")
    print(f"report: {out} ({out.stat().st_size / 1e6:.1f} MB)", flush=True)
