"""Jobs of SLURM: what is asked for, what it says of them, and submitit's local executor."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from cueco_solo.cli import main
from cueco_solo.cli.grid_arguments import SLURM
from cueco_solo.cli.grids import GridRun
from cueco_solo.comparison import slurm
from cueco_solo.comparison.grid import read_grid
from cueco_solo.comparison.slurm_options import SlurmOptions
from cueco_solo.errors import ConfigError

A = "methods: {a: cueco-cifar10}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slurm: {partion: gpu}", "slurm.partion='gpu' is not an option of a grid's slurm section"),
        ("slurm: [gpu]", r"slurm=\['gpu'\] must be a mapping; allowed keys: time, partition"),
        ("slurm: {time: 4:00:00}", 'slurm.time=14400 must be text; write "HH:MM:SS"'),
        ("slurm: {time: 4h}", "slurm.time='4h' must be text of the form \"HH:MM:SS\""),
        ("slurm: {mem: 32GB}", "slurm.mem='32GB' must be a whole number with its unit"),
        ("slurm: {cpus_per_task: 0}", "slurm.cpus_per_task=0 must be an integer of at least 1"),
        ("slurm: {gpus: two}", "slurm.gpus='two' must be an integer"),
        ("slurm: {setup: module load cuda}", "slurm.setup='module load cuda' must be a list"),
    ],
)
def test_bad_sections(tmp_path: Path, text: str, message: str):
    (tmp_path / "grid.yaml").write_text(A + text)
    with pytest.raises(ConfigError, match=message) as error:
        read_grid(str(tmp_path / "grid.yaml"))
    assert "\n" not in str(error.value)


def test_what_is_typed_wins():
    typed = dict.fromkeys(SLURM) | {"partition": "cpu", "array_parallelism": 3}
    section = {"partition": "gpu", "time": "1-02:03:04", "mem": "8G", "setup": ["module load x"]}
    found = SlurmOptions.of_grid(section, typed)
    assert (found.partition, found.array_parallelism, found.minutes) == ("cpu", 3, 1440 + 124)
    assert found.sbatch() == {
        **{"partition": "cpu", "time": "1-02:03:04", "mem": "8G"},
        **{"signal": "USR1@120", "requeue": True},
    }
    with pytest.raises(ConfigError, match=r"slurm\.time=None is missing; add it .* --slurm-time"):
        _ = SlurmOptions.of_grid(None, {}).minutes
    with pytest.raises(ConfigError, match="leaves no time before the signal, 60 s"):
        _ = SlurmOptions.of_grid({"time": "0:02:00", "signal_seconds": 60}, {}).minutes


def test_the_command_line_has_every_option():
    assert set(SLURM) == set(SlurmOptions.model_fields)


@pytest.mark.parametrize(
    ("cfg", "options", "expected"),
    [
        ({"devices": 8, "num_nodes": 2, "accelerator": "gpu"}, {}, (2, 8, 8)),
        ({"devices": "2", "accelerator": "cpu"}, {}, (1, 2, None)),
        ({"devices": [0], "accelerator": "auto"}, {}, (1, 1, 1)),
        ({"devices": 1, "accelerator": "auto"}, {"gpus": 0}, (1, 1, None)),
    ],
)
def test_resources_follow_from_the_configuration(cfg: Any, options: Any, expected: Any):
    found = slurm.resources(OmegaConf.create(cfg), SlurmOptions.of_grid(None, options))
    keys = ("nodes", "tasks_per_node", "gpus_per_node")
    assert tuple(found.get(key) for key in keys) == expected


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that shadow SLURM's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def shadow(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_what_sbatch_gets_is_what_the_configuration_says(
    commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also where the machine that submits has no GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name in ("srun", "squeue", "sacct"):
        shadow(commands, name, "exit 0")
    shadow(commands, "sbatch", f"cp $1 {tmp_path}/script; echo Submitted batch job 7")
    given = GridRun(["cueco/table3"], elsewhere=True, names=["CueCo[l1]"])
    (task,) = given.tasks
    assert (task.job.cfg.precision, task.job.cfg.accelerator) == ("16-mixed", "auto")
    options = SlurmOptions.of_grid({"time": "1:00:00", "gpu_type": "a100"}, {})
    task.write()
    assert slurm.submit([task], options, "table3", print) == [(task, "7")]
    lines = (tmp_path / "script").read_text().splitlines()
    assert [line for line in lines if "gpus" in line] == ["#SBATCH --gpus-per-node=a100:1"]
    here = GridRun(["cueco/table3"], names=["CueCo[l1]"]).tasks[0].job.cfg
    assert (here.precision, here.accelerator) == (32, "cpu")


GRID = """
methods:
  fine: {config: tiny, config_path: .}
  bad: {config: tiny, config_path: ., overrides: [data.train_path=/nowhere/at/all]}
evaluations: [knn --k 5 --device cpu]
slurm: {time: "00:10:00", partition: p}
"""


def test_a_grid_by_submitits_local_executor(
    folder: Path, commands: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    """One job fails; the last one makes the tables; the same command submits what failed."""
    (folder / "grid.yaml").write_text(GRID)
    monkeypatch.setattr(slurm, "CLUSTER", "local")
    out = folder / "out"
    given = ["compare", str(folder / "grid.yaml"), "--out", str(out), "--no-report"]
    shadow(commands, "squeue", "echo 'error: Invalid job id specified' >&2; exit 1")
    shadow(commands, "sacct", "exit 1")
    assert main([*given, "--launcher", "slurm", "--slurm-cpus-per-task", "1"]) == 0
    shown = capsys.readouterr().out
    assert "2 jobs: 0 done, 2 submitted, 0 waiting or running" in shown
    end = time.monotonic() + 300
    while not (out / "table.md").exists():
        assert time.monotonic() < end
        time.sleep(0.2)
    assert "| fine | resnet18" in (out / "table.md").read_text()

    assert main([*given, "--status"]) == 0
    done, log, failed, other = capsys.readouterr().out.splitlines()
    assert done == "fine on data, seed 5: done" and failed == "bad on all, seed 5: failed"
    assert "bad on all, seed 5: training failed: data.train_path=" in Path(other[7:]).read_text()
    assert "epoch 1/1: loss" in Path(log[7:]).read_text()

    # as long as it waits there, or that isn't known, it isn't submitted again
    shadow(commands, "squeue", "echo 'error: Socket timed out' >&2; exit 1")
    for words in (["--launcher", "slurm"], ["--cancel"]):
        assert main([*given, *words]) == 2
        assert "doesn't tell which of the jobs" in capsys.readouterr().err
    number = Path(other).name.partition("_")[0]
    shadow(commands, "squeue", f"echo '{number}|PENDING'")
    assert main([*given, "--launcher", "slurm"]) == 0
    assert "2 jobs: 1 done, 0 submitted, 1 waiting or running" in capsys.readouterr().out
    assert main([*given, "--status"]) == 0
    assert f"seed 5: SLURM {number} PENDING" in capsys.readouterr().out
    shadow(commands, "scancel", f"echo $@ > {folder}/cancelled")
    assert main([*given, "--cancel"]) == 0
    assert (folder / "cancelled").read_text() == f"{number}\n"
    shadow(commands, "squeue", f"echo '{number}|CANCELLED'")
    assert main([*given, "--launcher", "slurm"]) == 0
    assert "2 jobs: 1 done, 1 submitted, 0 waiting or running" in capsys.readouterr().out
    while len(list(out.glob("jobs/*/outcome.json"))) < 2:  # which is there again once it has failed
        assert time.monotonic() < end
        time.sleep(0.2)


def test_without_slurm_it_is_one_line(folder: Path, refused: Any, monkeypatch: Any):
    (folder / "grid.yaml").write_text(GRID)
    monkeypatch.setenv("PATH", "/nowhere")
    given = ("compare", folder / "grid.yaml", "--out", folder / "out", "--launcher", "slurm")
    message = refused(*given)
    assert message.startswith("--launcher='slurm' can't submit the jobs (")
    assert "run it where sbatch works" in message
    monkeypatch.setattr(slurm, "find_spec", lambda name: None)
    assert "pip install 'cueco-solo[slurm]'" in refused(*given)
