"""Tiny CueCo models for its tests."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import seed_everything
from support import small_cfg

from cueco_solo.methods.cueco import CueCo


def unit(*shape: int) -> torch.Tensor:
    """Random unit vectors."""
    return F.normalize(torch.randn(*shape), dim=-1)


def cueco(**method_kwargs: Any) -> CueCo:
    """A fresh model under seed 5."""
    seed_everything(5)
    return CueCo(small_cfg(**{f"method_kwargs__{k}": v for k, v in method_kwargs.items()}))


def clustered(**method_kwargs: Any) -> CueCo:
    """A model as it is right after its first K-means."""
    model = cueco(**method_kwargs)
    model.queue.enqueue(unit(2, 64, 16))
    model._recluster(model.queue.filled().flatten(0, 1))
    return model
