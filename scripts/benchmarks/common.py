"""What the benchmark scripts share."""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from cueco_solo.methods.momentum import KeyMethod

Times = dict[Any, list[float]]  # by what was measured, sorted


def configuration(method: str, method_kwargs: dict[str, Any], base_tau: float) -> DictConfig:
    """A pre-training of a ResNet-18 with CIFAR stem."""
    return OmegaConf.create(
        {
            "method": method,
            "backbone": {"name": "resnet18"},
            "method_kwargs": method_kwargs,
            "momentum": {"base_tau": base_tau, "final_tau": 1.0},
            "data": {
                "dataset": "cifar10",
                "num_classes": 10,
                "num_large_crops": 2,
                "num_small_crops": 0,
            },
            "optimizer": {
                "name": "sgd",
                "batch_size": 256,
                "lr": 0.3,
                "classifier_lr": 0.3,
                "weight_decay": 1e-4,
                "kwargs": {"momentum": 0.9},
            },
            "scheduler": {"name": "none"},
            "max_epochs": 1,
        }
    )


def machine() -> str:
    """What a figure was measured on, for the line above it."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        models = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        name = models[0] if models else platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """The median over repeats, after one run to warm up."""
    function()
    times = sorted(timed(function)[0] for _ in range(repeats))
    return times[len(times) // 2]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    start = _now()
    result = function()
    return _now() - start, result


def spent(function: Callable[[], object]) -> float:
    """Seconds of one call: of the processor, or of the clock where a GPU works."""
    clock = time.process_time
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        clock = time.perf_counter
    start = clock()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - start


def in_turn(functions: dict[Any, Callable[[], object]], repeats: int) -> Times:
    """Seconds of each, sorted; one round of all to warm up."""
    taken: Times = {size: [] for size in functions}
    for turn in range(repeats + 1):
        for size, function in functions.items():
            one = spent(function)
            if turn:
                taken[size].append(one)
    return {size: sorted(some) for size, some in taken.items()}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def training_step(model: Any, batch: list[Any]) -> Callable[[], None]:
    """Forward, loss, backward and update of one step, without the data and the Trainer."""
    model.log = model.log_dict = lambda *_, **__: None
    # which steps are written down is asked of it: none
    model._trainer = SimpleNamespace(log_every_n_steps=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        model.training_step(batch, 1).backward()
        optimizer.step()
        if isinstance(model, KeyMethod):
            model.enqueue_waiting()

    return step


def random_batch(size: int, num_samples: int, device: str, pixels: int = 32) -> list[Any]:
    """``[indexes, [X1, X2], targets]``."""
    views = [torch.randn(size, 3, pixels, pixels, device=device) for _ in range(2)]
    indexes = torch.randperm(num_samples)[:size].to(device)
    return [indexes, views, torch.randint(10, (size,), device=device)]
