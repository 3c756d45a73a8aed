"""What all methods refuse: checkpoints of others, other numbers of crops, half precision."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cueco_models import cueco
from rcl_models import rcl
from self_classifier_models import self_classifier
from support import fit, small_cfg, views_loader

from cueco_solo.errors import ConfigError

METHODS = {"cueco": cueco, "rcl": rcl, "self_classifier": self_classifier}


@pytest.mark.parametrize(
    ("method", "key", "there", "here"),
    [
        (cueco, "num_clusters", 6, 4),
        (cueco, "queue_size", 48, 64),
        (cueco, "proj_output_dim", 8, 16),
        (cueco, "proj_hidden_dim", 24, 32),
        (cueco, "pred_hidden_dim", 24, 32),
        (rcl, "num_predictors", 3, 1),
        (rcl, "queue_size", 64, 48),
        (self_classifier, "num_heads", 3, 2),
        (self_classifier, "head_size", 5, 4),
        (self_classifier, "mlp_dims", [32, 24, 16], [32, 20, 16]),
        (self_classifier, "mlp_dims", [32, 16], [16]),
        (self_classifier, "mlp_dims", [], [16]),
    ],
)
def test_checkpoint_of_other_sizes(method: Callable, key: str, there: Any, here: Any):
    state = method(**{key: there}).state_dict()
    checkpoint = {"cueco_solo_method": method.__name__, "state_dict": state}
    text = f"method_kwargs.{key}={here} must be {there}, as when this checkpoint was trained"
    message = f"^{re.escape(text)}$"
    with pytest.raises(ConfigError, match=message):
        method(**{key: here}).on_load_checkpoint(checkpoint)
    method(**{key: there}).on_load_checkpoint(checkpoint)


@pytest.mark.parametrize("there", [True, False])
def test_checkpoint_of_classifiers_that_learn_or_do_not(there: bool):
    model = self_classifier(fixed_classifier=there)
    optimizer = torch.optim.SGD(model.learnable_params, lr=0.1)
    checkpoint = {
        "cueco_solo_method": "self_classifier",
        "state_dict": model.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
    }
    model.on_load_checkpoint(checkpoint)
    with pytest.raises(ConfigError, match=f"fixed_classifier={not there} must be {there}, as when"):
        self_classifier(fixed_classifier=not there).on_load_checkpoint(checkpoint)


@pytest.mark.parametrize("name", METHODS)
def test_checkpoint_of_another_method(name: str):
    model, refusal = METHODS[name](), f"^method={name} can't load this checkpoint, which is of "
    with pytest.raises(ConfigError, match=f"{refusal}method=another"):
        model.on_load_checkpoint({"cueco_solo_method": "another", "state_dict": {}})
    with pytest.raises(ConfigError, match=f"{refusal}another method"):
        model.on_load_checkpoint({"state_dict": {}})


@pytest.mark.parametrize(("large", "small"), [(1, 0), (1, 2), (2, 4), (3, 0)])
@pytest.mark.parametrize("name", METHODS)
def test_other_numbers_of_crops(name: str, large: int, small: int):
    cfg = small_cfg(name, data__num_large_crops=large, data__num_small_crops=small)
    if name != "cueco":
        cfg.method_kwargs = {"num_samples": 32} if name == "rcl" else {}
    method = type(METHODS[name]())
    if (name, large) == ("self_classifier", 2):
        method(cfg)
        return
    with pytest.raises(ConfigError, match=f"^augmentations='{large} large and {small} small crops"):
        method(cfg)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_throughout(name: str):
    with pytest.raises(ConfigError, match=r"^precision='bf16-true' would keep .*; use 16-mixed"):
        fit(METHODS[name](), loader=views_loader(), precision="bf16-true")
