"""RCL's settings: what is refused, in which words, and what is filled in."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from support import small_cfg

from cueco_solo.errors import ConfigError
from cueco_solo.methods.rcl_options import RCLOptions, fill_rcl


def config(**overrides: Any) -> DictConfig:
    """CIFAR-10, whose images needn't be counted, in batches of 8, all else left out."""
    cfg = small_cfg("rcl", data__dataset="cifar10")
    cfg.pop("method_kwargs")
    cfg.pop("momentum")
    for key, value in overrides.items():
        OmegaConf.update(cfg, key.replace("__", "."), value, force_add=True)
    return cfg


def filled(**kwargs: Any) -> dict[str, Any]:
    return OmegaConf.to_container(fill_rcl(config(method_kwargs=kwargs)).method_kwargs)  # type: ignore[return-value]


def message(**overrides: Any) -> str:
    with pytest.raises(ConfigError) as error:
        fill_rcl(config(**overrides))
    return str(error.value)


def test_defaults_are_the_papers():
    cfg = fill_rcl(config())
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
    found = filled(num_samples=1_281_167, num_levels=4)["kmeans_clusters"]
    assert found == [250_000, 500_000, 1_000_000]


@pytest.mark.parametrize("kwargs", [{}, {"num_levels": 1}, {"hierarchy": "none"}])
def test_a_second_pass_changes_nothing(kwargs: dict[str, Any]):
    """An evaluation reads what the training filled in."""
    cfg = fill_rcl(config(method_kwargs=kwargs))
    before = OmegaConf.to_container(cfg)
    assert OmegaConf.to_container(fill_rcl(cfg)) == before
    assert RCLOptions.read(cfg).model_dump() == before["method_kwargs"]


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_lists_have_a_number_for_each_level_above_the_first(levels: int):
    given = {
        "dbscan_eps": [0.9, 0.5, 0.4, 0.3],
        "kmeans_clusters": [20, 20, 40],
        "merge_threshold": [0.1, 0.1, 0.2],
    }
    found = filled(num_levels=levels, **given)
    assert found["num_predictors"] == levels
    for key, values in given.items():
        assert found[key] == values[: levels - 1]


def test_one_threshold_goes_for_all_levels_and_none_follows_the_radii():
    assert filled(merge_threshold=0.5)["merge_threshold"] == [0.5, 0.5]
    found = filled(dbscan_eps=[2, 1.0], merge_threshold=None)["merge_threshold"]
    assert found == [-1.0, 0.5]


def test_without_a_hierarchy_there_is_one_level():
    found = filled(hierarchy="none")
    assert (found["num_levels"], found["num_predictors"], found["dbscan_eps"]) == (1, 1, [])
    assert filled(hierarchy="none", num_levels=1, num_predictors=1) == found


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        (
            {"num_levels": 5},
            "num_levels=5 must be an integer in [1, 4]; the default depends on the other settings",
        ),
        (
            {"num_predictors": 2},
            "num_predictors=2 must be 1, for all levels, or method_kwargs.num_levels=3, one for "
            "each; set it to 1 or 3",
        ),
        (
            {"num_levels": 1, "num_predictors": 3},
            "num_predictors=3 must be 1, for all levels, or method_kwargs.num_levels=1, one for "
            "each; set it to 1",
        ),
        (
            {"hierarchy": "none", "num_levels": 3},
            "num_levels=3 must be 1 with method_kwargs.hierarchy=none; set it and "
            "method_kwargs.num_predictors to 1, or choose another hierarchy",
        ),
        (
            {"hierarchy": "None"},
            "hierarchy='None' must be one of online, dbscan, kmeans, none; the default is 'online'",
        ),
        (
            {"merge_threshold": 1.01},
            "merge_threshold=1.01 must be a number in [-1, 1], or a list of such; the default "
            "depends on the other settings",
        ),
        (
            {"merge_threshold": [0.5, 1.01]},
            "merge_threshold=[0.5, 1.01] must be a number in [-1, 1], or a list of such; the "
            "default depends on the other settings",
        ),
        (
            {"merge_threshold": [0.8, 0.7]},
            "merge_threshold=[0.8, 0.7] must rise from the coarsest level to the finest; did you "
            "mean [0.7, 0.8]?",
        ),
        (
            {"merge_threshold": [0.7]},
            "merge_threshold=[0.7] must have a number for each level above the first, 2 with "
            "method_kwargs.num_levels=3; add to it or lower num_levels",
        ),
        (
            {"dbscan_eps": [0.8]},
            "dbscan_eps=[0.8] must have a number for each level above the first, 2 with "
            "method_kwargs.num_levels=3; add to it or lower num_levels",
        ),
        (
            {"dbscan_eps": []},
            "dbscan_eps=[] must have a number for each level above the first, 2 with "
            "method_kwargs.num_levels=3; add to it or lower num_levels",
        ),
        (
            {"dbscan_eps": [0.7, 0.8]},
            "dbscan_eps=[0.7, 0.8] must fall from the coarsest level to the finest; did you mean "
            "[0.8, 0.7]?",
        ),
        (
            {"dbscan_eps": [0.8, "a"]},
            "dbscan_eps=[0.8, 'a'] must be a list, each item a number in (0, 2]; the default is "
            "[0.8, 0.7, 0.6]",
        ),
        (
            {"kmeans_clusters": [40, 20]},
            "kmeans_clusters=[40, 20] must rise from the coarsest level to the finest; did you "
            "mean [20, 40]?",
        ),
        (
            {"kmeans_clusters": [40, 50_001]},
            "kmeans_clusters=[40, 50001] must be at most the 50000 images",
        ),
    ],
)
def test_refused_options(kwargs: dict[str, Any], expected: str):
    assert message(method_kwargs=kwargs) == f"method_kwargs.{expected}"


@pytest.mark.parametrize(
    ("devices", "nodes", "batch"),
    [(1, 1, 8), ("1", 1, 8), ([0, 1, 2], 1, 24), ([0, 1], 4, 64), ("02", 1, 16)],
)
def test_the_queue_holds_a_batch_of_all_processes(devices: Any, nodes: int, batch: int):
    kwargs = {"method_kwargs__queue_size": batch - 1, "devices": devices, "num_nodes": nodes}
    assert message(**kwargs) == (
        f"method_kwargs.queue_size={batch - 1} must be at least {batch}, the batch size of all "
        "processes, to hold a whole step; raise it or lower optimizer.batch_size"
    )
    fill_rcl(config(**{**kwargs, "method_kwargs__queue_size": batch}))


@pytest.mark.parametrize("given", [None, False])
def test_dali_must_give_the_indexes(given: bool | None):
    dali = {} if given is None else {"dali__encode_indexes_into_labels": given}
    assert message(data__format="dali", **dali) == (
        f"dali.encode_indexes_into_labels={given} must be True with data.format=dali, since "
        "method=rcl follows each image; add dali.encode_indexes_into_labels=True, in solo-learn's "
        "own programs with ++"
    )
    fill_rcl(config(data__format="dali", dali__encode_indexes_into_labels=True))


def test_images_that_cannot_be_counted(tmp_path: Path):
    gone = {"data__dataset": "custom", "data__train_path": str(tmp_path / "gone")}
    found = message(**gone)
    assert found.startswith(
        f"data.train_path='{tmp_path}/gone' can't be read to count its images ("
    )
    assert found.endswith(
        "No such file or directory: "
        f"'{tmp_path}/gone'); correct it, or set method_kwargs.num_samples"
    )
    (tmp_path / "a class").mkdir()
    assert message(**{**gone, "data__train_path": str(tmp_path)}) == (
        f"data.train_path='{tmp_path}' can't be read to count its images (Found no valid file for "
        "the classes a class); correct it, or set method_kwargs.num_samples"
    )
    cfg = fill_rcl(config(**gone, method_kwargs__num_samples=100))
    assert cfg.method_kwargs.num_samples == 100


def test_images_are_counted(images: Path):
    cfg = config(data__dataset="custom", data__train_path=str(images / "train"))
    kwargs = fill_rcl(cfg).method_kwargs
    assert kwargs.num_samples == 18
    assert list(kwargs.kmeans_clusters) == [3, 7]


def test_the_ema_may_not_fall():
    assert message(momentum={"base_tau": 0.9, "final_tau": 0.5}) == (
        "momentum.base_tau=0.9 must be at most momentum.final_tau=0.5; "
        "lower base_tau or raise final_tau"
    )
