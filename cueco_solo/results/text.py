"""Tables as Markdown and as LaTeX."""

import itertools
from collections.abc import Sequence

from cueco_solo.results.text_tables import PUBLISHED, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "[": "{[}",  # behind a row's end, it would start an option
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": r"$-$",
    "\N{EN DASH}": "--",
    "·": r"$\cdot$",
}


def markdown(tables: Sequence[Table]) -> str:
    """GitHub's tables, one section each."""
    return "\n\n".join(map(_markdown, tables)) + "\n"


def _markdown(table: Table) -> str:
    head = [f"{group}: {name}" if group else name for group, name in table.head]
    rules = ["---", *["---:"] * (len(head) - 1)]
    rows = [[_escaped(cell) or "\N{EN DASH}" for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in ([_escaped(h) for h in head], rules, *rows)]
    return "\n".join([f"## {_escaped(table.title)}", "", *lines, "", table.note])


def _escaped(text: str) -> str:
    """Nothing of a name is read as Markdown or HTML."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#~" else c for c in " ".join(text.split()))


def terminal(tables: Sequence[Table]) -> str:
    """What we measured, turned: a metric in each row, a method in each column."""
    return "\n\n".join(map(_terminal, tables))


def _terminal(table: Table) -> str:
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


def latex(tables: Sequence[Table]) -> str:
    """``table`` environments with booktabs' rules."""
    head = "% \\usepackage{booktabs,graphicx}\n\n"
    return head + "\n\n".join(map(_latex, tables)) + "\n"


def _latex(table: Table) -> str:
    groups = [(name, len(list(g))) for name, g in itertools.groupby(h[0] for h in table.head)]
    top, rules, column = [], [], 1
    for name, width in groups:
        top.append(f"\\multicolumn{{{width}}}{{c}}{{{escape_latex(name)}}}" if name else "&" * 0)
        if name:
            rules.append(f"\\cmidrule(lr){{{column}-{column + width - 1}}}")
        else:
            top[-1] = " & ".join([""] * width)
        column += width
    rows = [" & ".join(escape_latex(cell) or "--" for cell in row) + r" \\" for row in table.rows]
    if 0 < table.ours < len(rows):
        rows.insert(table.ours, r"\midrule")
    lines = [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape_latex(table.title)}. {escape_latex(table.note)}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"\toprule",
        " & ".join(top) + r" \\",
        " ".join(rules),
        " & ".join(escape_latex(name) for _, name in table.head) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def escape_latex(text: str) -> str:
    """The text itself, whatever signs are in it."""
    return "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
