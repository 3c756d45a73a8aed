"""Training data whose order and augmentation depend on (seed, epoch, sample index) alone.

So a resumed run continues with exactly the batches of an uninterrupted one, and neither the number
of workers nor what else draws random numbers changes a single pixel.
"""

import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset, get_worker_info

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.host.images import load_image
from cueco_solo.signals import leave_to_parent


class EpochSampler(DistributedSampler):
    """``DistributedSampler`` (one process is a world of one) that yields ``(epoch, index)``.

    The epoch travels with the index because workers are told of nothing else.

    Attributes:
        skipped: samples that the first pass leaves out at its beginning, which a run that is
            resumed amid an epoch has had. Its length stays that of an epoch.
    """

    skipped = 0

    def set_epoch(self, epoch: int) -> None:
        """Another epoch has all its samples, even if nothing of this one was left to read."""
        if epoch != self.epoch:
            self.skipped = 0
        super().set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        epoch, skipped, self.skipped = self.epoch, self.skipped, 0
        return ((epoch, index) for index in islice(super().__iter__(), skipped, None))


@contextmanager
def item_randomness(*key: int) -> Iterator[None]:
    """Seed ``random`` and torch's CPU generator from ``key``; afterwards put both back.

    Both are what torchvision's and solo-learn's augmentations draw from. They are put back in the
    main process only, whose model draws from them too: it takes twice as long as the seeding.
    """
    main = get_worker_info() is None
    if main:
        torch_state, python_state = torch.default_generator.get_state(), random.getstate()
    digest = blake2b(repr(key).encode(), digest_size=8).digest()
    seed = int.from_bytes(digest, "big", signed=True)
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        if main:
            torch.default_generator.set_state(torch_state)
            random.setstate(python_state)


def image_file(dataset: Any, index: int) -> Path | None:
    """The image file behind an item, for datasets that read files."""
    if isinstance(dataset, Subset):
        return image_file(dataset.dataset, dataset.indices[index])
    if hasattr(dataset, "image_file"):
        return dataset.image_file(index)
    if hasattr(dataset, "samples"):
        return Path(dataset.samples[index][0])
    if hasattr(dataset, "images"):
        return Path(dataset.root) / dataset.images[index]
    return None


def _decoding_error(path: Path | None) -> ConfigError | None:
    """The error to show if ``path`` is an image that can't be decoded."""
    if path is None:
        return None
    try:
        load_image(path)
    except Exception as error:
        reason = str(error).splitlines()[0].replace(str(path), "it") or type(error).__name__
        return config_error(
            "image", str(path), f"can't be read ({reason})", "replace or remove the file"
        )
    return None


class ReadableDataset(Dataset):
    """``dataset``, but an image that can't be decoded is named.

    Raises (on access):
        ConfigError: the file that can't be read.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        try:
            return self.dataset[index]
        except ConfigError:
            raise
        except Exception as error:
            # asked only now: decoding every image twice would double the loading time
            if unreadable := _decoding_error(image_file(self.dataset, index)):
                raise unreadable from error
            raise


class SeededDataset(ReadableDataset):
    """``dataset`` indexed by :class:`EpochSampler`'s pairs, its randomness a function of them."""

    def __init__(self, dataset: Any, seed: int) -> None:
        super().__init__(dataset)
        self.seed = seed

    def __getitem__(self, index: tuple[int, int]) -> Any:
        epoch, item = index
        with item_randomness(self.seed, epoch, item):
            return super().__getitem__(item)


def _worker_options(number: int) -> dict[str, Any]:
    """``num_workers``, and how they are started: solo-learn's data sets can't be pickled.

    A loader draws a seed for its workers whenever it starts. Nothing here depends on it, so it
    comes from a generator of its own: the model's random numbers are then the same however often
    data are read, and go on in a resumed run.
    """
    fork = number > 0 and "fork" in multiprocessing.get_all_start_methods()
    return {
        "num_workers": number,
        "multiprocessing_context": "fork" if fork else None,
        "worker_init_fn": leave_to_parent,
        "generator": torch.Generator(),
    }


def plain_loader(dataset: Any, batch_size: int, num_workers: int) -> DataLoader:
    """A loader in the dataset's own order that keeps the last, smaller batch."""
    return DataLoader(
        ReadableDataset(dataset),
        batch_size=batch_size,
        pin_memory=torch.cuda.is_available(),
        **_worker_options(num_workers),
    )


class ResumableLoader(DataLoader):
    """A loader whose sampler knows where to go on."""

    # Lightning warns of going on amid an epoch with loaders that don't have these two. The position
    # isn't read from here: Lightning restores it after it has made the iterator.
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class SeededData(LightningDataModule):
    """Training and validation loaders for one ``Trainer.fit``.

    Args:
        batch_size: samples per process and step; an incomplete last batch is dropped.
        num_workers: loading processes per process.
        first_epoch: the epoch that the fit starts with. Lightning makes the first iterator, whose
            workers start to load at once, before it tells the sampler the epoch of a resumed run.
        first_batch: the batch of it that the fit starts with.

    Attributes:
        train: indexed by :class:`EpochSampler`'s pairs.
        collate: makes samples of it a batch; None: as torch does.
    """

    train: Any
    collate: Callable[[Any], Any] | None = None

    def __init__(
        self,
        train: Any,
        val: Any | None,
        batch_size: int,
        num_workers: int,
        seed: int,
        first_epoch: int = 0,
        first_batch: int = 0,
    ) -> None:
        super().__init__()
        self.train, self.val = SeededDataset(train, seed), val
        self.batch_size, self.num_workers = batch_size, num_workers
        self.seed, self.first_epoch, self.first_batch = seed, first_epoch, first_batch

    def train_dataloader(self) -> DataLoader:
        trainer: Any = self.trainer  # Lightning sets it before
        sampler = EpochSampler(self.train, trainer.world_size, trainer.global_rank, seed=self.seed)
        sampler.set_epoch(self.first_epoch)
        sampler.skipped = self.first_batch * self.batch_size
        return ResumableLoader(
            self.train,
            batch_size=self.batch_size,
            sampler=sampler,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=True,
            collate_fn=self.collate,
            **_worker_options(self.num_workers),
        )

    def val_dataloader(self) -> Any:
        if self.val is None:
            return []
        return plain_loader(self.val, self.batch_size, self.num_workers)
