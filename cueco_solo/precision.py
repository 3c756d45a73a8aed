"""Losses compute in float32 whatever precision the network runs in."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def widened(x: Any) -> Any:
    """``x`` with half-precision tensors as float32; float64 and integers are left alone."""
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        return x.to(torch.promote_types(x.dtype, torch.float32))
    return x


def in_float32(function: F) -> F:
    """Run ``function`` outside autocast, on widened tensors.

    exp and log of similarities divided by a small temperature overflow float16 and lose three
    digits in bfloat16. At least one positional argument must be a tensor; it names the device.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        with torch.autocast(device_type=tensors[0].device.type, enabled=False):
            args = tuple(widened(a) for a in args)
            return function(*args, **{name: widened(a) for name, a in kwargs.items()})

    return wrapper  # type: ignore[return-value]
