"""Started by test_self_classifier_ddp.py: trains Self-Classifier on two gloo processes.

Arguments: the method's name, and the folder for what each process has in the end of each of
``CASES``. Lightning starts the second process by repeating this command.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy
from self_classifier_models import SMALL_CROPS, V2, Labelled, MultiCrop, self_classifier
from support import Views, fit
from torch import nn
from torch.utils.data import DataLoader

from cueco_solo.methods.self_classifier import gather_columns

IMAGES, VALIDATED, BATCH = 48, 16, 16  # a batch of all processes
CASES: dict[str, dict[str, Any]] = {
    "algorithm 1": {"normalize_rows": False},
    # the queue is full after two of three steps
    "v2": {**V2, "fixed_classifier": False, "queue_size": 24},
}


class Steps(Callback):
    """Norms as in evaluation, since theirs are of a process's own batch; each step's gradients."""

    def __init__(self) -> None:
        self.gradients: list[dict[str, torch.Tensor]] = []

    def on_train_batch_start(self, trainer, module, *_):
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.eval()

    def on_before_optimizer_step(self, trainer, module, optimizer):
        learned = ((n, p.grad) for n, p in module.named_parameters() if p.grad is not None)
        self.gradients.append({n: g.clone() for n, g in learned})


def loader(data: Any, batch: int, rank: int, processes: int) -> DataLoader:
    """Of each joint batch this process's part; one process has all of them, in that order."""
    share = batch // processes
    starts = range(0, len(data), batch)
    parts = [list(range(s + rank * share, s + (rank + 1) * share)) for s in starts]
    return DataLoader(data, batch_sampler=parts)


def train(case: str, rank: int, processes: int) -> dict[str, Any]:
    """A short training in float64; the joint batches are the same for any number of processes."""
    small_crops = case == "v2"
    model = self_classifier(
        {"optimizer__lr": 0.01, **(SMALL_CROPS if small_crops else {})}, **CASES[case]
    )
    steps = Steps()
    gloo = DDPStrategy(process_group_backend="gloo")
    log = fit(
        model,
        steps,
        loader=loader((MultiCrop if small_crops else Views)(IMAGES), BATCH, rank, processes),
        val_loader=loader(Labelled(VALIDATED), BATCH // 2, rank, processes),
        max_epochs=1,
        devices=processes,
        strategy=gloo if processes > 1 else "auto",
        use_distributed_sampler=False,
        precision="64-true",
    )
    logged = {n: v.double() for n, v in model.trainer.callback_metrics.items()}
    return {
        "state": model.state_dict(),
        "gradients": steps.gradients,
        "steps": log.steps,
        "logged": {n: v for n, v in logged.items() if not n.startswith("cluster_")},
        "best_head": model.best_head,
    }


def main(_: str, folder: str) -> None:
    rank = int(os.environ.get("LOCAL_RANK", 0))
    results = {case: train(case, rank, 2) for case in CASES}
    assert dist.get_rank() == rank
    results["columns"] = gather_columns(torch.full((2, 3 - rank), rank))
    torch.save(results, Path(folder) / f"rank{rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
