"""The page's HTML, without a browser."""

import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from report_document import NASTY, bare_document, document, figure

from cueco_solo.report.html import embedded_json, render
from cueco_solo.results import tables
from cueco_solo.results.differences import differences, verdicts


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of scripts and of the rest."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def nasty() -> str:
    return render(document(nasty=True))


def test_nothing_is_loaded_from_anywhere(nasty):
    elements = Elements(nasty)
    addresses = [
        value
        for _, attributes in elements.tags
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data", "poster")
    ]
    assert addresses
    assert all(value.startswith(("#", "data:,")) for value in addresses)
    policy = next(a["content"] for t, a in elements.tags if t == "meta" and "content" in a)
    assert policy
    assert "default-src 'none'" in nasty
    style = re.search(r"<style>(.*?)</style>", nasty, re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]


def test_strings_of_the_document_become_no_markup(nasty):
    clean = {tag for tag, _ in Elements(render(document())).tags}
    elements = Elements(nasty)
    assert {tag for tag, _ in elements.tags} == clean
    assert not [a for _, a in elements.tags if any(name.startswith("on") for name in a)]
    assert any(NASTY[0] in text for text in elements.text)
    assert len(re.findall("<script", nasty)) == len(re.findall("</script>", nasty)) == 4


def test_data_in_the_page_reads_back_as_it_was(nasty):
    text = Elements(nasty).scripts[1]
    assert json.loads(text)["runs"][0]["config"][NASTY[0]] == NASTY[1]


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "a\u2028b\u2029", "é & <"])
def test_embedded_json_keeps_the_text_and_hides_what_ends_a_script(text):
    embedded = str(embedded_json({text: [text]}))
    assert json.loads(embedded) == {text: [text]}
    assert not set(embedded) & set("<>&\u2028\u2029")


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        embedded_json([float("nan")])


def test_a_row_is_the_mean_over_its_runs():
    made = document(seeds=3, images=20)
    for run, value in zip(made["runs"][:3], (70.0, 74.0, 78.0), strict=True):
        run["figures"] = [figure(dict(run), "linear", "top1", value)]
    made["runs"][2]["figures"].append(figure(dict(made["runs"][2]), "knn", "knn20", 50.0))
    columns = tables.columns(made["runs"][0]["figures"] + made["runs"][2]["figures"])
    row = tables.summary(made["runs"][:3], columns)[0]
    assert (row.n, row.seeds) == (3, "5, 6, 7")
    top1, knn = row.cells
    assert (top1.text, top1.spread, top1.n) == ("74.0", "4.0", None)
    assert (knn.text, knn.spread, knn.n) == ("50.0", "", 1)


def test_runs_of_other_settings_are_no_repetitions():
    runs = document(seeds=3, images=20)["runs"][:3]
    runs[1]["config"]["method_kwargs.temperature"] = "0.7"
    runs[1]["name"] = "hot"
    rows = tables.summary(runs, tables.columns(runs[0]["figures"]))
    assert [(row.series, row.n) for row in rows] == [
        ("mocov2plus · mocov2plus-digits-placed", 2),
        ("mocov2plus · hot", 1),
    ]


def test_runs_on_another_share_of_the_data_are_no_repetitions():
    runs = document(seeds=3, images=20)["runs"][:3]
    runs[0]["config"]["data.fraction"] = "-1"  # what it is where nothing is said
    runs[2]["config"]["data.fraction"] = "0.1"
    runs[2]["name"] = "few"
    rows = tables.summary(runs, tables.columns(runs[0]["figures"]))
    assert [row.n for row in rows] == [2, 1]


def test_figures_on_other_data_stand_in_a_row_of_their_own():
    made = document(seeds=2, images=20)
    runs = made["runs"] = made["runs"][:2]
    for run in runs:
        other = {**run, "dataset": "cifar100-20"}
        run["figures"] = [figure(dict(run), "clustering", "acc", 30.0)]
        run["figures"] += [figure(other, "clustering", "acc", 90.0)]
    rows = tables.summary(runs, tables.columns(runs[0]["figures"]))
    assert [(row.dataset, row.n, row.cells[0].text) for row in rows] == [
        (runs[0]["dataset"], 2, "30.0"),
        ("cifar100-20", 2, "90.0"),
    ]
    assert "cifar100-20" in render(made)


def test_best_is_marked_within_a_data_set_and_never_for_ranks():
    runs = document(seeds=1, images=20)["runs"]
    values = [("a", 50.0), ("a", 60.0), ("b", 99.0)]
    for run, (dataset, value) in zip(runs, values, strict=True):
        run["dataset"] = dataset
        metrics = (("linear", "top1"), ("clustering", "rankme_test"))
        run["figures"] = [figure(dict(run), *metric, value) for metric in metrics]
    rows = tables.summary(runs, tables.columns(runs[0]["figures"]))
    assert [[cell.best for cell in row.cells] for row in rows] == [
        [False, False],
        [True, False],
        [False, False],
    ]


def test_known_protocols_and_metrics_come_first_and_neighbours_in_order():
    run = dict(document(seeds=1, images=20)["runs"][0])
    names = [("new", "x"), ("knn", "knn100"), ("knn", "knn20-euclidean"), ("knn", "knn20")]
    figures = [figure(run, *name, 1.0) for name in [*names, ("linear", "top5"), ("linear", "top1")]]
    columns = tables.columns(figures)
    assert [(c.protocol, c.title, c.primary) for c in columns] == [
        ("linear", "top-1", True),
        ("linear", "top-5", False),
        ("knn", "20-NN", True),
        ("knn", "20-NN, Euclidean", False),
        ("knn", "100-NN", False),
        ("new", "x", True),
    ]


def test_published_figures_stand_apart_and_are_not_averaged():
    published = document(seeds=1, images=20)["published"]
    twice = published[0] | {"value": 92.4}
    columns = tables.columns(published)
    rows = tables.published_rows([*published, twice], columns)
    assert [(row.series, row.source) for row in rows] == [
        ("BYOL", "CueCo paper, table 1"),
        ("CueCo", "CueCo paper, table 1"),
    ]
    assert rows[0].cells[0].text == "92.61 / 92.4"


def test_difference_reads_as_its_interval_says():
    found = differences(document(seeds=1, images=20)["comparisons"])
    assert [(d.interval, d.reading) for d in found] == [
        ("+2.9 to +13.5", "higher"),
        ("\N{MINUS SIGN}1.2 to +9.4", "undecided"),
        ("\N{EN DASH}", "one seed"),
    ]


def test_verdict_counts_the_main_metrics():
    found = differences(document(seeds=1, images=20)["comparisons"])
    assert verdicts(found) == [
        "cueco on digits-placed: of 2 main metrics higher in 1, undecided in 1.",
        "rcl on digits-placed: of 1 main metrics without an interval (one seed) in 1.",
    ]


def test_rows_that_share_a_method_are_told_apart():
    runs = document(seeds=2, images=20)
    runs["runs"][1]["epochs"] = 5
    data = json.loads(Elements(render(runs)).scripts[1])
    assert [run["row"] for run in data["runs"]] == [0, 1, 2, 2, 3, 3]
    assert data["rows"][:2] == ["mocov2plus · 100 epochs", "mocov2plus · 5 epochs"]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [r":root", r':root\[data-theme="dark"\]'])
def test_text_and_lines_stand_out(theme):
    style = resources.files("cueco_solo.report").joinpath("assets/style.css").read_text("utf-8")
    block = re.search(theme + r" \{(.*?)\}", style, re.S)
    assert block
    colours = dict(re.findall(r"--(\w+): (#\w{6});", block[1]))
    for ground in ("bg", "card", "stripe", "mark"):
        for text in ("text", "soft", "accent", "best", "good", "bad"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in [*(f"c{i}" for i in range(8)), "edge"]:
        assert _contrast(colours[line], colours["card"]) >= 3, line
    assert _contrast(colours["text"], colours["heat"]) >= 4.5


def test_a_document_without_optional_parts():
    html = render(bare_document())
    ids = {attributes.get("id") for _, attributes in Elements(html).tags}
    assert {"results", "reproduce", "missing"} <= ids
    assert not ids & {"training", "features", "configuration", "published", "differences"}
    assert "No checkpoint was found" in html


def test_a_document_without_runs():
    html = render(bare_document() | {"runs": []})  # type: ignore[arg-type]
    assert html.count("There is no run in this report.") == 2
