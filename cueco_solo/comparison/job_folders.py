"""What a grid's jobs leave in ``<out>/jobs``, for other processes: what is to be done, what became
of it, and who does it now.

Each job has a folder. Its lock is held by the process that works on it. ``jobs/grid.json`` names
those of the present grid.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.comparison.evaluations import Evaluation, parse_evaluations
from cueco_solo.comparison.grid import Grid
from cueco_solo.comparison.jobs import Job
from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import read_json, write_json, write_text
from cueco_solo.training.run_folder import run_id

_CONFIG, _JOB, _OUTCOME, _SUBMITTED, _GRID = (
    *("config.yaml", "job.json", "outcome.json", "submitted.json"),
    "grid.json",
)


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


@dataclass(frozen=True)
class Task:
    """A job with what is measured of its run.

    Attributes:
        job: the run.
        evaluations: of it.
        untrained: evaluate the backbone as it was before training, too.
        folder: the job's, in ``<out>/jobs``.
    """

    job: Job
    evaluations: tuple[Evaluation, ...]
    untrained: bool
    folder: Path

    @property
    def log(self) -> Path:
        """What it printed as a process of this machine."""
        return self.folder / "log.txt"

    def write(self) -> None:
        """Write down what is to be done.

        Raises:
            OSError: the folder can't be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / _CONFIG, OmegaConf.to_yaml(self.job.cfg))
        write_json(self.folder / _JOB, self._content())

    def _content(self) -> dict[str, Any]:
        job = self.job
        return {
            "method": job.method,
            "dataset": job.dataset,
            "seed": job.seed,
            "command": list(job.command),
            "evaluations": [str(each) for each in self.evaluations],
            "untrained": self.untrained,
        }

    def write_outcome(self, outcome: Outcome) -> None:
        """Write down what became of it.

        Raises:
            OSError: the folder can't be written.
        """
        found = {
            "of": self._content(),
            "folder": outcome.folder and str(outcome.folder),
            "files": sorted(outcome.files),
            "errors": outcome.errors,
        }
        write_json(self.folder / _OUTCOME, found)

    def forget(self) -> None:
        """Remove what became of a former attempt."""
        (self.folder / _OUTCOME).unlink(missing_ok=True)

    def outcome(self) -> Outcome | None:
        """What became of it, if it has come to an end with these very evaluations."""
        try:
            found = read_json(self.folder / _OUTCOME)
            if found["of"] != self._content():
                return None
            folder = found["folder"] and Path(found["folder"])
            files, errors = set(map(str, found["files"])), list(map(str, found["errors"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        job = self.job
        return Outcome(job.method, job.dataset, job.seed, folder, files, errors)

    def done(self, run: Path | None) -> Outcome | None:
        """What became of it, if there is nothing left to do.

        Args:
            run: the folder of the job's run, None if it isn't trained.
        """
        found = self.outcome()
        if found is None or run is None or found.errors or found.folder != run:
            return None
        return found if all((run / name).is_file() for name in found.files) else None

    def submitted(self) -> dict[str, Any]:
        """What :meth:`write_submitted` wrote; empty if it was never submitted."""
        try:
            found = read_json(self.folder / _SUBMITTED)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_submitted(self, number: str, log: Path) -> None:
        """Note the scheduler's number of the job and its log.

        Raises:
            OSError: the folder can't be written.
        """
        write_json(self.folder / _SUBMITTED, {"id": number, "log": str(log)})


def tasks_of(grid: Grid, jobs: Sequence[Job], out: Path) -> list[Task]:
    """The jobs of a grid with their folders below its results; nothing is written."""
    first = grid.methods[0].name
    return [
        Task(
            job,
            grid.evaluations,
            grid.untrained and job.method == first,
            out / "jobs" / f"{job.cfg.method}-{run_id(job.cfg)}",
        )
        for job in jobs
    ]


def read_task(folder: Path) -> Task:
    """A job as it was written.

    Raises:
        ConfigError: the folder holds none.
    """
    try:
        found = read_json(folder / _JOB)
        cfg = OmegaConf.load(folder / _CONFIG)
        if not isinstance(cfg, DictConfig):
            raise ValueError(f"{_CONFIG} is no mapping")
        command = tuple(map(str, found["command"]))
        job = Job(found["method"], found["dataset"], found["seed"], cfg, command)
        evaluations = tuple(parse_evaluations(found["evaluations"]))
        return Task(job, evaluations, bool(found["untrained"]), folder)
    except ConfigError:
        raise
    except Exception as error:  # PyYAML and OmegaConf raise many kinds
        reason = f"holds no readable job ({' '.join(str(error).split())})"
        raise config_error("--job", str(folder), reason, "start the grid again") from error


@dataclass(frozen=True)
class Shown:
    """What the tables and the report of a comparison need beside its runs.

    Attributes:
        baseline: the method that the others are compared with.
        title: of the report; None for no report.
        paper, mark: the grid's.
    """

    baseline: str | None = None
    title: str | None = None
    paper: str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Written:
    """The grid that a folder's jobs are of: its tasks, and how they are shown."""

    tasks: list[Task]
    shown: Shown


def write_grid(tasks: Sequence[Task], shown: Shown) -> None:
    """Write down which jobs are the grid's, and each of them.

    Raises:
        ConfigError: the folder can't be written.
    """
    try:
        for task in tasks:
            task.write()
        names = [task.folder.name for task in tasks]
        content = {"jobs": names, "shown": asdict(shown)}
        write_json(tasks[0].folder.parent / _GRID, content)
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        raise config_error("--out", str(tasks[0].folder.parent), reason, "free it") from error


def read_grid_of(task: Task) -> Written:
    """The grid that a job is of.

    Raises:
        ConfigError: it can't be read.
    """
    place = task.folder.parent
    try:
        found = read_json(place / _GRID)
        tasks = [read_task(place / name) for name in found["jobs"]]
        return Written(tasks, Shown(**found["shown"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = "holds no readable grid.json"
        raise config_error("--job", str(place), reason, "start the grid again") from error
