"""What a user can get wrong ends ``cueco-solo pretrain`` with one line and exit code 2."""

import shutil
from pathlib import Path

import pytest
import tiny
import torch
from PIL import Image

from cueco_solo.training.checkpoints import latest_checkpoint


@pytest.fixture
def folder(tmp_path: Path, images: Path) -> Path:
    return tiny.write_config(tmp_path, images)


def error(capsys: pytest.CaptureFixture[str], folder: Path, *overrides: str) -> str:
    capsys.readouterr()
    assert tiny.pretrain(folder, *overrides) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "cueco-solo:" in line]
    assert len(lines) == 1
    assert lines[0].startswith("cueco-solo: error: ")
    return lines[0].removeprefix("cueco-solo: error: ")


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["method=mocov9"], "method='mocov9' must be one of"),
        (["max_epoch=3"], "max_epoch=3 is no known key; did you mean max_epochs"),
        (["data.train_path=nowhere"], "data.train_path='nowhere' doesn't exist"),
        (["optimizer.batch_size=32"], "optimizer.batch_size=32 must be at most the 18 training"),
        (["devices=none"], "devices='none' must be a number of devices"),
        (["accelerator=tpu"], "accelerator='tpu' must be auto, cpu, gpu or mps"),
        (["precision=16-mixed"], "add hardware=cpu"),
        (["method_kwargs.queue_size=30"], "method_kwargs.queue_size=30 must be a multiple of"),
        (["resume_from_checkpoint=no.ckpt"], "resume_from_checkpoint='no.ckpt' doesn't exist"),
        ([*tiny.CUECO, "method_kwargs.num_clusters=40"], "method_kwargs.num_clusters=40 must be"),
        (["tensorboard.enabled=True"], "pip install tensorboard"),
        (["backbone.name=resnet17"], "backbone.name='resnet17' must be one of resnet18"),
        (["~method_kwargs.temperature"], "method_kwargs.temperature=None"),
        (["data.fraction=half"], "data.fraction='half' must be a number"),
        (["checkpoint.dir=null"], "checkpoint.dir=None is missing"),
        (["checkpoint.enabled=maybe"], "checkpoint.enabled='maybe' must be True or False"),
        (["checkpoint.dir=/dev/null/x"], "checkpoint.dir='/dev/null/x' can't be written (Not a"),
        (["num_nodes=x"], "num_nodes='x' must be an integer"),
        (["method_kwargs.proj_hidden_dim=abc"], "method=mocov2plus can't be built from this"),
        (["method_kwargs.queue_size=abc"], "method_kwargs.queue_size='abc' must be a multiple"),
        (["accumulate_grad_batches=0"], "accumulate_grad_batches=0 must be an integer of at"),
        (["optimizer.kwargs.momentum=x"], "can't be built from this configuration"),
        (["optimizer.name=adamw", "optimizer.kwargs={betas: 1}"], "can't be built from this"),
        (["scheduler.name=step", "scheduler.lr_decay_steps=3"], "can't be built from this"),
        (["augmentations=[1]"], "augmentations=[1] must be the name of a file"),
        (["momentum.classifier=3"], "momentum.classifier=3 must be True or False"),
        (["limit_train_batches=0"], "limit_train_batches=0 must be a number above 0"),
        (["limit_train_batches=0.01"], "Lightning can't train with this configuration"),
        (["max_time=00:00:00:00"], "no step was trained"),
        (["max_time=soon"], "max_time='soon' must be text as DD:HH:MM:SS"),
        (["mixup=0.2"], "mixup=0.2 is read by linear evaluations only"),
        (["name=a/b"], "name='a/b' names files"),
        (["strategy=none"], "can't use this configuration: You selected an invalid strategy"),
    ],
)
def test_settings(
    overrides: list[str],
    text: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("cueco_solo.training.trainer.find_spec", lambda package: None)
    assert text in error(capsys, folder, *overrides)
    assert not list(folder.glob("runs/*/*"))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image(
    num_workers: int, folder: Path, images: Path, capsys: pytest.CaptureFixture[str]
):
    """Found while training, and in a worker wrapped in a traceback."""
    broken = shutil.copytree(images / "train", folder / "broken") / "red" / "0.png"
    for path in broken.parent.iterdir():
        path.write_bytes(broken.read_bytes()[:50])
    message = error(
        capsys,
        folder,
        f"data.train_path={folder / 'broken'}",
        f"data.num_workers={num_workers}",
    )
    assert message.startswith(f"image='{broken.parent}")
    assert message.endswith("replace or remove the file")
    assert not list(folder.glob("runs/*/*"))


def test_an_image_of_the_wrong_mode_is_no_error(folder: Path, images: Path):
    grey = shutil.copytree(images / "train", folder / "grey")
    for path in grey.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    overrides = [f"data.train_path={grey}", "limit_train_batches=1", "data.val_path=null"]
    assert tiny.pretrain(folder, *overrides) == 0


def test_checkpoints(trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]):
    whole = latest_checkpoint(trained)
    assert whole is not None
    resume = f"resume_from_checkpoint={whole}"
    assert "is a checkpoint of method=mocov2plus, not simclr" in error(
        capsys, folder, resume, "method=simclr", "~method_kwargs.queue_size"
    )
    assert "max_epochs=1 must exceed the 2 epochs" in error(capsys, folder, resume)
    message = error(capsys, folder, resume, "max_epochs=3", "method_kwargs.proj_hidden_dim=24")
    assert "doesn't fit this configuration" in message
    assert "momentum_projector" in message

    alone = folder / "alone.ckpt"  # no args.json beside it
    shutil.copy(whole, alone)
    assert "doesn't fit this configuration" in error(
        capsys, folder, f"resume_from_checkpoint={alone}", "max_epochs=3", *tiny.CUECO
    )
    alone.write_bytes(whole.read_bytes()[:100_000])
    assert "can't be read" in error(capsys, folder, f"resume_from_checkpoint={alone}")
    torch.save({"state_dict": torch.load(whole, weights_only=True)["state_dict"]}, alone)
    assert "holds weights, but not how far" in error(
        capsys, folder, f"resume_from_checkpoint={alone}"
    )
    (folder / "args.json").write_text("{")
    assert "has no readable args.json beside it" in error(
        capsys, folder, f"resume_from_checkpoint={alone}"
    )
    (folder / "args.json").unlink()
    torch.save([1, 2], alone)
    assert "holds no state_dict" in error(capsys, folder, f"resume_from_checkpoint={alone}")
    alone.unlink()
    assert "holds no .ckpt" in error(capsys, folder, f"resume_from_checkpoint={folder}")
    assert not (folder / "runs").exists()
