"""Self-Classifier: Self-Supervised Classification Network.

Amrani & Bronstein. Two views of an image are to get the same class; a softmax over the samples in
place of the target's softmax over the classes asserts that all classes are equally likely, which
rules out the trivial solution. One network, no queue, no clustering beside it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.trainer.states import RunningStage
from omegaconf import DictConfig
from torch import nn

from cueco_solo.clustering.agreement import label_scores
from cueco_solo.errors import config_error
from cueco_solo.host import BaseMethod, gather
from cueco_solo.losses.rcl import nearest_entries
from cueco_solo.losses.self_classifier import self_classification
from cueco_solo.methods.base import PluginMethod
from cueco_solo.methods.self_classifier_options import (
    SelfClassifierOptions,
    fill_self_classifier,
    warn_of_small_batch,
)
from cueco_solo.modules.classifiers import Classifiers
from cueco_solo.modules.heads import mlp_head
from cueco_solo.modules.queue import KeyQueue
from cueco_solo.numerics import perplexity, widened

_HEAD_LOSS_MOMENTUM = 0.99


class SelfClassifier(PluginMethod, BaseMethod):
    """Self-Classifier on solo-learn's base class.

    The settings are described in :class:`.self_classifier_options.SelfClassifierOptions`.

    Buffers, besides those of classifiers and queue:
        head_losses: running mean of each head's loss, the same on all processes, ``[T]``, float32;
            the lowest names the head whose labels count beside the first one's.
    """

    fill = staticmethod(fill_self_classifier)
    trained = ("projector", "classifiers")
    sizes = {
        "num_heads": ("classifiers.weight", 0),
        "head_size": ("classifiers.weight", 1),
        "queue_size": ("queue.keys", 1),
    }
    # a buffer where fixed, which never changes
    shared_state = ("queue.", "head_losses", "classifiers.")
    head_losses: torch.Tensor
    options: SelfClassifierOptions

    def __init__(self, cfg: DictConfig):
        super().__init__(cfg)
        self.check_data(self.cfg, small_too=True)
        options = self.options = SelfClassifierOptions.read(self.cfg)
        self.projector, dim = projector(self.features_dim, options.mlp_dims)
        self.classifiers = Classifiers(
            options.num_heads, options.head_size, dim, learnable=not options.fixed_classifier
        )
        self.queue = (
            KeyQueue(1, options.queue_size, dim, indexed=True) if options.queue_size else None
        )
        self._queued = 0  # the host's copy of the queue's counter, see on_train_start
        self.register_buffer("head_losses", torch.zeros(options.num_heads))
        self._labels: list[tuple[torch.Tensor, torch.Tensor]] = []

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method, of other sizes, or one whose classifiers learnt
        where these are fixed, or the other way round.

        Raises:
            ConfigError: the checkpoint was not made by this method, or not with these settings.
        """
        super().on_load_checkpoint(checkpoint)
        for optimizer in checkpoint.get("optimizer_states", []):
            names = [group.get("name", "") for group in optimizer["param_groups"]]
            fixed = not any(name.startswith("classifiers") for name in names)
            if fixed != self.options.fixed_classifier:
                raise config_error(
                    "method_kwargs.fixed_classifier",
                    self.options.fixed_classifier,
                    f"must be {fixed}, as when this checkpoint was trained",
                    self.resumed_from(),
                )

    def _check_sizes(self, state: Mapping[str, Any]) -> None:
        there, here = _layers(state), _layers(self.state_dict())
        if there != here:
            raise config_error(
                "method_kwargs.mlp_dims",
                here,
                f"must be {there}, as when this checkpoint was trained",
                self.resumed_from(),
            )
        super()._check_sizes(state)

    def forward(self, X: torch.Tensor) -> dict[str, Any]:
        """Adds ``z``, l2-normalised, ``[N, d]``."""
        return self._with_z(super().forward(X))

    def multicrop_forward(self, X: torch.Tensor) -> dict[str, Any]:
        """The same for small crops."""
        return self._with_z(super().multicrop_forward(X))

    def _with_z(self, out: dict[str, Any]) -> dict[str, Any]:
        out["z"] = F.normalize(self.projector(out["feats"]), dim=-1)
        return out

    def training_step(self, batch: Sequence[Any], batch_idx: int) -> torch.Tensor:
        """One step of Eq. 4, mean over the heads, plus the loss of the online classifier, a scalar.

        ``batch`` is ``[indexes, [X1, X2, small crops ...], targets]``.
        """
        out = super().training_step(batch, batch_idx)
        z = list(out["z"])
        if self.queue is not None:
            z[0] = self._neighbours(z[0], batch[0], self.queue)
        logits = torch.stack([self.classifiers(view) for view in z])

        losses = self.losses(logits)

        self.head_losses.lerp_(gather(losses.detach()[None]).mean(0), 1 - _HEAD_LOSS_MOMENTUM)
        loss = losses.mean()
        self.log("train_self_classifier_loss", loss.detach(), on_epoch=True, sync_dist=True)
        # not reduced over processes, which would make each of them wait for the GPU
        self.log_dict(self._health(logits[0, 0].detach()))
        return loss + out["loss"]

    def losses(self, logits: torch.Tensor) -> torch.Tensor:
        """Eq. 4 of each head, ``[T]``; logits ``[V, T, N, C]`` of all views, large ones first."""
        return self_classification(
            logits,
            num_targets=self.num_large_crops,
            temperature=self.options.temperature,
            column_temperature=self.options.column_temperature,
            normalize_rows=self.options.normalize_rows,
            normalize_columns=self.options.preset == "v2",
        )

    def _neighbours(self, z: torch.Tensor, index: torch.Tensor, queue: KeyQueue) -> torch.Tensor:
        """Once the queue is full, each vector's nearest entry of another image, without gradient.

        The queue is given the vectors afterwards.
        """
        nearest = z
        if self._queued >= queue.size:
            others = (queue.index != index[:, None])[None]
            places, found = nearest_entries(z, queue.keys[0], others)
            entries = queue.keys[0][places[0]]
            nearest = torch.where(found[0, :, None], entries, z.detach().to(entries.dtype))
        keys = gather(widened(z.detach()))
        queue.enqueue(keys[None], gather(index))
        self._queued += len(keys)
        return nearest

    @torch.no_grad()
    def _health(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """How the first head's classes are used by a view of this process's batch, ``[N, C]``."""
        labels = logits.argmax(1)
        # bincount would wait for the GPU
        used = logits.new_zeros(logits.shape[1]).index_add_(0, labels, logits.new_ones(len(labels)))
        return {
            "cluster_active": (used > 0).float().sum(),
            "cluster_perplexity": perplexity(used),
            "cluster_largest_share": used.max() / used.sum(),
        }

    def _base_shared_step(self, X: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
        # what training and validation have in common in both forms of solo-learn
        out: dict[str, Any] = super()._base_shared_step(X, targets)
        if not self.training and self.trainer.state.stage == RunningStage.VALIDATING:
            heads = torch.stack([self.head_losses.new_zeros((), dtype=torch.long), self.best_head])
            self._labels.append((self.classifiers(out["z"], heads).argmax(-1), targets))
        return out

    @property
    def best_head(self) -> torch.Tensor:
        """The head of the lowest running loss, chosen without labels; int64 scalar."""
        return self.head_losses.argmin()

    def on_validation_epoch_end(self) -> None:
        """Log how well the labels of the first and of the best head agree with the classes."""
        super().on_validation_epoch_end()
        labels, self._labels = self._labels, []
        if not labels:
            return
        rows = [torch.cat([own, targets[None]]) for own, targets in labels]
        *predicted, targets = gather_columns(torch.cat(rows, dim=1)).cpu().numpy()
        for name, own in zip(("first", "best"), predicted, strict=True):
            scores = label_scores(targets, own)
            # the same on all processes, but Lightning warns of epochs' values that aren't reduced
            self.log_dict({f"val_{name}_head_{n}": v for n, v in scores.items()}, sync_dist=True)

    def on_train_start(self) -> None:
        """Warn of a batch that is too small, and read the queue's counter."""
        super().on_train_start()
        # reading the buffer in every step would wait for the GPU
        self._queued = 0 if self.queue is None else int(self.queue.count)
        warn_of_small_batch(
            self.cfg.optimizer.batch_size * self.trainer.world_size, self.options.head_size
        )


def _layers(state: Mapping[str, Any]) -> list[int]:
    """The ``mlp_dims`` that a state dict has."""
    weights = [value for name, value in state.items() if name.startswith("projector.")]
    return [len(weight) for weight in weights if weight.ndim == 2]


def gather_columns(x: torch.Tensor) -> torch.Tensor:
    """``[R, n]`` of every process side by side, whose numbers of columns may differ."""
    counts = gather(torch.tensor([x.shape[1]], device=x.device)).tolist()
    padded = F.pad(x, (0, max(counts) - x.shape[1]))
    parts = gather(padded[None])
    return torch.cat([part[:, :n] for part, n in zip(parts, counts, strict=True)], dim=1)


def projector(features_dim: int, mlp_dims: Sequence[int]) -> tuple[nn.Module, int]:
    """The MLP in front of the classifiers (Sec. 7.2, Table 5), and the size of its output."""
    if not mlp_dims:
        return nn.Identity(), features_dim
    *hidden, dim = mlp_dims
    return mlp_head(features_dim, hidden, dim, activation=nn.LeakyReLU), dim
