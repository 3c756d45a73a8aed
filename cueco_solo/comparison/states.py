"""Where each job of a grid is: its state, what its log said last, and how long it may take."""

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cueco_solo.comparison.execute import BEGINS, EVALUATES, finished
from cueco_solo.comparison.job_folders import Task
from cueco_solo.comparison.jobs import Job
from cueco_solo.comparison.slurm import is_active
from cueco_solo.locks import is_locked, owner
from cueco_solo.training.checkpoints import latest_checkpoint, stage
from cueco_solo.training.durations import seconds_per_epoch
from cueco_solo.training.history import read_history
from cueco_solo.training.recorded import read_config
from cueco_solo.training.run_folder import identity, run_id, runs_folder, same_run

_EPOCH = re.compile(r"epoch (\d+/\d+): ")
_TAIL = 65536


@dataclass(frozen=True)
class Progress:
    """What a job's log said last of its present attempt; empty where it said nothing.

    Attributes:
        doing: ``training``, or the evaluation.
        epoch: ``3/12``.
        loss, accuracy: of the last epoch.
        left: of the training.
    """

    doing: str = "starting"
    epoch: str = ""
    loss: str = ""
    accuracy: str = ""
    left: str = ""

    def reached(self) -> list[str]:
        """What is known of it, in words."""
        parts = [f"epoch {self.epoch}"] if self.epoch else []
        parts += [f"loss {self.loss}"] if self.loss else []
        parts += [f"online accuracy {self.accuracy}"] if self.accuracy else []
        return parts + ([f"{self.left} left"] if self.left else [])


def read_progress(log: Path) -> Progress:
    """What a log says; nothing if it isn't there."""
    found = Progress()
    for line in tail(log).splitlines():
        if line.startswith(BEGINS):
            found = Progress()
        elif line.startswith(EVALUATES):
            found = replace(found, doing=line.removeprefix(EVALUATES), left="")
        elif named := _EPOCH.match(line):
            parts = dict(_named(part) for part in line[named.end() :].split(", "))
            found = Progress("training", named[1], **parts)
    return found


def _named(part: str) -> tuple[str, str]:
    if part.startswith("loss "):
        return "loss", part.removeprefix("loss ")
    if part.startswith("online accuracy"):
        return "accuracy", part.removeprefix("online accuracy ")
    return "left", part.removesuffix(" left") if part.endswith(" left") else ""


def tail(log: Path, size: int = _TAIL) -> str:
    """The end of a log; empty if it can't be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read().decode(errors="backslashreplace")
    except OSError:
        return ""


def state_of(task: Task, scheduled: Mapping[str, str]) -> tuple[str, Path | None]:
    """The state of a job, and the log of its last attempt.

    Args:
        task: the job.
        scheduled: what the scheduler says of its jobs, by their number.
    """
    submitted = task.submitted()
    scheduler = scheduled.get(str(submitted.get("id")), "")
    log = task.log
    if submitted and (scheduler or not log.is_file()):
        log = Path(str(submitted["log"]))
    name = f"SLURM {submitted['id']} {scheduler}" if scheduler else ""
    return _state(task, name, is_active(task, scheduled)), log if log.is_file() else None


def _state(task: Task, scheduler: str, active: bool) -> str:
    run = finished(task.job)
    if task.done(run):
        return "done"
    if is_locked(task.folder):
        who = owner(task.folder)
        place = f"process {who.get('process', '?')} on {who.get('host', '?')}"
        return f"running, {scheduler or place}"
    if active:
        return scheduler
    outcome = task.outcome()
    if outcome and outcome.errors:
        found = "failed"
    elif run:
        found = "trained"
    else:
        begun = same_run(task.job.cfg)
        checkpoint = begun and latest_checkpoint(begun)
        reached = checkpoint and stage(checkpoint)
        of = f" of {task.job.cfg.max_epochs}"
        found = f"stopped after epoch {reached.epochs}{of}" if reached else "not begun"
    return f"{found}, {scheduler}" if scheduler else found


@dataclass(frozen=True)
class Estimate:
    """How long a job's training may still take.

    Attributes:
        seconds: of the epochs that it lacks.
        like: the run that took as long for each of its epochs.
        host: where that was.
    """

    seconds: float
    like: Path
    host: str


def estimate(job: Job) -> Estimate | None:
    """From the newest run that differs in seed and epochs alone; None if there is none."""
    wanted = _like(job.cfg)
    found: list[tuple[float, Path, float]] = []
    name = glob.escape(run_id(job.cfg).rpartition("-seed")[0])
    for folder in runs_folder(job.cfg).glob(f"{name}-seed*"):
        config = read_config(folder / "config.yaml")
        seconds = seconds_per_epoch(folder)
        if config is not None and seconds is not None and _like(config) == wanted:
            found.append((folder.stat().st_mtime, folder, seconds))
    if not found:
        return None
    _, like, seconds = max(found)
    own = same_run(job.cfg)
    checkpoint = own and latest_checkpoint(own)
    reached = checkpoint and stage(checkpoint)
    left = job.cfg.max_epochs - (reached.epochs if reached else 0)
    hosts = [event["on"] for event in read_history(like) if isinstance(event.get("on"), dict)]
    return Estimate(max(left, 0) * seconds, like, str(hosts[-1].get("host")) if hosts else "?")


def _like(cfg: DictConfig) -> dict[str, Any]:
    return {k: v for k, v in identity(cfg).items() if k not in ("seed", "max_epochs")}
