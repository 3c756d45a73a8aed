"""Images of more than 8 bits are scaled or refused, loops aren't followed, devices not opened."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from omegaconf import OmegaConf
from PIL import Image
from support import python, refusal
from torchvision.datasets import ImageFolder

from cueco_solo import host
from cueco_solo.data.checks import check_paths
from cueco_solo.data.datasets import training_set
from cueco_solo.data.loaders import plain_loader
from cueco_solo.host import images as reading
from cueco_solo.host.images import load_image, regular_walk

GREYS = np.arange(0, 65536, 257 * 5, dtype=np.uint16)[:49].reshape(7, 7)


@pytest.fixture(autouse=True)
def unsaid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_said", set())
    reading._kinds.value = 0


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_16_bits_keep_their_brightness(suffix: str, tmp_path: Path, capsys: Any):
    path = tmp_path / f"x.{suffix}"
    for number in range(2):
        Image.fromarray(GREYS).save(path)
        image = load_image(path)
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image)[..., 1], (GREYS / 257).round())
        said = capsys.readouterr().err.splitlines()
        assert len(said) == (number == 0)
    assert load_image(path).getpixel((3, 0)) == (15, 15, 15)


def test_floating_values_up_to_one_are_scaled_and_others_refused(tmp_path: Path, capsys: Any):
    path = tmp_path / "x.tiff"
    values = np.linspace(0, 1, 49, dtype=np.float32).reshape(7, 7)
    Image.fromarray(values).save(path)
    pixels = np.asarray(load_image(path))[..., 0]
    assert np.array_equal(pixels, np.floor(values * 255 + 0.5))
    assert "floating images are scaled from 0..1" in capsys.readouterr().err
    for wrong in (values * 200, values - 0.5, values * np.nan):
        Image.fromarray(wrong).save(path)
        assert "has floating values from" in refusal(load_image, path)
    Image.fromarray((values * 1e6).astype(np.int32)).save(path)
    assert "has 32-bit values from 0 to 1e+06" in refusal(load_image, path)


@pytest.mark.parametrize("no_labels", [False, True])
def test_every_data_set_reads_them_so(no_labels: bool, tmp_path: Path):
    """solo-learn's own programs build the same data sets."""
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(GREYS).save(folder / "x.png")
    path = folder if no_labels else folder.parent
    dataset = host.pretrain_data.prepare_datasets("custom", None, path, no_labels=no_labels)
    _, image, _ = dataset[0]
    assert np.array_equal(np.asarray(image)[..., 0], (GREYS / 257).round())


@pytest.mark.parametrize("num_workers", [0, 2])
def test_it_is_said_once_for_all_workers(num_workers: int, tmp_path: Path, capfd: Any):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(GREYS).save(tmp_path / name)
    assert host.FORM  # which replaces what torchvision reads with
    dataset = ImageFolder(str(tmp_path), transform=lambda image: np.asarray(image))
    list(plain_loader(dataset, 1, num_workers))
    assert capfd.readouterr().err.count("16-bit images are scaled") == 1


def test_a_loop_is_not_followed_and_a_device_not_opened(tmp_path: Path, capsys: Any):
    root = tiny.write_images(tmp_path / "images") / "train"
    (root / "red" / "loop").symlink_to(root / "red")
    (root / "green" / "up").symlink_to(root)
    os.mkfifo(root / "blue" / "pipe.png")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(root / "blue", elsewhere, ignore=shutil.ignore_patterns("pipe.png"))
    (root / "blue" / "more").symlink_to(elsewhere)
    data = {"dataset": "custom", "train_path": str(root), "val_path": None, "no_labels": False}
    assert host.FORM
    cfg = OmegaConf.create(data)
    check_paths(cfg)
    names = [Path(path).relative_to(root).parts[:2] for path, _ in training_set(cfg, None).samples]
    assert len([name for name in names if name[0] == "red"]) == 6
    assert len([name for name in names if name[0] == "blue"]) == 12
    assert len([name for name in names if name[0] == "green"]) == 6
    assert not any("pipe.png" in name for name in names)
    said = capsys.readouterr().err
    assert said.count("pipe.png is no regular file and is left out") == 1
    assert f"leads back to {root / 'red'} and isn't followed" in said


def test_a_device_among_images_without_labels_is_left_out(tmp_path: Path, capsys: Any):
    Image.new("RGB", (4, 4)).save(tmp_path / "1.png")
    os.mkfifo(tmp_path / "2.png")
    data = {"dataset": "custom", "train_path": str(tmp_path), "no_labels": True}
    check_paths(OmegaConf.create(data))
    assert training_set(OmegaConf.create(data), None).images == ["1.png"]
    assert "2.png is no regular file and is left out" in capsys.readouterr().err


def test_an_ordinary_folder_is_walked_as_before(tmp_path: Path):
    root = tiny.write_images(tmp_path / "images")
    (root / "gone.png").symlink_to(root / "nowhere")

    def sort(walk: Any) -> list[Any]:
        return sorted((top, sorted(folders), sorted(files)) for top, folders, files in walk)

    assert sort(regular_walk(root)) == sort(os.walk(root, followlinks=True))


def test_nothing_heavy_is_imported_for_the_walk():
    code = "import sys, cueco_solo.data.checks; print({'torch', 'PIL', 'numpy'} & {*sys.modules})"
    assert python("-c", code).stdout == "set()\n"
