"""CueCo's objective, network and errors."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from queue_models import clustered_cueco, cueco
from support import fit, refusal, small_cfg, unit, views_loader

from cueco_solo.errors import ConfigError
from cueco_solo.host import mocov2plus_loss_func
from cueco_solo.losses.cueco import centroid_contrastive, info_nce, variance_loss
from cueco_solo.methods.cueco import CueCo


def views():
    return (unit(8, 16), unit(8, 16)), (unit(8, 16), unit(8, 16))


def test_contrastive_part_is_moco_v2_plus():
    """With centroid and variance weights 0: solo-learn's own function on the same tensors."""
    model = clustered_cueco(centroid_weight=0, variance_weight=0)
    z, k = views()
    queue = model.queue.keys.transpose(1, 2)
    expected = (
        mocov2plus_loss_func(z[0], k[1], queue[1], 0.2)
        + mocov2plus_loss_func(z[1], k[0], queue[0], 0.2)
    ) / 2
    torch.testing.assert_close(model.weighted(model.losses(z, k)), expected)


# the rows of the paper's Table 3, and weights that a swap would show
@pytest.mark.parametrize(
    "weights", [(1, 0, 0), (1, 0.1, 0), (1, 0, 0.01), (1, 0.1, 0.01), (2, 3, 5)]
)
@pytest.mark.parametrize("symmetric", [True, False])
def test_wiring(weights, symmetric):
    """Each weight meets its loss; each query its own key, queue, temperature and clusters."""
    model = clustered_cueco(
        contrastive_weight=weights[0],
        centroid_weight=weights[1],
        variance_weight=weights[2],
        temperature=0.15,
        centroid_temperature=0.35,
        symmetric=symmetric,
    )
    z, k = views()
    c, v, queue = model.clusters.centroids, model.clusters.variances, model.queue.keys
    expected = torch.zeros(())
    for query, key in [(0, 1), (1, 0)] if symmetric else [(0, 1)]:
        own = (z[query] @ c.T).argmax(1)
        expected = expected + weights[0] * info_nce(z[query], k[key], queue[key], temperature=0.15)
        expected = expected + weights[1] * centroid_contrastive(z[query], c, own, temperature=0.35)
        expected = expected + weights[2] * variance_loss(z[query], c, v, own)
    expected = expected / (2 if symmetric else 1)
    torch.testing.assert_close(model.weighted(model.losses(z, k)), expected)


def test_soft_assignment_takes_its_targets_from_the_keys():
    model = clustered_cueco(assignment="soft", symmetric=False, centroid_temperature=0.3)
    z, k = views()
    c, v = model.clusters.centroids, model.clusters.variances
    targets = (k[1] @ c.T / 0.3).softmax(1)
    losses = model.losses(z, k)
    expected = centroid_contrastive(z[0], c, targets, temperature=0.3)
    torch.testing.assert_close(losses["centroid"], expected)
    torch.testing.assert_close(losses["variance"], variance_loss(z[0], c, v, targets))


def test_soft_targets_are_float32_under_autocast():
    model = clustered_cueco(assignment="soft")
    (z, _), (k, _) = views()
    outside = model._targets(z, k)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = model._targets(z, k)
    assert inside.dtype == torch.float32 and torch.equal(inside, outside)


def test_centroid_gradient_moves_the_centroids_with_the_queries():
    """The losses see Eq. 7's centroids of this batch's queries; the state stays untouched."""
    model = clustered_cueco(centroid_gradient=True, centroid_momentum=0.5, symmetric=False)
    still = clustered_cueco(centroid_momentum=0.5, symmetric=False)
    z, k = views()
    state, labels = model.clusters.centroids.clone(), model.clusters.nearest(torch.cat(z))
    moved = state.clone()
    for cluster in labels.unique():
        mean = torch.cat(z)[labels == cluster].mean(0)
        moved[cluster] = F.normalize(0.5 * state[cluster] + 0.5 * mean, dim=0)
    expected = centroid_contrastive(z[0], moved, model.clusters.nearest(z[0]), temperature=0.2)
    torch.testing.assert_close(model.losses(z, k)["centroid"], expected)
    assert torch.equal(model.clusters.centroids, state)

    # the second view is no query here: only through the moved centroids can it get gradient
    second = z[1].clone().requires_grad_()
    loss = model.losses((z[0], second), k)["centroid"]
    assert torch.autograd.grad(loss, second)[0].abs().sum() > 0
    loss = still.losses((z[0], second), k)["centroid"]
    assert not loss.requires_grad


def test_step_uses_the_state_of_its_start_then_updates_clusters_then_queue():
    model = clustered_cueco()
    fit(model, loader=views_loader(n=8), max_epochs=1, limit_train_batches=0)  # attach a trainer
    model.on_train_start()
    batch = next(iter(views_loader()))
    with torch.no_grad():
        z = [model(x)["z"] for x in batch[1]]
        k = [model.momentum_forward(x)["z"] for x in batch[1]]
    before = model.losses(z, k)
    class_losses = [F.cross_entropy(model(x)["logits"], batch[2]) for x in batch[1]]
    model.log_dict = lambda *_, **__: None
    loss = model.training_step([batch[0], batch[1], batch[2]], 0)
    torch.testing.assert_close(loss, model.weighted(before) + sum(class_losses) / 2)

    expected = clustered_cueco()
    expected.clusters.update(torch.cat(k), 1)
    torch.testing.assert_close(model.clusters.centroids, expected.clusters.centroids)
    torch.testing.assert_close(model.clusters.variances, expected.clusters.variances)
    untouched = clustered_cueco().queue.keys  # the backward pass needs it
    torch.testing.assert_close(model.queue.keys, untouched)
    loss.backward()
    model.on_train_batch_end(None, batch, 0)
    # the queue was full: the new keys replaced the oldest
    torch.testing.assert_close(model.queue.keys[:, :8], torch.stack(k))
    torch.testing.assert_close(model.queue.keys[:, 8:], expected.queue.keys[:, 8:])


@pytest.mark.parametrize("symmetric", [True, False])
def test_gradient_norms_are_those_of_each_query_alone(symmetric):
    """Naive: a query's own weighted loss, its gradient through the normalisation."""
    model = clustered_cueco(symmetric=symmetric, variance_weight=0.5)
    z, k = views()
    c, v, queue = model.clusters.centroids, model.clusters.variances, model.queue.keys
    norms = {"nce": [], "centroid": [], "variance": []}
    for query, key in [(0, 1), (1, 0)] if symmetric else [(0, 1)]:
        for own, positive in zip(z[query], k[key], strict=True):
            p = own.clone().requires_grad_()
            one = F.normalize(p, dim=0)[None]
            target = (one @ c.T).argmax(1)
            losses = {
                "nce": info_nce(one, positive[None], queue[key], temperature=0.2),
                "centroid": 0.1 * centroid_contrastive(one, c, target, temperature=0.2),
                "variance": 0.5 * variance_loss(one, c, v, target),
            }
            for name, loss in losses.items():
                norms[name].append(torch.autograd.grad(loss, p, retain_graph=True)[0].norm())
    with torch.no_grad():
        found = model.gradient_norms(z, k)
    assert found.keys() == {f"train_{name}_gradient" for name in norms}
    for name, each in norms.items():
        torch.testing.assert_close(found[f"train_{name}_gradient"], torch.stack(each).mean())


def test_sizes_and_momenta_reach_their_places():
    model = cueco(
        proj_hidden_dim=24,
        pred_hidden_dim=40,
        proj_output_dim=16,
        centroid_momentum=0.9,
        variance_momentum=0.8,
        proj_output_bn=False,
    )
    for projector in (model.projector, model.momentum_projector):
        assert [m.out_features for m in projector if hasattr(m, "out_features")] == [24, 16]
        assert len(projector) == 4
        assert len(cueco(proj_output_bn=True).projector) == 5
    assert [m.out_features for m in model.predictor if hasattr(m, "out_features")] == [40, 16]
    assert len(model.predictor) == 4  # no batch norm at its end
    assert (model.clusters.centroid_momentum, model.clusters.variance_momentum) == (0.9, 0.8)


def test_query_is_predicted_and_key_is_not():
    model = cueco().eval()
    x = torch.randn(4, 3, 32, 32)
    z, k = model(x)["z"], model.momentum_forward(x)["z"]
    torch.testing.assert_close(z.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(k.norm(dim=1), torch.ones(4))
    feats = model.backbone(x)
    torch.testing.assert_close(
        z, F.normalize(model.predictor(model.projector(feats)), dim=1), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(k, F.normalize(model.projector(feats), dim=1), rtol=1e-4, atol=1e-5)


def test_defaults_are_the_papers():
    cfg = small_cfg(method_kwargs={}, momentum={}, data__dataset="cifar100")
    kwargs = CueCo.add_and_assert_specific_cfg(cfg).method_kwargs
    sizes = (kwargs.proj_hidden_dim, kwargs.pred_hidden_dim, kwargs.proj_output_dim)
    assert sizes == (4096, 4096, 256)
    assert (kwargs.temperature, kwargs.centroid_temperature, kwargs.queue_size) == (0.2, 0.2, 16384)
    weights = (kwargs.contrastive_weight, kwargs.centroid_weight, kwargs.variance_weight)
    assert weights == (1, 0.1, 0.01)
    assert (kwargs.cluster_warmup_steps, kwargs.cluster_reset_steps) == (313, 1000)
    assert (cfg.momentum.base_tau, cfg.momentum.final_tau) == (0.996, 1.0)
    assert kwargs.num_clusters == 500


def test_more_clusters_than_the_queue_holds():
    with pytest.raises(ConfigError, match=r"num_clusters=65 must be at most .*queue_size=64; "):
        cueco(num_clusters=65)


def test_more_clusters_than_keys_at_the_first_kmeans():
    model = cueco(queue_size=1024, num_clusters=40, cluster_warmup_steps=2)
    assert re.search("num_clusters=40 must be at most 32, the keys .*step 2", refusal(fit, model))
    # five batches, four to a step: the second step has one batch
    model = cueco(queue_size=1024, num_clusters=81, cluster_warmup_steps=2)
    with pytest.raises(ConfigError, match=r"num_clusters=81 must be at most 80, the keys .*step 2"):
        fit(model, loader=views_loader(n=40), accumulate_grad_batches=4)
    model = cueco(clustering="offline", num_clusters=65)
    with pytest.raises(ConfigError, match=r"num_clusters=65 must be at most 64, the keys .*step 4"):
        fit(model)


def test_a_run_that_ends_before_its_clustering_starts_says_so():
    with pytest.warns(UserWarning, match="cluster_warmup_steps=500: this run ends after 4 steps"):
        fit(cueco(cluster_warmup_steps=500), max_epochs=1)
    with pytest.warns(UserWarning, match=r"ends after 8 steps, .* starts \(at step 8\)"):
        fit(cueco(clustering="offline", cluster_warmup_steps=5), max_epochs=2)
    with pytest.warns(UserWarning, match="and never moves its clusters; lower"):
        fit(cueco(before_clustering="frozen", cluster_warmup_steps=500), max_epochs=1)


def test_batch_larger_than_the_data():
    with pytest.raises(ConfigError, match=r"optimizer.batch_size=8 is larger than the training"):
        fit(cueco(), loader=views_loader(batch_size=64))


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"predictor": "none"}, set()),
        ({"predictor": "residual", "pred_output_bias": False}, {"0.weight", "3.weight"}),
        ({"pred_output_bn": True}, {"0.weight", "3.weight"}),
    ],
)
def test_predictors(options, keys):
    """Each trains, with the parameters that its options name in a group of their own."""
    model = cueco(**options)
    log = fit(model, max_epochs=1)
    assert all(math.isfinite(value) for step in log.steps for value in step.values())
    found = {name for name, p in model.predictor.named_parameters() if p.ndim > 1 or "3." in name}
    assert found == keys
    groups = {group["name"] for group in model.learnable_params}
    assert ("predictor" in groups) == bool(keys)


def test_an_identity_start_aligns_queries_with_keys():
    """At the start z is the projection, so a query is its own image's key."""
    options = {"predictor_init": "identity", "pred_hidden_dim": 64}
    similarity = {}
    for start in ("random", "identity"):
        model = cueco(**{**options, "predictor_init": start})
        batch = next(iter(views_loader(8)))
        with torch.no_grad():
            z, k = model(batch[1][0])["z"], model.momentum_forward(batch[1][0])["z"]
        similarity[start] = float((z * k).sum(1).mean())
    assert similarity["identity"] > 0.99 > similarity["random"] + 0.3


def test_targets_have_a_temperature_of_their_own():
    model = clustered_cueco(assignment="soft", assignment_temperature=0.05, symmetric=False)
    z, k = views()
    targets = (k[1] @ model.clusters.centroids.T / 0.05).softmax(1)
    expected = centroid_contrastive(z[0], model.clusters.centroids, targets, temperature=0.2)
    torch.testing.assert_close(model.losses(z, k)["centroid"], expected)
    assert cueco(centroid_temperature=0.3).options.assignment_temperature == 0.3


@pytest.mark.parametrize("start", ["random", "kmeans"])
def test_frozen_clusters_act_and_stand_still_until_the_warm_up_is_over(start):
    seen = []

    class Clusters(Callback):
        def on_train_batch_end(self, trainer, module, *_):
            named = "train_centroid_loss_step" in trainer.callback_metrics
            seen.append((named, module.clusters.centroids.clone()))

    model = cueco(before_clustering="frozen", frozen_start=start, cluster_warmup_steps=4)
    fit(model, Clusters(), max_epochs=2)
    # four keys for four clusters are there after the first batch
    assert [named for named, _ in seen[:4]] == [start == "random", True, True, True]
    # as each step leaves them, before what follows it
    assert torch.equal(seen[0][1], seen[1][1]) == (start == "random")
    assert torch.equal(seen[1][1], seen[3][1])
    assert not torch.equal(seen[3][1], seen[4][1])  # K-means after step 4
    assert not torch.equal(seen[4][1], seen[5][1])  # which move from then on


def test_too_few_finite_keys_are_an_error():
    model = cueco()
    with pytest.raises(ConfigError, match=r"optimizer.lr=0.05 has left 3 finite keys of 8 at step"):
        keys = unit(8, 16)
        keys[3:] = math.nan
        model._recluster(keys)
