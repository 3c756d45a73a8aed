"""Runs as the tables and the report see them: under which name, with which figures and doubts."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.errors import ConfigError, HostError, one_line
from cueco_solo.results import views
from cueco_solo.results.edges import edge_notes
from cueco_solo.results.figures import (
    UNTRAINED,
    Figure,
    dataset_name,
    epochs,
    outdated_files,
    run_figures,
)
from cueco_solo.results.settings import as_text, differing, flat
from cueco_solo.results.titles import MARK, method_title
from cueco_solo.training.run_folder import Run

# what a folder, a configuration or a data set that isn't as it should be ends in
PROBLEMS = (ConfigError, HostError, OSError, OmegaConfBaseException)
# runs that differ in these are no repetitions of each other
_SETTINGS = {
    *("method_kwargs", "optimizer", "scheduler", "momentum", "augmentations", "backbone"),
    *("data.augment", "data.fraction", "accumulate_grad_batches"),
}
_FEW = 4  # settings that fit into a name
_SEED = "seed"
_DEFAULTS = {views.KEY: views.DEFAULT, "data.fraction": "-1", "accumulate_grad_batches": "1"}


@dataclass
class RunFigures:
    """One run and its figures.

    Attributes:
        id: unique among the runs shown together.
        folder: of the run.
        name: ``name`` of its configuration.
        method: the title of its configuration's, or the name that it was given.
        series: what its method is called in the tables; runs of one series that differ in nothing
            but the seed are repetitions.
        dataset, backbone, epochs, seed: as in :class:`.figures.Figure`.
        config: flat: dotted key to value as text.
        figures: of the trained backbone; finite.
        untrained: of the backbone before the first step; finite.
        missing: sentences on what couldn't be read, and on what can't be compared as it stands.
    """

    id: str
    folder: Path
    name: str
    method: str
    dataset: str
    backbone: str
    epochs: int | None
    seed: int | None
    config: dict[str, str] = field(default_factory=dict)
    series: str = ""
    figures: list[Figure] = field(default_factory=list)
    untrained: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def describe(
    runs: Sequence[Run],
    methods: Mapping[Path, str] | None = None,
    datasets: Mapping[Path, str] | None = None,
) -> list[RunFigures]:
    """The runs under the names of the tables, without figures yet.

    Args:
        runs: in the order of the tables.
        methods: what a run's method is called, by its folder; runs of one name are repetitions.
            Default: its method's title, with the run's name where runs of one method differ in
            settings.
        datasets: what a run's data set is called, by its folder. Default: its own name.
    """
    composed = all((run.folder / "config.yaml").is_file() for run in runs)
    found: list[RunFigures] = []
    for run in runs:
        missing: list[str] = []
        try:
            config = flat_config(run, composed)
        except Exception as error:  # YAML's and OmegaConf's have no base in common
            config = flat_config(run, False)
            missing = [f"Configuration: config.yaml can't be read ({one_line(error)})."]
        found.append(
            RunFigures(
                id=_unique(run.folder.name, {one.id for one in found}),
                folder=run.folder,
                name=str(run.cfg.get("name") or run.folder.name),
                method=(methods or {}).get(run.folder, method_title(run.cfg.method)),
                dataset=(datasets or {}).get(run.folder, dataset_name(run.cfg.data)),
                backbone=run.cfg.backbone.name,
                epochs=epochs(run),
                seed=run.cfg.get("seed"),
                config=config,
                missing=missing,
            )
        )
    names = {run.id: run.method for run in found} if methods else series_names(found)
    for one in found:
        one.series = names[one.id]
    return found


def read_figures(
    described: Sequence[RunFigures],
    runs: Sequence[Run],
    files: Mapping[Path, Collection[str]] | None = None,
) -> None:
    """Fill in the figures, and in ``missing`` what makes them incomparable.

    Args:
        described: what :func:`describe` gave for ``runs``.
        runs: the runs.
        files: names of the ``eval-*.json`` that count, by folder; default: all.
    """
    for one, run in zip(described, runs, strict=True):
        only = files.get(run.folder, ()) if files is not None else None
        one.figures = _finite_figures(one, run, only, untrained=False)
        one.untrained = _finite_figures(one, run, only, untrained=True)
        one.missing += edge_notes(run, only)
        _note_outdated(one, run, only)
    _note_unlike_evaluations(described)
    mixed = views.mixed_views(described)
    for one in described:
        one.missing += [mixed[one.dataset]] if one.dataset in mixed else []
    _note_repetitions(described)


def _finite_figures(
    one: RunFigures, run: Run, only: Collection[str] | None, untrained: bool
) -> list[Figure]:
    """The figures under the run's series; what can't be used of them goes into ``missing``."""
    try:
        found = run_figures(run, untrained, only, one.dataset)
    except PROBLEMS as error:
        one.missing.append(f"Figures: {one_line(error)}.")
        return []
    for figure in found:
        if not math.isfinite(figure["value"]):
            what = f"{'untrained ' * untrained}{figure['protocol']} {figure['metric']}"
            one.missing.append(f"Figures: {what} is {figure['value']}.")
    if not untrained and all(figure["protocol"] == "training" for figure in found):
        on = " on labelled images (--dataset)" if run.cfg.data.get("no_labels") else ""
        measured = f"cueco-solo linear, knn and cluster measure them{on}"
        one.missing.append(f"Figures: none yet; {measured}.")
    method = UNTRAINED if untrained else one.series
    return [{**f, "method": method} for f in found if math.isfinite(f["value"])]


def series_names(runs: Sequence[RunFigures]) -> dict[str, str]:
    """By run: its method, and what tells it apart where runs of one method differ in settings.

    That is the name of the first run with these settings; where another has that name, the
    settings that differ, or its id if they are many.
    """
    setups: dict[tuple[Any, ...], dict[tuple[Any, ...], list[RunFigures]]] = {}
    for run in runs:
        setup = run.method, run.dataset, run.epochs, run.backbone
        setups.setdefault(setup, {}).setdefault(_settings(run.config), []).append(run)
    names: dict[str, str] = {}
    for variants in setups.values():
        differ = differing(map(dict, variants))
        count = Counter(alike[0].name for alike in variants.values())
        for settings, alike in variants.items():
            first = alike[0]
            name = f"{first.method}{MARK}{first.name}" if len(variants) > 1 else first.method
            if count[first.name] > 1 and 0 < len(differ) <= _FEW:
                told = {key.rpartition(".")[2]: v for key, v in settings if key in differ}
                name = f"{first.method}{MARK}{as_text(told)}"
            if len(variants) > 1 and name in names.values():
                name = f"{first.method}{MARK}{first.id}"
            names |= {run.id: name for run in alike}
    return names


def labels(runs: Sequence[RunFigures]) -> dict[str, str]:
    """A short name for each run; with its id where a shorter one would be ambiguous."""
    short = {
        run.id: run.series if run.seed is None else f"{run.series} · seed {run.seed}"
        for run in runs
    }
    if len({run.dataset for run in runs}) > 1:
        short = {run.id: f"{short[run.id]} · {run.dataset}" for run in runs}
    count = Counter(short.values())
    return {id: text if count[text] == 1 else f"{text} · {id}" for id, text in short.items()}


def flat_config(run: Run, composed: bool) -> dict[str, str]:
    """The configuration with dotted keys, its values as text.

    Args:
        run: the run.
        composed: as it was written (``config.yaml``), not as solo-learn parsed it
            (``args.json``), which has scaled learning rates and defaults filled in.

    Raises:
        OSError, YAMLError, OmegaConfBaseException: ``config.yaml`` can't be read.
    """
    cfg: Any = OmegaConf.load(run.folder / "config.yaml") if composed else run.cfg
    return dict(flat("", OmegaConf.to_container(cfg)))


def _settings(config: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What has to agree between repetitions."""
    stated = _DEFAULTS | {key: str(value) for key, value in config.items()}
    return tuple(
        sorted((k, v) for k, v in stated.items() if {k, re.split(r"[.\[]", k)[0]} & _SETTINGS)
    )


def _unique(name: str, taken: Collection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _note_outdated(one: RunFigures, run: Run, only: Collection[str] | None) -> None:
    """Note figures of an older checkpoint."""
    try:
        names = outdated_files(run, only)
    except (*PROBLEMS, ValueError, KeyError, TypeError, AttributeError):
        return  # reported with the figures
    one.missing += [
        f"Figures: {name} is of another checkpoint than the newest; evaluate again."
        for name in names
    ]


def _note_unlike_evaluations(described: Iterable[RunFigures]) -> None:
    """Note figures that were measured with other settings than those of most runs, or seeds."""
    found: dict[tuple[str, str, str], dict[str, tuple[RunFigures, set[str]]]] = {}
    for one in described:
        for figure in one.figures:
            place, seed = (figure["dataset"], figure["protocol"]), figure["evaluation_seed"]
            stated = figure["settings"] | ({} if seed is None else {_SEED: str(seed)})
            for key, value in stated.items():
                _, values = found.setdefault((*place, key), {}).setdefault(one.id, (one, set()))
                values.add(value)
    for (_, protocol, key), by_run in found.items():
        counts = Counter(tuple(sorted(values)) for _, values in by_run.values())
        # runs with a seed each are the usual thing; what counts is of how many a figure is the mean
        if key == _SEED and len({len(values) for values in counts}) == 1:
            continue
        ((usual, _),) = counts.most_common(1)
        for one, values in by_run.values():
            if key == _SEED and len(values) != len(usual):
                one.missing.append(
                    f"Figures: {protocol} is the mean over evaluation seeds "
                    f"{', '.join(sorted(values))}, where other runs have {', '.join(usual)}; "
                    "use the same seeds before you compare."
                )
            elif key != _SEED and not values & set(usual):
                one.missing.append(
                    f"Figures: {protocol} was measured with {key}={', '.join(sorted(values))}, "
                    f"where other runs have {', '.join(usual)}; use the same settings before you "
                    "compare."
                )


def _note_repetitions(runs: Iterable[RunFigures]) -> None:
    """Note runs that have everything in common with another one, the seed included."""
    seen: dict[tuple[Any, ...], RunFigures] = {}
    for run in runs:
        first = seen.setdefault(repetition(run), run)
        if first is not run and run.seed is not None:
            run.missing.append(
                f"Seed: {first.id} has the same seed and settings, and means and standard "
                "deviations count both; leave one out."
            )


def repetition(run: RunFigures) -> tuple[Any, ...]:
    """What no two runs of a table may have in common."""
    return run.series, run.dataset, run.backbone, run.epochs, run.seed
