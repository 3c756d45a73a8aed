"""What the tests of several commands have in common."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run folder of its own, with what the evaluation needs of one."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (trained / "args.json", next(trained.glob("*ep=1.ckpt"))):
        shutil.copy(path, folder)
    return folder
