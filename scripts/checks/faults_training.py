"""The tiny training that faults.py stops: its configurations, its command, and its state."""

import csv
import os
import resource
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cueco_solo import register
from cueco_solo.cli import main as cueco_solo
from cueco_solo.training.checkpoints import latest_checkpoint

# what a training imports, before the first fork: it takes seconds
register()
for _module in ("cli.pretrain", "data.datasets", "training.compose", "training.divergence"):
    import_module(f"cueco_solo.{_module}")
for _module in ("pretrain", "resume", "trainer"):
    import_module(f"cueco_solo.training.{_module}")

CONFIG = """
defaults:
  - _self_
  - augmentations: asymmetric-32
  - wandb: disabled
name: faults
method: mocov2plus
backbone: {name: resnet18}
method_kwargs: {proj_hidden_dim: 16, proj_output_dim: 8, temperature: 0.2}
momentum: {base_tau: 0.9, final_tau: 1.0}
data:
  {dataset: custom, train_path: IMAGES, val_path: null, format: image_folder, num_workers: 0}
optimizer: {name: sgd, batch_size: 4, lr: 0.1, classifier_lr: 0.1, weight_decay: 1e-4}
scheduler: {name: warmup_cosine}
checkpoint: {enabled: True, dir: RUNS}
auto_resume: {enabled: True}
max_epochs: EPOCHS
log_every_n_steps: 1
devices: 1
accelerator: cpu
enable_progress_bar: False
enable_model_summary: False
"""
_CUECO = ("method=cueco", "+method_kwargs.queue_size=16", "+method_kwargs.pred_hidden_dim=16")
_CUECO += ("+method_kwargs.num_clusters=4", "+method_kwargs.cluster_warmup_steps=3")
_CUECO += ("+method_kwargs.cluster_reset_steps=4",)
_RCL = ("method=rcl", "+method_kwargs.queue_size=16", "+method_kwargs.pred_hidden_dim=16")
_RCL += ("+method_kwargs.hierarchy_warmup_epochs=1",)
METHODS = {
    "cueco": _CUECO,
    "cueco-offline": (*_CUECO, "+method_kwargs.clustering=offline"),
    "rcl": _RCL,
    "rcl-dbscan": (
        *_RCL,
        "+method_kwargs.hierarchy=dbscan",
        "+method_kwargs.dbscan_min_samples=2",
        "+method_kwargs.dbscan_eps=[1.3,1.0]",
    ),
    "self_classifier": (
        "method=self_classifier",
        "~momentum",
        "~method_kwargs",
        "+method_kwargs={mlp_dims: [16, 8], num_heads: 2, head_size: 6}",
    ),
    "mocov2plus": ("+method_kwargs.queue_size=16",),
    "simclr": ("method=simclr", "~momentum"),
}


class Training:
    """The command of one method in one folder.

    Attributes:
        folder: where its runs lie.
        log: what the last start printed.
    """

    def __init__(self, method: str, config: Path, folder: Path) -> None:
        self.folder, self.log = folder, config.with_name(f"{folder.name}.log")
        self.words = ["pretrain", "--config-path", str(config.parent), "--config-name", config.stem]
        self.words += [f"checkpoint.dir={folder}", *METHODS[method]]

    def start(self, limit: int | None = None) -> int:
        """Fork a process that runs the command; its number."""
        sys.stdout.flush()
        number = os.fork()
        if number:
            return number
        code = 1
        try:
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            code = cueco_solo(self.words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def run(self, limit: int | None = None) -> int:
        """Run to the end; the exit code, negative after a signal that killed it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.start(limit), 0)[1])

    def run_folder(self) -> Path | None:
        """The newest run."""
        found = sorted(self.folder.glob("*/*/"), key=lambda path: path.stat().st_mtime)
        return found[-1] if found else None

    def checkpoint(self) -> Path | None:
        """The newest whole checkpoint."""
        run = self.run_folder()
        return latest_checkpoint(run) if run else None


def state(run: Path) -> dict[str, Any]:
    """All that must be equal in the end."""
    path = latest_checkpoint(run)
    assert path is not None
    content = torch.load(path, weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")
    with (run / "metrics.csv").open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if value and "time" not in key}
            for row in csv.DictReader(file)
        ]
    return {**{key: content.get(key) for key in kept}, "rows": rows}


def difference(a: Any, b: Any, place: str = "") -> str | None:
    """Where two states differ first."""
    if isinstance(a, torch.Tensor):
        same = isinstance(b, torch.Tensor) and a.shape == b.shape
        equal = same and torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
        return None if equal else place
    if isinstance(a, dict):
        if not isinstance(b, dict) or a.keys() != b.keys():
            return f"{place} keys"
        return next((d for k in a if (d := difference(a[k], b[k], f"{place}/{k}"))), None)
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{place} length {len(a)} and {len(b)}"
        return next(
            (d for i in range(len(a)) if (d := difference(a[i], b[i], f"{place}/{i}"))), None
        )
    return None if a == b else f"{place}: {a!r} and {b!r}"


def write_images(folder: Path) -> None:
    """Twelve images of three colours."""
    noise = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            pixels = noise.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            pixels[..., channel] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
