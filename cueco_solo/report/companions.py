"""Training images with those that RCL's hierarchy has put beside them, level by level."""

from typing import Any

import torch

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.report.document import Companions, Level
from cueco_solo.report.thumbnails import Album
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import Run

_IMAGES, _MEMBERS = 6, 8


def companions(run: Run, album: Album, seed: int) -> list[Companions]:
    """A few training images with the most similar members of their cluster on each level.

    Members that a lower level shows already are left out where the cluster has others. Read from
    the checkpoint's buffers, without a network.

    Args:
        run: of RCL.
        album: its pictures.
        seed: of the choice of images.

    Raises:
        ConfigError: the checkpoint can't be read or has no clusters, or the images aren't those
            that it was trained with.
    """
    state = read_checkpoint(run.checkpoint, "checkpoint")["state_dict"]
    labels, bank = state.get("hierarchy.labels"), state.get("hierarchy.bank")
    if labels is None or bank is None:
        raise ConfigError("this run has one level only, so no clusters")
    if not int(state["hierarchy.runs"]):
        raise ConfigError("the run's checkpoint is from before its first clustering")
    if (there := album.size("train")) != labels.shape[1]:
        allowed = f"holds {there} images, but the run was trained with {labels.shape[1]}"
        raise config_error("data.train_path", str(album.data.train_path), allowed)
    return [_companions(int(i), labels, bank, album) for i in _chosen(labels, bank, seed)]


def _chosen(labels: torch.Tensor, bank: torch.Tensor, seed: int) -> torch.Tensor:
    """Random images of different clusters, first those that have new company on every level.

    Raises:
        ConfigError: every image is alone on all levels.
    """
    sizes = torch.stack([torch.bincount(row, minlength=len(row))[row] for row in labels])
    new = (sizes[1:] > sizes[:-1]).sum(0) * (bank != 0).any(1)
    if not new.any():
        raise ConfigError("every training image is alone in its clusters")
    shuffled = torch.randperm(len(new), generator=torch.Generator().manual_seed(seed))
    order = shuffled[new[shuffled].argsort(descending=True, stable=True)]
    order = order[new[order] > 0]
    taken: set[int] = set()
    first = []
    for index in order.tolist():
        top = int(labels[-1, index])
        if top not in taken:
            first.append(index)
            taken.add(top)
        if len(first) == _IMAGES:
            break
    rest = [index for index in order[: 2 * _IMAGES].tolist() if index not in first]
    return torch.tensor([*first, *rest][:_IMAGES])


def _companions(image: int, labels: torch.Tensor, bank: torch.Tensor, album: Album) -> Companions:
    levels: list[Level] = []
    similarity: Any = bank[image].float()
    for number in range(2, len(labels) + 1):
        same = labels[number - 1] == labels[number - 1, image]
        below = labels[number - 2] == labels[number - 2, image]
        shown = same & ~below if (same & ~below).any() else same
        members = shown.nonzero().squeeze(1)
        members = members[members != image]
        nearest = (bank[members].float() @ similarity).argsort(descending=True, stable=True)
        images = [album.add("train", int(i)) for i in members[nearest[:_MEMBERS]]]
        levels.append(Level(level=number, size=int(same.sum()), images=images))
    return Companions(image=album.add("train", image), levels=levels)
