"""CueCo: Cluster Contrast for Unsupervised Visual Representation Learning.

Giakoumoglou & Stathaki. Contrastive learning with a momentum encoder and a queue scatters the
representations; two losses on clusters of the queue pull together what belongs together.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_warn
from omegaconf import DictConfig

from cueco_solo.clustering.grouping import MomentumGrouping, moved_centroids
from cueco_solo.errors import config_error
from cueco_solo.host import gather
from cueco_solo.losses.cueco import centroid_contrastive, info_nce, variance_loss
from cueco_solo.methods.cueco_options import CueCoOptions, fill_cueco
from cueco_solo.methods.momentum import KeyMethod
from cueco_solo.modules.heads import predictor_head
from cueco_solo.modules.queue import KeyQueue
from cueco_solo.numerics import in_float32, widened


class CueCo(KeyMethod):
    """CueCo on solo-learn's momentum base class.

    The settings are described in :class:`.cueco_options.CueCoOptions`.
    The batch's keys update the clusters after the losses have used them, and the queue after the
    backward pass. With accumulated gradients that happens in every micro-batch, while the life
    cycle of the clusters counts optimisation steps.
    """

    fill = staticmethod(fill_cueco)
    trained = ("projector", "predictor")
    sizes = {
        **KeyMethod.sizes,
        "pred_hidden_dim": ("predictor.0.weight", 0),
        "num_clusters": ("clusters.centroids", 0),
    }
    shared_state = ("queue.", "clusters.", "step")
    options: CueCoOptions

    def __init__(self, cfg: DictConfig):
        super().__init__(cfg)
        self.check_data(self.cfg)
        options = self.options = CueCoOptions.read(self.cfg)
        dim, hidden = options.proj_output_dim, [options.proj_hidden_dim]

        self.make_projectors(hidden, dim, output_bn=options.proj_output_bn)
        self.predictor = predictor_head(
            dim,
            options.pred_hidden_dim,
            kind=options.predictor,
            init=options.predictor_init,
            output_bn=options.pred_output_bn,
            output_bias=options.pred_output_bias,
        )

        self.queue = KeyQueue(2, options.queue_size, dim)
        self.clusters = MomentumGrouping(
            options.num_clusters,
            dim,
            centroid_momentum=options.centroid_momentum,
            variance_momentum=options.variance_momentum,
            variance=options.variance,
        )
        # optimisation steps so far; the life cycle of the clusters hangs on it
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self._step = self._runs = 0  # the host's copies of two buffers, see on_train_start

    def forward(self, X: torch.Tensor) -> dict[str, Any]:
        """Adds the query ``z`` to the parent's outputs: predicted, l2-normalised, ``[N, D]``."""
        out = super().forward(X)
        out["z"] = F.normalize(self.predictor(self.projector(out["feats"])), dim=-1)
        return out

    def training_step(self, batch: Sequence[Any], batch_idx: int) -> torch.Tensor:
        """One step of Eq. 6, plus the loss of the online classifier, a scalar.

        ``batch`` is ``[indexes, [X1, X2], targets]``.
        """
        out = super().training_step(batch, batch_idx)
        z, k = out["z"], out["momentum_z"]

        losses = self.losses(z, k)
        if self._logs_step():
            self.log_dict(self.gradient_norms(z, k))

        keys = torch.stack([gather(view) for view in k])
        if self.clustered:
            move = self.options.clustering == "online" and not self.frozen
            self.clusters.update(keys.flatten(0, 1), self._step, move=move)
        self.enqueue_later(keys)

        self.log_dict(
            {f"train_{name}_loss": loss.detach() for name, loss in losses.items()},
            on_epoch=True,
            sync_dist=True,
        )
        # not reduced over processes, which would make each of them wait for the GPU
        self.log_dict(self._health(z, k))
        return self.weighted(losses) + out["loss"]

    def losses(
        self, z: Sequence[torch.Tensor], k: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The unweighted losses of Eq. 6, each the mean over the pairs of views.

        Args:
            z: queries of both views, each ``[N, D]``.
            k: keys of both views, each ``[N, D]``.

        Returns:
            dict: ``nce`` (Eq. 1) and, once there are clusters, ``centroid`` (Eq. 4) and
            ``variance`` (Eq. 5), scalars.
        """
        pairs = [(0, 1), (1, 0)] if self.options.symmetric else [(0, 1)]
        queue = self.queue.keys
        # copies: the clusters change in place before the backward pass needs what stood in them
        centroids = self._loss_centroids(torch.cat(list(z))) if self.clustered else None
        variances = self.clusters.variances.clone()

        parts = []
        for query, key in pairs:
            part = {
                "nce": info_nce(z[query], k[key], queue[key], temperature=self.options.temperature)
            }
            if centroids is not None:
                targets = self._targets(z[query], k[key])
                part["centroid"] = centroid_contrastive(
                    z[query], centroids, targets, temperature=self.options.centroid_temperature
                )
                part["variance"] = variance_loss(z[query], centroids, variances, targets)
            parts.append(part)
        return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}

    def weighted(self, losses: dict[str, torch.Tensor]) -> torch.Tensor:
        """The objective of Eq. 6 from its unweighted parts."""
        return torch.stack([self._weights[name] * loss for name, loss in losses.items()]).sum()

    @property
    def _weights(self) -> dict[str, float]:
        return {
            "nce": self.options.contrastive_weight,
            "centroid": self.options.centroid_weight,
            "variance": self.options.variance_weight,
        }

    @torch.enable_grad()
    def gradient_norms(
        self, z: Sequence[torch.Tensor], k: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """How hard each weighted loss of Eq. 6 turns a query.

        The norm of the gradient of a query's own loss along the sphere, weight included, averaged
        over the queries of this process. Arguments as in :meth:`losses`.

        Returns:
            dict: ``train_nce_gradient`` and, once there are clusters, ``train_centroid_gradient``
            and ``train_variance_gradient``, scalars.
        """
        queries = torch.stack([widened(view.detach()) for view in z]).requires_grad_()
        losses = self.losses(queries.unbind(), k)
        norms = {}
        for name, loss in losses.items():
            (gradient,) = torch.autograd.grad(loss, queries, retain_graph=True)
            along = gradient - (gradient * queries).sum(2, keepdim=True) * queries
            # the loss is a mean over the queries, so the sum is the mean norm of their own losses'
            norms[f"train_{name}_gradient"] = self._weights[name] * along.norm(dim=2).sum()
        return norms

    def _logs_step(self) -> bool:
        """Whether Lightning writes the values of this step down."""
        every = self.trainer.log_every_n_steps
        return every > 0 and (self.trainer.global_step + 1) % every == 0

    @in_float32
    def _loss_centroids(self, z: torch.Tensor) -> torch.Tensor:
        """What the losses see as centroids, given the queries of all views, ``[2 N, D]``."""
        centroids = self.clusters.centroids.clone()
        if not self.options.centroid_gradient:
            return centroids
        queries = gather(z)
        labels = self.clusters.nearest(queries.detach())
        return moved_centroids(queries, labels, centroids, self.options.centroid_momentum)

    @torch.no_grad()
    @in_float32
    def _targets(self, z: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        if self.options.assignment == "hard":
            return self.clusters.nearest(z)
        similarities = k @ self.clusters.centroids.T
        return (similarities / self.options.assignment_temperature).softmax(dim=1)

    @torch.no_grad()
    def _health(
        self, z: Sequence[torch.Tensor], k: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Pull, push (this process's batch) and the state of the clusters (the same on all)."""
        values = self.pull_and_push(z, k)
        if self.clustered:
            clusters = self.clusters.health(self._step)
            values.update({f"cluster_{name}": value for name, value in clusters.items()})
        return values

    @property
    def clustered(self) -> bool:
        """Whether the losses on clusters apply: K-means has run, or random ones act frozen."""
        return self._runs > 0 or (self.frozen and self.options.frozen_start == "random")

    @property
    def frozen(self) -> bool:
        """Whether clusters act that stand still until the warm-up is over."""
        warming_up = self._step < self.options.cluster_warmup_steps
        return warming_up and self.options.before_clustering == "frozen"

    def on_train_start(self) -> None:
        """Check that the clustering can start, and warn of a run that ends before it does.

        Raises:
            ConfigError: at the first K-means there will be fewer keys than clusters.
        """
        super().on_train_start()
        # reading the buffers in every step would wait for the GPU
        self._step, self._runs = int(self.step), int(self.clusters.runs)
        if self._runs > 0:
            return
        batches = self.trainer.num_training_batches
        accumulated = self.trainer.accumulate_grad_batches
        first = self.options.cluster_warmup_steps
        keys_per_batch = 2 * self.cfg.optimizer.batch_size * self.trainer.world_size
        if batches == float("inf"):
            keys = first * accumulated * keys_per_batch
        else:
            steps = math.ceil(batches / accumulated)  # of an epoch, whose last one may be short
            if self.options.clustering == "offline":
                first, keys = math.ceil(first / steps) * steps, batches * keys_per_batch
            else:
                epochs, rest = divmod(first, steps)
                keys = (epochs * batches + rest * accumulated) * keys_per_batch
        if self.options.clustering == "online":
            keys = min(keys, 2 * self.options.queue_size)

        total = self.trainer.estimated_stepping_batches
        if total <= first:
            frozen = self.options.before_clustering == "frozen"
            until_then = (
                "never moves its clusters" if frozen else "trains the contrastive loss alone"
            )
            rank_zero_warn(
                f"method_kwargs.cluster_warmup_steps={self.options.cluster_warmup_steps}: this run "
                f"ends after {total} steps, before its clustering starts (at step {first}), and "
                f"{until_then}; lower cluster_warmup_steps or train longer"
            )
        elif keys < self.options.num_clusters:
            raise config_error(
                "method_kwargs.num_clusters",
                self.options.num_clusters,
                f"must be at most {keys}, the keys that there are at step {first}",
                "lower num_clusters or raise cluster_warmup_steps",
            )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the step and, at the steps of the schedule, run K-means."""
        stepped = self.trainer.global_step > self.last_step
        super().on_train_batch_end(outputs, batch, batch_idx)
        if not stepped:  # gradients are still being accumulated
            return
        self._step += 1
        self.step.fill_(self._step)
        since = self._step - self.options.cluster_warmup_steps
        if since < 0:
            if self.frozen and self.options.frozen_start == "kmeans" and not self._runs:
                # waits for the GPU, in the first steps alone
                first = self.queue.filled().flatten(0, 1)
                if len(first) >= self.options.num_clusters:
                    self._recluster(first)
            return
        if self.options.clustering == "offline":
            if self.trainer.is_last_batch:
                keys = [k.flatten(0, 1) for _, k in self.training_keys()]
                self._recluster(torch.cat(keys))
        elif since % self.options.cluster_reset_steps == 0:
            self._recluster(self.queue.filled().flatten(0, 1))

    def _recluster(self, k: torch.Tensor) -> None:
        finite = int(k.isfinite().all(1).sum())  # K-means waits for the GPU, too
        if finite < self.options.num_clusters:
            raise config_error(
                "optimizer.lr",
                self.cfg.optimizer.lr,
                f"has left {finite} finite keys of {len(k)} at step {self._step}, too few",
                "lower it",
            )
        warm = self.options.warm_reset and self._runs > 0
        self.clusters.recluster(k, seed=self.seed + self._step, step=self._step, warm=warm)
        self._runs += 1
