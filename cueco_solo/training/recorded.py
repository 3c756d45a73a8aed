"""What the files of a run folder say, of whatever origin: never resolved, checked as a whole."""

import re
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import read_json
from cueco_solo.host.flat_args import is_flat, lift_args
from cueco_solo.options import Count, Options, Size

# what a file that isn't what it seems can end in
_UNREADABLE = (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError)
# a reference to another key of the same file, which shows nothing that isn't in it
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_DEPTH = 10
_LONGEST = 10_000


class _Recorded(Options):
    """A section of ``args.json``: what is used of it, with the type that it must have."""

    model_config = ConfigDict(extra="ignore")
    section = ""


class _Backbone(_Recorded):
    name: str
    kwargs: dict[str, Any] | None = None


class _Data(_Recorded):
    dataset: str
    train_path: str | None = None
    val_path: str | None = None
    format: str | None = None
    num_workers: Size | None = None
    num_classes: Count | None = None
    num_large_crops: Size | None = None
    num_small_crops: Size | None = None
    no_labels: bool | None = None
    unreadable: list[str] | None = None
    superclasses: bool | None = None
    fraction: float | None = None


class _View(_Recorded):
    crop_size: Count
    num_crops: Size | None = None
    mean: list[float] | None = None
    std: list[float] | None = None


class _Performance(_Recorded):
    disable_channel_last: bool | None = None


class _Args(_Recorded):
    name: str | int | float
    method: str
    seed: int
    backbone: _Backbone
    data: _Data
    augmentations: list[_View]
    max_epochs: Count | None = None
    performance: _Performance | None = None
    method_kwargs: dict[str, Any] | None = None
    momentum: dict[str, Any] | None = None
    optimizer: dict[str, Any] | None = None
    scheduler: dict[str, Any] | None = None
    knn_eval: dict[str, Any] | None = None


# what decides the features
_NEEDED = ("name", "method", "seed", "backbone.name", "data.dataset", "augmentations")


def unresolved(content: Any) -> Any:
    """Plain content in which OmegaConf finds nothing to resolve.

    References to other keys of the content are replaced by what stands there, as
    ``${data.train_path}``; other interpolations, which could read the environment or files, by
    ``<not resolved: ...>``, as are texts that references would make longer than any setting;
    ``???`` by None.
    """
    return _plain(content, content, _DEPTH, {})


def _plain(node: Any, root: Any, depth: int, known: dict[tuple[str, int], Any]) -> Any:
    """``known``: texts with references that were resolved already, since these can branch."""
    if isinstance(node, dict):
        return {key: _plain(value, root, depth, known) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, root, depth, known) for value in node]
    if not isinstance(node, str):
        return node
    if node == "???":
        return None
    if (node, depth) not in known:
        known[node, depth] = _resolved(node, root, depth, known)
    return known[node, depth]


def _resolved(node: str, root: Any, depth: int, known: dict[tuple[str, int], Any]) -> Any:
    if depth and (whole := _REFERENCE.fullmatch(node)):
        found = _select(root, whole[1])
        if found is not None:
            return _plain(found, root, depth - 1, known)

    def replaced(match: re.Match[str]) -> str:
        found = _select(root, match[1]) if depth else None
        if isinstance(found, str | int | float):
            return str(_plain(found, root, depth - 1, known))
        return f"<not resolved: {match[1]}>"

    text = _REFERENCE.sub(replaced, node)
    if len(text) > max(_LONGEST, len(node)):
        return "<not resolved: too long>"
    while (shorter := re.sub(r"\\*\$\{([^${}]*)\}", r"<not resolved: \1>", text)) != text:
        text = shorter
    return text.replace("${", "$ {")


def _select(node: Any, key: str) -> Any:
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def read_args(folder: Path, key: str = "RUN") -> DictConfig:
    """``args.json`` of a pre-training, with main's keys; see :func:`unresolved`.

    Args:
        folder: of the run.
        key: what the user called it.

    Raises:
        ConfigError: it is missing, unreadable, of something else, or holds a wrong type.
    """
    try:
        args = read_json(folder / "args.json")
        plain = unresolved(lift_args(args) if is_flat(args) else args)
        cfg = DictConfig(plain)
        missing = [name for name in _NEEDED if OmegaConf.select(cfg, name) is None]
    except _UNREADABLE as error:
        below = sorted(str(path.parent) for path in folder.glob("**/args.json"))
        below = [path for path in below if path != str(folder)]
        remedy = f"did you mean {below[0]}" if below else "give the folder of a pre-training run"
        raise config_error(key, str(folder), "holds no readable args.json", remedy) from error
    remedy = "give the folder of a pre-training run"
    if missing:
        reason = f"has an args.json without {missing[0]}: it isn't that of a pre-training"
        raise config_error(key, str(folder), reason, remedy)
    try:
        if not plain["augmentations"]:
            raise config_error("augmentations", [], "is empty")
        _Args.check(plain)
    except ConfigError as error:
        reason = f"has an args.json in which {error}"
        raise config_error(key, str(folder), reason, remedy) from error
    return cfg


def read_config(path: Path) -> DictConfig | None:
    """A run's ``config.yaml``, see :func:`unresolved`; None if it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception:  # YAML's and OmegaConf's have no base in common
        return None
    return DictConfig(unresolved(content)) if isinstance(content, dict) else None
