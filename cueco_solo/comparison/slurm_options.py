"""What a grid's jobs ask SLURM for: the section ``slurm`` of its YAML, or ``--slurm-...``."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator

from cueco_solo.errors import config_error
from cueco_solo.options import Count, Options, Size, option

_TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)$")
_MEMORY = re.compile(r"\d+[KMGT]$")


def _time(value: str) -> str:
    if not _TIME.match(value):
        allowed = 'must be text of the form "HH:MM:SS" or "D-HH:MM:SS"'
        raise config_error("slurm.time", value, allowed, 'e.g. time: "12:00:00"')
    return value


def _memory(value: str) -> str:
    if not _MEMORY.match(value):
        allowed = "must be a whole number with its unit, K, M, G or T"
        raise config_error("slurm.mem", value, allowed, "e.g. mem: 32G")
    return value


class SlurmOptions(Options):
    """Resources of one job of the grid; nodes, processes and GPUs follow from its configuration."""

    section: ClassVar[str] = "slurm"
    owner: ClassVar[str] = "a grid's slurm section"

    time: Annotated[str, AfterValidator(_time)] | None = option(
        None, 'limit of a job, in quotes: "12:00:00"'
    )
    partition: str | None = option(None, "default: the cluster's")
    account: str | None = option(None, "who pays")
    qos: str | None = option(None, "quality of service")
    mem: Annotated[str, AfterValidator(_memory)] | None = option(None, "memory of a node, 32G")
    cpus_per_task: Count | None = option(None, "cores of each process, its loaders included")
    gpus: Size | None = option(
        None, "of a node; default: one for each process, none with accelerator=cpu"
    )
    gpu_type: str | None = option(None, "as the cluster calls it, e.g. a100")
    constraint: str | None = option(None, "features that a node must have")
    exclude: str | None = option(None, "nodes that aren't used")
    setup: list[str] = option([], "shell lines before a job, e.g. module load cuda")
    array_parallelism: Count = option(16, "jobs of the array at a time")
    signal_seconds: Count = option(
        120, "before its limit a job gets SIGUSR1: it saves, is requeued and goes on"
    )

    @classmethod
    def of_grid(cls, section: Any, typed: Mapping[str, Any]) -> Self:
        """From the grid's section and what was typed, which wins.

        Raises:
            ConfigError: a key isn't known, or a value can't be used.
        """
        if section is not None and not isinstance(section, dict):
            keys = f"allowed keys: {', '.join(cls.model_fields)}"
            raise config_error("slurm", section, "must be a mapping", keys)
        values = {str(key): value for key, value in (section or {}).items()}
        if isinstance(values.get("time"), int):  # YAML reads 4:00:00 as a number of seconds
            raise config_error("slurm.time", values["time"], "must be text", 'write "HH:MM:SS"')
        return cls.check({**values, **{k: v for k, v in typed.items() if v is not None}})

    @property
    def minutes(self) -> int:
        """The time limit, rounded up.

        Raises:
            ConfigError: there is none, or a job would be stopped where it begins.
        """
        if self.time is None:
            remedy = "add it to the grid, or --slurm-time HH:MM:SS"
            raise config_error("slurm.time", None, "is missing", remedy)
        days, hours, minutes, seconds = (int(part or 0) for part in _TIME.findall(self.time)[0])
        found = 1440 * days + 60 * hours + minutes + (seconds > 0)
        if 60 * (found - 1) <= self.signal_seconds:  # SLURM counts in minutes
            reason = f"leaves no time before the signal, {self.signal_seconds} s from its end"
            remedy = "give more than slurm.signal_seconds and a minute"
            raise config_error("slurm.time", self.time, reason, remedy)
        return found

    def sbatch(self) -> dict[str, Any]:
        """sbatch's options for these, by name without dashes."""
        names = ("partition", "account", "qos", "time", "mem", "constraint", "exclude")
        found = {name: getattr(self, name) for name in names}
        # to the processes, not to the shell that starts them
        found |= {"signal": f"USR1@{self.signal_seconds}", "requeue": True}
        return {name: value for name, value in found.items() if value is not None}
