"""RCL's settings: what is filled in."""

from pathlib import Path

import pytest
from configurations import filled, unfilled
from omegaconf import OmegaConf

from cueco_solo.methods.rcl_options import fill_rcl


def test_defaults_are_the_papers():
    cfg = fill_rcl(unfilled("rcl"))
    values = OmegaConf.to_container(cfg.method_kwargs)
    assert values == {
        "proj_hidden_dim": 2048,
        "proj_output_dim": 256,
        "pred_hidden_dim": 4096,
        "temperature": 0.1,
        "queue_size": 3 * 2**15,
        "num_samples": 50_000,
        "num_levels": 3,
        "num_predictors": 3,
        "hierarchy": "online",
        "hierarchy_warmup_epochs": 10,
        "dbscan_eps": [0.8, 0.7],
        "dbscan_min_samples": 4,
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
