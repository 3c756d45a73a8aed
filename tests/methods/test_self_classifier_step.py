"""Self-Classifier's step, with small crops and with neighbours."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from self_classifier_models import SMALL_CROPS, V2, MultiCrop, multicrop_loader, self_classifier
from support import Views, fit, views_loader

from cueco_solo.methods.self_classifier import SelfClassifier


def unlogged(model: SelfClassifier) -> dict[str, torch.Tensor]:
    """Makes ``training_step`` callable without a Trainer; what it logs."""
    logged: dict[str, torch.Tensor] = {}
    model.log = lambda name, value, **_: logged.update({name: value})  # type: ignore[method-assign]
    model.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign]
    return logged


def first_batch(data: Any = Views, n: int = 8) -> list[Any]:
    return next(iter(torch.utils.data.DataLoader(data(n), batch_size=n)))


def expected_losses(model: SelfClassifier, z: list[torch.Tensor]) -> torch.Tensor:
    """Algorithm 1 for each head, with what the settings add to it."""
    options, losses = model.options, []
    for weight in model.classifiers.weight:
        logits = [view @ F.normalize(weight, dim=1).T for view in z]
        targets = [(x / options.column_temperature).softmax(0) for x in logits[:2]]
        if options.normalize_rows:
            targets = [t / t.sum(1, keepdim=True) for t in targets]
        predictions = [(x / options.temperature).softmax(1) for x in logits]
        if options.preset == "v2":
            n, c = logits[0].shape
            predictions = [n / c * p / p.sum(0) + 1e-12 for p in predictions]
        pairs = [(i, j) for i in range(2) for j in range(len(z)) if i != j]
        terms = [-(targets[i] * predictions[j].log()).sum(1).mean() for i, j in pairs]
        losses.append(torch.stack(terms).mean())
    return torch.stack(losses)


STEPS = [{}, {"normalize_rows": False}, V2, {**V2, "fixed_classifier": False}]


@pytest.mark.parametrize("options", STEPS, ids=["v1", "algorithm 1", "v2", "v2 learnable"])
@pytest.mark.parametrize("small_crops", [False, True])
def test_step_is_the_algorithm(options: dict[str, Any], small_crops: bool):
    """Value, gradient of the last layers, and what is logged and kept."""
    model = self_classifier(SMALL_CROPS if small_crops else None, **options)
    logged = unlogged(model)
    index, X, targets = first_batch(MultiCrop if small_crops else Views)
    outs = [model(x) for x in X]  # batch statistics: the running ones don't matter
    expected = expected_losses(model, [out["z"] for out in outs])
    class_loss = sum(F.cross_entropy(out["logits"], targets) for out in outs[:2]) / 2
    loss = model.training_step([index, X, targets], 0)

    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(loss, expected.mean() + class_loss, **close)
    torch.testing.assert_close(logged["train_self_classifier_loss"], expected.mean(), **close)
    learned = [p for group in model.learnable_params[1:] for p in list(group["params"])]
    for ours, theirs in zip(
        torch.autograd.grad(loss, learned),
        torch.autograd.grad(expected.mean() + class_loss, learned),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)

    used = (outs[0]["z"] @ model.classifiers.weight[0].T).argmax(1).bincount(minlength=6)
    shares = used / used.sum()
    assert int(logged["cluster_active"]) == int((used > 0).sum())
    assert float(logged["cluster_largest_share"]) == pytest.approx(float(shares.max()))
    entropy = torch.special.entr(shares).sum()
    assert float(logged["cluster_perplexity"]) == pytest.approx(float(entropy.exp()))


def test_best_head_has_the_lowest_running_loss():
    model = self_classifier()
    unlogged(model)
    losses, batch = [], first_batch()
    original = model.losses

    def recording(logits: torch.Tensor) -> torch.Tensor:
        losses.append(original(logits) + torch.tensor([0.5, 0.0, 1.0]))
        return losses[-1]

    model.losses = recording  # type: ignore[method-assign]
    expected = torch.zeros(3)
    for step in range(3):
        model.training_step(batch, step)
        expected = 0.99 * expected + 0.01 * losses[-1].detach()
    torch.testing.assert_close(model.head_losses, expected)
    assert not model.head_losses.requires_grad
    assert int(model.best_head) == 1 and model.best_head.dtype == torch.int64


@pytest.mark.parametrize(("options", "learns"), [({}, False), ({"fixed_classifier": False}, True)])
def test_training_changes_what_learns(options: dict[str, Any], learns: bool):
    model = self_classifier(**options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, loader=views_loader(n=8), max_epochs=1)
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    assert ("classifiers.weight" in changed) == learns
    assert {"projector.0.weight", "projector.6.bias", "head_losses"} <= changed


@pytest.mark.parametrize("options", [{}, {**V2, "queue_size": 16}])
def test_small_crops_train(options: dict[str, Any]):
    """On both forms of solo-learn, through the Trainer; smaller images, not only more."""
    model, sizes = self_classifier(SMALL_CROPS, **options), []
    model.backbone.register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[-1]))
    log = fit(model, loader=multicrop_loader(n=24), max_epochs=1)
    assert sizes == [32, 32, 16, 16] * 3
    assert len(log.steps) == 3 and log.finite()


def test_a_small_crop_is_predicted_but_no_target():
    """It alone moves the prediction's terms, and small crops aren't compared with each other."""
    model = self_classifier(SMALL_CROPS)
    logits = torch.rand(4, 3, 8, 6)
    both = model.losses(logits)
    one = [model.losses(logits[[0, 1, small]]) for small in (2, 3)]
    none = model.losses(logits[:2])
    # 2 pairs of large crops, 2 more for each small one
    torch.testing.assert_close(6 * both, 4 * (one[0] + one[1]) - 2 * none)


def queued(size: int = 8, entries: int | None = None, **options: Any) -> SelfClassifier:
    """A queue of basis vectors, entry j being image j's."""
    model = self_classifier(**{**V2, "queue_size": size, **options})
    assert model.queue is not None
    count = size if entries is None else entries
    model.queue.enqueue(torch.eye(size, 16)[None, :count], torch.arange(count))
    model._queued = count
    return model


def looking_at(*entries: int) -> torch.Tensor:
    """A unit vector whose similarity with the entries falls in the given order."""
    z = torch.zeros(16)
    for rank, entry in enumerate(entries):
        z[entry] = 1 / (rank + 1)
    return F.normalize(z, dim=0)


def test_nearest_entry_of_another_image():
    model, eye = queued(), torch.eye(8, 16)
    z = torch.stack([looking_at(3, 1), looking_at(4, 2, 0), looking_at(4, 2, 0)]).requires_grad_()
    found = model._neighbours(z, torch.tensor([9, 5, 4]), model.queue)
    assert torch.equal(found, eye[[3, 4, 2]])  # the last one's nearest entry is its own
    assert not found.requires_grad
    # given to the queue afterwards: they weren't there to be found
    torch.testing.assert_close(model.queue.keys[0, :3], z.detach())
    assert model.queue.index.tolist() == [9, 5, 4, 3, 4, 5, 6, 7]
    assert model._queued == int(model.queue.count) == 11


def test_where_all_entries_are_its_own_it_stays_without_gradient():
    model = queued(2)
    model.queue.index.fill_(6)
    z = torch.stack([looking_at(1), looking_at(0, 1)]).requires_grad_()
    found = model._neighbours(z, torch.tensor([6, 7]), model.queue)
    assert torch.equal(found, torch.stack([z.detach()[0], torch.eye(2, 16)[0]]))
    assert not found.requires_grad


def test_used_only_once_full():
    model = queued(8, entries=7)
    z = torch.stack([looking_at(3, 1)]).requires_grad_()
    assert model._neighbours(z, torch.tensor([9]), model.queue) is z
    assert model._queued == 8
    found = model._neighbours(z, torch.tensor([10]), model.queue)
    torch.testing.assert_close(found, z.detach())  # image 9's entry is nearest
    assert not found.requires_grad


def test_step_with_neighbours():
    """View 1 is its neighbour as target and as prediction; only the others have a gradient."""
    model = queued(8)
    unlogged(model)
    index, X, targets = first_batch()
    z = [model(x)["z"] for x in X]
    others = model.queue.index != index[:, None]
    nearest = (z[0] @ model.queue.keys[0].T).masked_fill(~others, -9).argmax(1)
    expected = expected_losses(model, [model.queue.keys[0][nearest].clone(), z[1]])

    seen: list[torch.Tensor] = []
    original = model.losses
    model.losses = lambda x: seen.append(x) or original(x)  # type: ignore[method-assign,func-returns-value]
    model.training_step([index, X, targets], 0)
    torch.testing.assert_close(original(seen[0]), expected, rtol=1e-3, atol=1e-5)
    (gradient,) = torch.autograd.grad(expected.sum(), z[1])
    assert gradient.abs().max() > 0
    # all eight are replaced by view 1 as it was
    torch.testing.assert_close(model.queue.keys[0], z[0].detach(), rtol=1e-4, atol=1e-5)
    assert torch.equal(model.queue.index, index)


def test_learnable_classifiers_have_a_gradient_from_neighbours():
    """The entries have none, what is made of them has."""
    model = queued(8, fixed_classifier=False)
    found = model._neighbours(torch.stack([looking_at(1)]), torch.tensor([9]), model.queue)
    assert model.classifiers(found).requires_grad
