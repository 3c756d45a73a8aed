"""Frozen features of a pre-trained backbone, for all that is computed of them.

Lightning and solo-learn are imported where images are read or a network is built: for features that
are kept already, their import would take longer than the evaluation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

import cueco_solo
from cueco_solo import host
from cueco_solo.errors import as_config_error, config_error, moved
from cueco_solo.training.checkpoints import finite_weights, part_of, read_weights
from cueco_solo.training.run_folder import Run, load_run


@dataclass(frozen=True)
class Features:
    """Features and labels of both splits, on the CPU.

    Attributes:
        train: float32 ``[N, D]``.
        train_labels: int64 ``[N]``.
        test: float32 ``[M, D]``.
        test_labels: int64 ``[M]``.
        num_classes: number of classes of the data set.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    num_classes: int


def opened(run: Run | str | Path) -> Run:
    """A run, its folder, or one of the checkpoints in it, as a run.

    Raises:
        ConfigError: there is no such run.
    """
    if isinstance(run, Run):
        return run
    path = Path(run)
    if path.is_file() and path.suffix == ".ckpt":
        return replace(load_run(path.parent), checkpoint=path)
    return load_run(path)


def load_transform(run: Run | str | Path) -> Callable[[Any], Tensor]:
    """What makes an image of any size the input of a run's backbone.

    Args:
        run: a run, its folder or one of its checkpoints.

    Returns:
        PIL image of mode RGB -> float32 ``[3, size, size]``: resized and, above 64 pixels, cropped
        in the middle; normalised as in training.

    Raises:
        ConfigError: there is no such run.
    """
    from cueco_solo.data.transforms import evaluation_transform

    cfg = opened(run).cfg
    data = DictConfig({**cfg.data, "other": True})
    return evaluation_transform(data, cfg.data.dataset, cfg.augmentations[0])


def load_backbone(run: Run | str | Path, untrained: bool = False) -> nn.Module:
    """The backbone of a run, in eval mode and without gradients.

    Args:
        run: a run, its folder or one of its checkpoints.
        untrained: as it was before the first step, from the run's seed: the row to compare with.

    Raises:
        ConfigError: the checkpoint can't be read, isn't finite or doesn't hold this backbone.
        HostError: ``untrained``, and the installed solo-learn doesn't have the run's method.
    """
    from lightning.pytorch import seed_everything

    run = opened(run)
    cueco_solo.register()
    cfg = run.cfg.copy()
    seed_everything(cfg.seed, workers=True, verbose=False)
    # every method takes its backbone from the base class, first of all
    whole = untrained and "method_kwargs" in cfg
    model = host.method_class(cfg.method) if whole else host.BaseMethod
    with as_config_error(
        f"backbone.name={cfg.backbone.name!r} of {run.folder} can't be built from its args.json; "
        "mend that file, or use the solo-learn that trained it",
        *(AssertionError, AttributeError, KeyError, MemoryError, RuntimeError),
    ):
        backbone: nn.Module = model(cfg).backbone
    if not untrained:
        state = finite_weights(read_weights(run.checkpoint, "checkpoint"), run.checkpoint)
        try:
            backbone.load_state_dict(part_of(state, "backbone."), strict=True)
        except RuntimeError as error:
            reason = f"holds another backbone than {cfg.backbone.name} of args.json"
            raise config_error("checkpoint", str(run.checkpoint), reason) from error
    if not OmegaConf.select(cfg, "performance.disable_channel_last", default=False):
        backbone = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return backbone.eval().requires_grad_(False)


@torch.no_grad()
def extract(backbone: nn.Module, loader: DataLoader, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Features ``[N, D]`` float32 and labels ``[N]`` of a loader, in its order, on the CPU."""
    backbone = backbone.to(device)
    features, labels = [], []
    with tqdm(loader, desc="features", leave=False) as bar:  # wiped off also before an error
        for images, targets in bar:
            features.append(backbone(images.to(device, non_blocking=True)).float().cpu())
            labels.append(targets)
    return torch.cat(features), torch.cat(labels)


def run_features(
    run: Run, data: DictConfig, backbone: nn.Module, batch_size: int, workers: int, device: str
) -> Features:
    """Features of both splits under the validation transform.

    Raises:
        ConfigError: an image can't be read, a data set can't be had or has one class only, or the
            features aren't finite.
    """
    from cueco_solo.data.datasets import labelled_datasets
    from cueco_solo.data.loaders import plain_loader
    from cueco_solo.data.transforms import evaluation_transform

    view = run.cfg.augmentations[0]
    transform = evaluation_transform(data, run.cfg.data.dataset, view)
    train, test = (
        extract(backbone, plain_loader(dataset, batch_size, workers), device)
        for dataset in labelled_datasets(data, transform, transform)
    )
    features = Features(*train, *test, int(torch.cat((train[1], test[1])).max()) + 1)
    _check(features, run, data)
    return features


def _check(features: Features, run: Run, data: DictConfig) -> None:
    finite = torch.cat([split.isfinite().all(1) for split in (features.train, features.test)])
    if not finite.all():
        raise config_error(
            "checkpoint",
            str(run.checkpoint),
            f"gives features that aren't finite for {int((~finite).sum())} of {len(finite)} images",
            "the training has diverged: evaluate an earlier checkpoint or train with a lower lr",
        )
    classes = len(features.train_labels.unique())
    if classes == len(features.train) > 1:
        reason = f"has one image per class, {classes} in all"
        remedy = "give a training folder with several images of each class"
        raise config_error("--train-path", data.train_path, reason, remedy)
    if classes < 2:
        raise config_error(
            "--train-path", data.train_path, "has one class only", "give images of several classes"
        )


__getattr__ = moved(__name__, evaluation_data="evaluation.checks.evaluation_data")
