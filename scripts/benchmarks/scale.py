"""What grows with the data and with the processes, of the papers' configurations.

    python scripts/benchmarks/scale.py state
    python scripts/benchmarks/scale.py sent [--batch-size 8] [--pixels 64]

``state`` builds the networks without memory for them (torch's meta device) and counts parameters,
steps, and the bytes of the state beside the weights: how much of it is the same for any number of
images, and how much each image adds. ``sent`` trains steps of two batch sizes on two gloo processes
and counts the bytes that a process hands to the others beside its gradients: how many in any step,
and how many more for each image of its batch. Markdown.
"""

import argparse
import os
import socket
from collections import Counter
from typing import Any

import torch
import torch.distributed as dist
from common import random_batch, training_step
from cueco_cost import give_clusters
from omegaconf import OmegaConf
from rcl_cost import give_hierarchy

import cueco_solo
from cueco_solo.host import method_class, parse_pretrain_cfg
from cueco_solo.methods.cueco import CueCo
from cueco_solo.methods.rcl import RCL
from cueco_solo.training.compose import compose_config
from cueco_solo.training.log_filters import quieten
from cueco_solo.training.settings import with_defaults

_CIFAR, _IMAGENET100, _IMAGENET = 50_000, 126_689, 1_281_167
# configuration, training images, images of a step
PAPERS = {
    "cueco-cifar10": (_CIFAR, 256),
    "cueco-cifar100": (_CIFAR, 256),
    "cueco-imagenet100": (_IMAGENET100, 256),
    "rcl-imagenet": (_IMAGENET, 4096),
    "self_classifier-imagenet": (_IMAGENET, 4096),
}


_FEW = 2000
# of no account for what is sent, but quick to fill
_SHORT = {
    "cueco-imagenet100": ["method_kwargs.queue_size=1024", "method_kwargs.num_clusters=10"],
    "rcl-imagenet": ["method_kwargs.queue_size=1024"],
    "self_classifier-imagenet": [],
}


def model_of(name: str, images: int, device: str, *more: str) -> Any:
    """The method of a configuration, with more overrides, on so many images."""
    overrides = ["hardware=cpu", "devices=1", *more]
    if name.startswith("rcl"):
        overrides.append(f"method_kwargs.num_samples={images}")
    cfg = with_defaults(compose_config(name, None, overrides))
    cfg.devices, cfg.num_nodes = [0], 1
    for key in ("resume_from_checkpoint", "strategy"):
        cfg.pop(key, None)
    cfg.data.setdefault("val_path", None)
    with torch.device(device):
        return method_class(cfg.method)(parse_pretrain_cfg(OmegaConf.create(cfg)))


def shared_bytes(model: Any) -> int:
    """Of the buffers that belong to the method, not to batch norms."""
    names = set(model._ddp_params_and_buffers_to_ignore)
    return sum(b.numel() * b.element_size() for n, b in model.named_buffers() if n in names)


def print_state() -> None:
    """One row a configuration; parameters trained, and those of the momentum encoder, too."""
    print("| | steps | trained | all | state | per image | 100 million images | checkpoint |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, (images, batch) in PAPERS.items():
        model, more = (model_of(name, number, "meta") for number in (images, 2 * images))
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        whole = sum(p.numel() for p in model.parameters())
        state = shared_bytes(model)
        each = (shared_bytes(more) - state) / images
        steps = model.cfg.max_epochs * (images // batch)
        then = state + each * (100e6 - images)
        # of float32, with the optimizer's average of each trained one
        checkpoint = 4 * (whole + trained) + state
        print(
            f"| `{name}` | {steps:,} | {trained / 1e6:.1f} M | {whole / 1e6:.1f} M "
            f"| {state / 1e6:.1f} MB | {each:.0f} B | {then / 1e9:.2f} GB "
            f"| {checkpoint / 1e6:.0f} MB |"
        )


class Sent:
    """Counts what this process hands to collective calls."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        for name in ("all_gather", "all_reduce", "broadcast", "scatter"):
            setattr(dist, name, self._counting(name, getattr(dist, name)))

    def _counting(self, name: str, stock: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            given: Any = args[1] if name == "all_gather" else args[0]
            if name == "scatter":
                given = (args[1] if len(args) > 1 else kwargs.get("scatter_list")) or ()
            source = args[1] if name == "broadcast" and len(args) > 1 else kwargs.get("src")
            if name != "broadcast" or source == dist.get_rank():
                parts = given if isinstance(given, list | tuple) else [given]
                self.bytes[name] += sum(each.numel() * each.element_size() for each in parts)
            return stock(*args, **kwargs)

        return call


def count(rank: int, port: int, batch_size: int, pixels: int) -> None:
    """One of two processes; the first one prints."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    quieten()
    cueco_solo.register()
    sent = Sent()
    for name, short in _SHORT.items():
        torch.manual_seed(0)
        model = model_of(name, _FEW, "cpu", *short)
        if isinstance(model, CueCo):
            give_clusters(model)
        elif isinstance(model, RCL):
            give_hierarchy(model)
        totals = []
        for size in (batch_size, 2 * batch_size):
            step = training_step(model, random_batch(size, _FEW, "cpu", pixels))
            sent.bytes.clear()
            step()
            totals.append(sum(sent.bytes.values()))
        if rank == 0:
            gradients = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
            each = (totals[1] - totals[0]) / batch_size
            always = totals[0] - batch_size * each
            print(
                f"| `{name}` | {gradients / 1e6:.0f} MB | {always:,.0f} B | {each:,.0f} B |",
                flush=True,
            )
        del model, step
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("state", "sent"))
    parser.add_argument("--batch-size", type=int, default=8, help="of each process")
    parser.add_argument("--pixels", type=int, default=64)
    args = parser.parse_args()
    quieten()
    cueco_solo.register()
    if args.what == "state":
        print_state()
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print("| | gradients | sent beside them in any step | for each image |")
    print("|---|---:|---:|---:|", flush=True)
    words = (port, args.batch_size, args.pixels)
    torch.multiprocessing.spawn(count, words, nprocs=2)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
