"""Hydra configurations without ``hydra.main``: composed, completed and checked for unknown keys."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.errors import ConfigError, config_error, did_you_mean
from cueco_solo.options import is_section
from cueco_solo.training.sections import LinearSettings, PretrainingSettings

_PACKAGE = "cueco_solo.configs"

# sections in which anything goes, or a method's own options decide
_OPEN = ("method_kwargs", "augmentations")
# the keys of each other section, and None for these
SECTIONS: dict[str, tuple[str, ...] | None] = {
    name: None if name in _OPEN else tuple(field.annotation.model_fields)  # type: ignore[union-attr]
    for name, field in PretrainingSettings.model_fields.items()
    if name in _OPEN or is_section(field.annotation)
}
_LINEAR_ONLY = LinearSettings.model_fields.keys() - PretrainingSettings.model_fields.keys()
_LABELLED = ("linear-", "finetune-")
_GROUPS = ("augmentations", "wandb")
# words, whatever they look like
_TEXTS = (
    "name",
    "data.train_path",
    "data.val_path",
    "checkpoint.dir",
    "resume_from_checkpoint",
)


def config_names(config_path: str | None, linear: bool) -> list[str]:
    """Names that ``--config-name`` takes: of ``config_path``, or of this package.

    Raises:
        ConfigError: ``config_path`` isn't a folder.
    """
    if config_path is not None and not Path(config_path).is_dir():
        raise config_error("--config-path", config_path, "must be a folder", "check the path")
    folder = Path(config_path) if config_path else resources.files(_PACKAGE)
    names = (Path(entry.name) for entry in folder.iterdir())
    stems = sorted(name.stem for name in names if name.suffix == ".yaml")
    return [name for name in stems if name.startswith(_LABELLED) == linear]


def _suggestion(word: str, known: Iterable[str]) -> str:
    return did_you_mean(word, known) or "remove it"


def _quoted(override: str) -> str:
    """Quote a value that Hydra's grammar would refuse, or read as something other than text."""
    key, equals, value = override.partition("=")
    start = value[:1]
    # in Hydra's quotes, backslashes count where a quote follows them
    escaped = re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), value)
    in_quotes = f'{key}{equals}"{escaped}"'
    if key.lstrip("+") in _TEXTS:
        return override if start in ("", "'", '"') or value in ("null", "???") else in_quotes
    try:
        OverridesParser.create().parse_overrides([override])
    except HydraException:
        if not equals or start in ("", "'", '"', "[", "{"):
            raise
        return in_quotes
    return override


def _key(override: str) -> str:
    return OverridesParser.create().parse_overrides([override])[0].key_or_group


def _choice(override: str) -> str:
    """The choice of a group's file; null is none of them."""
    parsed = OverridesParser.create().parse_overrides([override])[0]
    value = parsed.value()
    if parsed.key_or_group in _GROUPS and not isinstance(value, str):
        if value is not None:
            allowed = f"must be the name of a file in configs/{parsed.key_or_group}"
            raise config_error(parsed.key_or_group, value, allowed)
        return f"~{parsed.key_or_group}"
    return override


def _complete(overrides: Sequence[str]) -> list[str]:
    """Spare the user Hydra's ``+``; keys that nobody knows are found afterwards."""
    completed = []
    for text in map(_quoted, overrides):
        key = _key(text)
        if text.startswith(("+", "~")) or "@" in key or "/" in key:
            completed.append(text)
        elif key == "hardware":
            completed.append(f"+{text}")
        elif key in SECTIONS:  # a choice of a group
            completed.append(_choice(text))
        else:
            completed.append(f"++{text}")
    return completed


def _fill(cfg: DictConfig, values: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Set what the user didn't; not by overrides, which would have to be quoted."""
    typed = [_key(text) for text in overrides]
    for key, value in values.items():
        if not any(f"{key}.".startswith(f"{other}.") for other in typed):
            OmegaConf.update(cfg, key, value, force_add=True)


def compose_config(
    config_name: str | None,
    config_path: str | None,
    overrides: Sequence[str],
    linear: bool = False,
    values: Mapping[str, Any] | None = None,
) -> DictConfig:
    """A resolved configuration, composed as Hydra's programs do, open for new keys.

    Where it has no ``name``, that of the configuration is it.

    Args:
        config_name: a configuration of ours, or a file name in ``config_path``.
        overrides: Hydra overrides; keys and the group ``hardware`` need no ``+``.
        linear: ``config_name`` is one for linear evaluation; decides which names a message lists
            and which keys there are.
        values: by dotted key, instead of the configuration's; overrides win over them.

    Raises:
        ConfigError: no such configuration, group, key or value.
    """
    names = config_names(config_path, linear)
    key = "--config-name" if linear else "CONFIG"
    if config_name is None:
        listed = ", ".join(names) if config_path else "those of cueco-solo list configs"
        raise ConfigError(f"{key} is missing; choose one of {listed}")
    stem = config_name.removesuffix(".yaml")
    if stem not in config_names(config_path, not linear) + names:
        near = difflib.get_close_matches(stem, names, n=3) or names
        remedy = f"choose one of {', '.join(near)}"
        raise config_error(key, config_name, "doesn't exist", remedy)
    start = (
        initialize_config_dir(str(Path(config_path).resolve()), version_base="1.2")
        if config_path
        else initialize_config_module(_PACKAGE, version_base="1.2")
    )
    try:
        with start:
            completed = _complete(overrides)
            cfg = compose(stem, overrides=completed)
            if OmegaConf.is_missing(cfg, "name") or cfg.get("name") is None:
                OmegaConf.update(cfg, "name", stem, force_add=True)
            _fill(cfg, values or {}, completed)
            OmegaConf.resolve(cfg)
    except OverrideParseException as error:
        raise ConfigError(
            f"{error.override!r} is no override; write KEY=VALUE, and quote what a shell would read"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        text = str(error).partition("Config search path:")[0]
        raise ConfigError(" ".join(text.split())) from error
    OmegaConf.set_struct(cfg, False)
    _tidy(cfg)
    _check_keys(cfg, linear)
    return cfg


def _tidy(cfg: DictConfig) -> None:
    """Sections that are null are left out; numbers that stand for names or paths become text."""
    for section in SECTIONS:
        if section in cfg and not OmegaConf.is_missing(cfg, section) and cfg[section] is None:
            cfg.pop(section)
    for key in _TEXTS:
        section, _, leaf = key.partition(".")
        missing = OmegaConf.is_missing(cfg, section)
        if leaf and (missing or not isinstance(cfg.get(section), Mapping)):
            continue  # reported with the keys
        value = OmegaConf.select(cfg, key, throw_on_missing=False)
        if isinstance(value, int | float):
            OmegaConf.update(cfg, key, str(value))


def _check_keys(cfg: DictConfig, linear: bool) -> None:
    """Refuse keys that nobody reads: solo-learn would ignore them without a word."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg)  # type: ignore[assignment]
    settings = LinearSettings if linear else PretrainingSettings
    levels = [("", plain, set(settings.model_fields))]
    for section, leaves in SECTIONS.items():
        node = plain.get(section)
        if section == "augmentations" or node is None:
            continue
        if not isinstance(node, dict):
            known = f"its keys: {', '.join(leaves)}" if leaves else ""
            raise config_error(section, node, "must be a mapping", known)
        if leaves is not None:
            levels.append((f"{section}.", node, set(leaves)))
    for prefix, node, keys in levels:
        for key, value in node.items():
            if not prefix and key in _LINEAR_ONLY and not linear:
                raise config_error(key, value, "is read by linear evaluations only", "remove it")
            if key not in keys:
                remedy = _suggestion(key, keys)
                raise config_error(f"{prefix}{key}", value, "is no known key", remedy)
