"""What is filled in where settings of RCL and Self-Classifier are left out."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from configurations import filled, unfilled
from omegaconf import OmegaConf

from cueco_solo.methods.rcl_options import fill_rcl
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


def test_rcls_defaults_are_the_papers():
    cfg = fill_rcl(unfilled("rcl"))
    values = OmegaConf.to_container(cfg.method_kwargs)
    assert values == {
        "proj_hidden_dim": 2048,
        "proj_output_dim": 256,
        "pred_hidden_dim": 4096,
        "predictor": "mlp",
        "predictor_init": "random",
        "temperature": 0.1,
        "queue_size": 3 * 2**15,
        "num_samples": 50_000,
        "num_levels": 3,
        "num_predictors": 3,
        "hierarchy": "online",
        "hierarchy_warmup_epochs": 10,
        "dbscan_eps": [0.8, 0.7],
        "dbscan_min_samples": 4,
        "dbscan_max_samples": 50_000,
        "kmeans_clusters": [9756, 19513],
        "max_splits": 4,
        "merge_threshold": pytest.approx([1 - 0.8**2 / 2, 1 - 0.7**2 / 2]),
        "symmetric": True,
    }
    assert (cfg.momentum.base_tau, cfg.momentum.final_tau) == (0.99, 1.0)


def test_kmeans_clusters_are_the_papers_for_imagenet():
    found = filled("rcl", num_samples=1_281_167, num_levels=4)["kmeans_clusters"]
    assert found == [250_000, 500_000, 1_000_000]


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_lists_have_a_number_for_each_level_above_the_first(levels: int):
    given = {
        "dbscan_eps": [0.9, 0.5, 0.4, 0.3],
        "kmeans_clusters": [20, 20, 40],
        "merge_threshold": [0.1, 0.1, 0.2],
    }
    found = filled("rcl", num_levels=levels, **given)
    assert found["num_predictors"] == levels
    for key, values in given.items():
        assert found[key] == values[: levels - 1]


def test_one_threshold_goes_for_all_levels_and_none_follows_the_radii():
    assert filled("rcl", merge_threshold=0.5)["merge_threshold"] == [0.5, 0.5]
    found = filled("rcl", dbscan_eps=[2, 1.0], merge_threshold=None)["merge_threshold"]
    assert found == [-1.0, 0.5]


def test_without_a_hierarchy_there_is_one_level():
    found = filled("rcl", hierarchy="none")
    assert (found["num_levels"], found["num_predictors"], found["dbscan_eps"]) == (1, 1, [])
    assert filled("rcl", hierarchy="none", num_levels=1, num_predictors=1) == found


def test_images_are_counted(images: Path):
    cfg = unfilled("rcl", "custom", data__train_path=str(images / "train"))
    kwargs = fill_rcl(cfg).method_kwargs
    assert kwargs.num_samples == 18
    assert list(kwargs.kmeans_clusters) == [3, 7]


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
def test_self_classifiers_defaults(dataset: str, preset: str, expected: dict[str, Any]):
    """Sec. 7.2, and the authors' later code."""
    assert values(dataset, preset=preset) == expected


def test_self_classifiers_defaults_without_any_settings():
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
