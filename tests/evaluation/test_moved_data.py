"""A run that was copied to another machine, where its data lies elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import change_args, entry

from cueco_solo.cli import main


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
