"""One job of a grid in a process of its own, as the launchers start it."""

import os
from pathlib import Path

from omegaconf import OmegaConf

from cueco_solo.comparison.execute import BEGINS, finished, run_job
from cueco_solo.comparison.job_folders import Outcome, Task, read_task
from cueco_solo.comparison.several import train_apart
from cueco_solo.locks import locked


def do_job(folder: Path, wait: bool = False) -> tuple[Task, Outcome | None]:
    """Train and evaluate, and write down what became of it.

    Where SLURM starts several processes for the job, all train, and the first one evaluates.

    Args:
        folder: the job's.
        wait: for another process that does this job, or trains its run.

    Returns:
        The job, and what became of it; None if that is another process's to say.

    Raises:
        ConfigError: there is no such job, another process does it, or the folder can't be written.
    """
    task = read_task(folder)
    job = task.job
    # without it there are no lines on the epochs
    OmegaConf.update(job.cfg, "enable_progress_bar", True, force_add=True)
    several = os.environ.get("SLURM_NTASKS", "1") != "1"
    if several and os.environ.get("SLURM_PROCID", "0") != "0":
        if finished(job) is None:
            train_apart(job, wait=False)
        return task, None
    print(f"{BEGINS}{job}", flush=True)
    with locked(folder, "--job", wait):
        task.forget()
        done, log = finished(job), folder.parent.parent / "errors.txt"
        if done:  # nothing is left to do with the job's other processes
            os.environ.pop("SLURM_NTASKS", None)
        outcome = run_job(task, log, done, wait and not several, telling=True)
        task.write_outcome(outcome)
    return task, outcome
