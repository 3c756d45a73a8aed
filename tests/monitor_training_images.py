"""Tiny runs whose monitor looks at training images, and the same figures by hand."""

from pathlib import Path
from typing import Any

import torch
from host import tiny
from lightning.pytorch.strategies import DDPStrategy
from monitor_runs import configuration, fit
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


def cfg_of(images: Path, *changes: str, method: str = "simclr") -> Any:
    """A tiny run whose monitor looks at a folder of 18 images, in three folders."""
    paths = (f"data.train_path={images}/train", "data.no_labels=True", f"seed={SEED}")
    cfg = configuration(method, *paths, "max_epochs=1", "data.num_workers=0", *changes)
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


def one_of_two(rank: int, folder: Path) -> None:
    """What each of two processes does; an odd number of images leaves one out."""
    torch.manual_seed(5)
    images = Path((folder / "images.txt").read_text())
    some = ("online_clustering.training_images=17", "online_clustering.lidar_images=5")
    model = tiny.build(cfg_of(images, *some, method="toy"))  # which gathers on both forms
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=False)
    rows = fit(model, val=False, devices=2, strategy=strategy, limit_train_batches=1)
    order = torch.randperm(18, generator=torch.Generator().manual_seed(SEED))
    own, viewed = (order[:number].sort().values[: number - 1][rank::2] for number in (17, 5))
    content = {
        "rows": rows.epochs,
        "plain": features(model, plain_images(images)[own]),
        "views": torch.stack([features(model, views(model.cfg, images, int(i))) for i in viewed]),
    }
    torch.save(content, folder / f"rank{rank}.pt")
