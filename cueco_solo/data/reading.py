"""Reads every image once before a training; torch isn't imported for it."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cueco_solo.errors import ConfigError, config_error, one_line
from cueco_solo.host.images import image_files, load_image

# from the first process to those that Lightning starts: what it has found unreadable
VARIABLE = "CUECO_SOLO_UNREADABLE"
_LONGEST = 100_000  # what an environment takes is limited: then each process reads for itself
_CHUNK = 64
_SHOWN = 10


def usable_cpus() -> int:
    """CPUs that this process may use, which a job of a cluster has fewer of than its machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass
class Found:
    """What there is in a folder of images.

    Attributes:
        images: number of those that can be read.
        unreadable: why not, by the path below the folder, in its order.
        sides: the shortest side in pixels, and the longest; None of no images.
        small: number of images with a side below the asked one.
        modes: number of images by Pillow's word for their channels.
    """

    images: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    sides: tuple[int, int] | None = None
    small: int = 0
    modes: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Found") -> None:
        """Take in what was found among further images."""
        self.images += other.images
        self.small += other.small
        self.modes += other.modes
        self.unreadable |= other.unreadable
        both = [sides for sides in (self.sides, other.sides) if sides]
        self.sides = (min(s[0] for s in both), max(s[1] for s in both)) if both else None


def read_images(
    root: Path,
    names: Sequence[str],
    side: int = 0,
    threads: int | None = None,
) -> Found:
    """Decode each image, JPEG at an eighth of its size, which finds all that training would.

    Args:
        root: the folder.
        names: of the images, below it.
        side: images with a shorter one are counted.
        threads: that read; default: one per usable CPU, at most 32.
    """
    from tqdm import tqdm

    chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    found = Found()
    pool = ThreadPoolExecutor(threads or min(32, usable_cpus()))
    quiet = os.environ.get("LOCAL_RANK", "0") != "0"
    try:
        parts: Iterator[Found] = pool.map(lambda chunk: _read_chunk(root, chunk, side), chunks)
        # seen only if it takes a while
        with tqdm(
            total=len(names), desc="reading images", delay=2, leave=False, disable=quiet
        ) as bar:
            for chunk, part in zip(chunks, parts, strict=True):
                found.add(part)
                bar.update(len(chunk))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _read_chunk(root: Path, names: Sequence[str], side: int) -> Found:
    found = Found()
    for name in names:
        try:
            width, height, mode = _size(root / name)
        except Exception as error:
            found.unreadable[name] = _reason(error, root / name)
            continue
        short = min(width, height)
        one = Found(1, {}, (short, max(width, height)), int(short < side), Counter([mode]))
        found.add(one)
    return found


def _size(path: Path) -> tuple[int, int, str]:
    """Width, height and channels of an image that can be decoded to its end."""
    from PIL import Image

    if not os.path.isfile(path) and os.path.exists(path):
        raise OSError("no regular file")
    with open(path, "rb") as file:
        image: Any = Image.open(file)
        size: tuple[int, int, str] = *image.size, image.mode
        if image.mode.startswith("I") or image.mode == "F":
            load_image(path)  # not all values are understood
        else:
            image.draft("RGB", (1, 1))
            image.load()
    return size


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, ConfigError):
        return str(error).removeprefix(f"image={str(path)!r} ").partition(";")[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = one_line(error)
    named = "cannot identify image file" in text
    return "no image, or cut off" if named else text.replace(str(path), "it")


def listed(unreadable: dict[str, str]) -> list[str]:
    """The first ten of what can't be read, with the reason."""
    listed = [f"{name} ({why})" for name, why in list(unreadable.items())[:_SHOWN]]
    more = len(unreadable) - _SHOWN
    return [*listed, f"and {more} more"] if more > 0 else listed


def unreadable_images(data: DictConfig, side: int) -> tuple[list[str], list[str]]:
    """Read the training images, where ``data.check_images`` asks for it.

    What is left out goes to the environment, for the processes that this one starts.

    Args:
        data: ``cfg.data`` of a pre-training, with checked paths.
        side: of the crops, in pixels.

    Returns:
        Names below ``data.train_path`` that are to be left out, and lines to tell.

    Raises:
        ConfigError: an image can't be read and isn't to be left out, or none can be read.
    """
    skip, no_labels = bool(data.get("skip_unreadable")), bool(data.get("no_labels"))
    asked = data.get("check_images")
    root = Path(data.train_path)
    if not (skip or (no_labels if asked is None else asked)):
        names = image_files(root) if no_labels else []
        return [], [_told(names, no_labels)] if no_labels else []
    if known := os.environ.get(VARIABLE):
        return json.loads(known), []
    names = image_files(root)
    found = read_images(root, names, side)
    number, named = len(found.unreadable), listed(found.unreadable)
    if number and not (skip and found.images):
        which = ", ".join(named)
        remedy = "replace or remove them"
        if no_labels and found.images:
            remedy += ", or leave them out: --skip-unreadable, or data.skip_unreadable=True"
        reason = f"holds {number} of {len(names)} images that can't be read: {which}"
        raise config_error("data.train_path", str(root), reason, remedy)
    lines = [_told(names, no_labels)]
    if found.sides:
        lines[0] += f"; their sides have {found.sides[0]} to {found.sides[1]} pixels"
    if found.small:
        lines.append(f"images: {found.small} have a side below the {side} pixels of a crop")
    if number:
        left_out = f"images: {number} of {len(names)} can't be read and are left out"
        lines.append("\n  ".join([left_out, *named]))
    text = json.dumps(list(found.unreadable))
    if len(text) <= _LONGEST:
        os.environ[VARIABLE] = text
    return list(found.unreadable), lines


def _told(names: Sequence[str], no_labels: bool) -> str:
    folders = len({name.rpartition("/")[0] for name in names})
    where = f"{folders} folder{'s' if folders != 1 else ''}"
    taken = ", which aren't taken for classes" if no_labels and folders > 1 else ""
    return f"images: {len(names)} in {where}{taken}"
