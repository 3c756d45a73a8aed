"""Tables of figures, and how they are written."""

import pytest

from cueco_solo.report.document import Figure
from cueco_solo.results.published import published_figures
from cueco_solo.results.statistics import comparisons
from cueco_solo.results.text import escape_latex, latex, markdown, terminal
from cueco_solo.results.text_tables import Table, make_tables


def figure(method: str, seed: int, value: float, metric: str = "top1") -> Figure:
    return Figure(
        source="ours",
        dataset="cifar100",
        method=method,
        backbone="resnet18",
        epochs=1000,
        protocol="linear",
        metric=metric,
        value=value,
        seed=seed,
        run=f"runs/{method}-{seed}",
    )


MINUS = "\N{MINUS SIGN}"
OURS = [
    figure("MoCo V2+", 5, 60.0),
    figure("MoCo V2+", 6, 62.0),
    figure("CueCo", 5, 65.0),
    figure("CueCo", 6, 66.0),
    figure("CueCo", 7, 90.0),
    figure("mine", 5, 1.0),
]


def tables() -> list[Table]:
    return make_tables(OURS, comparisons(OURS, "MoCo V2+"), published_figures(), "MoCo V2+")


def column(table: Table, group: str, name: str) -> dict[str, str]:
    i = table.head.index((group, name))
    return {row[0]: row[i] for row in table.rows}


def test_mean_deviation_and_number_of_seeds():
    table = tables()[0]
    assert column(table, "Linear", "top-1") == {
        **dict.fromkeys((row[0] for row in table.rows), ""),
        "MoCo V2+": "61.0 ± 1.4",
        "CueCo": "73.7 ± 14.2",
        "mine": "1.0",
    }
    assert column(table, "", "seeds")["CueCo"] == "3"
    assert [row[0] for row in table.rows[: table.ours]] == ["MoCo V2+", "CueCo", "mine"]


def test_what_was_trained_stands_beside_what_was_measured():
    short = Figure(**{**figure("short", 5, 1.0), "epochs": 20})  # type: ignore[typeddict-item]
    (table,) = make_tables([*OURS, short], [], published_figures(), None)
    found = column(table, "", "pre-training")
    assert (found["CueCo"], found["short"]) == ("resnet18, 1000 epochs", "resnet18, 20 epochs")
    assert found["BYOL"] == ""


def test_published_figures_stand_in_their_own_columns():
    table = tables()[0]
    group = "published: cueco, Table 1 (resnet18, 1000 epochs)"
    theirs = column(table, group, "Linear: top-1")
    assert theirs["BYOL"] == "70.18"
    assert theirs["CueCo"] not in ("", "73.7") and theirs["mine"] == ""
    below = table.rows[table.ours :]
    assert below and all(not any(row[1:4]) and any(row[4:]) for row in below)
    # what we have no column for, or another protocol, isn't shown
    assert not any("solo-learn" in group or "k-NN" in name for group, name in table.head)
    assert len({len(row) for row in (table.head, *table.rows)}) == 1


def test_differences_over_common_seeds():
    table = tables()[1]
    assert table.title == "cifar100: difference to MoCo V2+"
    found = column(table, "Linear", "top-1")
    assert found == {"CueCo": f"+4.5 ({MINUS}1.9 to +10.9)", "mine": f"{MINUS}59.0"}
    assert column(table, "", "pairs") == {"CueCo": "2", "mine": "1"}


def test_a_cell_of_fewer_seeds_says_so():
    figures = [*OURS, figure("CueCo", 5, 90.0, "top5")]
    rows = make_tables(figures, [], [], None)
    assert len(rows) == 1
    # top-5 isn't among the first metrics; alone, it is
    only = [figure("CueCo", 5, 90.0, "other"), *[figure("CueCo", s, 1.0, "more") for s in (5, 6)]]
    (table,) = make_tables(only, [], [], None)
    assert table.rows[0][2] == "2"
    assert "90.0, n = 1" in table.rows[0]


def unescaped(text: str) -> str:
    words = {
        r"\textbackslash{}": "\\",
        r"\textasciitilde{}": "~",
        r"\textasciicircum{}": "^",
        "{[}": "[",
        r"\textless{}": "<",
    }
    for written, sign in words.items():
        text = text.replace(written, sign)
    for sign in "&%$#_{}":
        text = text.replace(f"\\{sign}", sign)
    return text


@pytest.mark.parametrize("sign", list("&%$#_{}~^\\[<"))
def test_latex_escapes(sign: str):
    written = escape_latex(f"a{sign}b")
    assert written != f"a{sign}b"
    assert unescaped(written) == f"a{sign}b"


def test_latex_is_a_whole_table():
    text = latex(make_tables([figure("50% & more_\n[x]", 5, 1.0)], [], published_figures(), None))
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
    text = markdown(make_tables([figure("a|b <b>*x*", 5, 1.0)], [], [], None))
    assert r"a\|b \<b\>\*x\*" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace(r"\|", "").count("|") for row in rows}) == 1


def test_terminal_shows_ours_only():
    text = terminal(tables())
    lines = text.splitlines()
    assert lines[0].split() == ["cifar100", "MoCo", "V2+", "CueCo", "mine"]
    assert any(line.startswith("Linear: top-1") and "73.7 ± 14.2" in line for line in lines)
    assert "published" not in text and "BYOL" not in text
