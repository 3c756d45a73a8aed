"""The packaged figures of the papers and of solo-learn's README."""

import csv
from collections import Counter
from importlib import resources

from cueco_solo.results.published import published_figures, same_method


def find(**wanted: object) -> list[float]:
    return [
        row["value"]
        for row in published_figures()
        if all(row[key] == value for key, value in wanted.items())  # type: ignore[literal-required]
    ]


def test_known_figures():
    table = {"source": "cueco, Table 1", "dataset": "cifar10", "metric": "top1"}
    assert find(**table, method="BYOL", backbone="resnet18", epochs=1000) == [92.61]
    assert find(source="rcl, Table 2", method="RCL", protocol="semi-supervised-1pct", metric="top1")
    assert all(row["seed"] is None and row["run"] is None for row in published_figures())
    assert "ours" not in {row["source"] for row in published_figures()}


def test_offline_is_linear_and_online_stays_apart():
    place = {"source": "solo-learn, README", "dataset": "imagenet100", "method": "BYOL"}
    (offline,) = find(**place, protocol="linear", metric="top1")
    (online,) = find(**place, protocol="linear-online", metric="top1")
    assert offline != online
    assert not find(protocol="linear-offline")


def test_a_figure_copied_from_another_protocol_stands_under_that_one():
    """CueCo's Table 1, adapted from solo-learn: against the CSV, without the code's rule."""
    text = resources.files("cueco_solo.results").joinpath("published.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    names = {"MoCo-v2": "MoCoV2+"}

    def place(row: dict[str, str]) -> tuple[str, ...]:
        method = names.get(row["method"], row["method"])
        return row["dataset"], method, row["metric"], str(float(row["value"]))

    online, offline = (
        {place(row) for row in rows if row["protocol"] == f"linear-{kind}"}
        for kind in ("online", "offline")
    )
    baselines = [
        row
        for row in rows
        if (row["source"], row["table"]) == ("cueco", "1") and row["method"] != "CueCo"
    ]
    decided = {
        (f["dataset"], f["method"], f["metric"]): f
        for f in published_figures()
        if f["source"] == "cueco, Table 1"
    }
    found: Counter[str] = Counter()
    for row in baselines:
        figure = decided[row["dataset"], row["method"], row["metric"]]
        expected = "linear-unknown"
        if place(row) in online:
            expected = "linear-online"
        elif place(row) in offline:
            expected = "linear"
        assert figure["protocol"] == expected and figure["note"], row
        found[expected] += 1
    assert found == {"linear-online": 24, "linear": 2, "linear-unknown": 34}
    own = [f for f in decided.values() if f["method"] == "CueCo"]
    assert {(f["protocol"], f.get("note")) for f in own} == {("linear", None)}
    moco = decided["cifar10", "MoCo-v3", "top1"]
    assert moco["value"] == 93.1 and "online figure of solo-learn, README" in moco["note"]


def test_accuracies_and_seconds_are_not_mixed():
    for row in published_figures():
        assert (row["metric"] == "seconds_per_epoch") == (row["protocol"] == "training")
        assert row["protocol"] == "training" or 0 <= row["value"] <= 100
        assert row["metric"] not in ("100", "200", "linear")


def test_a_figure_stands_once():
    names = ("source", "dataset", "method", "backbone", "epochs", "protocol", "metric")
    counts = Counter(tuple(row[name] for name in names) for row in published_figures())  # type: ignore[literal-required]
    assert set(counts.values()) == {1}


def test_spellings_of_a_method():
    assert same_method("MoCoV2+", "mocov2plus")
    assert same_method("MoCo V2+", "MoCo-v2+")
    assert same_method("BarlowTwins", "barlow_twins")
    assert not same_method("MoCo-v2", "MoCoV2+")
    assert not same_method("CueCo", "CueCo[l1]")
