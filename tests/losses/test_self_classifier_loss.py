"""Self-Classifier's loss against loops in float64, value and gradient, and where it is known."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cueco_solo.losses.self_classifier import (
    log_class_given_sample,
    sample_given_class,
    self_classification,
)

V, T, N, C = 4, 2, 5, 3
EPS = 1e-12
V1 = {"temperature": 0.3, "column_temperature": 0.3, "normalize_rows": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "algorithm 1": V1,
    "rows": {**V1, "normalize_rows": True},
    "column temperature": {**V1, "column_temperature": 0.7},
    "rows, column temperature": {**V1, "column_temperature": 0.1, "normalize_rows": True},
    "v2": {
        "temperature": 0.1,
        "column_temperature": 0.05,
        "normalize_rows": True,
        "normalize_columns": True,
    },
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())


def cosines(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, dtype=torch.float64, generator=generator) * 2 - 1


def naive(
    logits: torch.Tensor,
    *,
    num_targets: int,
    temperature: float,
    column_temperature: float,
    normalize_rows: bool,
    normalize_columns: bool = False,
) -> torch.Tensor:
    """Eqs. 3 and 4 and Algorithm 1, number by number."""
    views, heads, samples, classes = logits.shape
    n_range, c_range = range(samples), range(classes)

    def target(x: torch.Tensor) -> list[list[torch.Tensor]]:
        e = [[torch.exp(x[n, c] / column_temperature) for c in c_range] for n in n_range]
        p = [[e[n][c] / sum(e[m][c] for m in n_range) for c in c_range] for n in n_range]
        return [[v / sum(row) for v in row] for row in p] if normalize_rows else p

    def log_prediction(x: torch.Tensor) -> list[list[torch.Tensor]]:
        e = [[torch.exp(x[n, c] / temperature) for c in c_range] for n in n_range]
        p = [[e[n][c] / sum(e[n]) for c in c_range] for n in n_range]
        if normalize_columns:
            sums = [sum(p[n][c] for n in n_range) for c in c_range]
            sums = [s if s > EPS else torch.tensor(EPS, dtype=s.dtype) for s in sums]
            p = [[samples / classes * p[n][c] / sums[c] + EPS for c in c_range] for n in n_range]
        return [[torch.log(v) for v in row] for row in p]

    losses = []
    for head in range(heads):
        targets = [target(logits[i, head]) for i in range(num_targets)]
        predictions = [log_prediction(logits[j, head]) for j in range(views)]
        pairs = [(i, j) for i in range(num_targets) for j in range(views) if i != j]
        total = 0.0
        for (i, j), n, c in itertools.product(pairs, n_range, c_range):
            total = total - targets[i][n][c] * predictions[j][n][c] / (samples * len(pairs))
        losses.append(total)
    return torch.stack(losses)


def value_and_gradient(function: Any, logits: torch.Tensor, **options: Any) -> list[torch.Tensor]:
    """Heads weighted unequally, so that none can stand for another."""
    logits = logits.clone().requires_grad_()
    losses = function(logits, **options)
    weights = torch.arange(1, len(losses) + 1, dtype=losses.dtype)
    return [losses.detach(), torch.autograd.grad(losses @ weights, logits)[0]]


# ---- against the equations ----


@every_option
@pytest.mark.parametrize(("views", "num_targets"), [(2, 2), (V, 2), (3, 1)])
def test_value_and_gradient_of_loops(views: int, num_targets: int, options: dict[str, Any]):
    """Two large crops; with small ones, which are no targets; a single target."""
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


# ---- the two probabilities ----


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


# ---- known values ----


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


# ---- what must not matter ----


@st.composite
def problems(draw: st.DrawFn) -> tuple[torch.Tensor, dict[str, Any], torch.Generator]:
    shape = [draw(st.integers(2, high)) for high in (4, 3, 7, 6)]
    seed = draw(st.integers(0, 2**31))
    options = dict(draw(st.sampled_from(list(OPTIONS.values()))))
    return cosines(*shape, seed=seed), options, torch.Generator().manual_seed(seed + 1)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_the_order_of_samples_heads_and_classes_does_not_matter(problem: Any):
    logits, options, generator = problem
    options["num_targets"] = min(2, len(logits))
    losses = self_classification(logits, **options)

    def order(axis: int) -> torch.Tensor:
        return torch.randperm(logits.shape[axis], generator=generator)

    samples, heads = order(2), order(1)
    torch.testing.assert_close(self_classification(logits[:, :, samples], **options), losses)
    torch.testing.assert_close(self_classification(logits[:, heads], **options), losses[heads])
    # each head may name its classes as it likes
    renamed = torch.stack([head[..., order(3)] for head in logits.unbind(1)], dim=1)
    torch.testing.assert_close(self_classification(renamed, **options), losses)
    views = [1, 0, *reversed(range(2, len(logits)))]
    torch.testing.assert_close(self_classification(logits[views], **options), losses)


@settings(max_examples=20, deadline=None)
@given(problems())
def test_heads_do_not_mix_and_pairs_do_matter(problem: Any):
    logits, options, _ = problem
    options["num_targets"] = 2
    losses = self_classification(logits, **options)
    alone = [self_classification(head[:, None], **options) for head in logits.unbind(1)]
    torch.testing.assert_close(torch.cat(alone), losses)
    # another image's view in place of the own one
    others = logits[:2].clone()
    others[1] = others[1].roll(1, dims=1)
    mixed = self_classification(others, **options)
    assert not torch.allclose(mixed, self_classification(logits[:2], **options))


# ---- precision ----


@every_option
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float32_under_autocast(dtype: torch.dtype, options: dict[str, Any]):
    logits = cosines(2, T, 8, C).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        losses = self_classification(logits, num_targets=2, **options)
    assert losses.dtype == torch.float32
    expected = self_classification(logits.double(), num_targets=2, **options)
    torch.testing.assert_close(losses.double(), expected, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert gradient.dtype == dtype and gradient.isfinite().all()


@every_option
def test_finite_where_exponentials_are_not(options: dict[str, Any]):
    """Cosines of one and minus one at a temperature that would overflow float32's exp."""
    logits = cosines(2, T, 8, C).sign().float().requires_grad_()
    sharp = {**options, "temperature": 0.005, "column_temperature": 0.005}
    losses = self_classification(logits, num_targets=2, **sharp)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert losses.isfinite().all() and gradient.isfinite().all()
