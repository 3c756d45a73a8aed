"""Started by test_cueco_rcl_ddp.py: trains a method's ``CASES`` on two gloo processes.

Arguments: the method, and the folder for what each process has in the end. Lightning starts the
second process by repeating this command.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import OmegaConf
from queue_models import cueco, rcl
from support import fit, views_loader
from torch.utils.data import DistributedSampler

# CueCo's images make five whole steps of two batches of 8; of RCL's four belong to no batch
IMAGES = {"cueco": 80, "rcl": 84}
# broadcast_buffers, and options of the method as ``key=value`` in YAML
CASES: dict[str, dict[str, tuple[bool, tuple[str, ...]]]] = {
    "cueco": {
        "broadcast": (True, ()),
        "no broadcast": (False, ()),
        "centroid gradient": (False, ("centroid_gradient=true", "assignment=soft")),
        "offline, uneven queue": (False, ("clustering=offline", "queue_size=50")),
    },
    "rcl": {
        "broadcast": (True, ()),
        "no broadcast, one predictor": (False, ("num_predictors=1",)),
        "offline, uneven queue": (False, ("hierarchy=dbscan", "queue_size=50")),
    },
}
STATE = {"cueco": ("queue", "clusters"), "rcl": ("queue", "hierarchy", "targets")}


class LastStep(Callback):
    """The keys and indexes of this process in the last step, and the state at its start."""

    def __init__(self) -> None:
        self.keys = torch.empty(0)
        self.index = torch.empty(0)
        self.before: dict[str, torch.Tensor] = {}

    def setup(self, trainer, module, stage):
        original = module.losses

        def recording(z, k, *index):
            self.keys = torch.stack(list(k)).clone()
            self.index = torch.cat(index) if index else self.index
            self.before = state(module)
            return original(z, k, *index)

        module.losses = recording


class Marks(Callback):
    """Each process's number, put where no batch writes, and what stands there two steps later."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.current_epoch == 0 and batch_idx in (0, 2) and hasattr(module, "targets"):
            places = {"bank": module.hierarchy.bank, "targets": module.targets}
            for name, buffer in places.items():
                if batch_idx == 0:
                    buffer[-1] = 1 + trainer.global_rank
                else:
                    self.found[name] = int(buffer[-1].max())
                    buffer[-1] = 0 if name == "bank" else -1


def state(model: Any) -> dict[str, torch.Tensor]:
    """Copies of the buffers that all processes must agree on."""
    names = STATE[model.cfg.method]
    return {n: b.clone() for n, b in model.state_dict().items() if n.startswith(names)}


def losses_with_gradient(model: Any, rank: int, world_size: int) -> dict[str, torch.Tensor]:
    """Unweighted losses of this process's share of 16 fixed queries, and their gradients."""
    generator = torch.Generator().manual_seed(1)
    z, k = F.normalize(torch.randn(2, 2, 16, 16, generator=generator), dim=-1)
    z, k = (x.chunk(world_size, dim=1)[rank].clone() for x in (z, k))
    z.requires_grad_()
    if model.cfg.method == "cueco":
        losses = model.losses(tuple(z), tuple(k))
        total = losses["centroid"] + losses["variance"]
    else:
        p = [view.expand(len(model.predictors), -1, -1) for view in z]
        total, _ = model.losses(p, tuple(k), torch.arange(16).chunk(world_size)[rank])
    return {"loss": total.detach(), "gradient": torch.autograd.grad(total, z)[0]}


def assert_halves_make_the_whole(whole: Any, one: dict[str, Any], two: dict[str, Any]) -> None:
    """Both ranks' losses and gradients are those of the whole batch in one process."""
    whole.load_state_dict(one["state"], strict=False)
    whole._runs = 1
    expected = losses_with_gradient(whole, rank=0, world_size=1)
    halves = [one["share"], two["share"]]
    loss, gradient = sum(half["loss"] for half in halves) / 2, [h["gradient"] for h in halves]
    torch.testing.assert_close(loss, expected["loss"])
    torch.testing.assert_close(torch.cat(gradient, dim=1) / 2, expected["gradient"])


def build(method: str, options: Sequence[str]) -> Any:
    kwargs: dict[str, Any] = dict(OmegaConf.from_dotlist(list(options)))  # type: ignore[arg-type]
    return cueco(**kwargs) if method == "cueco" else rcl(num_samples=IMAGES["rcl"], **kwargs)


def two_processes(folder: Path, method: str, worker: Path = Path(__file__)) -> list[dict[str, Any]]:
    """What both ranks wrote; the worker's own output is shown if it fails."""
    path = os.pathsep.join([str(worker.parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    # Lightning's warning of values that aren't reduced would reach users too
    filters = ["-W", "ignore", "-W", "error:It is recommended to use"]
    command = [sys.executable, *filters, str(worker), method, str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return [torch.load(folder / f"rank{r}.pt", weights_only=True) for r in range(2)]


def train(method: str, broadcast_buffers: bool, options: Sequence[str]) -> dict[str, Any]:
    model = build(method, options)
    last, marks = LastStep(), Marks()
    strategy = DDPStrategy(process_group_backend="gloo", broadcast_buffers=broadcast_buffers)
    # Lightning's own sampler would shuffle
    rank = int(os.environ.get("LOCAL_RANK", 0))
    sampler = DistributedSampler(range(IMAGES[method]), 2, rank, shuffle=False)  # type: ignore[arg-type]
    loader = views_loader(n=IMAGES[method], sampler=sampler)
    trainer = {"devices": 2, "strategy": strategy, "use_distributed_sampler": False}
    fit(model, last, marks, loader=loader, max_epochs=2, **trainer)
    result = {
        "state": state(model),
        "weights": model.projector[0].weight.detach(),
        "keys": last.keys,
        "index": last.index,
        "before": last.before,
        "marks": marks.found,
        "share": losses_with_gradient(model, dist.get_rank(), 2),
    }
    return result | ({"step": model.step} if method == "cueco" else {})


def main(method: str, folder: str) -> None:
    found = {name: train(method, *case) for name, case in CASES[method].items()}
    torch.save(found, Path(folder) / f"rank{dist.get_rank()}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
