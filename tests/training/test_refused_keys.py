"""Keys and values that were accepted, or ended in a traceback, are refused in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import tiny
from omegaconf import OmegaConf
from support import refusal, small_cfg

from cueco_solo.methods.cueco_options import fill_cueco
from cueco_solo.training.compose import compose_config
from cueco_solo.training.hardware import find_hardware
from cueco_solo.training.settings import check_linear_settings, check_rates, check_settings


def composed(*overrides: str) -> Any:
    given = ["data.train_path=x", "seed=5", "checkpoint.dir=runs"]
    return compose_config("cueco-custom", None, [*given, *overrides])


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            "augmentations.0.horizontal_flip.probability=1",
            "augmentations.0.horizontal_flip.probability=1 is not an option of this method",
        ),
        (
            "augmentations.1.rrc.crop_min=0.5",
            "did you mean augmentations.1.rrc.crop_min_scale?",
        ),
        ("augmentations.0.blur.prob=1", "augmentations.0.blur={'prob': 1} is not an option of an"),
        ("augmentations.0.color_jitter.hue=0.7", "augmentations.0.color_jitter.hue=0.7 must be a"),
        ("augmentations.0.grayscale=1", "augmentations.0.grayscale=1 must be a mapping"),
        ("augmentations.0.rrc.crop_max_scale=0.01", "must be at most crop_max_scale=0.01"),
        ("data.fraction=0", "data.fraction=0.0 must be a share above 0 and below 1; use -1"),
        ("data.fraction=-0.5", "data.fraction=-0.5 must be a share above 0"),
        ("optimizer.kwargs.eta=nan", "optimizer.kwargs.eta=nan must be a finite number"),
        ("backbone.kwargs.x=[1,inf]", "backbone.kwargs.x.1=inf must be a finite number"),
        ("method_kwargs.temperature=1e-30", "method_kwargs.temperature=1e-30 must be a number in"),
        ("scheduler.warmup_epochs=401", "must be at most max_epochs=400"),
        ("deterministic=foo", "deterministic='foo' must be True or False or warn"),
        ("checkpoint.dir=''", "checkpoint.dir='' is empty"),
        ("name=' '", "name=' ' is empty"),
        ("data.train_path=''", "data.train_path='' is empty"),
        ("data.num_workers=10000", "data.num_workers=10000 must be at most"),
        ("optimizer.lr=0", "optimizer.lr=0.0 trains nothing"),
        ("optimizer.batch_size=1", "optimizer.batch_size=1 must be an integer of at least 2"),
        ("enable_progress_bar=3", "enable_progress_bar=3 must be True or False"),
        ("gradient_clip_algorithm=x", "gradient_clip_algorithm='x' must be one of norm, value"),
        ("augmentations.0.mean=[1,2]", "augmentations.0.mean=[1, 2] must be a list of 3, each"),
        ("augmentations.1.std=[0,0,0]", "of 3, each item a number above 0"),
        ("augmentations.0.std=[-1,1,1]", "augmentations.0.std=[-1, 1, 1] must be a list of 3"),
        ("val_check_interval=0", "val_check_interval=0 must be a number above 0"),
        (
            "overfit_batches=1",
            "overfit_batches=1.0 must be 0: the seed determines the order of the loaders; use",
        ),
        ("optimizer.kwargs=foo", "optimizer.kwargs='foo' must be a mapping"),
        ("backbone.kwargs=[1]", "backbone.kwargs=[1] must be a mapping"),
        ("optimizer.kwargs.nesterov=maybe", "optimizer.kwargs.nesterov='maybe' must be True or"),
        ("optimizer.kwargs.momentum=abc", "optimizer.kwargs.momentum='abc' must be a number"),
        ("optimizer.layer_decay=foo", "optimizer.layer_decay='foo' must be a number of at least"),
        ("optimizer.layer_decay=0.75", "optimizer.layer_decay=0.75 is read by linear evaluations"),
        ("optimizer.layer_decay=-1", "optimizer.layer_decay=-1 must be a number of at least 0"),
        ("scheduler.lr_decay_steps=foo", "must be a list, each item an integer of at least 1"),
        ("scheduler.lr_decay_steps=[-1,a]", "scheduler.lr_decay_steps=[-1, 'a'] must be a list"),
        ("scheduler.name=step", "scheduler.lr_decay_steps=None is missing, but needed by sched"),
        ("auto_resume.max_hours=foo", "auto_resume.max_hours='foo' must be a number of at least"),
        ("dali.device=foo", "dali.device='foo' must be one of cpu, gpu"),
    ],
)
def test_a_pretraining(override: str, text: str):
    def check() -> None:
        check_settings(composed(override))

    assert text in refusal(check)


def test_what_is_at_the_limit_passes():
    most = max(64, 4 * (os.cpu_count() or 1))
    limits = ["scheduler.warmup_epochs=400", f"data.num_workers={most}", "data.fraction=0.01"]
    check_settings(composed(*limits, "deterministic=warn", "method_kwargs.temperature=0.001"))
    check_settings(composed("deterministic=True", "data.fraction=-1", "optimizer.batch_size=2"))
    check_settings(composed("val_check_interval=00:00:01:00", "augmentations.0.mean=[0,0.5,1]"))
    check_settings(composed("scheduler.name=step", "scheduler.lr_decay_steps=[1]"))
    check_settings(composed("optimizer.kwargs={nesterov: null, momentum: 0}", "overfit_batches=0"))
    check_settings(composed("method_kwargs.queue_size=???"))  # its default, as solo-learn has it


def test_the_methods_of_solo_learn_too():
    view = {"crop_size": 32, "num_crops": 1}
    more = {"checkpoint__dir": "runs", "data__num_workers": 0, "augmentations": [view, view]}
    cfg = small_cfg("simclr", **more, method_kwargs={"temperature": 1e-30})
    assert "method_kwargs.temperature=1e-30 must be a number in [0.001, 1000]" in refusal(
        check_settings, cfg
    )


def test_a_linear_evaluation():
    for override, text in (
        ("data.num_workers=10000", "data.num_workers=10000 must be at most"),
        ("scheduler.warmup_epochs=101", "must be at most max_epochs=100"),
        ("optimizer.lr=0", "optimizer.lr=0.0 trains nothing"),
        ("optimizer.kwargs.momentum=nan", "must be a finite number"),
        ("optimizer.kwargs=foo", "optimizer.kwargs='foo' must be a mapping"),
        ("scheduler.lr_decay_steps=foo", "scheduler.lr_decay_steps='foo' must be a list"),
        ("scheduler.name=step", "lr_decay_steps=None is missing, but"),
    ):
        paths = ["data.train_path=x", "data.val_path=y"]
        cfg = compose_config("linear-custom", None, [*paths, override], linear=True)
        assert text in refusal(check_linear_settings, cfg)


@pytest.mark.parametrize(
    ("scheduler", "batch", "text"),
    [
        ({"min_lr": 0.3}, 8, ""),  # above what a small batch makes of it
        ({"min_lr": 0.31}, 8, "scheduler.min_lr=0.31 must be at most 0.3, the learning rate"),
        ({"min_lr": 0.6}, 512, ""),
        ({"min_lr": 0.61}, 512, "scheduler.min_lr=0.61 must be at most 0.6, the learning rate"),
        ({"warmup_start_lr": 1e30}, 8, "scheduler.warmup_start_lr=1e+30 must be at most 0.3"),
        ({"warmup_start_lr": 1.0, "warmup_epochs": 0}, 8, ""),
        ({"min_lr": 5, "name": "none"}, 8, ""),
    ],
)
def test_rates_beside_that_of_all_devices(scheduler: dict[str, Any], batch: int, text: str):
    given = {"optimizer": {"lr": 0.3}, "scheduler": {"name": "warmup_cosine", **scheduler}}
    cfg = OmegaConf.create(given)
    if text:
        assert text in refusal(check_rates, cfg, batch)
    else:
        check_rates(cfg, batch)


def test_all_weights_of_cueco_zero():
    weights = [f"method_kwargs.{name}_weight" for name in ("contrastive", "centroid", "variance")]
    cfg = small_cfg()
    for key in weights:
        OmegaConf.update(cfg, key, 0)
    assert "nothing would be trained" in refusal(fill_cueco, cfg)
    OmegaConf.update(cfg, weights[1], 0.1)
    fill_cueco(cfg)


@pytest.mark.parametrize(("devices", "fine"), [([7], False), ("0,7", False), ([1, 0], True)])
def test_numbered_devices_of_a_cpu(devices: Any, fine: bool):
    cfg = OmegaConf.create({"accelerator": "cpu", "devices": devices})
    if fine:
        assert find_hardware(cfg).processes == 2
    else:
        assert "a CPU has processes only; give their number" in refusal(find_hardware, cfg)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["+backbone.kwargs.zero_init=True"], "unexpected keyword argument 'zero_init'"),
        (["data.fraction=1e-6"], "data.fraction=1e-06 leaves too few images"),
        (["method_kwargs.proj_hidden_dim=1000000000"], "can't be built from this configuration"),
        (
            ["backbone.kwargs.weights=foo"],
            "backbone.kwargs.weights='foo' aren't known; leave it out",
        ),
        (["backbone.kwargs.weights=DEFAULT"], "no network>); see that it can be downloaded, or"),
        (["scheduler.min_lr=5"], "scheduler.min_lr=5 must be at most 0.3, the learning rate"),
        (["~augmentations.0.solarization"], "augmentations.0.solarization=None is missing"),
    ],
)
@pytest.mark.parametrize("ours", [False, True])
def test_what_a_method_or_its_data_refuse(
    overrides: list[str],
    text: str,
    ours: bool,
    folder: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
):
    def offline(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny"]
    message = refused(*command, *(tiny.CUECO if ours else ()), *overrides)
    assert text in message
    assert not list(folder.glob("runs/*/*"))
