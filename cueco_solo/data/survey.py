"""What is in a folder of labelled images, and what is wrong with it; torch isn't imported."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cueco_solo.data.known import Known, recognised
from cueco_solo.data.reading import Found, listed, read_images
from cueco_solo.errors import config_error
from cueco_solo.host.images import image_files

_TRAIN, _VAL = ("train",), ("val", "valid", "validation", "test")
_SHOWN = 10
_BLOCK = 1 << 20


@dataclass
class Split:
    """One folder with a folder for each class.

    Attributes:
        name: of the folder: ``train``, ``val``, ...; empty for the folder that was given.
        root: the folder.
        names: of the images, by path below it.
        found: what could be read of them.
    """

    name: str
    root: Path
    names: list[str]
    found: Found = field(default_factory=Found)

    @property
    def classes(self) -> Counter[str]:
        """Number of images by class folder; those beside the folders are of class ``""``."""
        return Counter(name.partition("/")[0] if "/" in name else "" for name in self.names)


@dataclass
class Survey:
    """What :func:`survey` found.

    Attributes:
        splits: in the order training, validation.
        known: the data set that it is, or nearly is.
        twice: groups of files with the same bytes, each as split and name.
        problems: one line each.
    """

    splits: list[Split]
    known: Known | None
    twice: list[list[str]]
    problems: list[str]

    def lines(self) -> list[str]:
        """All of it as text."""
        found = []
        for split in self.splits:
            found += [_described(split, self.known)]
            found += [f"  can't be read: {line}" for line in listed(split.found.unreadable)]
        if self.twice:
            number = sum(len(group) - 1 for group in self.twice)
            found.append(f"{number} files are copies of others:")
            found += [f"  {' = '.join(group)}" for group in self.twice[:_SHOWN]]
            if len(self.twice) > _SHOWN:
                found.append(f"  and {len(self.twice) - _SHOWN} more groups")
        return found


def survey(folder: Path) -> Survey:
    """Read every image below a folder with ``train/`` and ``val/``, or with a folder per class.

    Raises:
        ConfigError: it isn't there or holds no image.
    """
    if not folder.is_dir():
        raise config_error("FOLDER", str(folder), "must be a folder of images", "check the path")
    splits = [
        Split(path.name if path != folder else "", path, image_files(path))
        for path in _parts(folder)
    ]
    if not any(split.names for split in splits):
        raise config_error("FOLDER", str(folder), "holds no image", "check the path")
    for split in splits:
        split.found = read_images(split.root, split.names)
    known = recognised([name for name in splits[0].classes if name])
    twice = _twice(splits)
    return Survey(splits, known, twice, list(_problems(splits, known, twice)))


def _parts(folder: Path) -> list[Path]:
    """The folders of the splits, or the folder itself."""
    there = {entry.name for entry in os.scandir(folder) if entry.is_dir()}
    found = [next((n for n in names if n in there), None) for names in (_TRAIN, _VAL)]
    return [folder / name for name in found if name] if any(found) else [folder]


def _twice(splits: Sequence[Split]) -> list[list[str]]:
    """Groups of files with equal bytes; only those of one size are read again."""
    by_size: dict[int, list[tuple[Split, str]]] = defaultdict(list)
    for split in splits:
        for name in split.names:
            if name not in split.found.unreadable:
                by_size[os.path.getsize(split.root / name)].append((split, name))
    groups: dict[str, list[str]] = defaultdict(list)
    for alike in by_size.values():
        if len(alike) > 1:
            for split, name in alike:
                place = f"{split.name}/{name}".lstrip("/")
                groups[_digest(split.root / name)].append(place)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _described(split: Split, known: Known | None) -> str:
    counts = sorted(number for name, number in split.classes.items() if name)
    words = [
        f"{split.name or split.root}: {len(split.names)} images",
        f"{len(counts)} classes of {counts[0]} to {counts[-1]}" if counts else "no classes",
    ]
    if split.found.sides:
        words.append(f"sides of {split.found.sides[0]} to {split.found.sides[1]} pixels")
    words.append(", ".join(f"{n} {mode}" for mode, n in split.found.modes.most_common()))
    if known:
        words.append(f"taken for {known.name}")
    return "; ".join(word for word in words if word)


def _problems(
    splits: Sequence[Split], known: Known | None, twice: Sequence[Sequence[str]]
) -> Iterable[str]:
    for split in splits:
        where = split.name or str(split.root)
        if split.found.unreadable:
            yield f"{where}: {len(split.found.unreadable)} images can't be read"
        if outside := split.classes.get(""):
            yield f"{where}: {outside} images lie in no class folder"
        empty = [
            entry.name
            for entry in sorted(os.scandir(split.root), key=lambda entry: entry.name)
            if entry.is_dir() and entry.name not in split.classes
        ]
        if empty:
            yield f"{where}: {len(empty)} class folders hold no image ({_some(empty)})"
        if known and (split.name or "train") in known.images:
            yield from _unexpected(split, where, known)
    if len(splits) == 2:
        train, val = (set(split.classes) - {""} for split in splits)
        for one, other, names in (
            (splits[0], splits[1], sorted(train - val)),
            (splits[1], splits[0], sorted(val - train)),
        ):
            if names:
                yield f"{other.name} lacks {len(names)} classes of {one.name} ({_some(names)})"
        crossing = [group for group in twice if len({name.partition("/")[0] for name in group}) > 1]
        if crossing:
            yield f"{len(crossing)} images are in both {splits[0].name} and {splits[1].name}"
    labels = [{_label(name) for name in group} for group in twice]
    if several := sum(len(group) > 1 for group in labels):
        yield f"{several} images are in more than one class"


def _label(name: str) -> str:
    """The class of ``split/class/.../file``; empty for ``split/file``."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def _unexpected(split: Split, where: str, known: Known) -> Iterable[str]:
    name = split.name or "train"
    counts = {label: n for label, n in split.classes.items() if label}
    if len(counts) != known.classes:
        yield f"{where}: {len(counts)} classes, where {known.name} has {known.classes}"
    if len(split.names) != known.images[name]:
        yield f"{where}: {len(split.names)} images, where {known.name} has {known.images[name]}"
    low, high = known.per_class[name]
    if odd := sorted(label for label, n in counts.items() if not low <= n <= high):
        yield (
            f"{where}: {len(odd)} classes have not the {low} to {high} images of {known.name} "
            f"({_some([f'{label} {counts[label]}' for label in odd])})"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
