"""Training steps on random images that lie on the device: their speed, memory and parts.

    python scripts/benchmarks/gpu_steps.py throughput OUT [--methods cueco ...] [--device cuda]
    python scripts/benchmarks/gpu_steps.py parts OUT

A step is Lightning's: the method's own training step and hooks, backward pass and optimizer.
Clusters are there from the start, as after the warm-up. ``throughput`` writes images per second and
memory of each method to OUT/steps-METHOD.json, ``parts`` the time of each part and the host's waits
for the GPU to OUT/parts-METHOD.json. What is there already is not measured again.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from common import configuration, machine, random_batch
from cueco_cost import give_clusters
from lightning.pytorch import Callback, Trainer
from omegaconf import OmegaConf
from rcl_cost import give_hierarchy
from step_parts import Parts, Profile

import cueco_solo
from cueco_solo.errors import one_line
from cueco_solo.files import write_json
from cueco_solo.host import method_class
from cueco_solo.host.lightning_loops import leave_signals
from cueco_solo.methods.cueco import CueCo
from cueco_solo.methods.rcl import RCL
from cueco_solo.training.hardware import torch_device
from cueco_solo.training.log_filters import quieten

_HEADS = {"proj_hidden_dim": 2048, "proj_output_dim": 256}
# solo-learn's sizes for CIFAR, and ours; base_tau
METHODS: dict[str, tuple[dict[str, Any], float]] = {
    # K-means, every 1000 steps, has a benchmark of its own
    "cueco": ({"num_clusters": 100, "cluster_warmup_steps": 1_000_000}, 0.996),
    "rcl": ({**_HEADS, "pred_hidden_dim": 4096, "queue_size": 16384, "num_samples": 50_000}, 0.99),
    "self_classifier": ({}, 0.99),
    "mocov2plus": ({**_HEADS, "queue_size": 16384, "temperature": 0.2}, 0.996),
    "byol": ({**_HEADS, "proj_hidden_dim": 4096, "pred_hidden_dim": 4096}, 0.99),
    "simclr": ({**_HEADS, "temperature": 0.2}, 0.99),
}
_TINY = {"proj_hidden_dim": 16, "pred_hidden_dim": 16, "queue_size": 64, "num_clusters": 4}
_TINY |= {"num_samples": 64, "mlp_dims": [16, 8], "head_size": 4, "num_heads": 2}


@dataclass
class Setting:
    """What a figure depends on beside the method; a file of another one is measured anew."""

    device: str
    backbone: str
    size: int
    batch_size: int
    warmup: int
    steps: int
    repeats: int
    compiler: str
    tiny: bool
    # hundreds of steps on one batch, without warm-up, must not diverge
    lr: float = 1e-3
    machine: str = field(default_factory=machine)


class Batches:
    """``number`` times the same batch, which is on the device already."""

    def __init__(self, batch: list[Any], number: int) -> None:
        self.batch, self.number = batch, number

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[list[Any]]:
        return itertools.repeat(self.batch, self.number)


class Marks(Callback):
    """The time at the start of each of these steps, when all work before is done."""

    def __init__(self, steps: list[int], acts: dict[int, Callable[[], None]] | None = None) -> None:
        self.steps, self.acts = steps, acts or {}
        self.times: list[float] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx in self.steps:
            synchronize()
            self.times.append(time.perf_counter())
        if batch_idx in self.acts:
            self.acts[batch_idx]()


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def build(method: str, setting: Setting, channels_last: bool) -> Any:
    """A model with clusters, on the device."""
    kwargs, base_tau = METHODS[method]
    if setting.tiny:
        own = {"self_classifier": ("mlp_dims", "head_size", "num_heads")}.get(method, kwargs)
        own = (
            (*own, "proj_hidden_dim", "pred_hidden_dim", "queue_size") if method == "cueco" else own
        )
        kwargs = {**kwargs, **{key: value for key, value in _TINY.items() if key in own}}
    cfg = configuration(method, kwargs, base_tau)
    cfg.backbone.name = setting.backbone
    cfg.data.dataset = "cifar10" if setting.size <= 32 else "imagenet100"
    cfg.optimizer.batch_size = setting.batch_size
    cfg.optimizer.lr = cfg.optimizer.classifier_lr = setting.lr
    OmegaConf.update(cfg, "performance.disable_channel_last", not channels_last, force_add=True)
    torch.manual_seed(0)
    model = method_class(method)(cfg).to(setting.device)
    if isinstance(model, CueCo):
        give_clusters(model)
    if isinstance(model, RCL):
        give_hierarchy(model)
    return model.to(memory_format=torch.channels_last) if channels_last else model


def train(model: Any, setting: Setting, precision: str, number: int, *callbacks: Callback) -> None:
    """So many steps of Lightning's, without validation, files or noise."""
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu" if setting.device == "cpu" else "gpu",
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    leave_signals(trainer)
    samples = METHODS["rcl"][0]["num_samples"] if not setting.tiny else _TINY["num_samples"]
    batch = random_batch(setting.batch_size, samples, setting.device, setting.size)
    trainer.fit(model, Batches(batch, number))


def throughput(
    method: str, setting: Setting, precision: str, channels_last: bool, compiled: bool
) -> dict[str, Any]:
    """Images per second of one setting, over some repeats, and memory."""
    cuda = setting.device == "cuda"
    if compiled and cuda and setting.compiler == "inductor" and not _has_compiler():
        return {"not_available": "no C compiler with Python.h"}
    model = build(method, setting, channels_last)
    if compiled:
        for child in model.children():
            for each in child if isinstance(child, torch.nn.ModuleList) else [child]:
                each.compile(backend=setting.compiler)
    first, last = setting.warmup, setting.warmup + setting.repeats * setting.steps
    acts = {first: torch.cuda.reset_peak_memory_stats} if cuda else {}
    clock = Marks([0, *range(first, last + 1, setting.steps)], acts)
    train(model, setting, precision, last + 1, clock)  # the last one's start ends the repeat before
    started, *times = clock.times
    images = setting.steps * setting.batch_size
    rates = [images / (end - begin) for begin, end in itertools.pairwise(times)]
    return {
        "images_per_second": statistics.median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "warmup_seconds": times[0] - started,
        "memory_bytes": torch.cuda.max_memory_allocated() if cuda else None,
    }


def _has_compiler() -> bool:
    """Whether the kernels' launcher can be built, which torch.compile does for a GPU."""
    compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
    header = Path(sysconfig.get_path("include"), "Python.h")
    return any(map(shutil.which, compilers)) and header.is_file()


def parts(method: str, setting: Setting, precision: str, channels_last: bool) -> dict[str, Any]:
    """Seconds of each part of a step, and how often the host waits for the GPU in each."""
    first, last = setting.warmup, setting.warmup + setting.steps
    whole = Marks([first, last])
    train(build(method, setting, channels_last), setting, precision, last + 1, whole)
    timed, timer = Parts(synchronize), Marks([first, last])
    timer.acts = {first: timed.reset, last: timed.stop}
    train(
        timed.wrap(build(method, setting, channels_last)),
        setting,
        precision,
        last + 1,
        timer,
        timed,
    )
    named = Parts(lambda: None)
    model = named.wrap(build(method, setting, channels_last))
    profile = Profile(setting.device)
    edges = Marks([first], {first: profile.start, last: profile.stop})
    train(model, setting, precision, last + 1, edges, named)
    length = (timer.times[1] - timer.times[0]) / setting.steps
    seconds = {name: value / setting.steps for name, value in timed.seconds.items()}
    seconds["the rest: Lightning, callbacks, logs"] = length - sum(seconds.values())
    return {
        "step_seconds": (whole.times[1] - whole.times[0]) / setting.steps,
        "step_seconds_synchronized": length,
        "part_seconds": seconds,
        **profile.found(setting.steps),
    }


def _measure(path: Path, setting: Setting, rows: dict[str, Callable[[], dict[str, Any]]]) -> int:
    """Add what the file lacks, row by row; returns how many failed."""
    content: dict[str, Any] = {"setting": vars(setting), "rows": {}}
    if path.is_file():
        former = json.loads(path.read_text(encoding="utf-8"))
        content = former if former["setting"] == content["setting"] else content
    failed = 0
    for name, function in rows.items():
        row = content["rows"].get(name, {})
        if row and not row.keys() & {"error", "not_available"}:
            continue
        print(f"{path.stem}: {name}", flush=True)
        try:
            content["rows"][name] = function()
        except Exception as error:  # of the compiler or the memory: the others go on
            traceback.print_exc()
            content["rows"][name] = {"error": f"{type(error).__name__}: {one_line(error)}"}
            failed += 1
        write_json(path, content)
        torch.compiler.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return failed


def row_name(precision: str, channels_last: bool, compiled: bool) -> str:
    words = ["bf16" if precision.startswith("bf16") else "fp32"]
    return ", ".join([*words, *["channels last"] * channels_last, *["compiled"] * compiled])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("throughput", "parts"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=32, help="pixels; up to 32 with CIFAR stem")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--tiny", action="store_true", help="a trial of this script, for tests")
    args = parser.parse_args()

    # the guard against divergence looks every 16 steps
    number = {"warmup": 32, "steps": 32, "repeats": 5}
    if args.tiny:
        number = {"warmup": 1, "steps": 1, "repeats": 2}
    setting = Setting(
        device=torch_device(args.device),
        backbone=args.backbone,
        size=16 if args.tiny else args.size,
        batch_size=4 if args.tiny else args.batch_size,
        compiler="eager" if args.tiny else "inductor",
        tiny=args.tiny,
        **number,
    )
    quieten()
    cueco_solo.register()
    args.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for method in args.methods:
        if args.what == "parts":
            path = args.out / f"parts-{method}.json"
            rows = {
                row_name("bf16", True, False): lambda m=method: parts(
                    m, setting, "bf16-mixed", True
                )
            }
        else:
            path = args.out / f"steps-{method}.json"
            choices = [*itertools.product(("32-true", "bf16-mixed"), (False, True), (False, True))]
            choices = choices[:1] + choices[-1:] if args.tiny else choices
            rows = {
                row_name(*choice): lambda m=method, c=choice: throughput(m, setting, *c)
                for choice in choices
            }
        failed += _measure(path, setting, rows)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
