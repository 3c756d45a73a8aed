"""Short seeded runs whose numbers must not depend on the form of solo-learn.

As a program it prints what it measures, and with which versions, as JSON. With solo-learn main that
is how ``measured_on_main.json`` is made, from the root of this repository:

    PYTHONPATH=<checkout>:tests python -m host.measure > tests/host/measured_on_main.json

``weights`` are digests: they hold on the machine and with the versions of the recording only.
"""

import hashlib
import json
import logging
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from host.toy import ToyCo
from lightning.pytorch import Trainer, seed_everything
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from timm.data.mixup import Mixup
from timm.loss import SoftTargetCrossEntropy
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18

from cueco_solo import host
from cueco_solo.runs import commit_of

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
LARS = ("optimizer.name=lars", "optimizer.lr=0.2", "optimizer.exclude_bias_n_norm_wd=true")
CLIPPED = (*LARS, "optimizer.kwargs={clip_lr: true, exclude_bias_n_norm: true}")
# name: method and what differs from the base configuration
SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: (name, ()) for name in METHOD_KWARGS},
    "toy with small crops": ("toy", ("data.num_small_crops=2",)),
    "toy with AdamW and cosine k-NN": (
        "toy",
        ("optimizer.name=adamw", "optimizer.lr=0.00001", "knn_eval={enabled: true, k: 3}"),
    ),
    "toy with accumulated gradients": ("toy", ("accumulate_grad_batches=2",)),
    "toy with constant rate and three classes": (
        "toy",
        ("scheduler.name=none", "data.num_classes=3"),
    ),
    "toy on a CIFAR stem": ("toy", ("data.dataset=cifar10", "data.num_classes=10")),
    "toy with LARS": ("toy", LARS),
    "mocov2plus with clipped LARS": ("mocov2plus", CLIPPED),
    "byol with small crops": ("byol", ("data.num_small_crops=2",)),
    "byol on ViT": (
        "byol",
        ("backbone={name: vit_tiny, kwargs: {patch_size: 8, img_size: 32}}",),
    ),
}
# linear evaluation: whether with mixup, and what differs from the base configuration
LINEAR: dict[str, tuple[bool, tuple[str, ...]]] = {
    "linear": (False, ("data.num_classes=3", "scheduler.warmup_epochs=0")),
    "linear, tuned with LARS": (False, ("finetune=true", *LARS)),
    "linear with mixup and steps": (
        True,
        ("scheduler.name=step", "scheduler.lr_decay_steps=[1]"),
    ),
}
# equal up to rounding only: main computes the same in another order
ROUNDED = ("simclr", "wmse", "byol with small crops")
BATCH, STEPS = 8, 4
LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "pillow", "numpy")
AUGMENTATIONS = [
    {
        "rrc": {"enabled": True, "crop_min_scale": 0.2, "crop_max_scale": 1.0},
        "color_jitter": {
            "prob": 0.8,
            "brightness": 0.4,
            "contrast": 0.4,
            "saturation": 0.2,
            "hue": 0.1,
        },
        "grayscale": {"prob": 0.2},
        "gaussian_blur": {"prob": 0.5},
        "solarization": {"prob": 0.5},
        "equalization": {"prob": 0.5},
        "horizontal_flip": {"prob": 0.5},
        "crop_size": 32,
        "num_crops": 8,
    },
    {
        "rrc": {"enabled": False, "crop_min_scale": 0, "crop_max_scale": 0},
        "color_jitter": {"prob": 0},
        "grayscale": {"prob": 0},
        "gaussian_blur": {"prob": 0},
        "solarization": {"prob": 0},
        "equalization": {"prob": 0},
        "horizontal_flip": {"prob": 0},
        "crop_size": 24,
        "num_crops": 1,
    },
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
    """Total loss, learning rates and EMA coefficient of each batch."""

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


def measure(name: str) -> dict[str, Any]:
    """Train one scenario for an epoch and say what happened.

    Returns:
        ``losses``, ``rates`` (per batch and parameter group), ``metrics`` of the last validation,
        and digests of the state dict: ``layout`` of its names and shapes, ``weights`` of all of it.
    """
    if name in LINEAR:
        mixup, changes = LINEAR[name]
        cfg, crops = configuration("byol", changes), None
        model = build_linear(cfg, mixup)
    else:
        method, changes = SCENARIOS[name]
        cfg = configuration(method, changes)
        crops = (cfg.data.num_large_crops, cfg.data.num_small_crops)
        model = build(cfg)
    record = Record()
    fit = trainer(cfg, record)
    fit.fit(model, *loaders(cfg, crops))
    metrics = {key: float(value) for key, value in fit.callback_metrics.items() if "val" in key}
    layout, weights = hashlib.sha256(), hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        layout.update(f"{key}{list(value.shape)}".encode())
        weights.update(key.encode() + value.numpy().tobytes())
    return {
        "losses": record.losses,
        "rates": record.rates,
        "metrics": metrics,
        "layout": layout.hexdigest(),
        "weights": weights.hexdigest(),
    }


def parsed(folder: Path) -> dict[str, Any]:
    """What both parsers make of a short configuration.

    Args:
        folder: has one folder per class.
    """
    short = {
        "name": "tiny",
        "method": "toy",
        "backbone": {"name": "resnet18"},
        "data": {"dataset": "custom", "train_path": str(folder), "val_path": str(folder)},
        "optimizer": {
            "name": "lars",
            "batch_size": 64,
            "lr": 0.3,
            "classifier_lr": 0.1,
            "weight_decay": 1e-5,
        },
        "scheduler": {"name": "warmup_cosine"},
        "max_epochs": 10,
        "devices": [0, 1],
    }
    pretrain = OmegaConf.create({**short, "augmentations": AUGMENTATIONS})
    linear = OmegaConf.create({**short, "pretrained_feature_extractor": "some.ckpt"})
    result = {
        "pretrain": OmegaConf.to_container(host.parse_pretrain_cfg(pretrain)),
        "linear": OmegaConf.to_container(host.parse_linear_cfg(linear)),
    }
    for cfg in result.values():
        del cfg["data"]["train_path"], cfg["data"]["val_path"]  # type: ignore[index,call-overload]
    return result


def images() -> dict[str, list[list[float]]]:
    """Mean, and channels' deviations, of crops of one picture under seeded transforms."""
    pixels = torch.randint(256, (40, 50, 3), generator=torch.Generator().manual_seed(3))
    picture, found = Image.fromarray(pixels.byte().numpy()), {}
    data = host.pretrain_data
    for dataset in ("cifar10", "cifar100", "stl10", "imagenet100", "custom"):
        pipelines = [
            data.NCropAugmentation(data.build_transform_pipeline(dataset, item), item.num_crops)
            for item in OmegaConf.create(AUGMENTATIONS)
        ]
        seed_everything(7)
        crops = data.FullTransformPipeline(pipelines)(picture)
        seed_everything(7)
        crops += [T(picture) for T in host.classification_data.prepare_transforms(dataset)]
        found[dataset] = [[float(crop.mean()), *crop.std((1, 2)).tolist()] for crop in crops]
    return found


def everything() -> dict[str, Any]:
    """All measurements of the form of solo-learn that is running."""
    with tempfile.TemporaryDirectory() as folder:
        for name in "abc":
            (Path(folder) / name).mkdir()
        return {
            "versions": {name: metadata.version(name) for name in LIBRARIES},
            "solo-learn": [host.FORM, host.host_info().version, commit_of(host.host_info().path)],
            "parsed": parsed(Path(folder)),
            "images": images(),
            "runs": {name: measure(name) for name in (*SCENARIOS, *LINEAR)},
        }


def main() -> None:
    """Print :func:`everything` as JSON."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    json.dump(everything(), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
