"""Trains and evaluates what a grid still lacks, run by run, whatever becomes of a single one."""

import contextlib
import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cueco_solo import signals
from cueco_solo.comparison.evaluations import Evaluation
from cueco_solo.comparison.job_folders import Outcome, Task
from cueco_solo.comparison.jobs import Job
from cueco_solo.comparison.several import train_apart
from cueco_solo.errors import ConfigError, HostError, one_line
from cueco_solo.locks import locked
from cueco_solo.training.durations import duration

# the first line of every attempt, and one for each evaluation, in a job's log
BEGINS, EVALUATES = "job: ", "evaluation: "
_DIGITS: dict[str, dict[str, Any]] = {
    "digits": {"placed": False},
    "digits-placed": {"placed": True},
    "digits-few": {"placed": True, "of_each": 20},
}


def finished(job: Job) -> Path | None:
    """The folder of the job's run, if it has had all its epochs."""
    from cueco_solo.results.figures import epochs
    from cueco_solo.training.run_folder import load_run, same_run

    folder = same_run(job.cfg)
    return folder if folder and epochs(load_run(folder)) >= job.cfg.max_epochs else None


def error_log(folder: Path) -> Path:
    """The file for tracebacks in a comparison's folder, without those of a former one."""
    path = folder / "errors.txt"
    path.unlink(missing_ok=True)
    return path


def run_jobs(
    tasks: Sequence[Task],
    log: Path,
    wait: bool = False,
    tell: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
) -> list[Outcome]:
    """Do all jobs in this process; a failing one is reported in a line, and the next one follows.

    Args:
        tasks: the grid's, in this order.
        log: file that gets the tracebacks of what failed unexpectedly.
        wait: where another process trains a run, until it is done.
        tell: called after each training but the last with what there is by now of its data set.
    """
    clock = Clock([task.job for task in tasks if finished(task.job) is None])
    outcomes = []
    for number, task in enumerate(tasks, 1):
        job, done = task.job, finished(task.job)
        state = ": trained already" if done else ""
        print(f"[{number}/{len(tasks)}] {job}{state}{clock.told()}", flush=True)
        start = time.monotonic()
        outcomes.append(_run_alone(task, log, done, wait))
        clock.done(job, time.monotonic() - start)
        if number < len(tasks) and done is None:
            tell([each for each in outcomes if each.dataset == job.dataset])
    return outcomes


def _run_alone(task: Task, log: Path, done: Path | None, wait: bool) -> Outcome:
    """The same as :func:`run_job`, seen by others that look at the job's folder."""
    outcome = Outcome(task.job.method, task.job.dataset, task.job.seed, done)
    with _reported(outcome, "job", log):
        task.folder.mkdir(parents=True, exist_ok=True)
        with locked(task.folder, "--out", wait):
            task.forget()
            outcome = run_job(task, log, done, wait)
            task.write_outcome(outcome)
    return outcome


def run_job(
    task: Task, log: Path, done: Path | None, wait: bool = False, telling: bool = False
) -> Outcome:
    """Train one run, unless that is done, and evaluate it; what fails is a line of the outcome.

    Args:
        task: what to do.
        log: see :func:`run_jobs`.
        done: the folder of the run, if it has had all its epochs.
        wait: see :func:`run_jobs`.
        telling: print a line for each evaluation.
    """
    job = task.job
    outcome = Outcome(job.method, job.dataset, job.seed, done)
    with _reported(outcome, "training", log):
        if done is None:
            outcome.folder = _train(job, wait)
    if outcome.folder is not None:
        for evaluation in task.evaluations:
            if telling:
                print(f"{EVALUATES}{evaluation}", flush=True)
            evaluate(outcome, evaluation, log)
            if task.untrained:
                evaluate(outcome, evaluation, log, untrained=True)
    return outcome


def evaluate(outcome: Outcome, evaluation: Evaluation, log: Path, untrained: bool = False) -> None:
    """One evaluation of the run of an outcome, which gets the file's name or an error."""
    if outcome.folder is None:
        return
    from cueco_solo.host.unlabelled import has_no_labels
    from cueco_solo.training.run_folder import load_run

    with _reported(outcome, str(evaluation), log):
        if not evaluation.elsewhere and has_no_labels(load_run(outcome.folder).cfg):
            print(f"{outcome}: {evaluation} is left out: its images have no labels", flush=True)
            return
        names = {path.name for path in evaluation.run(outcome.folder, untrained)}
        if same := names & outcome.files:
            raise ConfigError(
                f"evaluations: {min(same)} is written by two of them; leave only one {evaluation}"
            )
        outcome.files |= names


@contextlib.contextmanager
def _reported(outcome: Outcome, what: str, log: Path) -> Iterator[None]:
    """Turn an error into a line; what a process can't go on with passes."""
    try:
        yield
    except Exception as error:
        line = f"{outcome}: {what} failed: {one_line(error)}"
        if not isinstance(error, ConfigError | HostError):
            line = f"{outcome}: {what} failed: {type(error).__name__}: {one_line(error)}"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n{traceback.format_exc()}\n")
            line = f"{line} (see {log})"
        outcome.errors.append(line)
        print(line, file=sys.stderr, flush=True)
    finally:
        _free()


def _free() -> None:
    """Give back the memory of a model: it is held by cycles."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _train(job: Job, wait: bool) -> Path:
    from cueco_solo.training.hardware import find_hardware
    from cueco_solo.training.pretrain import pretrain

    write_digits(job)
    try:
        if find_hardware(job.cfg).world_size > 1:
            train_apart(job, wait)
            folder = finished(job)
            if folder is None:
                raise ConfigError("the training has ended before its last epoch")
        else:
            with _as_typed(job.command):
                folder = pretrain(job.cfg, wait)
    except Exception:
        signals.raise_received()  # that came before what ended the training
        raise
    signals.raise_received()  # that came with the last step, which the training has finished
    return folder


def write_digits(job: Job) -> None:
    """The data sets that need no download, where the configuration looks for them."""
    if written_here(job):
        from cueco_solo.data.digits import export_digits

        folder = Path(job.cfg.data.train_path).parent
        export_digits(folder, **_DIGITS[folder.name])


def written_here(job: Job) -> bool:
    """Whether the job's images are digits that its training writes where it looks for them."""
    folder = Path(job.cfg.data.train_path).parent
    return folder.name in _DIGITS and folder.parent == Path("datasets")


@contextlib.contextmanager
def _as_typed(command: Sequence[str]) -> Iterator[None]:
    """The run's ``environment.json`` then says what makes this run, not the whole grid."""
    typed = sys.argv
    sys.argv = [typed[0], *command]
    try:
        yield
    finally:
        sys.argv = typed


class Clock:
    """Time since the start, and an estimate of what is left from the runs trained so far.

    Args:
        left: jobs that aren't trained yet.
        slots: jobs that are done at a time.
    """

    def __init__(self, left: Sequence[Job], slots: int = 1) -> None:
        self.begin = time.monotonic()
        self.left, self.slots = list(left), slots
        self.seconds: list[tuple[Job, float]] = []

    def told(self) -> str:
        """What is known of it, in brackets; empty at first and where nothing is left."""
        if not self.seconds or not self.left:
            return ""
        elapsed = duration(time.monotonic() - self.begin)
        left = duration(sum(map(self._expected, self.left)) / min(self.slots, len(self.left)))
        return f" ({elapsed} so far, about {left} to go)"

    def done(self, job: Job, seconds: float) -> None:
        """The job is over, and has taken this time."""
        if job in self.left:
            self.left.remove(job)
            self.seconds.append((job, seconds))

    def _expected(self, job: Job) -> float:
        """The mean of the same method on the same data, else of all."""
        like = [s for j, s in self.seconds if (j.method, j.dataset) == (job.method, job.dataset)]
        times = like or [seconds for _, seconds in self.seconds]
        return sum(times) / len(times)
