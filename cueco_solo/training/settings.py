"""Settings that every run has in common, looked at before anything heavy starts."""

from collections.abc import Mapping

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.superclasses import check_superclasses
from cueco_solo.errors import config_error
from cueco_solo.options import Option
from cueco_solo.training.monitor.settings import online_settings

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


def _number(low: float | None = None, high: float | None = None, above: bool = False) -> Option:
    return Option(None, low=low, high=high, above=above, kind=float)


def _count(low: int = 1) -> Option:
    return Option(None, low=low, kind=int)


_FLAG, _TEXT = Option(None, kind=bool), Option(None, kind=str)

# what solo-learn computes with and doesn't look at; a default of None makes a key optional
_SHARED = {
    "name": Option(""),
    "seed": Option(5, low=0, high=2**32 - 1),
    "max_epochs": Option(1, low=1),
    "backbone.name": Option(""),
    "data.dataset": Option(""),
    "data.num_workers": Option(0, low=0),
    "data.superclasses": _FLAG,
    "data.train_path": _TEXT,
    "data.val_path": _TEXT,
    "optimizer.name": Option("", choices=("sgd", "lars", "adam", "adamw")),
    "optimizer.batch_size": Option(1, low=1),
    "optimizer.lr": Option(0.0, low=0),
    "optimizer.weight_decay": Option(0.0, low=0),
    "optimizer.exclude_bias_n_norm_wd": _FLAG,
    "scheduler.warmup_epochs": _number(low=0),
    "scheduler.warmup_start_lr": _number(low=0),
    "scheduler.min_lr": _number(low=0),
    "scheduler.interval": Option(None, kind=str, choices=("step", "epoch")),
    "performance.disable_channel_last": _FLAG,
    "accumulate_grad_batches": _count(),
    "gradient_clip_val": _number(low=0),
    "limit_train_batches": _number(low=0, above=True),
    "num_nodes": _count(),
    "overfit_batches": _number(low=0),
    "sync_batchnorm": _FLAG,
    "tensorboard.enabled": _FLAG,
    "wandb.enabled": _FLAG,
    "wandb.offline": _FLAG,
}
_DEFAULTS = {"seed": 5, "checkpoint": {"enabled": True, "dir": "trained_models"}}
_PRETRAINING = {
    "method": Option(""),
    **_SHARED,
    "data.fraction": _number(),
    "data.no_labels": _FLAG,
    "optimizer.classifier_lr": Option(0.0, low=0),
    "scheduler.name": Option("", choices=("warmup_cosine", "step", "none")),
    "auto_resume.enabled": _FLAG,
    "checkpoint.enabled": _FLAG,
    "checkpoint.dir": Option(""),
    "checkpoint.frequency": _count(),
    "checkpoint.keep_prev": _FLAG,
    "momentum.base_tau": _number(low=0, high=1),
    "momentum.final_tau": _number(low=0, high=1),
    "momentum.classifier": _FLAG,
    "check_val_every_n_epoch": _count(),
    "debug_augmentations": _FLAG,
    "limit_val_batches": _number(low=0),
    "log_every_n_steps": _count(0),
    "resume_from_checkpoint": _TEXT,
}
_LINEAR = {
    **_SHARED,
    "seed": Option(None, low=0, high=2**32 - 1, kind=int),  # solo-learn has a default
    "scheduler.name": Option("", choices=("warmup_cosine", "step", "exponential", "none")),
    "limit_val_batches": _number(low=0, above=True),
}
_VIEWS, _COUNT = ("crop_size", "num_crops"), Option(1, low=1)


def _check(cfg: DictConfig, options: Mapping[str, Option]) -> None:
    for key, option in options.items():
        value = OmegaConf.select(cfg, key, throw_on_missing=False)
        if value is None and option.default is not None:
            raise config_error(key, None, "is missing", f"add {key}=... to the configuration")
        if not option.accepts(value):
            raise config_error(key, value, option.allowed)
    check_superclasses(cfg.data, "data.superclasses")
    if "/" in cfg.name:
        raise config_error("name", cfg.name, "names files, so it can't have a /", "leave it out")


def check_linear_settings(cfg: DictConfig) -> None:
    """Check the settings of a linear evaluation.

    Raises:
        ConfigError: one is missing, of the wrong type or out of range.
    """
    _check(cfg, _LINEAR)


def check_settings(cfg: DictConfig) -> None:
    """Check the settings that every pre-training has in common.

    Raises:
        ConfigError: one is missing, of the wrong type or out of range.
    """
    _check(cfg, _PRETRAINING)
    online_settings(cfg)
    base, final = (OmegaConf.select(cfg, f"momentum.{key}_tau") for key in ("base", "final"))
    if None not in (base, final) and base > final:
        raise config_error("momentum.base_tau", base, f"must be at most momentum.final_tau={final}")
    if OmegaConf.select(cfg, "auto_umap.enabled"):
        remedy = "run solo-learn's main_umap.py on the run folder"
        raise config_error("auto_umap.enabled", True, "isn't done while training", remedy)
    views = cfg.get("augmentations")
    if not views or not all(
        isinstance(view, Mapping) and _COUNT.accepts(view.get(key))
        for view in views
        for key in _VIEWS
    ):
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


def with_defaults(cfg: DictConfig) -> DictConfig:
    """A composed configuration of a pre-training as it is trained and written down."""
    return DictConfig(OmegaConf.merge(_DEFAULTS, cfg))
