"""Features of images that needn't belong to any data set."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from cueco_solo.data.loaders import plain_loader
from cueco_solo.errors import config_error
from cueco_solo.evaluation.features import extract, load_backbone, load_transform, opened
from cueco_solo.evaluation.image_folder import FolderFeatures, check_image_folder, class_names
from cueco_solo.host.images import as_rgb, load_image
from cueco_solo.training.hardware import torch_device
from cueco_solo.training.run_folder import Run

_KINDS = (
    "images must be a float tensor [N, 3, H, W], a uint8 array [N, H, W, 3], a list of PIL images "
    "or of paths, or a folder"
)


class _Files:
    """Image files, for :func:`~cueco_solo.data.loaders.plain_loader`."""

    def __init__(self, paths: Sequence[Path], transform: Callable[[Any], Any]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(load_image(self.paths[index])), -1

    def image_file(self, index: int) -> Path:
        return self.paths[index]


class _Images:
    """PIL images, likewise."""

    def __init__(self, images: Sequence[Image.Image], transform: Callable[[Any], Any]) -> None:
        # not called images, which is what data sets of files call their names
        self.pictures, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = self.pictures[index]
        name = getattr(picture, "filename", "") or f"number {index}"
        try:
            image = as_rgb(picture, name)
        except (OSError, SyntaxError) as error:  # Pillow reads an opened file only now
            reason = f"can't be read ({str(error).splitlines()[0]})"
            raise config_error("image", name, reason, "replace or remove it") from error
        return self.transform(image), -1


def embed(
    backbone: nn.Module | Run | str | Path,
    images: Any,
    *,
    transform: Callable[[Any], Tensor] | None = None,
    batch_size: int = 256,
    device: str | None = None,
    num_workers: int = 0,
) -> Tensor:
    """Features of images, in their order.

    Args:
        backbone: a run, its folder or one of its checkpoints; or any network that makes features
            ``[N, D]`` of images, which is put into eval mode meanwhile.
        images: a float tensor ``[N, 3, H, W]``, which goes to the network as it is; or a uint8
            array ``[N, H, W, 3]``, a sequence of PIL images or of paths, or a folder, whose images,
            at any depth, come sorted by path.
        transform: PIL image of mode RGB -> float32 ``[3, H, W]``, for all but a tensor; by default
            the run's, see :func:`~cueco_solo.load_transform`. A network has none of its own.
        batch_size: images at a time.
        device: ``"cpu"`` or ``"cuda"``; by default that of the network, for a run a GPU if any.
        num_workers: processes that read images.

    Returns:
        Tensor: float32 ``[N, D]``, on the CPU.

    Raises:
        ValueError: the images are of another kind, shape or dtype, there are none, a transform is
            missing, or the network's features aren't ``[N, D]``. ConfigError, which is one: there
            is no such run or folder, or an image can't be read.
    """
    if batch_size < 1 or num_workers < 0:
        raise ValueError(f"batch_size={batch_size} must be at least 1, num_workers={num_workers} 0")
    own = isinstance(backbone, nn.Module)
    if transform is None and not own and not isinstance(images, Tensor):
        transform = load_transform(backbone)  # type: ignore[arg-type]
    data = _dataset(images, transform)
    network = backbone if isinstance(backbone, nn.Module) else load_backbone(backbone)
    place = device or (_device_of(network) if own else torch_device("auto"))
    modes = {module: module.training for module in network.modules()}
    try:
        features, _ = extract(network.eval(), plain_loader(data, batch_size, num_workers), place)
    finally:
        for module, training in modes.items():
            module.training = training
    if features.ndim != 2:
        raise ValueError(f"the network must give features [N, D], but gives {list(features.shape)}")
    return features


def embed_folder(
    run: Run | str | Path, folder: str | Path, *, untrained: bool = False, **options: Any
) -> FolderFeatures:
    """Features of all images in a folder, their names and classes.

    Args:
        run: a run, its folder or one of its checkpoints.
        folder: of images, at any depth.
        untrained: of the backbone as it was before the first step.
        options: of :func:`embed`, but for ``transform``.

    Raises:
        ConfigError: there is no such run or folder, no image in it, or one can't be read.
    """
    files, run = check_image_folder(folder), opened(run)
    paths = [Path(folder) / name for name in files]
    backbone = load_backbone(run, untrained)
    options["device"] = torch_device(options.get("device") or "auto")
    features = embed(backbone, paths, transform=load_transform(run), **options)
    if not features.isfinite().all():
        remedy = "the training has diverged: use an earlier checkpoint"
        allowed = "gives features that aren't finite"
        raise config_error("checkpoint", str(run.checkpoint), allowed, remedy)
    return FolderFeatures(features, files, class_names(files))


def _device_of(network: nn.Module) -> str:
    return str(next((value.device for value in network.parameters()), "cpu"))


def _dataset(images: Any, transform: Callable[[Any], Any] | None) -> Any:
    if isinstance(images, Tensor):
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            dtype = str(images.dtype).removeprefix("torch.")
            raise ValueError(f"{_KINDS}, but are a {dtype} tensor {list(images.shape)}")
        if not len(images):
            raise ValueError("images must be at least one, but the tensor is empty")
        return TensorDataset(images, torch.full((len(images),), -1))
    if transform is None:
        raise ValueError("transform must be given with a network; load_transform(RUN) is a run's")
    if isinstance(images, str | Path):
        return _Files([Path(images) / name for name in check_image_folder(images)], transform)
    if isinstance(images, np.ndarray):
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ValueError(f"{_KINDS}, but are a {images.dtype} array {list(images.shape)}")
        images = [Image.fromarray(image) for image in images]
    if not isinstance(images, Sequence):
        raise ValueError(f"{_KINDS}, but are of type {type(images).__name__}")
    if not images:
        raise ValueError("images must be at least one, but the list is empty")
    if all(isinstance(image, str | Path) for image in images):
        return _Files([Path(image) for image in images], transform)
    if wrong := [image for image in images if not isinstance(image, Image.Image)]:
        raise ValueError(f"{_KINDS}, but the list has one of type {type(wrong[0]).__name__}")
    return _Images(images, transform)
