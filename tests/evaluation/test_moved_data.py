"""A run that was copied to another machine, where its data lies elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import change_args, entry

from cueco_solo.cli import main
from cueco_solo.results.figures import run_figures
from cueco_solo.training.run_folder import load_run


def test_data_is_found_where_the_command_runs(
    run: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    """The figures are those of the same data; what isn't found is said."""
    gone = {f"data__{split}_path": f"/gone/{images.name}/{split}" for split in ("train", "val")}
    change_args(run, **gone)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    words = ["knn", str(run), "--k", "5", "--device", "cpu"]
    assert main(words) == 2
    assert (
        f"data.train_path='/gone/{images.name}/train' of the run doesn't exist"
        in capsys.readouterr().err
    )
    (tmp_path / "work" / images.name).symlink_to(images)
    assert main(words) == 0
    shown = capsys.readouterr().out
    for split in ("train", "val"):
        line = f"data.{split}_path=/gone/{images.name}/{split} isn't there any more; "
        assert f"{line}{images.name}/{split} is taken\n" in shown
    settings = json.loads(entry(run, "eval-knn.json").read_text())["settings"]
    assert settings["train_path"] == f"/gone/{images.name}/train"
    assert paths_compared(run) == {"its own"}


def paths_compared(run: Path) -> set[str]:
    figures = [f for f in run_figures(load_run(run)) if f["protocol"] == "knn"]
    return {f["settings"][f"{split}_path"] for f in figures for split in ("train", "val")}


def test_a_run_has_the_same_columns_wherever_its_figures_are_read(
    run: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start, elsewhere = tmp_path / "start", tmp_path / "elsewhere"
    for folder in (start, elsewhere):
        folder.mkdir()
    (start / "data").symlink_to(images)
    change_args(run, data__train_path="data/train", data__val_path="data/val")
    (run / "environment.json").write_text(json.dumps({"started_in": str(start)}))
    monkeypatch.chdir(start)
    assert main(["knn", str(run), "--k", "5", "--device", "cpu"]) == 0
    assert paths_compared(run) == {"its own"}
    monkeypatch.chdir(elsewhere)
    assert paths_compared(run) == {"its own"}
