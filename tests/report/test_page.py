"""The page's HTML, without a browser."""

import json
import re
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from report_document import NASTY, bare_document, document, figure, runs

from cueco_solo.report.differences import difference_views, verdicts
from cueco_solo.report.html import embedded_json, render
from cueco_solo.report.verdict import verdict
from cueco_solo.results.columns import Column
from cueco_solo.results.rows import Row
from cueco_solo.results.statistics import Paired
from cueco_solo.results.table import DIFFERENCE_OVER_IMAGES, Difference, make_table


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


def test_the_script_of_others_carries_its_licence(nasty):
    script = Elements(nasty).scripts[2].lstrip()
    licence, _, _ = script.partition("*/")
    assert script.startswith("/*\nMIT License") and "The above copyright notice" in licence


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


def differences() -> list[Difference]:
    def item(method: str, protocol: str, metric: str, *values: float | None) -> Difference:
        row = Row(method, "digits-placed", "resnet18", 100, label=method)
        return Difference(row, Column(protocol, metric, True), Paired(*values, 3))  # type: ignore

    return [
        item("cueco", "linear", "top1", 8.2, 2.9, 13.5),
        item("cueco", "clustering", "nmi", 4.1, -1.2, 9.4),
        item("cueco", "training", "seconds", 9.0, 8.0, 10.0),
        item("rcl", "linear", "top1", 17.9, None, None),
    ]


def test_difference_reads_as_its_interval_says():
    found = difference_views(differences())
    assert [(d.interval, d.reading) for d in found] == [
        ("+2.9 to +13.5", "higher"),
        ("\N{MINUS SIGN}1.2 to +9.4", "undecided"),
        ("+8.0 to +10.0", "higher"),
        ("\N{EN DASH}", "one seed"),
    ]


def test_verdict_counts_the_main_metrics():
    assert verdicts(difference_views(differences())) == [
        "cueco on digits-placed: of 2 main metrics higher in 1, undecided in 1.",
        "rcl on digits-placed: of 1 main metrics without an interval (one seed) in 1.",
    ]


def test_rows_that_share_a_method_are_told_apart():
    found = runs(2)
    found[1].epochs = 5
    found[1].figures = [figure(found[1], "linear", "top1", 60.0)]
    data = json.loads(Elements(render(document(found=found))).scripts[1])
    assert [row["name"] for row in data["rows"][:3]] == [
        "untrained",
        "mocov2plus, resnet18, 100 epochs",
        "mocov2plus, resnet18, 5 epochs",
    ]
    top1 = data["columns"].index("Linear: top-1, %")
    assert [values[top1] for _, values in data["rows"][2]["runs"]] == [60.0]


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
    html = render(replace(bare_document(), runs=[], table=make_table([])))
    assert html.count("There is no run in this report.") == 2


def test_a_page_is_small():
    """Of the 2 MB that a quickstart's report may have, pictures take 0.2."""
    assert len(render(document()).encode()) < 1_900_000


# what people see of linear RGB (Machado et al. 2009, severity 1)
VISION = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def _lab(colours: list[str], vision: list[list[float]]) -> np.ndarray:
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(vision).T, 0, 1) @ np.array(XYZ).T / (0.9505, 1, 1.089)
    f = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    parts = 116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return np.stack(parts, 1)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", [r":root", r':root\[data-theme="dark"\]'])
def test_the_colours_of_classes_are_told_apart(theme: str, vision: str):
    style = resources.files("cueco_solo.report").joinpath("assets/style.css").read_text("utf-8")
    block = re.search(theme + r" \{(.*?)\}", style, re.S)
    assert block
    colours = dict(re.findall(r"--(\w+): (#\w{6});", block[1]))
    classes = [colours[f"k{i}"] for i in range(10)]
    assert min(_contrast(each, colours["card"]) for each in classes) >= 3
    lab = _lab(classes, VISION[vision])
    distance = np.linalg.norm(lab[:, None] - lab, axis=2)
    assert distance[np.triu_indices(10, 1)].min() > 20  # of which 2.3 is just noticeable


def test_the_verdict_counts_metrics_where_more_is_better():
    found = runs()
    for run in found:
        run.figures += [
            figure(run, "own", name, 50.0 + run.seed)
            for name in ("x-interval", "rankme", "seconds")
        ]
    first, *_ = verdict(document(found=found))
    assert first == "On digits-placed, rcl has the highest mean in all 8 main metrics."
    compared = difference_views(document(found=found).table.differences)
    assert all("of 8 main metrics" in sentence for sentence in verdicts(compared))


def test_methods_of_one_seed_each_are_no_evidence_whichever_seeds():
    cueco, rcl = (run for run in runs(2) if (run.series, run.seed) in {("cueco", 5), ("rcl", 6)})
    *_, last = verdict(document(found=[cueco, rcl]))
    assert last.startswith("One seed of cueco and rcl: no evidence for any method. Train each with")
    assert "seed=5, seed=6 and seed=7 (commands" in last
    several = [run for run in runs() if run.series != "rcl"]
    assert "One seed" not in " ".join(verdict(document(found=several)))
    assert verdict(document(found=[*several, rcl]))[-1].startswith("One seed of rcl: ")


def test_a_leading_baseline_is_compared_with_its_nearest_rival():
    found = runs()
    order = ["rcl", "mocov2plus", "cueco"]
    found.sort(key=lambda run: order.index(run.series))
    _, second, *_ = verdict(document(found=found))
    assert second.startswith("cueco minus rcl, Linear: top-1: ")


def test_data_sets_are_told_apart_where_there_are_several():
    found = runs(2)
    others = deepcopy(found)
    for run in others:
        run.dataset = "others"
        run.figures = [{**each, "dataset": "others"} for each in run.figures]
    tables = re.findall(
        r'<table class="(?:forest|cards)">.*?</table>', _page([*found, *others]), re.S
    )
    heads = [
        re.findall(r'<th scope="row">(?:<span.*?</span>)?([^<]*)</th>', each) for each in tables
    ]
    assert heads[0] == [
        f"{name} · {data}" for data in ("digits-placed", "others") for name in NAMES
    ]
    assert all("rcl · others" in each and "rcl · digits-placed" in each for each in heads)
    assert "rcl · digits-placed" not in _page(found)


NAMES = ("mocov2plus", "cueco", "rcl")


def _page(found):
    return render(document(images=10, found=found))


def test_intervals_over_images_are_said_to_be():
    assert DIFFERENCE_OVER_IMAGES not in _page(runs())
    made = document(images=10)
    (first, *rest) = made.table.differences
    first = replace(first, paired=Paired(2.0, 1.0, 3.0, 1))
    table = replace(made.table, differences=[first, *rest])
    assert DIFFERENCE_OVER_IMAGES in render(replace(made, table=table))
