"""What can't be exported is refused in one line, and nothing half-done stays behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cueco_solo.cli import main
from cueco_solo.export import formats, networks


def test_a_truncated_checkpoint(make_run: Callable, refused):
    run = make_run()
    (checkpoint,) = run.glob("*.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "truncated or no checkpoint" in refused("export", run)
    assert not (run / "export").exists()


def test_a_diverged_training(make_run: Callable, refused):
    run = make_run()
    (checkpoint,) = run.glob("*.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["backbone.conv1.weight"][0] = float("nan")
    torch.save(content, checkpoint)
    assert "has weights that aren't finite" in refused("export", run)


@pytest.mark.parametrize("given", ["others", "large"])
def test_a_run_that_says_nothing_of_its_images(make_run: Callable, refused, given: str):
    run = make_run()
    args = run / "args.json"
    key = {"others": "augmentations", "large": "crop_size"}[given]
    args.write_text(args.read_text().replace(f'"{key}"', f'"{given}"'))
    assert "augmentations" in refused("export", run)


def test_torchvision_is_for_resnets(make_run: Callable, refused):
    run = make_run("vit_tiny", img_size=32, patch_size=8)
    line = refused("export", run, "--format", "torchvision")
    assert line.endswith("it is for ResNets only; take safetensors or onnx")


def test_a_folder_that_is_taken(standard: Path, tmp_path: Path, refused):
    (tmp_path / "mine.txt").write_text("mine")
    line = refused("export", standard, "--out", tmp_path)
    assert "isn't empty; give a new folder" in line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be(standard: Path, tmp_path: Path, refused):
    (tmp_path / "file").write_text("mine")
    line = refused("export", standard, "--out", tmp_path / "file" / "below")
    assert "can't be written (Not a directory)" in line


def test_onnx_without_its_packages(standard, tmp_path, capsys, refused, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else name)
    line = refused("export", standard, "--out", tmp_path / "a", "--format", "onnx")
    assert line.endswith("are not installed: onnxscript; pip install 'cueco-solo[onnx]'")
    assert main(["export", str(standard), "--out", str(tmp_path / "b")]) == 0
    assert "left out: --format='onnx' needs packages" in capsys.readouterr().out
    assert not (tmp_path / "b" / "model.onnx").exists()


def test_other_features_are_noticed(cifar: Path, tmp_path: Path, refused, monkeypatch):
    stem = {"kernel_size": 3, "stride": 1, "padding": 1, "bias": False}
    monkeypatch.setattr(networks, "_cifar_stem", lambda backbone: stem)
    line = refused("export", cifar, "--out", tmp_path / "out", "--format", "torchvision")
    assert "gives other features than the run" in line
    assert list((tmp_path / "out").iterdir()) == []


def test_other_weights_are_noticed(standard: Path, tmp_path: Path, refused, monkeypatch):
    wrong = formats.FORMATS["timm"]._replace(
        write=lambda subject, path: torch.save(
            {key: value + 1 for key, value in subject.state.items()}, path
        )
    )
    monkeypatch.setitem(formats.FORMATS, "timm", wrong)
    line = refused("export", standard, "--out", tmp_path / "out", "--format", "torchvision", "timm")
    assert "--format='timm' " in line
    assert list((tmp_path / "out").iterdir()) == []
