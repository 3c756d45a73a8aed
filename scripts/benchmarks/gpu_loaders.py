"""How many images per second the data pipelines give, without a network.

torchvision's, DALI's, and data.augment=device, whose images are decoded before.

    python scripts/benchmarks/gpu_loaders.py OUT [--device cuda] [--workers 16]

Both views of random JPEG images of 32 and of 256 pixels, augmented as cueco-cifar10 and
cueco-imagenet100 have it, by the loaders of a training. Writes OUT/loaders.json; what is there
already is not measured again. Where DALI can't be used, its reason stands in place of a figure.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import machine
from lightning.pytorch import Trainer
from PIL import Image

import cueco_solo
from cueco_solo import host
from cueco_solo.data.datasets import pretraining_data
from cueco_solo.data.on_device.module import UnaugmentedBatch
from cueco_solo.errors import HostError, one_line
from cueco_solo.files import write_json
from cueco_solo.training.compose import compose_config
from cueco_solo.training.hardware import torch_device
from cueco_solo.training.log_filters import quieten
from cueco_solo.training.settings import with_defaults

_SIDES = {32: "asymmetric-32", 256: "asymmetric-224"}


def write_images(folder: Path, number: int, side: int) -> None:
    """Two classes of JPEG images: smooth noise, which compresses about as photographs do."""
    random = np.random.default_rng(0)
    for index in range(number):
        path = folder / "ab"[index % 2] / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)


def rates(cfg: Any, passes: int, device: str) -> dict[str, Any]:
    """Images per second over some passes, after one in which the workers start."""
    data, _ = pretraining_data(host.parse_pretrain_cfg(with_defaults(cfg)), 1)
    data.trainer = Trainer(accelerator="cpu", devices=1, logger=False)
    data.setup("fit")
    loader = data.train_dataloader()
    found = []
    for _ in range(1 + passes):
        start = time.perf_counter()
        batches = 0
        for batch in loader:
            batches += 1
            if isinstance(batch, UnaugmentedBatch):  # Lightning does this in a training
                data.on_after_batch_transfer(batch.to(device), 0)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(batches * cfg.optimizer.batch_size / (time.perf_counter() - start))
    rest = found[1:]
    return {
        "images_per_second": statistics.median(rest),
        "slowest": min(rest),
        "fastest": max(rest),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=torch.get_num_threads())
    parser.add_argument("--tiny", action="store_true", help="a trial of this script, for tests")
    args = parser.parse_args()

    quieten()
    cueco_solo.register()
    device = "gpu" if torch_device(args.device) == "cuda" else "cpu"
    number, batch_size, passes = (16, 8, 1) if args.tiny else (8192, 256, 3)
    setting = {
        "machine": machine(),
        "images": number,
        "batch_size": batch_size,
        "workers": args.workers,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "loaders.json"
    former = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows: dict[str, Any] = former["rows"] if former.get("setting") == setting else {}
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for side, augmentations in _SIDES.items():
            images = Path(folder, str(side))
            write_images(images, number, side)
            for name, words in {
                f"torchvision, {args.workers} workers": ["data.format=image_folder"],
                f"DALI, {device}": ["data.format=dali", f"dali.device={device}"],
                f"data.augment=device, {device}": ["data.augment=device"],
            }.items():
                title = f"{side} pixels, {name}"
                if "images_per_second" in rows.get(title, {}):
                    continue
                overrides = [
                    f"data.train_path={images}",
                    "data.val_path=null",
                    *words,
                    f"augmentations={augmentations}",
                    f"data.num_workers={args.workers}",
                    f"optimizer.batch_size={batch_size}",
                ]
                cfg = compose_config("cueco-custom", None, overrides)
                cfg.devices, cfg.num_nodes = [0], 1
                try:
                    row = rates(cfg, passes, "cuda" if device == "gpu" else "cpu")
                except HostError as error:
                    row = {"not_available": one_line(error)}
                except Exception as error:
                    row = {"error": f"{type(error).__name__}: {one_line(error)}"}
                    failed = True
                rows[title] = row
                print(f"{title}: {row}", flush=True)
                write_json(path, {"setting": setting, "rows": rows})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
