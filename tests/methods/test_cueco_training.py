"""CueCo's life cycle, reproducibility and resume, on tiny real trainings."""

import pytest
import torch
from lightning.pytorch import Callback
from queue_models import clustered_cueco, cueco
from support import fit, small_cfg, views_loader

from cueco_solo.host import BaseMomentumMethod, Checkpointer


def test_schedule_with_the_papers_numbers(monkeypatch):
    """K-means at 313 and every 1000 steps after, counted in optimisation steps."""
    model, seen = cueco(cluster_warmup_steps=313, cluster_reset_steps=1000), []
    monkeypatch.setattr(BaseMomentumMethod, "on_train_batch_end", lambda self, *_: None)
    monkeypatch.setattr(model, "_recluster", lambda k: seen.append(int(model.step)))
    for batch in range(2 * 2400):  # two batches a step: gradients are accumulated
        model.last_step, global_step = batch // 2, (batch + 1) // 2
        model._trainer = type("Trainer", (), {"global_step": global_step})()
        model.on_train_batch_end(None, None, batch)
    assert seen == [313, 1313, 2313]
    assert int(model.step) == 2400


class States(Callback):
    """Copies of the clusters' buffers after every step."""

    def __init__(self):
        self.states = []

    def on_train_batch_start(self, trainer, module, *_):
        if not self.states:
            self.save(module)

    def on_train_batch_end(self, trainer, module, *_):
        # Lightning calls this before the module's own hook, so a reset shows one step later
        self.save(module)

    def save(self, module):
        self.states.append({name: b.clone() for name, b in module.clusters.named_buffers()})


def test_frozen_then_reset_then_moving():
    states = States()
    log = fit(cueco(cluster_warmup_steps=3, cluster_reset_steps=5), states, max_epochs=3)
    runs = [int(s["runs"]) for s in states.states]
    # states[i] is after i steps, before the K-means that step i may bring
    assert runs == [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    for a, b in zip(states.states[:3], states.states[1:4], strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)
    for a, b in zip(states.states[4:8], states.states[5:9], strict=True):
        assert not torch.equal(a["centroids"], b["centroids"])
        # momentum grouping turns a centroid by little, K-means starts anew
        assert (a["centroids"] * b["centroids"]).sum(1).min() > 0.99
    names = [set(step) for step in log.steps]
    cluster_losses = {"train_centroid_loss_step", "train_variance_loss_step"}
    assert not any(cluster_losses & step for step in names[:3])
    assert all(cluster_losses <= step for step in names[3:])


def test_reset_moves_nothing_but_the_clusters():
    model = clustered_cueco()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    model._recluster(model.queue.filled().flatten(0, 1)[:32])
    assert torch.equal(torch.get_rng_state(), random)
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert changed and all(name.startswith("clusters.") for name in changed)


@pytest.mark.parametrize("warm", [True, False])
def test_a_warm_reset_starts_from_the_living_centroids(warm: bool):
    model = clustered_cueco(warm_reset=warm)
    keys = model.queue.filled().flatten(0, 1)[:32]
    model._recluster(keys)
    first = model.clusters.centroids.clone()
    model._step += 1  # another seed
    model._recluster(keys)
    assert torch.allclose(model.clusters.centroids, first, atol=1e-5) == warm
    assert int(model.clusters.runs) == model._runs


def test_offline_clusters_are_static_within_an_epoch():
    states = States()
    model = cueco(clustering="offline", cluster_warmup_steps=2)
    fit(model, states, max_epochs=3)
    runs = [int(s["runs"]) for s in states.states]
    assert runs == [0] * 5 + [1] * 4 + [2] * 4  # four steps an epoch, none in the first
    assert int(model.clusters.runs) == 3
    for first, last in ((5, 8), (9, 12)):
        a, b = states.states[first], states.states[last]
        assert all(torch.equal(a[name], b[name]) for name in ("centroids", "variances"))
        assert not torch.equal(a["usage"], b["usage"])


def test_offline_clusters_the_whole_training_set_without_touching_the_network():
    model = cueco(clustering="offline")
    fit(model, max_epochs=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    keys = torch.cat([k.flatten(0, 1) for _, k in model.training_keys()])
    assert keys.shape == (2 * 32, 16)  # both views of every image
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(64))
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_trains_with_every_option_at_once(precision):
    model = cueco(assignment="soft", centroid_gradient=True, symmetric=False, proj_output_bn=False)
    log = fit(model, precision=precision, max_epochs=1)
    assert log.finite()
    assert all(
        b.dtype in (torch.float32, torch.int64)
        for part in (model.queue, model.clusters)
        for b in part.buffers()
    )


def test_more_clusters_than_samples_in_a_batch_stays_finite():
    log = fit(cueco(num_clusters=48, cluster_warmup_steps=4), max_epochs=3)
    variance = [s["train_variance_loss_step"] for s in log.steps if "train_variance_loss_step" in s]
    assert len(variance) == 8 and max(variance) < 50


@pytest.mark.parametrize(
    ("kwargs", "accumulate", "workers"), [({}, 1, 0), ({}, 2, 0), ({"clustering": "offline"}, 1, 1)]
)
def test_resume_continues_with_the_same_losses(tmp_path, kwargs, accumulate, workers):
    def run(**trainer):
        checkpointer = Checkpointer(small_cfg(), logdir=tmp_path, frequency=1, keep_prev=True)
        options = {"accumulate_grad_batches": accumulate, "max_epochs": 3, **trainer}
        # a pass over the data must not disturb the epoch's own, whose workers it may share
        loader = views_loader(num_workers=workers, persistent_workers=workers > 0)
        return fit(cueco(**kwargs), checkpointer, loader=loader, **options).steps

    whole = run()
    (checkpoint,) = tmp_path.rglob("*ep=0.ckpt")
    saved = torch.load(checkpoint, weights_only=True)
    assert int(saved["state_dict"]["step"]) == 4 // accumulate
    resumed = run(ckpt_path=checkpoint)
    assert len(whole) == 12 and resumed == whole[4:]
