"""The table of figures as LaTeX."""

import itertools

from cueco_solo.results.table import ResultTable
from cueco_solo.results.text import TextTable, text_tables

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


def latex(table: ResultTable) -> str:
    """``table`` environments with booktabs' rules."""
    head = "% \\usepackage{booktabs,graphicx}\n\n"
    return head + "\n\n".join(map(_latex, text_tables(table))) + "\n"


def _latex(table: TextTable) -> str:
    groups = [(name, len(list(g))) for name, g in itertools.groupby(h[0] for h in table.head)]
    top, rules, column = [], [], 1
    for name, width in groups:
        if name:
            top.append(f"\\multicolumn{{{width}}}{{c}}{{{escape_latex(name)}}}")
            rules.append(f"\\cmidrule(lr){{{column}-{column + width - 1}}}")
        else:
            top.append(" & ".join([""] * width))
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
