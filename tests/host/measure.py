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

import torch
from host.tiny import (
    AUGMENTATIONS,
    METHOD_KWARGS,
    Record,
    build,
    build_linear,
    configuration,
    loaders,
    trainer,
)
from lightning.pytorch import seed_everything
from omegaconf import OmegaConf
from PIL import Image

from cueco_solo import host
from cueco_solo.training.environment import commit_of

LARS = ("optimizer.name=lars", "optimizer.lr=0.2", "optimizer.exclude_bias_n_norm_wd=true")
CLIPPED = (*LARS, "optimizer.kwargs={clip_lr: true, exclude_bias_n_norm: true}")
CLASSES = "data.num_classes=3"
VIT = "backbone={name: vit_tiny, kwargs: {patch_size: 8, img_size: 32}}"
# name: method and what differs from the base configuration
SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: (name, ()) for name in METHOD_KWARGS},
    "toy with small crops": ("toy", ("data.num_small_crops=2",)),
    "toy with AdamW and cosine k-NN": (
        "toy",
        (
            "optimizer.name=adamw",
            "optimizer.lr=0.00001",
            "knn_eval={enabled: true, k: 3, distance_func: cosine}",
        ),
    ),
    "toy with accumulated gradients": ("toy", ("accumulate_grad_batches=2",)),
    "toy with constant rate and three classes": ("toy", ("scheduler.name=none", CLASSES)),
    "toy on a CIFAR stem": ("toy", ("data.dataset=cifar10", "data.num_classes=10")),
    "toy with LARS": ("toy", LARS),
    "mocov2plus with clipped LARS": ("mocov2plus", CLIPPED),
    "byol with small crops": ("byol", ("data.num_small_crops=2",)),
    "byol on ViT": ("byol", (VIT,)),
}
# linear evaluation: whether with mixup, and what differs from the base configuration
LINEAR: dict[str, tuple[bool, tuple[str, ...]]] = {
    "linear": (False, (CLASSES, "scheduler.warmup_epochs=0")),
    "linear, tuned with LARS": (False, ("finetune=true", *LARS)),
    "linear with mixup and steps": (True, ("scheduler.name=step", "scheduler.lr_decay_steps=[1]")),
}
# equal up to rounding only: main computes the same in another order
ROUNDED = ("simclr", "wmse", "byol with small crops")
LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "pillow", "numpy")


def measure(name: str) -> dict[str, Any]:
    """Train one scenario for an epoch and say what happened.

    Returns:
        ``losses``, ``rates`` (per batch and parameter group), ``metrics`` of the last validation,
        and digests of the state dict: ``layout`` of its names and shapes, ``weights`` of all of it.
    """
    threads = torch.get_num_threads()
    # as recorded: other threads add in another order, which batch norm over eight samples blows up
    torch.set_num_threads(2)
    try:
        return _trained(name)
    finally:  # tests that follow in this process compare runs with those of other processes
        torch.set_num_threads(threads)


def _trained(name: str) -> dict[str, Any]:
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
