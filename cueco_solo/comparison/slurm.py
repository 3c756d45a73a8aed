"""A grid's jobs as an array of SLURM jobs, submitted through submitit."""

import subprocess
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cueco_solo.comparison.job_folders import Task
from cueco_solo.comparison.slurm_options import SlurmOptions
from cueco_solo.errors import config_error, one_line
from cueco_solo.training.hardware import processes_wanted

# submitit's name of the scheduler
CLUSTER = "slurm"
_ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"),
)


def check_submitit() -> None:
    """Refuse to go on without submitit.

    Raises:
        ConfigError: it isn't installed.
    """
    if find_spec("submitit") is None:
        reason = "needs a package that is not installed"
        raise config_error("--launcher", "slurm", reason, "pip install 'cueco-solo[slurm]'")


def resources(cfg: DictConfig, options: SlurmOptions) -> dict[str, Any]:
    """What one run needs: nodes, processes and GPUs of each, in submitit's words."""
    processes = processes_wanted(cfg)
    gpus = options.gpus
    if gpus is None:
        gpus = 0 if cfg.get("accelerator") == "cpu" else processes
    found: dict[str, Any] = {"nodes": cfg.get("num_nodes") or 1, "tasks_per_node": processes}
    if gpus:
        found["gpus_per_node"] = gpus
    return found


def submit(
    tasks: Sequence[Task], options: SlurmOptions, name: str, act: Callable[[str], None]
) -> list[tuple[Task, str]]:
    """Submit jobs, those with the same resources as one array.

    Args:
        tasks: written already.
        options: what they ask for.
        name: of the array.
        act: what a job does, given its folder; found again by its module and name.

    Returns:
        Each with its number, which is noted in its folder, too.

    Raises:
        ConfigError: there is no SLURM, or it refuses.
    """
    check_submitit()
    import submitit

    alike: dict[str, list[Task]] = {}
    for task in tasks:
        alike.setdefault(str(resources(task.job.cfg, options)), []).append(task)
    found = []
    for group in alike.values():
        try:
            executor = submitit.AutoExecutor(group[0].folder.parent / "slurm", cluster=CLUSTER)
            wanted = resources(group[0].job.cfg, options)
            more = options.sbatch()
            if options.gpu_type and "gpus_per_node" in wanted:
                more["gpus_per_node"] = f"{options.gpu_type}:{wanted['gpus_per_node']}"
            executor.update_parameters(
                name=name,
                timeout_min=options.minutes,
                stderr_to_stdout=True,
                cpus_per_task=options.cpus_per_task,
                slurm_setup=options.setup or None,
                slurm_array_parallelism=options.array_parallelism,
                slurm_additional_parameters=more,
                **wanted,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                jobs = executor.map_array(act, [str(task.folder) for task in group])
        except Exception as error:  # of sbatch, whose kinds submitit doesn't tell apart
            reason = f"can't submit the jobs ({one_line(error)})"
            remedy = "run it where sbatch works, and check the grid's slurm section"
            raise config_error("--launcher", "slurm", reason, remedy) from error
        for task, job in zip(group, jobs, strict=True):
            task.write_submitted(job.job_id, Path(job.paths.stdout))
            found.append((task, job.job_id))
    return found


def scheduled(tasks: Iterable[Task], surely: bool = False) -> dict[str, str]:
    """What SLURM says of the jobs that were submitted, by their number.

    Those that it has forgotten are left out; without SLURM's commands there are none.

    Args:
        tasks: submitted or not.
        surely: what is unknown would be taken for not there.

    Raises:
        ConfigError: neither squeue nor sacct answers, where it must be known.
    """
    numbers = {str(task.submitted()["id"]) for task in tasks if task.submitted()}
    if not numbers:
        return {}
    joined = ",".join(sorted({number.partition("_")[0] for number in numbers}))
    queue = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T"]
    past = ["sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State"]
    tables = [_table([*command, f"--jobs={joined}"]) for command in (past, queue)]
    if surely and tables == [None, None]:
        reason = f"doesn't tell which of the jobs {joined} wait or run"
        raise config_error("squeue", "--jobs", reason, "try again where it works")
    found = {number: state for table in tables for number, state in (table or {}).items()}
    return {number: state for number, state in found.items() if number in numbers}


def _table(command: Sequence[str]) -> dict[str, str] | None:
    """The states by job; None without an answer. That a job is forgotten is an answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    if done.returncode and "invalid job id" not in done.stderr.lower():
        return None
    pairs = (line.strip().partition("|")[::2] for line in done.stdout.splitlines())
    return {number: state.split()[0] for number, state in pairs if state.strip()}


def is_active(task: Task, states: Mapping[str, str]) -> bool:
    """Whether a job waits in the queue or runs."""
    state = states.get(str(task.submitted().get("id")))
    return state is not None and state not in _ENDED


def cancel(tasks: Iterable[Task], states: Mapping[str, str]) -> list[str]:
    """Cancel the jobs that wait or run; returns their numbers.

    Raises:
        ConfigError: scancel fails.
    """
    numbers = [str(task.submitted()["id"]) for task in tasks if is_active(task, states)]
    if numbers:
        done = subprocess.run(["scancel", *numbers], capture_output=True, text=True)
        if done.returncode:
            reason = f"can't be done ({' '.join(done.stderr.split())})"
            raise config_error("--cancel", True, reason, f"try scancel {' '.join(numbers)}")
    return numbers
