"""What a training shows while it runs: a line at its start, then a bar, or a line per epoch."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from omegaconf import DictConfig
from torch import Tensor

from cueco_solo.training.durations import duration
from cueco_solo.training.log_filters import print_once

# on a GPU a refresh waits for the step at hand, since it reads its loss
_GPU_REFRESH = 20


def progress_callbacks(cfg: DictConfig, accelerator: str) -> list[Callback]:
    """The start's line, and a bar on a terminal or lines elsewhere.

    Args:
        cfg: ``enable_progress_bar`` False leaves out both of these.
        accelerator: Lightning's name of it.
    """
    found: list[Callback] = [StartLine(cfg)]
    if cfg.get("enable_progress_bar", True):
        refresh = 1 if accelerator == "cpu" else _GPU_REFRESH
        found.append(LossBar(refresh) if sys.stdout.isatty() else EpochLines())
    return found


class StartLine(Callback):
    """Prints method, backbone, trainable parameters, images, steps and device."""

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = cfg

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        size = sum(each.numel() for each in pl_module.parameters() if each.requires_grad)
        images = _images(trainer)
        epochs = "1 epoch" if trainer.max_epochs == 1 else f"{trainer.max_epochs} epochs"
        parts = [
            f"{self.cfg.method} on {self.cfg.backbone.name}: {_short(size)} trainable parameters",
            *([f"{images} images"] if images else []),
            f"{trainer.num_training_batches} steps per epoch, {epochs}",
            f"{trainer.world_size} x {trainer.strategy.root_device.type}, {trainer.precision}",
        ]
        print_once("; ".join(parts))


class LossBar(TQDMProgressBar):
    """Lightning's bar with the loss and the online accuracy alone."""

    def __init__(self, refresh_rate: int) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._loss: Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._loss = _loss(outputs, trainer)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # on all processes, since it reduces the epoch's means; the bar is the first one's alone
        online_accuracy(trainer)
        super().on_train_epoch_end(trainer, pl_module)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        shown = {} if self._loss is None else {"loss": f"{float(self._loss):.4g}"}
        return {**shown, **online_accuracy(trainer)}


class EpochLines(Callback):
    """Prints a line at the end of each epoch: mean loss, online accuracy, seconds, time left."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._steps = 0
        self._began = self._start = 0.0
        self._first = 0
        self._validated = False  # in this epoch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # of an epoch that is gone on with amid it, Lightning announces no start
        self._began = self._start = time.monotonic()
        self._first = trainer.current_epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._sum, self._steps, self._began = None, 0, time.monotonic()
        self._validated = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = _loss(outputs, trainer)
        if loss is not None:
            self._sum = loss.float() if self._sum is None else self._sum + loss
            self._steps += 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        done, now = trainer.current_epoch + 1, time.monotonic()
        parts = [] if self._sum is None else [f"loss {float(self._sum) / self._steps:.4g}"]
        parts += [
            f"{name} {value}" for name, value in online_accuracy(trainer, self._validated).items()
        ]
        parts.append(duration(now - self._began))
        epochs = trainer.max_epochs or 0
        if epochs > done:
            left = (now - self._start) / (done - self._first) * (epochs - done)
            parts.append(f"{duration(left)} left")
        print_once(f"epoch {done}/{epochs}: {', '.join(parts)}")


def online_accuracy(trainer: Trainer, validated: bool = True) -> dict[str, str]:
    """solo-learn's online classifier on validation images, else on those of the training; in %.

    Args:
        validated: False leaves out the validation images, whose figure is of an earlier epoch.
    """
    for key, name in (
        *([("val_acc1", "online accuracy")] if validated else []),
        ("train_acc1_epoch", "online accuracy in training"),
        ("train_acc1", "online accuracy in training"),
    ):
        if key in trainer.callback_metrics:
            return {name: f"{float(trainer.callback_metrics[key]):.1f} %"}
    return {}


def _loss(outputs: Any, trainer: Trainer) -> Tensor | None:
    """A batch's loss, which Lightning has divided by the batches of an optimizer's step."""
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return loss.detach() * trainer.accumulate_grad_batches if isinstance(loss, Tensor) else None


def _images(trainer: Trainer) -> int | None:
    try:
        return len(trainer.train_dataloader.dataset)  # type: ignore[union-attr]
    except (AttributeError, TypeError):  # DALI's, or several loaders
        return None


def _short(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number:,}"
