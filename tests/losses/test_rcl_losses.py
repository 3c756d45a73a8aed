"""RCL's loss against a triple loop in float64, value and gradient, and where it is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from rcl_losses import D, K, N, naive, same_value_and_gradients, setting, unit, value_and_gradients

from cueco_solo.host import mocov2plus_loss_func, nnclr_loss_func
from cueco_solo.losses.cueco import info_nce
from cueco_solo.losses.rcl import nearest_entries, relative_contrastive


def ours(q, keys, positive, queue, temperature, present, queued):
    """Eq. 2 from the loss of one predictor."""
    options = {"temperature": temperature, "present": present, "queued": queued}
    losses = [
        relative_contrastive(prediction, keys, labels, queue, **options)
        for prediction, labels in zip(q, positive, strict=True)
    ]
    return torch.stack(losses).mean()


# the last: how a method without a queue of its own samples would mix them
@pytest.mark.parametrize("queued", [[0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0]])
@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_oracle(queued, temperature):
    q, keys, positive, queue, present = setting()
    queued = torch.tensor(queued).bool()
    rest = (temperature, present, queued)
    same_value_and_gradients(
        lambda q, keys, queue: ours(q, keys, positive.double(), queue, *rest),
        lambda q, keys, queue: naive(q, keys, positive, queue, *rest),
        *(q, keys, queue),
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 4),
    st.floats(0.05, 2),
)
def test_oracle_of_any_size(seed, n, relative, k, levels, temperature):
    q, keys, positive, queue, present = setting(n, relative, k, levels, seed % 2**30)
    queued = torch.arange(relative) > 0
    expected = naive(q, keys, positive, queue, temperature, present, queued)
    loss = ours(q, keys, positive.double(), queue, temperature, present, queued)
    torch.testing.assert_close(loss, expected)


def test_share_of_criteria_is_their_mean_for_one_predictor():
    """One predictor with P_c of Eq. 9 in place of H labels: the same value and gradients."""
    q, keys, positive, queue, present = setting()
    queued = torch.arange(4) > 0

    def loss(labels):
        rest = (labels, queue, 0.2, present, queued)
        return lambda q, keys: ours(q.expand(len(labels), -1, -1), keys, *rest)

    share, each = positive.double().mean(0, keepdim=True), positive.double()
    same_value_and_gradients(loss(share), loss(each), q[:1], keys)


def test_one_criterion_with_the_own_key_is_info_nce():
    """Against ours and solo-learn's MoCo V2+."""
    q, k, queue = unit(N, D, seed=1), unit(N, D, seed=2), unit(K, D, seed=3)
    own = torch.ones(N, 1)

    def relative(q, k, queue):
        options = {"temperature": 0.2, "present": own.bool(), "queued": torch.tensor([False])}
        return relative_contrastive(q, k[:, None], own.double(), queue, **options)

    for reference in (
        lambda q, k, queue: info_nce(q, k, queue, temperature=0.2),
        lambda q, k, queue: mocov2plus_loss_func(q, k, queue.T.contiguous(), 0.2),
    ):
        same_value_and_gradients(relative, reference, q, k, queue)


def test_one_criterion_with_the_nearest_entry_is_nnclr():
    """The queue holds the keys' neighbours, which solo-learn's function takes as its batch."""
    k, order = unit(N, D, seed=1), torch.tensor([3, 0, 4, 1, 2])
    neighbours = F.normalize(k + 0.1 * unit(N, D, seed=2), dim=1)
    queue = neighbours[order]
    places, found = nearest_entries(k, queue, torch.ones(1, N, N, dtype=torch.bool))
    assert found.all() and torch.equal(queue[places[0]], neighbours)
    q = unit(N, D, seed=3)
    one = torch.ones(N, 1)

    def relative(q):
        keys = queue[places[0]][:, None]
        options = {"temperature": 0.1, "present": one.bool(), "queued": torch.tensor([True])}
        return relative_contrastive(q, keys, one.double(), queue, **options)

    pair = (
        value_and_gradients(f, q)
        for f in (relative, lambda q: nnclr_loss_func(q, neighbours, temperature=0.1))
    )
    # its function normalises the query, so that no gradient is along it
    (value, gradient), (expected, tangential) = pair
    torch.testing.assert_close(value, expected)
    along = (gradient * q).sum(1, keepdim=True) * q
    torch.testing.assert_close(gradient - along, tangential)


@pytest.mark.parametrize(
    ("probability", "share", "pull"), [(0.50, 0.66, True), (0.75, 0.66, False), (0.50, 0.05, False)]
)
def test_the_three_cases_of_section_4_2(probability, share, pull):
    """Along the key the gradient is (P(z'|q) - P_c) / temperature, Eqs. 7 to 9."""
    t, eye = 0.2, torch.eye(3, dtype=torch.float64)
    # with a queue orthogonal to the key, P is exp(c / t) / (exp(c / t) + exp(s / t))
    angle = torch.tensor(t * math.log(probability / (1 - probability)) / math.sqrt(2)).double()
    angle = angle.asin() + math.pi / 4
    q = (angle.sin() * eye[0] + angle.cos() * eye[1])[None].requires_grad_()
    key, queue = eye[:1], eye[1:2]
    logits = torch.stack([q @ key.T, q @ queue.T]).flatten() / t
    assert logits.softmax(0)[0].item() == pytest.approx(probability)
    options = {"present": torch.tensor([[True]]), "queued": torch.tensor([False])}
    positive = torch.tensor([[share]]).double()
    loss = relative_contrastive(q, key[None], positive, queue, temperature=t, **options)
    (gradient,) = torch.autograd.grad(loss, q)
    along = (gradient @ key.T).item()
    assert along == pytest.approx((probability - share) / t)
    assert (along < 0) == pull  # gradient descent turns q to the key
    after = q - 0.01 * gradient
    assert ((after @ key.T).item() > (q @ key.T).item()) == pull


def test_values_when_collapsed():
    """All vectors alike: log of the number of candidates for positives; 1/t more for others."""
    same, t = unit(1, D), 0.5
    options = {"temperature": t, "present": torch.ones(N, 1).bool()}
    inputs = (same.expand(N, D), same.expand(N, 1, D))
    for share, expected in ((1.0, 0), (0.0, 1 / t), (0.25, 0.75 / t)):
        positive = torch.full((N, 1), share).double()
        for queued, candidates in ((False, K + 1), (True, K)):
            loss = relative_contrastive(
                *inputs, positive, same.expand(K, D), queued=torch.tensor([queued]), **options
            )
            assert loss.item() == pytest.approx(math.log(candidates) + expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float32_under_autocast(dtype):
    """Half-precision inputs inside autocast give what float32 gives on the rounded inputs."""
    q, keys, positive, queue, present = setting()
    q, keys, queue = (x.to(dtype) for x in (q, keys, queue))
    queued = torch.arange(4) > 0

    def both(q, keys, queue):
        allowed = torch.ones(1, N, K, dtype=torch.bool)
        return (
            ours(q, keys, positive.float(), queue, 0.01, present, queued),
            nearest_entries(q[0], queue, allowed)[0],
        )

    with torch.autocast("cpu", dtype=dtype):
        inside = both(q, keys, queue)
    outside = both(q.float(), keys.float(), queue.float())
    assert inside[0].dtype == torch.float32
    for a, b in zip(inside, outside, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**30), st.floats(0.05, 2))
def test_order_does_not_matter(seed, temperature):
    """Queries, queue and relative keys may come in any order."""
    q, keys, positive, queue, present = setting(seed=seed)
    queued = torch.arange(4) > 0
    rows, entries, relative = (torch.randperm(m) for m in (N, K, 4))
    a = ours(q, keys, positive.double(), queue, temperature, present, queued)
    b = ours(
        q[:, rows],
        keys[rows][:, relative],
        positive.double()[:, rows][:, :, relative],
        queue[entries],
        temperature,
        present[rows][:, relative],
        queued[relative],
    )
    torch.testing.assert_close(a, b)


def test_absent_keys_count_for_nothing():
    """Neither value nor gradient depends on them; a query without any adds zero to the mean."""
    q, keys, positive, queue, present = setting()
    queued = torch.arange(4) > 0
    positive = positive.double()
    a = ours(q, keys, positive, queue, 0.2, present, queued)
    other = torch.where(present[..., None], keys, unit(N, 4, D, seed=77))
    flipped = torch.where(present, positive, 1 - positive)
    torch.testing.assert_close(ours(q, other, flipped, queue, 0.2, present, queued), a)

    only = present.clone()
    only[1:] = False
    q = q.requires_grad_()
    b = ours(q, keys, positive, queue, 0.2, only, queued)
    first = ours(q[:, :1], keys[:1], positive[:, :1], queue, 0.2, present[:1], queued)
    torch.testing.assert_close(b, first / N)
    (gradient,) = torch.autograd.grad(b, q)
    assert gradient[:, 0].abs().min() > 0 and (gradient[:, 1:] == 0).all()

    none = torch.zeros_like(present)
    nothing = ours(q, keys, positive, queue, 0.2, none, queued)
    assert nothing.item() == 0
    assert (torch.autograd.grad(nothing, q)[0] == 0).all()


@pytest.mark.parametrize("temperature", [1e-4, 1e-3])
def test_large_logits(temperature):
    """exp of these overflows float32: the values are the differences to the largest logit."""
    eye = torch.eye(3).requires_grad_()
    options = {
        "temperature": temperature,
        "present": torch.ones(1, 2).bool(),
        "queued": torch.tensor([False, True]),
    }
    # the own key is the query itself, the entry its opposite
    keys = torch.stack([eye[:1], -eye[:1]], dim=1)
    queue = torch.cat([-eye[:1], eye[1:]])
    loss = relative_contrastive(eye[:1], keys, torch.tensor([[1.0, 1.0]]), queue, **options)
    assert loss.item() == pytest.approx((0 + math.log(2) + 1 / temperature) / 2)
    assert torch.isfinite(torch.autograd.grad(loss, eye)[0]).all()
    loss = relative_contrastive(eye[:1], keys, torch.tensor([[0.0, 0.0]]), queue, **options)
    assert loss.item() == pytest.approx((1 / temperature + math.log(2)) / 2)
