"""Tiny data sets in the folders that torchvision's readers expect, with images of several sizes."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

_TINTS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def write_image(path: Path, number: int, label: int, grey: bool = False) -> None:
    """Noise with the label's tint, wider than high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 50, (20 + number % 5, 28, 3))
    pixels = np.uint8(noise + np.array(_TINTS[label % 3]))
    Image.fromarray(pixels[..., 0] if grey else pixels).save(path)


def pets(root: Path, train: int = 4, test: tuple[int, ...] = (1, 2, 3)) -> None:
    base, number = root / "oxford-iiit-pet", 0
    (base / "annotations").mkdir(parents=True)
    for split, counts in (("trainval", (train,) * len(test)), ("test", test)):
        lines = []
        for label, count in enumerate(counts):
            for _ in range(count):
                number += 1
                write_image(base / "images" / f"breed{label}_{number}.jpg", number, label)
                lines.append(f"breed{label}_{number} {label + 1} 1 1\n")
        (base / "annotations" / f"{split}.txt").write_text("".join(lines))


def dtd(root: Path) -> None:
    base = root / "dtd" / "dtd"
    (base / "labels").mkdir(parents=True)
    for start, split in enumerate(("train", "val", "test")):
        names = [f"kind{label}/kind{label}_{3 * start + i}.jpg" for label in (0, 1) for i in (0, 1)]
        (base / "labels" / f"{split}1.txt").write_text("\n".join(names) + "\n")
        for number, name in enumerate(names):
            write_image(base / "images" / name, number, number // 2)


def aircraft(root: Path) -> None:
    base = root / "fgvc-aircraft-2013b" / "data"
    base.mkdir(parents=True)
    (base / "variants.txt").write_text("707-320\nA 380\n")
    for start, split in enumerate(("trainval", "test")):
        lines = []
        for number, name in enumerate(("707-320", "A 380", "A 380")):
            write_image(base / "images" / f"{start}{number}.jpg", number, number)
            lines.append(f"{start}{number} {name}\n")
        (base / f"images_variant_{split}.txt").write_text("".join(lines))


def food101(root: Path) -> None:
    base = root / "food-101"
    (base / "meta").mkdir(parents=True)
    for start, split in enumerate(("train", "test")):
        names = {kind: [f"{kind}/{start}{i}" for i in range(2)] for kind in ("pizza", "soup")}
        (base / "meta" / f"{split}.json").write_text(json.dumps(names))
        for label, paths in enumerate(names.values()):
            for path in paths:
                write_image(base / "images" / f"{path}.jpg", 1, label)


def caltech101(root: Path, images: int = 33) -> None:
    base = root / "caltech101" / "101_ObjectCategories"
    (base / "BACKGROUND_Google").mkdir(parents=True)
    for label, name in enumerate(("airplanes", "wrench")):
        for number in range(images + label):
            file = base / name / f"image_{number + 1:04d}.jpg"
            write_image(file, number, label, grey=number == 0)


def cars(root: Path) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array(["a", "b"], dtype=object)})
    kinds = [("fname", object), ("class", object)]
    for file, folder in (
        (base / "devkit" / "cars_train_annos.mat", "cars_train"),
        (base / "cars_test_annos_withlabels.mat", "cars_test"),
    ):
        rows = [(f"{number}.jpg", 1 + number % 2) for number in range(3)]
        for name, label in rows:
            write_image(base / folder / name, label, label)
        savemat(file, {"annotations": np.array(rows, dtype=kinds)})


def sun397(root: Path, images: int = 101) -> None:
    base = root / "SUN397"
    base.mkdir()
    (base / "ClassName.txt").write_text("/a/abbey\n/a/apse/indoor\n")
    for label, name in enumerate(("a/abbey", "a/apse/indoor")):
        for number in range(images):
            write_image(base / name / f"sun_{label}{number:03d}.jpg", number, label)


def flowers102(root: Path) -> None:
    """Its annotations don't have the digests that torchvision checks."""
    base = root / "flowers-102"
    for number in range(1, 9):
        write_image(base / "jpg" / f"image_{number:05d}.jpg", number, number)
    savemat(base / "imagelabels.mat", {"labels": np.array([1, 2, 1, 2, 1, 2, 1, 2])})
    splits = {"trnid": [1, 2], "valid": [3, 4], "tstid": [5, 6, 7, 8]}
    savemat(base / "setid.mat", {key: np.array(ids) for key, ids in splits.items()})


WRITERS = {
    writer.__name__: writer
    for writer in (pets, dtd, aircraft, food101, caltech101, cars, sun397, flowers102)
}
