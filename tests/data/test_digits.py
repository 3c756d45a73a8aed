"""The embedded data: the same bytes under the same seed, a fixed split, exports that mend."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image
from sklearn.datasets import load_digits

from cueco_solo.data.digits import MARKER, export_digits
from cueco_solo.errors import ConfigError


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.png")}


def pixels(root: Path) -> dict[str, np.ndarray]:
    return {p.stem: np.asarray(Image.open(p)) for p in root.rglob("*.png")}


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("placed")
    assert export_digits(root, placed=True) == (root / "train", root / "val")
    return root


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    export_digits(root, placed=False)
    return root


def test_same_seed_same_bytes(placed: Path, tmp_path: Path) -> None:
    export_digits(tmp_path, placed=True)
    assert tree(tmp_path) == tree(placed)
    assert (tmp_path / MARKER).read_bytes() == (placed / MARKER).read_bytes()


def test_another_seed_other_pictures_same_split(placed: Path, tmp_path: Path) -> None:
    export_digits(tmp_path, placed=True, seed=6)
    other, ours = tree(tmp_path), tree(placed)
    assert other.keys() == ours.keys()
    assert all(other[name] != ours[name] for name in ours)


@pytest.mark.parametrize("kind", ["plain", "placed"])
def test_pictures(kind: str, request: pytest.FixtureRequest) -> None:
    pictures = pixels(request.getfixturevalue(kind))
    assert len(pictures) == len(load_digits().target)
    for picture in pictures.values():
        assert picture.shape == (32, 32, 3) and picture.dtype == np.uint8
        assert (picture == picture[..., :1]).all()


def test_split_is_disjoint_and_stratified(placed: Path) -> None:
    target = load_digits().target
    folders = {split: list((placed / split).rglob("*.png")) for split in ("train", "val")}
    numbers = {split: {int(p.stem) for p in paths} for split, paths in folders.items()}
    assert not numbers["train"] & numbers["val"]
    assert numbers["train"] | numbers["val"] == set(range(len(target)))
    assert all(target[int(p.stem)] == int(p.parent.name) for ps in folders.values() for p in ps)
    for label, count in Counter(p.parent.name for p in folders["val"]).items():
        assert count == (target == int(label)).sum() // 5


def test_plain_digits_are_the_originals_enlarged(plain: Path) -> None:
    originals = load_digits().images
    for name, picture in pixels(plain).items():
        small = np.asarray(Image.fromarray(picture[..., 0]).resize((8, 8), Image.Resampling.BOX))
        assert np.corrcoef(small.ravel(), originals[int(name)].ravel())[0, 1] > 0.95


def test_placed_digits_vary_as_said(placed: Path) -> None:
    """Brightness everywhere in 0.5-1, the ink not only in the middle, the ground textured."""
    grey = np.stack([picture[..., 0] for picture in pixels(placed).values()]) / 255
    brightness = np.quantile(grey, 0.98, axis=(1, 2))
    assert brightness.min() > 0.4 and brightness.max() > 0.95
    assert np.histogram(brightness, 5, (0.5, 1.0))[0].min() > 100
    ink = np.clip(grey - 0.4, 0, None)
    where = np.tensordot(ink.sum(axis=1), np.arange(32), 1) / ink.sum(axis=(1, 2))
    assert where.std() > 1.5
    assert grey[:, :2, :2].std() > 0.03


def test_complete_export_is_reused(tmp_path: Path) -> None:
    export_digits(tmp_path, placed=True)
    before = tiny.times(tmp_path)
    export_digits(tmp_path, placed=True)
    assert tiny.times(tmp_path) == before


@pytest.mark.parametrize("damage", ["no marker", "torn marker", "missing", "changed", "old seed"])
def test_incomplete_export_is_mended(damage: str, placed: Path, tmp_path: Path) -> None:
    export_digits(tmp_path, placed=True, seed=6 if damage == "old seed" else 5)
    victim = next((tmp_path / "val" / "3").iterdir())
    if damage == "no marker":
        (tmp_path / MARKER).unlink()
    elif damage == "torn marker":
        (tmp_path / MARKER).write_text('{"dataset": "digits-pl')
    elif damage == "missing":
        victim.unlink()
    elif damage == "changed":
        victim.write_bytes(victim.read_bytes()[:-40])
    export_digits(tmp_path, placed=True)
    assert tree(tmp_path) == tree(placed)
    assert json.loads((tmp_path / MARKER).read_text())["seed"] == 5


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "train" / "cat" / "1.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"holds train/cat/1\.png; choose an empty folder"):
        export_digits(tmp_path, placed=False)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [mine]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another folder"):
        export_digits(tmp_path / "file", placed=False)


@pytest.mark.parametrize("seed", [-1, 1.5, "5", True])
def test_bad_seed(seed: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed"):
        export_digits(tmp_path, placed=True, seed=seed)  # type: ignore[arg-type]
