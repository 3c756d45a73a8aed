import pytest
import support
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cueco_solo.clustering.grouping import MomentumGrouping, moved_centroids
from cueco_solo.losses.cueco import variance_loss


def unit(n, dim=4, seed=0):
    return support.unit(n, dim, seed=seed)


def grouping(num_clusters=5, dim=4, beta1=0.9, beta2=0.8, seed=0):
    torch.manual_seed(seed)
    return MomentumGrouping(num_clusters, dim, centroid_momentum=beta1, variance_momentum=beta2)


def naive_update(k, centroids, variances, beta1, beta2):
    """Eqs. 7 and 8 cluster by cluster, in float64."""
    k, centroids, variances = k.double(), centroids.double().clone(), variances.double().clone()
    nearest = [min(range(len(centroids)), key=lambda c: (x - centroids[c]).norm()) for x in k]
    for cluster in range(len(centroids)):
        members = [x for x, own in zip(k, nearest, strict=True) if own == cluster]
        if not members:
            continue
        mean = torch.stack(members).mean(0)
        moved = beta1 * centroids[cluster] + (1 - beta1) * mean
        centroids[cluster] = moved / moved.norm()
        spread = sum(((x - centroids[cluster]) ** 2).sum() for x in members) / len(members)
        variances[cluster] = beta2 * variances[cluster] + (1 - beta2) * spread
    return centroids, variances


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(2, 40), st.integers(0, 2**31))
def test_update_against_naive_loop(n, num_clusters, seed):
    """Any sizes, also more clusters than keys, with empty and singleton clusters."""
    clusters, k = grouping(num_clusters, seed=seed), unit(n, seed=seed + 1)
    clusters.variances.uniform_(0.1, 1)
    expected = naive_update(k, clusters.centroids, clusters.variances, 0.9, 0.8)
    clusters.update(k, step=7)
    torch.testing.assert_close(clusters.centroids.double(), expected[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(clusters.variances.double(), expected[1], rtol=1e-5, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_order_of_keys_does_not_matter(seed):
    k = unit(20, seed=seed)
    one, two = grouping(), grouping()
    one.update(k, 1)
    two.update(k[torch.randperm(20)], 1)
    torch.testing.assert_close(one.centroids, two.centroids)
    torch.testing.assert_close(one.variances, two.variances)


def test_more_clusters_than_samples_keeps_variances_alive():
    """Singletons in every batch must not shrink the variances to nothing (Eq. 8 as printed)."""
    clusters = grouping(num_clusters=64, dim=16, beta1=0.99, beta2=0.99)
    data = unit(256, dim=16, seed=1)
    clusters.recluster(data, seed=0, step=1)
    start = clusters.variances.mean().item()
    for step in range(600):
        batch = unit(8, dim=16, seed=2 + step)
        clusters.update(batch, step)
    assert clusters.variances.min().item() > 0.2 * start
    z = unit(8, dim=16, seed=9999)
    targets = clusters.nearest(z)
    loss = variance_loss(z, clusters.centroids, clusters.variances, targets)
    assert 0.1 < loss.item() < 5


def test_recluster_gives_means_on_the_sphere_and_their_variances():
    """Eq. 2 around the unit-norm centroids, with two keys of average distance as a prior."""
    clusters, k = grouping(3), unit(60)
    clusters.recluster(k, seed=1, step=9)
    labels = clusters.nearest(k)
    torch.testing.assert_close(clusters.centroids.norm(dim=1), torch.ones(3))
    squared = (k - clusters.centroids[labels]).pow(2).sum(1)
    for cluster in range(3):
        members = squared[labels == cluster]
        expected = (members.sum() + 2 * squared.mean()) / (len(members) + 2)
        torch.testing.assert_close(clusters.variances[cluster], expected)
    assert int(clusters.runs) == 1


def test_recluster_finds_the_means_of_separate_blobs():
    centres = torch.eye(4)[:3]
    k = F.normalize((centres[:, None] + 0.1 * torch.randn(3, 20, 4)).flatten(0, 1), dim=1)
    clusters = grouping(3)
    clusters.recluster(k, seed=0, step=0)
    means = F.normalize(k.view(3, 20, 4).mean(1), dim=1)
    torch.testing.assert_close(clusters.centroids[clusters.nearest(centres)], means)


def test_clusters_of_one_image_keep_a_variance():
    """One key, or two views that coincide, have no variance; Eq. 5 divides by it."""
    blob = F.normalize(torch.tensor([1.0, 0, 0, 0]) + 0.1 * torch.randn(30, 4), dim=1)
    pair, single = torch.tensor([[0, 0, 0, -1.0]] * 2), torch.tensor([[0, 0, -1.0, 0]])
    clusters = grouping(3)
    clusters.recluster(torch.cat([blob, pair, single]), seed=0, step=0)
    squared = (blob - clusters.centroids[clusters.nearest(blob)[0]]).pow(2).sum(1)
    pooled = squared.sum() / 33
    for outlier, keys in ((pair, 2), (single, 1)):
        torch.testing.assert_close(
            clusters.variances[clusters.nearest(outlier)[0]], 2 * pooled / (keys + 2)
        )


def test_small_clusters_do_not_make_up_the_variance_loss():
    """Few images a cluster, two close views of each: the worst 5 % must not be half of the loss."""
    torch.manual_seed(0)
    images = unit(512, dim=32)
    views = [F.normalize(images + 0.02 * torch.randn(512, 32), dim=1) for _ in range(2)]
    clusters = grouping(200, dim=32)
    clusters.recluster(torch.cat(views), seed=0, step=0)
    z = F.normalize(images + 0.02 * torch.randn(512, 32), dim=1)
    c, v = clusters.centroids, clusters.variances
    losses = torch.stack(
        [variance_loss(z[i : i + 1], c, v, clusters.nearest(z[i : i + 1])) for i in range(512)]
    )
    assert losses.sort(descending=True).values[:26].sum() < 0.25 * losses.sum()


def test_moved_centroids_carry_gradient_to_the_members_alone():
    centroids = torch.eye(4)
    x = F.normalize(torch.tensor([[1.0, 0.2, 0, 0], [0.9, 0, 0.3, 0]]), dim=1).requires_grad_()
    moved = moved_centroids(x, torch.tensor([0, 0]), centroids, 0.9)
    assert torch.equal(moved[1:], centroids[1:])
    (gradient,) = torch.autograd.grad(moved[0, 1], x)
    # d normalise(v) with v = 0.9 c + 0.1 mean, each member has half of the mean
    v = 0.9 * centroids[0] + 0.1 * x.detach().mean(0)
    direction = v / v.norm()
    expected = 0.05 * (torch.eye(4)[1] - direction * direction[1]) / v.norm()
    torch.testing.assert_close(gradient, expected.expand(2, 4))


def test_health():
    clusters = grouping(4)
    clusters.recluster(unit(40), seed=0, step=9)
    assert clusters.health(9)["active"].item() == 0  # K-means' own members don't count
    clusters.centroids.copy_(torch.eye(4))
    clusters.usage.zero_()
    k = torch.eye(4)[[0, 0, 0, 1]]
    clusters.update(k, step=10)
    health = clusters.health(10)
    assert health["active"].item() == 2
    assert health["largest_share"].item() == pytest.approx(0.75)
    entropy = -(0.75 * torch.tensor(0.75).log() + 0.25 * torch.tensor(0.25).log())
    assert health["perplexity"].item() == pytest.approx(entropy.exp().item())
    assert health["mean_variance"].item() == pytest.approx(clusters.variances.mean().item())
    assert clusters.health(1009)["active"].item() == 2
    assert clusters.health(1010)["active"].item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_state_stays_float32_under_autocast(dtype):
    clusters, reference, k = grouping(), grouping(), unit(12).to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        clusters.update(k, 1)
    reference.update(k.float(), 1)
    assert clusters.centroids.dtype == torch.float32
    torch.testing.assert_close(clusters.centroids, reference.centroids, rtol=0, atol=0)
    torch.testing.assert_close(clusters.variances, reference.variances, rtol=0, atol=0)


@pytest.mark.parametrize("variance", ["sum", "mean", "per_dimension"])
def test_variances_are_of_the_size_that_was_chosen(variance):
    """Against a loop over the clusters, at a reset and after an update."""
    torch.manual_seed(0)
    k, more = F.normalize(torch.randn(2, 60, 5), dim=-1)
    grouping = MomentumGrouping(
        4, 5, centroid_momentum=0.9, variance_momentum=0.7, variance=variance
    )
    sizes = {"sum": lambda x: x.sum(-1), "mean": lambda x: x.mean(-1), "per_dimension": lambda x: x}
    size = sizes[variance]
    grouping.recluster(k, seed=1, step=0)
    labels, c = grouping.nearest(k), grouping.centroids
    pooled = size((k - c[labels]).pow(2).mean(0))
    first = []
    for i in range(4):
        own = k[labels == i]
        spread = size((own - c[i]).pow(2).sum(0))
        first.append((spread + 2 * pooled) / (len(own) + 2))
    torch.testing.assert_close(grouping.variances, torch.stack(first))
    labels = grouping.nearest(more)
    grouping.update(more, 1)
    for i in range(4):
        own = more[labels == i]
        target = size((own - grouping.centroids[i]).pow(2).mean(0)) if len(own) else first[i]
        torch.testing.assert_close(grouping.variances[i], 0.7 * first[i] + 0.3 * target)


def test_keys_that_are_not_finite_are_left_out():
    torch.manual_seed(0)
    k = F.normalize(torch.randn(40, 5), dim=-1)
    bad = torch.cat([k, torch.full((2, 5), torch.nan), torch.full((1, 5), torch.inf)])
    one, other = (
        MomentumGrouping(4, 5, centroid_momentum=0.9, variance_momentum=0.9) for _ in range(2)
    )
    other.load_state_dict(one.state_dict())
    for grouping, keys in ((one, k), (other, bad)):
        grouping.recluster(keys, seed=1, step=0)
        grouping.update(keys, 1)
    for name, buffer in one.named_buffers():
        torch.testing.assert_close(dict(other.named_buffers())[name], buffer)
