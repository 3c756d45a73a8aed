"""The YAML of ``cueco-solo compare``: methods x seeds x data sets, and what to measure."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.comparison.evaluations import Evaluation, parse_evaluations, transferred
from cueco_solo.comparison.slurm_options import SlurmOptions
from cueco_solo.errors import config_error, did_you_mean
from cueco_solo.results.published import published_figures
from cueco_solo.results.titles import check_baseline

_PACKAGED = resources.files("cueco_solo.configs") / "compare"
_METHOD_KEYS = ("config", "config_path", "overrides")


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
        seeds=seeds_of(content.get("seeds", [5])),
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
    names = [method.name for method in grid.methods]
    return replace(grid, baseline=check_baseline(grid.baseline, names, "baseline"))


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


def seeds_of(value: Any) -> tuple[int, ...]:
    """One seed or a list of them.

    Raises:
        ConfigError: they are none, or not distinct.
    """
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
