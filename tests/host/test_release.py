"""What the release can't do as main does is refused, by name and with the remedy."""

from typing import Any

import pytest
from host import tiny

from cueco_solo import host
from cueco_solo.errors import ConfigError, HostError

pytestmark = pytest.mark.skipif(
    host.FORM != "release", reason="solo-learn main does all of this itself"
)
REMEDY = "; clone solo-learn's Git repository"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "isn't in") for name in ("all4one", "mae", "mocov3", "supcon", "vibcreg")),
        ("swav", "is computed differently by"),
        ("deepclusterv2", "trains on NaN from its first epoch in"),
    ],
)
def test_methods_that_differ_are_refused(name: str, reason: str) -> None:
    with pytest.raises(HostError, match=f"^method='{name}' {reason} solo-learn 1.0.2.*{REMEDY}"):
        host.method_class(name)
    assert name not in host.METHODS


@pytest.mark.parametrize("name", ["simclr", "dino", "mocov2plus"])
def test_small_crops_that_differ_are_refused(name: str) -> None:
    with pytest.raises(HostError, match=f"crop_size: method='{name}' .*{REMEDY}"):
        tiny.build(tiny.configuration(name, ("data.num_small_crops=2",)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("backbone.name=convnext_tiny", HostError, "^backbone.name='convnext_tiny' can't"),
        ("backbone.name=wide_resnet28w2", HostError, "^backbone.name='wide_resnet28w2' can't"),
        ("backbone.name=resnet19", ConfigError, "^backbone.name='resnet19' must be one of"),
        ("method_kwargs.pred_hidden_dim=null", ConfigError, "pred_hidden_dim=None must be set for"),
        ("method_kwargs.queue=3", ConfigError, "^method_kwargs.queue=3 is unknown; known: proj_"),
    ],
)
def test_settings_of_a_method_are_refused(change: str, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        tiny.build(tiny.configuration("byol", (change,)))


def test_layer_decay_is_refused() -> None:
    cfg = tiny.configuration("byol", ("optimizer.layer_decay=0.5",))
    with pytest.raises(HostError, match=f"^optimizer.layer_decay=0.5 can't .*{REMEDY}"):
        tiny.build_linear(cfg)


def test_other_data_formats_are_refused() -> None:
    message = f"^data.format='h5' can't be done with solo-learn 1.0.2{REMEDY}"
    with pytest.raises(HostError, match=message):
        host.pretrain_data.prepare_datasets("custom", None, ".", data_format="h5")
    with pytest.raises(HostError, match=message):
        host.classification_data.prepare_datasets("custom", None, None, data_format="h5")
