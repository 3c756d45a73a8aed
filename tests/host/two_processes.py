"""What two gloo processes do in ``test_distributed.py``; each function runs in both."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from host import tiny
from lightning.pytorch.strategies import DDPStrategy

from cueco_solo import host
from cueco_solo.errors import HostError


def _enter(rank: int, port: int, work: Callable[..., None], folder: Path) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2")
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), NODE_RANK="0")
    torch.set_num_threads(1)
    try:
        work(rank, folder)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def in_two_processes(work: Callable[..., None], folder: Path) -> None:
    """Run ``work(rank, folder)`` in two processes; raises what one of them raises.

    Raises:
        TimeoutError: they wait for each other.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.spawn(_enter, args=(port, work, folder), nprocs=2, join=False)
    deadline = time.monotonic() + 120
    while not context.join(timeout=1):
        if time.monotonic() > deadline:
            for process in context.processes:
                process.kill()
            raise TimeoutError("the two processes wait for each other")


def gather(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", rank=rank, world_size=2)
    x = (torch.arange(6.0).reshape(2, 3).T + 10 * rank).requires_grad_()  # not contiguous
    for dim in (0, 1):
        x.grad = None
        gathered = host.gather(x, dim)
        # each process's loss weighs every entry by its own, so the sum is what must come back
        weight = torch.linspace(-1, 1, gathered.numel()).reshape(gathered.shape) * (rank + 2)
        (gathered * weight).sum().backward()
        torch.save((x.detach(), gathered.detach(), weight, x.grad), folder / f"{rank}-{dim}.pt")


def _trainer(cfg: Any, *callbacks: Any) -> Any:
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=False)
    return tiny.trainer(cfg, *callbacks, devices=2, strategy=strategy)


def train_toy(rank: int, folder: Path) -> None:
    cfg = tiny.configuration("toy", ("max_epochs=2", "knn_eval={enabled: true, k: 3}"))
    checkpointer = host.Checkpointer(cfg, logdir=folder / "logs", frequency=1)
    trainer = _trainer(cfg, checkpointer)
    model = tiny.build(cfg)
    trainer.fit(model, *tiny.loaders(cfg))
    metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
    torch.save((model.state_dict(), metrics), folder / f"toy-{rank}.pt")


def refuse_baseline(rank: int, folder: Path) -> None:
    cfg = tiny.configuration("simclr")
    try:
        _trainer(cfg).fit(tiny.build(cfg), *tiny.loaders(cfg))
    except HostError as error:
        (folder / f"refused-{rank}").write_text(str(error))
