"""Tiny models of the methods with a queue of keys, CueCo and RCL."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from omegaconf import DictConfig
from support import small_cfg, unit

from cueco_solo.methods.cueco import CueCo
from cueco_solo.methods.rcl import RCL


def cueco(**method_kwargs: Any) -> CueCo:
    """A fresh model under seed 5."""
    seed_everything(5)
    return CueCo(small_cfg(**{f"method_kwargs__{k}": v for k, v in method_kwargs.items()}))


def clustered_cueco(**method_kwargs: Any) -> CueCo:
    """A model as it is right after its first K-means."""
    model = cueco(**method_kwargs)
    model.queue.enqueue(unit(2, 64, 16))
    model._recluster(model.queue.filled().flatten(0, 1))
    return model


def rcl_cfg(method_kwargs: dict[str, Any], **overrides: Any) -> DictConfig:
    """Small sizes, and radii at which untrained networks make some clusters of 32 images."""
    kwargs = {
        "proj_hidden_dim": 32,
        "proj_output_dim": 16,
        "pred_hidden_dim": 32,
        "queue_size": 48,
        "num_samples": 32,
        "hierarchy_warmup_epochs": 1,
        "dbscan_eps": [0.9, 0.7, 0.5],
        "dbscan_min_samples": 2,
        "kmeans_clusters": [3, 8, 16],
        **method_kwargs,
    }
    return small_cfg("rcl", method_kwargs=kwargs, **overrides)


def rcl(**method_kwargs: Any) -> RCL:
    """A fresh model under seed 5."""
    seed_everything(5)
    return RCL(rcl_cfg(method_kwargs))


def clustered_rcl(levels: list[list[int]], index: list[int] | None = None, **kwargs: Any) -> RCL:
    """A model with given labels from level 2 up, and these samples in its queue."""
    number = len(levels[0]) if levels else 0
    model = rcl(num_samples=number, num_levels=len(levels) + 1, **kwargs)
    model.hierarchy.restart(torch.tensor(levels))
    model._runs = 1
    if index:
        model.queue.enqueue(unit(2, len(index), 16), torch.tensor(index))
    return model
