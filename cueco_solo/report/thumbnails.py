"""Pictures of a data set, small enough to be in the page."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image, features

from cueco_solo.data.datasets import labelled_datasets, training_set
from cueco_solo.data.loaders import ReadableDataset, image_file
from cueco_solo.errors import config_error
from cueco_solo.report.document import Images

_SIDE = 32
_ENCODINGS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 75, "method": 4},
    "jpeg": {"quality": 80, "optimize": True},
    "png": {"optimize": True},
}


def thumbnail(image: Image.Image) -> str:
    """The picture, at most 32 pixels wide and high, as the smallest ``data:`` URI."""
    small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    encoded = {kind: _encoded(small, kind) for kind in _ENCODINGS if _can_write(kind)}
    kind = min(encoded, key=lambda kind: len(encoded[kind]))
    return f"data:image/{kind};base64,{base64.b64encode(encoded[kind]).decode()}"


def _can_write(kind: str) -> bool:
    return kind != "webp" or bool(features.check("webp"))


def _encoded(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **_ENCODINGS[kind])
    return buffer.getvalue()


def balanced(labels: NDArray, number: int, seed: int) -> NDArray[np.integer]:
    """Random samples, as many of each class as there are, up to a number in all; ascending.

    Args:
        labels: ``[N]``.
        number: of samples, at most.
        seed: of the choice.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=int)  # the how manieth of its class each is
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:number])


class Album:
    """The pictures of the runs that share their data, each once.

    Args:
        data: ``cfg.data`` of the pre-training; a data set is opened when it is first asked for.
    """

    def __init__(self, data: DictConfig) -> None:
        self.data = data
        self.num_classes = 0
        self._sets: dict[str, Any] = {}
        self._places: dict[tuple[str, int], int] = {}
        self._thumbnails: list[str] = []

    def _opened(self, split: str) -> Any:
        if split not in self._sets:
            if split == "train":
                self._sets[split] = training_set(self.data, None)
            else:  # without looking through the training set
                data = DictConfig({**self.data, "train_path": self.data.val_path})
                self._sets[split] = labelled_datasets(data, None, None)[1]
        return self._sets[split]

    def size(self, split: str) -> int:
        """Number of images of ``"test"``, or of ``"train"`` as the pre-training numbers them."""
        return len(self._opened(split))

    def add(self, split: str, index: int) -> int:
        """The picture's place among the thumbnails.

        Raises:
            ConfigError: the image can't be read.
        """
        if (split, index) not in self._places:
            item = ReadableDataset(self._opened(split))[index]
            image = item[1] if split == "train" else item[0]
            if not isinstance(image, Image.Image):
                raise config_error("data.dataset", self.data.dataset, "gives no pictures")
            self._thumbnails.append(thumbnail(image))
            self._places[split, index] = len(self._thumbnails) - 1
        return self._places[split, index]

    def name(self, split: str, index: int) -> str:
        """Class folder and file of the image; its number where the data aren't files."""
        path = image_file(self._opened(split), index)
        return f"image {index}" if path is None else "/".join(path.parts[-2:])

    def images(self) -> Images:
        """The thumbnails so far, and the names of the classes."""
        named = [opened.classes for opened in self._sets.values() if hasattr(opened, "classes")]
        classes = named[0] if named else range(self.num_classes)
        return Images(classes=list(map(str, classes)), thumbnails=self._thumbnails)
