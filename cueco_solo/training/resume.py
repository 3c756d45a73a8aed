"""What a resumed run does otherwise than the one that it continues: told, refused or in effect."""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import read_json
from cueco_solo.options import is_derived, is_section
from cueco_solo.training.history import read_history
from cueco_solo.training.recorded import unresolved
from cueco_solo.training.run_folder import RUN_VARIABLE
from cueco_solo.training.sections import PretrainingSettings

_KEY = "resume_from_checkpoint"
# of no interest, or only written by one of the two
_SILENT = (
    *("auto_resume", "auto_umap", "resume", _KEY, "wandb_run_id", "checkpoint", "wandb"),
    *("tensorboard", "online_clustering", "debug_augmentations", "enable_model_summary"),
    *("enable_progress_bar", "log_every_n_steps", "profiler", "max_time", "pretrained"),
    # seen in the number and the digest of the images
    *("data.check_images", "data.skip_unreadable", "data.unreadable"),
)
# told, but without a trace in the weights: paths, workers, what is validated
_INERT = (
    *("name", "data.train_path", "data.val_path", "data.num_workers", "accelerator", "strategy"),
    *("check_val_every_n_epoch", "limit_val_batches", "num_sanity_val_steps", "knn_eval"),
    *("val_check_interval", "defaults", "hydra"),
)
# told, but still the same run: devices, and how long it goes on
_FREE = (*_INERT, "devices", "num_nodes", "max_epochs")
# which decide how many steps an epoch has
_STEPS = (
    *("devices", "num_nodes", "optimizer.batch_size", "accumulate_grad_batches"),
    *("limit_train_batches", "data.images", "data.fraction"),
)
# under which no state of the optimizer fits
_OTHER_STATE = ("optimizer.name", "optimizer.exclude_bias_n_norm_wd", "optimizer.layer_decay")

Changes = dict[str, tuple[Any, Any]]


def changes_since(
    checkpoint: Path, cfg: DictConfig, method: Any, data: Mapping[str, Any]
) -> Changes | None:
    """What is other than it was when a checkpoint was written: then and now, by dotted key.

    Args:
        checkpoint: with ``args.json`` beside it, of this package or of solo-learn.
        cfg: the present configuration as solo-learn parsed it, with the method's defaults.
        method: the method's class.
        data: fingerprint of the training images.

    Returns:
        None if there is no ``args.json``.

    Raises:
        ConfigError: it is damaged.
    """
    path = checkpoint.parent / "args.json"
    if not path.is_file():
        return None
    try:
        then = _flat(unresolved(read_json(path)))
        now = _flat(OmegaConf.to_container(cfg))
        for each in (then, now):
            _unscale(each)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        remedy = "mend or remove that file"
        reason = "has no readable args.json beside it"
        raise config_error(_KEY, str(checkpoint), reason, remedy) from error
    found: Changes = {}
    for key in dict.fromkeys((*now, *then)):
        if _is_of(key, _SILENT) or (key not in then and _is_derived(key, method)):
            continue
        old, new = (each.get(key, _default(key, method)) for each in (then, now))
        if not _same(old, new):
            found[key] = old, new
    seen = [event["data"] for event in read_history(checkpoint.parent) if event.get("data")]
    if os.environ.get(RUN_VARIABLE) == str(checkpoint.parent):
        seen = seen[:-1]  # the first process has recorded this start already
    if seen and data and seen[-1] != dict(data):
        old, new = (f"{d.get('images')} images, digest {d.get('digest')}" for d in (seen[-1], data))
        found["data.images"] = old, new
    return found


def _flat(node: Any, key: str = "") -> dict[str, Any]:
    if isinstance(node, list) and any(isinstance(item, dict) for item in node):
        node = dict(enumerate(node))
    if not isinstance(node, dict) or (key and not node):
        return {key: node}
    parts = [_flat(value, f"{key}.{name}".removeprefix(".")) for name, value in node.items()]
    return {name: value for part in parts for name, value in part.items()}


def _unscale(flat: dict[str, Any]) -> None:
    """Learning rates as configured: solo-learn multiplies them by the images of a step."""
    devices = flat.get("devices", 1)
    processes = len(devices) if isinstance(devices, list) else 1
    scale = flat["optimizer.batch_size"] * processes * (flat.get("num_nodes") or 1) / 256
    for key in ("optimizer.lr", "optimizer.classifier_lr"):
        if isinstance(flat.get(key), int | float):
            flat[key] = float(f"{flat[key] / scale:.9g}")


def _is_of(key: str, names: Sequence[str]) -> bool:
    return any(f"{key}.".startswith(f"{name}.") for name in names)


def _is_derived(key: str, method: Any) -> bool:
    """Whether a version that didn't have the key yet did what is derived now."""
    field = _field(key, method)
    return field is not None and is_derived(field)


def _default(key: str, method: Any) -> Any:
    """What stands for a key that a configuration leaves out; None if that isn't known."""
    field = _field(key, method)
    return None if field is None or field.is_required() else field.default


def _field(key: str, method: Any) -> Any:
    """The option of a dotted key, None if it isn't known."""
    section, _, leaf = key.partition(".")
    model: Any = PretrainingSettings
    field: Any = None
    options = getattr(method, "__annotations__", {}).get("options")
    if section == "method_kwargs":
        model, key = options, leaf
    for part in key.split("."):
        field = model.model_fields.get(part) if is_section(model) else None
        if field is None:
            return None
        model = field.annotation
    return field


def _same(old: Any, new: Any) -> bool:
    if any(isinstance(each, str) and each.startswith("<not ") for each in (old, new)):
        return True  # not recorded
    numbers = all(type(each) in (int, float) for each in (old, new))
    if numbers:
        return math.isclose(old, new, rel_tol=1e-6)
    absent: tuple[Any, ...] = (None, False, {}, [], "")
    return old == new or (old in absent and new in absent)


def settle(checkpoint: Path, changes: Changes | None, allowed: Sequence[str]) -> list[str]:
    """What to tell of the changes, line by line.

    Args:
        changes: of :func:`changes_since`.
        allowed: keys, or sections, of ``resume.allow``.

    Raises:
        ConfigError: others make another run of it.
    """
    if changes is None:
        return ["there is no args.json beside it, so it isn't known whether settings differ"]
    refused = [key for key in changes if not _is_of(key, (*_FREE, *allowed))]
    if refused:
        # given anew, these replace what was given before
        used = [name for name in allowed if any(_is_of(key, [name]) for key in changes)]
        raise _of_another_run(
            checkpoint,
            {key: changes[key] for key in refused},
            f"change them back, or go on with resume.allow=[{','.join((*used, *refused))}], or "
            "start anew (without resume_from_checkpoint, auto_resume.enabled=False)",
        )
    return [f"changed: {key} was {old}, is {new}" for key, (old, new) in changes.items()]


def _of_another_run(checkpoint: Path, changes: Changes, remedy: str) -> ConfigError:
    shown = "; ".join(f"{key} was {old}, is {new}" for key, (old, new) in changes.items())
    return config_error(_KEY, str(checkpoint), f"is of a run with other settings: {shown}", remedy)


class SameSettings(Callback):
    """Refuses a checkpoint of a run with other settings that solo-learn's ``auto_resume`` found.

    Its AutoResumer compares a few keys. ``cueco-solo`` has compared all of them by itself, and what
    a user names in ``resume_from_checkpoint`` is taken: main_pretrain.py then removes the key.

    Raises (in the hooks):
        ConfigError: settings differ that make another run of it.
    """

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Look before the module's weights are loaded, which may not even fit."""
        cfg = pl_module.cfg
        enabled = OmegaConf.select(cfg, "auto_resume.enabled", default=False)
        known = RUN_VARIABLE in os.environ or cfg.get(_KEY, "named") is not None
        if stage != "fit" or known or not enabled:
            return
        load = pl_module.on_load_checkpoint

        def checked(checkpoint: dict[str, Any]) -> None:
            if trainer.ckpt_path:
                _check_found(Path(trainer.ckpt_path), cfg, type(pl_module))
            load(checkpoint)

        pl_module.on_load_checkpoint = checked

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """The module's own hook is back: a module is pickled without functions of this kind."""
        vars(pl_module).pop("on_load_checkpoint", None)


def _check_found(checkpoint: Path, cfg: DictConfig, method: Any) -> None:
    changes = changes_since(checkpoint, cfg, method, {}) or {}
    # which main_pretrain.py doesn't scale where nothing is validated
    free = (*_FREE, "optimizer.classifier_lr") if "data.val_path" in changes else _FREE
    refused = {key: change for key, change in changes.items() if not _is_of(key, free)}
    if refused:
        remedy = "change them back, or start anew with auto_resume.enabled=False"
        raise _of_another_run(checkpoint, refused, remedy)


def same_settings(cfg: Any) -> list[Callback]:
    """What every method brings."""
    return [SameSettings()]


def in_effect(changes: Changes | None) -> list["PresentSettings"]:
    """What lets changes take effect; nothing where none of them could."""
    changes = changes or {}
    return [PresentSettings(changes)] if any(not _is_of(key, _INERT) for key in changes) else []


class PresentSettings(Callback):
    """Lets a resumed run use the present learning rates, weight decay and schedule.

    A checkpoint's optimizer and scheduler bring their own along, so that the configuration would
    say what isn't done.
    """

    def __init__(self, changes: Changes) -> None:
        self.other_state = any(_is_of(key, _OTHER_STATE) for key in changes)
        self.other_steps = any(_is_of(key, _STEPS) for key in changes)
        self.other_schedule = "scheduler.name" in changes or self.other_state

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: Any) -> None:
        """Leave out what doesn't fit."""
        if self.other_state:
            checkpoint["optimizer_states"] = []
        if self.other_schedule:
            checkpoint["lr_schedulers"] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Take over all but the state from a new optimizer and scheduler."""
        fresh = pl_module.configure_optimizers()
        pair = fresh if isinstance(fresh, tuple | list) else ([fresh], [])
        optimizers, schedules = pair if isinstance(pair[0], tuple | list) else (pair, [])
        for old, new in zip(trainer.optimizers, optimizers, strict=False):
            for group, other in zip(old.param_groups, new.param_groups, strict=False):
                group.update({key: other[key] for key in other if key != "params"})
        for config, new in zip(trainer.lr_scheduler_configs, schedules, strict=False):
            schedule = new["scheduler"] if isinstance(new, dict) else new
            _take_over(config.scheduler, schedule, self._position(trainer, config))

    def _position(self, trainer: Trainer, config: Any) -> int:
        """Where in its schedule the run is, in what the schedule counts."""
        if config.interval != "step":
            return trainer.current_epoch
        if self.other_steps and trainer.max_epochs and trainer.max_epochs > 0:
            # at an epoch's end: as far as a run that had these steps from the start
            steps = trainer.estimated_stepping_batches / trainer.max_epochs
            return round(trainer.current_epoch * steps)
        return trainer.global_step if self.other_schedule else config.scheduler.last_epoch


_STATE = ("last_epoch", "_step_count", "_last_lr", "optimizer", "get_lr", "step")


def _take_over(scheduler: Any, fresh: Any, position: int) -> None:
    """Give a scheduler another's settings, and the optimizer the rates of this position."""
    own = {key: value for key, value in vars(fresh).items() if key not in _STATE}
    vars(scheduler).update({key: value for key, value in own.items() if not callable(value)})
    scheduler.last_epoch = position
    static: dict[int, float] = {}
    if isinstance(fresh.get_lr, partial):  # SimSiam's predictor has no schedule
        words = fresh.get_lr.keywords
        static = dict(zip(words["param_group_indexes"], words["lrs_to_replace"], strict=True))
        if isinstance(scheduler.get_lr, partial):
            scheduler.get_lr.keywords.update(lrs_to_replace=words["lrs_to_replace"])
    closed = getattr(scheduler, "_get_closed_form_lr", None)
    with warnings.catch_warnings():  # torch expects get_lr to be called by step alone
        warnings.simplefilter("ignore")
        rates = closed() if closed else type(scheduler).get_lr(scheduler)
    for number, (group, rate) in enumerate(
        zip(scheduler.optimizer.param_groups, rates, strict=True)
    ):
        group["lr"] = static.get(number, rate)
    scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]
