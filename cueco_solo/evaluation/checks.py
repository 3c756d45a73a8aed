"""Checks of what an evaluation is asked for, data and settings; torch isn't imported for them."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.checks import DATASETS, DOWNLOADED, check_labelled
from cueco_solo.errors import config_error
from cueco_solo.training.run_folder import Run
from cueco_solo.training.settings import check_linear_settings

TEMPERATURE = 0.07  # of k-NN's cosine votes: solo-learn's
# what solo-learn's main_linear.py can do beyond a linear classifier on frozen features
_ELSEWHERE = (
    "auto_augment",
    "label_smoothing",
    "mixup",
    "cutmix",
    "data.augmentations",
    "resume_from_checkpoint",
    "tensorboard.enabled",
    "wandb.enabled",
)
# what the run's checkpoint has settled
_OF_THE_RUN = ("augmentations", "backbone", "method", "method_kwargs", "momentum")
# there is one validation, after the last epoch
_LAST_EPOCH_ONLY = (
    "check_val_every_n_epoch",
    "max_time",
    "num_sanity_val_steps",
    "val_check_interval",
)
# what a sweep of learning rates reads of a configuration; the rest is solo-learn's trainer's
_SWEPT = ("hardware", "max_epochs", "scheduler", "seed", "enable_progress_bar")
_OR_NO_SWEEP = "change it, or leave --sweep out"
# what else decides what a probe learns, and has one value in a sweep
_SWEPT_ALWAYS = {
    "accumulate_grad_batches": 1,
    "gradient_clip_val": None,
    "limit_train_batches": None,
    "limit_val_batches": None,
}


# what a run without labels is evaluated on
LABELLED = (
    "give --dataset NAME --train-path DIR --val-path DIR, or without --dataset the paths alone"
)


def evaluation_data(run: Run, train_path: Any = None, val_path: Any = None) -> DictConfig:
    """``cfg.data`` to evaluate a run on, labelled: the run's, unless other paths are given.

    For other data sets see :func:`.other_data.other_data`.

    Raises:
        ConfigError: a path is missing or doesn't hold labelled images, or the run's own have no
            labels.
    """
    data = run.cfg.data.copy()
    if data.dataset not in DATASETS:
        allowed = f"of the run's args.json must be one of {', '.join(DATASETS)}"
        raise config_error("data.dataset", data.dataset, allowed)
    if data.get("no_labels") and not (train_path and val_path):
        raise config_error(
            "RUN",
            str(run.folder),
            "was trained without labels (data.no_labels=True), but is evaluated on labelled images",
            LABELLED,
        )
    for key, given in (("train_path", train_path), ("val_path", val_path)):
        data[key] = given or data.get(key)
        if data[key] is None:
            option = f"--{key.replace('_', '-')}"
            reason = "is missing, the run's args.json has none"
            raise config_error(option, None, reason, f"give {option} DIR")
        data[key] = str(data[key])
        if not given and not os.path.exists(data[key]) and data.dataset not in DOWNLOADED:
            where = "" if os.path.isabs(data[key]) else f" (looked for in {os.getcwd()})"
            allowed = f"of the run doesn't exist{where}"
            remedy = f"give --{key.replace('_', '-')} DIR"
            raise config_error(f"data.{key}", data[key], allowed, remedy)
    if data.get("no_labels"):
        data.update(format="image_folder", fraction=-1)
        data.pop("unreadable", None)
    data.no_labels = False
    if data.dataset not in DOWNLOADED and data.format != "h5":
        check_labelled(data.train_path, data.val_path, "--train-path", "--val-path")
        if data.dataset == "custom" and not train_path:
            _check_unchanged(data)
    return data


def _check_unchanged(data: DictConfig) -> None:
    """Refuse the run's own folder with other classes than it had: it isn't the run's data."""
    there = sum(entry.is_dir() for entry in os.scandir(data.train_path))
    trained_on = data.get("num_classes")
    if trained_on not in (None, there):
        raise config_error(
            "data.train_path",
            data.train_path,
            f"has {there} classes, but the run's classifier has {trained_on}",
            "to evaluate on other data, give --train-path and --val-path",
        )


def check_classifier_settings(cfg: DictConfig, finetune: bool) -> None:
    """Check the settings of a linear evaluation or a fine-tuning.

    Raises:
        ConfigError: one is missing or out of range, or asks for more than a linear classifier.
    """
    check_linear_settings(cfg)
    if cfg.get("finetune") not in (None, finetune):
        remedy = "run cueco-solo " + ("linear" if finetune else "finetune")
        raise config_error("finetune", cfg.finetune, "is another evaluation", remedy)
    for key in _ELSEWHERE:
        if value := OmegaConf.select(cfg, key, throw_on_missing=False):
            remedy = "solo-learn's main_linear.py does that"
            raise config_error(key, value, "is beyond a linear evaluation", remedy)
    for key in _LAST_EPOCH_ONLY:
        if cfg.get(key) is not None:
            allowed = "has no effect: only the last epoch of max_epochs counts"
            raise config_error(key, cfg[key], allowed, "remove it")
    rate = OmegaConf.select(cfg, "optimizer.classifier_lr")
    if rate is not None and not finetune:
        remedy = "set optimizer.lr"
        raise config_error(
            "optimizer.classifier_lr", rate, "has no effect: there is the classifier alone", remedy
        )
    fraction = OmegaConf.select(cfg, "data.fraction")
    if fraction not in (None, -1):
        remedy = "point data.train_path to a part of the images"
        raise config_error("data.fraction", fraction, "is not supported here", remedy)


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse what a linear evaluation or a fine-tuning takes from the run.

    A configuration may have it: solo-learn's own programs read it there.

    Args:
        overrides: as typed, ``KEY=VALUE``.

    Raises:
        ConfigError: there is such a key.
    """
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        if key.split(".")[0] in _OF_THE_RUN:
            reason = "has no effect: it is what the run was trained with"
            raise config_error(key, value, reason, "remove it")


def check_sweep_overrides(overrides: Sequence[str], decays: bool = False) -> None:
    """Refuse what a sweep of learning rates doesn't read of a configuration.

    Args:
        overrides: as typed, ``KEY=VALUE``.
        decays: weight decays are given by ``--weight-decay``.

    Raises:
        ConfigError: there is such a key.
    """
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        if key == "optimizer.lr":
            raise config_error(key, value, "is chosen by --sweep", "leave one of them out")
        if key == "optimizer.weight_decay" and decays:
            reason = "stands beside --weight-decay"
            raise config_error(key, value, reason, "leave one of them out")
        if key.startswith("data."):
            reason = "has no effect on features, which are those of the run's data"
            raise config_error(key, value, reason, "use --train-path, --val-path or --dataset")
        first, *rest = key.split(".")
        if first not in _SWEPT and not (first == "optimizer" and rest):
            raise config_error(key, value, "has no effect on a sweep", "remove it")


def check_finetune_sweep(args: argparse.Namespace) -> None:
    """Refuse options of a sweep without one, and overrides of what a sweep of rates chooses.

    Raises:
        ConfigError: there is such an option or override.
    """
    if not args.sweep:
        for name in ("choose", "learning_rate", "classifier_rate"):
            if (value := getattr(args, name)) is not None:
                option = f"--{name.replace('_', '-')}"
                raise config_error(option, value, "goes with --sweep", "add --sweep")
        return
    for text in args.overrides:
        key, _, value = text.lstrip("+~").partition("=")
        if key in ("optimizer.lr", "optimizer.classifier_lr"):
            remedy = "give --learning-rate or --classifier-rate, or leave --sweep out"
            raise config_error(key, value, "is chosen by --sweep", remedy)


def check_one_schedule(cfg: DictConfig) -> None:
    """Check that the schedule of a sweep's learning rates is the same share of each.

    Raises:
        ConfigError: part of it is a rate of its own.
    """
    keys = ["scheduler.min_lr"]
    if epochs := OmegaConf.select(cfg, "scheduler.warmup_epochs"):
        keys.append("scheduler.warmup_start_lr")
        if OmegaConf.select(cfg, keys[-1]) is None:  # solo-learn's default is a rate
            remedy = "set scheduler.warmup_start_lr=0"
            raise config_error("scheduler.warmup_epochs", epochs, "starts at one rate", remedy)
    for key in keys:
        if rate := OmegaConf.select(cfg, key):
            reason = "is one rate for all, but a sweep's probes differ in theirs"
            raise config_error(key, rate, reason, _OR_NO_SWEEP)


def check_sweep(cfg: DictConfig) -> None:
    """Check that the optimizer of a linear evaluation is one that a sweep trains with.

    Raises:
        ConfigError: it isn't SGD, or does more than momentum and weight decay.
    """
    remedy = _OR_NO_SWEEP
    check_one_schedule(cfg)
    if cfg.optimizer.name != "sgd":
        raise config_error("optimizer.name", cfg.optimizer.name, "isn't sgd", remedy)
    more = {f"kwargs.{key}": value for key, value in (cfg.optimizer.get("kwargs") or {}).items()}
    more.pop("kwargs.momentum", None)
    for key in ("exclude_bias_n_norm_wd", "layer_decay"):
        more[key] = cfg.optimizer.get(key)
    beyond = {f"optimizer.{key}": value for key, value in more.items() if value}
    for key, usual in _SWEPT_ALWAYS.items():
        if cfg.get(key) not in (None, usual):
            beyond[key] = cfg[key]
    for key, value in beyond.items():
        raise config_error(key, value, "is beyond a sweep", remedy)
