"""The files of a table of figures: every measurement, and the tables for papers."""

import csv
import io
from pathlib import Path
from typing import Any

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import write_json, write_text
from cueco_solo.results.figures import Figure
from cueco_solo.results.latex import latex
from cueco_solo.results.settings import as_text
from cueco_solo.results.table import ResultTable
from cueco_solo.results.text import markdown

_COLUMNS = [name for name in Figure.__annotations__ if name != "images"]


def _measurements(table: ResultTable) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in figure.items() if name in _COLUMNS}
        | {"settings": as_text(figure["settings"])}
        for figure in table.figures()
    ]


def csv_text(table: ResultTable) -> str:
    """Our figures, one line per measurement."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_measurements(table))
    return text.getvalue()


def write_results(out: Path, table: ResultTable) -> list[Path]:
    """Write ``results.csv`` and ``results.json`` (our figures), ``table.md`` and ``table.tex``.

    Args:
        out: folder.
        table: of the comparison.

    Returns:
        The files.

    Raises:
        ConfigError: the folder can't be written.
    """
    texts = {"results.csv": csv_text, "table.md": markdown, "table.tex": latex}
    try:
        write_json(out / "results.json", _measurements(table))
        for name, render in texts.items():
            write_text(out / name, render(table))
    except OSError as error:
        raise unwritable(out, error) from error
    return [out / name for name in ("results.json", *texts)]


def unwritable(out: Path, error: OSError) -> ConfigError:
    """What to say of a folder of results that can't be written."""
    reason = f"can't be written ({error.strerror})"
    return config_error("--out", str(out), reason, "give a folder of yours")
