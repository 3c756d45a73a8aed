"""All images of a data set, decoded once and kept in memory."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from cueco_solo.data.loaders import ReadableDataset, image_file
from cueco_solo.data.reading import usable_cpus
from cueco_solo.errors import ConfigError, config_error

_CHUNK = 64
_SHARE = 0.5  # of the free memory; the rest is left to the training


def decoded(dataset: Any, processes: int) -> tuple[Tensor, Tensor]:
    """The images and labels of a data set.

    Args:
        dataset: items are ``(index, PIL image of mode RGB, label)``.
        processes: on this machine that each keep these images.

    Returns:
        uint8 [N, 3, H, W] and int64 [N].

    Raises:
        ConfigError: images have different sizes, don't fit into memory or can't be read.
    """
    items = ReadableDataset(dataset)
    width, height = items[0][1].size
    number = len(items)
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if first:  # for all: when the others start, it has taken its part of the free memory
        _check_memory(number, height, width, processes)
    images = np.empty((number, 3, height, width), np.uint8)
    labels = np.empty(number, np.int64)

    def read(start: int) -> int:
        indexes = range(start, min(start + _CHUNK, number))
        for index in indexes:
            _, image, label = items[index]
            if image.size != (width, height):
                raise _other_size(dataset, index, image.size, (width, height))
            images[index], labels[index] = np.moveaxis(np.asarray(image), 2, 0), int(label)
        return len(indexes)

    pool = ThreadPoolExecutor(min(32, usable_cpus()))
    try:
        with tqdm(
            total=number, desc="decoding images", delay=2, leave=False, disable=not first
        ) as bar:
            for done in pool.map(read, range(0, number, _CHUNK)):
                bar.update(done)
    finally:
        pool.shutdown(cancel_futures=True)
    return torch.from_numpy(images), torch.from_numpy(labels)


def _check_memory(number: int, height: int, width: int, processes: int) -> None:
    needed, free = number * 3 * height * width * processes, free_memory()
    if free is None or needed <= _SHARE * free:
        return
    several = f" in each of {processes} processes" if processes > 1 else ""
    raise config_error(
        "data.augment",
        "device",
        f"keeps {number} images of {width} x {height} pixels{several}, that is "
        f"{_gigabytes(needed)}, but may take half of the free memory, {_gigabytes(_SHARE * free)}",
        "set data.augment=workers, or write the images smaller",
    )


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:.3g} GB"


def free_memory() -> int | None:
    """Bytes that this machine, or the container, has left; None where it isn't known."""
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(x for x in lines if x.startswith("MemAvailable")).split()[1]))
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes",) * 2):
        with suppress(OSError, ValueError):  # "max" is no number
            root = Path("/sys/fs/cgroup")
            most = int((root / limit).read_text())
            # what is used is in part a cache of files, which gives way
            found.append(most if used == limit else max(most - _held(root, used), 0))
    return min(found, default=None)


def _held(root: Path, used: str) -> int:
    stat = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    return int((root / used).read_text()) - int(stat.get("inactive_file", 0))


def _other_size(
    dataset: Any, index: int, size: tuple[int, int], first: tuple[int, int]
) -> ConfigError:
    names = [str(image_file(dataset, each) or f"image {each}") for each in (index, 0)]
    sizes = [f"{wide} x {high} pixels" for wide, high in (size, first)]
    reason = f"needs images of one size, but {names[0]} has {sizes[0]} and {names[1]} {sizes[1]}"
    remedy = "set data.augment=workers, or write them in one size"
    return config_error("data.augment", "device", reason, remedy)
