"""Tiny models, images and trainers, the same under a seed on both forms of solo-learn."""

from typing import Any

import lightning.pytorch as pl
import torch
from host.toy import ToyCo
from lightning.pytorch import Trainer, seed_everything
from omegaconf import DictConfig, OmegaConf
from timm.data.mixup import Mixup
from timm.loss import SoftTargetCrossEntropy
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18

from cueco_solo import host

HIDDEN = {"proj_hidden_dim": 32, "proj_output_dim": 16}
METHOD_KWARGS: dict[str, dict[str, Any]] = {
    "barlow_twins": {**HIDDEN, "scale_loss": 0.1},
    "byol": {**HIDDEN, "pred_hidden_dim": 32},
    "dino": {**HIDDEN, "num_prototypes": 24, "clip_grad": 0.5},
    "mocov2plus": {**HIDDEN, "temperature": 0.2, "queue_size": 16},
    "nnbyol": {**HIDDEN, "pred_hidden_dim": 32, "queue_size": 16},
    "nnclr": {**HIDDEN, "pred_hidden_dim": 32, "temperature": 0.2, "queue_size": 16},
    "nnsiam": {**HIDDEN, "pred_hidden_dim": 32, "queue_size": 16},
    "ressl": {**HIDDEN, "temperature_q": 0.1, "temperature_k": 0.04, "queue_size": 16},
    "simclr": {**HIDDEN, "temperature": 0.2},
    "simsiam": {**HIDDEN, "pred_hidden_dim": 32},
    "vicreg": {**HIDDEN},
    "wmse": {"proj_hidden_dim": 32, "proj_output_dim": 4, "whitening_size": 8},
    "toy": {**HIDDEN},
}
BATCH, STEPS = 8, 4
PLAIN = {
    "rrc": {"enabled": False, "crop_min_scale": 0, "crop_max_scale": 0},
    **{name: {"prob": 0} for name in ("color_jitter", "grayscale", "gaussian_blur")},
    **{name: {"prob": 0} for name in ("solarization", "equalization", "horizontal_flip")},
    "crop_size": 24,
    "num_crops": 1,
}
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
AUGMENTATIONS = [
    {
        "rrc": {"enabled": True, "crop_min_scale": 0.2, "crop_max_scale": 1.0},
        "color_jitter": {"prob": 0.8, **JITTER},
        "grayscale": {"prob": 0.2},
        **{name: {"prob": 0.5} for name in ("gaussian_blur", "solarization")},
        **{name: {"prob": 0.5} for name in ("equalization", "horizontal_flip")},
        "crop_size": 32,
        "num_crops": 8,
    },
    PLAIN,
]


def configuration(method: str, changes: tuple[str, ...] = ()) -> DictConfig:
    """A filled-in configuration of a tiny run of ``method``."""
    cfg = OmegaConf.create(
        {
            "name": "tiny",
            "method": method,
            "backbone": {"name": "resnet18"},
            "data": {
                "dataset": "custom",
                "num_classes": 6,
                "num_large_crops": 2,
                "num_small_crops": 0,
            },
            "optimizer": {
                "name": "sgd",
                "batch_size": BATCH,
                "lr": 0.0005,
                "classifier_lr": 0.001,
                "weight_decay": 1e-4,
            },
            "scheduler": {"name": "warmup_cosine", "warmup_epochs": 0.5, "warmup_start_lr": 0.0001},
            "momentum": {"base_tau": 0.9, "final_tau": 1.0, "classifier": True},
            "method_kwargs": METHOD_KWARGS[method],
            "max_epochs": 1,
            "accumulate_grad_batches": 1,
        }
    )
    return OmegaConf.merge(cfg, OmegaConf.from_dotlist(list(changes)))  # type: ignore[return-value]


class Images(Dataset[Any]):
    """Random images: ``(index, crops, label)``, or ``(image, label)`` with ``crops=None``."""

    def __init__(self, size: int, cfg: DictConfig, crops: tuple[int, int] | None, seed: int):
        generator = torch.Generator().manual_seed(seed)
        self.base = torch.randn(size, 3, 32, 32, generator=generator)
        self.noise = torch.randn(size, 8, 3, 32, 32, generator=generator)
        self.labels = torch.randint(cfg.data.num_classes, (size,), generator=generator)
        self.crops = crops

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        if self.crops is None:
            return self.base[index], self.labels[index]
        large, small = self.crops
        views = [self.base[index] + 0.5 * noise for noise in self.noise[index, : large + small]]
        return (
            index,
            views[:large] + [view[:, ::2, ::2] for view in views[large:]],
            self.labels[index],
        )


class Record(pl.Callback):
    """Total loss and learning rates of each batch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[list[float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        factor = trainer.accumulate_grad_batches
        self.losses.append(float(outputs["loss"]) * factor)
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])


def trainer(cfg: DictConfig, *callbacks: pl.Callback, **options: Any) -> Trainer:
    """A silent single-process CPU trainer."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "max_epochs": cfg.max_epochs,
        "accumulate_grad_batches": cfg.accumulate_grad_batches,
        "num_sanity_val_steps": 0,
        "callbacks": list(callbacks),
    }
    return Trainer(**{**defaults, **options})


def build(cfg: DictConfig) -> Any:
    """The model of a configuration, with weights from a fixed seed."""
    seed_everything(5)
    return (ToyCo if cfg.method == "toy" else host.method_class(cfg.method))(cfg)


def build_linear(cfg: DictConfig, mixup: bool = False) -> Any:
    """A classifier on an untrained backbone, with weights from a fixed seed."""
    seed_everything(5)
    backbone = resnet18()
    backbone.fc = torch.nn.Identity()
    if not mixup:
        return host.LinearModel(backbone, cfg=cfg)
    mixed = Mixup(mixup_alpha=0.5, num_classes=cfg.data.num_classes)
    return host.LinearModel(backbone, cfg=cfg, loss_func=SoftTargetCrossEntropy(), mixup_func=mixed)


def loaders(cfg: DictConfig, crops: tuple[int, int] | None = (2, 0)) -> tuple[Any, Any]:
    """Training and validation batches, in a fixed order."""
    train = Images(BATCH * STEPS, cfg, crops, seed=1)
    val = Images(BATCH + 3, cfg, None, seed=2)
    return DataLoader(train, BATCH), DataLoader(val, BATCH)
