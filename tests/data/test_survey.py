"""``cueco-solo data check`` and ``data imagenet100``: what is found in folders of images."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cueco_solo.cli import main
from cueco_solo.data.known import IMAGENET100, list_hash, recognised


@pytest.fixture
def data(tmp_path: Path, images: Path) -> Path:
    """Three classes of 6 and 3 images, to be changed."""
    return shutil.copytree(images, tmp_path / "data")


def checked(folder: Path, capsys: Any) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main(["data", "check", str(folder)])
    return code, [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_a_folder_without_faults(data: Path, capsys: Any):
    assert checked(data, capsys) == (
        0,
        [
            "train: 18 images; 3 classes of 6 to 6; sides of 32 to 32 pixels; 18 RGB",
            "val: 9 images; 3 classes of 3 to 3; sides of 32 to 32 pixels; 9 RGB",
            "nothing is wrong",
        ],
    )
    code, lines = checked(data / "train", capsys)
    assert (code, lines[1:]) == (0, ["nothing is wrong"])


def test_equal_files_in_folders_below_a_class_are_of_one_class(data: Path, capsys: Any):
    for place in ("red/a", "red/b", "green/a", "blue/a"):
        (data / "train" / place).mkdir()
    picture = data / "train" / "red" / "0.png"
    for place in ("a", "b"):
        shutil.copy(picture, data / "train" / "red" / place / "again.png")
    assert not any("more than one class" in line for line in checked(data, capsys)[1])
    shutil.copy(picture, data / "train" / "green" / "a" / "again.png")
    assert "1 images are in more than one class" in checked(data, capsys)[1]


def test_what_is_wrong_is_listed(data: Path, capsys: Any):
    (data / "train" / "red" / "9.jpg").write_bytes(b"no image")
    Image.new("L", (20, 50)).save(data / "train" / "red" / "grey.png")
    Image.new("L", (5, 5)).save(data / "train" / "outside.png")
    shutil.copy(data / "train" / "red" / "0.png", data / "val" / "red" / "again.png")
    shutil.copy(data / "train" / "red" / "1.png", data / "train" / "blue" / "again.png")
    (data / "val" / "violet").mkdir()
    shutil.copytree(data / "val" / "green", data / "val" / "grue")
    code, lines = checked(data, capsys)
    assert code == 1
    assert lines[0] == (
        "train: 22 images; 3 classes of 6 to 8; sides of 5 to 50 pixels; 19 RGB, 2 L"
    )
    assert "can't be read: red/9.jpg (no image, or cut off)" in lines
    assert "train/red/0.png = val/red/again.png" in lines
    assert lines[lines.index("6 things are wrong:") + 1 :] == [
        "train: 1 images can't be read",
        "train: 1 images lie in no class folder",
        "val: 1 class folders hold no image (violet)",
        "train lacks 1 classes of val (grue)",
        "1 images are in both train and val",
        "4 images are in more than one class",
    ]


def test_the_list_of_imagenet_100():
    """That of CMC's repository, sorted."""
    assert list_hash(IMAGENET100) == (
        "5ee5db69d488bb799a286d8e181801c3d02798776c1ce9203e5450f64e086e07"
    )
    assert recognised(IMAGENET100).name == "imagenet100"
    assert recognised(IMAGENET100[:90]).name == "imagenet100"
    assert recognised([f"n{number:08d}" for number in range(1000)]).name == "imagenet"
    assert recognised(["red", "green"]) is None


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """ImageNet's folders, with two more classes than ImageNet-100 and an image in each."""
    root = tmp_path / "imagenet"
    image = tmp_path / "one.png"
    Image.new("RGB", (4, 4)).save(image)
    for split in ("train", "val"):
        for name in (*IMAGENET100, "n00000001", "n00000002"):
            (root / split / name).mkdir(parents=True)
            shutil.copy(image, root / split / name)
    return root


def test_imagenet_100_is_made_of_links(
    imagenet: Path, tmp_path: Path, capsys: Any, refused: Callable[..., str]
):
    out = tmp_path / "imagenet-100"
    words = ["data", "imagenet100", "--from", str(imagenet), "--out", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 100 classes, 200 new links\n")
    assert sorted(path.name for path in (out / "val").iterdir()) == sorted(IMAGENET100)
    assert all(path.is_symlink() for path in (out / "train").iterdir())
    (out / "val" / IMAGENET100[3]).unlink()
    assert main(words) == 0
    assert "100 classes, 1 new links" in capsys.readouterr().out
    code, lines = checked(out, capsys)
    assert code == 1
    assert "train: 100 images, where imagenet100 has 126689" in lines
    assert "val: 100 images, where imagenet100 has 5000" in lines
    assert not any("classes, where" in line for line in lines)
    # neither another folder nor one of another class is touched
    (out / "val" / "mine").mkdir()
    assert refused(*words) == f"--out='{out}' holds val/mine; choose an empty folder"
    (out / "val" / "mine").rmdir()
    (out / "val" / IMAGENET100[3]).unlink()
    (out / "val" / IMAGENET100[3]).mkdir()
    assert f"holds another val/{IMAGENET100[3]}; remove it" in refused(*words)


def test_a_source_that_lacks_a_class(imagenet: Path, tmp_path: Path, refused: Callable[..., str]):
    shutil.rmtree(imagenet / "val" / IMAGENET100[7])
    message = refused("data", "imagenet100", "--from", imagenet, "--out", tmp_path / "out")
    assert message.startswith(f"--from='{imagenet}' has no val/{IMAGENET100[7]}; give ImageNet's")
    assert not (tmp_path / "out").exists()


def test_a_damaged_cifar10(tmp_path: Path, capsys: Any):
    (tmp_path / "cifar-10-batches-py").mkdir()
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    batch.write_bytes(pickle.dumps({}))
    code, lines = checked(tmp_path, capsys)
    assert (code, lines[0]) == (1, "cifar10: as torchvision unpacks it")
    assert "cifar10: cifar-10-batches-py/data_batch_1 is missing or damaged" in lines


def test_no_images(tmp_path: Path, refused: Callable[..., str]):
    assert refused("data", "check", tmp_path / "no").startswith(f"FOLDER='{tmp_path / 'no'}' must")
    assert (
        refused("data", "check", tmp_path) == f"FOLDER='{tmp_path}' holds no image; check the path"
    )
