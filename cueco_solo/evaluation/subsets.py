"""The share of the training images whose labels a semi-supervised evaluation may see.

A subset is written as text, one image a line: its path below the training folder, or its number in
a data set that isn't one of files. So it can be looked at, and read again elsewhere.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error
from cueco_solo.files import write_text


def _sort_key(*key: Any) -> bytes:
    """The position in a random order that is the same on every machine."""
    return blake2b(repr(key).encode(), digest_size=8).digest()


def _members(labels: Sequence[int], seed: int) -> dict[int, list[int]]:
    """Numbers of the images of each class, classes and images in an order that the seed decides."""
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(int(label), []).append(index)
    for indices in members.values():
        indices.sort(key=lambda index: _sort_key(seed, "image", index))
    classes = sorted(members, key=lambda label: _sort_key(seed, "class", label))
    return {label: members[label] for label in classes}


def _in_turns(members: Mapping[int, Sequence[int]]) -> list[int]:
    """One image of each class after another; a class that has no more images is passed over."""
    turns = zip_longest(*members.values())
    return [index for turn in turns for index in turn if index is not None]


def balanced_order(labels: Sequence[int], seed: int) -> list[int]:
    """Numbers of all images, of whose beginning each class has the same number, give or take one.

    Classes take turns, in an order and with an order of their images that the seed decides; a class
    that has no more images is passed over.
    """
    return _in_turns(_members(labels, seed))


def balanced_subset(labels: Sequence[int], percent: float, seed: int) -> list[int]:
    """Numbers of images, ascending, of which each class has the same number, give or take one.

    The beginning of :func:`balanced_order`. So a smaller share is part of a larger one.

    Args:
        percent: of all images, in (0, 100]; there is one of each class in any case.
        seed: names the subset.
    """
    sequence = balanced_order(labels, seed)
    return sorted(sequence[: max(len(set(labels)), round(percent * len(sequence) / 100))])


def held_out(labels: Sequence[int], percent: float, seed: int) -> list[int]:
    """Numbers of training images, ascending, to choose settings on while the others are learnt.

    Balanced as :func:`balanced_subset`, but at least half of each class is left to learn from: of a
    class with one image nothing is held out.

    Args:
        percent: of all images, in (0, 100); there is one of each other class in any case.
        seed: names the part.

    Returns:
        Nothing where no class has two images.
    """
    halves = {label: own[: len(own) // 2] for label, own in _members(labels, seed).items()}
    sequence = _in_turns(halves)
    least = sum(bool(half) for half in halves.values())
    return sorted(sequence[: max(least, round(percent * len(labels) / 100))])


def labels_of(dataset: Any) -> list[int]:
    """Labels of a data set of torchvision's, without reading an image."""
    found = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    return [int(label) for label in found]


def _names(dataset: Any) -> list[str]:
    """What each image is called in a subset file."""
    if not hasattr(dataset, "samples"):
        return [str(index) for index in range(len(dataset))]
    root = Path(dataset.root)
    return [Path(path).relative_to(root).as_posix() for path, _ in dataset.samples]


def write_subset(path: Path, dataset: Any, chosen: Sequence[int]) -> None:
    """Write a subset file.

    Raises:
        ConfigError: the file can't be written.
    """
    names = _names(dataset)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(f"{names[index]}\n" for index in chosen))
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        raise config_error("subset", str(path), reason, "make the run folder writable") from error


def read_names(path: Path) -> list[str]:
    """The lines of a subset file.

    Raises:
        ConfigError: the file can't be read.
    """
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        reason = f"can't be read ({error})"
        raise config_error("--subset", str(path), reason, "give a text file") from error


def read_subset(path: Path, dataset: Any, percent: float) -> list[int]:
    """Numbers of the images that a subset file names, ascending.

    File names without a folder are enough where they are unique.

    Args:
        path: a file as :func:`write_subset` makes it, or a published list.
        percent: the share of the training data that it must hold.

    Raises:
        ConfigError: the file can't be read, names an unknown image or one twice, has no image of
            some class, or is another share of the data.
    """

    def error(reason: str, remedy: str = "give a list of other images") -> Exception:
        return config_error("--subset", str(path), reason, remedy)

    names = _names(dataset)
    numbers: dict[str, int | None] = {}
    for index, name in enumerate(names):
        bare = name.rpartition("/")[2]
        numbers[bare] = None if bare in numbers else index
    numbers.update((name, index) for index, name in enumerate(names))
    chosen = []
    for line in filter(None, map(str.strip, read_names(path))):
        number = numbers.get(line)
        if number is None:
            known = "is ambiguous" if line in numbers else "is not found"
            shown = line if len(line) <= 80 else f"{line[:80]}..."
            raise error(f"names {shown!r}, which {known}", f"write names like {names[0]}")
        chosen.append(number)
    if len(set(chosen)) < len(chosen):
        raise error(f"names {len(chosen) - len(set(chosen))} images twice")
    labels = labels_of(dataset)
    if missing := set(labels) - {labels[index] for index in chosen}:
        raise error(f"has no image of {len(missing)} of the {len(set(labels))} classes")
    share = percent * len(labels) / 100
    if abs(len(chosen) - share) > len(set(labels)):
        raise error(
            f"has {len(chosen)} images, but --percent {percent:g} are {share:.0f}",
            f"give --percent {100 * len(chosen) / len(labels):.2g}",
        )
    return sorted(chosen)
