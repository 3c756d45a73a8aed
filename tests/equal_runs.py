"""Whether two runs have had the same numbers."""

import csv
from pathlib import Path
from typing import Any

import torch

from cueco_solo.training.position import KEY


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [
            {key: row[key] for key in row if key != "online_seconds"}
            for row in csv.DictReader(file)
        ]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def check_same(run: Path, whole: Path) -> None:
    """That two runs have had the same numbers, and are in the same state."""
    assert rows(run) == rows(whole)
    found = [torch.load(next(each.glob("*.ckpt")), weights_only=True) for each in (run, whole)]
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "loops", KEY):
        assert same(*(each[part] for each in found)), part
