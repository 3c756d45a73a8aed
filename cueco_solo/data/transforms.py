"""Transforms of labelled images, at the size that a network was trained with."""

from collections.abc import Callable
from typing import Any

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torchvision import transforms as T

# up to here images are taken to be thumbnails, whose borders a centre crop would waste
_SMALL = 64


def labelled_transforms(dataset: str, augmentation: Any) -> tuple[Callable, Callable]:
    """Training and validation transform for a classifier on ``dataset``.

    solo-learn's own for the data sets that it knows. For ``custom`` data solo-learn has 224 pixels
    hard-wired; here the size, and the normalisation if given, are those of the pre-training.

    Args:
        augmentation: one entry of ``augmentations``: ``crop_size``, optionally ``mean``, ``std``.

    Returns:
        (training transform, validation transform), PIL image -> float tensor [3, size, size].
    """
    if dataset != "custom":
        from cueco_solo.host import classification_data

        return classification_data.prepare_transforms(dataset)
    size = augmentation["crop_size"]
    tensor = [
        T.ToTensor(),
        T.Normalize(
            list(augmentation.get("mean", IMAGENET_DEFAULT_MEAN)),
            list(augmentation.get("std", IMAGENET_DEFAULT_STD)),
        ),
    ]
    train = [T.RandomResizedCrop(size, scale=(0.08, 1.0)), T.RandomHorizontalFlip()]
    whole = (
        [T.Resize((size, size))]
        if size <= _SMALL
        else [T.Resize(round(size * 256 / 224)), T.CenterCrop(size)]
    )
    return T.Compose([*train, *tensor]), T.Compose([*whole, *tensor])
