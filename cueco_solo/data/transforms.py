"""Transforms of labelled images, at the size that a network was trained with."""

from collections.abc import Callable
from typing import Any

from torchvision import transforms as T

from cueco_solo.data.transfer_sets import SMALL
from cueco_solo.host.images import IMAGENET_MEAN, IMAGENET_STD


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
            list(augmentation.get("mean", IMAGENET_MEAN)),
            list(augmentation.get("std", IMAGENET_STD)),
        ),
    ]
    train = [T.RandomResizedCrop(size, scale=(0.08, 1.0)), T.RandomHorizontalFlip()]
    return T.Compose([*train, *tensor]), T.Compose([*_resize(size), *tensor])


def _resize(size: int) -> list[Any]:
    if size <= SMALL:
        return [T.Resize((size, size))]
    return [T.Resize(round(size * 256 / 224)), T.CenterCrop(size)]


def evaluation_transform(data: Any, run_dataset: str, augmentation: Any) -> Callable:
    """Transform of the images that a run is evaluated on, PIL image -> [3, size, size].

    On the run's own data it is :func:`labelled_transforms`'s for validation. On another data set,
    marked by ``data.other``, images of any size get the size of the run's first view, and the
    normalisation that the run was trained with.

    Args:
        data: of the evaluation.
        run_dataset: ``data.dataset`` of the run.
        augmentation: the run's first view.
    """
    _, own = labelled_transforms(run_dataset, augmentation)
    if not data.get("other"):
        if data.dataset == run_dataset:
            return own
        return labelled_transforms(data.dataset, augmentation)[1]
    steps = own.transforms  # type: ignore[attr-defined]
    (normalise,) = [step for step in steps if isinstance(step, T.Normalize)]
    return T.Compose([*_resize(augmentation["crop_size"]), T.ToTensor(), normalise])
