"""Paths that can't be used are refused in one line with key, value and remedy."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torchvision
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from support import refusal

from cueco_solo.data.checks import IMG_EXTENSIONS, check_batch_size, check_paths


def data(root: Path, **changes: Any) -> DictConfig:
    paths = {"train_path": str(root / "train"), "val_path": str(root / "val")}
    return OmegaConf.create({"dataset": "custom", "format": "image_folder", **paths, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(tmp_path / split / name / "1.png")
    return tmp_path


refused = partial(refusal, check_paths)


def test_good_folders_pass(folder: Path):
    check_paths(data(folder))
    check_paths(data(folder, val_path=None))
    check_paths(data(folder, train_path=str(folder / "train" / "cat"), no_labels=True))
    check_paths(data(folder, dataset="cifar10", train_path=str(folder / "to-be-downloaded")))


@pytest.mark.parametrize("key", ["train_path", "val_path"])
def test_a_path_must_be_an_existing_folder(folder: Path, key: str):
    assert f"data.{key}='nowhere' doesn't exist (looked for in" in refusal(
        check_paths, data(folder, **{key: "nowhere"})
    )
    file = str(folder / "train" / "cat" / "1.png")
    assert f"data.{key}={file!r} is a file; give the folder" in refusal(
        check_paths, data(folder, **{key: file})
    )


def test_a_path_that_no_system_has_or_nobody_may_read(folder: Path):
    long = "a" * 300
    assert f"data.train_path='{long}' can't be read (File name too long)" in refusal(
        check_paths, data(folder, train_path=long)
    )
    (folder / "train").chmod(0)
    root = os.geteuid() == 0  # who may read all
    if root:
        os.seteuid(65534)
    try:
        message = refused(data(folder))
    finally:
        if root:
            os.seteuid(0)
        (folder / "train").chmod(0o755)
    assert "can't be read (Permission denied); check the path and its permissions" in message


@pytest.mark.parametrize("missing", [None, "???"])
def test_a_training_path_is_needed(folder: Path, missing: Any):
    assert "set data.train_path=DIR" in refused(data(folder, train_path=missing))


def test_empty_folders_and_classes(folder: Path):
    (folder / "train" / "cat" / "1.png").rename(folder / "train" / "cat" / "notes.txt")
    assert "has no image in its class cat; fill or remove it" in refused(data(folder))
    (folder / "empty").mkdir()
    assert "is empty" in refused(data(folder, train_path=str(folder / "empty")))
    assert "is empty" in refusal(
        check_paths, data(folder, train_path=str(folder / "empty"), no_labels=True)
    )


def test_images_without_class_folders_say_how_to_go_on(folder: Path):
    flat = str(folder / "train" / "dog")
    message = refused(data(folder, train_path=flat))
    assert "has no class folders" in message
    assert "data.no_labels=True" in message
    check_paths(data(folder, train_path=flat, no_labels=True))


def test_one_class_says_how_to_train_without_labels(folder: Path):
    root = folder / "train"
    (root / "cat" / "1.png").unlink()
    (root / "cat").rmdir()
    message = refused(data(folder))
    assert "has one class only (dog)" in message
    remedy = message.split(", or ")[1]
    assert remedy == f"data.no_labels=True data.train_path={root / 'dog'}"
    check_paths(data(folder, train_path=str(root / "dog"), no_labels=True, val_path=None))


def test_folders_of_folders_are_no_classes_without_labels(folder: Path):
    check_paths(data(folder, no_labels=True))
    (folder / "train" / "notes.txt").touch()
    check_paths(data(folder, no_labels=True))
    none = str(folder / "none")
    (folder / "none" / "below").mkdir(parents=True)
    message = refusal(check_paths, data(folder, train_path=none, no_labels=True))
    assert "holds no image; give a folder of images (.jpg, " in message


def test_a_class_for_each_image_is_refused(folder: Path):
    """Those of three and more; ``photos/0001/1.png`` is no labelled data set."""
    for name in ("fox", "owl"):
        shutil.copytree(folder / "train" / "cat", folder / "train" / name)
    message = refused(data(folder, val_path=None))
    assert "has one image in each of its 4 folders, which are taken for classes" in message
    assert "set data.no_labels=True" in message
    (folder / "train" / "owl" / "more").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "train" / "owl" / "more" / "2.png")
    check_paths(data(folder, val_path=None))


def test_what_dali_would_read_without_labels(folder: Path):
    flat = str(folder / "train" / "cat")
    check_paths(data(folder, train_path=flat, no_labels=True, format="dali"))
    message = refused(data(folder, no_labels=True, format="dali"))
    assert message.startswith("data.format='dali' takes all that lies in data.train_path for an")
    assert "but there is cat; use data.format=image_folder" in message
    skipping = data(folder, train_path=flat, no_labels=True, format="dali", skip_unreadable=True)
    assert "data.skip_unreadable=True can't be done with data.format=dali" in refused(skipping)


def test_validation_has_the_classes_of_training(folder: Path):
    (folder / "val" / "dog").rename(folder / "val" / "wolf")
    message = refused(data(folder))
    assert message.startswith("data.val_path=")
    assert "but has wolf and lacks dog" in message


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"fraction": 1.5}, "data.fraction=1.5 must be below 1"),
        ({"fraction": 0.5, "dataset": "cifar10"}, "for data in folders"),
        ({"format": "h5", "train_path": "no.h5"}, "give the HDF5 file"),
    ],
)
def test_data_settings(folder: Path, changes: dict[str, Any], text: str):
    assert text in refused(data(folder, **changes))


def test_a_batch_must_be_smaller_than_the_data():
    check_batch_size(8, 2, 16)
    message = refusal(check_batch_size, 8, 2, 15)
    assert "optimizer.batch_size=8 times 2 processes must be at" in message
    assert "set optimizer.batch_size to 7 or less" in refusal(check_batch_size, 8, 1, 7)


def test_the_extensions_are_those_that_torchvision_reads():
    assert IMG_EXTENSIONS == torchvision.datasets.folder.IMG_EXTENSIONS
