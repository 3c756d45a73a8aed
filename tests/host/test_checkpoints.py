"""Checkpoints: loadable without pickle, resumable, and the same on both forms."""

import json
import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from host import tiny
from omegaconf import DictConfig, OmegaConf
from support import python

from cueco_solo import host

# a constant EMA: solo-learn restarts its schedule at a resume
STEADY = ("momentum.base_tau=0.9", "momentum.final_tau=0.9", "max_epochs=2")


class StopAfterFirstEpoch(pl.Callback):
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.should_stop = True


def train(
    cfg: DictConfig, folder: Path, *callbacks: pl.Callback, keep_prev: bool = False, **fit: Any
) -> tiny.Record:
    """Train with solo-learn's Checkpointer and say what happened."""
    record = tiny.Record()
    checkpointer = host.Checkpointer(cfg, logdir=folder, frequency=1, keep_prev=keep_prev)
    trainer = tiny.trainer(cfg, record, checkpointer, *callbacks)
    trainer.fit(tiny.build(cfg), *tiny.loaders(cfg), **fit)
    return record


def only_checkpoint(folder: Path) -> Path:
    (found,) = folder.rglob("*.ckpt")
    return found


@pytest.mark.parametrize("method", ["toy", "simsiam", "dino"])
def test_a_checkpoint_holds_no_pickled_objects(method: str, tmp_path: Path) -> None:
    cfg = tiny.configuration(method)
    train(cfg, tmp_path)
    path = only_checkpoint(tmp_path)
    assert path.name.startswith("tiny-")
    assert path.name.endswith("-ep=0.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["global_step"] == tiny.STEPS
    args = json.loads((path.parent / "args.json").read_text())
    assert args["method"] == method
    assert args["wandb_run_id"] is None
    # as solo-learn's main_knn.py does it
    model = (tiny.ToyCo if method == "toy" else host.method_class(method)).load_from_checkpoint(
        path, strict=True, cfg=OmegaConf.create(args)
    )
    for key, value in model.state_dict().items():
        assert torch.equal(value, checkpoint["state_dict"][key]), key


@pytest.mark.parametrize("method", ["toy", "simsiam"])
def test_resuming_goes_on_with_the_same_losses_and_rates(method: str, tmp_path: Path) -> None:
    """Both have a group with static_lr, which stands in the schedule's state."""
    cfg = tiny.configuration(method, STEADY)
    whole = train(cfg.copy(), tmp_path / "whole")
    part = train(cfg.copy(), tmp_path / "part", StopAfterFirstEpoch())
    path = only_checkpoint(tmp_path / "part")
    rest = train(cfg.copy(), tmp_path / "rest", ckpt_path=path)
    assert len(part.losses) == len(rest.losses) == tiny.STEPS
    assert rest.losses == whole.losses[tiny.STEPS :]
    assert rest.rates == whole.rates[tiny.STEPS :]


def test_the_checkpoint_before_is_removed_unless_kept(tmp_path: Path) -> None:
    cfg = tiny.configuration("toy", ("max_epochs=2",))
    train(cfg, tmp_path / "last")
    assert only_checkpoint(tmp_path / "last").name.endswith("-ep=1.ckpt")
    train(cfg, tmp_path / "all", keep_prev=True)
    names = sorted(path.name[-9:] for path in (tmp_path / "all").rglob("*.ckpt"))
    assert names == ["ep=0.ckpt", "ep=1.ckpt"]


@pytest.mark.parametrize("name", ["{a}", "{}", "a{"])
def test_braces_in_a_name_are_braces(name: str, tmp_path: Path) -> None:
    train(tiny.configuration("toy", (f"name='{name}'",)), tmp_path)
    path = only_checkpoint(tmp_path)
    assert path.name == f"{name}-{path.parent.name}-ep=0.ckpt"


def test_checkpointer_fills_in_its_configuration() -> None:
    cfg = host.Checkpointer.add_and_assert_specific_cfg(OmegaConf.create({"name": "x"}))
    assert cfg.checkpoint == {
        "enabled": False,
        "dir": "trained_models",
        "frequency": 1,
        "keep_prev": False,
    }


def in_the_other_form(*args: object) -> str:
    """What a process prints in which the other form of solo-learn is found first."""
    checkout = os.environ.get("SOLO_LEARN_MAIN")
    if not checkout:
        pytest.skip("SOLO_LEARN_MAIN names no checkout of solo-learn to compare with")
    tests = str(Path(__file__).parents[1])
    path = [checkout, tests] if host.FORM == "release" else [tests]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    process = python(*args, env=env, timeout=600)
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout


LOAD_STRICTLY = """
import sys, torch
from host import tiny
model = tiny.build(tiny.configuration(sys.argv[1]))
model.load_state_dict(torch.load(sys.argv[2], weights_only=True)["state_dict"], strict=True)
from cueco_solo import host
print(host.FORM)
"""


@pytest.mark.parametrize("method", ["toy", "mocov2plus", "dino"])
def test_the_other_form_loads_a_checkpoint_strictly(method: str, tmp_path: Path) -> None:
    train(tiny.configuration(method), tmp_path)
    in_the_other_form("-c", LOAD_STRICTLY, method, only_checkpoint(tmp_path))
