"""Batches that are augmented on the device: layout, determinism, resumption, refusals."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import signalled
import tiny
import torch
from equal_runs import check_same
from lightning.pytorch import Trainer
from omegaconf import DictConfig
from PIL import Image
from support import refusal
from torch import Tensor

pytest.importorskip("kornia")
from cueco_solo import host
from cueco_solo.data.datasets import pretraining_data
from cueco_solo.data.on_device import images as memory
from cueco_solo.data.on_device.settings import check_device_augmentation
from cueco_solo.training.compose import compose_config
from cueco_solo.training.settings import check_settings

DEVICE = "data.augment=device"


def parsed(images: Path, *overrides: str, **data: Any) -> DictConfig:
    words = ["augmentations=mocov2-32", "optimizer.batch_size=4", "data.num_workers=0", DEVICE]
    cfg = compose_config("cueco-custom", None, [*words, *overrides])
    cfg.data.update({"train_path": str(images / "train"), "val_path": str(images / "val"), **data})
    return host.parse_pretrain_cfg(cfg)


def module(cfg: DictConfig, rank: int = 0, world: int = 1, **options: Any) -> Any:
    data, _ = pretraining_data(cfg, world, **options)
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        world_size=world,
        global_rank=rank,
        precision_plugin=SimpleNamespace(convert_input=lambda views: views),
    )
    return data


def batches(data: Any, epoch: int = 0) -> list[list[Any]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [data.on_after_batch_transfer(batch.to("cpu"), 0) for batch in loader]


def by_index(data: Any, epoch: int = 0) -> dict[int, list[Tensor]]:
    found = batches(data, epoch)
    return {
        int(index): [view[place] for view in views]
        for indexes, views, _ in found
        for place, index in enumerate(indexes)
    }


def same(one: dict[int, list[Tensor]], other: dict[int, list[Tensor]]) -> bool:
    pairs = [(one[i][v], other[i][v]) for i in one.keys() & other.keys() for v in range(2)]
    return bool(pairs) and all(torch.equal(*pair) for pair in pairs)


def test_batches_are_laid_out_as_solo_learns(images: Path):
    ours = module(parsed(images))
    theirs = module(parsed(images, "data.augment=workers"))
    pairs = list(zip(batches(ours), list(theirs.train_dataloader()), strict=True))
    assert len(pairs) == 4  # the incomplete fifth is dropped
    for found, expected in pairs:
        assert type(found) is type(expected) and len(found) == len(expected) == 3
        for mine, other in zip(
            [found[0], *found[1], found[2]], [expected[0], *expected[1], expected[2]], strict=True
        ):
            assert (mine.shape, mine.dtype) == (other.shape, other.dtype)
        assert torch.equal(found[0], expected[0]) and torch.equal(found[2], expected[2])
    for mine, other in zip(ours.val_dataloader(), theirs.val_dataloader(), strict=True):
        passed = ours.on_after_batch_transfer(mine, 0)
        assert all(torch.equal(*pair) for pair in zip(passed, other, strict=True))


def test_a_crop_without_changes_is_the_image(images: Path):
    cfg = parsed(images, "augmentations=crop-32")
    for view in cfg.augmentations:
        view.rrc.enabled, view.horizontal_flip.prob, view.mean, view.std = (
            False,
            0,
            [0] * 3,
            [1] * 3,
        )
    plain = by_index(module(cfg))
    names = sorted((images / "train").rglob("*.png"))
    for index, views in plain.items():
        pixels = torch.from_numpy(np.array(Image.open(names[index]))).permute(2, 0, 1) / 255
        assert all(torch.equal(view, pixels) for view in views)


def test_views_depend_on_seed_epoch_and_sample_alone(images: Path):
    first = by_index(module(parsed(images)))
    assert same(by_index(module(parsed(images, "data.num_workers=2"))), first)
    assert same(by_index(module(parsed(images, "optimizer.batch_size=9"))), first)
    halves = [by_index(module(parsed(images), rank, 2)) for rank in (0, 1)]
    assert halves[0].keys().isdisjoint(halves[1])
    assert all(same(half, first) for half in halves)
    data = module(parsed(images))
    again, other = by_index(data), by_index(data, epoch=1)
    assert same(again, first) and list(other) != list(first)
    another = by_index(module(parsed(images, "seed=6")))
    for changed in (other, another):
        shared = changed.keys() & first.keys()
        assert not any(torch.equal(changed[i][0], first[i][0]) for i in shared)
    assert not any(torch.equal(*views) for views in first.values())


def test_an_epoch_goes_on_where_it_was_left(images: Path):
    whole = batches(module(parsed(images)), epoch=2)
    rest = module(parsed(images), first_epoch=2, first_batch=1)
    found = [rest.on_after_batch_transfer(batch, 0) for batch in rest.train_dataloader()]
    assert len(found) == len(whole) - 1
    for mine, other in zip(found, whole[1:], strict=True):
        assert all(torch.equal(*pair) for pair in zip(mine[1], other[1], strict=True))


def test_the_model_s_random_numbers_are_left_alone(images: Path):
    data = module(parsed(images))
    state = torch.get_rng_state()
    batches(data)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_views_have_the_precision_of_the_training(precision: str, images: Path):
    """Made of float32 parameters all the same: in bfloat16 a box would be another one."""
    plain = by_index(module(parsed(images)))
    data, _ = pretraining_data(parsed(images), 1)
    data.trainer = Trainer(accelerator="cpu", devices=1, logger=False, precision=precision)
    kind = torch.float64 if precision == "64-true" else torch.bfloat16
    plugin = data.trainer.precision_plugin
    for batch in data.train_dataloader():
        moved = data.trainer.strategy.batch_to_device(plugin.convert_input(batch))
        indexes, views, _ = data.on_after_batch_transfer(moved, 0)
        for number, view in enumerate(views):
            expected = torch.stack([plain[int(index)][number] for index in indexes])
            assert torch.equal(view, expected.to(kind))


def test_a_training_goes_on_as_if_never_stopped(
    tmp_path: Path, images: Path, request: pytest.FixtureRequest
):
    words = (*tiny.THREE_BATCHES, DEVICE, "data.num_workers=1", "data.val_path=null")
    whole = tiny.whole_run(tmp_path / "whole", images, *words)
    folder = tiny.write_config(tmp_path / "stopped", images)
    request.addfinalizer(signalled.signal_at(4, lambda: signalled.send(15)))
    assert tiny.pretrain(folder, *words) == 143
    assert tiny.pretrain(folder, *words, "auto_resume.enabled=True") == 0
    check_same(*tiny.run_folders(folder), whole)


@pytest.mark.parametrize(
    "words",
    [
        (
            *("method=rcl", "+method_kwargs.pred_hidden_dim=16", "+method_kwargs.num_levels=2"),
            *("+method_kwargs.hierarchy_warmup_epochs=1", "+method_kwargs.dbscan_min_samples=2"),
            "+method_kwargs.dbscan_eps=[1.3]",
        ),
        (*tiny.CUECO, "+method_kwargs.clustering=offline"),
    ],
    ids=["rcl", "cueco, offline"],
)
def test_keys_of_a_pass_over_the_training_set(words: tuple[str, ...], folder: Path):
    """Which a method makes by itself, outside of Lightning's loop."""
    assert tiny.pretrain(folder, *words, DEVICE, "data.val_path=null", "max_epochs=2") == 0


def test_a_run_does_not_go_on_with_the_other(folder: Path, refused: Callable[..., str]):
    words = ("data.val_path=null", "limit_train_batches=1")
    assert tiny.pretrain(folder, *words) == 0
    (run,) = tiny.run_folders(folder)
    command = ("pretrain", "--config-path", folder, "--config-name", "tiny", *words, DEVICE)
    message = refused(*command, "max_epochs=2", f"resume_from_checkpoint={run}")
    assert "data.augment was workers, is device" in message
    assert "resume.allow=[data.augment]" in message


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("data.augment=gpu", "data.augment='gpu' must be one of workers, device; the default is"),
        (
            "data.format=dali",
            "data.augment='device' can't be had with data.format=dali; set data.fo",
        ),
        (
            "data.format=h5",
            "data.augment='device' can't be had with data.format=h5; set data.format",
        ),
    ],
)
def test_what_is_refused_before_anything_is_read(override: str, text: str):
    given = ["data.train_path=x", "seed=5", "checkpoint.dir=runs", DEVICE, override]
    cfg = compose_config("cueco-custom", None, given)
    assert refusal(check_settings, cfg).startswith(text)


def test_kornia_is_missing(monkeypatch: pytest.MonkeyPatch):
    name = "cueco_solo.data.on_device.settings.find_spec"
    monkeypatch.setattr(name, lambda _: None)
    assert refusal(check_device_augmentation, {"augment": "device"}) == (
        "data.augment='device' needs a package that is not installed; pip install kornia, or set "
        "data.augment=workers"
    )
    check_device_augmentation({"augment": "workers"})


def test_images_of_several_sizes(images: Path, tmp_path: Path):
    moved = Path(shutil.copytree(images, tmp_path / "images"))
    names = [moved / "train" / "blue" / f"{number}.png" for number in (0, 3)]
    Image.new("RGB", (30, 20)).save(names[1])
    assert refusal(pretraining_data, parsed(moved), 1) == (
        f"data.augment='device' needs images of one size, but {names[1]} has 30 x 20 pixels and "
        f"{names[0]} 32 x 32 pixels; set data.augment=workers, or write them in one size"
    )
    names[1].write_bytes(b"no image")
    assert "3.png' can't be read" in refusal(pretraining_data, parsed(moved), 1)


def test_images_that_do_not_fit(images: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 200_000)
    assert refusal(pretraining_data, parsed(images), 2) == (
        "data.augment='device' keeps 18 images of 32 x 32 pixels in each of 2 processes, that is "
        "0.000111 GB, but may take half of the free memory, 0.0001 GB; set data.augment=workers, "
        "or write the images smaller"
    )
    pretraining_data(parsed(images), 1)
    # another process of them, which starts when the first has taken its part
    monkeypatch.setenv("LOCAL_RANK", "1")
    pretraining_data(parsed(images), 2)
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    pretraining_data(parsed(images), 2)


def test_free_memory_is_that_of_the_machine():
    free = memory.free_memory()
    assert free is None or 1e6 < free < 1e15
