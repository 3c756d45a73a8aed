"""Helpers that several test modules share."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, Trainer
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, Dataset

from cueco_solo.errors import ConfigError


def unit(*shape: int, seed: int | None = None, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random unit vectors; without a seed those of the global generator."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


def python(*args: object, path: tuple[object, ...] = (), **options: Any) -> Any:
    """What a Python process with these arguments did; ``path`` comes first in its PYTHONPATH."""
    parts = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(parts)}
    defaults = {"env": env, "capture_output": True, "text": True, "timeout": 300}
    return subprocess.run([sys.executable, *map(str, args)], **{**defaults, **options})


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The message, one line, of the ConfigError that this call raises."""
    with pytest.raises(ConfigError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def entry(run: Path, name: str) -> Path:
    """The file of an evaluation written last; ``eval-knn.json`` stands for any settings."""
    stem = name.removesuffix(".json")
    untrained = "-untrained" if stem.endswith("-untrained") else ""
    digits = "[0-9a-f]" * 8
    found = run.glob(f"{stem.removesuffix('-untrained')}-{digits}{untrained}.json")
    return max(found, key=lambda path: path.stat().st_mtime_ns)


class Views(Dataset):
    """``(index, [view 1, view 2], label)`` of small random images, fixed under a seed."""

    def __init__(self, n: int = 32, size: int = 32, classes: int = 3, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(n) % classes
        tints = torch.randn(classes, 3, 1, 1, generator=generator)[self.labels]
        noise = torch.randn(2, n, 3, size, size, generator=generator)
        self.views = noise * 0.5 + tints

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[int, list[torch.Tensor], int]:
        return i, [self.views[0, i], self.views[1, i]], int(self.labels[i])


def views_loader(batch_size: int = 8, n: int = 32, **kwargs: Any) -> DataLoader:
    """Batches in a fixed order, so that runs can be compared step by step."""
    return DataLoader(Views(n), batch_size=batch_size, drop_last=True, **kwargs)


def updated(cfg: Any, **changes: Any) -> Any:
    """The configuration itself with these keys set, ``__`` in place of a dot."""
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value, merge=False, force_add=True)
    return cfg


def change_args(folder: Path, **changes: Any) -> None:
    """:func:`updated` for a run's ``args.json``."""
    args = updated(OmegaConf.load(folder / "args.json"), **changes)
    (folder / "args.json").write_text(json.dumps(OmegaConf.to_container(args)))


def small_cfg(method: str = "cueco", **overrides: Any) -> DictConfig:
    """A complete configuration of a tiny model; ``overrides`` are dotted keys with ``__``."""
    cfg = OmegaConf.create(
        {
            "name": "test",
            "method": method,
            "seed": 5,
            "backbone": {"name": "resnet18", "kwargs": {}},
            "method_kwargs": {
                "proj_hidden_dim": 32,
                "proj_output_dim": 16,
                "pred_hidden_dim": 32,
                "queue_size": 64,
                "num_clusters": 4,
                "cluster_warmup_steps": 2,
                "cluster_reset_steps": 4,
            },
            "momentum": {"base_tau": 0.9, "final_tau": 1.0, "classifier": False},
            "data": {
                "dataset": "custom",
                "train_path": ".",
                "val_path": None,
                "num_classes": 3,
                "num_large_crops": 2,
                "num_small_crops": 0,
            },
            "optimizer": {
                "name": "sgd",
                "batch_size": 8,
                "lr": 0.05,
                "classifier_lr": 0.05,
                "weight_decay": 1e-4,
                "kwargs": {"momentum": 0.9},
            },
            "scheduler": {"name": "warmup_cosine", "warmup_epochs": 0},
            "max_epochs": 3,
            "devices": 1,
            "accelerator": "cpu",
        }
    )
    return updated(cfg, **overrides)


class StepLog(Callback):
    """The training losses of every step, as exact floats."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        metrics = trainer.callback_metrics
        self.steps.append(
            {name: float(metrics[name]) for name in metrics if name.endswith("_loss_step")}
        )

    def finite(self) -> bool:
        return all(math.isfinite(value) for step in self.steps for value in step.values())


def fit(
    model: Any, *callbacks: Callback, loader: DataLoader | None = None, **kwargs: Any
) -> StepLog:
    """Train on the CPU without files or noise.

    ``ckpt_path`` resumes, ``val_loader`` validates, other words are Trainer's.
    """
    log, ckpt_path = StepLog(), kwargs.pop("ckpt_path", None)
    val_loader = kwargs.pop("val_loader", None)
    trainer = Trainer(
        **{
            "max_epochs": model.cfg.max_epochs,
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [log, *callbacks],
            **kwargs,
        }
    )
    loader = views_loader() if loader is None else loader
    trainer.fit(model, loader, val_loader, ckpt_path=ckpt_path, weights_only=True)
    return log


def a_byte_of_the_checkpoint(folder: Path) -> None:
    path = next(folder.glob("*.ckpt"))
    path.write_bytes(path.read_bytes() + b"\0")


def known_images(content: dict[str, Any]) -> set[str]:
    """The figures of an evaluation's file that what it keeps of each image gives, too."""
    from cueco_solo.clustering.agreement import agreement
    from cueco_solo.evaluation.accuracy import PER_CLASS
    from cueco_solo.evaluation.per_image import PerImage, unpacked

    images, results = PerImage.from_json(content["images"]), content["results"]
    found = {}
    for name, text in images.hits.items():
        hits = unpacked(text).astype(float)
        classes = [hits[images.labels == label].mean() for label in set(images.labels)]
        found[name] = 100 * (
            sum(classes) / len(classes) if name.endswith(PER_CLASS) else hits.mean()
        )
    for prefix, text in images.clusters.items():
        scores = agreement(images.labels, unpacked(text))
        found |= {f"{prefix}{name}": value for name, value in scores.items()}
    assert found == {name: pytest.approx(results[name], abs=0.02) for name in found}
    return set(found)
