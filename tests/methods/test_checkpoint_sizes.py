"""A checkpoint of other sizes is refused by the key that decides them, in one line."""

from collections.abc import Callable

import pytest
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
    ],
)
def test_checkpoint_of_other_sizes(method: Callable, key: str, there: int, here: int):
    name = {cueco: "cueco", rcl: "rcl", self_classifier: "self_classifier"}[method]
    state = method(**{key: there}).state_dict()
    checkpoint = {"cueco_solo_method": name, "state_dict": state}
    message = f"^method_kwargs.{key}={here} must be {there}, as when this checkpoint was trained$"
    with pytest.raises(ConfigError, match=message):
        method(**{key: here}).on_load_checkpoint(checkpoint)
    method(**{key: there}).on_load_checkpoint(checkpoint)
