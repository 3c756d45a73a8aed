"""Settings that can't be used are refused in one line with key, value and what is allowed."""

from typing import Any

import pytest
from omegaconf import DictConfig
from support import refusal, small_cfg

from cueco_solo.training.settings import check_linear_settings, check_settings


def settings(**changes: Any) -> DictConfig:
    view = {"crop_size": 32, "num_crops": 1}
    given = {"checkpoint__dir": "runs", "data__num_workers": 0, "augmentations": [view, view]}
    return small_cfg("mocov2plus", **{**given, **changes})


def test_good_settings_pass():
    check_settings(settings())
    check_settings(settings(scheduler__warmup_epochs=0, checkpoint__frequency=5))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"max_epochs": 0}, "max_epochs=0 must be an integer of at least 1"),
        ({"max_epochs": "ten"}, "max_epochs='ten' must be an integer"),
        ({"max_epochs": None}, "max_epochs=None is missing"),
        ({"optimizer__lr": -0.1}, "optimizer.lr=-0.1 must be a number of at least 0"),
        ({"optimizer__batch_size": 8.5}, "optimizer.batch_size=8.5 must be an integer"),
        ({"optimizer__name": "adams"}, "optimizer.name='adams' must be one of sgd"),
        ({"scheduler__name": "cosine"}, "must be one of warmup_cosine"),
        ({"data__num_workers": -1}, "data.num_workers=-1"),
        ({"momentum__base_tau": 1.2}, "momentum.base_tau=1.2 must be a number in [0, 1]"),
        ({"momentum__final_tau": 0.5}, "must be at most momentum.final_tau=0.5"),
        ({"augmentations": []}, "must be a list of views"),
        ({"augmentations": [{"crop_size": 32, "num_crops": 3}]}, "a method needs 2"),
        ({"seed": -1}, "seed=-1"),
        ({"augmentations": [1]}, "must be a list of views"),
        ({"name": "a/b"}, "name='a/b' names files, so it can't have a /"),
        ({"name": 3}, "name=3 must be text"),
        ({"data__dataset": "mnist"}, "data.dataset='mnist' must be one of cifar10, cifar100"),
        ({"data__format": "zip"}, "data.format='zip' must be one of image_folder, dali, h5"),
        ({"data__fraction": "half"}, "data.fraction='half' must be a number"),
        ({"checkpoint__dir": None}, "checkpoint.dir=None is missing"),
        ({"checkpoint__enabled": "maybe"}, "checkpoint.enabled='maybe' must be True or False"),
        ({"num_nodes": "x"}, "num_nodes='x' must be an integer of at least 1"),
        ({"accumulate_grad_batches": 0}, "accumulate_grad_batches=0 must be an integer of at"),
        ({"limit_train_batches": 0}, "limit_train_batches=0 must be a number above 0"),
        ({"momentum__classifier": 3}, "momentum.classifier=3 must be True or False"),
        ({"scheduler__interval": "day"}, "scheduler.interval='day' must be one of step, epoch"),
        ({"data__superclasses": True}, "data.superclasses=True is for data.dataset=cifar100"),
        ({"auto_umap": {"enabled": True}}, "main_umap.py on the run folder"),
    ],
)
def test_settings_are_refused(changes: dict[str, Any], text: str):
    assert text in refusal(check_settings, settings(**changes))


def test_linear_evaluations_have_fewer_settings():
    cfg = settings()
    del cfg["checkpoint"], cfg["momentum"], cfg["augmentations"], cfg.optimizer["classifier_lr"]
    check_linear_settings(cfg)
    cfg.optimizer.lr = "abc"
    message = refusal(check_linear_settings, cfg)
    assert "optimizer.lr='abc' must be a number of at least 0" in message
