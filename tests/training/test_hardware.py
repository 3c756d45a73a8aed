"""devices and accelerator as people write them."""

from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import OmegaConf

from cueco_solo.errors import ConfigError
from cueco_solo.training.hardware import find_hardware, lightning_arguments


@pytest.mark.parametrize(
    ("devices", "processes"),
    [(1, 1), (2, 2), ([0], 1), ([0, 1], 2), ("1", 1), ("02", 2), ("0,1", 2), ("auto", 1), (-1, 1)],
)
def test_processes_on_a_cpu(devices: Any, processes: int):
    hardware = find_hardware(OmegaConf.create({"accelerator": "cpu", "devices": devices}))
    assert (hardware.devices, hardware.processes) == (processes, processes)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(2, [0, 1]), ([1], [1]), ("auto", [0, 1]), ("1", [0]), ("0,1", [0, 1])],
)
def test_gpus_are_numbered(devices: Any, expected: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cfg = OmegaConf.create({"accelerator": "auto", "devices": devices, "precision": "16-mixed"})
    hardware = find_hardware(cfg)
    assert hardware.accelerator == "gpu"
    assert (hardware.devices, hardware.world_size) == (expected, len(expected))
    with pytest.raises(ConfigError, match=r"devices=3 but there is no gpu 2; choose from 0, 1"):
        find_hardware(OmegaConf.create({"accelerator": "gpu", "devices": 3}))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"devices": 0}, "devices=0 must be a number of devices, a list of device numbers or"),
        ({"devices": []}, "devices=[] must be"),
        ({"devices": [0, 0]}, "devices=[0, 0] must be"),
        ({"devices": "two"}, "devices='two' must be"),
        ({"devices": True}, "devices=True must be"),
        ({"accelerator": "abacus"}, "accelerator='abacus' must be auto, cpu, gpu or mps"),
        ({"precision": "16-mixed"}, "precision='16-mixed' needs a GPU; add hardware=cpu"),
        ({"sync_batchnorm": True}, "sync_batchnorm=True needs a GPU; add hardware=cpu"),
    ],
)
def test_hardware_is_refused(settings: dict[str, Any], text: str):
    with pytest.raises(ConfigError) as caught:
        find_hardware(OmegaConf.create({"accelerator": "cpu", "devices": 1, **settings}))
    assert text in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    with pytest.raises(ConfigError, match="accelerator='gpu' isn't there; add hardware=cpu"):
        find_hardware(OmegaConf.create({"accelerator": "gpu", "devices": [0]}))


def test_strategies():
    def strategy(**settings: Any) -> Any:
        cfg = OmegaConf.create({"accelerator": "cpu", "devices": 1, **settings})
        return lightning_arguments(cfg, find_hardware(cfg))["strategy"]

    assert strategy() == "auto"
    assert strategy(strategy="ddp") == "auto"
    assert isinstance(strategy(strategy="ddp", devices=2), DDPStrategy)
    assert isinstance(strategy(strategy="ddp", num_nodes=2), DDPStrategy)
