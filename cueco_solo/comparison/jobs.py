"""The runs of a grid: each method with each seed on each data set, composed."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from cueco_solo.comparison.grid import Grid, Method, seeds_of
from cueco_solo.errors import ConfigError, config_error
from cueco_solo.results.figures import dataset_name
from cueco_solo.training.compose import compose_config
from cueco_solo.training.hardware import settle_accelerator
from cueco_solo.training.run_folder import run_id
from cueco_solo.training.settings import check_settings, with_defaults

# stands for the name of the data set
_DATA = "{data}"


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
    for data in grid.data or ("",):
        for seed in seeds:
            for method in grid.methods:
                job = _job(grid, method, data, overrides, seed)
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
    return seeds_of([int(typed[-1]) if typed[-1].isdigit() else typed[-1]])


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
    typed: Sequence[str],
    seed: int,
) -> Job:
    name, words = _composed_of(grid, method, data)
    overrides = [*words, *typed, f"seed={seed}"]
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
    name, words = _composed_of(grid, method, data)
    try:
        return compose_config(name, method.config_path, words)
    except ConfigError as error:
        raise ConfigError(f"methods.{method.name}: {error}") from error


def _composed_of(grid: Grid, method: Method, data: str) -> tuple[str, list[str]]:
    """The configuration's name and the overrides that the grid has for it."""
    own = [_named(method, text, data) for text in method.overrides]
    words = [*grid.overrides, *own, *grid.data.get(data, ())]
    return _named(method, method.config, data), words


def _named(method: Method, text: str, data: str) -> str:
    """A configuration's name or an override with the data set's name in it."""
    if _DATA in text and not data:
        remedy = "name the data sets under data"
        raise config_error(f"methods.{method.name}", text, "has no data set", remedy)
    return text.replace(_DATA, data)
