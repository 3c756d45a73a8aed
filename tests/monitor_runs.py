"""Tiny runs with the monitor, in one process or two, and what they logged."""

from pathlib import Path
from typing import Any

import torch
from host import tiny
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from support import Views
from torch.utils.data import DataLoader, Dataset

import cueco_solo

ON = "online_clustering.enabled=true"
CLASSES, IMAGES = 3, 33


class Rows(Logger):
    """What was logged of the monitor, by epoch."""

    name, version = "rows", 0

    def __init__(self) -> None:
        super().__init__()
        self.epochs: dict[int, dict[str, float]] = {}

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        found = {
            name.removeprefix("online_"): value
            for name, value in metrics.items()
            if name.startswith("online_")
        }
        if found:
            self.epochs.setdefault(int(metrics["epoch"]), {}).update(found)


class Validation(Dataset[Any]):
    """Images of three tints with a label each, every seventh of them wrong."""

    def __init__(self, number: int = IMAGES) -> None:
        views = Views(number, classes=CLASSES)
        self.images, self.labels = views.views[0], views.labels.clone()
        self.labels[::7] = (self.labels[::7] + 1) % CLASSES

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        return self.images[index], int(self.labels[index])


class Heard(Callback):
    """Features of the last validation, from a hook of its own, and the last training batch."""

    def __init__(self) -> None:
        self.features: list[torch.Tensor] = []
        self.batch: Any = None

    def setup(self, trainer: Any, module: Any, stage: str) -> None:
        def listen(backbone: Any, images: Any, output: torch.Tensor) -> None:
            if trainer.validating or trainer.sanity_checking:
                self.features.append(output.detach().clone())

        module.backbone.register_forward_hook(listen)

    def on_validation_start(self, *_: Any) -> None:
        self.features = []

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        # the monitor's own pass of the training views comes after the validation batches
        self.features = self.features[: sum(trainer.num_val_batches)]

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, i: int):
        self.batch = batch


def configuration(method: str, *changes: str) -> Any:
    cueco_solo.register()  # which hands the monitor in; a process of its own has to do it again
    return tiny.configuration(method, (f"data.num_classes={CLASSES}", *changes))


def train_loader(shuffle: bool = False) -> Any:
    return DataLoader(Views(32, classes=CLASSES, seed=1), 8, shuffle=shuffle)


def fit(model: Any, *callbacks: Callback, val: Any = None, **options: Any) -> Rows:
    """Train; ``val`` replaces the validation loader, False means none."""
    rows = Rows()
    ckpt_path, shuffle = options.pop("ckpt_path", None), options.pop("shuffle", False)
    options = {"log_every_n_steps": 1, "logger": rows, **options}
    trainer = tiny.trainer(model.cfg, *callbacks, **options)
    if val is None:
        val = DataLoader(Validation(), 8)
    loaders = [train_loader(shuffle), *([val] if val is not False else [])]
    trainer.fit(model, *loaders, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return rows


def in_one_of_two(rank: int, folder: Path) -> None:
    """What each of two processes does: their images are an odd number, so one comes twice."""
    torch.manual_seed(5)
    model, heard = tiny.build(configuration("toy", ON, "max_epochs=1")), Heard()
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=False)
    rows = fit(model, heard, devices=2, strategy=strategy)
    metrics = {k: float(v) for k, v in model.trainer.callback_metrics.items()}
    online = {k.removeprefix("online_"): v for k, v in metrics.items() if k.startswith("online_")}
    content = {"rows": rows.epochs, "online": online, "features": torch.cat(heard.features)}
    content["batch"] = heard.batch[1]
    content["views"] = [_eval(model, x) for x in heard.batch[1]]
    torch.save(content, folder / f"rank{rank}.pt")


def in_one_of_two_unequal(rank: int, folder: Path) -> None:
    """Two processes with 16 and 24 images."""
    model = tiny.build(configuration("toy", ON, "max_epochs=1"))
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=False)
    val = DataLoader(Validation(16 + 8 * rank), 8)
    rows = fit(model, val=val, devices=2, strategy=strategy, use_distributed_sampler=False)
    torch.save(rows.epochs, folder / f"rank{rank}.pt")


@torch.no_grad()
def _eval(model: Any, x: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = model.eval().backbone(x.to(memory_format=torch.channels_last))
    return features
