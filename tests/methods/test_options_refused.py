"""Settings of RCL and Self-Classifier that are refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest
from configurations import FILL, unfilled
from omegaconf import OmegaConf
from support import refusal

from cueco_solo.methods.rcl_options import RCLOptions
from cueco_solo.methods.self_classifier_options import SelfClassifierOptions

DEPENDS = "the default depends on the other settings"
EACH_LEVEL = (
    "must have a number for each level above the first, 2 with method_kwargs.num_levels=3; add to "
    "it or lower num_levels"
)
THRESHOLDS = f"must be a number in [-1, 1], or a list of such; {DEPENDS}"
RISE = "must rise from the coarsest level to the finest; did you mean"
SC = "self_classifier"


def message(method: str, **overrides: Any) -> str:
    return refusal(FILL[method], unfilled(method, **overrides))


@pytest.mark.parametrize(
    ("method", "kwargs", "expected"),
    [
        ("rcl", {"num_levels": 5}, f"must be an integer in [1, 4]; {DEPENDS}"),
        (
            "rcl",
            {"num_predictors": 2},
            "must be 1, for all levels, or method_kwargs.num_levels=3, one for each; set it to 1 "
            "or 3",
        ),
        (
            "rcl",
            {"num_levels": 1, "num_predictors": 3},
            "must be 1, for all levels, or method_kwargs.num_levels=1, one for each; set it to 1",
        ),
        (
            "rcl",
            {"hierarchy": "none", "num_levels": 3},
            "must be 1 with method_kwargs.hierarchy=none; set it and "
            "method_kwargs.num_predictors to 1, or choose another hierarchy",
        ),
        (
            "rcl",
            {"hierarchy": "None"},
            "must be one of online, dbscan, kmeans, none; the default is 'online'",
        ),
        ("rcl", {"merge_threshold": 1.01}, THRESHOLDS),
        ("rcl", {"merge_threshold": [0.5, 1.01]}, THRESHOLDS),
        ("rcl", {"merge_threshold": [0.8, 0.7]}, f"{RISE} [0.7, 0.8]?"),
        ("rcl", {"merge_threshold": [0.7]}, EACH_LEVEL),
        ("rcl", {"dbscan_eps": [0.8]}, EACH_LEVEL),
        ("rcl", {"dbscan_eps": []}, EACH_LEVEL),
        ("rcl", {"dbscan_eps": [0.7, 0.8]}, f"{RISE.replace('rise', 'fall')} [0.8, 0.7]?"),
        (
            "rcl",
            {"dbscan_eps": [0.8, "a"]},
            "must be a list, each item a number in (0, 2]; the default is [0.8, 0.7, 0.6]",
        ),
        ("rcl", {"kmeans_clusters": [40, 20]}, f"{RISE} [20, 40]?"),
        ("rcl", {"kmeans_clusters": [40, 50_001]}, "must be at most the 50000 images"),
        (SC, {"preset": "v3"}, "must be one of v1, v2; the default is 'v1'"),
        (SC, {"head_size": 1}, f"must be an integer of at least 2; {DEPENDS}"),
        (SC, {"num_heads": 0}, "must be an integer of at least 1; the default is 30"),
        (SC, {"temperature": 0}, f"must be a number in [0.001, 1000]; {DEPENDS}"),
        (SC, {"column_temperature": 0.0}, f"must be a number in [0.001, 1000]; {DEPENDS}"),
        (
            SC,
            {"mlp_dims": [256, 0]},
            f"must be a list, each item an integer of at least 1; {DEPENDS}",
        ),
        (SC, {"normalize_rows": "yes"}, f"must be True or False; {DEPENDS}"),
        (SC, {"fixed_classifier": 1}, f"must be True or False; {DEPENDS}"),
        (SC, {"queue_size": -1}, "must be an integer of at least 0; the default is 0"),
    ],
)
def test_refused_options(method: str, kwargs: dict[str, Any], expected: str):
    """By the name and value of the last key."""
    key, value = list(kwargs.items())[-1]
    found = message(method, method_kwargs=kwargs)
    assert found == f"method_kwargs.{key}={value!r} {expected}"


@pytest.mark.parametrize(
    ("method", "kwargs"),
    [
        ("rcl", {}),
        ("rcl", {"num_levels": 1}),
        ("rcl", {"hierarchy": "none"}),
        (SC, {}),
        (SC, {"preset": "v2"}),
        (SC, {"mlp_dims": [], "temperature": 0.4}),
    ],
)
def test_a_second_pass_changes_nothing(method: str, kwargs: dict[str, Any]):
    """An evaluation reads what the training filled in."""
    cfg = FILL[method](unfilled(method, method_kwargs=kwargs))
    before = OmegaConf.to_container(cfg)
    assert OmegaConf.to_container(FILL[method](cfg)) == before
    options = {"rcl": RCLOptions, SC: SelfClassifierOptions}[method].read(cfg)
    assert options.model_dump() == before["method_kwargs"]


@pytest.mark.parametrize("given", [None, False])
@pytest.mark.parametrize(("method", "kwargs"), [("rcl", {}), (SC, {"queue_size": 64})])
def test_dali_must_give_the_indexes(method: str, kwargs: dict[str, Any], given: bool | None):
    dali = {} if given is None else {"dali__encode_indexes_into_labels": given}
    overrides = {"data__format": "dali", "method_kwargs": kwargs, **dali}
    assert message(method, **overrides) == (
        f"dali.encode_indexes_into_labels={given} must be True with data.format=dali, since "
        f"method={method} follows each image; add dali.encode_indexes_into_labels=True, in "
        "solo-learn's own programs with ++"
    )
    overrides["dali__encode_indexes_into_labels"] = True
    FILL[method](unfilled(method, **overrides))
    # without a queue nobody asks which image it is
    FILL[SC](unfilled(SC, data__format="dali", **dali))


@pytest.mark.parametrize(
    ("devices", "nodes", "batch"),
    [(1, 1, 8), ("1", 1, 8), ([0, 1, 2], 1, 24), ([0, 1], 4, 64), ("02", 1, 16)],
)
def test_rcls_queue_holds_a_batch_of_all_processes(devices: Any, nodes: int, batch: int):
    kwargs = {"method_kwargs__queue_size": batch - 1, "devices": devices, "num_nodes": nodes}
    assert message("rcl", **kwargs) == (
        f"method_kwargs.queue_size={batch - 1} must be at least {batch}, the batch size of all "
        "processes, to hold a whole step; raise it or lower optimizer.batch_size"
    )
    FILL["rcl"](unfilled("rcl", **{**kwargs, "method_kwargs__queue_size": batch}))


def test_images_that_cannot_be_counted(tmp_path: Path):
    gone = {"dataset": "custom", "data__train_path": str(tmp_path / "gone")}
    (tmp_path / "a class").mkdir()
    assert message("rcl", **{**gone, "data__train_path": str(tmp_path)}) == (
        f"data.train_path='{tmp_path}' can't be read to count its images (Found no valid file for "
        "the classes a class); correct it, or set method_kwargs.num_samples to their number"
    )
    cfg = FILL["rcl"](unfilled("rcl", **gone, method_kwargs__num_samples=100))
    assert cfg.method_kwargs.num_samples == 100
