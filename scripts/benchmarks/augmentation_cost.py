"""Views per second of solo-learn's transforms and of data.augment=device, on one core.

    OMP_NUM_THREADS=1 taskset -c 0 python scripts/benchmarks/augmentation_cost.py [--repeats 5]

Both as a training has them: the former in one loading process, with decoding, from files; the
latter from memory, in the process itself. In turn; the median, the slowest and the fastest. For
--device cpu the operations of torch in a batch are counted, too: each is about a kernel on a GPU.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import machine
from gpu_loaders import write_images
from lightning.pytorch import Trainer
from torch.profiler import ProfilerActivity, profile

import cueco_solo
from cueco_solo import host
from cueco_solo.data.datasets import pretraining_data
from cueco_solo.training.compose import compose_config
from cueco_solo.training.log_filters import quieten
from cueco_solo.training.settings import with_defaults

# pixels of the images, images, batch size
_SIZES = {"32": (32, 1024, 256), "224": (256, 96, 32)}
_FILES = ("crop-32", "asymmetric-32", "symmetric-32", "mocov2-32", "asymmetric-224")
# neither calculates
_VIEWS = ("view", "as_strided", "select", "slice", "unbind", "expand", "transpose", "split", "to")


class Pipeline:
    """The training batches of a configuration."""

    def __init__(self, images: Path, file: str, augment: str, batch_size: int, device: str) -> None:
        words = [f"data.train_path={images}", "data.val_path=null", f"data.augment={augment}"]
        words += [f"augmentations={file}", f"data.num_workers={int(augment == 'workers')}"]
        words += [f"optimizer.batch_size={batch_size}"]
        cfg = compose_config("cueco-custom", None, words)
        cfg.devices, cfg.num_nodes = [0], 1
        self.data: Any = pretraining_data(host.parse_pretrain_cfg(with_defaults(cfg)), 1)[0]
        self.data.trainer = Trainer(accelerator="cpu", devices=1, logger=False)
        self.on_device, self.device = augment == "device", device
        self.loader = self.data.train_dataloader()  # its worker stays

    def batch(self, batch: Any) -> list[Any]:
        """What the model gets."""
        return self.data.on_after_batch_transfer(batch.to(self.device), 0)

    def rate(self) -> float:
        """Views per second of an epoch."""
        start, views = time.perf_counter(), 0
        for found in self.loader:
            batch = self.batch(found) if self.on_device else found
            views += sum(len(view) for view in batch[1])
        if self.device == "cuda":
            torch.cuda.synchronize()
        return views / (time.perf_counter() - start)

    def operations(self) -> int:
        """Of torch that calculate or copy, in the augmentation of a batch."""
        found = next(iter(self.loader))
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            self.batch(found)
        leaves = [event for event in seen.events() if not event.cpu_children]
        names = [event.name.removeprefix("aten::") for event in leaves]
        return sum(not name.startswith((*_VIEWS, "empty", "[")) for name in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", nargs="*", choices=_FILES, default=_FILES)
    args = parser.parse_args()
    quieten()
    cueco_solo.register()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for file in args.only:
            side, number, batch_size = _SIZES[file.rpartition("-")[2]]
            images = Path(folder, str(side))
            if not images.exists():
                write_images(images, number, side)
            pipelines = {
                augment: Pipeline(images, file, augment, batch_size, args.device)
                for augment in ("workers", "device")
            }
            rates: dict[str, list[float]] = {augment: [] for augment in pipelines}
            for repeat in range(args.repeats + 1):
                for augment, pipeline in pipelines.items():
                    rate = pipeline.rate()
                    if repeat:  # the first warms up
                        rates[augment].append(rate)
            middle = {name: statistics.median(found) for name, found in rates.items()}
            for name, found in rates.items():
                print(f"{file} {name}: {middle[name]:.0f} ({min(found):.0f}-{max(found):.0f})")
            print(f"{file}: {middle['device'] / middle['workers']:.2f} x", end="; ")
            operations = pipelines["device"].operations() if args.device == "cpu" else "not counted"
            print(f"operations in a batch of {batch_size}: {operations}", flush=True)


if __name__ == "__main__":
    main()
