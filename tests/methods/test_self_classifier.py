"""Self-Classifier's network and errors."""

import re
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from self_classifier_models import self_classifier
from support import fit, views_loader
from torch import nn


def test_layers():
    """Two hidden layers with norm and leaky ReLU, a linear output, fixed classifiers."""
    model = self_classifier()
    block = [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU]
    assert [type(layer) for layer in model.projector] == [*block, *block, nn.Linear]
    linear = [layer for layer in model.projector if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [32, 24, 16]
    assert linear[0].in_features == 512
    assert model.classifiers.weight.shape == (3, 6, 16)
    assert not model.classifiers.weight.requires_grad
    assert model.queue is None and model.head_losses.tolist() == [0, 0, 0]


def test_without_mlp_the_features_are_classified():
    """Table 5."""
    model = self_classifier(mlp_dims=[]).eval()
    assert model.classifiers.weight.shape == (3, 6, 512)
    out = model(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(out["z"], F.normalize(out["feats"], dim=1))


def test_one_layer_is_linear():
    model = self_classifier(mlp_dims=[16])
    assert [type(layer) for layer in model.projector] == [nn.Linear]


def test_forward():
    model, x = self_classifier().eval(), torch.randn(4, 3, 32, 32)
    out = model(x)
    assert {"feats", "logits", "z"} <= set(out)
    assert out["logits"].shape == (4, 3) and out["z"].shape == (4, 16)
    torch.testing.assert_close(out["z"].norm(dim=1), torch.ones(4))
    z = F.normalize(model.projector(model.backbone(x)), dim=1)
    torch.testing.assert_close(out["z"], z, rtol=1e-4, atol=1e-5)
    small = model.multicrop_forward(x)
    torch.testing.assert_close(small["z"], out["z"])
    torch.testing.assert_close(small["feats"], out["feats"])


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ({}, ["projector"]),
        ({"mlp_dims": []}, []),
        ({"fixed_classifier": False}, ["projector", "classifiers"]),
        ({"fixed_classifier": False, "mlp_dims": []}, ["classifiers"]),
    ],
)
def test_learnable_params(options: dict[str, Any], own: list[str]):
    model = self_classifier(**options)
    groups = [(group.get("name"), list(group["params"])) for group in model.learnable_params]
    assert [name for name, _ in groups if name in ("projector", "classifiers")] == own
    assert all(params for _, params in groups)
    found = [id(p) for _, params in groups for p in params]
    assert sorted(found) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert (id(model.classifiers.weight) in found) == ("classifiers" in own)


def small_batch_warnings(head_size: int) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(self_classifier(head_size=head_size), loader=views_loader(n=16), max_epochs=2)
    return [str(w.message) for w in caught if "head_size" in str(w.message)]


def test_a_batch_smaller_than_the_classes_warns_once():
    (message,) = small_batch_warnings(9)
    assert re.match(
        r"optimizer.batch_size: a batch of all processes has 8 images for "
        r"method_kwargs.head_size=9 classes, so .*; raise optimizer.batch_size or lower head_size",
        message,
    )
    assert small_batch_warnings(8) == []
