"""From run folders to what a report shows of them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error, one_line
from cueco_solo.report.curves import read_curves
from cueco_solo.report.document import Comparison, Document, Figure, RunPart
from cueco_solo.report.features import PROBLEMS, Looking
from cueco_solo.report.reproduction import flat_config, flat_items, reproduce
from cueco_solo.results.figures import dataset_name, epochs, evaluation_settings, run_figures
from cueco_solo.results.published import published_figures
from cueco_solo.results.statistics import comparisons
from cueco_solo.results.tables import series_names
from cueco_solo.training.run_folder import Run, open_runs


def gather_document(
    folders: Sequence[Path],
    *,
    title: str = "Runs side by side",
    baseline: str | None = None,
    published: bool = True,
    methods: Mapping[Path, str] | None = None,
    datasets: Mapping[Path, str] | None = None,
    **looking: Any,
) -> Document:
    """Collect all that a report shows of some runs.

    What one of them lacks or has lost is said in its ``missing``.

    Args:
        folders: of runs, or of folders of runs.
        title: of the page.
        baseline: method that the others are compared with.
        published: show what was published on the same data and protocols.
        methods: what a run's method is called, by its folder; runs of one name are compared as
            one. Default: its own name, and runs of other settings are told apart.
        datasets: what a run's data set is called, by its folder. Default: its own name.
        looking: see :class:`~cueco_solo.report.features.Looking`.

    Raises:
        ConfigError: a folder is no run, nothing is given, no run is of the baseline, or the
            embedding can't be had.
    """
    look, runs = Looking(**looking), open_runs(folders)
    composed = all((run.folder / "config.yaml").is_file() for run in runs)
    parts: list[RunPart] = []
    for run in runs:
        method = (methods or {}).get(run.folder, run.cfg.method)
        dataset = (datasets or {}).get(run.folder, dataset_name(run.cfg.data))
        parts.append(_part(run, method, dataset, _unique(run.folder.name, parts), composed))
    names = {part["id"]: part["method"] for part in parts} if methods else series_names(parts)
    _check_baseline(baseline, parts, names)
    _say_unlike_evaluations(runs, parts)
    _say_repeated(parts, names)
    for number, (run, part) in enumerate(zip(runs, parts, strict=True), 1):
        print(f"[{number}/{len(runs)}] {run.folder}", flush=True)
        look.fill(run, part)
    figures = [figure for part in parts for figure in part["figures"]]
    return Document(
        title=title,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        runs=parts,
        images=look.albums(),
        published=_published(figures) if published else [],
        baseline=baseline,
        comparisons=_comparisons(figures, names, baseline, not methods) if baseline else [],
    )


def _unique(name: str, parts: Sequence[RunPart]) -> str:
    taken, number, free = {part["id"] for part in parts}, 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _part(run: Run, method: str, dataset: str, name: str, composed: bool) -> RunPart:
    """All of a run but what needs its images."""
    cfg = run.cfg
    made, missing = reproduce(run)
    part = RunPart(
        id=name,
        folder=str(run.folder),
        name=str(cfg.get("name") or run.folder.name),
        method=method,
        dataset=dataset,
        backbone=cfg.backbone.name,
        epochs=epochs(run),
        seed=cfg.get("seed"),
        images=None,
        figures=[],
        curves={},
        embedding=None,
        clusters=[],
        companions=[],
        config={},
        reproduce=made,
        missing=missing,
    )
    _fill_figures(run, part)
    _fill_curves(run.folder / "metrics.csv", part)
    try:
        part["config"] = flat_config(run, composed)
    except Exception as error:  # YAML's and OmegaConf's have no base in common
        part["config"] = flat_config(run, False)
        missing.append(f"Configuration: config.yaml can't be read ({one_line(error)}).")
    return part


def _fill_figures(run: Run, part: RunPart) -> None:
    try:
        found = run_figures(run.folder, dataset=part["dataset"])
    except PROBLEMS as error:
        part["missing"].append(f"Figures: {one_line(error)}.")
        return
    for figure in found:
        if math.isfinite(figure["value"]):
            part["figures"].append({**figure, "method": part["method"], "run": part["id"]})
        else:
            what = f"{figure['protocol']} {figure['metric']}"
            part["missing"].append(f"Figures: {what} is {figure['value']}.")
    if not found:
        part["missing"].append(
            "Figures: none yet; cueco-solo linear, knn and cluster measure them."
        )


def _say_unlike_evaluations(runs: Sequence[Run], parts: Sequence[RunPart]) -> None:
    """Add to ``missing`` which figures are of an older checkpoint, or were measured otherwise.

    What most runs of a data set have is usual.
    """
    found: dict[tuple[str, str, str], list[tuple[RunPart, str]]] = {}
    for run, part in zip(runs, parts, strict=True):
        try:
            evaluations, older = evaluation_settings(run.folder)
        except (*PROBLEMS, ValueError, KeyError, TypeError, AttributeError):
            continue  # said with the figures
        part["missing"] += [
            f"Figures: {name} is of another checkpoint than the newest; evaluate again."
            for name in older
        ]
        for evaluation, settings in evaluations.items():
            for key, value in flat_items("", settings):
                where = (part["dataset"], evaluation, key)
                found.setdefault(where, []).append((part, value))
    for (_, evaluation, key), values in found.items():
        ((usual, _),) = Counter(value for _, value in values).most_common(1)
        for part, value in values:
            if value != usual:
                part["missing"].append(
                    f"Figures: {evaluation} was measured with {key}={value}, where other runs have "
                    f"{usual}; measure alike before you compare."
                )


def _say_repeated(parts: Sequence[RunPart], names: Mapping[str, str]) -> None:
    """Add to ``missing`` which runs have everything in common, even the seed."""
    seen: dict[tuple[Any, ...], RunPart] = {}
    for part in parts:
        key = names[part["id"]], part["dataset"], part["backbone"], part["epochs"], part["seed"]
        first = seen.setdefault(key, part)
        if first is not part and part["seed"] is not None:
            part["missing"].append(
                f"Another seed: {first['id']} has the same seed and settings, and means and "
                "standard deviations count both; leave one out."
            )


def _fill_curves(path: Path, part: RunPart) -> None:
    try:
        part["curves"] = read_curves(path)
    except FileNotFoundError:
        part["missing"].append(
            "Training curves: there is no metrics.csv; cueco-solo pretrain writes it, solo-learn's "
            "own programs don't."
        )
    except OSError as error:
        part["missing"].append(f"Training curves: metrics.csv can't be read ({error.strerror}).")
    else:
        if not part["curves"]:
            part["missing"].append("Training curves: metrics.csv holds no number.")


def _published(figures: Sequence[Figure]) -> list[Figure]:
    """What was published on data sets and by protocols that occur."""
    ours = {(figure["dataset"], figure["protocol"]) for figure in figures}
    return [row for row in published_figures() if (row["dataset"], row["protocol"]) in ours]


def _check_baseline(baseline: str | None, parts: Sequence[RunPart], names: dict[str, str]) -> None:
    there = list(dict.fromkeys(names.values()))
    if baseline is not None and baseline not in there:
        allowed = f"must be one of {', '.join(there)}"
        raise config_error("--baseline", baseline, allowed)


def _comparisons(
    figures: Sequence[Figure], names: dict[str, str], baseline: str, alike: bool
) -> list[Comparison]:
    """Paired differences by the page's names, ``alike``: at the same backbone and epochs only."""
    groups: dict[tuple[str, int | None], list[Figure]] = {}
    for figure in figures:
        named = Figure(**{**figure, "method": names[str(figure["run"])]})  # type: ignore[typeddict-item]
        setting = (figure["backbone"], figure["epochs"]) if alike else ("", None)
        groups.setdefault(setting, []).append(named)
    found = {setting: comparisons(group, baseline) for setting, group in groups.items()}
    found = {setting: items for setting, items in found.items() if items}
    if len(found) > 1:
        for (backbone, number), items in found.items():
            for item in items:
                item["method"] += f", {backbone}, {number} epochs"
    return [item for items in found.values() for item in items]
