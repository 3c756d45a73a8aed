"""Image files as every data set reads them, solo-learn's own programs' included.

torchvision and solo-learn open whatever has an image's extension, follow loops of links until the
system refuses, and cut values above 255 off. Importing this imports neither torch nor Pillow.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error

# torchvision's, whose import takes seconds
IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# timm's and torchvision's, of ImageNet's training images scaled to 0..1
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image."""
    return name.lower().endswith(IMG_EXTENSIONS)


def image_files(root: Any) -> list[str]:
    """The images in a folder and in those below it, by path below it; sorted, so always the same.

    Raises:
        OSError: there is no such folder.
    """
    os.scandir(root).close()  # what can't be walked through would be left out with a warning
    found = []
    for folder, _, names in regular_walk(root):
        below = os.path.relpath(folder, root)
        place = "" if below == "." else f"{Path(below).as_posix()}/"
        found += [f"{place}{name}" for name in names if is_image(name)]
    return sorted(found)


def regular_walk(
    top: Any, followlinks: bool = True, **_: Any
) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` through links, but into no folder that it is inside of, and without devices.

    A link that leads nowhere stays in the list, for its reader to name. What is left out is said
    in a warning.
    """
    real = Path(os.path.realpath(top))
    yield from _walk(os.fspath(top), {str(real), *map(str, real.parents)}, followlinks)


def _walk(
    top: str, above: set[str], followlinks: bool
) -> Iterator[tuple[str, list[str], list[str]]]:
    folders, files = [], []
    try:
        scanned = os.scandir(top)
    except OSError as error:
        say_once(f"{top} can't be read ({error.strerror}) and is left out")
        return
    with scanned as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=followlinks):
                folders.append(entry.name)
            elif entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path)):
                files.append(entry.name)
            else:
                say_once(f"{entry.path} is no regular file and is left out")
    inside = {name: os.path.realpath(os.path.join(top, name)) for name in folders}
    if followlinks:
        for name, real in inside.items():
            if real in above:
                say_once(f"{os.path.join(top, name)} leads back to {real} and isn't followed")
                folders.remove(name)
    yield top, folders, files
    for name in folders:
        yield from _walk(os.path.join(top, name), above | {inside[name]}, followlinks)


def load_image(path: Any) -> Any:
    """An image file as a PIL image of mode ``RGB``.

    16-bit grey values are scaled from 0 to 65535, floating ones from 0 to 1; said once.

    Raises:
        ConfigError: it holds other values than these, or isn't a regular file.
    """
    from PIL import Image

    if not os.path.isfile(path) and os.path.exists(path):
        remedy = "replace or remove it"
        raise config_error("image", str(path), "is no regular file", remedy)
    with open(path, "rb") as file:
        return as_rgb(Image.open(file), path)


def as_rgb(image: Any, path: Any) -> Any:
    """A PIL image in mode ``RGB``, scaled as in :func:`load_image`; ``path`` names it in a message.

    Raises:
        ConfigError: it holds other values than these.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image = _scaled(image, path)
    return image.convert("RGB")


def _scaled(image: Any, path: Any) -> Any:
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    kind = "floating" if image.mode == "F" else f"{16 if '16' in image.mode else 32}-bit"
    low, high = (float(each) for each in (values.min(), values.max()))
    # Pillow has the values of some 16-bit formats in 32 bits, scaled to 65535
    sixteen = "16" in image.mode or image.format in ("PNG", "PPM")
    top = 1 if image.mode == "F" else 65535 if sixteen else None
    if top is None or not (low >= 0 and high <= top):
        raise config_error(
            "image",
            str(path),
            f"has {kind} values from {low:g} to {high:g}, which could mean any brightness",
            "convert it to 8 bits, or to 16 bits from 0 to 65535",
        )
    shown = "floating" if image.mode == "F" else "16-bit"
    say_once(f"{shown} images are scaled from 0..{top} to 8 bits, the first of them {path}", shown)
    return Image.fromarray((values * (255 / top) + 0.5).astype(np.uint8))


_said: set[str] = set()
# the kinds of images that were said, as bits: forked workers share it. The default start method
# stays open
_methods = multiprocessing.get_all_start_methods()
_kinds: Any = multiprocessing.get_context("fork" if "fork" in _methods else None).Value("b", 0)
_BITS = {"16-bit": 1, "floating": 2}


def say_once(text: str, kind: str | None = None) -> None:
    """Print to stderr, once per process; of a ``kind`` of images, once for its workers too."""
    if kind is None:
        new = text not in _said
        _said.add(text)
    else:
        with _kinds.get_lock():
            new = not _kinds.value & _BITS[kind]
            _kinds.value |= _BITS[kind]
    if new and os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"images: {text}", file=sys.stderr, flush=True)


class _RegularOs:
    """``os`` for torchvision's search for images."""

    walk = staticmethod(regular_walk)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def replace_in_torchvision(unlabelled: Any) -> None:
    """Let image folders and solo-learn's ``unlabelled`` data set read like this (idempotent).

    The latter then has the images of all folders below its own, too, in an order of its own.
    """
    from torchvision.datasets import folder

    folder.os = _RegularOs()
    folder.pil_loader = load_image
    unlabelled.__init__, unlabelled.__getitem__ = _unlabelled_init, _unlabelled_item


def _unlabelled_init(self: Any, root: Any, transform: Any = None) -> None:
    """solo-learn's own takes what ``os.listdir`` gives: one folder, any file, in any order."""
    self.root, self.transform = Path(root), transform
    self.images = image_files(root)


def _unlabelled_item(self: Any, index: int) -> tuple[Any, int]:
    x = load_image(Path(self.root) / self.images[index])
    return (x if self.transform is None else self.transform(x)), -1
