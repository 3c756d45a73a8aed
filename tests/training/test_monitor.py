"""The online monitor: when it runs, what it leaves alone, what it says."""

import copy
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from host import tiny
from lightning.pytorch import Callback
from monitor_runs import IMAGES, ON, Rows, configuration, fit
from support import refusal

import cueco_solo
from cueco_solo.training import run_folder as runs
from cueco_solo.training.monitor.callback import OnlineClustering
from cueco_solo.training.monitor.settings import online_settings

OURS = {
    "cueco": {"num_clusters": 4, "cluster_warmup_steps": 2, "cluster_reset_steps": 2},
    "rcl": {"num_samples": 32, "hierarchy_warmup_epochs": 1},
}


class Random(Callback):
    """The state of the random numbers after each epoch, and the training losses."""

    def __init__(self) -> None:
        self.states: list[torch.Tensor] = []

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.states.append(torch.get_rng_state())


def trained(method: str, *changes: str) -> tuple[dict[str, torch.Tensor], list[torch.Tensor], Rows]:
    cueco_solo.register()
    cfg = configuration(method, "max_epochs=2", *changes)
    model, random = tiny.build(cfg), Random()
    rows = fit(model, random, shuffle=True, limit_train_batches=2, num_sanity_val_steps=2)
    return model.state_dict(), random.states, rows


@pytest.mark.parametrize("method", [*OURS, "simclr", "byol", "dino", "wmse"])
def test_training_is_the_same_to_the_bit(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kwargs = {m: {**tiny.HIDDEN, "queue_size": 16, **OURS[m]} for m in OURS}
    monkeypatch.setattr(tiny, "METHOD_KWARGS", {**tiny.METHOD_KWARGS, **kwargs})
    with_it, states, rows = trained(method, ON)
    without, other_states, none = trained(method)
    assert (len(rows.epochs), len(none.epochs)) == (2, 0)
    assert all(np.isfinite(list(row.values())).all() for row in rows.epochs.values())
    assert with_it.keys() == without.keys()
    for name, value in without.items():
        assert torch.equal(with_it[name], value), name
    assert all(map(torch.equal, states, other_states))


@pytest.mark.parametrize(
    ("every", "between", "epochs", "expected"),
    [
        (1, 1, 3, [1, 2, 3]),
        (2, 1, 5, [2, 4, 5]),
        (5, 2, 10, [6, 10]),  # validated after every second epoch
        (2, 5, 10, [5, 10]),
        (9, 1, 4, [4]),
        (3, None, 7, [3, 6, 7]),
    ],
)
def test_epochs(every: int, between: int | None, epochs: int, expected: list[int]) -> None:
    monitor = OnlineClustering(every, 100, 3)
    due = []
    for epoch in range(epochs):
        trainer: Any = SimpleNamespace(
            current_epoch=epoch, max_epochs=epochs, check_val_every_n_epoch=between
        )
        if (epoch + 1) % (between or 1) == 0 and monitor._due(trainer):
            due.append(epoch + 1)
    assert due == expected


def without_seconds(rows: Rows) -> dict[int, dict[str, float]]:
    return {
        epoch: {name: value for name, value in row.items() if name != "seconds"}
        for epoch, row in rows.epochs.items()
    }


def test_every_second_epoch_and_the_same_after_a_resumption(tmp_path: Path) -> None:
    cfg = configuration("simclr", "online_clustering.every_n_epochs=2", "max_epochs=5")
    short = {"limit_train_batches": 1}
    whole = fit(tiny.build(cfg), **short)
    assert list(whole.epochs) == [1, 3, 4]

    class Interrupt(Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "third.ckpt")
                trainer.should_stop = True

    first = fit(tiny.build(cfg), Interrupt(), **short)
    second = fit(tiny.build(cfg), ckpt_path=tmp_path / "third.ckpt", **short)
    assert list(first.epochs) == [1]
    assert {**without_seconds(first), **without_seconds(second)} == without_seconds(whole)


def test_validation_amid_an_epoch_has_no_views() -> None:
    rows = fit(tiny.build(configuration("simclr", ON)), val_check_interval=2, limit_train_batches=3)
    assert {"nmi", "seconds"} < set(rows.epochs[0])
    assert "alignment" not in rows.epochs[0]


class Altered(Callback):
    """Changes each validation batch, or what the backbone makes of it."""

    def __init__(self, features: Any = None, labels: Any = None) -> None:
        self.features, self.labels = features, labels

    def setup(self, trainer: Any, module: Any, stage: str) -> None:
        if self.features:
            module.backbone.register_forward_hook(
                lambda net, _, x: None if net.training else self.features(x)
            )

    def on_validation_batch_start(self, trainer: Any, module: Any, batch: Any, *_: Any) -> None:
        if self.labels:
            batch[1] = self.labels(batch[1])


@pytest.mark.parametrize(
    ("altered", "val", "reason"),
    [
        (Altered(features=lambda x: x * float("nan")), None, "aren't finite"),
        (Altered(labels=lambda y: y * 0 - 1), None, "0 labelled validation images of 0 classes"),
        (Altered(labels=lambda y: y * 0), None, f"{IMAGES} labelled validation images of 1 class"),
        (Altered(), False, "there are no validation images"),
        (Altered(), [], "there are no validation images"),
    ],
    ids=["NaN", "no labels", "one class", "no loader", "no batches"],
)
def test_what_cannot_be_scored_is_said_once(altered: Altered, val: Any, reason: str) -> None:
    model = tiny.build(configuration("simclr", ON, "max_epochs=2"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = fit(model, altered, val=val, limit_train_batches=1)
    said_of_us = [str(w.message) for w in said if "online_clustering" in str(w.message)]
    assert len(said_of_us) == 1 and reason in said_of_us[0]
    assert rows.epochs == {}


def test_an_error_leaves_no_hook() -> None:
    class Fails(Callback):
        def on_validation_batch_end(self, *_: Any) -> None:
            raise RuntimeError("disk full")

    model = tiny.build(configuration("simclr", ON))
    with pytest.raises(RuntimeError, match="disk full"):
        fit(model, Fails(), limit_train_batches=1)
    assert not model.backbone._forward_hooks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("every_n_epochs=0", "must be an integer of at least 1"),
        ("every_n_epochs=1.5", "must be an integer of at least 1"),
        ("enabled=maybe", "must be True or False"),
        ("max_images=2", "must be at least 3, the number of classes"),
        ("every_n_epoch=2", "did you mean online_clustering.every_n_epochs?"),
    ],
)
def test_a_wrong_section_is_an_error_before_the_first_step(change: str, message: str) -> None:
    model = tiny.build(configuration("simclr", f"online_clustering.{change}"))
    key, value = change.split("=")
    found = refusal(fit, model)
    assert found.startswith(f"online_clustering.{key}=") and value in found and message in found
    assert model.trainer.global_step == 0


@pytest.mark.parametrize("section", [None, {"enabled": False, "every_n_epochs": 2}])
def test_off(section: Any) -> None:
    cfg = configuration("simclr")
    cfg.online_clustering = section
    before = copy.deepcopy(cfg)
    assert online_settings(cfg) is None
    assert cfg == before


def test_it_is_no_part_of_a_runs_identity() -> None:
    cfg = configuration("simclr")
    assert runs.identity(cfg) == runs.identity(configuration("simclr", ON))
