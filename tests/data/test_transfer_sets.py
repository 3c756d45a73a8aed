"""The transfer suite: splits, labels, what isn't there."""

from pathlib import Path

import pytest
from omegaconf import DictConfig
from support import refusal
from transfer_folders import WRITERS

from cueco_solo.data.transfer_sets import (
    TRANSFER_SETS,
    check_there,
    split_words,
    transfer_datasets,
    transfer_name,
)

# images to train on and to score, of the tiny copies
SIZES = {
    "pets": (12, 6),
    "dtd": (8, 4),
    "aircraft": (3, 3),
    "food101": (4, 4),
    "caltech101": (60, 7),
    "cars": (3, 3),
    "sun397": (100, 100),
    "flowers102": (4, 4),
}


def opened(name: str, root: Path) -> tuple:
    data = DictConfig({"dataset": name, "train_path": str(root)})
    return transfer_datasets(data, None, None)


@pytest.mark.parametrize("name", SIZES)
def test_splits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from torchvision.datasets import Flowers102

    monkeypatch.setattr(Flowers102, "_check_integrity", lambda self: True)
    WRITERS[name](tmp_path)
    train, test = opened(name, tmp_path)
    assert (len(train), len(test)) == SIZES[name]
    files = [{dataset.image_file(i) for i in range(len(dataset))} for dataset in (train, test)]
    assert [len(split) for split in files] == list(SIZES[name])  # each image once
    assert not files[0] & files[1]
    assert all(path.is_file() for split in files for path in split)
    for dataset in (train, test):
        assert set(dataset.targets) == set(train.targets) == set(range(len(set(train.targets))))
        image, label = dataset[len(dataset) - 1]
        assert image.mode == "RGB"
        assert label == dataset.targets[-1]
    again = opened(name, tmp_path)[0]
    assert [again.image_file(i) for i in range(len(again))] == [
        train.image_file(i) for i in range(len(train))
    ]


def test_labels_are_those_of_the_images(tmp_path: Path):
    """The tint of each image tells its class."""
    WRITERS["caltech101"](tmp_path)
    for dataset in opened("caltech101", tmp_path):
        for i in range(0, len(dataset), 5):
            image, label = dataset[i]
            red, green, _ = image.resize((1, 1)).getpixel((0, 0))
            assert (green > red) == (label == 1) or red == green  # the grey one


def test_drawn_splits_are_balanced(tmp_path: Path):
    WRITERS["sun397"](tmp_path, images=103)
    for dataset in opened("sun397", tmp_path):
        assert [dataset.targets.count(label) for label in (0, 1)] == [50, 50]
    assert split_words("sun397") == "50 images per class / 50 more, drawn by seed 5"
    assert split_words("caltech101").startswith("30 images per class / all others")


def test_the_usual_metrics():
    """Of Kornblith et al. 2019, Table 1."""
    found = {name for name, one in TRANSFER_SETS.items() if one.per_class}
    assert found == {"flowers102", "pets", "caltech101", "aircraft"}


@pytest.mark.parametrize(
    ("word", "name"),
    [("OxfordIIITPet", "pets"), ("CIFAR-10", "cifar10"), ("fgvc_aircraft", "aircraft")],
)
def test_names(word: str, name: str):
    assert transfer_name(word) == name
    assert transfer_name(f"my{word}") is None


@pytest.mark.parametrize("name", TRANSFER_SETS)
def test_what_isnt_there(name: str, tmp_path: Path):
    text = refusal(check_there, name, str(tmp_path), download=False)
    assert f"--dataset='{name}' isn't there: no {tmp_path}" in text
    assert ("add --download" in text) == (name != "cars")
    assert not list(tmp_path.iterdir())


def test_cars_cant_be_downloaded(tmp_path: Path):
    text = refusal(check_there, "cars", str(tmp_path), download=True)
    assert "torchvision can't download it; give --train-path the folder that holds" in text


def test_damaged_files(tmp_path: Path):
    WRITERS["dtd"](tmp_path)
    (tmp_path / "dtd" / "dtd" / "labels" / "val1.txt").unlink()
    assert "--dataset='dtd' can't be read from" in refusal(opened, "dtd", tmp_path)


def test_too_few_images_to_draw_from(tmp_path: Path):
    WRITERS["caltech101"](tmp_path, images=30)
    text = refusal(opened, "caltech101", tmp_path)
    assert "has 30 images of class 0, too few for 30 images per class / all others" in text
