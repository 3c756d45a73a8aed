"""A run that is killed at an epoch's end loses no row of metrics.csv, and has none twice."""

import os
import shutil
from pathlib import Path
from typing import Any

import killed
import pytest
import signalled
import tiny
from equal_runs import check_same
from support import python

from cueco_solo.training.metrics_table import MetricsTable

WORDS = (*tiny.THREE_BATCHES, "auto_resume.enabled=True")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    return tiny.whole_run(tmp_path_factory.mktemp("whole"), images, *WORDS)


def kill(folder: Path, moment: str) -> None:
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS]
    done = python(killed.__file__, moment, *command)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("moment", ["checkpoint", "row"])
def test_goes_on_with_every_row_once(moment: str, whole: Path, folder: Path):
    kill(folder, moment)
    (run,) = tiny.run_folders(folder)
    assert len(list(run.glob("*.ckpt"))) == (moment == "checkpoint")
    assert tiny.pretrain(folder, *WORDS) == 0
    check_same(run, whole)


def test_a_kill_before_the_last_but_one_checkpoint_was_removed(folder: Path):
    words = (*WORDS, "max_epochs=1", "data.val_path=null")
    assert tiny.pretrain(folder, *words) == 0
    (run,) = tiny.run_folders(folder)
    (last,) = run.glob("*.ckpt")
    shutil.copy(last, last.with_name(last.name.replace("ep=0", "ep=0-step=2")))
    assert tiny.pretrain(folder, *words) == 0
    assert list(run.glob("*.ckpt")) == [last]


def test_a_validation_that_is_done_anew_is_logged_once(
    whole: Path, folder: Path, request: pytest.FixtureRequest
):
    """Its row has the step of the checkpoint before it."""
    undo = signalled.signal_at(3, lambda: signalled.send(15))
    request.addfinalizer(undo)
    assert tiny.pretrain(folder, *WORDS) == 143
    undo()
    (run,) = tiny.run_folders(folder)
    assert [path.name.partition("-ep=")[2] for path in run.glob("*.ckpt")] == ["0-step=3.ckpt"]
    kill(folder, "row")
    assert len(list(run.glob("*.ckpt"))) == 1
    assert tiny.pretrain(folder, *WORDS) == 0
    check_same(run, whole)


def test_a_new_column_loses_no_row_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = MetricsTable(tmp_path / "runs" / "mocov2plus" / "run")
    table.log_metrics({"a": 1.0}, 0)
    assert table.written() == 1
    path = Path(table.log_dir) / "metrics.csv"
    before = path.read_text()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    table.log_metrics({"a": 2.0, "b": 3.0}, 1)
    with pytest.raises(OSError, match="No space"):
        table.save()
    assert path.read_text() == before
    assert [each.name for each in path.parent.iterdir()] == ["metrics.csv"]
    monkeypatch.undo()
    assert table.written() == 2
    assert path.read_text().splitlines() == ["a,b,step", "1.0,,0", "2.0,3.0,1"]
