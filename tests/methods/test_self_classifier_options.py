"""Self-Classifier's settings: what is refused, in which words, and what is filled in."""

import warnings
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from support import small_cfg

from cueco_solo.errors import ConfigError
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


def config(dataset: str = "cifar10", **overrides: Any) -> DictConfig:
    """Everything left out that may be."""
    cfg = small_cfg("self_classifier", data__dataset=dataset)
    cfg.pop("method_kwargs")
    for key, value in overrides.items():
        OmegaConf.update(cfg, key.replace("__", "."), value, force_add=True)
    return cfg


def filled(dataset: str = "cifar10", **kwargs: Any) -> dict[str, Any]:
    cfg = fill_self_classifier(config(dataset, method_kwargs=kwargs))
    return OmegaConf.to_container(cfg.method_kwargs)  # type: ignore[return-value]


def message(**overrides: Any) -> str:
    with pytest.raises(ConfigError) as error:
        fill_self_classifier(config(**overrides))
    return str(error.value)


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
    assert filled(dataset, preset=preset) == expected


def test_defaults_without_any_settings():
    cfg = fill_self_classifier(config())
    assert OmegaConf.to_container(cfg.method_kwargs) == CIFAR
    assert list(CIFAR) == list(SelfClassifierOptions.model_fields)


def test_columns_follow_the_rows_temperature_unless_given():
    assert filled(temperature=0.2)["column_temperature"] == 0.2
    assert filled(temperature=0.2, column_temperature=0.7)["column_temperature"] == 0.7
    assert filled(temperature=1)["column_temperature"] == 1.0
    assert filled(preset="v2", temperature=0.2)["column_temperature"] == 0.05


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
    found = filled(dataset, **kwargs)
    assert {key: found[key] for key in kwargs} == kwargs


@pytest.mark.parametrize("kwargs", [{}, {"preset": "v2"}, {"mlp_dims": [], "temperature": 0.4}])
def test_a_second_pass_changes_nothing(kwargs: dict[str, Any]):
    """An evaluation reads what the training filled in."""
    cfg = fill_self_classifier(config(method_kwargs=kwargs))
    before = OmegaConf.to_container(cfg)
    assert OmegaConf.to_container(fill_self_classifier(cfg)) == before


@pytest.fixture(autouse=True)
def collect_garbage() -> None:
    """Nothing is trained here, so nothing need be."""


DEPENDS = "the default depends on the other settings"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("preset", "v3", "must be one of v1, v2; the default is 'v1'"),
        ("head_size", 1, f"must be an integer of at least 2; {DEPENDS}"),
        ("num_heads", 0, "must be an integer of at least 1; the default is 30"),
        ("temperature", 0, f"must be a number above 0; {DEPENDS}"),
        ("column_temperature", 0.0, f"must be a number above 0; {DEPENDS}"),
        ("mlp_dims", [256, 0], f"must be a list, each item an integer of at least 1; {DEPENDS}"),
        ("normalize_rows", "yes", f"must be True or False; {DEPENDS}"),
        ("fixed_classifier", 1, f"must be True or False; {DEPENDS}"),
        ("queue_size", -1, "must be an integer of at least 0; the default is 0"),
    ],
)
def test_refused_options(key: str, value: Any, expected: str):
    assert message(method_kwargs={key: value}) == f"method_kwargs.{key}={value!r} {expected}"


@pytest.mark.parametrize("given", [None, False])
def test_dali_must_give_the_indexes_to_a_queue(given: bool | None):
    dali = {} if given is None else {"dali__encode_indexes_into_labels": given}
    queue = {"method_kwargs__queue_size": 64}
    assert message(data__format="dali", **dali, **queue) == (
        f"dali.encode_indexes_into_labels={given} must be True with data.format=dali, since "
        "method=self_classifier follows each image; add dali.encode_indexes_into_labels=True, in "
        "solo-learn's own programs with ++"
    )
    encoded = {"dali__encode_indexes_into_labels": True}
    fill_self_classifier(config(data__format="dali", **encoded, **queue))
    # without a queue nobody asks which image it is
    fill_self_classifier(config(data__format="dali", **dali))


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
