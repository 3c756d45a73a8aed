"""Clustering metrics of the backbone's features, while a method trains."""

import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DistributedSampler

from cueco_solo.training.monitor.sample import Sample
from cueco_solo.training.monitor.scores import clustering_scores, pair_scores
from cueco_solo.training.monitor.views import (
    PAIRS,
    gathered_pairs,
    is_due,
    pair_features,
    two_views,
)
from cueco_solo.training.monitor.warnings import WarningCallback


class OnlineClustering(WarningCallback):
    """Logs how the validation images cluster, by the features that validation computes anyway.

    K-means finds as many clusters as there are classes, from 3 starts. Logged are ``online_nmi``,
    ``online_ami``, ``online_ari``, ``online_acc``, ``online_rankme``, ``online_cluster_active``,
    ``online_cluster_perplexity`` and ``online_cluster_largest_share``, see
    :func:`.scores.clustering_scores`; of the epoch's last training batch, at most
    128 images, ``online_alignment`` and ``online_uniformity``, see
    :func:`.scores.pair_scores`, unless validation comes amid an epoch; and the
    seconds that all this took, ``online_seconds``. All processes log the same.

    It draws none of the run's random numbers and leaves the model as it is, so the run's own
    numbers stay the same to the bit.

    Args:
        every_n_epochs: epochs from one computation to the next; the last epoch always counts.
        max_images: size of the random sample of validation images.
        num_classes: number of clusters.
    """

    def __init__(self, every_n_epochs: int, max_images: int, num_classes: int) -> None:
        self.every_n_epochs, self.max_images = every_n_epochs, max_images
        self.num_classes = num_classes
        self._images: list[Tensor] = []  # two views of some images of the last training batch
        self._sample: Sample | None = None
        self._hook: Any = None
        self._output: Any = None
        super().__init__()

    def _due(self, trainer: Trainer) -> bool:
        return is_due(trainer, self.every_n_epochs, trainer.check_val_every_n_epoch or 1)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep some of the views of the epoch's last batch."""
        if trainer.is_last_batch and trainer.enable_validation and self._due(trainer):
            self._images = two_views(batch, PAIRS // trainer.world_size)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Listen to the backbone, if this validation counts."""
        fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and self._due(trainer):
            self._sample = Sample(self.max_images // trainer.world_size)
            self._hook = pl_module.backbone.register_forward_hook(self._listen)

    def _listen(self, backbone: Any, images: Any, output: Any) -> None:
        self._output = output

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add the features of this batch to the sample."""
        features, self._output = self._output, None
        if self._sample is None or dataloader_idx > 0:
            return
        labels = batch[-1] if isinstance(batch, list | tuple) else None
        if not isinstance(features, Tensor) or features.ndim != 2:
            self._warn_once("the backbone gives no features [N, D], so nothing is computed")
        elif not isinstance(labels, Tensor) or labels.numel() != len(features):
            self._warn_once("validation batches aren't [images, labels], so nothing is computed")
        else:
            self._sample.add(features.detach(), labels.flatten())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Compute and log."""
        sample, images = self._sample, self._images
        self._stop()
        if sample is None:
            return
        if pl_module.device.type == "cuda":  # what validation has left to do isn't counted
            torch.cuda.synchronize(pl_module.device)
        start = time.perf_counter()
        views = pair_features(images, trainer, pl_module)
        sizes = torch.tensor([sample.seen, views.size(1)], device=pl_module.device)
        seen, pairs = pl_module.all_gather(sizes).reshape(-1, 2).T.tolist()
        if min(seen) < max(seen):
            self._warn_once("processes differ in their number of images, so nothing is computed")
        if not 0 < min(seen) == max(seen):
            return
        rows = _gathered_rows(sample, trainer, pl_module.all_gather)
        if 0 < min(pairs) == max(pairs):
            views = gathered_pairs(views, pl_module.all_gather)
        # by one process: others' clusters might differ in the last bit
        values = self._values(*rows, views) if trainer.is_global_zero else {}
        if values:
            values["online_seconds"] = time.perf_counter() - start
        pl_module.log_dict(trainer.strategy.broadcast(values), sync_dist=True)

    def _values(self, features: Tensor, labels: Tensor, views: Tensor) -> dict[str, float]:
        """What is logged, empty if nothing can be computed.

        Features ``[N, D]`` have labels ``[N]``, -1 if unknown; views of other images ``[2, M, D]``.
        """
        features, labels = features[labels >= 0], labels[labels >= 0]
        if len(features) < self.num_classes or len(labels.unique()) < 2:
            self._warn_once(
                f"{len(features)} labelled validation images of {len(labels.unique())} classes "
                f"can't be scored by {self.num_classes} clusters, so nothing is computed"
            )
            return {}
        if not features.isfinite().all() or not views.isfinite().all():
            self._warn_once("the features aren't finite: nothing is computed until they are again")
            return {}
        values = clustering_scores(features, labels, self.num_classes)
        if views.size(1) > 1:
            values.update(pair_scores(views))
        return {f"online_{name}": value for name, value in values.items()}

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Stop listening."""
        self._stop()

    def _stop(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        self._hook = self._sample = self._output = None
        self._images = []


def _gathered_rows(
    sample: Sample, trainer: Trainer, all_gather: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Features ``[N, D]`` and labels ``[N]`` of all processes, in the order of the data set."""
    positions, features, labels = (
        all_gather(column).reshape(trainer.world_size, *column.shape) for column in sample.rows()
    )
    # as DistributedSampler deals them out
    ranks = torch.arange(trainer.world_size, device=positions.device)
    index = (positions * trainer.world_size + ranks[:, None]).flatten()
    order = index.argsort()
    sampler = getattr(trainer.val_dataloaders, "sampler", None)
    if isinstance(sampler, DistributedSampler):  # which repeats images, to give all equally many
        order = order[index[order] < len(sampler.dataset)]  # type: ignore[arg-type]
    return features.flatten(0, 1)[order], labels.flatten()[order]
