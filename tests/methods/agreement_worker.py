"""Started by test_rank_agreement.py: hashes, after every batch, what all ranks must agree on.

Arguments: the folder for what each process has found, the number of processes, then names of
``CASES``. Lightning starts the other processes by repeating this command.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy
from queue_models import cueco, rcl
from self_classifier_models import V2, self_classifier
from support import Views, fit, small_cfg
from torch.utils.data import DataLoader, DistributedSampler

from cueco_solo import host


class Case(NamedTuple):
    """A training of two epochs.

    Attributes:
        make: of a number of images, the model.
        broadcast: of DistributedDataParallel, which then sends the first rank's buffers to all.
        accumulate: batches of a step.
        whole: whether the last batch, which is smaller, is dropped.
        images: that fill no whole batch; the sampler repeats some where they can't be shared out.
    """

    make: Callable[[int], Any]
    broadcast: bool = True
    accumulate: int = 1
    whole: bool = False
    images: int = 27


def mocov2plus(images: int) -> Any:
    kwargs = {"proj_hidden_dim": 16, "proj_output_dim": 8, "queue_size": 64, "temperature": 0.2}
    return host.method_class("mocov2plus")(small_cfg("mocov2plus", method_kwargs=kwargs))


SOFT = {"assignment": "soft", "centroid_gradient": True}
DBSCAN = {"hierarchy": "dbscan", "dbscan_eps": [1.3, 1.0, 0.9]}
CASES = {
    "cueco": Case(lambda n: cueco(cluster_warmup_steps=1, cluster_reset_steps=2)),
    "cueco, accumulated": Case(
        lambda n: cueco(cluster_warmup_steps=1, cluster_reset_steps=2, **SOFT), False, 2
    ),
    "cueco, offline": Case(
        lambda n: cueco(cluster_warmup_steps=1, clustering="offline", queue_size=50), False
    ),
    "rcl, online": Case(lambda n: rcl(num_samples=n), False, 2),
    "rcl, dbscan": Case(lambda n: rcl(num_samples=n, **DBSCAN), whole=True),
    "self_classifier": Case(lambda n: self_classifier()),
    "self_classifier, v2": Case(
        lambda n: self_classifier(**{**V2, "fixed_classifier": False, "queue_size": 20}), False, 2
    ),
    # for comparison; solo-learn's queue needs whole batches
    "mocov2plus": Case(mocov2plus, whole=True),
}
# buffers that all agree on; batch norm's statistics are each process's own
STATE = ("queue", "clusters.", "step", "hierarchy.", "targets", "head_losses", "classifiers.")
# and what isn't in them: the host's copies of counters
COPIES = ("_step", "_steps", "_runs", "_queued")


def digest(tensor: torch.Tensor) -> str:
    content = tensor.detach().cpu().contiguous()
    return hashlib.sha256(content.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def agreed(model: Any) -> dict[str, str]:
    """By name, digests of what must be the same on all ranks."""
    tensors: dict[str, torch.Tensor] = dict(model.named_parameters())
    tensors |= {name: b for name, b in model.named_buffers() if name.startswith(STATE)}
    if hasattr(model, "best_head"):
        tensors["best_head"] = model.best_head
    if getattr(model, "clustered", False) and hasattr(model, "clusters"):
        tensors |= {f"health {n}": v for n, v in model.clusters.health(model._step).items()}
    found = {name: digest(value) for name, value in tensors.items()}
    return found | {name: str(getattr(model, name)) for name in COPIES if hasattr(model, name)}


class Hashes(Callback):
    """The digests after every batch, that is after all hooks: at the start of the next one."""

    def __init__(self) -> None:
        self.found: list[Mapping[str, str]] = []
        self.batches: list[str] = []
        self.inputs: dict[str, str] = {}

    def setup(self, trainer, module, stage):
        """What K-means is given: its result is sent from the first rank to the others."""
        if not hasattr(module, "clusters"):
            return
        stock = module.clusters.recluster

        def recluster(k, *, seed, **others):
            self.inputs = {"K-means of": digest(k), "seed": str(seed)}
            stock(k, seed=seed, **others)

        module.clusters.recluster = recluster

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if self.batches:
            self.found.append(agreed(module) | self.inputs)
        self.batches.append(digest(batch[1][0]))

    def on_train_end(self, trainer, module):
        self.found.append(agreed(module) | self.inputs)


def train(case: Case, rank: int, processes: int) -> dict[str, Any]:
    model, hashes = case.make(case.images), Hashes()
    strategy = DDPStrategy(process_group_backend="gloo", broadcast_buffers=case.broadcast)
    sampler = DistributedSampler(range(case.images), processes, rank, shuffle=False)  # type: ignore
    loader = DataLoader(Views(case.images), 4, sampler=sampler, drop_last=case.whole)
    options = {"devices": processes, "strategy": strategy, "use_distributed_sampler": False}
    fit(
        model,
        hashes,
        loader=loader,
        max_epochs=2,
        accumulate_grad_batches=case.accumulate,
        **options,
    )
    return {
        "steps": hashes.found,
        "batches": hashes.batches,
        "first": agreed(case.make(case.images)),
    }


def main(folder: str, processes: str, *names: str) -> None:
    rank = int(os.environ.get("LOCAL_RANK", 0))
    found = {name: train(CASES[name], rank, int(processes)) for name in names}
    (Path(folder) / f"rank{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
