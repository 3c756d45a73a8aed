"""What is exported: the backbone of a run, its weights, and what is known about them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn
from torchvision.transforms import Normalize

from cueco_solo import host
from cueco_solo.errors import ConfigError
from cueco_solo.evaluation.feature_cache import digest_of_file
from cueco_solo.evaluation.features import load_backbone
from cueco_solo.export.networks import Network, networks
from cueco_solo.training.checkpoints import progress, read_checkpoint
from cueco_solo.training.run_folder import Run

# one of ``augmentations`` that leaves images as they are
_PLAIN = {
    "rrc": {"enabled": False},
    **{name: {"prob": 0} for name in ("color_jitter", "grayscale", "gaussian_blur")},
    **{name: {"prob": 0} for name in ("solarization", "equalization", "horizontal_flip")},
}
# of the batch that features are compared on
_IMAGES = 5


class Preprocessing(NamedTuple):
    """What the backbone expects: square images of ``size`` pixels, normalised by channel."""

    size: int
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class Subject:
    """The backbone of a run.

    Attributes:
        run: the run.
        backbone: as the host builds it, in eval mode, without gradients, in contiguous memory.
        networks: those that take its weights, by library.
        preprocessing: what it expects.
    """

    run: Run
    backbone: nn.Module
    networks: dict[str, Network]
    preprocessing: Preprocessing

    @property
    def network(self) -> Network:
        """The network to use where there is a choice."""
        return next(iter(self.networks.values()))

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """The weights, contiguous, so that no memory layout goes into a file."""
        return {key: value.contiguous() for key, value in self.backbone.state_dict().items()}

    @cached_property
    def images(self) -> Tensor:
        """The fixed batch, float32 ``[5, 3, size, size]``, standard normal."""
        size = self.preprocessing.size
        generator = torch.Generator().manual_seed(5)
        return torch.randn(_IMAGES, 3, size, size, generator=generator)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the checkpoint, hexadecimal."""
        return digest_of_file(self.run.checkpoint)

    @cached_property
    def epochs(self) -> int | None:
        """Epochs that the checkpoint has had; None if it doesn't say."""
        try:
            content = read_checkpoint(self.run.checkpoint, "checkpoint")
            return progress(content, self.run.checkpoint).epoch
        except ConfigError:
            return None

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """What the run's own backbone makes of images, float32 ``[N, D]``."""
        return self.backbone(images)


def load_subject(run: Run) -> Subject:
    """Read the backbone of a run.

    Raises:
        ConfigError: the checkpoint can't be read or holds another backbone, its weights aren't
            finite, or the configuration doesn't say what images it expects.
    """
    backbone = load_backbone(run).to(memory_format=torch.contiguous_format)  # type: ignore
    return Subject(run, backbone, networks(run.cfg, backbone), _preprocessing(run.cfg))


def _preprocessing(cfg: DictConfig) -> Preprocessing:
    """As in pre-training, where solo-learn has its own mean and deviation for some data sets."""
    try:
        given = cfg.augmentations[0]
        plain = OmegaConf.create({**_PLAIN, "crop_size": given.crop_size})
        plain.update({key: given[key] for key in ("mean", "std") if key in given})
        pipeline = host.pretrain_data.build_transform_pipeline(cfg.data.dataset, plain)
        (norm,) = (step for step in pipeline.transforms if isinstance(step, Normalize))
        mean, std = ([float(value) for value in values] for values in (norm.mean, norm.std))
        return Preprocessing(int(given.crop_size), mean, std)
    except (AttributeError, LookupError, TypeError, ValueError, OmegaConfBaseException) as e:
        raise ConfigError(
            f"augmentations in args.json don't say what images the backbone takes ({e}); give the "
            "folder of a pre-training run"
        ) from e


def facts(subject: Subject) -> dict[str, str]:
    """What goes into a file beside the weights, as text."""
    cfg, pre = subject.run.cfg, subject.preprocessing
    stem = subject.network.stem
    known: dict[str, Any] = {
        "format": "pt",
        "library": subject.network.library,
        "architecture": subject.network.name,
        "arguments": subject.network.arguments,
        "stem": f"cifar: conv1 {stem}, no maxpool" if stem else "standard",
        "method": cfg.method,
        "dataset": cfg.data.dataset,
        "epochs": subject.epochs,
        "seed": cfg.seed,
        "input_size": pre.size,
        "mean": pre.mean,
        "std": pre.std,
        "checkpoint": Path(subject.run.checkpoint).name,
        "checkpoint_sha256": subject.checksum,
    }
    return {key: str(value) for key, value in known.items() if value not in (None, {})}
