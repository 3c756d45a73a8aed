"""RCL: Relative Contrastive Loss for Unsupervised Representation Learning.

Tang et al., ECCV 2022. Whether two images are a positive pair depends on the criterion; the
criteria are the levels of a hierarchy of clusters that is refined while the network learns.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_warn
from omegaconf import DictConfig
from sklearn.metrics import normalized_mutual_info_score
from torch import nn

from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.clustering.hierarchy import Hierarchy
from cueco_solo.clustering.kmeans import kmeans
from cueco_solo.errors import config_error
from cueco_solo.host import gather
from cueco_solo.losses.rcl import (
    RelativeKeys,
    nearest_key,
    own_key,
    relative_contrastive,
    relative_keys,
)
from cueco_solo.methods.momentum import KeyMethod
from cueco_solo.methods.rcl_options import RCLOptions, check_indexes, check_size, fill_rcl
from cueco_solo.modules.heads import predictor_head
from cueco_solo.modules.queue import KeyQueue


class RCL(KeyMethod):
    """RCL on solo-learn's momentum base class.

    The settings are described in :class:`.rcl_options.RCLOptions`.
    Within a step the loss uses queue and labels as they were at its start; then the batch's keys
    enter the feature bank and the hierarchy is refined. The queue follows after the backward pass.

    Buffers, besides those of queue and hierarchy:
        targets: each training sample's class as last seen, -1 if unknown, ``[num_samples]``, int64;
            for the logged NMI alone.
    """

    fill = staticmethod(fill_rcl)
    trained = ("projector", "predictors")
    shared_state = ("queue.", "hierarchy.", "targets")
    sizes = {**KeyMethod.sizes, "num_predictors": ("predictors", None)}
    options: RCLOptions

    def __init__(self, cfg: DictConfig):
        super().__init__(cfg)
        self.check_data(self.cfg)
        options = self.options = RCLOptions.read(self.cfg)
        dim, hidden = options.proj_output_dim, [options.proj_hidden_dim] * 2

        self.make_projectors(hidden, dim, output_bn=True, output_affine=True)
        self.predictors = nn.ModuleList(
            predictor_head(
                dim, options.pred_hidden_dim, kind=options.predictor, init=options.predictor_init
            )
            for _ in range(options.num_predictors)
        )

        self.queue = KeyQueue(2, options.queue_size, dim, indexed=True)
        self.hierarchy: Hierarchy | None = None
        if options.num_levels > 1:
            self.hierarchy = Hierarchy(
                options.num_samples,
                dim,
                options.num_levels,
                max_splits=options.max_splits,
                merge_threshold=options.merge_threshold,
            )
            self.register_buffer("targets", torch.full((options.num_samples,), -1))
        self._steps = self._runs = 0  # the host's copies of two buffers, see on_train_start

    def forward(self, X: torch.Tensor) -> dict[str, Any]:
        """Adds the projection ``z``, ``[N, D]``, and the predictions ``p``, ``[predictors, N, D]``.

        Only ``p`` is l2-normalised.
        """
        out = super().forward(X)
        z = self.projector(out["feats"])
        p = torch.stack([predictor(z) for predictor in self.predictors])
        out.update({"z": z, "p": F.normalize(p, dim=-1)})
        return out

    def training_step(self, batch: Sequence[Any], batch_idx: int) -> torch.Tensor:
        """One step of Eq. 2, plus the loss of the online classifier, a scalar.

        ``batch`` is ``[indexes, [X1, X2], targets]``.
        """
        if batch_idx == 0 and self.hierarchy is not None:
            check_indexes(self.cfg, batch[0])
        out = super().training_step(batch, batch_idx)
        p, k, index = out["p"], out["momentum_z"], batch[0]

        loss, shares = self.losses(p, k, index)

        keys, indexes = torch.stack([gather(view) for view in k]), gather(index)
        if self.hierarchy is not None:
            self.targets[indexes] = gather(batch[2])
            samples = self.hierarchy.remember(keys, indexes)
            if self.clustered and self.options.hierarchy == "online":
                self._steps += 1
                changes = self.hierarchy.refine(samples, seed=self.seed + self._steps)
                # the same on all processes
                self.log_dict({f"hierarchy_{n}": v.float() for n, v in changes.items()})
        self.enqueue_later(keys, indexes)

        self.log("train_rcl_loss", loss.detach(), on_epoch=True, sync_dist=True)
        # not reduced over processes, which would make each of them wait for the GPU
        first = [view[0] for view in p]  # predictions under the criterion that pairs views alone
        self.log_dict({**shares, **self.pull_and_push(first, k)})
        return loss + out["loss"]

    def losses(
        self, p: Sequence[torch.Tensor], k: Sequence[torch.Tensor], index: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Eq. 2, the mean over the pairs of views; before there are clusters Eq. 1.

        Args:
            p: predictions of both views, each ``[predictors, N, D]``.
            k: keys of both views, each ``[N, D]``.
            index: the samples, ``[N]``, int64.

        Returns:
            tuple: the scalar loss, and what is logged of the relative keys: the share of them that
            each criterion calls positive, ``train_positive_level1`` ..., and the share of the
            queries' searches that found one, ``train_retrieved``.
        """
        pairs = [(0, 1), (1, 0)] if self.options.symmetric else [(0, 1)]
        queue = self.queue.keys
        losses, logged = [], []
        for query, key in pairs:
            keys = self._relative_keys(k[key], queue[key], index)
            # one predictor sees the mean over the criteria, since each weighs 1 / H (Sec. 5.1)
            positive = keys.positive
            if len(self.predictors) == 1:
                positive = positive.mean(0, keepdim=True)
            for q, labels in zip(p[query], positive, strict=True):
                loss = relative_contrastive(
                    q,
                    keys.keys,
                    labels,
                    queue[key],
                    temperature=self.options.temperature,
                    present=keys.present,
                    queued=keys.queued,
                )
                losses.append(loss)
            logged.append(keys.shares())
        shares = {name: torch.stack([part[name] for part in logged]).mean() for name in logged[0]}
        return torch.stack(losses).mean(), shares

    def _relative_keys(
        self, k: torch.Tensor, queue: torch.Tensor, index: torch.Tensor
    ) -> RelativeKeys:
        """What queries of samples ``index`` with keys ``k`` are compared with, now."""
        if self.options.hierarchy == "none":
            return nearest_key(k, queue, self.queue.index)
        if self.hierarchy is None or not self.clustered:
            return own_key(k, len(self.predictors))
        return relative_keys(k, queue, index, self.queue.index, self.hierarchy.labels)

    @property
    def clustered(self) -> bool:
        """Whether levels 2 to H have been set, so that there are relative keys."""
        return self._runs > 0

    def on_train_start(self) -> None:
        """Check the data's size, and warn of a run that ends before its clustering starts.

        Raises:
            ConfigError: the training set hasn't ``num_samples`` images.
        """
        super().on_train_start()
        if self.hierarchy is None:
            return
        # reading the buffers in every step would wait for the GPU
        self._steps, self._runs = int(self.hierarchy.steps), int(self.hierarchy.runs)
        check_size(self.cfg, self.trainer.train_dataloader)
        batches = self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        epochs = self.trainer.estimated_stepping_batches / math.ceil(min(batches, sys.maxsize))
        warmup = self.options.hierarchy_warmup_epochs
        if not self.clustered and epochs <= warmup:
            rank_zero_warn(
                f"method_kwargs.hierarchy_warmup_epochs={warmup}: this run ends after {epochs:g} "
                "epochs, before its clustering starts, and trains the contrastive loss alone; "
                "lower hierarchy_warmup_epochs or train longer"
            )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Cluster all samples at the ends of the epochs that the schedule names.

        The last epoch is one of them: its checkpoint then has clusters of the final features, and a
        run that is continued starts with them.
        """
        stepped = self.trainer.global_step > self.last_step
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.hierarchy is None or not stepped or not self.trainer.is_last_batch:
            return
        due = self.trainer.current_epoch + 1 >= self.options.hierarchy_warmup_epochs
        if due and not (self.clustered and self.options.hierarchy == "online"):
            self._recluster(self.hierarchy)

    def _recluster(self, hierarchy: Hierarchy) -> None:
        """Cluster the keys of one pass over the training data, both views averaged."""
        for indexes, keys in self.training_keys():
            hierarchy.remember(keys, indexes)
        options, bank = self.options, hierarchy.bank
        if options.hierarchy == "kmeans":
            seen = (bank != 0).any(1).nonzero().squeeze(1)
            found = bank.new_full((len(options.kmeans_clusters), len(bank)), -1, dtype=torch.long)
            for row, number in zip(found, options.kmeans_clusters, strict=True):
                row[seen] = kmeans(bank[seen], min(number, len(seen)), seed=self.seed).labels
        else:
            found = dbscan(
                bank,
                options.dbscan_eps,
                min_samples=options.dbscan_min_samples,
                max_samples=options.dbscan_max_samples,
                seed=self.seed,
            )
        if not (found >= 0).any():
            rank_zero_warn(
                f"method_kwargs.dbscan_eps={options.dbscan_eps}: DBSCAN found no cluster, so "
                "every image is alone on all levels; raise dbscan_eps or hierarchy_warmup_epochs"
            )
        hierarchy.restart(found.flip(0))  # from level 2 up
        self._runs += 1

    def on_train_epoch_end(self) -> None:
        """Log the clusters of each level: number, the largest, singletons, NMI with the classes."""
        super().on_train_epoch_end()
        if self.hierarchy is None or not self.clustered:
            return
        known = self.targets >= 0
        targets = self.targets[known].cpu().numpy()
        for level, sizes in enumerate(self.hierarchy.sizes()[1:].cpu(), 2):
            values = {
                "clusters": float((sizes > 0).sum()),
                "largest": float(sizes.max()),
                "singletons": float((sizes == 1).sum()),
            }
            if len(targets):
                labels = self.hierarchy.labels[level - 1][known].cpu().numpy()
                values["nmi"] = float(normalized_mutual_info_score(targets, labels))
            # the same on all processes, but Lightning warns of epochs' values that aren't reduced
            self.log_dict(
                {f"hierarchy_{n}_level{level}": v for n, v in values.items()}, sync_dist=True
            )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method, number of levels or number of images.

        Raises:
            ConfigError: the checkpoint can't be continued with this data set.
        """
        super().on_load_checkpoint(checkpoint)
        labels = checkpoint["state_dict"].get("hierarchy.labels")
        levels = 1 if labels is None else len(labels)
        if levels != self.options.num_levels:
            raise config_error(
                "method_kwargs.num_levels",
                self.options.num_levels,
                f"must be {levels}, as when this checkpoint was trained",
                self.resumed_from(),
            )
        if labels is not None and labels.shape[1] != self.options.num_samples:
            raise config_error(
                "method_kwargs.num_samples",
                self.options.num_samples,
                f"images, but this checkpoint was trained with {labels.shape[1]} and knows each "
                "by its index",
                f"resume with the same images, or start anew{self.resumed_from('; ')}",
            )
