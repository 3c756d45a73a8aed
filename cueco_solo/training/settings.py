"""Settings that every run has in common, checked before anything heavy starts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data import checks
from cueco_solo.data.on_device.settings import check_device_augmentation
from cueco_solo.data.superclasses import check_superclasses
from cueco_solo.errors import config_error
from cueco_solo.options import TEMPERATURES, Options, is_section
from cueco_solo.training.augmentations import ViewOptions
from cueco_solo.training.monitor.settings import online_settings
from cueco_solo.training.sections import (
    LinearSettings,
    PretrainingSettings,
)
from cueco_solo.training.trainer_settings import TrainerOptions

# what of a configuration is handed to Lightning's Trainer as it is
TRAINER_KEYS = tuple(TrainerOptions.model_fields)
# what cueco-solo fills in where a pre-training's configuration says nothing
DEFAULTS = {"seed": 5, "checkpoint.enabled": True, "checkpoint.dir": "trained_models"}


# keys and sections of a linear evaluation that it doesn't read, or leaves to Lightning
UNCHECKED_IN_LINEAR = (
    "method",
    "momentum",
    "data.augment",
    "data.fraction",
    "data.no_labels",
    "data.check_images",
    "data.skip_unreadable",
    "checkpoint",
    "auto_resume",
    "online_clustering",
    "check_val_every_n_epoch",
    "debug_augmentations",
    "log_every_n_steps",
    "resume",
    "resume_from_checkpoint",
)


def _checked_values(
    cfg: DictConfig, model: type[Options], unchecked: Sequence[str] = (), prefix: str = ""
) -> dict[str, Any]:
    """What ``cfg`` has of the model's checked keys, as plain values; null counts as absent."""
    values: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        name = f"{prefix}{key}"
        kind: Any = field.annotation
        if is_section(kind):
            inside = name not in unchecked
            values[key] = _checked_values(cfg, kind, unchecked, f"{name}.") if inside else {}
        elif kind is not Any and name not in unchecked:
            value = OmegaConf.select(cfg, name, throw_on_missing=False)
            if value is not None:
                plain = OmegaConf.is_config(value)
                values[key] = OmegaConf.to_container(value) if plain else value
    return values


def check_linear_settings(cfg: DictConfig) -> None:
    """Check the settings of a linear evaluation.

    Raises:
        ConfigError: one is missing, of the wrong type or out of range.
    """
    LinearSettings.check(_checked_values(cfg, LinearSettings, UNCHECKED_IN_LINEAR))
    check_superclasses(cfg.data, "data.superclasses")
    _check_run(cfg)


def _check_run(cfg: DictConfig) -> None:
    """What a model of settings can't see: numbers that aren't finite, other keys, the machine."""
    _check_finite("", OmegaConf.to_container(cfg))
    checks.check_workers(cfg.data.num_workers)
    warmup, epochs = OmegaConf.select(cfg, "scheduler.warmup_epochs"), cfg.max_epochs
    if warmup is not None and cfg.scheduler.name == "warmup_cosine" and warmup > epochs:
        allowed = f"must be at most max_epochs={epochs}, or the training ends before its warm-up"
        raise config_error("scheduler.warmup_epochs", warmup, allowed, "lower it or train longer")
    steps = OmegaConf.select(cfg, "scheduler.lr_decay_steps")
    if cfg.scheduler.name == "step" and steps is None:
        needed = "is missing, but needed by scheduler.name=step"
        remedy = "give a list of epochs, such as [60,80]"
        raise config_error("scheduler.lr_decay_steps", None, needed, remedy)


def check_rates(cfg: DictConfig, images: int) -> None:
    """Check that a cosine neither starts nor ends above its peak.

    Args:
        cfg: before solo-learn scales ``optimizer.lr``. The other rates are taken as they are.
        images: in the batch of all processes. Where they are few the configured rate is the limit,
            as configurations for large batches are tried with small ones.

    Raises:
        ConfigError: it does.
    """
    if cfg.scheduler.name != "warmup_cosine":
        return
    peak = cfg.optimizer.lr * max(1, images / 256)
    warmup = OmegaConf.select(cfg, "scheduler.warmup_epochs") != 0
    for key in ("scheduler.min_lr", *(["scheduler.warmup_start_lr"] if warmup else [])):
        rate = OmegaConf.select(cfg, key)
        if rate is not None and rate > peak:
            allowed = f"must be at most {peak:g}, the learning rate"
            raise config_error(key, rate, allowed, "lower it: it isn't scaled by the batch size")


def _check_finite(key: str, node: Any) -> None:
    if isinstance(node, float) and not math.isfinite(node):
        raise config_error(key, node, "must be a finite number")
    pairs: Any = enumerate(node) if isinstance(node, list) else ()
    pairs = node.items() if isinstance(node, dict) else pairs
    for name, value in pairs:
        _check_finite(f"{key}.{name}".removeprefix("."), value)


def _check_temperatures(cfg: DictConfig) -> None:
    """Those of solo-learn's methods, too, which take any."""
    content: Any = OmegaConf.to_container(cfg)  # in which a value that is missing is ???
    options = content.get("method_kwargs")
    for name, value in options.items() if isinstance(options, dict) else ():
        if "temperature" in str(name) and type(value) in (int, float) and "epochs" not in name:
            low, high = TEMPERATURES
            if not low <= value <= high:
                allowed = f"must be a number in [{low}, {high}]"
                raise config_error(f"method_kwargs.{name}", value, allowed)


_NEED_LABELS = ("supcon",)


def _check_labels(cfg: DictConfig) -> None:
    """What can't be done without labels, and what is for data without labels alone.

    Raises:
        ConfigError: it is asked for.
    """
    data = cfg.data
    if not data.get("no_labels"):
        if data.get("skip_unreadable"):
            reason = "goes with data.no_labels=True: an evaluation would read all labelled images"
            remedy = "replace or remove the files"
            raise config_error("data.skip_unreadable", True, reason, remedy)
        if data.get("check_images") and (data.dataset in checks.DOWNLOADED or _is_h5(data)):
            reason = "is for images in folders"
            raise config_error("data.check_images", True, reason, "leave it out")
        return
    without = "but with data.no_labels=True there are none"
    if data.dataset != "custom" or _is_h5(data):
        key = "format" if data.dataset == "custom" else "dataset"
        reason = "can't be read with data.no_labels=True"
        remedy = "set data.dataset=custom data.format=image_folder"
        raise config_error(f"data.{key}", data[key], reason, remedy)
    val_path = OmegaConf.select(data, "val_path", throw_on_missing=False)
    if val_path is not None:
        remedy = "set data.val_path=null; evaluate the run with --dataset"
        reason = f"is scored by labels, {without}"
        raise config_error("data.val_path", val_path, reason, remedy)
    if cfg.method in _NEED_LABELS:
        raise config_error("method", cfg.method, f"learns from labels, {without}", "choose another")
    for key in ("knn_eval.enabled", "momentum.classifier"):
        if OmegaConf.select(cfg, key):
            raise config_error(key, True, f"needs labels, {without}", f"set {key}=False")


def _is_h5(data: DictConfig) -> bool:
    return data.get("format") == "h5"


def check_settings(cfg: DictConfig) -> None:
    """Check the settings that every pre-training has in common.

    Raises:
        ConfigError: one is missing, of the wrong type or out of range.
    """
    PretrainingSettings.check(_checked_values(cfg, PretrainingSettings))
    check_superclasses(cfg.data, "data.superclasses")
    online_settings(cfg)
    check_device_augmentation(cfg.data)
    _check_labels(cfg)
    _check_temperatures(cfg)
    _check_run(cfg)
    minutes = OmegaConf.select(cfg, "checkpoint.every_n_minutes")
    if minutes is not None and cfg.data.get("format") == "dali":
        reason = "can't be had with data.format=dali, which can't go on amid an epoch"
        raise config_error("checkpoint.every_n_minutes", minutes, reason, "leave it out")
    if OmegaConf.select(cfg, "auto_umap.enabled"):
        remedy = "run solo-learn's main_umap.py on the run folder"
        raise config_error("auto_umap.enabled", True, "isn't done while training", remedy)
    views = cfg.get("augmentations")
    if not views or not all(_is_view(view) for view in views):
        raise config_error(
            "augmentations",
            None if views is None else OmegaConf.to_container(views),
            "must be a list of views with crop_size and num_crops",
            "choose augmentations=asymmetric-32 or asymmetric-224",
        )
    for number, view in enumerate(views):
        plain: Any = OmegaConf.to_container(view)
        _check_view(plain, f"augmentations.{number}")
    large = sum(v.num_crops for v in views if v.crop_size == views[0].crop_size)
    if large != 2 and cfg.method not in ("wmse", "mae"):
        raise config_error(
            "augmentations", large, "views of the first crop_size, but a method needs 2"
        )


def _check_view(view: dict[str, Any], section: str) -> None:
    """Its sections one by one, as ``rrc`` may be left out where nothing is built of the view."""
    sections = {
        key: field.annotation
        for key, field in ViewOptions.model_fields.items()
        if is_section(field.annotation)
    }
    for key, kind in sections.items():
        if key in view:
            if not isinstance(view[key], Mapping):
                raise config_error(f"{section}.{key}", view[key], "must be a mapping")
            kind.check(view[key], f"{section}.{key}")  # type: ignore[union-attr]
    empty: dict[str, Any] = {key: {} for key in sections}
    ViewOptions.check({**view, **empty}, section)


def _is_view(view: Any) -> bool:
    if not isinstance(view, Mapping):
        return False
    sizes = (view.get("crop_size"), view.get("num_crops"))
    return all(type(size) is int and size > 0 for size in sizes)


def with_defaults(cfg: DictConfig) -> DictConfig:
    """A composed configuration of a pre-training as it is trained and written down."""
    defaults = OmegaConf.create()
    for key, value in DEFAULTS.items():
        OmegaConf.update(defaults, key, value)
    return DictConfig(OmegaConf.merge(defaults, cfg))
