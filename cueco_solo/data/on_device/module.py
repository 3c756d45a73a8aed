"""Loaders whose batches become views on the model's device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cueco_solo.data.loaders import SeededData
from cueco_solo.data.on_device.draws import Draws, draw
from cueco_solo.data.on_device.images import decoded
from cueco_solo.data.on_device.settings import Augmentation
from cueco_solo.data.on_device.views import make_view


class UnaugmentedBatch:
    """Decoded images and the parameters of their views.

    No collection to Lightning, as a dataclass would be: it is moved by :meth:`to`, and the
    parameters stay float32 whatever the precision of the training.

    Attributes:
        indexes: int64 [B], in the data set.
        images: uint8 [B, 3, H, W].
        labels: int64 [B].
        draws: of each view.
    """

    def __init__(self, indexes: Tensor, images: Tensor, labels: Tensor, draws: list[Draws]) -> None:
        self.indexes, self.images, self.labels = indexes, images, labels
        self.draws = draws

    def to(self, device: Any, **_: Any) -> "UnaugmentedBatch":
        """The same on another device."""
        device = torch.device(device)
        free = device.type == "cuda"
        return UnaugmentedBatch(
            self.indexes.to(device, non_blocking=free),
            self.images.to(device, non_blocking=free),
            self.labels.to(device, non_blocking=free),
            [each.to(device, free) for each in self.draws],
        )

    def pin_memory(self) -> "UnaugmentedBatch":
        """The same in page-locked memory."""
        return UnaugmentedBatch(
            self.indexes.pin_memory(),
            self.images.pin_memory(),
            self.labels.pin_memory(),
            [each.pin_memory() for each in self.draws],
        )


class DecodedDataset(Dataset):
    """Batches of a data set that is kept in memory, by :class:`.loaders.EpochSampler`'s pairs.

    Workers that are forked read the very same memory.

    Args:
        dataset: items are ``(index, PIL image, label)``.
        kinds: of the views, in their order.
        seed: of the run.
        processes: on this machine that keep the images.

    Raises:
        ConfigError: as :func:`.images.decoded`.
    """

    def __init__(
        self, dataset: Any, kinds: Sequence[Augmentation], seed: int, processes: int = 1
    ) -> None:
        self.dataset, self.kinds, self.seed = dataset, list(kinds), seed
        self.images, self.labels = decoded(dataset, processes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, pair: tuple[int, int]) -> UnaugmentedBatch:
        return self.__getitems__([pair])

    def __getitems__(self, pairs: Sequence[tuple[int, int]]) -> UnaugmentedBatch:
        """The batch of these pairs of one epoch; DataLoader asks for all at once."""
        epoch, samples = pairs[0][0], np.array([index for _, index in pairs], np.int64)
        indexes = torch.from_numpy(samples)
        height, width = self.images.shape[-2:]
        draws = [
            draw(kind, height, width, self.seed, epoch, samples, view)
            for view, kind in enumerate(self.kinds)
        ]
        return UnaugmentedBatch(indexes, self.images[indexes], self.labels[indexes], draws)


def _as_it_is(batch: UnaugmentedBatch) -> UnaugmentedBatch:
    return batch


class DeviceAugmentedData(SeededData):
    """:class:`.loaders.SeededData` whose training batches are augmented on the device.

    What the model gets is what it gets of solo-learn's loaders: ``[indexes, views, labels]``.

    Args:
        kinds: of the views, in their order.
        processes: on this machine that keep the images.
        place: what else :class:`.loaders.SeededData` takes.
    """

    collate = staticmethod(_as_it_is)

    def __init__(
        self,
        train: Any,
        val: Any | None,
        kinds: Sequence[Augmentation],
        processes: int,
        *place: int,
    ) -> None:
        super().__init__(train, val, *place)
        self.train = DecodedDataset(train, kinds, self.seed, processes)
        self.kinds = list(kinds)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Make the views; batches of a validation stay as they are."""
        if not isinstance(batch, UnaugmentedBatch):
            return batch
        views: Any = [
            make_view(batch.images, draws, kind)
            for draws, kind in zip(batch.draws, self.kinds, strict=True)
        ]
        if self.trainer is not None:  # which has done this with floats that came from the loader
            views = self.trainer.precision_plugin.convert_input(views)
        return [batch.indexes, views, batch.labels]
