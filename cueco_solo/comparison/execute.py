"""Trains and evaluates what a grid still lacks, run by run, whatever becomes of a single one."""

import contextlib
import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cueco_solo import signals
from cueco_solo.comparison.evaluations import Evaluation
from cueco_solo.comparison.grid import Grid, Job
from cueco_solo.errors import ConfigError, HostError, one_line

_DIGITS = {"digits": False, "digits-placed": True}


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        method, dataset, seed: what it is called in the tables.
        folder: of the run, None if the training failed.
        files: names of the ``eval-*.json`` of this comparison; those of the untrained backbone too.
        errors: a line for each thing that failed.
    """

    method: str
    dataset: str
    seed: int
    folder: Path | None = None
    files: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.method} on {self.dataset}, seed {self.seed}"


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
    grid: Grid,
    jobs: Sequence[Job],
    log: Path,
    wait: bool = False,
    tell: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
) -> list[Outcome]:
    """Do all jobs; a failing one is reported in a line, and the next one follows.

    Args:
        grid: for its evaluations.
        jobs: in this order.
        log: file that gets the tracebacks of what failed unexpectedly.
        wait: where another process trains a run, until it is done.
        tell: called after each training but the last with what there is by now of its data set.
    """
    clock = _Clock(jobs)
    outcomes = []
    for number, job in enumerate(jobs, 1):
        done = finished(job)
        print(f"[{number}/{len(jobs)}] {job}{clock.start(job, bool(done))}", flush=True)
        outcome = Outcome(job.method, job.dataset, job.seed, done)
        with _reported(outcome, "training", log):
            if done is None:
                outcome.folder = _train(job, wait)
        if outcome.folder is not None:
            first = grid.untrained and job.method == grid.methods[0].name
            for evaluation in grid.evaluations:
                evaluate(outcome, evaluation, log)
                if first:
                    evaluate(outcome, evaluation, log, untrained=True)
        clock.stop(job)
        outcomes.append(outcome)
        if number < len(jobs) and done is None:
            tell([each for each in outcomes if each.dataset == job.dataset])
    return outcomes


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

    processes = find_hardware(job.cfg).world_size
    if processes > 1:
        raise ConfigError(
            f"devices: {processes} processes are more than a comparison can train in; run "
            f"cueco-solo {' '.join(job.command)}, compare then takes the finished run"
        )
    _write_digits(job)
    try:
        with _as_typed(job.command):
            folder = pretrain(job.cfg, wait)
    except Exception:
        signals.raise_received()  # that came before what ended the training
        raise
    signals.raise_received()  # that came with the last step, which the training has finished
    return folder


def _write_digits(job: Job) -> None:
    """The data sets that need no download, where the configuration looks for them."""
    path = Path(job.cfg.data.train_path)
    if path.parent.name in _DIGITS and path.parent.parent == Path("datasets"):
        from cueco_solo.data.digits import export_digits

        export_digits(path.parent, placed=_DIGITS[path.parent.name])


@contextlib.contextmanager
def _as_typed(command: Sequence[str]) -> Iterator[None]:
    """The run's ``environment.json`` then says what makes this run, not the whole grid."""
    typed = sys.argv
    sys.argv = [typed[0], *command]
    try:
        yield
    finally:
        sys.argv = typed


class _Clock:
    """Time since the start, and an estimate of what is left from the runs trained so far."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.begin = time.monotonic()
        self.left = [job for job in jobs if finished(job) is None]
        self.seconds: list[tuple[Job, float]] = []

    def start(self, job: Job, done: bool) -> str:
        """What stands behind the job's name."""
        self.now = time.monotonic()
        state = ": trained already" if done else ""
        if not self.seconds or not self.left:
            return state
        elapsed = _duration(self.now - self.begin)
        left = _duration(sum(map(self._expected, self.left)))
        return f"{state} ({elapsed} so far, about {left} to go)"

    def stop(self, job: Job) -> None:
        """The job is over."""
        if job in self.left:
            self.left.remove(job)
            self.seconds.append((job, time.monotonic() - self.now))

    def _expected(self, job: Job) -> float:
        """The mean of the same method on the same data, else of all."""
        like = [s for j, s in self.seconds if (j.method, j.dataset) == (job.method, job.dataset)]
        times = like or [seconds for _, seconds in self.seconds]
        return sum(times) / len(times)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
