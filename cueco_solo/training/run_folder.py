"""The folder of one run: its name, what is written into it, and how a run is found again.

``<checkpoint.dir>/<method>/<run id>/`` holds ``config.yaml`` (as composed: it can be run again),
``args.json`` (as solo-learn parsed it), ``environment.json``, ``metrics.csv`` and the checkpoints.
"""

import errno
import functools
import glob
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import read_json
from cueco_solo.training.checkpoints import latest_checkpoint
from cueco_solo.training.recorded import read_args, read_config

# the run folder, from the first process to those that Lightning starts with the same arguments
RUN_VARIABLE = "CUECO_SOLO_RUN"
# in the folder: what one process of several that fails leaves for the others
FAILED = ".failed"
# what can be changed without changing a single number of the run
_INCIDENTAL = (
    "auto_resume",
    "checkpoint",
    "data.check_images",
    "data.num_workers",
    "data.skip_unreadable",
    "debug_augmentations",
    "enable_model_summary",
    "enable_progress_bar",
    "log_every_n_steps",
    "max_time",
    "online_clustering",
    "profiler",
    "resume",
    "resume_from_checkpoint",
    "tensorboard",
    "wandb",
)


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The part of a resolved configuration that decides the run's numbers."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    for key in _INCIDENTAL:
        section, _, leaf = key.partition(".")
        if leaf and isinstance(plain.get(section), dict):
            plain[section].pop(leaf, None)
        else:
            plain.pop(section, None)
    return plain


def run_id(cfg: DictConfig) -> str:
    """``<name>-seed<seed>-<6 hex digits of the resolved configuration>``."""
    text = json.dumps(identity(cfg), sort_keys=True, default=str)
    return f"{cfg.name}-seed{cfg.seed}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def runs_folder(cfg: DictConfig) -> Path:
    """Where the runs of ``cfg.method`` lie."""
    return Path(cfg.checkpoint.dir) / cfg.method


def own_folders(cfg: DictConfig) -> list[Path]:
    """The folders that :func:`new_run` made for this configuration, or that are named as those."""
    # escaped: in a name, [ and * are themselves
    found = runs_folder(cfg).glob(f"{glob.escape(run_id(cfg))}*")
    return sorted(path for path in found if path.is_dir())


def check_runs_folder(cfg: DictConfig) -> None:
    """Refuse a ``checkpoint.dir`` that can't be written, before anything is trained.

    Raises:
        ConfigError: it isn't a folder, or this user must not write there.
    """
    folder = runs_folder(cfg)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise unwritable(cfg, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK):
        raise unwritable(cfg, os.strerror(errno.EACCES))


def unwritable(cfg: DictConfig, reason: str | None) -> ConfigError:
    """What to say of a ``checkpoint.dir`` that can't be written."""
    reason = f"can't be written ({reason})"
    return config_error("checkpoint.dir", cfg.checkpoint.dir, reason, "give a folder of yours")


def new_run(cfg: DictConfig) -> Path:
    """Make the run's folder; a second run of the same configuration gets the suffix ``-2``.

    Raises:
        ConfigError: ``checkpoint.dir`` can't be written.
    """
    base = runs_folder(cfg) / run_id(cfg)
    number, folder = 1, base
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = base.with_name(f"{base.name}-{number}")
        except OSError as error:
            raise unwritable(cfg, error.strerror) from error


def same_run(cfg: DictConfig) -> Path | None:
    """Folder of the run with the identical configuration and the newest checkpoint, if any.

    solo-learn's own ``AutoResumer`` compares a few keys only, none of them in ``method_kwargs``.
    """
    wanted, found = identity(cfg), []
    for folder in own_folders(cfg):
        checkpoint = latest_checkpoint(folder)
        config = read_config(folder / "config.yaml")
        if checkpoint is not None and config is not None and identity(config) == wanted:
            with suppress(FileNotFoundError):  # removed just now, by who trains there
                found.append((checkpoint.stat().st_mtime, folder))
    return max(found)[1] if found else None


@dataclass(frozen=True)
class Run:
    """A finished or interrupted run on disk, of ``cueco-solo pretrain`` or of solo-learn's script.

    Attributes:
        folder: the run folder.
        cfg: ``args.json``, the configuration as solo-learn parsed it; for versions before 1.0.6
            what :func:`~cueco_solo.host.flat_args.lift_args` makes of it.
            Relative paths of data are read from where the run was started; those that are gone are
            where the data was found, see :func:`found_path`.
        checkpoint: the newest checkpoint.
        recorded: such paths as ``args.json`` has them, by those where the data was found.
    """

    folder: Path
    cfg: DictConfig
    checkpoint: Path
    recorded: dict[str, str] = field(default_factory=dict)


def load_run(folder: str | Path, key: str = "RUN") -> Run:
    """Open a run folder: one with ``args.json`` and a ``.ckpt``.

    Args:
        folder: of ``cueco-solo pretrain`` or of solo-learn's script.
        key: what a message calls it.

    Raises:
        ConfigError: one of them is missing or unreadable, or ``args.json`` holds a wrong type.
    """
    folder = Path(folder)
    if not folder.is_dir():
        remedy = f"give the folder {folder.parent}" if folder.is_file() else "check the path"
        raise config_error(key, str(folder), "must be a run folder", remedy)
    cfg = read_args(folder, key)
    recorded = _from_where_it_started(folder, cfg.data)
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        raise config_error(
            key, str(folder), "holds no .ckpt", "the run must have finished its first epoch"
        )
    return Run(folder, cfg, checkpoint, recorded | _find_data(cfg))


def _find_data(cfg: DictConfig) -> dict[str, str]:
    """Put in the paths where data lies that isn't where it was; returns the recorded ones by them.

    So that a run folder can be used on another machine.
    """
    recorded = {}
    for key in ("train_path", "val_path"):
        value = OmegaConf.select(cfg, f"data.{key}")
        if isinstance(value, str) and (found := found_path(value, Path.cwd())):
            _say_found(f"data.{key}", value, found)
            cfg.data[key], recorded[found] = found, value
    return recorded


def found_path(recorded: str, place: Path) -> str | None:
    """Where a path that is gone is found in ``place``: by its last parts, two or more of them.

    Returns:
        The path seen from there, None if the recorded one exists or nothing is found.
    """
    parts = Path(recorded).parts
    if os.path.exists(recorded):
        return None
    tails = (Path(*parts[start:]) for start in range(1, len(parts) - 1))
    return next((str(tail) for tail in tails if (place / tail).exists()), None)


@functools.cache
def _say_found(key: str, recorded: str, found: str) -> None:
    print(f"{key}={recorded} isn't there any more; {found} is taken", flush=True)


def _from_where_it_started(folder: Path, data: DictConfig) -> dict[str, str]:
    """Read relative data paths from the folder that the run was started in, in place.

    In that folder itself, and on a machine that doesn't have it, they stay as they are.

    Returns:
        The recorded paths by those that took their place.
    """
    try:
        start = Path(read_json(folder / "environment.json")["started_in"])
    except (OSError, ValueError, KeyError, TypeError):  # of solo-learn's script, or older
        return {}
    if start == Path.cwd():
        return {}
    recorded = {}
    for key in ("train_path", "val_path"):
        path = data.get(key)
        if path and not Path(path).is_absolute() and (start / path).exists():
            data[key] = str(start / path)
            recorded[data[key]] = path
    return recorded


def open_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in the order given, each once; a folder of runs means all pre-trainings below it.

    Raises:
        ConfigError: nothing is given, or a folder is no run and holds none.
    """
    found: dict[Path, Run] = {}
    for folder in folders:
        single = not folder.is_dir() or (folder / "args.json").is_file()
        for run in [_pretraining(folder)] if single else _runs_below(folder):
            found.setdefault(run.folder.resolve(), run)
    if not found:
        raise config_error("RUNS", [], "must be run folders", "give at least one")
    return list(found.values())


def _pretraining(folder: Path) -> Run:
    run = load_run(folder, "RUNS")
    if run.cfg.get("method") is None or run.cfg.get("pretrained_feature_extractor"):
        remedy = "give the run that was evaluated"
        raise config_error("RUNS", str(folder), "is no pre-training", remedy)
    return run


def _runs_below(folder: Path) -> list[Run]:
    runs, problems = [], []
    for path in sorted(folder.rglob("args.json")):
        try:
            runs.append(_pretraining(path.parent))
        except ConfigError as error:
            problems.append(error)
    if not runs:
        remedy = "give folders with args.json and a checkpoint"
        raise (*problems, config_error("RUNS", str(folder), "holds no run", remedy))[0]
    for problem in problems:
        print(f"left out: {problem}", flush=True)
    return runs
