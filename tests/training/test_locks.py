"""One trainer of a folder, in real processes."""

import errno
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import tiny
from omegaconf import OmegaConf
from support import python, small_cfg

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError
from cueco_solo.locks import is_locked, locked
from cueco_solo.training import claim
from cueco_solo.training.history import read_history

QUICK = ("data.val_path=null", "limit_train_batches=1", "max_epochs=1")
HOLD = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from cueco_solo.locks import locked
with locked(Path(sys.argv[1]), "RUN"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that holds the folder's lock."""
    made = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert made.stdout is not None and made.stdout.readline() == "held\n"
    return made


def test_a_lock_says_whose_it_is_and_ends_with_its_process(tmp_path: Path):
    process = holder(tmp_path, 60)
    try:
        assert is_locked(tmp_path)
        words = f"in use by process {process.pid} on .* for 0 min"
        with pytest.raises(ConfigError, match=words), locked(tmp_path, "RUN"):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_locked(tmp_path)
    with locked(tmp_path, "RUN"):
        assert not list(tmp_path.glob("*.part"))
    with locked(tmp_path, "RUN"):  # after an orderly end, too
        pass


def test_waiting_goes_on_when_the_other_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    process, start = holder(tmp_path, 1.0), time.monotonic()
    with locked(tmp_path, "RUN", wait=True):
        assert time.monotonic() - start > 0.3
    assert process.wait() == 0
    assert f"in use by process {process.pid}" in capsys.readouterr().out


def test_a_second_trainer_of_a_run_stops_with_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    """As a job that was requeued while the old one lives; with --wait it finds the run done."""
    words = (*QUICK[:2], "auto_resume.enabled=True")
    assert tiny.pretrain(folder, *words, "max_epochs=1") == 0
    (run,) = tiny.run_folders(folder)
    process, before = holder(run, 2.0), tiny.times(run)
    capsys.readouterr()
    assert tiny.pretrain(folder, *words, "max_epochs=1") == 2
    error = capsys.readouterr().err
    assert f"'{run}' is in use by process {process.pid}" in error
    assert "add --wait" in error and len(error.splitlines()) == 1
    assert tiny.times(run) == before
    assert tiny.pretrain(folder, *words, "max_epochs=1", "--wait") == 0
    assert "nothing to do: this run ended" in capsys.readouterr().out
    process.wait()


def test_two_comparisons_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    process = holder(tmp_path, 60)
    try:
        assert main(["compare", "quickstart", "--out", str(tmp_path)]) == 2
        assert f"is in use by process {process.pid}" in capsys.readouterr().err
    finally:
        process.kill()
        process.wait()


def test_a_folder_of_a_run_killed_before_its_first_checkpoint_is_used_again(folder: Path):
    command = ["-m", "cueco_solo.cli", "pretrain", "--config-name", "tiny", "--config-path"]
    words = QUICK
    kill = (
        "import os; from cueco_solo.methods.momentum import resume_momentum\n"
        "import cueco_solo.training.trainer as t, sys\n"
        "t.fit = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "from cueco_solo.cli import main; main(sys.argv[1:])"
    )
    killed = python("-c", kill, *command[2:], folder, *words)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (left,) = tiny.run_folders(folder)
    assert (left / "config.yaml").exists() and not list(left.glob("*.ckpt"))
    assert tiny.pretrain(folder, *words) == 0
    assert tiny.run_folders(folder) == [left]
    assert list(left.glob("*.ckpt"))
    assert [event["event"] for event in read_history(left)] == ["started", "started", "ended"]
    assert tiny.pretrain(folder, *words) == 0  # a finished one is kept
    assert len(tiny.run_folders(folder)) == 2


def stopped_early(folder: Path, *words: str) -> Path:
    """A run's folder with one file of each kind, as after a kill in the first epoch."""
    assert tiny.pretrain(folder, *QUICK, *words) == 0
    (run,) = tiny.run_folders(folder)
    for path in run.glob("*.ckpt"):
        path.unlink()
    events = json.loads((run / "history.json").read_text())
    (run / "history.json").write_text(json.dumps(events[:1]))
    return run


def test_what_a_run_that_was_stopped_early_has_logged_is_kept(folder: Path):
    run = stopped_early(folder)
    logged = (run / "metrics.csv").read_bytes()
    assert tiny.pretrain(folder, *QUICK) == 0
    assert tiny.run_folders(folder) == [run]
    assert (run / "metrics.stopped-1.csv").read_bytes() == logged


@pytest.mark.parametrize("name", ["eval-knn-01234567.json", "export", "features"])
def test_a_folder_with_results_is_never_used_again(folder: Path, name: str):
    """Its checkpoints may have been moved elsewhere."""
    run = stopped_early(folder)
    (run / name).mkdir()
    before = tiny.times(run)
    assert tiny.pretrain(folder, *QUICK) == 0
    assert len(tiny.run_folders(folder)) == 2
    assert tiny.times(run) == before


@pytest.mark.parametrize(
    "events",
    [
        None,
        [{"event": "ended"}],
        [{"event": "stopped", "by": "a limit of time or steps"}],
        [{"event": "stopped", "by": "the training has diverged: ..."}],
    ],
)
def test_neither_is_one_that_came_to_an_end(folder: Path, events: Any):
    run = stopped_early(folder)
    (run / "history.json").unlink()
    if events:
        (run / "history.json").write_text(json.dumps(events))
    before = tiny.times(run)
    assert tiny.pretrain(folder, *QUICK) == 0
    assert tiny.times(run) == before


def test_a_second_trainer_stops_before_the_first_checkpoint_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    run = stopped_early(folder)
    process = holder(run, 60)
    try:
        assert tiny.pretrain(folder, *QUICK, "auto_resume.enabled=True") == 2
        assert f"in use by process {process.pid}" in capsys.readouterr().err
    finally:
        process.kill()
        process.wait()
    assert tiny.run_folders(folder) == [run]


def test_waiting_is_refused_where_others_start_the_processes(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SLURM_NTASKS", "2")
    assert tiny.pretrain(folder, "--wait") == 2
    assert "can't be had with SLURM_NTASKS=2" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [(), ("config.yaml",), ("config.yaml", "environment.json")])
def test_a_folder_of_a_start_that_was_killed_is_used_again(folder: Path, kept: tuple[str, ...]):
    """Before it had told its history, too; what it was writing is removed."""
    run = stopped_early(folder)
    for path in run.iterdir():
        if path.name not in (*kept, ".lock"):
            path.unlink()
    (run / f".environment.json.{socket.gethostname()}.{2**22 + 1}.part").touch()
    assert tiny.pretrain(folder, *QUICK) == 0
    assert tiny.run_folders(folder) == [run]
    assert not list(run.glob(".*.part"))


def test_a_folder_whose_first_checkpoint_filled_the_disk_is_used_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("cueco_solo.host.lightning_shims.WholeCheckpoints.save_checkpoint", full)
        assert tiny.pretrain(folder, *QUICK) == 2
    assert "can't be written (No space left on device); make room" in capsys.readouterr().err
    (run,) = tiny.run_folders(folder)
    assert "can't be written" in read_history(run)[-1]["by"]
    assert tiny.pretrain(folder, *QUICK) == 0
    assert tiny.run_folders(folder) == [run]


def test_of_those_that_begin_a_run_together_one_gets_a_folder(tmp_path: Path):
    """Unless several runs of one configuration are wanted."""
    for together, number in ((True, 1), (False, 4)):
        for attempt in range(20):
            place = str(tmp_path / f"{together}-{attempt}")
            cfg = small_cfg(
                checkpoint__dir=place, checkpoint__enabled=True, auto_resume__enabled=together
            )
            found: list[Path] = []
            refusals: list[str] = []
            start = Barrier(4).wait

            def begin(
                cfg: Any = cfg, start: Any = start, found: Any = found, refusals: Any = refusals
            ) -> None:
                start()
                try:
                    folder = claim.claimed_new_folder(cfg, locks)
                    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
                    found.append(folder)
                except claim.TakenError as error:
                    refusals.append(str(error))

            with ExitStack() as locks:
                threads = [Thread(target=begin) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            assert len(found) == len(set(found)) == number
            assert len(refusals) == 4 - number
            assert all("was begun by another process just now" in text for text in refusals)
            assert len(list(Path(place, "cueco").iterdir())) == number
