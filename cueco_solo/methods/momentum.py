"""What the methods with a momentum encoder share."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from tqdm import tqdm

from cueco_solo.host import BaseMomentumMethod, gather, initialize_momentum_params
from cueco_solo.methods.base import PluginMethod
from cueco_solo.modules.heads import mlp_head
from cueco_solo.modules.queue import KeyQueue
from cueco_solo.numerics import alignment, uniformity, widened


class _BeforeCheckpoints(Callback):
    """Ends a step before Lightning's ModelCheckpoint, the last of the callbacks, can save it.

    The method's own hook comes after those of the callbacks, and then finds the step done.
    """

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        pl_module.on_train_batch_end(outputs, batch, batch_idx)


def resume_momentum(method: Any) -> None:
    """Set the EMA coefficient of a resumed run, which solo-learn doesn't save.

    Without it, the first update would use ``base_tau``, and with accumulated gradients it would
    come one micro-batch after the start.
    """
    step, trainer = method.trainer.global_step, method.trainer
    if step:
        method.last_step = step
        updater, total = method.momentum_updater, trainer.estimated_stepping_batches
        # where epochs had another number of steps before, as with other devices, the learning
        # rate's schedule says how far the run is
        places = [
            c.scheduler.last_epoch for c in trainer.lr_scheduler_configs if c.interval == "step"
        ]
        ahead = step - places[0] if places else 0
        if ahead:
            stock = partial(type(updater).update_tau, updater)
            updater.update_tau = lambda cur_step, max_steps: stock(cur_step - ahead, max_steps)
        updater.update_tau(cur_step=step, max_steps=total)


class KeyMethod(PluginMethod, BaseMomentumMethod):
    """A method that compares queries with the keys of a momentum backbone and projector."""

    sizes = {
        "proj_hidden_dim": ("projector.0.weight", 0),
        "proj_output_dim": ("queue.keys", 2),
        "queue_size": ("queue.keys", 1),
    }
    queue: KeyQueue
    _waiting: tuple[torch.Tensor, torch.Tensor | None] | None = None

    def configure_callbacks(self) -> Any:
        """What the parent brings, and what ends a step in time for a checkpoint."""
        return [*super().configure_callbacks(), _BeforeCheckpoints()]

    def make_projectors(self, hidden_dims: Sequence[int], output_dim: int, **options: Any) -> None:
        """Make ``projector`` and ``momentum_projector``; arguments as :func:`mlp_head` has them."""
        self.projector, self.momentum_projector = (
            mlp_head(self.features_dim, hidden_dims, output_dim, **options) for _ in range(2)
        )
        initialize_momentum_params(self.projector, self.momentum_projector)

    @property
    def momentum_pairs(self) -> list[tuple[Any, Any]]:
        """Adds the projectors to the parent's pairs; the key side has no predictor."""
        return [*super().momentum_pairs, (self.projector, self.momentum_projector)]

    @torch.no_grad()
    def momentum_forward(self, X: torch.Tensor) -> dict[str, Any]:
        """Adds the key, named ``z``, to the parent's outputs: l2-normalised, ``[N, D]``."""
        out = super().momentum_forward(X)
        out["z"] = F.normalize(self.momentum_projector(out["feats"]), dim=-1)
        return out

    @staticmethod
    @torch.no_grad()
    def pull_and_push(
        z: Sequence[torch.Tensor], k: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Alignment and uniformity of a batch, for the log, both lower when better.

        Scalars ``train_alignment`` of queries and keys of different views, unit vectors ``[N, D]``,
        and, of more than one image, ``train_uniformity`` of the queries. Beside them
        ``train_nonfinite_keys``, how many keys neither the queue nor the clusters take.
        """
        values = {"train_alignment": (alignment(z[0], k[1]) + alignment(z[1], k[0])) / 2}
        if len(z[0]) > 1:
            values["train_uniformity"] = (uniformity(z[0]) + uniformity(z[1])) / 2
        values["train_nonfinite_keys"] = (~torch.stack(list(k)).isfinite().all(2)).sum().float()
        return values

    def on_train_start(self) -> None:
        """Continue with the EMA coefficient where the run stopped, if it is a resumed one."""
        super().on_train_start()
        resume_momentum(self)

    def enqueue_later(self, keys: torch.Tensor, index: torch.Tensor | None = None) -> None:
        """Have the queue take a batch's keys once its backward pass is over.

        Until then autograd needs what stands in the queue, which would otherwise be copied whole
        in every step. Arguments as :meth:`.KeyQueue.enqueue` has them.
        """
        self._waiting = (keys, index)

    def enqueue_waiting(self) -> None:
        """Give the queue what :meth:`enqueue_later` was given since."""
        if self._waiting is not None:
            self.queue.enqueue(*self._waiting)
            self._waiting = None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Fill the queue, and move the momentum encoder after an optimisation step."""
        self.enqueue_waiting()
        super().on_train_batch_end(outputs, batch, batch_idx)

    @torch.no_grad()
    def training_keys(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Keys of one pass over the training data, gathered over all processes, batch by batch.

        The networks stay in training mode, since the keys of the training steps, which clusters
        are compared with, are normalised by batch statistics too; the running ones are put back.

        Yields:
            tuple: sample indexes ``[N]``, int64, and keys of all views ``[views, N, D]``, float32
            (float64 with ``precision=64-true``).
        """
        networks = (self.momentum_backbone, self.momentum_projector)
        saved = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]
        precision, bar = self.trainer.precision_plugin, self.trainer.progress_bar_callback
        quiet = bar is None or not self.trainer.is_global_zero
        for batch in tqdm(self.trainer.train_dataloader, "keys", leave=False, disable=quiet):
            # as the training step gets it: the views may be made on the device only
            batch = self.trainer.strategy.batch_to_device(precision.convert_input(batch), None, 0)
            indexes, views, *_ = batch
            keys = []
            for X in views:
                with precision.forward_context():
                    keys.append(gather(widened(self.momentum_forward(X)["z"])))
            yield gather(indexes), torch.stack(keys)
        for buffer, value in saved:
            buffer.copy_(value)
