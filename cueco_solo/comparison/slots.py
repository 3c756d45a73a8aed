"""Places for jobs on this machine: GPUs, or shares of its cores."""

import os
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from cueco_solo.comparison.job_folders import Task
from cueco_solo.data.reading import usable_cpus
from cueco_solo.errors import config_error
from cueco_solo.training.hardware import processes_wanted


class Slots:
    """Places that are free, and those that are taken.

    Args:
        gpus: numbers of GPUs; empty: places without one.
        jobs: at a time on each GPU, or in all without GPUs.
    """

    def __init__(self, gpus: Sequence[int], jobs: int) -> None:
        self.gpus = tuple(gpus)
        # a job's place on all GPUs before a second job's on any
        self.free: list[int] = list(gpus) * jobs if gpus else list(range(jobs))
        self.number = len(self.free)
        self.threads = max(1, _threads() // self.number)

    def check(self, tasks: Sequence[Task]) -> None:
        """Refuse jobs that will never have a place, before anything is trained.

        Raises:
            ConfigError: one needs more processes, or machines, than there are places, or names
                GPUs itself.
        """
        most = len(self.gpus) or self.number
        for task in tasks:
            cfg, key = task.job.cfg, f"methods.{task.job.method}"
            wanted = processes_wanted(cfg)
            if (nodes := cfg.get("num_nodes") or 1) > 1:
                remedy = "use --launcher slurm"
                raise config_error(f"{key}: num_nodes", nodes, "is more than this machine", remedy)
            if wanted > most:
                reason = f"needs {wanted} places, but there are {most}"
                remedy = f"give {wanted} {'GPUs to --gpus' if self.gpus else 'or more to --jobs'}"
                raise config_error(f"{key}: devices", _plain(cfg), reason, remedy)
            devices = _plain(cfg)
            if self.gpus and isinstance(devices, list) and devices != list(range(wanted)):
                reason = "names GPUs, which --gpus shares out"
                raise config_error(f"{key}: devices", devices, reason, f"give devices={wanted}")

    def check_gpus(self, tasks: Sequence[Task]) -> None:
        """Refuse GPUs that aren't there, and places on the cores for jobs that would take GPUs.

        Imports torch.

        Raises:
            ConfigError: one isn't there, or all jobs would share the same.
        """
        import torch

        there = torch.cuda.device_count()
        if not self.gpus:
            if there and any(task.job.cfg.get("accelerator", "auto") != "cpu" for task in tasks):
                reason = f"would put all jobs on the {there} GPUs of this machine"
                remedy = "give --gpus and --jobs-per-gpu, or add accelerator=cpu"
                raise config_error("--jobs", self.number, reason, remedy)
            return
        if missing := [number for number in self.gpus if number >= there]:
            remedy = f"choose from {', '.join(map(str, range(there)))}"
            if not there:
                remedy = "leave --gpus out and give --jobs N for places without one"
            reason = f"but there is no GPU {missing[0]}"
            raise config_error("--gpus", ",".join(map(str, self.gpus)), reason, remedy)

    def take(self, task: Task) -> tuple[int, ...] | None:
        """Places for a job, on distinct GPUs; None if not enough are free."""
        wanted = processes_wanted(task.job.cfg)
        free = list(dict.fromkeys(self.free))
        if len(free) < wanted:
            return None
        taken = tuple(free[:wanted])
        for place in taken:
            self.free.remove(place)
        return taken

    def give_back(self, places: Sequence[int]) -> None:
        """The job there is over."""
        self.free += places
        self.free.sort(key=lambda place: (-self.free.count(place), place))

    def environment(self, places: Sequence[int]) -> dict[str, str]:
        """Variables under which a process uses these places."""
        threads = str(self.threads)
        found = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if self.gpus:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            names = visible.split(",") if visible else None
            found["CUDA_VISIBLE_DEVICES"] = ",".join(
                names[place].strip() if names else str(place) for place in places
            )
        return found

    def told(self, places: Sequence[int]) -> str:
        """``GPU 0, 1``, or ``2 threads``."""
        if self.gpus:
            return f"GPU {', '.join(map(str, places))}"
        threads = self.threads * len(places)
        return f"{threads} thread{'s' * (threads > 1)}"


def _plain(cfg: DictConfig) -> object:
    devices = cfg.get("devices", "auto")
    return OmegaConf.to_container(devices) if OmegaConf.is_config(devices) else devices


def _threads() -> int:
    """What one process would use of this machine's cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return usable_cpus()
