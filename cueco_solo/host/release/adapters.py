"""Mixins that stand in front of a class of 1.0.2 and make it look and run like one of main."""

from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from omegaconf import DictConfig
from solo.methods import base as legacy
from torch import Tensor

from cueco_solo.errors import config_error
from cueco_solo.host import metrics
from cueco_solo.host.callbacks import brought_callbacks
from cueco_solo.host.release import optim
from cueco_solo.host.release.cfg import (
    METHOD_DEFAULTS,
    MOMENTUM_DEFAULTS,
    legacy_kwargs,
    needs_main,
    set_defaults,
)
from cueco_solo.host.stems import RESNETS, SUFFIX

_NEW_NAME = {"encoder": "backbone", "momentum_encoder": "momentum_backbone"}
_MAIN_ONLY_BACKBONES = ("poolformer_", "convnext_", "wide_resnet")


class EpochEnd(LightningModule):
    """Lightning 1's ``validation_epoch_end(outputs)`` as Lightning 2's hook."""

    # Lightning 2 refuses a model on which this is callable
    validation_epoch_end = None
    validation_step_outputs: list[Any]

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        output = super().validation_step(*args, **kwargs)
        self.validation_step_outputs.append(output)
        return output

    def on_validation_epoch_end(self) -> None:
        outputs, self.validation_step_outputs = self.validation_step_outputs, []
        super().validation_epoch_end(outputs)  # type: ignore[misc]


class Lifted(EpochEnd):
    """What any method of 1.0.2 needs to be built from a configuration and trained as in main."""

    defaults: ClassVar[dict[str, Any]] = METHOD_DEFAULTS
    trainer: Any

    def __init__(self, cfg: DictConfig):
        cfg = self.add_and_assert_specific_cfg(cfg)
        _check_backbone(cfg.backbone.name)
        momentum = isinstance(self, legacy.BaseMomentumMethod)
        super().__init__(**legacy_kwargs(cfg, momentum), **self.method_arguments(cfg))
        self.cfg = cfg
        self.backbone_name = cfg.backbone.name
        self.no_channel_last = cfg.performance.disable_channel_last
        self.exclude_bias_n_norm_wd = cfg.optimizer.exclude_bias_n_norm_wd
        self.scheduler_interval = cfg.scheduler.interval
        self.validation_step_outputs = []
        self.knn_eval, self.knn_k = cfg.knn_eval.enabled, cfg.knn_eval.k
        if self.knn_eval:
            self.knn = metrics.WeightedKNNClassifier(
                k=self.knn_k, distance_fx=cfg.knn_eval.distance_func
            )

    @classmethod
    def add_and_assert_specific_cfg(cls, cfg: DictConfig) -> DictConfig:
        """Fill in the base class's defaults, in place."""
        return set_defaults(cfg, cls.defaults)

    @staticmethod
    def method_arguments(cfg: DictConfig) -> dict[str, Any]:
        """Further keywords of the constructor of 1.0.2's class."""
        return {}

    # stored, and so checkpointed, under main's names; 1.0.2's code reads its own
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(_NEW_NAME.get(name, name), value)

    encoder = property(lambda self: self.backbone)
    momentum_encoder = property(lambda self: self.momentum_backbone)

    @property
    def learnable_params(self) -> list[dict[str, Any]]:
        """Parameter groups under main's names."""
        groups = super().learnable_params  # type: ignore[misc]
        return [
            {**group, "name": _NEW_NAME.get(group["name"], group["name"])}
            if "name" in group
            else group
            for group in groups
        ]

    def configure_optimizers(self) -> Any:
        return optim.configure(self, self.learnable_params)

    def configure_callbacks(self) -> Any:
        return [*super().configure_callbacks(), *brought_callbacks(self.cfg)]  # type: ignore[misc]

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # 1.0.2's DINO has a clip_gradients of its own, with another signature
        LightningModule.clip_gradients(self, optimizer, gradient_clip_val, gradient_clip_algorithm)

    def layout(self, X: Tensor) -> Tensor:
        """The images in the memory layout that the configuration asks for."""
        return X if self.no_channel_last else X.to(memory_format=torch.channels_last)

    def base_forward(self, X: Tensor) -> dict[str, Any]:
        return super().base_forward(self.layout(X))  # type: ignore[misc]


class LiftedMomentum(Lifted):
    """The same for methods with a momentum backbone."""

    defaults = {**METHOD_DEFAULTS, **MOMENTUM_DEFAULTS}
    momentum_updater: Any
    momentum_pairs: Any
    last_step: int

    def base_momentum_forward(self, X: Tensor) -> dict[str, Any]:
        return super().base_momentum_forward(self.layout(X))  # type: ignore[misc]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """EMA after each optimisation step; its schedule counts steps as main's does."""
        step = self.trainer.global_step
        if step > self.last_step:
            for online, momentum in self.momentum_pairs:
                self.momentum_updater.update(online, momentum)
            self.log("tau", self.momentum_updater.cur_tau)
            total = self.trainer.estimated_stepping_batches
            self.momentum_updater.update_tau(cur_step=step, max_steps=total)
        self.last_step = step


def _check_backbone(name: str) -> None:
    known = [*legacy.BaseMethod._SUPPORTED_ENCODERS, *(each + SUFFIX for each in RESNETS)]
    if name.startswith(_MAIN_ONLY_BACKBONES):
        raise needs_main("backbone.name", name)
    if name not in known:
        raise config_error("backbone.name", name, f"must be one of {', '.join(known)}")
