"""The sweep of learning rates against torch.optim, and what it must not depend on."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from omegaconf import DictConfig
from support import refusal

from cueco_solo.evaluation import linear, linear_sweep
from cueco_solo.evaluation.choice import Choice
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.linear import cached_linear_accuracies, parse_linear, rate_schedule
from cueco_solo.evaluation.linear_sweep import fit_probes, swept_linear
from cueco_solo.evaluation.scale import Standard
from cueco_solo.evaluation.subsets import held_out
from cueco_solo.training.compose import compose_config

CLASSES, DIM = 5, 16


def config(*overrides: str) -> DictConfig:
    given = ["hardware=cpu", "data.train_path=.", "data.val_path=.", "optimizer.batch_size=32"]
    given += ["max_epochs=10", "enable_progress_bar=False", *overrides]
    return parse_linear(compose_config("linear-custom", None, given, linear=True))


def features(spread: float = 0.5, train: int = 400, test: int = 1000) -> Features:
    """Overlapping classes far from the origin, some directions ten times as wide as others."""
    generator = torch.Generator().manual_seed(0)
    width = torch.logspace(0, -1, DIM)

    def split(labels: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(len(labels), DIM, generator=generator)
        return 3 + width * (torch.eye(DIM)[labels] + spread * noise)

    labels = [torch.arange(n) % CLASSES for n in (train, test)]
    return Features(split(labels[0]), labels[0], split(labels[1]), labels[1], CLASSES)


def test_each_probe_is_that_of_torch_s_own_optimizer():
    """One by one, with autograd, in float64."""
    data, cfg = features(), config("max_epochs=4", "scheduler.warmup_epochs=1")
    x, labels = data.train.double(), data.train_labels
    rows = torch.arange(10, 380)
    settings = [(0.3, 0.0), (3.0, 1e-2), (30.0, 1e-4)]
    standard = Standard(x)
    weights = fit_probes(x, labels, rows, settings, cfg, standard)
    schedule = rate_schedule(cfg, 11)
    for (rate, decay), found in zip(settings, weights, strict=True):
        probe = torch.nn.Linear(DIM, CLASSES, dtype=torch.float64)
        for parameter in probe.parameters():
            torch.nn.init.zeros_(parameter)
        sgd = torch.optim.SGD(probe.parameters(), lr=1, momentum=0.9, weight_decay=decay)
        order, factors = torch.Generator().manual_seed(cfg.seed), iter(schedule)
        for _ in range(4):
            shuffled = rows[torch.randperm(len(rows), generator=order)]
            for batch in shuffled[: 11 * 32].split(32):
                sgd.param_groups[0]["lr"] = rate * next(factors)
                sgd.zero_grad()
                F.cross_entropy(probe(standard(x[batch])), labels[batch]).backward()
                sgd.step()
        torch.testing.assert_close(found[:, :-1], probe.weight.data)
        torch.testing.assert_close(found[:, -1], probe.bias.data)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("scheduler.warmup_epochs=1", "scheduler.min_lr=0.01"),
        ("scheduler.name=step", "scheduler.lr_decay_steps=[1,2]"),
        ("scheduler.name=none",),
    ],
)
def test_the_schedule_is_that_of_the_fixed_recipe(
    overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    class Rates(Callback):
        seen: list[float] = []

        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    made = linear.new_trainer
    callback = Rates()
    monkeypatch.setattr(
        linear, "new_trainer", lambda **o: made(**o | {"callbacks": [*o["callbacks"], callback]})
    )
    cfg = config("max_epochs=3", *overrides)
    callback.seen = []
    cached_linear_accuracies(features(train=100, test=10), cfg)
    expected = [rate / cfg.optimizer.lr for rate in callback.seen]
    assert len(expected) == 9
    assert rate_schedule(cfg, 3) == pytest.approx(expected)


def test_the_size_of_the_features_changes_nothing_but_the_fixed_recipe():
    data, cfg = features(), config()
    scaled = [
        replace(data, train=data.train * factor, test=data.test * factor)
        for factor in (1, 0.001, 1000)
    ]
    swept = [swept_linear(one, cfg, [1e-6])[0]["top1"] for one in scaled]
    assert max(swept) - min(swept) <= 0.3
    fixed = [cached_linear_accuracies(one, cfg)["top1"] for one in scaled]
    assert max(fixed) - min(fixed) > 5
    assert min(swept) > max(fixed)


def test_the_choice_never_sees_the_validation_set():
    data, cfg = features(), config()
    results, choice = swept_linear(data, cfg, [1e-6, 1e-3])
    generator = torch.Generator().manual_seed(1)
    shuffled = data.test_labels[torch.randperm(len(data.test), generator=generator)]
    others, same = swept_linear(replace(data, test_labels=shuffled), cfg, [1e-6, 1e-3])
    assert same == choice
    assert results["top1"] > 60
    assert others["top1"] == pytest.approx(100 / CLASSES, abs=5)
    shifted = replace(data, test=data.test[:50] * 7, test_labels=data.test_labels[:50] + 90)
    assert swept_linear(shifted, cfg, [1e-6, 1e-3])[1] == choice
    # while other training labels make for another curve
    assert swept_linear(replace(data, train_labels=shuffled[:400]), cfg, [1e-6])[1] != choice


def test_the_curve_is_of_the_held_out_images_and_the_figure_of_a_probe_of_all():
    data, cfg = features(), config()
    results, choice = swept_linear(data, cfg, [0.0, 1e-3])
    assert len(choice.curve) == 26
    assert choice.images == 40
    assert choice.best in choice.curve
    assert choice.best.top1 == max(one.top1 for one in choice.curve)
    aside = torch.tensor(held_out(data.train_labels.tolist(), 10, cfg.seed))
    rest = torch.tensor([i for i in range(400) if i not in set(aside.tolist())])
    standard = Standard(data.train)

    def accuracy(weights: torch.Tensor, x: torch.Tensor, labels: torch.Tensor) -> float:
        scores = standard(x) @ weights[:, :-1].T + weights[:, -1]
        return 100 * float((scores.argmax(1) == labels).double().mean())

    def fitted(rows: torch.Tensor, tried: list[Any]) -> torch.Tensor:
        settings = [one.setting for one in tried]
        return fit_probes(data.train, data.train_labels, rows, settings, cfg, standard)

    # all at once, as they were: at high rates the last bit of a product decides where a probe ends
    place = choice.curve.index(choice.best)
    on_rest = accuracy(
        fitted(rest, choice.curve)[place], data.train[aside], data.train_labels[aside]
    )
    assert choice.best.top1 == pytest.approx(on_rest)
    on_test = accuracy(fitted(torch.arange(400), [choice.best])[0], data.test, data.test_labels)
    assert results["top1"] == pytest.approx(on_test)


def test_the_grid_is_widened_where_the_best_lies_at_its_end(monkeypatch: pytest.MonkeyPatch):
    data, cfg = features(), config()

    def choice(places: range) -> Choice:
        monkeypatch.setattr(linear_sweep, "PLACES", places)
        return swept_linear(data, cfg, [1e-6])[1]

    inside = choice(range(-3, 10))
    assert (inside.widened, inside.at_edge, len(inside.curve)) == (0, False, 13)
    assert "edge" not in str(inside)
    found = choice(range(-9, -3))
    assert found.widened == 1
    assert not found.at_edge
    assert found.best == inside.best
    rates = [one.learning_rate for one in found.curve]
    assert rates == pytest.approx([10 ** (place / 3) for place in range(-9, 3)])
    monkeypatch.setattr(linear_sweep, "_MORE", 1)
    far = choice(range(-6, -4))
    assert (far.widened, far.at_edge, len(far.curve)) == (2, True, 4)
    assert far.best == far.curve[-1]
    assert "at the edge of the grid" in str(far)


def test_the_grid_is_widened_downwards_too(monkeypatch: pytest.MonkeyPatch):
    """Of classes that hardly differ, high rates learn the noise."""
    monkeypatch.setattr(linear_sweep, "PLACES", range(5, 10))
    found = swept_linear(features(spread=1.5, train=2000), config(), [1e-6])[1]
    places = range(5 - 6 * found.widened, 10)
    rates = [one.learning_rate for one in found.curve]
    assert rates == pytest.approx([10 ** (place / 3) for place in places])
    assert found.widened >= 1
    assert not found.at_edge
    assert found.best.learning_rate < 10


def test_a_probe_that_diverges_spoils_no_other(monkeypatch: pytest.MonkeyPatch):
    data, cfg = features(), config("scheduler.name=none")
    expected = swept_linear(data, cfg, [0.0])
    results, choice = swept_linear(data, cfg, [0.0, 1e30])
    assert results == expected[0]
    assert choice.best == expected[1].best
    assert [(one.top1, one.loss) for one in choice.curve[13:]] == [(0.0, None)] * 13


def test_the_seed_names_the_held_out_images():
    data = features()
    one, two = (swept_linear(data, config(f"seed={seed}"), [1e-6])[1] for seed in (5, 6))
    assert one != two


def test_features_that_are_all_alike_give_chance():
    data = features()
    flat = replace(data, train=torch.ones(400, DIM), test=torch.ones(1000, DIM))
    assert swept_linear(flat, config(), [1e-6])[0]["top1"] == pytest.approx(100 / CLASSES)


def test_too_few_images_are_refused():
    data, cfg = features(train=CLASSES), config("optimizer.batch_size=2")
    message = refusal(swept_linear, data, cfg, [1e-6])
    assert "holds out images of each class, but no class has two; give" in message
    message = refusal(swept_linear, features(train=34), config(), [1e-6])
    assert "optimizer.batch_size=32 must be at most the 29 training images" in message


def test_scaled_features_have_mean_zero_and_norm_one():
    for factor in (1e-20, 1, 1e15):
        x = features(train=300).train * factor
        scaled = Standard(x)(x).double()
        assert scaled.mean(0).norm() < 1e-5
        assert scaled.pow(2).sum(1).mean() == pytest.approx(1, abs=1e-4)
