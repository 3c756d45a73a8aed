"""Self-Classifier's loss against loops in float64, value and gradient, and where it is known."""

from typing import Any

import pytest
import torch
from self_classifier_losses import OPTIONS, V1, C, N, T, V, cosines, every_option, naive

from cueco_solo.losses.self_classifier import (
    log_class_given_sample,
    sample_given_class,
    self_classification,
)


def value_and_gradient(function: Any, logits: torch.Tensor, **options: Any) -> list[torch.Tensor]:
    """Heads weighted unequally, so that none can stand for another."""
    logits = logits.clone().requires_grad_()
    losses = function(logits, **options)
    weights = torch.arange(1, len(losses) + 1, dtype=losses.dtype)
    return [losses.detach(), torch.autograd.grad(losses @ weights, logits)[0]]


@every_option
@pytest.mark.parametrize(("views", "num_targets"), [(2, 2), (V, 2), (3, 1)])
@pytest.mark.parametrize("in_cache", [20_000, 0], ids=["all heads at once", "one by one"])
def test_value_and_gradient_of_loops(
    views: int,
    num_targets: int,
    options: dict[str, Any],
    in_cache: int,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two large crops; with small ones, which are no targets; a single target."""
    monkeypatch.setattr("cueco_solo.losses.self_classifier._IN_CACHE", in_cache)
    logits = cosines(views, T, N, C)
    expected = value_and_gradient(naive, logits, num_targets=num_targets, **options)
    found = value_and_gradient(self_classification, logits, num_targets=num_targets, **options)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64
        torch.testing.assert_close(ours, theirs)
    assert found[0].shape == (T,) and found[0][0] != found[0][1]


def test_algorithm_1():
    """The paper's pseudocode; its logits are divided by the temperature."""
    logits = cosines(2, T, N, C)
    x1, x2 = logits / 0.3
    log_1, log_2 = x1.log_softmax(-1), x2.log_softmax(-1)
    expected = -(x2.softmax(1) * log_1 + x1.softmax(1) * log_2).sum((1, 2)) / (2 * N)
    torch.testing.assert_close(self_classification(logits, num_targets=2, **V1), expected)


def test_small_crops_are_predicted_but_no_targets():
    """The loss is the mean over the pairs of a large crop and any other."""
    logits = cosines(V, T, N, C)
    options = {**OPTIONS["rows"], "num_targets": 1}
    pairs = [(0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3)]
    losses = [self_classification(logits[list(pair)], **options) for pair in pairs]
    found = self_classification(logits, **{**options, "num_targets": 2})
    torch.testing.assert_close(found, torch.stack(losses).mean(0))


@every_option
def test_gradient_reaches_the_target(options: dict[str, Any]):
    """The paper's target isn't detached: it alone has a gradient, that of the equation."""
    prediction, gradients = cosines(T, N, C, seed=1), []
    for function in (self_classification, naive):
        target = cosines(T, N, C).requires_grad_()
        loss = function(torch.stack([target, prediction]), num_targets=1, **options).sum()
        gradients.append(torch.autograd.grad(loss, target)[0])
    torch.testing.assert_close(*gradients)
    # softmaxes have a gradient of sum zero along their own axis, and only there
    rows, columns = gradients[0].sum(-1).abs(), gradients[0].sum(-2).abs()
    assert (columns < 1e-12).all() and gradients[0].abs().max() > 0.01
    assert rows.max() > 1e-3 or options["normalize_rows"]


@every_option
def test_gradient_is_the_derivative(options: dict[str, Any]):
    """By finite differences, which no equation written down wrongly twice can mislead."""
    logits = cosines(3, 1, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: self_classification(x, num_targets=2, **options), logits
    )


@pytest.mark.parametrize("temperature", [0.05, 0.3])
def test_sample_given_class(temperature: float):
    """Over samples it sums to one; a class that all samples like more changes nothing."""
    logits = cosines(T, N, C)
    options = {"temperature": temperature, "normalize_rows": False}
    p = sample_given_class(logits, **options)
    torch.testing.assert_close(p.sum(-2), torch.ones(T, C, dtype=p.dtype))
    torch.testing.assert_close(p, (logits / temperature).softmax(-2))
    shifted = sample_given_class(logits + torch.tensor([0.0, 1.0, -2.0]), **options)
    torch.testing.assert_close(p, shifted)
    rows = sample_given_class(logits, temperature=temperature, normalize_rows=True)
    torch.testing.assert_close(rows, p / p.sum(-1, keepdim=True))


def test_class_given_sample():
    """Over classes it sums to one; v2's sums to N / C over samples."""
    logits = cosines(T, N, C)
    log_p = log_class_given_sample(logits, temperature=0.3, normalize_columns=False)
    torch.testing.assert_close(log_p, (logits / 0.3).log_softmax(-1))
    log_p = log_class_given_sample(logits, temperature=0.3, normalize_columns=True)
    torch.testing.assert_close(log_p.exp().sum(-2), torch.full((T, C), N / C, dtype=log_p.dtype))


def one_hot(classes: list[int], scale: float, num_classes: int = 10) -> torch.Tensor:
    """Two equal views and one head."""
    x = scale * torch.eye(num_classes, dtype=torch.float64)[classes]
    return x.expand(2, 1, -1, -1)


@pytest.mark.parametrize(
    ("preset", "classes", "scale", "expected", "tolerance"),
    [
        ("rows", [0] * 40, 0.0, 2.3026, 5e-5),
        ("rows", [*range(10)] * 4, 1.0, 1.0886, 5e-5),
        ("rows", [0] * 40, 1.0, 3.2784, 5e-5),
        ("v2", [0] * 40, 0.0, 2.30258, 1e-5),
        ("v2", [*range(10)] * 4, 5.0, 0.0, 1e-9),
        ("v2", [0] * 40, 5.0, 19.11, 5e-3),
    ],
)
def test_oracle_values(
    preset: str, classes: list[int], scale: float, expected: float, tolerance: float
):
    """Equal, balanced and collapsed logits of 40 samples and 10 classes."""
    loss = self_classification(one_hot(classes, scale), num_targets=2, **OPTIONS[preset])
    assert float(loss) == pytest.approx(expected, abs=tolerance)
    assert float(naive(one_hot(classes, scale), num_targets=2, **OPTIONS[preset])) == (
        pytest.approx(float(loss), rel=1e-9, abs=1e-9)
    )


def test_sharper_collapse_costs_more_without_bound():
    """Sec. 3: what Eq. 1 rewards with a loss of zero."""
    losses, plain = [], []
    for scale in (0.0, 1.0, 10.0, 100.0):
        x = one_hot([0] * 40, scale) / 0.3
        losses.append(float(self_classification(one_hot([0] * 40, scale), num_targets=2, **V1)))
        plain.append(float(-(x[1].softmax(-1) * x[0].log_softmax(-1)).sum(-1).mean()))
    assert losses == sorted(losses) and losses[-1] > 70
    assert plain == sorted(plain, reverse=True) and plain[-1] < 1e-9
