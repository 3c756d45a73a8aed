"""The three losses against naive loops in float64, value and gradient, and where they are known."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from rcl_losses import D, K, N, same_value_and_gradients, unit

from cueco_solo.host import mocov2plus_loss_func
from cueco_solo.losses.cueco import centroid_contrastive, info_nce, variance_loss


def naive_info_nce(z, k, queue, temperature):
    total = 0.0
    for i in range(len(z)):
        positive = torch.exp(torch.dot(z[i], k[i]) / temperature)
        negatives = sum(torch.exp(torch.dot(z[i], q) / temperature) for q in queue)
        total = total - torch.log(positive / (positive + negatives))
    return total / len(z)


def naive_centroid(z, centroids, weights, temperature):
    """Eq. 4 for every cluster as the assigned one, weighted by the target distribution."""
    total = 0.0
    for i in range(len(z)):
        for own, weight in enumerate(weights[i]):
            positive = torch.exp(torch.dot(z[i], centroids[own]) / temperature)
            others = sum(
                torch.exp(torch.dot(z[i], c) / temperature)
                for other, c in enumerate(centroids)
                if other != own
            )
            total = total - weight * torch.log(positive / (positive + others))
    return total / len(z)


def naive_variance(z, centroids, variances, weights):
    total = 0.0
    for i in range(len(z)):
        for cluster, weight in enumerate(weights[i]):
            distance = ((z[i] - centroids[cluster]) ** 2).sum()
            total = total + weight * distance / (2 * variances[cluster] + 1e-6)
    return total / len(z)


def test_info_nce_oracle():
    same_value_and_gradients(
        lambda z, k, q: info_nce(z, k, q, temperature=0.2),
        lambda z, k, q: naive_info_nce(z, k, q, 0.2),
        unit(N, D, seed=1),
        unit(N, D, seed=2),
        unit(K, D, seed=3),
    )


# more clusters than samples: most clusters are empty, the others singletons
@pytest.mark.parametrize("num_clusters", [2, 4, 3 * N])
@pytest.mark.parametrize("soft", [False, True])
def test_cluster_losses_oracle(num_clusters, soft):
    z, centroids = unit(N, D, seed=1), unit(num_clusters, D, seed=2)
    variances = torch.linspace(0.01, 1.5, num_clusters, dtype=torch.float64)
    if soft:
        targets = weights = (unit(N, num_clusters, seed=3) * 3).softmax(dim=1)
    else:
        targets = (z @ centroids.T).argmax(1)
        weights = F.one_hot(targets, num_clusters).double()
    same_value_and_gradients(
        lambda z, c: centroid_contrastive(z, c, targets, temperature=0.3),
        lambda z, c: naive_centroid(z, c, weights, 0.3),
        z,
        centroids,
    )
    same_value_and_gradients(
        lambda z, c, v: variance_loss(z, c, v, targets),
        lambda z, c, v: naive_variance(z, c, v, weights),
        z,
        centroids,
        variances,
    )


def test_info_nce_is_moco_v2_plus():
    z, k, queue = unit(N, D, seed=1), unit(N, D, seed=2), unit(K, D, seed=3)
    expected = mocov2plus_loss_func(z, k, queue.T.contiguous(), 0.2)
    torch.testing.assert_close(info_nce(z, k, queue, temperature=0.2), expected)


def test_values_when_collapsed():
    """All vectors alike: log of the number of candidates, and no distance to the centroid."""
    same = unit(1, D)
    z, queue, centroids = same.expand(N, D), same.expand(K, D), same.expand(4, D)
    targets = torch.zeros(N, dtype=torch.long)
    assert info_nce(z, z, queue, temperature=0.2).item() == pytest.approx(math.log(K + 1))
    assert centroid_contrastive(z, centroids, targets, temperature=0.2).item() == pytest.approx(
        math.log(4)
    )
    assert variance_loss(z, centroids, torch.zeros(4).double(), targets).item() == 0


def test_values_when_orthogonal():
    """Positives aligned, everything else orthogonal; and a query orthogonal to its centroid."""
    eye = torch.eye(D, dtype=torch.float64)
    t = 0.25
    expected = math.log(1 + 2 * math.exp(-1 / t))
    assert info_nce(eye[:3], eye[:3], eye[3:5], temperature=t).item() == pytest.approx(expected)
    targets = torch.arange(3)
    loss = centroid_contrastive(eye[:3], eye[:3], targets, temperature=t).item()
    assert loss == pytest.approx(expected)
    # |z - c|^2 = 2, so the loss is 1 / sigma^2
    apart = variance_loss(eye[:1], eye[3:4], torch.full((1,), 0.5).double(), torch.zeros(1).long())
    assert apart.item() == pytest.approx(2, rel=1e-5)


def test_one_hot_distribution_equals_hard_targets():
    z, centroids = unit(N, D, seed=1), unit(4, D, seed=2)
    variances, targets = torch.rand(4).double(), torch.tensor([0, 3, 1, 1, 2])
    one_hot = F.one_hot(targets, 4).double()
    torch.testing.assert_close(
        centroid_contrastive(z, centroids, targets, temperature=0.2),
        centroid_contrastive(z, centroids, one_hot, temperature=0.2),
    )
    torch.testing.assert_close(
        variance_loss(z, centroids, variances, targets),
        variance_loss(z, centroids, variances, one_hot),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float32_under_autocast(dtype):
    """Half-precision inputs inside autocast give what float32 gives on the rounded inputs."""
    z, k, queue, centroids = (unit(n, D, seed=n).to(dtype) for n in (5, 5, 9, 4))
    variances = torch.full((4,), 0.3)
    targets = (z.float() @ centroids.float().T).argmax(1)
    wide = [x.float() for x in (z, k, queue, centroids)]

    def losses(z, k, queue, centroids):
        return [
            info_nce(z, k, queue, temperature=0.01),
            centroid_contrastive(z, centroids, targets, temperature=0.01),
            variance_loss(z, centroids, variances, targets),
        ]

    with torch.autocast("cpu", dtype=dtype):
        inside = losses(z, k, queue, centroids)
    for a, b in zip(inside, losses(*wide), strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(2, 12), st.floats(0.05, 2))
def test_order_does_not_matter(seed, n, num_clusters, temperature):
    """Samples, negatives and clusters may come in any order."""
    z, k, queue = unit(n, D, seed=seed), unit(n, D, seed=seed + 1), unit(K, D, seed=seed + 2)
    centroids = unit(num_clusters, D, seed=seed + 3)
    variances = torch.rand(num_clusters, dtype=torch.float64) + 0.1
    targets = (z @ centroids.T).argmax(1)
    rows, negatives, order = (torch.randperm(m) for m in (n, K, num_clusters))
    moved = order.argsort()[targets[rows]]
    for a, b in (
        (
            info_nce(z, k, queue, temperature=temperature),
            info_nce(z[rows], k[rows], queue[negatives], temperature=temperature),
        ),
        (
            centroid_contrastive(z, centroids, targets, temperature=temperature),
            centroid_contrastive(z[rows], centroids[order], moved, temperature=temperature),
        ),
        (
            variance_loss(z, centroids, variances, targets),
            variance_loss(z[rows], centroids[order], variances[order], moved),
        ),
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("soft", [True, False])
def test_variance_loss_with_a_variance_per_dimension(soft):
    z, c = unit(N, D), unit(4, D, seed=1)
    variances = torch.rand(4, D, dtype=torch.float64) + 0.1
    weights = torch.rand(N, 4, dtype=torch.float64).softmax(1)
    hard = torch.arange(N) % 4
    targets = weights if soft else hard
    rows = weights if soft else torch.eye(4, dtype=torch.float64)[hard]

    def naive(z, c, variances):
        total = 0.0
        for i in range(N):
            for cluster, weight in enumerate(rows[i]):
                squared = (z[i] - c[cluster]) ** 2
                total = total + weight * (squared / (2 * variances[cluster] + 1e-6)).sum()
        return total / N

    same_value_and_gradients(
        lambda z, c, v: variance_loss(z, c, v, targets), naive, z, c, variances
    )
