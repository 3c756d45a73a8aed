"""Renderers of the table of figures: what one shows, all show."""

import csv
import io
import json
import re

import pytest
from report_document import document, figure, runs
from report_run import RunFigures

from cueco_solo.report.html import render
from cueco_solo.results.figures import Figure
from cueco_solo.results.latex import escape_latex, latex
from cueco_solo.results.published import published_figures
from cueco_solo.results.table import ResultTable, make_table
from cueco_solo.results.text import (
    TextTable,
    markdown,
    terminal,
    text_tables,
)
from cueco_solo.results.write import csv_text, write_results

MINUS = "\N{MINUS SIGN}"


def run(series: str, seed: int, value: float, *more: Figure, epochs: int = 1000) -> RunFigures:
    """A run on CIFAR-100 with a linear accuracy."""
    (made, *_) = runs(1)
    made.id, made.series, made.seed, made.epochs = f"{series}-{seed}", series, seed, epochs
    made.dataset, made.untrained = "cifar100", []
    made.figures = [figure(made, "linear", "top1", value), *more]
    return made


OURS = [
    run("MoCo V2+", 5, 60.0),
    run("MoCo V2+", 6, 62.0),
    run("CueCo", 5, 65.0),
    run("CueCo", 6, 66.0),
    run("CueCo", 7, 90.0),
    run("mine", 5, 1.0),
]


def table(found: list[RunFigures] = OURS, baseline: str | None = None) -> ResultTable:
    return make_table(found, baseline, published=published_figures())


def column(table: TextTable, group: str, name: str) -> dict[str, str]:
    i = table.head.index((group, name))
    return {row[0]: row[i] for row in table.rows}


def test_all_renderers_show_the_same_figures(tmp_path):
    """In every format, the untrained backbone and the training time included."""
    found = runs(3)
    for one in found:
        one.figures.append(figure(one, "training", "seconds", 100.0 + (one.seed or 0)))
    shown = document(found=found).table
    expected = {
        (row.label, f"{column.group}: {column.title}"): f"{cell.mean:.1f}"
        for row in shown.rows
        for column, cell in zip(shown.columns, row.cells, strict=True)
        if cell and column.primary
    }
    assert expected["untrained", "k-NN: 20-NN"] == "41.0"
    assert expected["rcl", "Training: seconds"] == "106.0"

    def means(lines: list[list[str]], heads: list[str]) -> dict[tuple[str, str], str]:
        pairs = [(line[0], *pair) for line in lines for pair in zip(heads, line, strict=True)]
        wanted = {head for _, head in expected}
        return {
            (method, head): cell.split(" ")[0].rstrip(",")
            for method, head, cell in pairs
            if head in wanted and cell not in ("-", "--", "\N{EN DASH}")
        }

    def split(text: str, mark: str) -> list[list[str]]:
        return [[cell.strip() for cell in line.strip("|\\ ").split(mark)] for line in text]

    (first, *_) = markdown(shown).split("\n## ")
    head, _, *lines = split([x for x in first.splitlines() if x.startswith("|")], " | ")
    assert means(lines, head) == expected

    (first, *_) = latex(shown).split(r"\end{table}")
    body = [line for line in first.splitlines() if line.endswith(r"\\")]
    _, _, *lines = split([line.replace(r"$\pm$", "±") for line in body], " & ")
    assert means(lines, head) == expected

    lines = [re.split(r"\s{2,}", line) for line in terminal(shown).split("\n\n")[0].splitlines()]
    methods, _, *lines = lines
    turned = [[name, *cells] for name, *cells in zip(methods, *lines, strict=True)][1:]
    assert means(turned, ["", *(line[0] for line in lines)]) == expected

    write_results(tmp_path, shown)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    as_json = json.loads((tmp_path / "results.json").read_text())
    assert [
        {k: "" if v is None else str(v) for k, v in figure.items()} for figure in as_json
    ] == rows
    values: dict[tuple[str, str], list[float]] = {}
    primary = [column for column in shown.columns if column.primary]
    titles = {column.key: f"{column.group}: {column.title}" for column in primary}
    for row in rows:
        if (key := (row["protocol"], row["metric"], row["settings"])) in titles:
            values.setdefault((row["method"], titles[key]), []).append(float(row["value"]))
    assert {key: f"{sum(each) / len(each):.1f}" for key, each in values.items()} == expected

    page = render(document(found=found))
    drawn = {}
    for text in re.findall(r'<tr class="mean">(.*?)</tr>', page, re.S):
        name = re.search(r'<th scope="row" data-value="(.*?)"', text)
        cells = re.findall(r'<td class="number[^"]*"(?: data-value="([^"]*)")? data-label', text)
        assert name and len(cells) == len(shown.columns)
        for one, cell in zip(shown.columns, cells, strict=True):
            if cell and one.primary:
                drawn[name[1], titles[one.key]] = f"{float(cell):.1f}"
    assert drawn == expected


def test_mean_deviation_and_number_of_seeds():
    (first,) = text_tables(table())
    assert column(first, "Linear", "top-1") == {
        **dict.fromkeys((row[0] for row in first.rows), ""),
        "MoCo V2+": "61.0 ± 1.4",
        "CueCo": "73.7 ± 14.2",
        "mine": "1.0",
    }
    assert column(first, "", "seeds")["CueCo"] == "3"
    assert [row[0] for row in first.rows[: first.ours]] == ["MoCo V2+", "CueCo", "mine"]


def test_published_figures_stand_in_their_own_columns():
    first = text_tables(table([*OURS, run("short", 5, 1.0, epochs=20)]))[0]
    found = column(first, "", "pre-training")
    assert (found["CueCo"], found["short"]) == ("resnet18, 1000 epochs", "resnet18, 20 epochs")
    assert found["BYOL"] == ""
    source = "published: cueco, Table 1 (resnet18, 1000 epochs)"
    theirs = column(first, source, "Linear: top-1")
    assert theirs["CueCo"] == "68.56" and theirs["mine"] == theirs["BYOL"] == ""
    either = column(first, source, "Linear, online or offline: top-1")
    assert either["BYOL"].startswith("70.18 (") and either["CueCo"] == ""
    letter = either["BYOL"].removeprefix("70.18 ")
    assert f"{letter} adapted from solo-learn" in first.note
    # ours has no online figures here, so that theirs aren't shown
    assert not any(name.startswith("Linear, online: ") for _, name in first.head)
    below = first.rows[first.ours :]
    assert below and all(not any(row[1:4]) and any(row[4:]) for row in below)
    # what we have no column for, or another protocol, isn't shown
    assert not any("solo-learn" in group or "k-NN" in name for group, name in first.head)
    assert len({len(row) for row in (first.head, *first.rows)}) == 1


def test_differences_over_common_seeds():
    second = text_tables(table(baseline="MoCo V2+"))[1]
    assert second.title == "cifar100: difference to MoCo V2+"
    found = column(second, "Linear", "top-1")
    assert found == {"CueCo": f"+4.5 ({MINUS}1.9 to +10.9)", "mine": f"{MINUS}59.0"}
    assert column(second, "", "pairs") == {"CueCo": "2", "mine": "1"}


def test_a_cell_of_fewer_seeds_gives_its_own_number():
    more = figure(OURS[2], "knn", "knn20", 90.0)
    (first,) = text_tables(table([run("CueCo", 5, 1.0, more), run("CueCo", 6, 1.0)]))
    assert column(first, "", "seeds")["CueCo"] == "2"
    assert column(first, "k-NN", "20-NN")["CueCo"] == "90.0, n = 1"


ESCAPED = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "[": "{[}",
    "<": r"\textless{}",
}


@pytest.mark.parametrize("sign", ESCAPED)
def test_latex_escapes(sign: str):
    assert escape_latex(f"a{sign}b") == f"a{ESCAPED[sign]}b"


def test_latex_is_a_whole_table():
    text = latex(table([run("50% & more_\n[x]", 5, 1.0)]))
    assert r"50\% \& more\_ {[}x]" in text
    lines = text.splitlines()
    for rule in (r"\toprule", r"\bottomrule", r"\begin{table}", r"\end{table}"):
        assert lines.count(rule) == 1
    start, end = lines.index(r"\toprule"), lines.index(r"\bottomrule")
    rows = [line for line in lines[start:end] if line.endswith(r"\\")]
    width = rows[1].replace(r"\&", "").count("&")
    assert all(row.replace(r"\&", "").count("&") == width for row in rows[1:])
    assert f"{{l{'r' * width}}}" in text
    # published rows below a rule of their own
    assert lines.count(r"\midrule") == 2


def test_markdown_shows_names_as_they_are():
    text = markdown(make_table([run("a|b <b>*x*", 5, 1.0)]))
    assert r"a\|b \<b\>\*x\*" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace(r"\|", "").count("|") for row in rows}) == 1


def test_terminal_shows_ours_only():
    text = terminal(table())
    assert text.splitlines()[0].split() == ["cifar100", "MoCo", "V2+", "CueCo", "mine"]
    assert "published" not in text and "BYOL" not in text


def test_csv_has_one_line_per_measurement():
    found = list(csv.DictReader(io.StringIO(csv_text(table()))))
    assert [(row["method"], row["seed"], row["value"]) for row in found] == [
        (one.series, str(one.seed), str(one.figures[0]["value"])) for one in OURS
    ]
