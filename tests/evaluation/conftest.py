"""A run folder that a test may change."""

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def run(trained: Path, images: Path, tmp_path: Path) -> Path:
    """A run folder of its own with images of its own."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (trained / "args.json", next(trained.glob("*ep=1.ckpt"))):
        shutil.copy(path, folder)
    data = shutil.copytree(images, tmp_path / "images")
    args = json.loads((folder / "args.json").read_text())
    args["data"].update(train_path=str(data / "train"), val_path=str(data / "val"))
    (folder / "args.json").write_text(json.dumps(args))
    return folder
