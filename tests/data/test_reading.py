"""Every image is read before a training: what is found, listed and left out."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from omegaconf import DictConfig
from PIL import Image
from support import refusal

from cueco_solo.data import reading
from cueco_solo.data.fingerprint import fingerprint
from cueco_solo.host import images
from cueco_solo.host.images import image_files


@pytest.fixture(autouse=True)
def _no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(reading.VARIABLE, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six images in folders at two depths, beside what is none."""
    folder = tmp_path / "photos"
    tiny.write_images(folder, train=1, val=1)
    (folder / "notes.txt").write_text("none")
    os.mkfifo(folder / "pipe.png")
    (folder / "train" / "loop").symlink_to(folder)
    return folder


def spoil(root: Path) -> dict[str, str]:
    """Add what can't be read; by name, what is said of it."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    for name in ("cut.jpg", "cut.png"):
        Image.fromarray(noise).save(root / name)
        (root / name).write_bytes((root / name).read_bytes()[:-200])
    (root / "empty.png").touch()
    (root / "text.JPG").write_text("no image")
    (root / "val" / "gone.png").symlink_to(root / "nowhere")
    Image.fromarray(np.full((4, 4), 1e9, np.float32)).save(root / "bright.tif")
    return {
        "bright.tif": "has floating values from 1e+09 to 1e+09",
        "cut.jpg": "truncated",
        "cut.png": "truncated",
        "empty.png": "no image, or cut off",
        "text.JPG": "no image, or cut off",
        "val/gone.png": "No such file or directory",
    }


def test_images_are_listed_at_any_depth_and_in_order(root: Path, monkeypatch: pytest.MonkeyPatch):
    colours = ("blue", "green", "red")
    expected = [f"{split}/{name}/0.png" for split in ("train", "val") for name in colours]
    assert image_files(root) == expected
    walk = images.regular_walk
    found = [(folder, folders, names[::-1]) for folder, folders, names in walk(root)]
    monkeypatch.setattr(images, "regular_walk", lambda root: reversed(found))
    assert image_files(root) == expected


def test_all_that_training_could_not_read_is_found(root: Path):
    expected = spoil(root)
    found = reading.read_images(root, image_files(root), side=33, threads=2)
    assert list(found.unreadable) == list(expected)
    for name, why in expected.items():
        assert why in found.unreadable[name], name
        assert str(root) not in found.unreadable[name]
    assert (found.images, found.sides, found.small) == (6, (32, 32), 6)


def data(root: Path, **changes: Any) -> DictConfig:
    given = {"dataset": "custom", "train_path": str(root), "no_labels": True}
    return DictConfig({**given, **changes})


def test_they_are_refused_or_left_out(root: Path):
    whole = fingerprint(data(root))
    expected = spoil(root)
    message = refusal(reading.unreadable_images, data(root), 32)
    assert message.startswith(f"data.train_path='{root}' holds 6 of 12 images that can't be read: ")
    assert all(name in message for name in expected)
    assert message.endswith("or leave them out: --skip-unreadable, or data.skip_unreadable=True")
    names, lines = reading.unreadable_images(data(root, skip_unreadable=True), 64)
    assert names == list(expected)
    assert lines[0] == (
        "images: 12 in 8 folders, which aren't taken for classes; their sides have 32 to 32 pixels"
    )
    assert lines[1] == "images: 6 have a side below the 64 pixels of a crop"
    assert lines[2].startswith("images: 6 of 12 can't be read and are left out\n  bright.tif (has")
    assert fingerprint(data(root, unreadable=names)) == whole
    # a process that this one starts takes its word
    (root / "val" / "gone.png").unlink()
    assert reading.unreadable_images(data(root, skip_unreadable=True), 64) == (names, [])


def test_ten_are_listed_and_all_counted(root: Path):
    for number in range(14):
        (root / f"{number:02}.png").touch()
    message = refusal(reading.unreadable_images, data(root), 32)
    assert "holds 14 of 20 images" in message
    assert "09.png (no image, or cut off), and 4 more; replace" in message
    assert "10.png" not in message


def test_with_none_left_there_is_nothing_to_go_on_with(tmp_path: Path):
    (tmp_path / "1.png").touch()
    message = refusal(reading.unreadable_images, data(tmp_path, skip_unreadable=True), 32)
    assert message.endswith("replace or remove them")


def test_what_is_not_asked_for_is_not_read(root: Path):
    spoil(root)
    told = "images: 12 in 8 folders, which aren't taken for classes"
    assert reading.unreadable_images(data(root, check_images=False), 32) == ([], [told])
    assert reading.unreadable_images(data(root, no_labels=False), 32) == ([], [])
    message = refusal(reading.unreadable_images, data(root, no_labels=False, check_images=True), 32)
    assert message.endswith("replace or remove them")
