"""Self-Classifier on tiny real trainings: precision, its labels' scores, seeds and resume."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from self_classifier_models import V2, Labelled, self_classifier, self_classifier_cfg
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from support import fit, views_loader
from torch.utils.data import DataLoader

from cueco_solo.host import Checkpointer
from cueco_solo.methods.self_classifier import SelfClassifier

NEIGHBOURS = {**V2, "fixed_classifier": False, "queue_size": 12}  # full after two steps of 8


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("options", [{}, NEIGHBOURS], ids=["v1", "v2"])
def test_trains(options: dict[str, Any], precision: str):
    """State stays in float32, the losses are float32's."""
    model, seen = self_classifier(**options), []
    original = model.losses

    def recording(logits: torch.Tensor) -> torch.Tensor:
        losses = original(logits)
        seen.append((logits, losses))
        return losses

    model.losses = recording  # type: ignore[method-assign]
    log = fit(model, loader=views_loader(n=24), max_epochs=1, precision=precision)
    assert len(log.steps) == len(seen) == 3
    for step, (logits, losses) in zip(log.steps, seen, strict=True):
        assert logits.shape == (2, 3, 8, 6) and losses.shape == (3,)
        assert losses.dtype == torch.float32 and losses.isfinite().all()
        assert step["train_self_classifier_loss_step"] == pytest.approx(float(losses.mean()))
        torch.testing.assert_close(losses, original(logits.float()))
    floats = [b for b in model.state_dict().values() if b.is_floating_point()]
    assert all(b.dtype == torch.float32 and b.isfinite().all() for b in floats)
    assert (model.head_losses > 0).all()
    assert model._queued == (24 if options else 0)
    metrics = model.trainer.callback_metrics
    assert {"cluster_active", "cluster_perplexity", "cluster_largest_share"} < set(metrics)


def scores(targets: list[int], labels: list[int]) -> dict[str, float]:
    """Percent; the accuracies by trying out every matching, and by counting."""
    pairs = list(zip(targets, labels, strict=True))
    matchings = itertools.permutations(range(6), 3)
    best = max(sum(matching[t] == label for t, label in pairs) for matching in matchings)
    votes = [max(sum(p == (t, label) for p in pairs) for t in range(3)) for label in range(6)]
    return {
        "nmi": 100 * normalized_mutual_info_score(targets, labels),
        "ami": 100 * adjusted_mutual_info_score(targets, labels),
        "ari": 100 * adjusted_rand_score(targets, labels),
        "acc": 100 * best / len(pairs),
        "acc_many_to_one": 100 * sum(votes) / len(pairs),
    }


def test_its_labels_are_scored_in_validation():
    """Of the first head and of the one with the lowest loss, over the whole validation set."""
    model = self_classifier()
    # as if the second head had been best for long
    model.head_losses.copy_(torch.tensor([9.0, 0.0, 9.0]))
    validation = DataLoader(Labelled(20), batch_size=8)
    fit(model, loader=views_loader(n=16), val_loader=validation, max_epochs=2)
    logged = {n: float(v) for n, v in model.trainer.callback_metrics.items()}
    assert int(model.best_head) == 1 and model._labels == []

    model.eval()
    views, targets = zip(*Labelled(20), strict=True)
    with torch.no_grad():
        z = model(torch.stack(views))["z"]
    found = {}
    for name, head in (("first", 0), ("best", 1)):
        labels = (z @ model.classifiers.weight[head].T).argmax(1).tolist()
        expected = scores(list(targets), labels)
        found[name] = expected
        for metric, value in expected.items():
            assert logged[f"val_{name}_head_{metric}"] == pytest.approx(value, abs=1e-3), metric
    assert found["first"] != found["best"]
    assert {n for n in logged if "_head_" in n} == {
        f"val_{name}_head_{metric}" for name in found for metric in found[name]
    }
    assert "val_acc1" in logged


@pytest.mark.parametrize("options", [{}, NEIGHBOURS], ids=["v1", "v2"])
def test_resume_continues_with_the_same_losses(tmp_path: Path, options: dict[str, Any]):
    """To the last bit; with the neighbours' queue from where it is filled in part, and full."""

    def run(**trainer: Any) -> tuple[Any, SelfClassifier]:
        checkpointer = Checkpointer(
            self_classifier_cfg({}), logdir=tmp_path, frequency=1, keep_prev=True
        )
        model = self_classifier(**options)
        loader = views_loader(n=8)
        return fit(model, checkpointer, loader=loader, max_epochs=4, **trainer).steps, model

    whole, model = run()
    for epoch in (0, 2):
        path = next(tmp_path.rglob(f"*ep={epoch}.ckpt"))
        saved = torch.load(path, weights_only=True)["state_dict"]
        assert options == {} or int(saved["queue.count"]) == 8 * (epoch + 1)
        resumed, twin = run(ckpt_path=path)
        assert len(whole) == 4 and resumed == whole[epoch + 1 :]
        for name, value in model.state_dict().items():
            assert torch.equal(value, twin.state_dict()[name]), name
