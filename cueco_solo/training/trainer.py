"""Lightning's Trainer: its options, loggers and checkpoints, and its errors in one line."""

import errno
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ProgressBar, Timer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from cueco_solo import signals
from cueco_solo.errors import ConfigError, as_config_error, config_error
from cueco_solo.host import Checkpointer
from cueco_solo.host.lightning_loops import leave_signals
from cueco_solo.methods.momentum import resume_momentum
from cueco_solo.training.checkpoints import remove_others
from cueco_solo.training.hardware import Hardware, lightning_arguments
from cueco_solo.training.metrics_table import MetricsTable
from cueco_solo.training.progress import progress_callbacks
from cueco_solo.training.settings import TRAINER_KEYS
from cueco_solo.training.stopping import Stopper


def trainer_options(cfg: DictConfig) -> dict[str, Any]:
    """What of a configuration the Trainer takes as it is."""
    given: dict[str, Any] = OmegaConf.to_container(cfg)  # type: ignore[assignment]
    return {key: given[key] for key in TRAINER_KEYS if given.get(key) is not None}


def new_trainer(**options: Any) -> Trainer:
    """Lightning's Trainer.

    Raises:
        ConfigError: Lightning refuses an option.
    """
    what = "Lightning's Trainer can't use this configuration"
    with as_config_error(what, MisconfigurationException):
        return Trainer(**options)


class RunCheckpointer(Checkpointer):
    """solo-learn's ``Checkpointer`` that also keeps the last epoch and stays plain.

    A checkpoint amid an epoch always gives way to the next one, whatever ``keep_prev`` says.

    Args:
        resumed: the checkpoint of this very folder that the run continues; it gives way to the
            next one, as solo-learn's scripts take any ``.ckpt`` of a folder.
    """

    def __init__(self, cfg: DictConfig, run: Path, resumed: Path | None) -> None:
        checkpoint = cfg.checkpoint
        super().__init__(cfg, run.parent, checkpoint.frequency, checkpoint.keep_prev)
        self.resumed = resumed
        self.stopper: Any = None

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        super().on_train_start(trainer, *args)
        self.last_ckpt = self.resumed

    def on_train_epoch_end(self, trainer: Trainer, *args: Any) -> None:
        """Nothing yet: a kill after the checkpoint would lose the epoch's row of the metrics."""

    def epoch_logged(self, trainer: Trainer) -> None:
        """Save, if it is time; called once the epoch's means are logged."""
        # on all processes, or some would wait for the others while saving
        stopped = trainer.strategy.reduce_boolean_decision(trainer.should_stop, all=False)
        stopped = self.stopper.stops_here() or stopped
        if stopped or trainer.current_epoch + 1 == trainer.max_epochs:
            self.save(trainer)
        else:
            super().on_train_epoch_end(trainer, trainer.lightning_module)

    def save(self, trainer: Any) -> None:
        """At the end of an epoch."""
        super().save(trainer)
        self._give_way(trainer)
        if self.stopper:
            self.stopper.saved()

    def save_amid(self, trainer: Any) -> None:
        """Amid an epoch, after a whole step."""
        name = self.ckpt_placeholder.format(f"{trainer.current_epoch}-step={trainer.global_step}")
        trainer.save_checkpoint(self.path / name)
        self.last_ckpt = self.path / name
        self._give_way(trainer)

    def _give_way(self, trainer: Any) -> None:
        if trainer.is_global_zero and self.last_ckpt:
            remove_others(Path(self.last_ckpt), self.keep_prev)

    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        # or Lightning would make another; told to all processes, which wait for each other here
        gone = trainer.is_global_zero and not self.path.is_dir()
        if trainer.strategy.reduce_boolean_decision(gone, all=False):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        # AdamW's betas come as OmegaConf lists, which torch.load(weights_only=True) refuses
        for part in ("optimizer_states", "lr_schedulers"):
            checkpoint[part] = _plain(checkpoint[part])


class MomentumResumer(Callback):
    """Calls :func:`resume_momentum` for solo-learn's own methods, too."""

    def on_train_epoch_start(self, trainer: Trainer, module: Any) -> None:
        if hasattr(module, "momentum_updater"):
            resume_momentum(module)


def _plain(node: Any) -> Any:
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node)
    if type(node) is dict:
        return {key: _plain(value) for key, value in node.items()}
    if type(node) is list:
        return [_plain(value) for value in node]
    return node


def _loggers(cfg: DictConfig, run: Path, first_step: int, rows: int | None) -> list[Any]:
    # first, so that solo-learn's Checkpointer names its folder after this logger's version
    table = MetricsTable(run)
    table.keep(first_step, rows)
    loggers: list[Any] = [table]
    if OmegaConf.select(cfg, "tensorboard.enabled", default=False):
        _require_package("tensorboard")
        loggers.append(TensorBoardLogger(run.parent.parent, run.parent.name, run.name))
    if OmegaConf.select(cfg, "wandb.enabled", default=False):
        _require_package("wandb")
        options = {key: cfg.wandb.get(key) for key in ("project", "entity", "offline")}
        wandb = WandbLogger(name=cfg.name, save_dir=run, id=run.name, resume="allow", **options)
        wandb.log_hyperparams(_plain(cfg))
        loggers.append(wandb)
    return loggers


def _require_package(package: str) -> None:
    if find_spec(package) is None:
        key = f"{package}.enabled"
        raise config_error(
            key, True, "needs a package that is not installed", f"pip install {package}"
        )


def _timer(cfg: DictConfig) -> Timer:
    """Stops at the end of an epoch, as runs go on with whole ones only.

    It goes into the checkpoint, so that a run's seconds survive an interruption.
    """
    limit = trainer_options(cfg).get("max_time")
    try:
        return Timer(limit, interval="epoch", verbose=False)
    except (AttributeError, TypeError, ValueError, MisconfigurationException) as error:
        allowed = "must be text as DD:HH:MM:SS or a mapping as {hours: 2}"
        raise config_error("max_time", limit, allowed) from error


def make_trainer(
    cfg: DictConfig,
    hardware: Hardware,
    run: Path,
    steps_per_epoch: int,
    first_step: int = 0,
    resumed: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    rows: int | None = None,
) -> Trainer:
    """The Trainer of a pre-training run.

    Args:
        steps_per_epoch: batches of one process in an epoch.
        first_step: of a resumed run, else 0.
        resumed: the checkpoint in ``run`` that is continued.
        settings: :func:`.position.settings_of` of the data, None if they can't be read on from
            amid an epoch.
        rows: of ``metrics.csv`` that ``resumed`` knows of, if it says so.

    Raises:
        ConfigError: a logger is asked for whose package isn't installed, or Lightning refuses an
            option.
    """
    given = {"log_every_n_steps": max(1, min(50, steps_per_epoch)), **trainer_options(cfg)}
    given.pop("max_time", None)
    callbacks: list[Any] = [LearningRateMonitor(logging_interval="step"), _timer(cfg)]
    if first_step:
        callbacks.append(MomentumResumer())
    checkpointer = RunCheckpointer(cfg, run, resumed) if cfg.checkpoint.enabled else None
    stopper = Stopper(settings, checkpointer, cfg.checkpoint.get("every_n_minutes"))
    callbacks.append(stopper)
    if checkpointer:
        checkpointer.stopper = stopper
        callbacks.append(checkpointer)
    callbacks += progress_callbacks(cfg, hardware.accelerator)
    # else Lightning adds a bar of its own where lines are printed
    given["enable_progress_bar"] = isinstance(callbacks[-1], ProgressBar)
    options = {"enable_model_summary": False, **given, **lightning_arguments(cfg, hardware)}
    loggers = _loggers(cfg, run, first_step, rows)
    return new_trainer(**options, logger=loggers, callbacks=callbacks, enable_checkpointing=False)


def fit(
    trainer: Trainer,
    model: LightningModule,
    *data: Any,
    first_step: int = 0,
    first_epoch: int = 0,
    **more: Any,
) -> None:
    """``trainer.fit``.

    Args:
        data: loaders, if not in ``more``.
        first_step: of a resumed run, else 0; ``first_epoch`` likewise.
        more: further arguments of ``trainer.fit``.

    Raises:
        Stopped: by a signal.
        ConfigError: optimizer and scheduler can't be built, Lightning refuses an option, or no step
            was trained, of which Lightning says nothing.
    """
    configure = model.configure_optimizers

    def configured() -> Any:
        what = "optimizer or scheduler can't be built from this configuration"
        with as_config_error(what, AssertionError):
            return configure()

    model.configure_optimizers = configured  # type: ignore[method-assign]
    # Lightning reads a checkpoint before it does this, and would round one of double precision
    trainer.precision_plugin.convert_module(model)
    leave_signals(trainer)
    try:
        trainer.fit(model, *data, **more)
    except MisconfigurationException as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"Lightning can't train with this configuration: {reason}") from error
    except signals.Stopped as stop:
        # before the first step the processes that this one started know nothing of it
        for process in () if stop.told else getattr(trainer.strategy.launcher, "procs", ()):
            process.kill()
        raise
    finally:
        signals.defer(False)
    # a resumed run may only have had a validation left
    if trainer.global_step == first_step and trainer.current_epoch == first_epoch:
        raise ConfigError(
            "no step was trained; raise limit_train_batches or max_time, or give more data"
        )
