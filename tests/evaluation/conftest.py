"""A run folder that a test may change, its images too."""

import shutil
from pathlib import Path

import pytest
from support import change_args


@pytest.fixture
def run(run: Path, images: Path, tmp_path: Path) -> Path:
    data = shutil.copytree(images, tmp_path / "images")
    paths = {f"data__{split}_path": str(data / split) for split in ("train", "val")}
    change_args(run, **paths)
    return run
