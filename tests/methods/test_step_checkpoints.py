"""Lightning's ModelCheckpoint amid an epoch, and at its last batch, saves steps that have ended."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from queue_models import cueco, rcl
from support import fit


class NextStep(Callback):
    """The state before each step, which is what the one before left behind."""

    def __init__(self) -> None:
        self.states: dict[int, dict[str, torch.Tensor]] = {}

    def _keep(self, trainer: Any, module: Any) -> None:
        state = {name: value.clone() for name, value in module.state_dict().items()}
        self.states.setdefault(trainer.global_step, state)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self._keep(trainer, module)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self._keep(trainer, module)


@pytest.mark.parametrize(
    "build",
    [lambda: cueco(clustering="offline", cluster_warmup_steps=1), lambda: rcl(hierarchy="kmeans")],
    ids=["cueco", "rcl"],
)
def test_a_checkpoint_has_the_clusters_and_averages_of_its_step(build: Any, tmp_path: Path) -> None:
    checkpoints = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    model, after = build(), NextStep()
    fit(model, after, checkpoints, max_epochs=1, limit_train_batches=3, enable_checkpointing=True)
    assert model._runs == 1  # at the last batch
    for step in (2, 3):
        saved = torch.load(tmp_path / f"step={step}.ckpt", weights_only=True)["state_dict"]
        for name, value in after.states[step].items():
            assert torch.equal(saved[name], value), (step, name)
