"""The monitor's figures of training images: without labels, without validation, and LiDAR."""

import warnings
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from host import tiny
from lightning.pytorch import Callback
from monitor_runs import ON, Heard, fit
from monitor_training_images import (
    LABEL_FREE,
    SEED,
    cfg_of,
    features,
    plain_images,
    views,
)
from PIL import Image

from cueco_solo.numerics import lidar, rank_me
from cueco_solo.training.monitor.training_images import TrainingImages, _Augmented
from cueco_solo.training.monitor.views import evaluated


class Trace(Callback):
    """Random numbers after each epoch, and modes of the modules in the next one."""

    def __init__(self) -> None:
        self.states: list[torch.Tensor] = []
        self.training: list[bool] = []

    def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
        self.training.append(all(part.training for part in module.modules()))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.states.append(torch.get_rng_state())


@pytest.mark.parametrize("workers", [0, 1])
def test_training_is_the_same_to_the_bit(workers: int, images: Path):
    def trained(*changes: str) -> tuple[Any, Trace, Any]:
        torch.manual_seed(0)
        few = ("online_clustering.lidar_images=4", "online_clustering.training_images=12")
        common = ("max_epochs=2", f"data.num_workers={workers}", *few)
        model, trace = tiny.build(cfg_of(images, *common, *changes)), Trace()
        rows = fit(model, trace, val=False, shuffle=True, limit_train_batches=1)
        return model.state_dict(), trace, rows

    state, trace, rows = trained()
    without, other, none = trained("online_clustering.enabled=False")
    assert (list(rows.epochs), none.epochs) == ([0, 1], {})
    assert all(torch.equal(state[name], value) for name, value in without.items())
    assert all(map(torch.equal, trace.states, other.states))
    assert all(trace.training) and len(trace.training) == 2
    for row in rows.epochs.values():
        assert set(row) == {*LABEL_FREE, "lidar", "seconds"}
        assert np.isfinite(list(row.values())).all()
        assert row["cluster_active"] == 10


def test_figures_are_those_of_the_images_in_the_folder(images: Path):
    cfg = cfg_of(images)
    model, heard = tiny.build(cfg), Heard()
    (row,) = fit(model, heard, val=False).epochs.values()
    x = features(model, plain_images(images))
    assert row["rankme"] == pytest.approx(float(rank_me(x)), rel=1e-4)
    each = torch.stack([features(model, views(cfg, images, i)) for i in range(18)])
    assert each.shape == (18, 10, 512)
    assert row["lidar"] == pytest.approx(float(lidar(each)), rel=1e-4)
    first, second = (F.normalize(features(model, crop), dim=1) for crop in heard.batch[1])
    distance = (first - second).pow(2).sum(1).mean()
    assert row["alignment"] == pytest.approx(float(distance), rel=1e-4)


def test_the_seed_chooses_some_of_many_images(images: Path):
    chosen = torch.randperm(18, generator=torch.Generator().manual_seed(SEED))
    some = ("training_images=7", "lidar_images=5", "unlabelled_clusters=3")
    cfg = cfg_of(images, *(f"online_clustering.{text}" for text in some))
    model = tiny.build(cfg)
    (row,) = fit(model, val=False).epochs.values()
    x = features(model, plain_images(images)[chosen[:7]])
    assert row["rankme"] == pytest.approx(float(rank_me(x)), rel=1e-4)
    assert row["cluster_active"] == 3
    each = torch.stack([features(model, views(cfg, images, int(i))) for i in chosen[:5]])
    assert row["lidar"] == pytest.approx(float(lidar(each)), rel=1e-4)


def test_with_labels(images: Path):
    """Validated runs have LiDAR if it is asked for; others have figures of training images."""
    labelled = ("data.no_labels=False", ON)
    short, six = {"limit_train_batches": 1}, "online_clustering.lidar_images=6"
    validated = fit(tiny.build(cfg_of(images, *labelled, six)), **short).epochs[0]
    assert {"nmi", "acc", "lidar", "lidar_seconds", *LABEL_FREE} <= set(validated)
    alone = fit(tiny.build(cfg_of(images, *labelled)), val=False, **short).epochs[0]
    assert set(alone) == {*LABEL_FREE, "seconds"}


def test_images_that_are_gone_are_said_once(images: Path):
    model = tiny.build(cfg_of(images, "max_epochs=2"))
    model.cfg.data.train_path = f"{images}/gone"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = fit(model, val=False, limit_train_batches=1)
    (text,) = [str(w.message) for w in said if "online_clustering" in str(w.message)]
    assert "no training images ([Errno 2] No such file or directory" in text
    assert rows.epochs == {}


def test_two_processes_share_the_images(images: Path):
    """Of an odd number one is left out; the features are in the order of the images."""
    model = tiny.build(cfg_of(images))
    monitor: Any = next(c for c in model.configure_callbacks() if isinstance(c, TrainingImages))
    monitor._open("")
    precision = SimpleNamespace(forward_context=nullcontext)
    own: list[torch.Tensor] = []
    expected = {}
    for number in (5, 4):
        order = torch.randperm(18, generator=torch.Generator().manual_seed(SEED))
        expected[number] = [int(i) for i in order[:number].sort().values[:4]]
    for number, wanted in expected.items():
        monitor.lidar_images = number
        own.clear()
        for gathered in (
            lambda x: own.append(x) or x.expand(2, *x.shape),
            lambda _: torch.stack(own),
        ):
            model.all_gather = gathered
            for rank in (0, 1):
                trainer = SimpleNamespace(
                    world_size=2, global_rank=rank, precision_plugin=precision
                )
                with evaluated(model.backbone):
                    found = monitor._views(trainer, model)
        each = torch.stack([features(model, views(model.cfg, images, i)) for i in wanted])
        assert len(own) == 2 and torch.allclose(found, each, atol=1e-5)


def test_small_crops_are_no_views():
    def crops(image: Image.Image) -> list[torch.Tensor]:
        return [torch.rand(3, size, size) for size in (32, 32, 16, 16)]

    found = _Augmented([(0, Image.new("RGB", (4, 4)), -1)] * 2, crops, SEED)
    assert found[0].shape == (10, 3, 32, 32)
    assert torch.equal(found[1], found[1]) and not torch.equal(found[0], found[1])
