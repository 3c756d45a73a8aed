"""The key of kept features: what changes it, and what is no part of it."""

import os
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import support
from support import a_byte_of_the_checkpoint

from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.feature_cache import features_key
from cueco_solo.training.run_folder import load_run


def change_args(folder: Path, key: str, value: Any) -> None:
    support.change_args(folder, **{key: value})


def an_image_in(split: str, what: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda folder: what(folder.parent / "images" / split / "red" / "0.png")


def touch(path: Path) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def longer(path: Path) -> None:
    stat = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGES = {
    "checkpoint": a_byte_of_the_checkpoint,
    "train image's time": an_image_in("train", touch),
    "val image's time": an_image_in("val", touch),
    "val image's size": an_image_in("val", longer),
    "train image's name": an_image_in("train", lambda path: path.rename(path.with_name("a.png"))),
    "one image less": an_image_in("train", Path.unlink),
    **{
        key: lambda folder, key=key, value=value: change_args(folder, key, value)
        for key, value in {
            "data.dataset": "imagenet100",
            "data.format": "dali",
            "data.fraction": 0.5,
            "backbone.name": "resnet50",
            "backbone.kwargs.a": 1,
            "method": "simclr",
            "augmentations": [{"crop_size": 24}, {"crop_size": 24}],
        }.items()
    },
    "paths": lambda folder: change_args(
        folder, "data.train_path", str(folder.parent / "images/val")
    ),
    "normalisation": lambda folder: change_args(
        folder, "augmentations", [{"crop_size": 32, "mean": [0.5, 0.5, 0.5]}]
    ),
}


def key(folder: Path, untrained: bool = False) -> str:
    run = load_run(folder)
    return features_key(run, evaluation_data(run), untrained)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_another_key(run: Path, change: Callable[[Path], Any]):
    before = key(run)
    assert key(run) == before
    change(run)
    assert key(run) != before


def test_versions_are_part_of_the_key(run: Path, monkeypatch: pytest.MonkeyPatch):
    before = key(run)
    with monkeypatch.context() as patched:
        patched.setattr("torchvision.__version__", "0")
        assert key(run) != before
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0" if name == "timm" else version(name))
    assert key(run) != before


def test_what_decides_nothing_is_no_part_of_the_key(run: Path):
    before, untrained = key(run), key(run, untrained=True)
    change_args(run, "data.num_workers", 3)
    change_args(run, "optimizer.lr", 7)
    shutil.move(run.parent / "images", run.parent / "elsewhere")
    for split in ("train", "val"):
        change_args(run, f"data.{split}_path", str(run.parent / "elsewhere" / split))
    assert (key(run), key(run, untrained=True)) == (before, untrained)
    change_args(run, "seed", 99)  # decides where training starts
    assert key(run) == before
    assert key(run, untrained=True) not in (before, untrained)
    a_byte_of_the_checkpoint(run)
    assert key(run) != before


@pytest.mark.parametrize(
    ("dataset", "folder"),
    [
        ("cifar10", "cifar-10-batches-py"),
        ("cifar100", "cifar-100-python"),
        ("stl10", "stl10_binary"),
    ],
)
def test_of_a_downloaded_data_set_only_its_own_files_count(run: Path, dataset: str, folder: str):
    root = run.parent / "datasets"
    (root / folder).mkdir(parents=True)
    for name in ("train_path", "val_path"):
        change_args(run, f"data.{name}", str(root))
    change_args(run, "data.dataset", dataset)
    before = key(run)
    (root / "other").write_text("")
    assert key(run) == before
    (root / folder / "batch").write_text("")
    assert key(run) != before


def test_an_h5_file_counts_itself(run: Path):
    file = run.parent / "train.h5"
    file.write_bytes(b"a")
    for name, value in (("format", "h5"), ("train_path", str(file)), ("val_path", str(file))):
        change_args(run, f"data.{name}", value)
    before = key(run)
    touch(file)
    assert key(run) != before
