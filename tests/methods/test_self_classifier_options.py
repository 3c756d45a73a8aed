"""Self-Classifier's settings: what is filled in, and its warning."""

import warnings
from functools import partial
from typing import Any

import pytest
from configurations import filled, unfilled
from omegaconf import OmegaConf

from cueco_solo.methods.self_classifier_options import (
    SelfClassifierOptions,
    fill_self_classifier,
    warn_of_small_batch,
)

CIFAR = {
    "preset": "v1",
    "mlp_dims": [256, 256, 64],
    "num_heads": 30,
    "head_size": 30,
    "temperature": 0.3,
    "column_temperature": 0.3,
    "normalize_rows": True,
    "fixed_classifier": True,
    "queue_size": 0,
}
IMAGENET = {
    **CIFAR,
    "mlp_dims": [4096, 4096, 128],
    "head_size": 1000,
    "temperature": 0.1,
    "column_temperature": 0.1,
    "normalize_rows": False,
}
V2 = {
    "preset": "v2",
    "temperature": 0.1,
    "column_temperature": 0.05,
    "normalize_rows": True,
    "fixed_classifier": False,
}


values = partial(filled, "self_classifier")


@pytest.mark.parametrize(
    ("dataset", "preset", "expected"),
    [
        ("cifar10", "v1", CIFAR),
        ("cifar100", "v1", {**CIFAR, "head_size": 60}),
        ("imagenet", "v1", IMAGENET),
        ("imagenet100", "v1", IMAGENET),
        ("custom", "v1", IMAGENET),
        ("cifar10", "v2", {**CIFAR, **V2}),
        ("cifar100", "v2", {**CIFAR, **V2, "head_size": 60}),
        ("imagenet", "v2", {**IMAGENET, **V2}),
    ],
)
def test_defaults(dataset: str, preset: str, expected: dict[str, Any]):
    """Sec. 7.2, and the authors' later code."""
    assert values(dataset, preset=preset) == expected


def test_defaults_without_any_settings():
    cfg = fill_self_classifier(unfilled("self_classifier"))
    assert OmegaConf.to_container(cfg.method_kwargs) == CIFAR
    assert list(CIFAR) == list(SelfClassifierOptions.model_fields)


def test_columns_follow_the_rows_temperature_unless_given():
    assert values(temperature=0.2)["column_temperature"] == 0.2
    assert values(temperature=0.2, column_temperature=0.7)["column_temperature"] == 0.7
    assert values(temperature=1)["column_temperature"] == 1.0
    assert values(preset="v2", temperature=0.2)["column_temperature"] == 0.05


@pytest.mark.parametrize(
    "kwargs",
    [
        {"mlp_dims": []},
        {"mlp_dims": [7]},
        {"num_heads": 1, "head_size": 2},
        {"normalize_rows": False, "preset": "v2"},
        {"fixed_classifier": True, "preset": "v2"},
        {"queue_size": 262_144, "preset": "v2"},
        {"temperature": 0.001},
    ],
)
@pytest.mark.parametrize("dataset", ["cifar10", "imagenet"])
def test_what_is_given_stays(dataset: str, kwargs: dict[str, Any]):
    found = values(dataset, **kwargs)
    assert {key: found[key] for key in kwargs} == kwargs


def test_a_batch_smaller_than_the_classes_warns_with_the_numbers():
    with pytest.warns(UserWarning) as caught:
        warn_of_small_batch(512, 1000)
    assert [str(warning.message) for warning in caught] == [
        "optimizer.batch_size: a batch of all processes has 512 images for "
        "method_kwargs.head_size=1000 classes, so the softmax over samples gives most classes to "
        "images that have nothing to do with them; raise optimizer.batch_size or lower head_size"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_small_batch(1000, 1000)
