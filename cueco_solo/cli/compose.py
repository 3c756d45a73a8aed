"""Hydra configurations without ``hydra.main``: composed, completed and checked for unknown keys."""

import difflib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cueco_solo.errors import ConfigError, config_error

_PACKAGE = "cueco_solo.configs"

# every key that solo-learn or cueco-solo reads, by section; None: anything goes, or a method's own
# schema decides
SECTIONS: dict[str, tuple[str, ...] | None] = {
    "backbone": ("name", "kwargs"),
    "method_kwargs": None,
    "momentum": ("base_tau", "final_tau", "classifier"),
    "data": (
        "dataset",
        "train_path",
        "val_path",
        "format",
        "num_workers",
        "no_labels",
        "fraction",
        "augmentations",
    ),
    "optimizer": (
        "name",
        "batch_size",
        "lr",
        "classifier_lr",
        "weight_decay",
        "exclude_bias_n_norm_wd",
        "layer_decay",
        "kwargs",
    ),
    "scheduler": (
        "name",
        "min_lr",
        "warmup_start_lr",
        "warmup_epochs",
        "lr_decay_steps",
        "interval",
    ),
    "checkpoint": ("enabled", "dir", "frequency", "keep_prev"),
    "auto_resume": ("enabled", "max_hours"),
    "auto_umap": ("enabled", "dir", "frequency"),
    "knn_eval": ("enabled", "k", "distance_func"),
    "performance": ("disable_channel_last",),
    "dali": ("device", "encode_indexes_into_labels"),
    "wandb": ("enabled", "entity", "project", "offline"),
    "tensorboard": ("enabled",),
    "augmentations": None,
}
_PLAIN = (
    "name",
    "method",
    "seed",
    "resume_from_checkpoint",
    "debug_augmentations",
    "pretrained_feature_extractor",
    "pretrain_method",
    "finetune",
    "auto_augment",
    "label_smoothing",
    "mixup",
    "cutmix",
)
# what of a configuration is handed to Lightning's Trainer as it is
TRAINER_KEYS = (
    "accelerator",
    "accumulate_grad_batches",
    "benchmark",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_model_summary",
    "enable_progress_bar",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "max_epochs",
    "max_time",
    "num_nodes",
    "num_sanity_val_steps",
    "overfit_batches",
    "precision",
    "profiler",
    "strategy",
    "sync_batchnorm",
    "val_check_interval",
)


def config_names(config_path: str | None, linear: bool) -> list[str]:
    """Names that ``--config-name`` takes: of ``config_path``, or of this package."""
    folder = Path(config_path) if config_path else resources.files(_PACKAGE)
    names = (Path(entry.name) for entry in folder.iterdir())
    stems = sorted(name.stem for name in names if name.suffix == ".yaml")
    return [name for name in stems if name.startswith("linear-") == linear]


def _close(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=3)
    return f"did you mean {' or '.join(close)}" if close else "remove it"


def _quoted(override: str) -> str:
    """Quote a value with an ``=`` in it, as solo-learn's checkpoints have (``...-ep=9.ckpt``)."""
    key, equals, value = override.partition("=")
    if "=" in value and value[0] not in "\"'[{":
        value = f'"{value}"'
    return f"{key}{equals}{value}"


def _complete(overrides: Sequence[str]) -> list[str]:
    """Spare the user Hydra's ``+``; keys that nobody knows are found afterwards."""
    completed = []
    for text in overrides:
        text = _quoted(text)
        key = OverridesParser.create().parse_overrides([text])[0].key_or_group
        if text.startswith(("+", "~")) or "@" in key or "/" in key:
            completed.append(text)
        elif key == "hardware":
            completed.append(f"+{text}")
        elif key in SECTIONS:  # a choice of a group
            completed.append(text)
        else:
            completed.append(f"++{text}")
    return completed


def compose_config(
    config_name: str | None,
    config_path: str | None,
    overrides: Sequence[str],
    linear: bool = False,
) -> DictConfig:
    """Compose a configuration as Hydra's programs do.

    Args:
        config_name: a configuration of ours, or a file name in ``config_path``.
        config_path: folder of the user's own configurations; ours stay available to it.
        overrides: Hydra overrides; keys and the group ``hardware`` need no ``+``.
        linear: ``config_name`` is one for linear evaluation; decides which names a message lists.

    Returns:
        The configuration, resolved, open for new keys.

    Raises:
        ConfigError: no such configuration, group, key or value.
    """
    if config_path is not None and not Path(config_path).is_dir():
        raise config_error("--config-path", config_path, "must be a folder", "check the path")
    names = config_names(config_path, linear)
    if config_name is None:
        raise ConfigError(f"--config-name is missing; choose one of {', '.join(names)}")
    stem = config_name.removesuffix(".yaml")
    if stem not in config_names(config_path, not linear) + names:
        near = difflib.get_close_matches(stem, names, n=3) or names
        raise config_error(
            "--config-name", config_name, "doesn't exist", f"choose one of {', '.join(near)}"
        )
    start = (
        initialize_config_dir(str(Path(config_path).resolve()), version_base="1.2")
        if config_path
        else initialize_config_module(_PACKAGE, version_base="1.2")
    )
    try:
        with start:
            cfg = compose(stem, overrides=_complete(overrides))
            OmegaConf.resolve(cfg)
    except OverrideParseException as error:
        raise ConfigError(
            f"{error.override!r} is no override; write KEY=VALUE, and quote what a shell would read"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        text = str(error).partition("Config search path:")[0]
        raise ConfigError(" ".join(text.split())) from error
    OmegaConf.set_struct(cfg, False)
    _check_keys(cfg)
    return cfg


def _check_keys(cfg: DictConfig) -> None:
    """Refuse keys that nobody reads: solo-learn would ignore them without a word."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg)  # type: ignore[assignment]
    levels = [("", plain, {*SECTIONS, *_PLAIN, *TRAINER_KEYS})]
    levels += [
        (f"{section}.", plain[section], set(leaves))
        for section, leaves in SECTIONS.items()
        if leaves is not None and isinstance(plain.get(section), dict)
    ]
    for prefix, node, known in levels:
        for key, value in node.items():
            if key not in known:
                raise config_error(prefix + key, value, "is no known key", _close(key, known))
