"""RCL's network and errors."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from queue_models import rcl
from support import Views, fit, refusal, views_loader
from torch import nn

from cueco_solo.errors import ConfigError


@pytest.mark.parametrize(("options", "predictors"), [({}, 3), ({"num_predictors": 1}, 1)])
def test_layers(options, predictors):
    """A projector of three layers that ends in a norm, predictors of two that don't."""
    model = rcl(proj_hidden_dim=24, pred_hidden_dim=40, **options)
    block = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    for projector in (model.projector, model.momentum_projector):
        assert [type(m) for m in projector] == [*block, *block, nn.Linear, nn.BatchNorm1d]
        assert [m.out_features for m in projector if isinstance(m, nn.Linear)] == [24, 24, 16]
        assert projector[-1].affine
    assert len(model.predictors) == predictors
    for predictor in model.predictors:
        assert [type(m) for m in predictor] == [*block, nn.Linear]
        assert [m.out_features for m in predictor if isinstance(m, nn.Linear)] == [40, 16]
    assert len({m[0].weight.sum().item() for m in model.predictors}) == predictors
    assert model.hierarchy.labels.shape == (3, 32) and model.hierarchy.bank.shape == (32, 16)
    assert model.queue.keys.shape == (2, 48, 16)


def test_query_is_predicted_by_each_predictor_and_key_by_none():
    model = rcl().eval()
    x = torch.randn(4, 3, 32, 32)
    out, k = model(x), model.momentum_forward(x)["z"]
    z = model.projector(model.backbone(x))
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(out["z"], z, **close)
    assert out["p"].shape == (3, 4, 16)
    for p, predictor in zip(out["p"], model.predictors, strict=True):
        torch.testing.assert_close(p, F.normalize(predictor(z), dim=1), **close)
    torch.testing.assert_close(k, F.normalize(z, dim=1), **close)
    assert not k.requires_grad


def test_settings_reach_the_hierarchy():
    """One merge threshold for each level from the coarsest down."""
    hierarchy = rcl(num_levels=4, max_splits=3, merge_threshold=[0.2, 0.3, 0.4]).hierarchy
    assert hierarchy.max_splits == 3
    assert hierarchy.merge_threshold == {4: 0.2, 3: 0.3, 2: 0.4}
    # by default the similarity at the radius
    thresholds = rcl(dbscan_eps=[1.0, 0.5]).hierarchy.merge_threshold
    assert thresholds == pytest.approx({3: 0.5, 2: 0.875})


def test_another_number_of_images_than_there_are():
    assert refusal(fit, rcl(num_samples=40)) == (
        "method_kwargs.num_samples=40 must be the number of training images, 32; set it to 32"
    )


@pytest.mark.parametrize(("shift", "span"), [(-1, "from -1 to 6"), (25, "from 25 to 32")])
def test_indexes_that_are_no_images(shift, span):
    class Shifted(Views):
        def __getitem__(self, i):
            index, views, label = super().__getitem__(i)
            return index + shift, views, label

    model = rcl()
    loader = torch.utils.data.DataLoader(Shifted(32), batch_size=8)
    with pytest.raises(
        ConfigError,
        match=rf"data.format=None gives sample indexes {span}, but method=rcl needs each image's "
        r"own, from 0 to 31; with DALI set dali.encode_indexes_into_labels=True",
    ):
        fit(model, loader=loader)


@pytest.mark.parametrize("options", [{}, {"hierarchy": "dbscan"}])
@pytest.mark.parametrize("limit", [{"max_epochs": 2}, {"max_epochs": -1, "max_steps": 4}])
def test_a_run_that_ends_before_its_clustering_starts_says_so(options, limit):
    model = rcl(hierarchy_warmup_epochs=2, num_samples=16, **options)
    with pytest.warns(UserWarning, match="hierarchy_warmup_epochs=2: this run ends after 2 epochs"):
        fit(model, loader=views_loader(n=16), **limit)


def test_a_clustering_that_finds_nothing_says_so():
    model = rcl(dbscan_eps=[0.02, 0.01], num_samples=8)
    with pytest.warns(UserWarning, match=r"dbscan_eps=\[0.02, 0.01\]: DBSCAN found no cluster"):
        fit(model, loader=views_loader(n=8), max_epochs=1)


@pytest.mark.parametrize(("options", "epochs"), [({}, 3), ({"hierarchy": "none"}, 1)])
def test_other_runs_do_not(options, epochs):
    model = rcl(hierarchy_warmup_epochs=2, num_samples=8, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, loader=views_loader(n=8), max_epochs=epochs)
    assert not any("this run ends" in str(warning.message) for warning in caught)


def test_checkpoint_of_another_number_of_images(tmp_path):
    model = rcl(num_samples=8)
    fit(model, loader=views_loader(n=8), max_epochs=1)
    model.trainer.save_checkpoint(tmp_path / "eight.ckpt")
    assert refusal(fit, rcl(), ckpt_path=tmp_path / "eight.ckpt") == (
        "method_kwargs.num_samples=32 images, but this checkpoint was trained with 8 and knows "
        "each by its index; resume with the same images, or start anew; the checkpoint is "
        f"{tmp_path / 'eight.ckpt'}"
    )


@pytest.mark.parametrize(
    ("state", "options", "levels"),
    [
        ({"hierarchy.labels": torch.zeros(2, 32)}, {}, "3 must be 2"),
        ({"hierarchy.labels": torch.zeros(3, 32)}, {"hierarchy": "none"}, "1 must be 3"),
        ({}, {}, "3 must be 1"),
    ],
)
def test_checkpoint_of_another_number_of_levels(state, options, levels):
    checkpoint = {"cueco_solo_method": "rcl", "state_dict": state}
    with pytest.raises(ConfigError, match=f"^method_kwargs.num_levels={levels}, as when this ch"):
        rcl(**options).on_load_checkpoint(checkpoint)
