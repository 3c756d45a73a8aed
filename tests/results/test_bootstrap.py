"""Intervals over validation images, against scikit-learn on images that are really drawn again."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_document import document, figure, runs
from scipy.stats import binom
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

from cueco_solo.evaluation.per_image import PerImage, unpacked
from cueco_solo.report.differences import difference_views
from cueco_solo.report.html import render
from cueco_solo.results import bootstrap
from cueco_solo.results.table import make_table
from cueco_solo.results.text import markdown, terminal
from cueco_solo.results.write import csv_text

IMAGES, CLASSES = 300, 7


def found_of(seed: int, right: float = 0.7) -> PerImage:
    random = np.random.default_rng(seed)
    labels = np.arange(IMAGES) % CLASSES
    images = PerImage()
    hits = random.random(IMAGES) < right
    for name in ("top1", "mean_per_class"):
        images.add_hits(name, hits, labels)
    images.add_hits("5-shot", random.integers(0, 11, IMAGES) / 10, labels)
    guessed = random.integers(CLASSES + 3, size=IMAGES)
    images.add_clusters("", np.where(hits, (labels + 2) % CLASSES, guessed), labels)
    images.add_clusters("best_head_", guessed, labels)
    return PerImage.from_json(json.loads(json.dumps(images.to_json())))


def drawn(number: int) -> np.ndarray:
    """The images of a resample."""
    return np.repeat(np.arange(IMAGES), bootstrap._weights(IMAGES)[number])


@pytest.mark.parametrize("number", [0, 999])
def test_a_resample_has_the_figures_of_its_images(number: int):
    images, rows = found_of(1), drawn(number)
    labels, clusters = images.labels[rows], unpacked(images.clusters[""])[rows]
    heads = unpacked(images.clusters["best_head_"])[rows]
    hits = unpacked(images.hits["top1"])[rows]
    expected = {
        "top1": hits.mean(),
        "mean_per_class": np.mean([hits[labels == c].mean() for c in range(CLASSES)]),
        "5-shot": unpacked(images.hits["5-shot"])[rows].astype(float).mean(),
        "nmi": normalized_mutual_info_score(labels, clusters),
        "ari": adjusted_rand_score(labels, clusters),
        "best_head_nmi": normalized_mutual_info_score(labels, heads),
        # the cluster two beyond a class is the one matched with it in all images
        "acc": (clusters == (labels + 2) % CLASSES).mean(),
    }
    for name, value in expected.items():
        values = bootstrap.resampled(images, name)
        assert values is not None and values.shape == (bootstrap.RESAMPLES,)
        assert values[number] == pytest.approx(100 * value, abs=2e-3), name
    ami = bootstrap.resampled(images, "ami")  # with the chance of all images
    assert ami is not None
    assert ami[number] == pytest.approx(100 * adjusted_mutual_info_score(labels, clusters), abs=0.3)


def test_figures_without_images_have_no_interval():
    assert bootstrap.resampled(found_of(1), "top5") is None
    assert bootstrap.resampled(found_of(1), "rankme_test") is None
    assert bootstrap.resampled(PerImage(), "top1") is None


def test_the_interval_is_that_of_a_binomial_share():
    values = bootstrap.resampled(found_of(1), "top1")
    assert values is not None
    half = bootstrap.half_width(values)
    assert half == pytest.approx(
        100 * 1.96 * binom.std(IMAGES, values.mean() / 100) / IMAGES, rel=0.08
    )


@given(st.lists(st.integers(0, 70_000), max_size=20), st.data())
def test_what_is_kept_comes_back(labels, data):
    images = PerImage()
    hits = data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels)))
    images.add_hits("top1", hits, labels)
    images.add_clusters("", labels, labels)
    again = PerImage.from_json(json.loads(json.dumps(images.to_json())))
    assert again.labels.tolist() == unpacked(again.clusters[""]).tolist() == labels
    assert unpacked(again.hits["top1"]).tolist() == hits
    assert again.same_images(images)


@pytest.mark.parametrize("text", ["", "uint8:", "uint8:!", "object:eJwDAAAAAAE=", "uint16:AAAA"])
def test_damaged_arrays_are_refused(text: str):
    with pytest.raises(ValueError):
        unpacked(text)


def two(same_images: bool = True, seeds: int = 1):
    """A baseline and a method that is right on the same images and a few more."""
    made = [run for run in runs(seeds) if run.series in ("mocov2plus", "cueco")]
    for run in made:
        images, better = found_of(1), run.series == "cueco"
        hits = unpacked(images.hits["top1"]).copy()
        if better:
            hits[np.flatnonzero(hits == 0)[:10]] = 1
        labels = images.labels if same_images or not better else images.labels[::-1]
        images.add_hits("top1", hits, labels)
        value = 100 * float(hits.mean())
        run.figures = [figure(run, "linear", "top1", value, images=(images, "top1"))]
        run.figures.append(figure(run, "training", "seconds", 12.0))
        run.untrained = []
    return make_table(made, "mocov2plus")


def test_a_single_seed_has_an_interval_over_images():
    table = two()
    cell = table.rows[0].cells[0]
    assert cell and cell.std is None and cell.half == pytest.approx(5.2, abs=0.4)
    item = table.differences[0]
    assert item.over_images and item.paired.n == 1
    # ten images of 300 more, the same in both: far narrower than two intervals side by side
    assert item.paired.difference == pytest.approx(100 / 30)
    assert item.paired.high - item.paired.difference == pytest.approx(2.0, abs=0.2)
    low, high = cell.interval
    text = markdown(table)
    assert f"{cell.mean:.1f} \\[{low:.1f}, {high:.1f}\\]" in text
    assert "95 % interval over the validation images" in text
    assert "nothing of other seeds" in text
    assert "nothing of other seeds" in terminal(table).splitlines()[-1]
    assert "images" not in csv_text(table).splitlines()[0]
    (view, *_) = difference_views(table.differences)
    assert (view.reading, view.tone) == ("one seed: higher", "")


def test_the_report_says_that_it_is_over_images():
    made = document(images=10, found=runs(1)[:2])
    assert "over the validation images" not in render(made)
    object.__setattr__(made, "table", two())
    page = render(made)
    assert "[95 % interval over the validation images, of a single seed]" in page
    assert "One seed of each" in page and 'id="forest"' not in page


def test_several_seeds_have_none():
    table = two(seeds=2)
    assert all(cell.half is None for row in table.rows for cell in row.cells if cell)
    assert not any(item.over_images for item in table.differences)
    assert "validation images" not in markdown(table)


def test_damage_is_noticed_when_it_is_read():
    for wrong in (
        {"hits": {"top1": "uint8:!"}},
        {"labels": "uint8:eJwDAAAAAAE="},
        {"hits": 3},
        {"of": 0},
    ):
        content = {**found_of(1).to_json(), **wrong}
        if "of" in wrong:
            del content["of"]
        with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
            PerImage.from_json(content)


def test_answers_that_are_all_alike_have_no_interval():
    images = PerImage()
    images.add_hits("top1", np.ones(100, bool), np.arange(100) % 5)
    values = bootstrap.resampled(images, "top1")
    assert values is not None and bootstrap.half_width(values) is None


def test_the_same_labels_of_other_images_are_not_paired():
    first, second = PerImage("a"), PerImage("b")
    for images in (first, second):
        images.add_hits("top1", np.ones(100, bool), np.arange(100) % 5)
    assert not first.same_images(second)
    assert first.same_images(PerImage.from_json(first.to_json()))


def test_other_images_are_not_paired():
    table = two(same_images=False)
    assert table.rows[0].cells[0].half is not None
    assert table.differences[0].paired.low is None
