"""Order and augmentation depend on (seed, epoch, index) alone; bad images are named."""

import random
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import python
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

from cueco_solo.data.loaders import (
    EpochSampler,
    ReadableDataset,
    SeededDataset,
    item_randomness,
    plain_loader,
)
from cueco_solo.errors import ConfigError


class Draws(Dataset):
    """Items that are nothing but random numbers, of both generators."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[int, float, float]:
        return index, float(torch.rand(())), random.random()


def epoch_of(
    num_workers: int, epoch: int = 1, seed: int = 5, world: int = 1, rank: int = 0
) -> dict:
    dataset = SeededDataset(Draws(), seed)
    sampler = EpochSampler(dataset, world, rank, seed=seed)
    sampler.set_epoch(epoch)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=num_workers)
    rows = zip(*(torch.cat(column).tolist() for column in zip(*loader, strict=True)), strict=True)
    return {index: draws for index, *draws in rows}


def test_workers_change_nothing_and_epoch_and_seed_change_everything():
    first = epoch_of(num_workers=0)
    assert epoch_of(num_workers=2) == first
    assert list(epoch_of(num_workers=1)) == list(first)
    for other in (epoch_of(0, epoch=2), epoch_of(0, seed=6)):
        assert list(other) != list(first)
        assert all(other[index] != first[index] for index in first)


def test_draws_do_not_depend_on_the_process_that_makes_them():
    whole = epoch_of(0)
    parts = [epoch_of(0, world=2, rank=rank) for rank in (0, 1)]
    assert parts[0].keys().isdisjoint(parts[1])
    assert {**parts[0], **parts[1]} == whole


def test_order_is_that_of_torch_distributed_sampler():
    ours, torchs = (kind(range(11), 2, 1, seed=3) for kind in (EpochSampler, DistributedSampler))
    ours.set_epoch(4)
    torchs.set_epoch(4)
    assert list(ours) == [(4, index) for index in torchs]


def test_generators_of_the_main_process_go_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(0)
    random.seed(0)
    expected = torch.rand(3).tolist(), random.random()
    torch.manual_seed(0)
    random.seed(0)
    with pytest.raises(RuntimeError), item_randomness(1, 2, 3):
        torch.rand(7), random.random()
        raise RuntimeError
    assert (torch.rand(3).tolist(), random.random()) == expected


@pytest.fixture
def spoilt(tmp_path: Path) -> ImageFolder:
    for name in ("a/good.png", "b/bad.png"):
        path = tmp_path / name
        path.parent.mkdir()
        Image.new("RGB", (8, 8)).save(path)
    path.write_bytes(path.read_bytes()[:40])
    return ImageFolder(str(tmp_path), transform=ToTensor())


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image_is_named(spoilt: ImageFolder, num_workers: int):
    with pytest.raises(ConfigError, match=r"image='.*bad\.png' can't be read .*; replace or rem"):
        list(plain_loader(spoilt, 1, num_workers))


def test_an_error_in_a_transform_is_not_blamed_on_the_image(spoilt: ImageFolder):
    def broken(image: Image.Image) -> None:
        raise OSError("no such font")

    spoilt.transform = broken
    with pytest.raises(OSError, match="no such font"):
        ReadableDataset(spoilt)[0]


def test_workers_start_whatever_the_start_method():
    """Python 3.14's default pickles what a worker gets; solo-learn makes classes in functions."""
    code = """
import multiprocessing
from types import SimpleNamespace
from torch.utils.data import Dataset
from cueco_solo.data.loaders import SeededData

def make():
    class Local(Dataset):
        def __len__(self):
            return 2
        def __getitem__(self, index):
            return index
    return Local()

if __name__ == "__main__":
    multiprocessing.set_start_method("forkserver")
    data = SeededData(make(), make(), batch_size=2, num_workers=1, seed=5)
    data.trainer = SimpleNamespace(world_size=1, global_rank=0)
    for loader in (data.train_dataloader(), data.val_dataloader()):
        print(sorted(next(iter(loader)).tolist()))
"""
    done = python("-c", code)
    assert done.stdout == "[0, 1]\n[0, 1]\n", done.stderr
