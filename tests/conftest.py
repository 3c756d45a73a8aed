"""Fixtures of several folders; what is expensive and only read is made once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

from cueco_solo.cli import main


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


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run folder of its own, with what the evaluation needs of one."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (trained / "args.json", next(trained.glob("*ep=1.ckpt"))):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, images: Path) -> Path:
    """With a configuration ``tiny``, whose runs go there too."""
    return tiny.write_config(tmp_path, images)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs ``cueco-solo`` with these words; its message after exit code 2, one line."""

    def message(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        lines = capsys.readouterr().err.splitlines()
        (line,) = [line for line in lines if line.startswith("cueco-solo:")]
        assert "Traceback (most recent call last):" not in lines
        return line.removeprefix("cueco-solo: error: ")

    return message


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it makes an evaluation fail that builds the backbone."""

    def fail(*_: Any) -> None:
        raise AssertionError("the backbone was built")

    name = "cueco_solo.evaluation.feature_cache.load_backbone"
    return lambda: monkeypatch.setattr(name, fail)
