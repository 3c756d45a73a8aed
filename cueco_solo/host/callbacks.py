"""Callbacks that every method brings, solo-learn's own included: handed in by those above."""

from collections.abc import Callable
from typing import Any

_makers: list[Callable[[Any], list[Any]]] = []


def bring_callbacks(make: Callable[[Any], list[Any]]) -> None:
    """Let every method's ``configure_callbacks`` add what ``make(cfg)`` returns (idempotent)."""
    if make not in _makers:
        _makers.append(make)


def brought_callbacks(cfg: Any) -> list[Any]:
    """What a method with the configuration ``cfg`` adds."""
    return [callback for make in _makers for callback in make(cfg)]
