"""Run folders with a backbone of random weights and statistics, made without training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from support import small_cfg

import cueco_solo
from cueco_solo import host
from cueco_solo.cli import main

AUGMENTATION = {
    "rrc": {"enabled": True, "crop_min_scale": 0.2, "crop_max_scale": 1.0},
    **{name: {"prob": 0.0} for name in ("grayscale", "gaussian_blur", "solarization")},
    **{name: {"prob": 0.0} for name in ("color_jitter", "equalization", "horizontal_flip")},
    "num_crops": 2,
    "mean": [0.3, 0.4, 0.5],
    "std": [0.2, 0.25, 0.3],
}


def write_run(
    folder: Path,
    backbone: str = "resnet18",
    size: int = 32,
    dataset: str = "custom",
    method: str = "simclr",
    method_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Path:
    """A run folder after 1 of 3 epochs; ``kwargs`` are the backbone's."""
    cueco_solo.register()
    cfg = small_cfg(method, augmentations=[{**AUGMENTATION, "crop_size": size}])
    cfg.backbone = {"name": backbone, "kwargs": kwargs}
    cfg.data.dataset = dataset
    cfg.method_kwargs = method_kwargs or {
        "proj_hidden_dim": 8,
        "proj_output_dim": 8,
        "temperature": 0.2,
    }
    folder.mkdir(parents=True)
    (folder / "args.json").write_text(json.dumps(OmegaConf.to_container(cfg)))
    torch.manual_seed(1)
    state = host.method_class(method)(cfg).state_dict()
    for value in state.values():
        if value.is_floating_point() and value.ndim == 1:
            value.add_(torch.rand_like(value) * 0.1)
    progress = {"epoch_progress": {"current": {"processed": 1}}}
    content = {"state_dict": state, "global_step": 4, "loops": {"fit_loop": progress}}
    torch.save(content, folder / "test-ep=0.ckpt")
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """:func:`write_run` into a folder of its own."""
    return lambda *args, **kwargs: write_run(tmp_path / "run", *args, **kwargs)


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18 with the 7x7 stem; not to be changed."""
    return write_run(tmp_path_factory.mktemp("standard") / "run")


@pytest.fixture(scope="session")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18 with the CIFAR stem; not to be changed."""
    return write_run(tmp_path_factory.mktemp("cifar") / "run", dataset="cifar10")


@pytest.fixture(scope="session")
def exported(standard: Path, cifar: Path, tmp_path_factory: pytest.TempPathFactory):
    """Both runs with an export in every format, by name; not to be changed."""
    both = {}
    for name, run in (("standard", standard), ("cifar", cifar)):
        out = tmp_path_factory.mktemp("exported") / name
        assert main(["export", str(run), "--out", str(out)]) == 0
        both[name] = (run, out)
    return both
