"""The table of figures as Markdown and for a terminal."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from cueco_solo.results.published import same_method
from cueco_solo.results.table import (
    DIFFERENCE_OVER_IMAGES,
    OVER_IMAGES,
    Cell,
    Column,
    Difference,
    ResultTable,
)

PUBLISHED = "published"


@dataclass(frozen=True)
class TextTable:
    """Part of a table as text, ready to be escaped.

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


def text_tables(table: ResultTable) -> list[TextTable]:
    """Two tables for each data set: means, and differences to the baseline where there are any."""
    found = []
    for dataset in dict.fromkeys(row.dataset for row in table.rows):
        found.append(_means(table, dataset))
        differences = [d for d in table.differences if d.row.dataset == dataset]
        if differences:
            found.append(_differences(table, dataset, differences))
    return found


def _means(table: ResultTable, dataset: str) -> TextTable:
    rows = [row for row in table.rows if row.dataset == dataset]
    shown = [i for i in _shown(table.columns) if any(row.cells[i] for row in rows)]
    theirs, footnotes = _published_columns(table, dataset)
    names = [row.label for row in rows]
    for name in itertools.chain.from_iterable(theirs.values()):
        if not any(same_method(name, other) for other in names):
            names.append(name)
    lines = []
    for name, row in itertools.zip_longest(names, rows):
        ours = [""] * (2 + len(shown))
        if row:
            n = len(row.singles)
            ours = [row.setting, str(n), *(_mean(row.cells[i], n) for i in shown)]
        series = row.series if row else name
        lines.append([name, *ours, *(_as_printed(column, series) for column in theirs.values())])
    note = (
        "Mean ± sample standard deviation over seeds; in percent, except seconds and RankMe. "
        "A cell with fewer seeds than its row gives its own n."
    )
    if any(cell and cell.half is not None for row in rows for cell in row.cells):
        note += f" {OVER_IMAGES}"
    if theirs:
        note += (
            f" Columns headed {PUBLISHED} were not measured here: they are as printed there, and "
            "no difference to them is taken."
        )
    note += "".join(f" ({letter}) {text}." for text, letter in footnotes.items())
    note += f" {table.mixed[dataset]}" if dataset in table.mixed else ""
    head = [*_head(table, shown, "pre-training", "seeds"), *theirs]
    return TextTable(dataset, head, lines, len(rows), note)


def _shown(columns: Sequence[Column]) -> list[int]:
    return [i for i, column in enumerate(columns) if column.primary]


def _head(table: ResultTable, shown: Sequence[int], *names: str) -> list[tuple[str, str]]:
    titles = [(table.columns[i].group, table.columns[i].title) for i in shown]
    return [("", "method"), *(("", name) for name in names), *titles]


def _published_columns(
    table: ResultTable, dataset: str
) -> tuple[dict[tuple[str, str], dict[str, str]], dict[str, str]]:
    """Text by method, in a column for each source, setting, protocol and metric; the footnotes."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    letters, used = table.notes, set()
    columns = table.published_columns
    rows = [row for row in table.published if row.dataset == dataset]
    for row, i in itertools.product(rows, _shown(columns)):
        if cell := row.cells[i]:
            group = f"{PUBLISHED}: {row.source} ({row.setting})"
            title = f"{columns[i].group}: {columns[i].title}"
            mark = f" ({letters[cell.note]})" if cell.note else ""
            found.setdefault((group, title), {})[row.series] = f"{cell.mean:g}{mark}"
            used.add(cell.note)
    return found, {note: letter for note, letter in letters.items() if note in used}


def _as_printed(column: dict[str, str], method: str) -> str:
    return next((text for name, text in column.items() if same_method(name, method)), "")


def _mean(cell: Cell | None, most: int) -> str:
    if cell is None:
        return ""
    text = f"{cell.mean:.1f}"
    if cell.std is not None:
        text += f" ± {cell.std:.1f}"
    elif ends := cell.interval:
        text += f" [{ends[0]:.1f}, {ends[1]:.1f}]"
    return text if cell.n == most else f"{text}, n = {cell.n}"


def _differences(table: ResultTable, dataset: str, items: Sequence[Difference]) -> TextTable:
    by_row: dict[str, dict[Column, Difference]] = {}
    for item in items:
        by_row.setdefault(item.row.label, {})[item.column] = item
    columns = table.columns
    shown = [i for i in _shown(columns) if any(columns[i] in found for found in by_row.values())]
    lines = []
    for label, found in by_row.items():
        cells = [found.get(columns[i]) for i in shown]
        most = max((item.paired.n for item in cells if item), default=0)
        lines.append([label, str(most), *(_difference(item, most) for item in cells)])
    note = (
        "Mean difference over common seeds and its 95 % confidence interval (Student's t, paired "
        f"by seed). An interval that contains 0 doesn't separate a method from {table.baseline}; "
        "a single seed gives no such interval."
    )
    if any(item.over_images for item in items if item.column.primary):
        note += f" {DIFFERENCE_OVER_IMAGES}"
    note += f" {table.mixed[dataset]}" if dataset in table.mixed else ""
    title = f"{dataset}: difference to {table.baseline}"
    return TextTable(title, _head(table, shown, "pairs"), lines, len(lines), note)


def _difference(item: Difference | None, most: int) -> str:
    if item is None:
        return ""
    pairs = item.paired
    text = f"{pairs.difference:+.1f}"
    if pairs.low is not None and pairs.high is not None:
        ends = f"{pairs.low:+.1f} to {pairs.high:+.1f}"
        text += f" [{ends}]" if item.over_images else f" ({ends})"
    text = text.replace("-", "\N{MINUS SIGN}")
    return text if pairs.n == most else f"{text}, n = {pairs.n}"


def markdown(table: ResultTable) -> str:
    """GitHub's tables, one section each."""
    return "\n\n".join(map(_markdown, text_tables(table))) + "\n"


def _markdown(table: TextTable) -> str:
    head = [f"{group}: {name}" if group else name for group, name in table.head]
    rules = ["---", *["---:"] * (len(head) - 1)]
    rows = [[_escaped(cell) or "\N{EN DASH}" for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in ([_escaped(h) for h in head], rules, *rows)]
    return "\n".join([f"## {_escaped(table.title)}", "", *lines, "", table.note])


def _escaped(text: str) -> str:
    """Nothing of a name is read as Markdown or HTML."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#~" else c for c in " ".join(text.split()))


def terminal(table: ResultTable) -> str:
    """What we measured, transposed: one line per metric, one column per method."""
    found = [_terminal(part) for part in text_tables(table)]
    return "\n\n".join([*found, OVER_IMAGES] if table.over_images else found)


def _terminal(table: TextTable) -> str:
    ours = [i for i, (group, _) in enumerate(table.head) if not group.startswith(PUBLISHED)]
    rows = [
        [
            ": ".join(filter(None, table.head[i])),
            *(row[i] or "-" for row in table.rows[: table.ours]),
        ]
        for i in ours
    ]
    rows[0][0] = table.title
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
