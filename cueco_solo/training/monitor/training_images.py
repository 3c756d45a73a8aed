"""Figures of some training images, which need neither labels nor validation images."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import Dataset

from cueco_solo import host
from cueco_solo.data.datasets import training_set, view_transforms
from cueco_solo.data.loaders import ReadableDataset, item_randomness, plain_loader
from cueco_solo.data.transforms import labelled_transforms
from cueco_solo.errors import ConfigError, HostError, one_line
from cueco_solo.numerics import lidar
from cueco_solo.training.monitor.scores import label_free_scores, pair_scores
from cueco_solo.training.monitor.settings import VIEWS, OnlineClusteringOptions
from cueco_solo.training.monitor.views import (
    PAIRS,
    backbone_features,
    evaluated,
    gathered_pairs,
    is_due,
    pair_features,
    two_views,
)
from cueco_solo.training.monitor.warnings import WarningCallback


class TrainingImages(WarningCallback):
    """Logs label-free figures of training images at the end of an epoch.

    Where nothing is validated: ``online_rankme``, ``online_cluster_active``,
    ``online_cluster_perplexity`` and ``online_cluster_largest_share`` of unaugmented images, see
    :func:`.scores.label_free_scores`; ``online_alignment`` and ``online_uniformity`` of the epoch's
    last batch; and ``online_seconds``. Where that is asked for, with validation or without,
    ``online_lidar`` of several augmented views of each of some images, and with validation
    ``online_lidar_seconds``. The run's seed chooses images and views, the same in every epoch.

    It draws none of the run's random numbers and leaves the model as it is.

    Args:
        settings: of the monitor.
        cfg: the run's configuration.
    """

    def __init__(self, settings: OnlineClusteringOptions, cfg: DictConfig) -> None:
        self.settings, self.cfg = settings, cfg
        self.lidar_images = settings.number_for_lidar(cfg)
        self._images: list[Tensor] = []  # two views of some images of the last batch
        self._set: Any = None
        super().__init__()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the images, if they are needed; say so if there are none."""
        if not _validates(trainer):
            self._open("there are no validation images (data.val_path)")
        elif self.lidar_images:
            self._open("LiDAR needs training images")

    def _open(self, why: str) -> Any:
        if self._set is None and not self._warned:
            try:
                if self.cfg.data.get("train_path") is None:
                    raise FileNotFoundError("data.train_path is missing")
                self._set = training_set(self.cfg.data, None)
            except (ConfigError, HostError, OSError, ValueError) as error:
                self._warn_once(
                    f"{why}, and no training images ({one_line(error)}): nothing is computed"
                )
        return self._set

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep some of the views of the epoch's last batch."""
        due = trainer.is_last_batch and is_due(trainer, self.settings.every_n_epochs)
        if due and not _validates(trainer):
            self._images = two_views(batch, PAIRS // trainer.world_size)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Compute and log."""
        images, self._images = self._images, []
        validates = _validates(trainer)
        if not is_due(trainer, self.settings.every_n_epochs) or (
            validates and not self.lidar_images
        ):
            return
        if self._open("there are no validation images (data.val_path)") is None:
            return
        if pl_module.device.type == "cuda":  # what training has left to do isn't counted
            torch.cuda.synchronize(pl_module.device)
        start = time.perf_counter()
        # loaders and augmentations draw random numbers: not the run's
        with item_randomness(self.cfg.get("seed") or 0, -1), evaluated(pl_module.backbone):
            plain = None if validates else self._plain(trainer, pl_module)
            pairs = None if validates else self._pairs(images, trainer, pl_module)
            views = self._views(trainer, pl_module) if self.lidar_images else None
        # by one process: others' clusters might differ in the last bit
        values = self._values(plain, pairs, views) if trainer.is_global_zero else {}
        if values:
            name = "online_lidar_seconds" if validates else "online_seconds"
            values[name] = time.perf_counter() - start
        pl_module.log_dict(trainer.strategy.broadcast(values), sync_dist=True)

    def _plain(self, trainer: Trainer, module: Any) -> Tensor | None:
        """Features ``[N, D]`` of unaugmented images."""
        data = self.cfg.data
        _, transform = labelled_transforms(data.dataset, self.cfg.augmentations[0])
        number = self.settings.training_images
        return self._features(_Unaugmented(self._set, transform), number, 1, trainer, module)

    def _views(self, trainer: Trainer, module: Any) -> Tensor | None:
        """Features ``[N, Q, D]`` of augmented views."""
        transform = view_transforms(self.cfg, host.pretrain_data.build_transform_pipeline)
        views = _Augmented(self._set, transform, self.cfg.get("seed") or 0)
        found = self._features(views, self.lidar_images, VIEWS, trainer, module)
        return None if found is None else found.unflatten(0, (-1, VIEWS))

    def _features(
        self, dataset: Any, number: int, per_image: int, trainer: Trainer, module: Any
    ) -> Tensor | None:
        """Those of some images, ``per_image`` each, in the order of the set, of all processes.

        None if the backbone gives something else.
        """
        world, rank = trainer.world_size, trainer.global_rank
        chosen = _chosen(len(dataset), number, self.cfg.get("seed") or 0)
        own = chosen[: len(chosen) // world * world][rank::world]
        size = max(1, self.cfg.optimizer.batch_size // per_image)
        loader = plain_loader(_Part(dataset, own), size, self.cfg.data.get("num_workers") or 0)
        parts = [backbone_features(x.flatten(0, 1), trainer, module) for x in loader]
        if not parts or not all(isinstance(x, Tensor) and x.ndim == 2 for x in parts):
            self._warn_once("the backbone gives no features [N, D], so nothing is computed")
            return None
        found = torch.cat(parts).float().unflatten(0, (-1, per_image))
        gathered = module.all_gather(found).reshape(world, *found.shape)
        return gathered.transpose(0, 1).flatten(0, 2)

    def _pairs(self, images: list[Tensor], trainer: Trainer, module: Any) -> Tensor:
        views = pair_features(images, trainer, module)
        return gathered_pairs(views, module.all_gather) if views.size(1) else views

    def _values(
        self, plain: Tensor | None, pairs: Tensor | None, views: Tensor | None
    ) -> dict[str, float]:
        found = [x for x in (plain, pairs, views) if x is not None]
        if not all(x.isfinite().all() for x in found):
            self._warn_once("the features aren't finite: nothing is computed until they are again")
            return {}
        values: dict[str, float] = {}
        if plain is not None and len(plain) > 1:
            clusters = min(self.settings.unlabelled_clusters, len(plain))
            values.update(label_free_scores(plain, clusters))
        if pairs is not None and pairs.size(1) > 1:
            values.update(pair_scores(pairs))
        if views is not None and len(views) > 1:
            values["lidar"] = float(lidar(views))
        return {f"online_{name}": value for name, value in values.items()}


def _validates(trainer: Trainer) -> bool:
    """Whether there are validation images, as far as that is known."""
    known = trainer.val_dataloaders is not None
    return trainer.enable_validation and not (known and not any(trainer.num_val_batches))


def _chosen(images: int, number: int, seed: int) -> list[int]:
    """So many random images, in their order."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    chosen: list[int] = order[:number].sort().values.tolist()
    return chosen


class _Unaugmented(Dataset[Tensor]):
    """``[1, 3, H, W]`` of each image."""

    def __init__(self, images: Any, transform: Any) -> None:
        self.images, self.transform = ReadableDataset(images), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        x: Tensor = self.transform(self.images[index][1])
        return x[None]


class _Augmented(_Unaugmented):
    """``[Q, 3, H, W]``: large crops of each image, the same every time."""

    def __init__(self, images: Any, transform: Any, seed: int) -> None:
        super().__init__(images, transform)
        self.seed = seed

    def __getitem__(self, index: int) -> Tensor:
        image = self.images[index][1]
        with item_randomness(self.seed, -1, index):
            crops = self._large(image)
            views = [crop for _, crop in zip(range(VIEWS), crops, strict=False)]
        return torch.stack(views)

    def _large(self, image: Any) -> Iterator[Tensor]:
        while True:
            first, *others = self.transform(image)
            yield first
            yield from (crop for crop in others if crop.shape == first.shape)


class _Part(Dataset[Tensor]):
    """Some items of a data set."""

    def __init__(self, dataset: Any, indexes: list[int]) -> None:
        self.dataset, self.indexes = dataset, indexes

    def __len__(self) -> int:
        return len(self.indexes)

    def __getitem__(self, index: int) -> Tensor:
        item: Tensor = self.dataset[self.indexes[index]]
        return item
