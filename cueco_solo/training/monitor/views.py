"""What the monitor's callbacks share: when they compute, and features of views of images."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

PAIRS = 128  # of views, of all processes


def is_due(trainer: Trainer, every_n_epochs: int, between: int = 1) -> bool:
    """Whether the present epoch counts; the last one always does.

    Args:
        every_n_epochs: from one computation to the next.
        between: epochs from one chance to compute to the next.
    """
    epochs = trainer.current_epoch + 1
    passed = epochs // every_n_epochs > (epochs - between) // every_n_epochs
    return passed or epochs == trainer.max_epochs


def two_views(batch: Any, number: int) -> list[Tensor]:
    """The first two crops of some images of a training batch, if it has two of one size."""
    crops = batch[1] if isinstance(batch, list | tuple) and len(batch) > 1 else []
    if not isinstance(crops, list | tuple) or len(crops) < 2 or crops[0].shape != crops[1].shape:
        return []
    return [crop[:number].clone() for crop in crops[:2]]


@contextmanager
def evaluated(backbone: torch.nn.Module) -> Iterator[None]:
    """In eval mode and without gradients; afterwards every module is in the mode it was in."""
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def backbone_features(images: Tensor, trainer: Trainer, module: Any) -> Any:
    """What the backbone makes of images ``[N, 3, H, W]``, in the mode that it is in."""
    x = images.to(module.device)
    if not module.no_channel_last:
        x = x.to(memory_format=torch.channels_last)
    with trainer.precision_plugin.forward_context():
        return module.backbone(x)


def pair_features(images: Sequence[Tensor], trainer: Trainer, module: Any) -> Tensor:
    """``[2, M, D]`` of the views, of none if there are none."""
    if not images:
        return torch.empty(2, 0, 1, device=module.device)
    features: Tensor = backbone_features(torch.cat(list(images)), trainer, module)
    return features.unflatten(0, (2, -1))


def gathered_pairs(views: Tensor, all_gather: Callable[[Tensor], Tensor]) -> Tensor:
    """``[2, M, D]`` of all processes."""
    all_views = all_gather(views).reshape(-1, *views.shape)
    return all_views.transpose(0, 1).flatten(1, 2)
