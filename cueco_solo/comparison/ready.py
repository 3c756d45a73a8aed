"""Whether every run of a grid could start, found out before the first one does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cueco_solo.comparison.execute import finished, written_here
from cueco_solo.comparison.jobs import Job
from cueco_solo.data.checks import DOWNLOADED, check_paths
from cueco_solo.data.torchvision_sets import unpacked_sets
from cueco_solo.errors import ConfigError, HostError
from cueco_solo.host.availability import check_available


def check_ready(jobs: Sequence[Job]) -> None:
    """Refuse a grid of which a run that is still to be trained couldn't start.

    A data set that torchvision downloads is fetched now, if it isn't there.

    Raises:
        ConfigError: its images aren't there.
        HostError: the installed solo-learn can't compute its method.
    """
    seen: set[Any] = set()
    for job in jobs:
        if finished(job) is not None:
            continue
        try:
            check_available(job.cfg.method)
            data = job.cfg.data
            place = data.dataset, data.train_path, data.get("val_path")
            if place in seen or written_here(job):
                continue
            seen.add(place)
            check_paths(data)
            if data.dataset in DOWNLOADED:
                _fetch(data)
        except ConfigError as error:
            raise ConfigError(f"{job}: {error}; or leave it out with --only") from error
        except HostError as error:
            raise HostError(f"{job}: {error}; or leave it out with --only") from error


def _fetch(data: Any) -> None:
    if data.dataset not in unpacked_sets(Path(data.train_path)):
        from cueco_solo.data.datasets import training_set  # it needs torch

        print(f"{data.dataset} isn't in {data.train_path}: downloading it", flush=True)
        training_set(data, None)
