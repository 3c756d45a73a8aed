"""Settings that every run has in common, checked before anything heavy starts."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.superclasses import check_superclasses
from cueco_solo.errors import config_error
from cueco_solo.options import Options, is_section
from cueco_solo.training.monitor.settings import online_settings
from cueco_solo.training.sections import LinearSettings, PretrainingSettings, TrainerOptions

# what of a configuration is handed to Lightning's Trainer as it is
TRAINER_KEYS = tuple(TrainerOptions.model_fields)
# what cueco-solo fills in where a pre-training's configuration says nothing
DEFAULTS = {"seed": 5, "checkpoint.enabled": True, "checkpoint.dir": "trained_models"}


# keys and sections of a linear evaluation that it doesn't read, or leaves to Lightning
UNCHECKED_IN_LINEAR = (
    "method",
    "momentum",
    "data.fraction",
    "data.no_labels",
    "optimizer.classifier_lr",
    "checkpoint",
    "auto_resume",
    "online_clustering",
    "check_val_every_n_epoch",
    "debug_augmentations",
    "log_every_n_steps",
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


def check_settings(cfg: DictConfig) -> None:
    """Check the settings that every pre-training has in common.

    Raises:
        ConfigError: one is missing, of the wrong type or out of range.
    """
    PretrainingSettings.check(_checked_values(cfg, PretrainingSettings))
    check_superclasses(cfg.data, "data.superclasses")
    online_settings(cfg)
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
    large = sum(v.num_crops for v in views if v.crop_size == views[0].crop_size)
    if large != 2 and cfg.method not in ("wmse", "mae"):
        raise config_error(
            "augmentations", large, "views of the first crop_size, but a method needs 2"
        )


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
