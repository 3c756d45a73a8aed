"""What is expensive and only read: made once."""

from pathlib import Path

import pytest
import tiny


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder with three classes; not to be changed."""
    return tiny.write_images(tmp_path_factory.mktemp("images") / "data")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Run folder of MoCo V2+ after two epochs, both checkpoints kept; not to be changed."""
    folder = tiny.write_config(tmp_path_factory.mktemp("trained"), images)
    assert tiny.pretrain(folder, "max_epochs=2", "checkpoint.keep_prev=True") == 0
    (run,) = tiny.run_folders(folder)
    return run
