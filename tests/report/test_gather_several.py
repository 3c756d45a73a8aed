"""What the document says of several runs, and which folders it takes for runs."""

from pathlib import Path

import pytest
from gathering import copied, evaluated, gathered
from support import refusal


def test_differences_to_a_baseline_are_paired_by_seed(known: Path, tmp_path: Path, no_images: None):
    folders = []
    for method, scores in {"cueco": (52.0, 55.0), "mocov2plus": (50.0, 51.0)}.items():
        for seed, score in enumerate(scores):
            folder = copied(known, tmp_path / f"{method}{seed}", method=method, seed=seed)
            folders.append(evaluated(folder, top1=score))
    found = gathered(*folders, baseline="MoCo V2+").table.differences
    (linear,) = [item for item in found if item.column.key[:2] == ("linear", "top1")]
    assert (linear.row.series, linear.paired.n) == ("CueCo", 2)
    assert linear.paired.difference == pytest.approx(3)
    assert linear.paired.low == pytest.approx(3 - 12.706, rel=1e-3)
    same = gathered(*folders, baseline="mocov2plus").table.differences
    assert [item.row.label for item in same] == [item.row.label for item in found]
    assert gathered(*folders).table.differences == []


def test_methods_under_other_names(known: Path, tmp_path: Path, no_images: None):
    other = copied(known, tmp_path / "other")
    config = (other / "config.yaml").read_text().replace("temperature: 0.2", "temperature: 0.5")
    (other / "config.yaml").write_text(config)
    found = gathered(known, other, baseline="mocov2plus · temperature=0.2").table.differences
    assert {item.row.series for item in found} == {"MoCo V2+ · temperature=0.5"}
    names = {known: "cold", other: "warm"}
    document = gathered(known, other, methods=names, baseline="cold")
    assert [run["method"] for run in document.runs] == ["cold", "warm"]
    assert {item.row.series for item in document.table.differences} == {"warm"}
    assert {figure["method"] for figure in document.table.figures()} == {"cold", "warm"}


def test_runs_of_other_length_are_not_paired(known: Path, tmp_path: Path, no_images: None):
    short = copied(known, tmp_path / "short", method="cueco")
    max(short.glob("*.ckpt")).unlink()
    assert gathered(known, short, baseline="MoCo V2+").table.differences == []


def test_published_figures_of_the_same_data_and_protocol(
    known: Path, tmp_path: Path, no_images: None
):
    folder = evaluated(copied(known, tmp_path / "run", data__dataset="cifar10"), top1=90.0)
    rows = gathered(folder).table.published
    assert {row.dataset for row in rows} == {"cifar10"}
    assert {row.source for row in rows} >= {"cueco, Table 1"}
    assert gathered(known).table.published == []


def test_folders_of_runs(
    known: Path, tmp_path: Path, no_images: None, capsys: pytest.CaptureFixture[str]
):
    copied(known, tmp_path / "a" / "two")
    copied(known, tmp_path / "a" / "one")
    linear = copied(known, tmp_path / "b", pretrained_feature_extractor="x.ckpt")
    unfinished = copied(known, tmp_path / "c")
    for path in unfinished.glob("*.ckpt"):
        path.unlink()
    document = gathered(tmp_path / "a" / "two", tmp_path)
    assert [run["id"] for run in document.runs] == ["two", "one"]
    printed = capsys.readouterr().out
    assert f"left out: RUNS='{linear}' is no pre-training" in printed
    assert f"left out: RUNS='{unfinished}' holds no .ckpt" in printed


def test_what_is_no_run(known: Path, tmp_path: Path):
    assert "give at least one" in refusal(gathered)
    assert "RUNS='nowhere' must be a run folder" in refusal(gathered, known, Path("nowhere"))
    assert "holds no run" in refusal(gathered, tmp_path)
    assert "must be a run folder; give the folder" in refusal(gathered, known / "args.json")
    (tmp_path / "args.json").write_text("{")
    assert "holds no readable args.json" in refusal(gathered, tmp_path)


def test_views_that_were_not_all_made_in_the_same_way_are_told_of(
    known: Path, tmp_path: Path, no_images: None
):
    folders = []
    for name, method in (("workers", "cueco"), ("device", "mocov2plus")):
        folder = copied(known, tmp_path / name, method=method, data__augment=name)
        (folder / "config.yaml").unlink()
        folders.append(evaluated(folder, top1=50.0))
    expected = "Views: data.augment=workers of CueCo; data.augment=device of MoCo V2+."
    for part in gathered(*folders).runs:
        assert any(sentence.startswith(expected) for sentence in part["missing"])
