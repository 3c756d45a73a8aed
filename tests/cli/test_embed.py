"""``cueco-solo embed``: the three kinds of files, and what they can't be made of."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import refusal

import cueco_solo
from cueco_solo.cli import main
from cueco_solo.evaluation import image_folder


def embed(run: Path, images: Path, out: Path) -> int:
    return main(["embed", str(run), "--images", str(images), "--out", str(out)])


def test_the_three_kinds_of_files_hold_the_same(
    trained: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    parquet = pytest.importorskip("pyarrow.parquet")
    outs = [tmp_path / "new" / f"features{suffix}" for suffix in image_folder.SUFFIXES]
    for out in outs:
        assert embed(trained, images / "val", out) == 0
        told = f"9 images, 512 features each, labels of 3 folders: {out}\n"
        assert capsys.readouterr().out.endswith(told)
    expected = cueco_solo.embed_folder(trained, images / "val")
    assert expected.labels == [name.split("/")[0] for name in expected.files]
    arrays = np.load(outs[0])
    assert np.array_equal(arrays["features"], expected.features.numpy())
    assert arrays["files"].tolist() == expected.files
    assert arrays["labels"].tolist() == expected.labels
    with outs[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = [[float(row[f"f{n}"]) for n in range(512)] for row in rows]
    assert np.array_equal(np.float32(values), expected.features.numpy())
    assert [(row["file"], row["label"]) for row in rows] == [
        *zip(expected.files, expected.labels, strict=True)
    ]
    table = parquet.read_table(outs[2])
    assert table.column_names == ["file", "label", "features"]
    assert np.array_equal(np.float32(table["features"].to_pylist()), expected.features.numpy())
    assert table["file"].to_pylist() == expected.files
    assert {path.name for path in (tmp_path / "new").iterdir()} == {out.name for out in outs}


def test_images_that_lie_in_no_folder_have_no_labels_and_a_broken_one_is_named(
    trained: Path, images: Path, tmp_path: Path, refused
):
    photos, out = tmp_path / "photos", tmp_path / "features.npz"
    shutil.copytree(images / "val", photos)
    Image.new("L", (50, 40)).save(photos / "alone, grey.png")
    assert embed(trained, photos, out) == 0
    arrays = np.load(out)
    assert arrays.files == ["features", "files"] and arrays["features"].shape == (10, 512)
    (photos / "broken.png").write_bytes(b"no image")
    message = refused("embed", trained, "--images", photos, "--out", tmp_path / "more.npz")
    assert "broken.png" in message and "can't be read" in message
    assert not (tmp_path / "more.npz").exists()


def test_a_name_that_is_no_text_is_one_line_of_a_file_that_holds_text_only(tmp_path: Path):
    pytest.importorskip("pyarrow")
    found = image_folder.FolderFeatures(torch.zeros(1, 2), ["x\udcff.png"], [])
    message = refusal(image_folder.write_features, found, tmp_path / "f.parquet")
    assert "--out=" in message and "can't be written (" in message
    assert not list(tmp_path.iterdir())


def test_a_file_that_needs_a_missing_package_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(image_folder, "find_spec", lambda name: None)
    message = refusal(image_folder.check_features_file, tmp_path / "f.parquet")
    assert "needs pyarrow, which isn't installed; pip install 'cueco-solo[parquet]'" in message
