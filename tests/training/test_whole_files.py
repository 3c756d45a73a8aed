"""What a kill, a full disk or SLURM leaves of a run, in real processes."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from support import python

from cueco_solo.files import remove_leftovers, whole_file
from cueco_solo.training.checkpoints import latest_checkpoint
from cueco_solo.training.metrics_table import MetricsTable

COMMAND = ("-m", "cueco_solo.cli", "pretrain", "--config-name", "tiny", "--config-path")
QUICK = ("data.val_path=null", "limit_train_batches=1")


def command(folder: Path, *overrides: str) -> list[object]:
    return [*COMMAND, folder, *QUICK, *overrides]


def test_a_file_stays_as_it_was_if_writing_fails(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path):
    kill = "import os, sys, pathlib; from cueco_solo.files import whole_file\n"
    kill += "with whole_file(pathlib.Path(sys.argv[1])) as part:\n"
    kill += "    part.touch(); os.kill(os.getpid(), 9)"
    python("-c", kill, tmp_path / "file")
    assert len(list(tmp_path.iterdir())) == 1
    with whole_file(tmp_path / "mine") as part:
        part.touch()
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == [part]
    part.touch()  # as a process of this number, in a container that started anew, had left it
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def cut_off(content: bytes) -> bytes:
    return content[:-1000]


def with_a_flipped_bit(content: bytes) -> bytes:
    """In the middle, which is in some tensor: torch reads it without a word."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


@pytest.mark.parametrize("damaged", [cut_off, with_a_flipped_bit])
def test_a_damaged_newest_checkpoint_is_passed_over(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str], damaged: Any
):
    run = shutil.copytree(trained, folder / "runs" / "mocov2plus" / trained.name)
    newest = next(run.glob("*ep=1.ckpt"))
    newest.write_bytes(damaged(newest.read_bytes()))
    found = latest_checkpoint(run)
    assert found is not None and found.name.endswith("ep=0.ckpt")
    assert f"{newest} is damaged" in capsys.readouterr().out
    metrics = run / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes()[:-15] + b"\0\xff,x")
    assert tiny.pretrain(folder, "max_epochs=2", "auto_resume.enabled=True") == 0
    torch.load(newest, weights_only=True)  # written again
    assert tiny.metric(run, "train_nce_loss_epoch", 1) == tiny.metric(
        trained, "train_nce_loss_epoch", 1
    )


def test_a_full_disk_leaves_no_damaged_checkpoint(folder: Path):
    limit = 20_000_000  # bytes of a file: no checkpoint of a ResNet-18 fits

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = python(*command(folder), preexec_fn=small)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cueco-solo:")]
    assert "can't be written (File too large); make room" in line
    assert "Traceback" not in done.stderr
    assert not [path for path in folder.rglob("*") if path.suffix in (".ckpt", ".part")]


def test_slurms_variables_change_nothing_in_the_working_folder(folder: Path):
    variables = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "job", "SLURM_JOB_ID": "1"}
    variables |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_PROCID": "0"}
    (folder / "hpc_ckpt_1.ckpt").write_bytes(b"of another run")
    done = python(*command(folder), cwd=folder, env={**os.environ, **variables})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.glob("*.ckpt")} == {"hpc_ckpt_1.ckpt"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_ends_with_a_checkpoint(number: int, folder: Path):
    """As Ctrl-C in a terminal is, whatever the frequency of checkpoints; the workers outlive it."""
    words = command(folder, "max_epochs=1000", "checkpoint.frequency=1000")
    words += ["data.num_workers=2", "limit_train_batches=2"]
    words = [sys.executable, *map(str, words)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, start_new_session=True, **pipes)
    end = time.monotonic() + 120
    while not list(folder.rglob("*ep=0.ckpt")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    (checkpoint,) = folder.rglob("*.ckpt")
    steps = torch.load(checkpoint, weights_only=True)["global_step"]
    assert f"stopped by {signal.Signals(number).name} after step {steps}" in out
    assert f"; checkpoint: {checkpoint}\n" in out
    assert "Traceback" not in err


@pytest.mark.parametrize("cut", [1, 4, 30])
def test_a_torn_last_row_is_left_out_and_never_taken_for_another_number(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str], cut: int
):
    """Cut within the last number, before the end of the line, or some columns earlier."""
    run = shutil.copytree(trained, folder / "runs" / "mocov2plus" / trained.name)
    path = run / "metrics.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip()[: 1 - cut or None])
    if cut == 1:
        path.write_bytes(whole.rstrip())  # the row is whole, but nobody can tell
    MetricsTable(run).keep(10**6)
    before, after = whole.split(b"\n"), path.read_bytes().split(b"\n")
    assert len(after) == len(before) - 1
    assert "1 damaged rows left out" in capsys.readouterr().out
    assert len(list(run.glob("metrics.damaged-*.csv"))) == 1
