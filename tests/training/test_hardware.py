"""devices and accelerator as people write them."""

from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import DictConfig, OmegaConf
from support import refusal

from cueco_solo.training.compose import compose_config
from cueco_solo.training.hardware import find_hardware, lightning_arguments, settle_accelerator


def config(**settings: Any) -> DictConfig:
    return OmegaConf.create({"accelerator": "cpu", "devices": 1, **settings})


def hardware(**settings: Any) -> Any:
    return find_hardware(config(**settings))


@pytest.mark.parametrize(
    ("devices", "processes"),
    [(1, 1), (2, 2), ([0], 1), ([0, 1], 2), ("1", 1), ("02", 2), ("0,1", 2), ("auto", 1), (-1, 1)],
)
def test_processes_on_a_cpu(devices: Any, processes: int):
    found = hardware(devices=devices)
    assert (found.devices, found.processes) == (processes, processes)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(2, [0, 1]), ([1], [1]), ("auto", [0, 1]), ("1", [0]), ("0,1", [0, 1])],
)
def test_gpus_are_numbered(devices: Any, expected: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = hardware(accelerator="auto", devices=devices, precision="16-mixed")
    assert found.accelerator == "gpu"
    assert (found.devices, found.world_size) == (expected, len(expected))
    for number in (3, 2**40):
        message = refusal(hardware, accelerator="gpu", devices=number)
        assert f"devices={number} but there is no gpu 2; choose from 0, 1" in message


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"devices": 0}, "devices=0 must be a number of devices, a list of device numbers or"),
        ({"devices": []}, "devices=[] must be"),
        ({"devices": [0, 0]}, "devices=[0, 0] must be"),
        ({"devices": "two"}, "devices='two' must be"),
        ({"devices": True}, "devices=True must be"),
        ({"devices": 2**40}, "devices=1099511627776 must be at most"),
        ({"accelerator": "abacus"}, "accelerator='abacus' must be auto, cpu, gpu or mps"),
        ({"precision": "16-mixed"}, "precision='16-mixed' needs a GPU; add hardware=cpu"),
        ({"sync_batchnorm": True}, "sync_batchnorm=True needs a GPU; add hardware=cpu"),
    ],
)
def test_hardware_is_refused(settings: dict[str, Any], text: str):
    assert text in refusal(hardware, **settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    message = refusal(hardware, accelerator="gpu", devices=[0])
    assert "accelerator='gpu' is not available; add hardware=cpu" in message


GPU = {"accelerator": "auto", "devices": [0], "precision": "16-mixed", "sync_batchnorm": True}


def test_what_asks_for_a_gpu_is_one_process_on_a_cpu_without_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settled, cpu = (compose_config("cueco-cifar10", None, more) for more in ([], ["hardware=cpu"]))
    warning = settle_accelerator(settled)
    assert warning == (
        "warning: no GPU is available; it is one process on the CPU with precision=32 (was "
        "16-mixed), sync_batchnorm=False (was True), devices=1 (was [0]), strategy=auto (was ddp), "
        "accelerator=cpu (was auto)"
    )
    assert settled == cpu  # so both are one run
    assert find_hardware(settled).world_size == 1
    for kept in ({"accelerator": "gpu"}, {"precision": 32, "sync_batchnorm": False}):
        cfg = config(**{**GPU, **kept})
        before = cfg.copy()
        assert settle_accelerator(cfg) == "" and cfg == before
    cfg = config(accelerator="auto", precision="bf16-mixed", sync_batchnorm=True)
    assert "precision" not in settle_accelerator(cfg)
    assert cfg == config(precision="bf16-mixed", sync_batchnorm=False)
    assert find_hardware(cfg).world_size == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cfg = config(**GPU)
    assert settle_accelerator(cfg) == "" and cfg == config(**GPU)


def test_strategies():
    def strategy(**settings: Any) -> Any:
        return lightning_arguments(config(**settings), hardware(**settings))["strategy"]

    assert strategy() == "auto"
    assert strategy(strategy="ddp") == "auto"
    assert isinstance(strategy(strategy="ddp", devices=2), DDPStrategy)
    assert isinstance(strategy(strategy="ddp", num_nodes=2), DDPStrategy)
