"""Estimates of GPU hours, memory and disk for the papers' tables, from what a step computes.

    python scripts/benchmarks/table_hours.py [GRID ...]

GRID: names of our grids, by default those of all of the papers' tables. Counted on the CPU, under
autocast to bfloat16, in steps of two and of four images, so that what doesn't grow with a batch
drops out: floating-point operations for each image, and the bytes that are kept of it for the
backward pass. Images per second are those that NVIDIA has published for supervised training of
ResNet-50, times its operations, over ours. Loading, validation, evaluations and clustering aren't
in it, nor is what small images lose on a GPU: an estimate. Runs that tables share are counted in
each of them. Markdown; it needs solo-learn main, which has all methods.
"""

import argparse
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from common import training_step
from omegaconf import DictConfig, OmegaConf
from scale import shared_bytes
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50

import cueco_solo
from cueco_solo.comparison.grid import packaged_grids, read_grid
from cueco_solo.comparison.jobs import jobs
from cueco_solo.host import method_class, parse_pretrain_cfg
from cueco_solo.training.log_filters import quieten

# images per second of one GPU in mixed precision: NVIDIA/DeepLearningExamples,
# PyTorch/Classification/ConvNets/resnet50v1.5/README.md, "Training performance results"
PUBLISHED = {"V100 (32 GB)": 1156, "A100 (80 GB)": 2470}
_IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "imagenet100": 126_689, "imagenet": 1_281_167}
_BATCHES = (2, 4)


class Cost(NamedTuple):
    """Of a method's step.

    Attributes:
        operations: floating-point operations for each image.
        kept: bytes for each image of a batch.
        fixed: bytes whatever the batch: weights, gradients, optimizer and the method's state.
        checkpoint: bytes on disk.
    """

    operations: float
    kept: float
    fixed: float
    checkpoint: float


def per_image(step: Callable[[int], Any]) -> tuple[float, float]:
    """Operations, and bytes kept for the backward pass, that one more image costs."""
    operations, kept = [], []
    for size in _BATCHES:
        storages: dict[int, int] = {}

        def keep(tensor: torch.Tensor, storages: dict[int, int] = storages) -> torch.Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with (
            FlopCounterMode(display=False) as counter,
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16),
        ):
            step(size)
        operations.append(counter.get_total_flops())
        kept.append(sum(storages.values()))
    more = _BATCHES[1] - _BATCHES[0]
    return (operations[1] - operations[0]) / more, (kept[1] - kept[0]) / more


def supervised() -> float:
    """Operations for each image in supervised training of ResNet-50."""
    network = resnet50()
    return per_image(lambda size: network(torch.randn(size, 3, 224, 224)).sum().backward())[0]


def cost(cfg: DictConfig) -> Cost:
    """Of a composed pre-training; equal ones are counted once."""
    cfg = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[assignment]
    cfg.devices, cfg.num_nodes = [0], 1
    cfg.max_epochs, cfg.optimizer.lr = 100, 0.1  # of no account here
    cfg.data.pop("superclasses", None)  # only cueco-solo pretrain knows it
    for key in ("resume_from_checkpoint", "strategy", "seed", "name", "checkpoint", "auto_resume"):
        cfg.pop(key, None)
    return _cost(OmegaConf.to_yaml(cfg))


@cache
def _cost(text: str) -> Cost:
    cfg = OmegaConf.create(text)
    model: Any = method_class(cfg.method)(parse_pretrain_cfg(cfg))
    crops = [crop.crop_size for crop in cfg.augmentations for _ in range(crop.num_crops)]

    def step(size: int) -> None:
        views = [torch.randn(size, 3, pixels, pixels) for pixels in crops]
        labels = torch.randint(model.num_classes, (size,))
        take = training_step(model, [torch.arange(size), views, labels])
        model._trainer = SimpleNamespace(log_every_n_steps=0, current_epoch=0, world_size=1)
        if cfg.method == "swav":  # it makes its Sinkhorn-Knopp there
            model.on_train_start()
        take()

    operations, kept = per_image(step)
    whole = 4 * sum(parameter.numel() for parameter in model.parameters())
    trained = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
    state = shared_bytes(model) if hasattr(model, "_ddp_params_and_buffers_to_ignore") else 0
    return Cost(operations, kept, whole + 2 * trained + state, whole + trained + state)


def row(name: str, reference: float) -> str:
    """Of one grid."""
    hours, longest, memory, disk = 0.0, 0.0, 0.0, 0.0
    runs = jobs(read_grid(name))
    for job in runs:
        of_run = cost(job.cfg)
        images = _IMAGES[job.cfg.data.dataset] * job.cfg.max_epochs
        one = of_run.operations / reference * images / 3600
        hours, longest = hours + one, max(longest, one)
        memory = max(memory, of_run.fixed + of_run.kept * job.cfg.optimizer.batch_size)
        disk += of_run.checkpoint
    cards = [f"{hours / rate:,.0f} ({longest / rate:,.0f})" for rate in PUBLISHED.values()]
    sizes = f"{memory / 1e9:.0f} | {disk / 1e9:.1f}"
    return f"| `{name}` | {len(runs)} | {' | '.join(cards)} | {sizes} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("grids", nargs="*", metavar="GRID")
    args = parser.parse_args()
    quieten()
    cueco_solo.register()
    reference = supervised()
    print(f"ResNet-50, supervised: {reference / 1e9:.1f} GFLOP for each image\n")
    cards = " | ".join(f"hours (longest run), {card}" for card in PUBLISHED)
    print(f"| | runs | {cards} | GB of a process | GB of checkpoints |")
    print(f"|---|---:|{'---:|' * len(PUBLISHED)}---:|---:|")
    for name in args.grids or [name for name in packaged_grids() if "/" in name]:
        print(row(name, reference), flush=True)


if __name__ == "__main__":
    main()
