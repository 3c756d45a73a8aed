"""What a configuration's data becomes: modules, steps, formats."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf

from cueco_solo import host
from cueco_solo.cli.compose import compose_config
from cueco_solo.data.datasets import pretraining_data
from cueco_solo.errors import ConfigError, HostError


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


def test_images_without_labels_come_in_the_order_of_their_names(
    images: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = images / "train" / "red"
    cfg, found = parsed(images, train_path=str(folder), no_labels=True), ["3.png", "0.png"] * 2
    with monkeypatch.context() as patched:
        patched.setattr("os.listdir", lambda path: found)
        module: Any = pretraining_data(cfg, 1)[0]
    assert module.train.dataset.images == sorted(found)
    assert module.train[0, 3][2] == -1
    assert module.val_dataloader() == []


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
