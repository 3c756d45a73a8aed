"""Finished run folders, of ours or of solo-learn's script, named so that they can be compared."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cueco_solo.comparison.execute import Outcome
from cueco_solo.errors import ConfigError
from cueco_solo.report.reproduction import flat_config
from cueco_solo.results.figures import dataset_name, epochs
from cueco_solo.results.tables import series_names
from cueco_solo.training.run_folder import Run, open_runs


def outcomes_of(folders: Iterable[Path]) -> list[Outcome]:
    """The runs, each under its method's name.

    Where runs of one method differ in settings, backbone or epochs, the name says so: no mean is
    taken over them.

    Raises:
        ConfigError: a folder is no run, or two runs have everything in common, even the seed.
    """
    runs = open_runs(folders)
    names = _names(runs)
    found: dict[tuple[Any, ...], Outcome] = {}
    for run, name in zip(runs, names, strict=True):
        outcome = Outcome(name, dataset_name(run.cfg.data), run.cfg.seed, run.folder)
        other = found.setdefault((name, outcome.dataset, outcome.seed), outcome)
        if other is not outcome:
            raise ConfigError(
                f"RUN: {run.folder} and {other.folder} are both {outcome}; give one of them"
            )
    return list(found.values())


def _names(runs: list[Run]) -> list[str]:
    folders = [run.folder.name for run in runs]
    parts: list[Any] = [
        {
            "id": str(run.folder) if folders.count(run.folder.name) > 1 else run.folder.name,
            "method": run.cfg.method,
            "name": run.cfg.get("name") or run.folder.name,
            "dataset": dataset_name(run.cfg.data),
            "backbone": run.cfg.backbone.name,
            "epochs": epochs(run),
            "config": flat_config(run, composed=False),
        }
        for run in runs
    ]
    series = series_names(parts)
    sizes: dict[str, set[tuple[str, int]]] = {}
    for part in parts:
        sizes.setdefault(series[part["id"]], set()).add((part["backbone"], part["epochs"]))
    return [
        name if len(sizes[name]) == 1 else f"{name}, {part['backbone']}, {part['epochs']} epochs"
        for part in parts
        for name in [series[part["id"]]]
    ]
