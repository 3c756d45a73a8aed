"""RCL's life cycle, what it logs, reproducibility and resume, on tiny real trainings."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from queue_models import rcl, rcl_cfg
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from support import Views, fit, views_loader

from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.host import Checkpointer
from cueco_solo.methods import rcl as module
from cueco_solo.methods.rcl import RCL


class States(Callback):
    """After every step, and before the first, copies of the hierarchy's buffers and the metrics."""

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []
        self.metrics: list[dict[str, float]] = []
        self.seeds: list[int] = []

    def on_train_start(self, trainer: Any, module: RCL) -> None:
        refine = module.hierarchy.refine

        def recording(samples: torch.Tensor, *, seed: int) -> Any:
            self.seeds.append(seed)
            return refine(samples, seed=seed)

        module.hierarchy.refine = recording
        self.save(module)

    def on_train_batch_end(self, trainer: Any, module: RCL, *_: Any) -> None:
        # Lightning calls this before the module's own hook: a clustering shows one step later
        self.save(module)
        self.metrics.append({n: float(v) for n, v in trainer.callback_metrics.items()})

    def save(self, module: RCL) -> None:
        self.states.append({n: b.clone() for n, b in module.hierarchy.named_buffers()})


class Forget(Callback):
    """Makes one cluster of each level above the first before a step: what comes then shows.

    Without it, clusters that are right may stay as they are."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, module: RCL, *_: Any) -> None:
        if trainer.global_step == self.step:
            module.hierarchy.labels[1:].zero_()


def small(**options: Any) -> RCL:
    """A model of 16 images, which make two steps an epoch and need wider radii."""
    return rcl(**{"num_samples": 16, "dbscan_eps": [1.2, 1.0, 0.8], **options})


def test_online_clusters_once_and_then_refines_every_step():
    states, model = States(), small(hierarchy_warmup_epochs=2)
    fit(model, states, loader=views_loader(n=16), max_epochs=4)
    assert [int(s["runs"]) for s in states.states] == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert [int(s["steps"]) for s in states.states] == [0, 0, 0, 0, 0, 1, 2, 3, 4]
    assert states.seeds == [6, 7, 8, 9]  # the run's is 5
    alone = torch.arange(16).expand(3, -1)
    assert all(torch.equal(s["labels"], alone) for s in states.states[:5])
    assert not torch.equal(states.states[5]["labels"], alone)
    assert int(model.hierarchy.runs) == 1
    # the bank is filled from the first step on, by each batch's samples
    known = [(s["bank"] != 0).any(1).sum().item() for s in states.states]
    assert known[:4] == [0, 8, 16, 16]
    moved = (states.states[3]["bank"] != states.states[4]["bank"]).any(1)
    assert moved.tolist() == [False] * 8 + [True] * 8


@pytest.mark.parametrize("hierarchy", ["dbscan", "kmeans"])
def test_offline_clusters_before_each_epoch(hierarchy):
    states, model = States(), small(hierarchy=hierarchy, hierarchy_warmup_epochs=2)
    fit(model, Forget(step=5), states, loader=views_loader(n=16), max_epochs=4)
    assert [int(s["runs"]) for s in states.states] == [0, 0, 0, 0, 0, 1, 1, 2, 2]
    assert not states.seeds and int(model.hierarchy.steps) == 0
    labels = [s["labels"] for s in states.states]
    assert not torch.equal(labels[5], labels[4])
    assert not labels[6][1:].any() and labels[7][1:].any()  # forgotten, then clustered again
    assert torch.equal(labels[8], labels[7])


def test_the_images_that_dbscan_compares_are_an_option(monkeypatch):
    limits = []
    monkeypatch.setattr(
        module, "dbscan", lambda *a, max_samples, **k: limits.append(max_samples) or dbscan(*a, **k)
    )
    for limit in (20, None):
        fit(rcl(dbscan_max_samples=limit), max_epochs=1)
    assert limits == [20, None]


def test_clustering_sees_every_image_and_changes_the_hierarchy_alone():
    model = rcl(hierarchy="dbscan")
    # a loader draws a seed for its workers
    fit(model, loader=views_loader(generator=torch.Generator()), max_epochs=1)
    for name in ("bank", "labels"):
        getattr(model.hierarchy, name).zero_()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    model._recluster(model.hierarchy)
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"hierarchy.bank", "hierarchy.labels", "hierarchy.runs"}
    assert torch.equal(torch.get_rng_state(), random)
    keys = []
    for _, X, _ in views_loader():
        keys.append(F.normalize(sum(model.momentum_forward(x)["z"] for x in X), dim=1))
    torch.testing.assert_close(model.hierarchy.bank.float(), torch.cat(keys), atol=1e-3, rtol=0)

    # the widest radius makes the coarsest level, the others are cut by those above
    bank = F.normalize(model.hierarchy.bank.double(), dim=1).numpy()
    above = torch.zeros(32, dtype=torch.long)
    for level, eps in ((3, 0.9), (2, 0.7)):
        found = torch.tensor(DBSCAN(eps=eps, min_samples=2).fit(bank).labels_).long()
        found = torch.where(found < 0, 100 + torch.arange(32), found)
        above = above * 1000 + found
        labels = model.hierarchy.labels[level - 1]
        assert 1 < len(labels.unique()) < 32
        assert adjusted_rand_score(above, labels) == 1


def test_kmeans_makes_the_numbers_of_clusters_that_are_set():
    model = rcl(hierarchy="kmeans", kmeans_clusters=[3, 8, 16], num_levels=4)
    fit(model, max_epochs=1)
    numbers = [len(labels.unique()) for labels in model.hierarchy.labels.flip(0)]
    assert numbers[0] == 3
    # finer levels are cut by coarser ones, which only adds clusters
    assert 8 <= numbers[1] <= 16 <= numbers[2] < 32 == numbers[3]


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("hierarchy", ["online", "dbscan", "kmeans", "none"])
def test_trains_with_every_hierarchy(hierarchy, precision):
    model = small(hierarchy=hierarchy)
    log = fit(model, loader=views_loader(n=16), max_epochs=2, precision=precision)
    assert len(log.steps) == 4 and log.finite()
    assert all(b.dtype in (torch.float32, torch.int64) for b in model.queue.buffers())
    if model.hierarchy is not None:
        assert model.hierarchy.bank.dtype == torch.float16
        assert int(model.hierarchy.runs) == (1 if hierarchy == "online" else 2)
        assert float(model.trainer.callback_metrics["train_retrieved"]) > 0


@pytest.mark.parametrize(
    ("levels", "predictors"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (4, 1), (4, 4)]
)
def test_trains_with_one_to_four_levels(levels, predictors):
    model = small(num_levels=levels, num_predictors=predictors, symmetric=levels % 2 == 0)
    before = [predictor[0].weight.clone() for predictor in model.predictors]
    log = fit(model, loader=views_loader(n=16), max_epochs=2)
    assert len(log.steps) == 4 and log.finite()
    for old, predictor in zip(before, model.predictors, strict=True):
        assert not torch.equal(old, predictor[0].weight)
    metrics = model.trainer.callback_metrics
    assert {n for n in metrics if n.startswith("train_positive")} == {
        f"train_positive_level{h + 1}" for h in range(levels)
    }
    assert {n for n in metrics if n.startswith("hierarchy_clusters")} == {
        f"hierarchy_clusters_level{h}" for h in range(2, levels + 1)
    }


def test_logged_clusters():
    """At the end of an epoch: what the labels say then."""
    model = rcl()
    fit(model, max_epochs=2)
    metrics = {name: float(value) for name, value in model.trainer.callback_metrics.items()}
    for level in (2, 3):
        labels = model.hierarchy.labels[level - 1]
        sizes = labels.bincount()[labels.unique()]
        expected = {
            "clusters": len(sizes),
            "largest": int(sizes.max()),
            "singletons": int((sizes == 1).sum()),
            "nmi": normalized_mutual_info_score(Views(32).labels, labels),
        }
        for name, value in expected.items():
            assert metrics[f"hierarchy_{name}_level{level}"] == pytest.approx(value), name
        assert 1 < len(sizes) < 32


def test_logged_changes_account_for_the_number_of_clusters():
    states = States()
    fit(rcl(), states, max_epochs=3)
    total = 0
    for i in range(4, 12):  # the first epoch has no clusters
        metrics = states.metrics[i]
        for level in (2, 3):
            numbers = [len(s["labels"][level - 1].unique()) for s in states.states[i : i + 2]]
            splits, merges = (metrics[f"hierarchy_{n}_level{level}"] for n in ("splits", "merges"))
            if i > 4:  # the state before it is the one before the clustering
                assert numbers[1] == numbers[0] + splits - merges
            assert splits >= 0 and merges >= 0
            total += splits + merges
    assert total > 0
    assert not any("hierarchy_splits_level2" in metrics for metrics in states.metrics[:4])


def test_logged_shares_and_loss():
    states = States()
    log = fit(rcl(), states, max_epochs=2)
    for metrics in states.metrics[4:]:
        levels = [metrics[f"train_positive_level{h}"] for h in (1, 2, 3)]
        # cluster preserve: what is positive at a level is so above; all keys are at the top
        assert 1 / 3 <= levels[0] <= levels[1] <= levels[2] == 1
        assert 0 < metrics["train_retrieved"] <= 1
        # of three keys the own one is positive at level 1, the others are other samples
        share = 1 / (1 + 2 * metrics["train_retrieved"])
        assert levels[0] == pytest.approx(share, rel=1e-5)
    assert all("train_rcl_loss_step" in step for step in log.steps)
    assert all(m["train_positive_level3"] == 1 for m in states.metrics[:4])
    assert all(0 < m["train_alignment"] < 4 for m in states.metrics)
    assert all(-8 < m["train_uniformity"] < 0 for m in states.metrics)


@pytest.mark.parametrize(
    ("hierarchy", "accumulate", "workers"), [("online", 1, 0), ("online", 2, 1), ("dbscan", 1, 1)]
)
def test_resume_continues_with_the_same_losses(tmp_path, hierarchy, accumulate, workers):
    """From before the clustering and from after it, to the last bit."""

    def run(**trainer: Any) -> tuple[Any, States, RCL]:
        checkpointer = Checkpointer(rcl_cfg({}), logdir=tmp_path, frequency=1, keep_prev=True)
        states, model = States(), small(hierarchy=hierarchy, hierarchy_warmup_epochs=2)
        # a pass over the data must not disturb the epoch's own, whose workers it may share
        loader = views_loader(n=16, num_workers=workers, persistent_workers=workers > 0)
        options = {"accumulate_grad_batches": accumulate, "max_epochs": 4, **trainer}
        callbacks = [checkpointer, Forget(step=5 // accumulate), states]
        return fit(model, *callbacks, loader=loader, **options).steps, states, model

    whole, states, model = run()
    assert states.states[8]["labels"][1:].any()  # clustered again since
    paths = {epoch: next(tmp_path.rglob(f"*ep={epoch}.ckpt")) for epoch in (0, 2)}
    for epoch, path in paths.items():
        saved = torch.load(path, weights_only=True)["state_dict"]
        runs = epoch if hierarchy == "dbscan" else min(epoch, 1)
        assert int(saved["hierarchy.runs"]) == runs
        resumed, later, twin = run(ckpt_path=path)
        assert len(whole) == 8 and resumed == whole[2 * (epoch + 1) :]
        assert later.seeds == states.seeds[-2 if epoch == 2 else 0 :]
        for name, value in model.state_dict().items():
            assert torch.equal(value, twin.state_dict()[name]), name
