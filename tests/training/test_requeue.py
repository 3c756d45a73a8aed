"""SLURM requeues a job that it stopped, which goes on in its folder."""

import os
import stat
from pathlib import Path

import pytest
import signalled
import tiny
from support import python

from cueco_solo import signals
from cueco_solo.cli import main
from cueco_solo.training.history import read_history

WORDS = (*tiny.THREE_BATCHES, "data.val_path=null")


def test_a_requeued_job_goes_on_in_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """After SIGUSR1, of which scontrol is told; nothing is left in the working folder."""
    scontrol = folder / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IEXEC)
    variables = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "job", "SLURM_JOB_ID": "17"}
    variables |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_PROCID": "0"}
    variables["PATH"] = f"{scontrol.parent}:{os.environ['PATH']}"
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS]
    (work := folder / "work").mkdir()
    done = python(
        *(signalled.__file__, "SIGUSR1", 2, 0, *command), cwd=work, env={**os.environ, **variables}
    )
    assert done.returncode == 138, done.stderr
    assert "stopped by SIGUSR1 after step 2, batch 2 of 3 in epoch 0; checkpoint" in done.stdout
    assert "requeued job 17" in done.stderr
    assert (folder / "calls").read_text() == "requeue 17\n"
    assert not list(work.iterdir())
    (run,) = tiny.run_folders(folder)
    for name, value in {"SLURM_JOB_ID": "17", "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main([*map(str, command)]) == 0
    assert tiny.run_folders(folder) == [run]
    assert [each["event"] for each in read_history(run)][2:] == ["resumed", "ended"]


@pytest.mark.parametrize(
    ("name", "shown", "requeued"),
    [
        ("SIGUSR1", "", True),
        ("SIGTERM", "JobState=RUNNING PreemptTime=2026-01-01T00:00:00", True),
        ("SIGTERM", "JobState=TIMEOUT PreemptTime=None", True),
        ("SIGTERM", "JobState=CANCELLED PreemptTime=None", False),
        ("SIGTERM", "JobState=RUNNING PreemptTime=None", False),
        ("SIGINT", "JobState=RUNNING PreemptTime=2026-01-01T00:00:00", False),
    ],
)
def test_what_a_job_is_requeued_after(
    name: str, shown: str, requeued: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not after scancel; nor by a process that belongs to another one, which does it."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ $1 = show ] && echo "{shown}"\nexit 0\n'
    )
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    variables = {"JOB_ID": "17", "ARRAY_JOB_ID": "12", "ARRAY_TASK_ID": "3", "JOB_NAME": "grid"}
    for key, value in variables.items():
        monkeypatch.setenv(f"SLURM_{key}", value)
    assert signals.requeue(name) == ("requeued job 12_3" if requeued else None)
    calls = (tmp_path / "calls").read_text() if name != "SIGINT" else ""
    assert ("requeue 12_3" in calls) == requeued
    monkeypatch.setenv(signals.PARENT, str(os.getppid()))
    assert signals.requeue(name) is None
