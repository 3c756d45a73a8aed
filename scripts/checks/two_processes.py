"""Whether two processes of batch b have the losses of one with 2b, in a training's first steps.

    python scripts/checks/two_processes.py [METHOD ...] [--images DIR] [--keep DIR]

trains cueco, rcl and self_classifier on digits, each in one process and in two on a CPU, with the
same order of images, and prints the loss of each step and how far they are apart, relative to the
first. As torch has SyncBatchNorm for GPUs alone, the two processes compute the same here:
statistics of the joined batch, with gradient.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

WORKER = "worker"
EPOCHS, BATCH = 2, 32
LOSSES = {
    "cueco": ("train_nce_loss", "train_centroid_loss", "train_variance_loss"),
    "rcl": ("train_rcl_loss",),
    "self_classifier": ("train_self_classifier_loss",),
}
HEADS = {
    "cueco": (
        *("proj_hidden_dim=64", "proj_output_dim=32", "pred_hidden_dim=64", "queue_size=128"),
        *("num_clusters=8", "cluster_warmup_steps=4", "cluster_reset_steps=100"),
    ),
    "rcl": (
        *("proj_hidden_dim=64", "proj_output_dim=32", "pred_hidden_dim=64", "queue_size=128"),
        "hierarchy_warmup_epochs=1",
    ),
    "self_classifier": ("mlp_dims=[64,64,32]", "num_heads=4", "head_size=12"),
}


def joined_batch_norm() -> None:
    """Let batch norm in training have the statistics of all processes, as SyncBatchNorm has."""
    import torch
    import torch.distributed as dist
    from torch.distributed.nn.functional import all_reduce
    from torch.nn.modules.batchnorm import _BatchNorm

    stock = _BatchNorm.forward

    def forward(self: _BatchNorm, x: torch.Tensor) -> torch.Tensor:
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return stock(self, x)
        dims = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        number = x.numel() / x.shape[1] * dist.get_world_size()  # as many on each
        mean = all_reduce(x.sum(dims)) / number
        centred = x - mean.view(shape)
        variance = all_reduce((centred * centred).sum(dims)) / number
        with torch.no_grad():
            if self.track_running_stats and self.running_mean is not None:
                share = 0.1 if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * number / (number - 1), share)
                self.num_batches_tracked.add_(1)
        out = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out

    _BatchNorm.forward = forward


def train(
    method: str, processes: int, images: Path, folder: Path, more: Sequence[str]
) -> list[dict[str, str]]:
    """The rows of steps of a run's ``metrics.csv``."""
    digits = [f"data.train_path={images}/train", f"data.val_path={images}/val"]
    words = [
        *(sys.executable, str(Path(__file__).resolve()), WORKER),
        *("pretrain", "--config-name", f"{method}-digits-placed", "hardware=cpu", *digits),
        *(f"method_kwargs.{one}" for one in HEADS[method]),
        *(f"max_epochs={EPOCHS}", f"optimizer.batch_size={BATCH // processes}"),
        # Adam would make the rounding of gradients near 0 into steps
        *("optimizer.name=sgd", "optimizer.lr=0.3", "optimizer.classifier_lr=0.3"),
        # in single precision rounding alone is a hundred times larger after each step
        "precision=64-true",
        *("scheduler.warmup_epochs=0", "data.num_workers=0", "log_every_n_steps=1"),
        *("online_clustering.enabled=False", "enable_progress_bar=False"),
        *(f"checkpoint.dir={folder}/{processes}", "num_sanity_val_steps=0"),
        *more,
    ]
    if processes > 1:
        words += [f"devices={processes}", "strategy=ddp"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {method} on {processes} processes failed:\n{done.stdout}{done.stderr}")
    (path,) = (folder / str(processes)).rglob("metrics.csv")
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("train_class_loss_step")]


def of(row: dict[str, str], name: str) -> float | None:
    """A loss of one step."""
    text = row.get(f"{name}_step") or row.get(name) or ""
    return float(text) if text else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(LOSSES))
    parser.add_argument("--images", type=Path, help="digits, with train/ and val/")
    parser.add_argument("--keep", type=Path, help="folder for the runs")
    parser.add_argument("--overrides", nargs="+", default=(), metavar="KEY=VALUE")
    args = parser.parse_args()
    if unknown := set(args.methods) - set(LOSSES):
        parser.error(f"METHOD={min(unknown)!r} must be one of {', '.join(LOSSES)}")
    with tempfile.TemporaryDirectory() as temporary:
        root = args.keep or Path(temporary)
        images = args.images
        if images is None:
            from cueco_solo.data.digits import export_digits

            images = root / "digits"
            export_digits(images, placed=True, of_each=20)
        print("| method | loss | step | one process | two | apart |\n|---|---|---:|---:|---:|---:|")
        for method in args.methods or LOSSES:
            one, two = (train(method, n, images, root / method, args.overrides) for n in (1, 2))
            for name in LOSSES[method]:
                for step, rows in enumerate(zip(one, two, strict=True), 1):
                    first, second = (of(row, name) for row in rows)
                    if first is None or second is None:
                        continue
                    apart = abs(second - first) / max(abs(first), 1e-12)
                    title = name.removeprefix("train_")
                    cells = f"{first:.6f} | {second:.6f} | {apart:.1e}"
                    print(f"| {method} | {title} | {step} | {cells} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        joined_batch_norm()
        from cueco_solo.cli import main as cueco_solo

        sys.exit(cueco_solo(sys.argv[2:]))
    main()
