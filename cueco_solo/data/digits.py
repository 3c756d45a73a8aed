"""Real images that need no download: scikit-learn's handwritten digits as an image folder.

``digits`` are the 8x8 digits enlarged to 32x32. They are too easy to tell methods apart: 20-NN on
a barely trained backbone is above 90 %. ``digits-placed`` is the same handwriting, but size,
angle, place, brightness and ground vary from picture to picture, so that a backbone has something
to become invariant to.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cueco_solo.errors import ConfigError, config_error

SIZE = 32
MARKER = "export.json"
# Written into the marker: raise it whenever the pictures of an unchanged seed change.
VERSION = 1

Grey = NDArray[np.float64]


def export_digits(
    root: str | Path, placed: bool, seed: int = 5, of_each: int | None = None
) -> tuple[Path, Path]:
    """Write the digits as ``root/{train,val}/<class>/<number>.png``, or reuse what is there.

    1797 pictures of 32x32 in three equal channels. Every fifth picture of a class is for
    validation, whatever the seed: 1442 and 355. The same seed gives the same bytes. A marker file
    (``root/export.json``) keeps the settings and a digest of all pictures; an export that doesn't
    match it is written anew. Returns the paths of the training and the validation folder.

    Args:
        root: the folder, made if need be.
        placed: ``digits-placed`` rather than ``digits``.
        seed: of the placing; ``digits`` don't depend on it.
        of_each: pictures of each class, training and validation together; default: all.

    Raises:
        ConfigError: ``root`` can't be written, or its folders hold files that are not ours.
    """
    root = Path(root)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise config_error("seed", seed, "must be an integer >= 0")
    name = "digits-placed" if placed else "digits"
    settings: dict = {"dataset": name, "seed": seed if placed else None, "version": VERSION}
    if of_each is not None:
        settings["of_each"] = of_each
    folders = root / "train", root / "val"
    try:
        if not _complete(root, settings):
            _write(root, settings, placed, seed, of_each)
    except OSError as error:
        raise ConfigError(f"the digits can't be written: {error}; choose another folder") from error
    return folders


def _complete(root: Path, settings: dict) -> bool:
    """Whether the marker has these settings and the digest of the files that are there."""
    try:
        marker = json.loads((root / MARKER).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return marker == {**settings, "sha256": _digest(root)}


def _write(root: Path, settings: dict, placed: bool, seed: int, of_each: int | None) -> None:
    root.mkdir(parents=True, exist_ok=True)  # before scikit-learn is imported
    pictures = dict(_pictures(placed, seed, of_each))
    # Anything else in these folders would be trained on, or is not ours to overwrite.
    for path in _files(root):
        if path.relative_to(root).as_posix() not in pictures:
            raise config_error(
                "out", str(root), f"holds {path.relative_to(root)}", "choose an empty folder"
            )
    for relative, data in pictures.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    marker = {**settings, "sha256": _digest(root)}
    (root / MARKER).write_text(json.dumps(marker, indent=2) + "\n")


def _files(root: Path) -> list[Path]:
    return sorted(p for split in ("train", "val") for p in (root / split).rglob("*") if p.is_file())


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(root):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _pictures(placed: bool, seed: int, of_each: int | None) -> Iterator[tuple[str, bytes]]:
    """Yield each picture's path below the root and its PNG bytes."""
    from sklearn.datasets import load_digits

    seen: Counter[int] = Counter()
    data = load_digits()
    for index, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        if of_each is not None and seen[label] >= of_each:
            continue
        # A generator for each picture: its look doesn't depend on how many came before it.
        draw = np.random.default_rng([seed, index])
        grey = _placed_digit(image / 16, draw) if placed else _enlarged(image / 16)
        split = "val" if seen[label] % 5 == 4 else "train"
        seen[label] += 1
        pixels = Image.fromarray(np.uint8(np.clip(grey, 0, 1) * 255 + 0.5))
        buffer = io.BytesIO()
        Image.merge("RGB", [pixels] * 3).save(buffer, "PNG")
        yield f"{split}/{label}/{index:04d}.png", buffer.getvalue()


def _enlarged(image: Grey) -> Grey:
    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _placed_digit(image: Grey, draw: np.random.Generator) -> Grey:
    """Put an 8x8 digit (values in [0, 1]) somewhere on a ground, enlarged and turned."""
    size = draw.uniform(22, 30)
    angle = np.deg2rad(draw.uniform(-12, 12))
    centre = draw.uniform(size / 2, SIZE - size / 2, 2)
    brightness = draw.uniform(0.5, 1)
    # PIL wants the way back: from a pixel of the result to one of the (padded) digit.
    cos, sin = np.cos(angle) * 8 / size, np.sin(angle) * 8 / size
    (x, y), middle = centre, 5
    affine = cos, sin, middle - cos * x - sin * y, -sin, cos, middle + sin * x - cos * y
    digit = Image.fromarray(np.pad(image, 1).astype(np.float32))
    turned = digit.transform((SIZE, SIZE), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    ink = np.clip(np.asarray(turned, dtype=np.float64), 0, 1)
    return brightness * ink + (1 - ink) * _background(draw)


def _background(draw: np.random.Generator) -> Grey:
    """Weak texture (smooth blotches) under fine noise."""
    level, strength = draw.uniform(0.05, 0.25), draw.uniform(0.05, 0.2)
    blotches = Image.fromarray(draw.uniform(-1, 1, (6, 6)).astype(np.float32))
    texture = np.asarray(blotches.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return level + strength * texture + draw.normal(0, 0.04, (SIZE, SIZE))
