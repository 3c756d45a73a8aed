"""What a user can get wrong ends ``cueco-solo pretrain`` with one line and exit code 2."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import tiny
import torch
from PIL import Image

from cueco_solo.training.checkpoints import latest_checkpoint

Error = Callable[..., str]


@pytest.fixture
def error(folder: Path, refused: Callable[..., str]) -> Error:
    """The message of a pre-training with these overrides."""
    return partial(refused, "pretrain", "--config-path", folder, "--config-name", "tiny")


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["method=mocov9"], "method='mocov9' must be one of"),
        (["optimizer.batch_size=32"], "optimizer.batch_size=32 must be at most the 18 training"),
        (["precision=16-mixed"], "add hardware=cpu"),
        (["method_kwargs.queue_size=30"], "method_kwargs.queue_size=30 must be a multiple of"),
        ([*tiny.CUECO, "method_kwargs.num_clusters=40"], "method_kwargs.num_clusters=40 must be"),
        (["tensorboard.enabled=True"], "pip install tensorboard"),
        (["backbone.name=resnet17"], "backbone.name='resnet17' must be one of resnet18"),
        (["~method_kwargs.temperature"], "method_kwargs.temperature=None"),
        (["method_kwargs.proj_hidden_dim=abc"], "method=mocov2plus can't be built from this"),
        (["method_kwargs.queue_size=abc"], "method_kwargs.queue_size='abc' must be a multiple"),
        (["method_kwargs.temperature=???"], "method_kwargs.temperature=None"),
        (["optimizer.kwargs.momentum=-1"], "can't be built from this configuration"),
        (["optimizer.name=adamw", "optimizer.kwargs={betas: 1}"], "can't be built from this"),
        (["scheduler.name=step", "scheduler.lr_decay_steps=3"], "must be a list, each item"),
        (["augmentations=[1]"], "augmentations=[1] must be the name of a file"),
        (["limit_train_batches=0.01"], "Lightning can't train with this configuration"),
        (["max_time=00:00:00:00"], "no step was trained"),
        (["max_time=soon"], "max_time='soon' must be text as DD:HH:MM:SS"),
        (["mixup=0.2"], "mixup=0.2 is read by linear evaluations only"),
        (["strategy=none"], "can't use this configuration: You selected an invalid strategy"),
    ],
)
def test_settings(
    overrides: list[str], text: str, folder: Path, error: Error, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cueco_solo.training.trainer.find_spec", lambda package: None)
    assert text in error(*overrides)
    assert not list(folder.glob("runs/*/*"))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image(num_workers: int, folder: Path, images: Path, error: Error):
    """Found while training, and in a worker wrapped in a traceback."""
    broken = shutil.copytree(images / "train", folder / "broken") / "red" / "0.png"
    for path in broken.parent.iterdir():
        path.write_bytes(broken.read_bytes()[:50])
    message = error(f"data.train_path={folder / 'broken'}", f"data.num_workers={num_workers}")
    assert message.startswith(f"image='{broken.parent}")
    assert message.endswith("replace or remove the file")
    assert not list(folder.glob("runs/*/*"))


def test_an_image_of_the_wrong_mode_is_no_error(folder: Path, images: Path):
    grey = shutil.copytree(images / "train", folder / "grey")
    for path in grey.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    overrides = [f"data.train_path={grey}", "limit_train_batches=1", "data.val_path=null"]
    assert tiny.pretrain(folder, *overrides) == 0


def test_checkpoints(trained: Path, folder: Path, error: Error):
    def resumed(path: Path, *overrides: str) -> str:
        return error(f"resume_from_checkpoint={path}", *overrides)

    whole = latest_checkpoint(trained)
    assert whole is not None
    other_method = ("method=simclr", "~method_kwargs.queue_size")
    assert "is a checkpoint of method=mocov2plus, not simclr" in resumed(whole, *other_method)
    assert "max_epochs=1 must exceed the 2 epochs" in resumed(whole)
    message = resumed(whole, "max_epochs=3", "method_kwargs.proj_hidden_dim=24")
    assert "doesn't fit this configuration" in message
    assert "momentum_projector" in message

    alone = folder / "alone.ckpt"  # no args.json beside it
    shutil.copy(whole, alone)
    assert "doesn't fit this configuration" in resumed(alone, "max_epochs=3", *tiny.CUECO)
    alone.write_bytes(whole.read_bytes()[:100_000])
    assert "can't be read" in resumed(alone)
    torch.save({"state_dict": torch.load(whole, weights_only=True)["state_dict"]}, alone)
    assert "holds weights, but not how far" in resumed(alone)
    (folder / "args.json").write_text("{")
    assert "has no readable args.json beside it" in resumed(alone)
    (folder / "args.json").unlink()
    torch.save([1, 2], alone)
    assert "holds no state_dict" in resumed(alone)
    alone.unlink()
    assert "holds no .ckpt" in resumed(folder)
    assert not (folder / "runs").exists()
