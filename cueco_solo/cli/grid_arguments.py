"""The arguments of ``cueco-solo compare`` that a grid has and finished runs haven't."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import number, positive
from cueco_solo.errors import ConfigError

# what SlurmOptions has, without the import of pydantic for a help text
SLURM: dict[str, tuple[str, Any]] = {
    "time": ('"HH:MM:SS" or "D-HH:MM:SS", limit of a job', str),
    "partition": ("of the cluster", str),
    "account": ("who pays", str),
    "qos": ("quality of service", str),
    "mem": ("of a node, e.g. 32G", str),
    "cpus_per_task": ("cores of each process, its loaders included", positive),
    "gpus": ("of a node; default: one for each process", int),
    "gpu_type": ("as the cluster calls it, e.g. a100", str),
    "constraint": ("features that a node must have", str),
    "exclude": ("nodes that aren't used", str),
    "setup": ("a shell line before each job; may be repeated", str),
    "array_parallelism": ("jobs at a time; default: 16", positive),
    "signal_seconds": ("before its limit a job saves and is requeued; default: 120", positive),
}
_OF_LOCAL = ("gpus", "jobs_per_gpu", "jobs")


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise ValueError(text)
    return [int(part) for part in parts]


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that a grid has and finished runs haven't."""
    rows = parser.add_argument_group("what of a grid is done")
    rows.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="of the grid's methods or data sets; may be repeated; default: all",
    )
    rows.add_argument(
        "--check-all",
        action="store_true",
        help="train nothing where the data or the method of one of the runs aren't there",
    )
    rows.add_argument(
        "--smoke",
        action="store_true",
        help="a check of wiring: the same rows on digits, two epochs, tiny heads and queues",
    )
    place = parser.add_argument_group("where the jobs of a grid run")
    place.add_argument(
        "--launcher",
        choices=("local", "slurm"),
        default="local",
        help="processes of this machine (default), or jobs of SLURM",
    )
    place.add_argument(
        "--gpus",
        type=number(
            _numbers, "numbers of GPUs, each once: 0,1", lambda v: len(set(v)) == len(v) > 0
        ),
        metavar="0,1,...",
        help="GPUs to share out, each job being a process with a log of its own; default: none",
    )
    place.add_argument(
        "--jobs-per-gpu", type=positive, metavar="N", help="at a time on each of them; default: 1"
    )
    place.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="processes at a time that share out this machine's cores; default: one job after the "
        "other in this process",
    )
    place.add_argument(
        "--job", type=Path, metavar="DIR", help="do this job, as the launchers do; default: a grid"
    )
    instead = parser.add_argument_group("instead of starting them").add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run",
        action="store_true",
        help="print each job, its command, its state and, where a like run is known, how long it "
        "may take",
    )
    instead.add_argument("--status", action="store_true", help="print where each job is")
    instead.add_argument(
        "--cancel", action="store_true", help="stop what works on this grid; it can go on later"
    )
    slurm = parser.add_argument_group("of --launcher slurm, over the grid's section slurm")
    for name, (text, kind) in SLURM.items():
        slurm.add_argument(
            f"--slurm-{name.replace('_', '-')}",
            type=kind,
            action="append" if name == "setup" else "store",
            metavar="LINE" if name == "setup" else "VALUE",
            help=text if "default" in text else f"{text}; default: the grid's",
        )


_OF_GRID = ("dry_run", "status", "cancel", "job", "only", "check_all", "smoke")


def of_a_grid(args: argparse.Namespace) -> str:
    """The first option given that only a grid has; empty if there is none."""
    given = [name for name in _OF_GRID if getattr(args, name)]
    return f"--{given[0].replace('_', '-')}" if given else ""


def check_given(args: argparse.Namespace) -> None:
    """Refuse options that don't go together.

    Raises:
        ConfigError: an option belongs to another launcher, or to a grid.
    """
    local = [name for name in _OF_LOCAL if getattr(args, name) is not None]
    slurm = [f"slurm_{name}" for name in SLURM if getattr(args, f"slurm_{name}") is not None]
    other = local if args.launcher == "slurm" else slurm
    if other:
        option = f"--{other[0].replace('_', '-')}"
        wanted = "local" if args.launcher == "slurm" else "slurm"
        raise ConfigError(f"{option} goes with --launcher {wanted}")
    if args.jobs_per_gpu and not args.gpus:
        raise ConfigError("--jobs-per-gpu goes with --gpus")
    if args.jobs and args.gpus:
        raise ConfigError("--jobs is for places without GPUs; with --gpus, give --jobs-per-gpu")
