"""Tiny runs whose monitor looks at training images, and the same figures by hand."""

from pathlib import Path
from typing import Any

import torch
from host import tiny
from monitor_runs import configuration
from omegaconf import OmegaConf
from PIL import Image
from torchvision.transforms import functional as T

from cueco_solo import host
from cueco_solo.data.datasets import view_transforms
from cueco_solo.data.loaders import item_randomness

SEED = 5
LABEL_FREE = {
    *("alignment", "uniformity", "rankme"),
    *("cluster_active", "cluster_perplexity", "cluster_largest_share"),
}


def cfg_of(images: Path, *changes: str) -> Any:
    """A tiny run whose monitor looks at a folder of 18 images, in three folders."""
    paths = (f"data.train_path={images}/train", "data.no_labels=True", f"seed={SEED}")
    cfg = configuration("simclr", *paths, "max_epochs=1", "data.num_workers=0", *changes)
    plain = {**tiny.AUGMENTATIONS[0], "num_crops": 2}
    return OmegaConf.merge(cfg, {"augmentations": [plain], "momentum": {"classifier": False}})


def features(model: Any, x: torch.Tensor) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        found: torch.Tensor = model.backbone(x.to(memory_format=torch.channels_last))
    return found


def plain_images(folder: Path) -> torch.Tensor:
    paths = sorted((folder / "train").rglob("*.png"))
    pixels = [T.to_tensor(Image.open(path).convert("RGB")) for path in paths]
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return T.normalize(torch.stack(pixels), mean, std)


def views(cfg: Any, folder: Path, index: int) -> torch.Tensor:
    path = sorted((folder / "train").rglob("*.png"))[index]
    transform = view_transforms(cfg, host.pretrain_data.build_transform_pipeline)
    with item_randomness(SEED, -1, index):
        return torch.stack([view for _ in range(5) for view in transform(Image.open(path))])
