"""The data sets that a configuration names, for pre-training and for evaluation."""

from collections.abc import Callable
from typing import Any
from urllib.error import URLError

import torch
from lightning.pytorch import LightningDataModule
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError

from cueco_solo import host
from cueco_solo.data.checks import check_batch_size, download_error
from cueco_solo.data.loaders import SeededData, plain_loader
from cueco_solo.data.on_device.settings import augmentation, check_device_augmentation
from cueco_solo.data.superclasses import label_superclasses
from cueco_solo.data.transfer_sets import TRANSFER_SETS, transfer_datasets
from cueco_solo.data.transforms import labelled_transforms
from cueco_solo.errors import config_error

_SIZES = {"cifar10": 50_000, "cifar100": 50_000, "stl10": 105_000}  # of what solo-learn trains on


def labelled_datasets(
    data: DictConfig, train: Callable | None, val: Callable | None
) -> tuple[Any, Any]:
    """Training and validation set with labels.

    Args:
        data: ``cfg.data``; what DALI would read is read as image folders.
        train: transform of the training images; None leaves them as they are. ``val`` likewise.

    Raises:
        ConfigError: a data set isn't on disk and can't be downloaded.
    """
    if data.get("other") and data.dataset in TRANSFER_SETS:
        train_set, val_set = transfer_datasets(data, train, val)
        return label_superclasses(data, train_set), label_superclasses(data, val_set)
    try:
        both = host.classification_data.prepare_datasets(
            data.dataset,
            train,
            val,
            train_data_path=data.train_path,
            val_data_path=data.val_path,
            data_format=_torch_format(data),
        )
    except URLError as error:
        raise download_error(data, error) from error
    train_set, val_set = (label_superclasses(data, dataset) for dataset in both)
    return train_set, val_set


def _torch_format(data: DictConfig) -> str:
    kind = data.get("format", "image_folder")
    return "image_folder" if kind == "dali" else kind


def training_set(data: DictConfig, transform: Callable | None) -> Any:
    """What a pre-training trains on, in its order: ``(index, transformed image, label)``.

    What DALI would read is read as image folders. Without labels, the label is -1; what stands in
    ``data.unreadable`` isn't there.

    Raises:
        ConfigError: the data set isn't on disk and can't be downloaded.
    """
    no_labels = data.get("no_labels", False)
    try:
        train = host.pretrain_data.prepare_datasets(
            data.dataset,
            transform,
            train_data_path=data.train_path,
            data_format=_torch_format(data),
            no_labels=no_labels,
            data_fraction=data.get("fraction", -1),
        )
    except URLError as error:
        raise download_error(data, error) from error
    except ValueError as error:
        if (fraction := data.get("fraction", -1)) <= 0:
            raise
        reason = " ".join(str(error).split())
        remedy = "raise it, or use -1 for all data"
        raise config_error(
            "data.fraction", fraction, f"leaves too few images ({reason})", remedy
        ) from error
    if unreadable := set(data.get("unreadable") or ()):
        train.images = [name for name in train.images if name not in unreadable]
    return label_superclasses(data, train)


def count_images(data: DictConfig, key: str) -> int:
    """Number of training images; a message names ``key``, which can state it instead.

    Raises:
        ConfigError: the data can't be read.
    """
    if data.dataset in _SIZES:
        return _SIZES[data.dataset]
    try:
        return len(training_set(data, None))
    except (OSError, AssertionError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        allowed = f"can't be read to count its images ({reason})"
        remedy = f"correct it, or set {key} to their number"
        raise config_error("data.train_path", data.train_path, allowed, remedy) from error


def pretraining_data(
    cfg: DictConfig, world_size: int, first_epoch: int = 0, first_batch: int = 0
) -> tuple[LightningDataModule, int]:
    """Data module of a pre-training, and the steps that each process takes in an epoch.

    Order and augmentation are a function of (seed, epoch, index), see
    :mod:`cueco_solo.data.loaders`; with ``data.format=dali`` they are DALI's. With
    ``data.augment=device`` all images are decoded here, and kept in memory.

    Args:
        cfg: configuration as solo-learn parsed it.
        first_epoch: of a resumed run, else 0.
        first_batch: likewise, of that epoch; DALI can't start with another than 0.

    Raises:
        ConfigError: the data can't be read, is smaller than a batch or can't be augmented on the
            device.
        HostError: the installed solo-learn has no such data format.
    """
    data, batch_size, module = cfg.data, cfg.optimizer.batch_size, host.pretrain_data
    dali = host.dali if data.format == "dali" else None
    transform = view_transforms(cfg, module.build_transform_pipeline)
    if cfg.debug_augmentations:
        print(f"augmentations:\n{transform}")
    on_device = data.get("augment") == "device"
    train = training_set(data, None if on_device else transform)
    check_batch_size(batch_size, world_size, len(train))
    val = _validation_set(cfg)
    place = (batch_size, data.num_workers, cfg.seed, first_epoch, first_batch)
    result: LightningDataModule
    if dali is not None:
        result = _dali_data(cfg, dali, val)
    elif on_device:
        processes = world_size // (cfg.get("num_nodes") or 1)
        result = _device_augmented(cfg, transform, train, val, processes, place)
    else:
        result = SeededData(train, val, *place)
    return result, len(train) // world_size // batch_size


def _device_augmented(
    cfg: DictConfig, transform: Any, train: Any, val: Any, processes: int, place: Any
) -> LightningDataModule:
    check_device_augmentation(cfg.data)
    # kornia takes a while to import, and need not be there
    from cueco_solo.data.on_device.module import DeviceAugmentedData

    kinds = [
        augmentation(view, crops.transform.transforms[-1])
        for view, crops in zip(cfg.augmentations, transform.transforms, strict=True)
        for _ in range(view.num_crops)
    ]
    return DeviceAugmentedData(train, val, kinds, processes, *place)


def view_transforms(cfg: DictConfig, build: Callable, **options: Any) -> Any:
    """The pipeline that makes all crops of an image.

    Args:
        build: makes one of ``augmentations`` a transform, with ``options``.

    Raises:
        ConfigError: an augmentation lacks a key.
    """
    module = host.pretrain_data
    try:
        return module.FullTransformPipeline(
            [
                module.NCropAugmentation(build(cfg.data.dataset, view, **options), view.num_crops)
                for view in cfg.augmentations
            ]
        )
    except ConfigAttributeError as error:
        key = str(error.full_key).replace("[", ".").replace("]", "")
        raise config_error(key, None, "is missing", "set it") from error


def _validation_set(cfg: DictConfig) -> Any | None:
    data = cfg.data
    if data.val_path is None or data.no_labels:
        return None
    _, transform = labelled_transforms(data.dataset, cfg.augmentations[0])
    only_val = DictConfig({**data, "train_path": data.val_path})  # don't scan the training set
    return labelled_datasets(only_val, transform, transform)[1]


def _dali_data(cfg: DictConfig, dali: Any, val: Any | None) -> LightningDataModule:
    data, options = cfg.data, cfg.dali
    if data.num_workers < 1:
        raise config_error("data.num_workers", 0, "must be at least 1 with data.format=dali")
    if options.device not in ("cpu", "gpu"):
        raise config_error("dali.device", options.device, "must be cpu or gpu")
    if options.device == "gpu" and not torch.cuda.is_available():
        raise config_error("dali.device", "gpu", "is not available", "set dali.device=cpu")
    build = dali.build_transform_pipeline_dali
    module = dali.PretrainDALIDataModule(
        dataset=data.dataset,
        train_data_path=data.train_path,
        transforms=view_transforms(cfg, build, dali_device=options.device),
        num_large_crops=data.num_large_crops,
        num_small_crops=data.num_small_crops,
        num_workers=data.num_workers,
        batch_size=cfg.optimizer.batch_size,
        no_labels=data.no_labels,
        data_fraction=data.fraction,
        dali_device=options.device,
        encode_indexes_into_labels=options.encode_indexes_into_labels,
    )
    loader: Any = plain_loader(val, cfg.optimizer.batch_size, data.num_workers) if val else []
    module.val_dataloader = lambda: loader
    return module
