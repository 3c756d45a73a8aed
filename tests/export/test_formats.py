"""Exported files load into the libraries' own networks and give the features of the run."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cueco_solo import host
from cueco_solo.cli import main
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import load_run

MAIN = host.host_info().form == "main"
VIT = {"backbone": "vit_tiny", "img_size": 32, "patch_size": 8}


def images(size: int = 32, number: int = 3) -> Tensor:
    return torch.randn(number, 3, size, size, generator=torch.Generator().manual_seed(7))


def features(run: Path, batch: Tensor) -> Tensor:
    """Of the backbone as the host builds it and the checkpoint has it."""
    found = load_run(run)
    model = host.method_class(found.cfg.method)(found.cfg.copy())
    model.load_state_dict(read_checkpoint(found.checkpoint, "checkpoint")["state_dict"])
    with torch.no_grad():
        return model.eval().backbone(batch)


def export(run: Path, out: Path, *formats: str) -> Path:
    choice = ["--format", *formats] if formats else []
    assert main(["export", str(run), "--out", str(out), *choice]) == 0
    return out


def snippets(out: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)


def computed(model: nn.Module, batch: Tensor) -> Tensor:
    with torch.no_grad():
        return model.eval()(batch)


def cifar_stem(model: Any) -> None:
    model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=2, bias=False)
    model.maxpool = nn.Identity()


def loaded_without_head(model: Any, file: Path) -> nn.Module:
    left = model.load_state_dict(torch.load(file, weights_only=True), strict=False)
    assert (left.missing_keys, left.unexpected_keys) == (["fc.weight", "fc.bias"], [])
    model.fc = nn.Identity()
    return model


@pytest.mark.parametrize("name", ["standard", "cifar"])
def test_resnet18_in_torchvision_and_timm(exported: dict, name: str):
    run, out = exported[name]
    for file, model in (
        ("torchvision.pth", torchvision.models.resnet18(num_classes=7)),
        ("timm.pth", timm.create_model("resnet18", num_classes=7)),
    ):
        if name == "cifar":
            cifar_stem(model)
        network = loaded_without_head(model, out / file)
        assert torch.equal(computed(network, images()), features(run, images()))


@pytest.mark.parametrize("dataset", ["custom", "cifar10"])
def test_resnet50_in_torchvision(make_run: Callable, tmp_path: Path, dataset: str):
    run = make_run("resnet50", dataset=dataset)
    out = export(run, tmp_path / "out", "torchvision")
    model = torchvision.models.resnet50(num_classes=7)
    if dataset == "cifar10":
        cifar_stem(model)
    network = loaded_without_head(model, out / "torchvision.pth")
    assert torch.equal(computed(network, images()), features(run, images()))


@pytest.mark.parametrize(
    ("network", "size", "given"),
    [
        ("vit_tiny_patch16_224", 32, VIT),
        pytest.param(
            "vit_tiny_patch16_224",
            32,
            {
                **VIT,
                "method": "mocov3",
                "method_kwargs": {
                    "proj_hidden_dim": 8,
                    "proj_output_dim": 8,
                    "pred_hidden_dim": 8,
                    "temperature": 0.2,
                },
            },
            marks=pytest.mark.skipif(not MAIN, reason="the release has no MoCo v3"),
        ),
        (
            "swin_tiny_patch4_window7_224",
            64,
            {"backbone": "swin_tiny", "size": 64, "img_size": 64, "window_size": 2},
        ),
    ],
)
def test_transformers_in_timm(make_run: Callable, tmp_path: Path, network, size, given):
    run = make_run(**given)
    out = export(run, tmp_path / "out", "timm", "safetensors")
    keys = ("img_size", "patch_size", "window_size")
    arguments = {key: given[key] for key in keys if key in given}
    heads = {"num_heads": 12} if "method" in given else {}
    model = timm.create_model(network, num_classes=0, **arguments, **heads)
    model.load_state_dict(torch.load(out / "timm.pth", weights_only=True))
    assert torch.equal(computed(model, images(size)), features(run, images(size)))
    model.load_state_dict(load_file(out / "model.safetensors"))
    assert torch.equal(computed(model, images(size)), features(run, images(size)))


@pytest.mark.parametrize("name", ["standard", "cifar"])
def test_the_cards_code_gives_the_runs_features(exported: dict, name: str, monkeypatch):
    run, out = exported[name]
    monkeypatch.chdir(out)
    expected = features(run, images())
    codes = snippets(out)
    assert len(codes) == 4
    for code in codes:
        names: dict[str, Any] = {}
        exec(code, names)
        assert names["features"].shape == (1, 512)
        if "session" not in names:
            assert torch.equal(computed(names["model"], images()), expected)


@pytest.mark.parametrize("name", ["standard", "cifar", "vit"])
def test_onnx_of_any_batch_size(exported: dict, make_run: Callable, tmp_path: Path, name: str):
    import onnx
    import onnxruntime

    if name == "vit":
        run = make_run(**VIT)
        out = export(run, tmp_path / "out", "onnx")
        assert sorted(path.name for path in out.iterdir()) == ["README.md", "model.onnx"]
    else:
        run, out = exported[name]
    session = onnxruntime.InferenceSession(out / "model.onnx")
    for number in (1, 5):
        batch = images(number=number)
        (found,) = session.run(["features"], {"images": batch.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), features(run, batch), atol=1e-4, rtol=0)
    (opset,) = (o.version for o in onnx.load(out / "model.onnx").opset_import if not o.domain)
    assert opset == 18


def test_no_memory_layout_goes_into_a_file(exported: dict):
    _, out = exported["cifar"]
    state = torch.load(out / "torchvision.pth", weights_only=True)
    assert all(value.is_contiguous() for value in state.values())
    assert not any(value.requires_grad for value in state.values())


def test_safetensors_says_what_it_holds(exported: dict):
    _, out = exported["cifar"]
    with safe_open(out / "model.safetensors", "pt") as file:
        known = file.metadata()
    assert known["format"] == "pt"
    assert (known["library"], known["architecture"]) == ("timm", "resnet18")
    assert known["stem"].startswith("cifar: conv1 ") and "'padding': 2" in known["stem"]
    assert (known["method"], known["dataset"]) == ("simclr", "cifar10")
    assert (known["epochs"], known["seed"], known["input_size"]) == ("1", "5", "32")
    # solo-learn normalises CIFAR with its own figures, whatever the configuration says
    assert known["mean"] == "[0.4914, 0.4822, 0.4465]"
    assert len(known["checkpoint_sha256"]) == 64


@pytest.mark.skipif(not MAIN, reason="the release has none of these backbones")
class TestMainOnly:
    def test_convnext_in_timm(self, make_run: Callable, tmp_path: Path):
        run = make_run("convnext_tiny")
        out = export(run, tmp_path / "out", "timm")
        # in a process of its own: solo-learn puts its ConvNeXt in the place of timm's
        torch.save(images(), out / "images.pt")
        (code,) = snippets(out)
        code += "torch.save(model(torch.load('images.pt')).detach(), 'features.pt')\n"
        subprocess.run([sys.executable, "-c", code], cwd=out, check=True)
        assert torch.equal(torch.load(out / "features.pt"), features(run, images()))

    def test_mae_in_timm_and_onnx(self, make_run: Callable, tmp_path: Path):
        settings = {
            "mask_ratio": 0.75,
            "decoder_embed_dim": 8,
            "decoder_depth": 1,
            "decoder_num_heads": 2,
            "norm_pix_loss": False,
        }
        run = make_run(**VIT, method="mae", method_kwargs=settings)
        out = export(run, tmp_path / "out")
        assert {"timm.pth", "model.safetensors", "model.onnx"} < {p.name for p in out.iterdir()}

    @pytest.mark.parametrize("name", ["wide_resnet28w2", "poolformer_s12"])
    def test_solo_learns_own_networks(self, make_run: Callable, tmp_path: Path, name, capsys):
        run = make_run(name, size=64)
        out = export(run, tmp_path / "out", "safetensors")
        (code,) = snippets(out)
        names: dict[str, Any] = {}
        exec(code.replace("model.safetensors", str(out / "model.safetensors")), names)
        assert torch.equal(computed(names["model"], images(64)), features(run, images(64)))
        capsys.readouterr()
        assert main(["export", str(run), "--format", "timm"]) == 2
        assert f"--format='timm' can't be done for backbone.name={name}" in capsys.readouterr().err
