"""Runs whose views were made by another pipeline aren't compared in silence."""

from report_document import figure, runs

from cueco_solo.results.latex import latex
from cueco_solo.results.runs import series_names
from cueco_solo.results.table import make_table
from cueco_solo.results.text import markdown
from cueco_solo.results.views import mixed_views

SENTENCE = (
    "Views: data.augment=workers of mocov2plus, rcl; data.augment=device of cueco. A difference "
    "between these may be one of their views."
)


def test_each_table_says_so():
    found = runs(2)
    for run in found:
        run.figures, run.untrained = [figure(run, "linear", "top1", 60.0)], []
        run.config["data.augment"] = "device" if run.series == "cueco" else "workers"
    found[0].config.pop("data.augment")  # as in a run of before
    assert mixed_views(found) == {found[0].dataset: SENTENCE}
    table = make_table(found, "mocov2plus")
    assert markdown(table).count(SENTENCE) == 2  # means and differences
    assert latex(table).count("A difference between these may be") == 2
    for run in found:
        run.config["data.augment"] = "device"
    assert "Views:" not in markdown(make_table(found, "mocov2plus"))
    found[0].dataset = "another"
    found[0].config["data.augment"] = "workers"
    assert mixed_views(found) == {}


def test_they_are_no_repetitions_of_each_other():
    one, other = runs(2)[:2]
    for run, value in ((one, "workers"), (other, "device")):
        run.config["data.augment"] = value
    assert list(series_names([one, other]).values()) == [
        "mocov2plus · augment=workers",
        "mocov2plus · augment=device",
    ]
