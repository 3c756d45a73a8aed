"""A generated image folder and a configuration small enough to be trained in a test."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cueco_solo.cli import main

CONFIG = """
defaults:
  - _self_
  - augmentations: asymmetric-32
  - wandb: disabled
name: tiny
method: mocov2plus
backbone:
  name: resnet18
method_kwargs:
  proj_hidden_dim: 16
  proj_output_dim: 8
  queue_size: 32
  temperature: 0.2
momentum:
  # a constant: solo-learn's methods start a resumed run with base_tau
  base_tau: 0.9
  final_tau: 0.9
data:
  dataset: custom
  train_path: {images}/train
  val_path: {images}/val
  format: image_folder
  num_workers: 0
optimizer:
  name: sgd
  batch_size: 8
  lr: 0.3
  classifier_lr: 0.3
  weight_decay: 1e-4
scheduler:
  name: warmup_cosine
checkpoint:
  enabled: True
  dir: {runs}
max_epochs: 1
devices: 1
accelerator: cpu
enable_progress_bar: False
enable_model_summary: False
"""
CUECO = (
    "method=cueco",
    "+method_kwargs.pred_hidden_dim=16",
    "+method_kwargs.num_clusters=4",
    "+method_kwargs.cluster_warmup_steps=1",
    "+method_kwargs.cluster_reset_steps=2",
)


def write_images(root: Path, train: int = 6, val: int = 3, tint: int = 60) -> Path:
    """``root/{train,val}/{red,green,blue}/*.png``: noise with a tint, the same every time."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for channel, name in enumerate(("red", "green", "blue")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
                pixels[..., channel] += tint
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def write_config(folder: Path, images: Path) -> Path:
    """``folder/tiny.yaml``, whose runs go to ``folder/runs``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(CONFIG.format(images=images, runs=folder / "runs"))
    return folder


def pretrain(folder: Path, *overrides: str) -> int:
    """``cueco-solo pretrain`` with the configuration in ``folder``, in this process."""
    return main(["pretrain", "--config-path", str(folder), "--config-name", "tiny", *overrides])


# three batches of four images in an epoch
THREE_BATCHES = (
    *("optimizer.batch_size=4", "limit_train_batches=3", "max_epochs=2"),
    *("log_every_n_steps=1", "num_sanity_val_steps=0"),
)


def whole_run(folder: Path, images: Path, *overrides: str) -> Path:
    """The folder of a run of MoCo V2+ that nothing has stopped; not to be changed."""
    assert pretrain(write_config(folder, images), *overrides) == 0
    (run,) = run_folders(folder)
    return run


def run_folders(folder: Path, method: str = "mocov2plus") -> list[Path]:
    """The runs made by :func:`pretrain`, sorted by name."""
    return sorted((folder / "runs" / method).iterdir())


def times(root: Path) -> dict[Path, int]:
    """When each file below was last written."""
    return {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}


def metric(run: Path, name: str, epoch: int) -> list[str]:
    """Values of a column of ``metrics.csv`` in one epoch, as written."""
    with (run / "metrics.csv").open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    return [row[name] for row in rows if row["epoch"] == str(epoch) and row[name]]
