"""Linear classification of frozen features with solo-learn's ``LinearModel``."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from cueco_solo import host
from cueco_solo.data.checks import check_batch_size
from cueco_solo.data.datasets import labelled_datasets
from cueco_solo.data.loaders import SeededData
from cueco_solo.data.superclasses import count_superclasses
from cueco_solo.data.transforms import labelled_transforms
from cueco_solo.errors import as_config_error, config_error
from cueco_solo.evaluation.accuracy import PER_CLASS, mean_per_class
from cueco_solo.evaluation.checks import check_classifier_settings
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.training.hardware import find_hardware, lightning_arguments
from cueco_solo.training.settings import check_rates
from cueco_solo.training.trainer import fit, new_trainer, trainer_options


class _FeatureInput(nn.Identity):
    """Stands where ``LinearModel`` expects a backbone, for features that are already there."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def parse_linear(cfg: DictConfig, finetune: bool = False) -> DictConfig:
    """Parse a configuration for linear evaluation as solo-learn does, for one device.

    Args:
        cfg: a composed configuration with ``data`` filled in.

    Returns:
        The parsed configuration; its learning rates are those of its batch size.

    Raises:
        ConfigError: it asks for more than a linear classifier, or for devices that aren't there.
    """
    check_classifier_settings(cfg, finetune)
    hardware = find_hardware(cfg)
    if hardware.world_size > 1:
        raise config_error("devices", hardware.processes, "must be one device", "set devices=1")
    check_rates(cfg, cfg.optimizer.batch_size)
    parsed = cfg.copy()
    parsed.devices, parsed.num_nodes = [0], 1  # whose length scales the learning rate
    parsed.pretrained_feature_extractor = None  # the backbone is given
    parsed = host.parse_linear_cfg(parsed)
    count_superclasses(parsed.data)
    if (rate := cfg.optimizer.get("classifier_lr")) is not None:  # solo-learn doesn't read it
        parsed.optimizer.classifier_lr = rate * (parsed.optimizer.lr / cfg.optimizer.lr)
    parsed.devices, parsed.finetune = hardware.devices, finetune
    return parsed


def _trainer(cfg: DictConfig, **options: Any) -> Trainer:
    return new_trainer(
        **{
            "enable_model_summary": False,
            **trainer_options(cfg),
            **lightning_arguments(cfg, find_hardware(cfg)),
            # only the last epoch counts
            "check_val_every_n_epoch": cfg.max_epochs,
            "num_sanity_val_steps": 0,
            "enable_checkpointing": False,
            "logger": False,
            **options,
        }
    )


def _accuracies(trainer: Trainer, cfg: DictConfig) -> dict[str, float]:
    metrics = trainer.callback_metrics
    if not metrics["val_loss"].isfinite():  # whose accuracies would be those of the first class
        raise config_error(
            "optimizer.lr",
            cfg.optimizer.lr,
            "led to a validation loss that isn't finite",
            "lower optimizer.lr; if that doesn't help, the pre-training has diverged",
        )
    return {f"top{k}": float(metrics[f"val_acc{k}"]) for k in (1, 5)}


class _RightAnswers(Callback):
    """Which validation images a ``LinearModel`` classifies correctly, of the last validation."""

    def __init__(self) -> None:
        self.hits: list[Tensor] = []
        self.labels: list[Tensor] = []
        self._logits: Tensor | None = None
        self._hook: Any = None

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.hits, self.labels = [], []
        self._hook = pl_module.classifier.register_forward_hook(self._listen)

    def _listen(self, classifier: Any, features: Any, logits: Tensor) -> None:
        self._logits = logits

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any
    ) -> None:
        if self._logits is not None:
            labels = batch[-1]
            self.hits.append((self._logits.argmax(1) == labels).cpu())
            self.labels.append(labels.cpu())

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._hook.remove()

    def add_to(self, images: PerImage | None, *figures: str) -> None:
        """Note them under these figures."""
        if images is not None and self.hits:
            for figure in figures:
                images.add_hits(figure, torch.cat(self.hits), torch.cat(self.labels))


def _model(backbone: nn.Module, cfg: DictConfig) -> LightningModule:
    seed_everything(cfg.seed, workers=True, verbose=False)
    with as_config_error(
        "a linear classifier can't be built from this configuration", AssertionError
    ):
        return host.LinearModel(backbone, cfg=cfg)


class _Steps:
    """What ``LinearModel`` asks a Trainer for to build its schedule."""

    def __init__(self, steps: int) -> None:
        self.estimated_stepping_batches = steps


def rate_schedule(cfg: DictConfig, steps_per_epoch: int) -> list[float]:
    """The learning rate of every step as solo-learn schedules it, in units of ``optimizer.lr``.

    Args:
        cfg: parsed.
        steps_per_epoch: batches of an epoch.

    Raises:
        ConfigError: optimizer or scheduler can't be built.
    """
    cfg = cfg.copy()
    cfg.data.num_classes = 1
    model: Any = _model(_FeatureInput(1), cfg)
    model.trainer = _Steps(steps_per_epoch * cfg.max_epochs)
    with as_config_error("optimizer or scheduler can't be built from this configuration"):
        built = model.configure_optimizers()
    if isinstance(built, torch.optim.Optimizer):
        return [1.0] * (steps_per_epoch * cfg.max_epochs)
    (optimizer,), (entry,) = built
    entry = entry if isinstance(entry, dict) else {"scheduler": entry}
    every = 1 if entry.get("interval") == "step" else steps_per_epoch
    factors = []
    for step in range(1, steps_per_epoch * cfg.max_epochs + 1):
        factors.append(optimizer.param_groups[0]["lr"] / cfg.optimizer.lr)
        optimizer.step()  # of no gradients: torch warns of schedules that run ahead
        if step % every == 0:
            entry["scheduler"].step()
    return factors


def linear_accuracies(
    backbone: nn.Module, cfg: DictConfig, view: Any, images: PerImage | None = None
) -> dict[str, float]:
    """:func:`fitted_accuracies` on augmented images, as solo-learn's script does.

    ``view``, an entry of the pre-training's ``augmentations``, gives the size of the images.

    Raises:
        ConfigError: see :func:`fitted_accuracies`; or the data can't be read.
    """
    train, val = labelled_datasets(cfg.data, *labelled_transforms(cfg.data.dataset, view))
    return fitted_accuracies(backbone, cfg, train, val, images)


def fitted_accuracies(
    backbone: nn.Module, cfg: DictConfig, train: Any, val: Any, images: PerImage | None = None
) -> dict[str, float]:
    """Train solo-learn's ``LinearModel`` on labelled images.

    Args:
        images: where the right answers are noted.

    Returns:
        Percent on the validation set after the last epoch: ``top1``, ``top5``.

    Raises:
        ConfigError: an image can't be read, there are fewer than a batch holds, or the loss isn't
            finite.
    """
    return _accuracies(fitted(backbone, cfg, train, val, images), cfg)


def fitted(
    backbone: nn.Module, cfg: DictConfig, train: Any, val: Any, images: PerImage | None = None
) -> Trainer:
    """The same as a Trainer, whose metrics may be those of a loss that isn't finite.

    Raises:
        ConfigError: an image can't be read, or there are fewer than a batch holds.
    """
    batch_size = cfg.optimizer.batch_size
    check_batch_size(batch_size, 1, len(train))
    answers = _RightAnswers()
    trainer = _trainer(cfg, callbacks=[answers])
    data = SeededData(train, val, batch_size, cfg.data.num_workers, cfg.seed)
    model = _model(backbone, cfg)
    if cfg.finetune and cfg.optimizer.get("classifier_lr") is not None:
        _scale_classifier_rate(model, cfg.optimizer.classifier_lr / cfg.optimizer.lr)
    fit(trainer, model, datamodule=data)
    answers.add_to(images, "top1")
    return trainer


def _scale_classifier_rate(model: Any, factor: float) -> None:
    """Let the classifier learn at ``factor`` times the scheduled rate.

    In each step alone: solo-learn's schedules give all parameters one rate, and go on from there.
    """
    configure, own = model.configure_optimizers, {id(p) for p in model.classifier.parameters()}

    def configured() -> Any:
        built = configure()
        optimizer = built if isinstance(built, torch.optim.Optimizer) else built[0][0]

        scheduled: list[float] = []

        def before(*_: Any) -> None:
            scheduled[:] = [group["lr"] for group in optimizer.param_groups]
            for group in optimizer.param_groups:
                if own.issuperset(map(id, group["params"])):
                    group["lr"] *= factor

        def after(*_: Any) -> None:
            for group, rate in zip(optimizer.param_groups, scheduled, strict=True):
                group["lr"] = rate

        optimizer.register_step_pre_hook(before)
        optimizer.register_step_post_hook(after)
        return built

    model.configure_optimizers = configured


def cached_linear_accuracies(
    features: Features, cfg: DictConfig, per_class: bool = False, images: PerImage | None = None
) -> dict[str, float]:
    """The same on features extracted once, without augmentation: seconds instead of minutes.

    With ``per_class`` also the mean of the classes' accuracies, ``mean_per_class``.

    Raises:
        ConfigError: there are fewer train features than a batch holds, or the loss isn't finite.
    """
    cfg = cfg.copy()
    batch_size = cfg.optimizer.batch_size
    check_batch_size(batch_size, 1, len(features.train))
    cfg.data.num_classes = features.num_classes
    OmegaConf.update(cfg, "performance.disable_channel_last", True, force_add=True)  # no images
    answers = _RightAnswers()
    trainer = _trainer(cfg, enable_progress_bar=False, callbacks=[answers])
    model = _model(_FeatureInput(features.train.size(1)), cfg)
    order = torch.Generator().manual_seed(cfg.seed)
    fit(
        trainer,
        model,
        _batches(features.train, features.train_labels, batch_size, order),
        _batches(features.test, features.test_labels, batch_size),
    )
    found = _accuracies(trainer, cfg)
    if per_class:
        hits = torch.cat(answers.hits)
        found = {PER_CLASS: mean_per_class(hits, features.test_labels), **found}
    answers.add_to(images, *(name for name in found if name != "top5"))
    return found


def _batches(
    features: Tensor, labels: Tensor, batch_size: int, order: torch.Generator | None = None
) -> DataLoader:
    """Whole batches by one indexing operation each; shuffled ones drop the incomplete last."""
    dataset = TensorDataset(features, labels)
    sampler = RandomSampler(dataset, generator=order) if order else SequentialSampler(dataset)
    batches = BatchSampler(sampler, batch_size, drop_last=order is not None)
    return DataLoader(dataset, sampler=batches, batch_size=None)
