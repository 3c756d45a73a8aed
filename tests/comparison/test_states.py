"""What is known of a job: from its log, its history and what it left."""

from pathlib import Path

import pytest

from cueco_solo.comparison.grid import read_grid
from cueco_solo.comparison.job_folders import (
    Outcome,
    Shown,
    Task,
    read_grid_of,
    tasks_of,
    write_grid,
)
from cueco_solo.comparison.jobs import jobs
from cueco_solo.comparison.states import Progress, estimate, read_progress, state_of
from cueco_solo.files import write_json
from cueco_solo.locks import locked
from cueco_solo.training.durations import seconds_per_epoch
from cueco_solo.training.run_folder import run_id, runs_folder

LOG = """job: a on b, seed 5
epoch 7/9: loss 9, 1 s, 2 s left
stopped by SIGTERM after step 3
job: a on b, seed 5
mocov2plus on resnet18: 11.2 M trainable parameters
epoch 8/9: loss 4.284, online accuracy 44.4 %, 4 s, 11 s left
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", Progress("training", "8/9", "4.284", "44.4 %", "11 s")),
        ("epoch 9/9: loss 4.2, 4 s\n", Progress("training", "9/9", "4.2", "", "")),
        (
            "features:  50%|#\r   \revaluation: knn --k 5\n",
            Progress("knn --k 5", "8/9", "4.284", "44.4 %", ""),
        ),
        ("job: a on b, seed 5\n", Progress("starting")),
    ],
)
def test_a_log_says_how_far_the_last_attempt_is(tmp_path: Path, more: str, expected: Progress):
    (tmp_path / "log").write_text(LOG + more)
    assert read_progress(tmp_path / "log") == expected
    assert read_progress(tmp_path / "nowhere") == Progress()


def events(*rows: tuple[str, int, int]) -> list[dict[str, object]]:
    return [
        {"event": event, "time": f"2026-01-01T00:{minute:02}:00+00:00", "epoch": epoch}
        for event, minute, epoch in rows
    ]


def test_the_time_of_an_epoch_is_that_of_whole_parts(tmp_path: Path):
    rows = [("started", 0, 0), ("stopped", 2, 1), ("resumed", 10, 1), ("resumed", 20, 1)]
    write_json(tmp_path / "history.json", events(*rows))
    assert seconds_per_epoch(tmp_path) == 120
    write_json(tmp_path / "history.json", events(*rows, ("ended", 25, 3)))
    assert seconds_per_epoch(tmp_path) == (2 + 5) * 60 / 3
    write_json(tmp_path / "history.json", events(*rows[:1]))
    assert seconds_per_epoch(tmp_path) is None


@pytest.fixture
def task(folder: Path) -> Task:
    (folder / "grid.yaml").write_text(
        "methods: {first: {config: tiny, config_path: .}}\n"
        "evaluations: [knn --k 5, 'linear --cached max_epochs=2']\nuntrained: true\n"
    )
    grid = read_grid(str(folder / "grid.yaml"))
    (made,) = tasks_of(grid, jobs(grid), folder / "out")
    write_grid([made], Shown("first", None, "cueco, Table 3", " (smoke)"))
    return made


def test_a_job_is_read_as_it_was_written(task: Task):
    found = read_grid_of(task)
    assert found.shown == Shown("first", None, "cueco, Table 3", " (smoke)")
    (read,) = found.tasks
    assert (read.evaluations, read.untrained) == (task.evaluations, True)
    assert run_id(read.job.cfg) == run_id(task.job.cfg)
    assert read.job.command == task.job.command


def test_states(task: Task):
    """From not begun to failed; what is done is seen in test_local."""
    assert state_of(task, {}) == ("not begun", None)
    task.log.write_text("job: \n")
    with locked(task.folder, "--job"):
        state, log = state_of(task, {})
        assert state.startswith("running, process ") and log == task.log
    task.write_submitted("17_0", task.folder / "slurm.out")
    assert state_of(task, {"17_0": "PENDING"}) == ("SLURM 17_0 PENDING", None)
    assert state_of(task, {"17_0": "TIMEOUT"})[0] == "not begun, SLURM 17_0 TIMEOUT"
    outcome = Outcome("first", "data", 5, errors=["it failed"])
    task.write_outcome(outcome)
    assert task.outcome() == outcome and task.done(None) is None
    assert state_of(task, {})[0] == "failed"
    # of another grid, whose figures these aren't
    other = Task(task.job, task.evaluations[:1], True, task.folder)
    assert other.outcome() is None


def test_an_estimate_is_of_a_run_that_differs_in_seed_and_epochs_alone(task: Task, folder: Path):
    from omegaconf import OmegaConf

    assert estimate(task.job) is None
    cfg = task.job.cfg.copy()
    cfg.seed, cfg.max_epochs = 6, 2
    run = runs_folder(cfg) / run_id(cfg)
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    write_json(run / "history.json", events(("started", 0, 0), ("ended", 8, 2)))
    found = estimate(task.job)
    assert found is not None and (found.seconds, found.like) == (240, run)
    task.job.cfg.optimizer.lr = 7
    assert estimate(task.job) is None
