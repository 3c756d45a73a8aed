"""Tiny Self-Classifier models and data for its tests."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from omegaconf import DictConfig
from support import Views, small_cfg
from torch.utils.data import DataLoader, Dataset

from cueco_solo.methods.self_classifier import SelfClassifier

# with dimensions of 16 and both temperatures unlike the other's
SMALL = {
    "mlp_dims": [32, 24, 16],
    "num_heads": 3,
    "head_size": 6,
    "temperature": 0.3,
    "column_temperature": 0.2,
    "normalize_rows": True,
}
V2 = {"preset": "v2", "temperature": 0.1, "column_temperature": 0.05, "fixed_classifier": True}
SMALL_CROPS = {"data__num_small_crops": 2}


def self_classifier_cfg(method_kwargs: dict[str, Any], **overrides: Any) -> DictConfig:
    """Small sizes."""
    return small_cfg("self_classifier", method_kwargs={**SMALL, **method_kwargs}, **overrides)


def self_classifier(cfg: dict[str, Any] | None = None, /, **method_kwargs: Any) -> SelfClassifier:
    """A fresh model under seed 5; ``cfg`` has further settings, as in ``small_cfg``."""
    seed_everything(5)
    return SelfClassifier(self_classifier_cfg(method_kwargs, **(cfg or {})))


class MultiCrop(Views):
    """With two crops of 16 pixels beside the large ones."""

    def __getitem__(self, i: int) -> tuple[int, list[torch.Tensor], int]:
        index, views, label = super().__getitem__(i)
        return index, [*views, views[0][:, :16, 8:24], views[1][:, 16:, 8:24]], label


class Labelled(Dataset):
    """``(view, label)`` as in validation."""

    def __init__(self, n: int):
        self.views = Views(n, seed=1)

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        _, (view, _), label = self.views[i]
        return view, label


def multicrop_loader(n: int = 16, **kwargs: Any) -> DataLoader:
    return DataLoader(MultiCrop(n), **{"batch_size": 8, **kwargs})
