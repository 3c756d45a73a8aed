"""The report's tables of k-NN by k and temperature."""

import re
from dataclasses import replace

import pytest
from report_document import document, figure, runs
from report_run import RunFigures

from cueco_solo.report.html import render
from cueco_solo.report.neighbours import knn_sweeps
from cueco_solo.results.table import make_table


def swept(run: RunFigures, add: float = 0.0) -> None:
    run.untrained = []
    run.figures = [
        figure(run, "knn", metric, value + add, settings={"temperature": t})
        for metric, value in (("knn5", 60.0), ("knn20", 70.0), ("knn20-top5", 90.0))
        for t in ("0.05", "0.07")
    ]
    run.figures.append(figure(run, "knn", "knn20-euclidean", 50.0))


def test_means_by_k_and_temperature():
    found = runs(2)[:4]
    for run, add in zip(found, (0.0, 2.0, 10.0, 10.0), strict=True):
        swept(run, add)
    del found[1].figures[0]
    first, second = knn_sweeps(make_table(found))
    assert (first["ks"], first["temperatures"]) == ([5, 20], [0.05, 0.07])
    # of the run that has all of them: a mean over others would compare runs
    assert first["means"] == [[60.0, 60.0], [70.0, 70.0]]
    assert (first["name"], first["accuracy"]) == ("mocov2plus on digits-placed", "top-1")
    assert (first["runs"], second["runs"], first["settings"]) == (1, 2, "")
    assert second["means"] == [[70.0, 70.0], [80.0, 80.0]]


def test_what_was_measured_otherwise_is_a_sweep_of_its_own():
    (run, *_) = runs(1)
    swept(run)
    other = {"temperature": "0.1", "val_path": "/elsewhere"}
    run.figures += [figure(run, "knn", f"knn{k}", 10.0, settings=other) for k in (5, 20)]
    both = {"temperature": "0.1"}
    run.figures.append(figure(run, "knn", "knn20-mean_per_class", 1.0, settings=both))
    first, second = knn_sweeps(make_table([run]))  # one figure is no sweep
    assert (first["settings"], second["settings"]) == ("", "val_path=/elsewhere")
    assert second["means"] == [[10.0], [10.0]]


def test_the_page_shows_them_without_scripts():
    found = runs(1)
    for run in found:
        swept(run)
    found[1].figures[2]["value"] = 10.0
    found[2].figures.pop(0)
    shown = document(images=10, found=found)
    page = render(replace(shown, knn=knn_sweeps(shown.table)))
    (section,) = re.findall(r'<section id="knn".*?</section>', page, re.DOTALL)
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert "mocov2plus on digits-placed top-1, 1 run k T = 0.05 T = 0.07 5 60.0 60.0 20 70" in text
    assert re.search(r"5 not measured . 60\.0 20 70\.0", text)
    shares = [int(share) for share in re.findall(r"--share: (\d+)%", section)]
    assert shares == [0, 0, 100, 100, 83, 83, 0, 100, 0, 100, 100]
    assert '<a href="#knn">' in page


@pytest.mark.parametrize("figures", [True, False])
def test_without_a_sweep_there_is_no_section(figures: bool):
    (run, *_) = runs(1)
    temperature = {"temperature": "0.07"}
    run.untrained = []
    run.figures = [figure(run, "knn", "knn20", 1.0, settings=temperature)] if figures else []
    table = make_table([run])
    assert knn_sweeps(table) == []
    page = render(replace(document(images=10, found=runs(1)), knn=[]))
    assert 'id="knn"' not in page
