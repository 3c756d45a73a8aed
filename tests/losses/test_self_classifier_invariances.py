"""What Self-Classifier's loss doesn't depend on: orders, processes, precision."""

import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from self_classifier_losses import OPTIONS, C, T, cosines, every_option

from cueco_solo.losses.self_classifier import self_classification


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


@every_option
def test_halves_of_the_batch_make_the_whole(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
):
    """Two threads in place of processes, which exchange what they gather."""
    logits = cosines(3, T, 8, C).requires_grad_()
    ready, parts = threading.Barrier(2, timeout=60), {}

    def exchange(x: torch.Tensor) -> torch.Tensor:
        parts[threading.current_thread().name] = x
        ready.wait()
        gathered = torch.cat([parts[name] for name in sorted(parts)])
        ready.wait()
        return gathered

    def loss(half: torch.Tensor) -> torch.Tensor:
        return self_classification(half, num_targets=2, **options)

    def process(name: str, half: torch.Tensor) -> None:
        threading.current_thread().name = name
        losses[name] = loss(half)

    whole, losses = loss(logits), {}
    monkeypatch.setattr("cueco_solo.losses.self_classifier.gather", exchange)
    threads = [
        threading.Thread(target=process, args=(name, half))
        for name, half in zip("ab", logits.chunk(2, dim=2), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    halves = (losses["a"] + losses["b"]) / 2
    assert not torch.allclose(losses["a"], losses["b"])
    torch.testing.assert_close(halves, whole)
    gradients = [torch.autograd.grad(x.sum(), logits)[0] for x in (halves, whole)]
    torch.testing.assert_close(*gradients)


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
