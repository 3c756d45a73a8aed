"""Labelled data sets that torchvision reads and a run is often evaluated on: the transfer suite.

Splits and metrics are those of Kornblith et al. 2019, *Do Better ImageNet Models Transfer Better?*,
Table 1, as SimCLR, BYOL and their successors use them. Nothing is downloaded unless it is asked
for, and torch isn't imported before a data set is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueco_solo.errors import config_error

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROOT = "datasets"
# up to here images are taken to be thumbnails, whose borders a centre crop would waste
SMALL = 64
_DRAW_SEED = 5
Options = dict[str, Any]


@dataclass(frozen=True)
class TransferSet:
    """One data set.

    Attributes:
        reader: torchvision's class.
        folder: what it is called below the folder of the data sets.
        train: options of the reader for each part of the training split.
        test: the same of the images to be scored.
        split: what these are called.
        per_class: it is usually scored by the mean of the classes' accuracies.
        drawn: where torchvision knows no splits, the images per class to train on and to score,
            None for all others; a fixed seed draws them.
        downloads: torchvision still can.
    """

    reader: str
    folder: str
    train: tuple[Options, ...] = ({},)
    test: tuple[Options, ...] = ({},)
    split: str = "train / test"
    per_class: bool = False
    drawn: tuple[int, int | None] | None = None
    downloads: bool = True


def _splits(*names: str) -> tuple[Options, ...]:
    return tuple({"split": name} for name in names)


_TEST = _splits("test")
_TRAIN_VAL: Options = {
    "train": _splits("train", "val"),
    "test": _TEST,
    "split": "train+val / test",
}
_TRAINVAL: Options = {"train": _splits("trainval"), "test": _TEST, "split": "trainval / test"}
_TRAIN_TEST: Options = {"train": _splits("train"), "test": _TEST}
_CIFAR: Options = {"train": ({"train": True},), "test": ({"train": False},)}

TRANSFER_SETS = {
    "cifar10": TransferSet("CIFAR10", "cifar-10-batches-py", **_CIFAR),
    "cifar100": TransferSet("CIFAR100", "cifar-100-python", **_CIFAR),
    "stl10": TransferSet("STL10", "stl10_binary", **_TRAIN_TEST),
    "flowers102": TransferSet("Flowers102", "flowers-102", **_TRAIN_VAL, per_class=True),
    "food101": TransferSet("Food101", "food-101", **_TRAIN_TEST),
    "pets": TransferSet("OxfordIIITPet", "oxford-iiit-pet", **_TRAINVAL, per_class=True),
    "dtd": TransferSet("DTD", "dtd", **{**_TRAIN_VAL, "split": "train+val / test, partition 1"}),
    "caltech101": TransferSet("Caltech101", "caltech101", per_class=True, drawn=(30, None)),
    "aircraft": TransferSet("FGVCAircraft", "fgvc-aircraft-2013b", **_TRAINVAL, per_class=True),
    "cars": TransferSet("StanfordCars", "stanford_cars", **_TRAIN_TEST, downloads=False),
    "sun397": TransferSet("SUN397", "SUN397", drawn=(50, 50)),
}
_ALIASES = {
    "oxfordiiitpet": "pets",
    "fgvcaircraft": "aircraft",
    "stanfordcars": "cars",
    "flowers": "flowers102",
    "food": "food101",
    "caltech": "caltech101",
}


def transfer_name(name: str) -> str | None:
    """The key of ``TRANSFER_SETS`` that a user's word means; None if it means none."""
    key = name.lower().replace("-", "").replace("_", "")
    key = _ALIASES.get(key, key)
    return key if key in TRANSFER_SETS else None


def split_words(name: str) -> str:
    """How a data set is split, in words."""
    one = TRANSFER_SETS[name]
    if one.drawn is None:
        return one.split
    train, test = one.drawn
    rest = "all others" if test is None else f"{test} more"
    return f"{train} images per class / {rest}, drawn by seed {_DRAW_SEED}"


def input_words(run_dataset: str, size: int) -> str:
    """What :func:`.transforms.evaluation_transform` makes of other data, in words."""
    how = "resized" if size <= SMALL else f"resized to {round(size * 256 / 224)}, centre crop"
    return f"{size}x{size} as the run ({how}), normalised as the run's {run_dataset}"


def check_there(name: str, root: str, download: bool, key: str = "--dataset") -> None:
    """Refuse a data set that isn't on disk, unless it shall be downloaded.

    Raises:
        ConfigError: the folder isn't there, and ``download`` isn't asked for or not possible.
    """
    one = TRANSFER_SETS[name]
    path = Path(root, one.folder)
    if path.exists() or (download and one.downloads):
        return
    where = f"give --train-path the folder that holds {one.folder}"
    if not one.downloads:
        raise config_error(
            key, name, f"isn't there: no {path}, and torchvision can't download it", where
        )
    raise config_error(key, name, f"isn't there: no {path}", f"add --download, or {where}")


class TransferImages:
    """Images of parts of torchvision's data sets, in RGB: ``(image, label)``.

    Attributes:
        targets: labels.
    """

    def __init__(self, items: list[tuple[Any, int]], targets: list[int], transform: Any) -> None:
        self.items, self.targets, self.transform = items, targets, transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        part, number = self.items[index]
        image = part[number][0].convert("RGB")  # Caltech-101 has grey ones
        return image if self.transform is None else self.transform(image), self.targets[index]

    def image_file(self, index: int) -> Path | None:
        """The file of an image, for data sets of files."""
        return _file(*self.items[index])


def _file(part: Any, index: int) -> Path | None:
    for name in ("_image_files", "_images"):
        if hasattr(part, name):
            return Path(getattr(part, name)[index])
    if hasattr(part, "_samples"):
        return Path(part._samples[index][0])
    if hasattr(part, "categories"):  # Caltech-101
        name = f"image_{part.index[index]:04d}.jpg"
        return Path(part.root, "101_ObjectCategories", part.categories[part.y[index]], name)
    return None


def _labels(part: Any) -> list[int]:
    for name in ("_labels", "targets", "labels", "y"):
        if hasattr(part, name):
            return [int(label) for label in getattr(part, name)]
    return [int(label) for _, label in part._samples]


def _parts(name: str, root: str, options: tuple[Options, ...], download: bool) -> list[Any]:
    from torchvision import datasets

    one = TRANSFER_SETS[name]
    reader = getattr(datasets, one.reader)
    try:
        return [reader(root, download=download and one.downloads, **part) for part in options]
    except Exception as error:  # of the file system, the network, or of files that are damaged
        text = " ".join(str(error).split()) or type(error).__name__
        text = text.partition(". You can use download")[0]
        remedy = f"remove {Path(root, one.folder)} and add --download"
        reason = f"can't be read from {root} ({text})"
        raise config_error("--dataset", name, reason, remedy) from error


def transfer_datasets(
    data: "DictConfig", train: Callable | None, test: Callable | None
) -> tuple[TransferImages, TransferImages]:
    """Training and validation images of a data set in ``TRANSFER_SETS``.

    Args:
        data: ``dataset`` is its name, ``train_path`` the folder that holds it, ``download`` says
            whether it is fetched if it's missing.
        train, test: transforms of the images; None leaves them as they are.

    Raises:
        ConfigError: the data set isn't there, can't be read or can't be downloaded.
    """
    name, root, download = data.dataset, str(data.train_path), bool(data.get("download"))
    check_there(name, root, download)
    one = TRANSFER_SETS[name]
    if one.drawn:
        (whole,) = _parts(name, root, one.train, download)
        chosen = _drawn(name, whole, *one.drawn)
        items = [[(whole, index) for index in indices] for indices in chosen]
    else:
        items = [
            [(part, i) for part in _parts(name, root, options, download) for i in range(len(part))]
            for options in (one.train, one.test)
        ]
    labels = {id(part): _labels(part) for split in items for part in dict(split)}
    first, second = (
        TransferImages(split, [labels[id(part)][i] for part, i in split], transform)
        for split, transform in zip(items, (train, test), strict=True)
    )
    return first, second


def _drawn(name: str, whole: Any, train: int, test: int | None) -> tuple[list[int], list[int]]:
    """Indices to train on and to score, the same on every machine.

    Raises:
        ConfigError: a class has too few images.
    """
    import numpy as np

    members: dict[int, list[int]] = {}
    for index, label in enumerate(_labels(whole)):
        members.setdefault(label, []).append(index)
    chosen: tuple[list[int], list[int]] = ([], [])
    for label, indices in sorted(members.items()):
        ordered = sorted(indices, key=lambda index: str(_file(whole, index)))
        places = np.random.default_rng([_DRAW_SEED, label]).permutation(len(ordered))
        order = [ordered[place] for place in places]
        end = len(order) if test is None else train + test
        if len(order) <= train or len(order) < end:
            reason = f"has {len(order)} images of class {label}, too few for {split_words(name)}"
            raise config_error("--dataset", name, reason, "get the data set anew")
        chosen[0].extend(order[:train])
        chosen[1].extend(order[train:end])
    return chosen
