"""What a configuration's data becomes: modules, steps, formats."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf
from support import refusal

from cueco_solo import host
from cueco_solo.data.datasets import count_images, pretraining_data
from cueco_solo.errors import ConfigError, HostError
from cueco_solo.training.compose import compose_config


def parsed(images: Path, *overrides: str, **data: Any) -> DictConfig:
    cfg = compose_config(
        "cueco-custom",
        None,
        ["augmentations=asymmetric-32", "optimizer.batch_size=4", "data.num_workers=0", *overrides],
    )
    cfg.data.update({"train_path": str(images / "train"), "val_path": str(images / "val"), **data})
    return host.parse_pretrain_cfg(cfg)


def test_batches_and_steps(images: Path):
    module, steps = pretraining_data(parsed(images), world_size=2)
    assert steps == 18 // 2 // 4
    module.trainer = Trainer(accelerator="cpu", devices=1, logger=False)
    batches = list(module.train_dataloader())
    assert len(batches) == 4  # the incomplete fifth is dropped
    indexes, views, labels = batches[0]
    assert [view.shape for view in views] == [(4, 3, 32, 32)] * 2
    assert torch.equal(labels, torch.tensor([int(index) // 6 for index in indexes]))
    seen = torch.cat([batch[0] for batch in batches])
    assert len(set(seen.tolist())) == 16
    assert sum(len(labels) for _, labels in module.val_dataloader()) == 9


@pytest.mark.parametrize("left_out", [[], ["green/0.png"]])
def test_images_without_labels_come_in_the_order_of_their_names(images: Path, left_out: list[str]):
    cfg = parsed(images, no_labels=True, unreadable=left_out)
    module: Any = pretraining_data(cfg, 1)[0]
    colours = ("blue", "green", "red")
    names = [f"{colour}/{number}.png" for colour in colours for number in range(6)]
    assert module.train.dataset.images == [name for name in names if name not in left_out]
    assert count_images(cfg.data, "method_kwargs.num_samples") == 18 - len(left_out)
    index, views, label = module.train[0, 8 - len(left_out)]
    assert (index, len(views), label) == (8 - len(left_out), 2, -1)
    assert module.val_dataloader() == []


@pytest.mark.parametrize("no_labels", [False, True])
@pytest.mark.parametrize(("fraction", "share"), [(-1, 1), (0.5, 0.5), (0.4, 0.4)])
def test_counted_are_the_images_that_are_trained_on(
    no_labels: bool, fraction: float, share: float, images: Path
):
    folder = images / "train" / ("red" if no_labels else "")
    cfg = parsed(images, train_path=str(folder), no_labels=no_labels, fraction=fraction)
    cfg.optimizer.batch_size = 2
    counted = count_images(cfg.data, "method_kwargs.num_samples")
    assert counted == int((6 if no_labels else 18) * share)
    module: Any = pretraining_data(cfg, 1)[0]
    assert counted == len(module.train.dataset)
    # what DALI reads is what is in the folders too
    assert count_images(DictConfig({**cfg.data, "format": "dali"}), "key") == counted


@pytest.mark.parametrize(
    ("name", "number"), [("cifar10", 50_000), ("cifar100", 50_000), ("stl10", 105_000)]
)
def test_images_of_known_data_sets_are_not_looked_for(name: str, number: int, tmp_path: Path):
    data = DictConfig({"dataset": name, "train_path": str(tmp_path / "no" / "such" / "folder")})
    assert count_images(data, "key") == number
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("no_labels", [False, True])
def test_images_that_cannot_be_counted(no_labels: bool, tmp_path: Path):
    path = str(tmp_path / "gone")
    data = DictConfig({"dataset": "custom", "train_path": path, "no_labels": no_labels})
    assert refusal(count_images, data, "section.key") == (
        f"data.train_path='{path}' can't be read to count its images ([Errno 2] No such file or "
        f"directory: '{path}'); correct it, or set section.key to their number"
    )


def test_dali_says_what_it_needs(images: Path):
    cfg = parsed(images, format="dali")
    if host.FORM == "release":
        with pytest.raises(HostError, match="can't be used with solo-learn 1"):
            pretraining_data(cfg, 1)
        return
    pytest.importorskip("nvidia.dali")
    for change, text in (
        ({}, "data.num_workers=0 must be at least 1 with data.format=dali"),
        ({"data.num_workers": 1, "dali.device": "tpu"}, "must be cpu or gpu"),
    ):
        for key, value in change.items():
            OmegaConf.update(cfg, key, value)
        with pytest.raises(ConfigError, match=text):
            pretraining_data(cfg, 1)
