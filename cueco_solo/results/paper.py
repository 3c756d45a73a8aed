"""A paper's table, ours and the difference side by side, in the paper's order of rows."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cueco_solo.files import write_text
from cueco_solo.results.columns import Column, make_columns
from cueco_solo.results.figures import UNTRAINED
from cueco_solo.results.published import OFFLINE, ONLINE, UNKNOWN, Published, same_method
from cueco_solo.results.rows import Cell, Row
from cueco_solo.results.table import ResultTable
from cueco_solo.results.write import unwritable

NOT_RUN = "not run"
_NONE = "-"
_SECONDS = "seconds_per_epoch"


@dataclass(frozen=True)
class PaperCell:
    """One figure of the paper's, if it has one, and ours.

    Attributes:
        paper: as printed.
        ours: mean over our runs, of the same protocol; None where there is none.
        difference: ours minus the paper's, None where they can't be compared.
        said: what stands behind ours: why they can't be.
    """

    paper: Published | None = None
    ours: Cell | None = None
    difference: float | None = None
    said: str = ""


@dataclass
class PaperRow:
    """A row of the paper's, or one of ours that the paper hasn't.

    Attributes:
        label: of the paper's row; its method, with the epochs where the table has several.
        cells: one per column.
        runs: our run folders.
    """

    label: str
    cells: list[PaperCell]
    runs: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class PaperPart:
    """The rows of one data set.

    Attributes:
        dataset: as the paper's.
        columns: metrics; a linear one has no protocol, which each figure has of its own.
        rows: the paper's first, in its order.
        notes: footnotes.
    """

    dataset: str
    columns: list[Column]
    rows: list[PaperRow]
    notes: list[str]


def paper_parts(
    figures: Sequence[Published], table: ResultTable | None, mark: str = ""
) -> list[PaperPart]:
    """Put the figures of a table beside ours.

    A difference is taken where data set, protocol, backbone and epochs are those of the paper's
    figure; where that names no epochs, none is.

    Args:
        figures: published ones, of one source, in its order.
        table: ours; None if nothing was run.
        mark: what stands behind the names of our data sets where digits are in their place: then
            no difference is taken.
    """
    rows = [row for row in table.rows if row.series != UNTRAINED] if table else []
    found = []
    for dataset in dict.fromkeys(figure["dataset"] for figure in figures):
        theirs = [figure for figure in figures if figure["dataset"] == dataset]
        ours = [row for row in rows if row.dataset == f"{dataset}{mark}"]
        found.append(_part(dataset, theirs, ours, table, bool(mark)))
    return found


def _part(
    dataset: str,
    theirs: Sequence[Published],
    ours: Sequence[Row],
    table: ResultTable | None,
    marked: bool,
) -> PaperPart:
    columns = make_columns(dict.fromkeys((_group(f["protocol"]), f["metric"]) for f in theirs))
    labels = _labels(theirs)
    rows: dict[str, PaperRow] = {}
    for label in dict.fromkeys(labels):
        of_row = [f for f, name in zip(theirs, labels, strict=True) if name == label]
        row = next((r for r in ours if same_method(r.series, label) and not r.transferred), None)
        cells = []
        for column in columns:
            place = column.protocol, column.metric
            printed = next(
                (f for f in of_row if (_group(f["protocol"]), f["metric"]) == place), None
            )
            cells.append(_cell(printed, row, table, column, marked))
        rows[label] = PaperRow(label, cells, _runs(row))
    for row in ours:
        if not any(same_method(row.series, label) for label in rows):
            cells = [_cell(None, row, table, column, marked) for column in columns]
            rows[row.label] = PaperRow(row.label, cells, _runs(row))
    notes = dict.fromkeys(f["note"] for f in theirs if f.get("note"))
    return PaperPart(dataset, columns, list(rows.values()), list(notes))


def _group(protocol: str) -> str:
    """The column of a figure: linear ones stand in one, whichever of these protocols they are."""
    return OFFLINE if protocol in (ONLINE, UNKNOWN) else protocol


def _labels(figures: Sequence[Published]) -> list[str]:
    """What each figure's row is called."""
    epochs: dict[str, set[int | None]] = {}
    for figure in figures:
        epochs.setdefault(figure["method"], set()).add(figure["epochs"])
    return [
        f"{f['method']} ({f['epochs']} epochs)" if len(epochs[f["method"]]) > 1 else f["method"]
        for f in figures
    ]


def _runs(row: Row | None) -> list[Path]:
    return [single.run.folder for single in row.singles] if row else []


def _cell(
    printed: Published | None,
    row: Row | None,
    table: ResultTable | None,
    column: Column,
    marked: bool,
) -> PaperCell:
    if row is None or table is None:
        return PaperCell(printed)
    protocol = printed["protocol"] if printed else column.protocol
    known = ONLINE if protocol == UNKNOWN else protocol
    ours = _ours(row, table, known, column.metric)
    if ours is None:
        return PaperCell(printed)
    words = [] if protocol == known else ["online"]
    if column.metric == _SECONDS:
        words.append("on other hardware")
    if printed and not marked:
        # of a length that the paper doesn't name, ours can't be told to be the same
        theirs = printed["backbone"], printed["epochs"]
        words += [] if theirs == (row.backbone, row.epochs) else [row.setting]
    comparable = printed and not words and not marked
    difference = ours.mean - printed["value"] if printed and comparable else None
    return PaperCell(printed, ours, difference, ", ".join(words))


def _ours(row: Row, table: ResultTable, protocol: str, metric: str) -> Cell | None:
    """The only figure of a protocol and metric; of several settings none is the paper's."""
    name = "seconds" if metric == _SECONDS else metric
    cells = [
        cell
        for cell, column in zip(row.cells, table.columns, strict=True)
        if cell and (column.protocol, column.metric) == (protocol, name)
    ]
    if len(cells) != 1:
        return None
    if metric == _SECONDS:
        return Cell(cells[0].mean / row.epochs, n=cells[0].n) if row.epochs else None
    return cells[0]


def paper_markdown(source: str, parts: Sequence[PaperPart], notice: str = "") -> str:
    """One table for each data set, then the run folders that its figures are of."""
    lines = [f"# {source}", ""]
    lines += [f"**{notice}.**", ""] if notice else []
    for part in parts:
        lines += [f"## {part.dataset}", ""]
        titles = [f"{column.group}, {column.title}" for column in part.columns]
        head = ["method", *(f"{t}: {word}" for t in titles for word in ("paper", "ours", "diff."))]
        lines += [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
        for row in part.rows:
            lines.append(
                _line([row.label, *(t for cell in row.cells for t in cell_texts(cell, part.notes))])
            )
        said = [f"({_letter(i)}) {note}." for i, note in enumerate(part.notes)]
        lines += [
            "",
            " ".join(
                [
                    "Ours: mean ± sample standard deviation over seeds, if several. A difference "
                    "is taken between figures of one protocol, network and length only.",
                    *said,
                ]
            ),
            "",
        ]
        folders = [f"- {row.label}: `{run}`" for row in part.rows for run in row.runs]
        lines += ["Runs:", "", *folders, ""] if folders else []
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _letter(number: int) -> str:
    return chr(ord("a") + number)


def cell_texts(cell: PaperCell, notes: Sequence[str]) -> list[str]:
    """The paper's, ours, the difference."""
    paper = _NONE
    if cell.paper:
        note = cell.paper.get("note")
        paper = f"{cell.paper['value']:g}" + (f" ({_letter(notes.index(note))})" if note else "")
    ours = NOT_RUN
    if cell.ours:
        ours = f"{cell.ours.mean:.2f}"
        ours += f" ± {cell.ours.std:.2f} (n = {cell.ours.n})" if cell.ours.std is not None else ""
        ours += f" ({cell.said})" if cell.said else ""
    difference = _NONE if cell.difference is None else f"{cell.difference:+.2f}"
    return [paper, ours, difference]


def paper_csv(parts: Sequence[PaperPart], mark: str = "") -> str:
    """One line for each figure of the paper's or ours.

    Args:
        parts: as :func:`paper_parts` gives them.
        mark: see there.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("dataset", "method", "protocol", "metric", "paper"),
            *("ours", "n", "ours_differs_in", "difference", "runs"),
        ]
    )
    for part in parts:
        for row in part.rows:
            for column, cell in zip(part.columns, row.cells, strict=True):
                if cell.paper is None and cell.ours is None:
                    continue
                protocol = cell.paper["protocol"] if cell.paper else column.protocol
                ours: list[Any] = ["", "", ""]
                if cell.ours is not None:
                    ours = [cell.ours.mean, cell.ours.n, f"{cell.said}{mark}"]
                writer.writerow(
                    [
                        *(part.dataset, row.label, protocol, column.metric),
                        cell.paper["value"] if cell.paper else "",
                        *ours,
                        "" if cell.difference is None else round(cell.difference, 6),
                        " ".join(map(str, row.runs)),
                    ]
                )
    return text.getvalue()


def write_paper(
    out: Path,
    source: str,
    figures: Sequence[Published],
    table: ResultTable | None,
    mark: str = "",
    notice: str = "",
) -> str:
    """Write ``paper.md`` and ``paper.csv``.

    Args:
        out: folder.
        source: what the figures stand in.
        figures: published ones; those of other sources don't count.
        table: ours, if anything was run.
        mark, notice: of a check of wiring, see :func:`paper_parts`.

    Returns:
        The Markdown.

    Raises:
        ConfigError: the folder can't be written.
    """
    parts = paper_parts([f for f in figures if f["source"] == source], table, mark)
    text = paper_markdown(source, parts, notice)
    try:
        write_text(out / "paper.md", text)
        write_text(out / "paper.csv", paper_csv(parts, mark))
    except OSError as error:
        raise unwritable(out, error) from error
    return text
