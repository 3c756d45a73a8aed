"""``resnet18_cifar`` and ``resnet50_cifar``: the stem for 32-pixel images, whatever the data set.

solo-learn gives it to the data sets called cifar10 and cifar100 alone.
"""

import functools
from collections.abc import Callable
from typing import Any

from torch import nn

SUFFIX = "_cifar"
RESNETS = ("resnet18", "resnet50")


def plain_name(name: str) -> str:
    """The network's name without the stem."""
    plain = name.removesuffix(SUFFIX)
    return plain if plain in RESNETS else name


def add_stems(backbones: dict[str, Callable[..., nn.Module]]) -> None:
    """Add them to main's table of backbones, which all methods share (idempotent)."""
    for name in RESNETS:
        backbones.setdefault(name + SUFFIX, functools.partial(_with_stem, backbones[name]))


def _with_stem(build: Callable[..., Any], *args: Any, **kwargs: Any) -> nn.Module:
    network: Any = build(*args, **kwargs)
    network.fc = nn.Identity()
    # as solo-learn has it, in its order, so that the same seed gives the same weights
    network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=2, bias=False)
    network.maxpool = nn.Identity()
    return network
