"""Semi-supervised classification: the whole backbone fine-tuned on a share of the labels."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from torch import nn
from torch.utils.data import Subset

from cueco_solo.data.datasets import labelled_datasets
from cueco_solo.data.transforms import labelled_transforms
from cueco_solo.errors import config_error
from cueco_solo.evaluation.linear import fitted_accuracies, parse_linear
from cueco_solo.evaluation.per_image import PerImage


def finetune_data(data: DictConfig, view: Any) -> tuple[Any, Any]:
    """Training set, of which a subset is to be taken, and validation set.

    Args:
        view: an entry of the pre-training's ``augmentations``, for the size of the images.

    Raises:
        ConfigError: the data can't be had, or is an HDF5 file.
    """
    if data.get("format") == "h5":
        raise config_error(
            "data.format",
            "h5",
            "can't be read in part",
            "give the images as folders with --train-path and --val-path",
        )
    return labelled_datasets(data, *labelled_transforms(data.dataset, view))


def unaugmented_images(data: DictConfig, view: Any) -> Any:
    """The training set as :func:`finetune_data` has it, its images as those of the validation set.

    Raises:
        ConfigError: the data can't be had.
    """
    _, val = labelled_transforms(data.dataset, view)
    return labelled_datasets(data, val, val)[0]


def parse_finetune(cfg: DictConfig, images: int) -> DictConfig:
    """As :func:`parse_linear`, but the batch holds all images of the subset if they are so few.

    Raises:
        ConfigError: see :func:`~cueco_solo.evaluation.linear.parse_linear`.
    """
    cfg = cfg.copy()
    size = cfg.optimizer.batch_size
    if isinstance(size, int) and size > images:
        cfg.optimizer.batch_size = images
    return parse_linear(cfg, finetune=True)


def finetune_accuracies(
    backbone: nn.Module,
    cfg: DictConfig,
    train: Any,
    val: Any,
    chosen: Sequence[int],
    images: PerImage | None = None,
) -> dict[str, float]:
    """Fine-tune a backbone and a linear head on some of the training images.

    Args:
        backbone: trained further, in place.
        chosen: numbers of the training images.
        images: where the right answers are noted.

    Returns:
        Percent on the validation set after the last epoch: ``top1``, ``top5``.

    Raises:
        ConfigError: an image can't be read, or the loss isn't finite.
    """
    return fitted_accuracies(thawed(backbone), cfg, Subset(train, chosen), val, images)


def thawed(backbone: nn.Module) -> nn.Module:
    """The backbone itself: Lightning leaves modes as they are, solo-learn's model thaws nothing."""
    return backbone.train().requires_grad_(True)
