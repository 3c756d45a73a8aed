"""A checkpoint of other sizes is refused by the key that decides them, in one line."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cueco_models import cueco
from rcl_models import rcl
from self_classifier_models import self_classifier

from cueco_solo.errors import ConfigError


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
    name = {cueco: "cueco", rcl: "rcl", self_classifier: "self_classifier"}[method]
    state = method(**{key: there}).state_dict()
    checkpoint = {"cueco_solo_method": name, "state_dict": state}
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
