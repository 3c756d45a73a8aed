"""The YAML of ``cueco-solo compare``: methods x seeds x data sets, and what to measure."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.comparison.evaluations import Evaluation, parse_evaluations, transferred
from cueco_solo.comparison.slurm_options import SlurmOptions
from cueco_solo.errors import ConfigError, config_error, did_you_mean
from cueco_solo.results.figures import dataset_name
from cueco_solo.results.published import published_figures
from cueco_solo.results.runs import check_baseline
from cueco_solo.training.compose import compose_config
from cueco_solo.training.hardware import settle_accelerator
from cueco_solo.training.run_folder import run_id
from cueco_solo.training.settings import check_settings, with_defaults

_PACKAGED = resources.files("cueco_solo.configs") / "compare"
_METHOD_KEYS = ("config", "config_path", "overrides")
_DATA = "{data}"


@dataclass(frozen=True)
class Method:
    """What one name in the tables stands for.

    ``{data}`` in ``config`` and ``overrides`` is the data set's name.
    """

    name: str
    config: str
    config_path: str | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """What is to be compared.

    Attributes:
        name: of the comparison; its results go to ``comparisons/<name>``.
        methods: in the order of the tables.
        data: overrides by data set; empty: each configuration's own data.
        seeds: of every method on every data set.
        evaluations: of every run, those on other data sets included.
        transfer: these data sets, as one types them behind ``--dataset``.
        overrides: of every pre-training.
        untrained: evaluate the untrained backbone of the first method too.
        baseline: the method that the others are compared with.
        slurm: what is asked of SLURM for each job, as it stands there; see
            :class:`.slurm_options.SlurmOptions`.
        paper: the table whose figures ours are put beside, as published figures name their source.
        mark: stands behind the names of the data sets in the tables.
    """

    name: str
    methods: tuple[Method, ...]
    data: dict[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]
    transfer: tuple[str, ...]
    overrides: tuple[str, ...]
    untrained: bool
    baseline: str | None
    slurm: dict[str, Any] | None = None
    paper: str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Job:
    """One run of the grid.

    Attributes:
        method, dataset, seed: its place in the grid.
        cfg: composed.
        command: arguments of ``cueco-solo`` that make this very run.
    """

    method: str
    dataset: str
    seed: int
    cfg: DictConfig
    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} on {self.dataset}, seed {self.seed}"


def packaged_grids() -> list[str]:
    """Names of the grids that come with this package."""
    folders = [("", _PACKAGED)]
    folders += [(f"{e.name}/", e) for e in _PACKAGED.iterdir() if e.is_dir()]
    return sorted(
        f"{prefix}{entry.name.removesuffix('.yaml')}"
        for prefix, folder in folders
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def read_grid(given: str) -> Grid:
    """Read a grid.

    Args:
        given: a file, or the name of a packaged grid.

    Raises:
        ConfigError: there is none, or something in it is wrong.
    """
    path = Path(given)
    if not path.is_file():
        packaged = _PACKAGED / f"{given}.yaml"
        if not packaged.is_file():
            there = packaged_grids()
            remedy = did_you_mean(given, there) or f"give a file or one of {', '.join(there)}"
            raise config_error("GRID", given, "doesn't exist", remedy)
        path = Path(str(packaged))
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise config_error("GRID", given, "can't be read as YAML", reason) from error
    return _grid(_mapping("GRID", content, tuple(_KEYS)), path)


def _grid(content: dict[str, Any], path: Path) -> Grid:
    methods = content.get("methods")
    if not methods or not isinstance(methods, dict):
        raise config_error("methods", methods, "must map names to configurations")
    data = content.get("data") or {}
    if not isinstance(data, dict):
        raise config_error("data", data, "must map names of data sets to lists of overrides")
    transfer, evaluations = transferred(
        parse_evaluations(content.get("evaluations")), content.get("transfer")
    )
    grid = Grid(
        name=str(content.get("name") or path.stem),
        methods=tuple(_method(str(name), value, path.parent) for name, value in methods.items()),
        data={str(name): _overrides(f"data.{name}", value) for name, value in data.items()},
        seeds=_seeds(content.get("seeds", [5])),
        evaluations=evaluations,
        transfer=transfer,
        overrides=_overrides("overrides", content.get("overrides")),
        untrained=_flag("untrained", content.get("untrained", False)),
        baseline=None if content.get("baseline") is None else str(content["baseline"]),
        slurm=content.get("slurm"),
        paper=_paper(content.get("paper")),
    )
    SlurmOptions.of_grid(grid.slurm, {})
    if grid.untrained and "untrained" in methods:
        allowed = "is the name of the untrained backbone"
        raise config_error("methods.untrained", methods["untrained"], allowed, "take another")
    if Path(grid.name).name != grid.name:
        allowed = "names the folder of the results, so it can't be a path"
        raise config_error("name", grid.name, allowed, "leave the / out, or give --out DIR")
    check_baseline(grid.baseline, [method.name for method in grid.methods], "baseline")
    return grid


_KEYS = (
    *("name", "methods", "data", "seeds", "evaluations", "transfer", "overrides", "untrained"),
    *("baseline", "slurm", "paper"),
)


def _mapping(key: str, value: Any, known: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise config_error(key, value, "must be a mapping", f"its keys: {', '.join(known)}")
    prefix = "" if key == "GRID" else f"{key}."
    for name in value:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            remedy = f"did you mean {close[0]}" if close else f"known are {', '.join(known)}"
            raise config_error(f"{prefix}{name}", value[name], "is no known key", remedy)
    return value


def _method(name: str, value: Any, folder: Path) -> Method:
    key = f"methods.{name}"
    if isinstance(value, str):
        return Method(name, value)
    content = _mapping(key, value, _METHOD_KEYS)
    config, path = content.get("config"), content.get("config_path")
    if not isinstance(config, str):
        raise config_error(f"{key}.config", config, "must be the name of a configuration")
    if path is not None:  # as seen from the grid's own folder
        path = str(folder / str(path))
    return Method(name, config, path, _overrides(f"{key}.overrides", content.get("overrides")))


def _overrides(key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(_is_override, value)):
        raise config_error(key, value, "must be a list of overrides, each KEY=VALUE or ~KEY")
    return tuple(value)


def _is_override(value: Any) -> bool:
    return isinstance(value, str) and ("=" in value or value.startswith("~"))


def _seeds(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or any(type(n) is not int or not 0 <= n < 2**32 for n in numbers):
        raise config_error("seeds", value, "must be a list of integers in [0, 2**32 - 1]")
    if len(set(numbers)) < len(numbers):
        raise config_error("seeds", value, "holds a seed twice", "name each once")
    return tuple(numbers)


def _paper(value: Any) -> str | None:
    known = dict.fromkeys(figure["source"] for figure in published_figures())
    if value is not None and value not in known:
        raise config_error("paper", value, "must be one of " + "; ".join(known))
    return value


def only(grid: Grid, names: Sequence[str]) -> Grid:
    """The grid with some of its methods and data sets alone.

    Args:
        grid: the grid.
        names: of methods and of data sets; where none is a method, all of them stay, and so for
            data sets.

    Raises:
        ConfigError: a name is neither.
    """
    methods = [method.name for method in grid.methods]
    for name in names:
        if name not in methods and name not in grid.data:
            raise config_error(
                "--only", name, f"must be one of {', '.join((*methods, *grid.data))}"
            )
    kept = [method for method in grid.methods if method.name in names]
    data = {name: overrides for name, overrides in grid.data.items() if name in names}
    baseline = grid.baseline if not kept or grid.baseline in names else None
    return replace(
        grid, methods=tuple(kept) or grid.methods, data=data or grid.data, baseline=baseline
    )


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise config_error(key, value, "must be true or false")
    return value


def jobs(grid: Grid, overrides: Sequence[str] = ()) -> list[Job]:
    """Every run of the grid, by data set, then seed, then method.

    Seeds come before methods, so that a grid that was interrupted has complete comparisons.

    Args:
        grid: the grid.
        overrides: of every pre-training, over all that the grid says; ``seed=6`` stands for the
            grid's seeds.

    Raises:
        ConfigError: a configuration, an override or a key doesn't exist, two runs are the same, or
            a run without labels would be measured on its own data alone.
    """
    seeds = _typed_seed(overrides) or grid.seeds
    found: dict[tuple[str, str], Job] = {}
    for data, of_data in (grid.data or {"": ()}).items():
        for seed in seeds:
            for method in grid.methods:
                job = _job(grid, method, data, of_data, overrides, seed)
                _check_labelled(grid, job)
                same = found.setdefault((job.cfg.method, run_id(job.cfg)), job)
                if same is not job:
                    raise ConfigError(
                        f"methods.{job.method}: {job} and {same} are the same configuration; "
                        "remove one of them"
                    )
    return list(found.values())


def _check_labelled(grid: Grid, job: Job) -> None:
    """Refuse to train without labels where nothing would be measured."""
    asked = grid.evaluations
    if job.cfg.data.get("no_labels") and asked and not any(one.elsewhere for one in asked):
        raise config_error(
            "evaluations",
            [str(one) for one in asked],
            f"need labelled images, but {job.method} trains without labels (data.no_labels=True)",
            'name labelled data under transfer, e.g. transfer: ["NAME --train-path DIR --val-path '
            'DIR"]',
        )


def _typed_seed(overrides: Sequence[str]) -> tuple[int, ...] | None:
    typed = [text.partition("=")[2] for text in overrides if text.lstrip("+").startswith("seed=")]
    if not typed:
        return None
    return _seeds([int(typed[-1]) if typed[-1].isdigit() else typed[-1]])


def settle(jobs: Sequence[Job]) -> None:
    """Bring the jobs' settings for GPUs to those of a CPU where there is nothing else, in place.

    Told once for each such setting. Imports torch where a job asks for a GPU.
    """
    for warning in dict.fromkeys(settle_accelerator(job.cfg) for job in jobs):
        if warning:
            print(warning, flush=True)


def _job(
    grid: Grid,
    method: Method,
    data: str,
    of_data: Sequence[str],
    typed: Sequence[str],
    seed: int,
) -> Job:
    name = _named(method, method.config, data)
    own = [_named(method, text, data) for text in method.overrides]
    overrides = [*grid.overrides, *own, *of_data, *typed, f"seed={seed}"]
    try:
        cfg = with_defaults(compose_config(name, method.config_path, overrides))
        check_settings(cfg)
    except ConfigError as error:
        raise ConfigError(f"methods.{method.name}: {error}") from error
    place = ["--config-path", method.config_path] if method.config_path else []
    command = ("pretrain", *place, "--config-name", name, *overrides)
    OmegaConf.update(cfg, "auto_resume.enabled", True, force_add=True)
    dataset = f"{data or dataset_name(cfg.data)}{grid.mark}"
    return Job(method.name, dataset, seed, cfg, command)


def composed_method(grid: Grid, method: Method, data: str) -> DictConfig:
    """What a method of the grid is configured to on one of its data sets.

    Raises:
        ConfigError: a configuration or an override doesn't exist.
    """
    name = _named(method, method.config, data)
    own = [_named(method, text, data) for text in method.overrides]
    try:
        overrides = [*grid.overrides, *own, *grid.data.get(data, ())]
        return compose_config(name, method.config_path, overrides)
    except ConfigError as error:
        raise ConfigError(f"methods.{method.name}: {error}") from error


def _named(method: Method, text: str, data: str) -> str:
    """A configuration's name or an override with the data set's name in it."""
    if _DATA in text and not data:
        remedy = "name the data sets under data"
        raise config_error(f"methods.{method.name}", text, "has no data set", remedy)
    return text.replace(_DATA, data)
