from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN as Reference

from cueco_solo.clustering import dbscan as module
from cueco_solo.clustering.dbscan import dbscan


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 37)  # several blocks, the last one short


def blobs(n, num_clusters, *, spread, dim=8, seed=0):
    """Unit vectors around random centres; distances to them vary, so that some are border points"""
    g = torch.Generator().manual_seed(seed)
    centres = F.normalize(torch.randn(num_clusters, dim, generator=g, dtype=torch.float64), dim=1)
    noise = F.normalize(torch.randn(n, dim, generator=g, dtype=torch.float64), dim=1)
    scale = spread * 2 * torch.rand(n, 1, generator=g, dtype=torch.float64)
    return F.normalize(centres[torch.arange(n) % num_clusters] + scale * noise, dim=1)


def same_partition(a, b):
    pairs = torch.stack([torch.as_tensor(a), torch.as_tensor(b)], 1).unique(dim=0)
    return len(pairs) == len(pairs[:, 0].unique()) == len(pairs[:, 1].unique())


def assert_named_after_smallest(labels):
    for label in labels[labels >= 0].unique():
        assert (labels == label).nonzero()[0] == label


def assert_joined_nearest_core(x, labels, who, core, eps):
    """Samples ``who`` carry the label of their nearest core point, or -1 if it is beyond eps."""
    distances = torch.cdist(x[who], x[core], compute_mode="donot_use_mm_for_euclid_dist")
    for row, label in zip(distances, labels[who], strict=True):
        nearest = labels[core][row <= row.min() + 1e-7] if len(row) else torch.tensor([])
        if label < 0:
            assert not (row <= eps).any()
        else:
            assert row.min() <= eps and label in nearest


def assert_is_dbscan(x, eps, min_samples, labels):
    """``labels`` is scikit-learn's clustering up to the choice that border points have."""
    reference = Reference(eps=eps, min_samples=min_samples).fit(x.numpy())
    core = torch.zeros(len(x), dtype=torch.bool)
    core[reference.core_sample_indices_] = True
    assert torch.equal(labels < 0, torch.from_numpy(reference.labels_ < 0))
    assert same_partition(labels[core], torch.from_numpy(reference.labels_)[core])
    assert_joined_nearest_core(x, labels, ~core, core, eps)
    assert_named_after_smallest(labels)
    return core


@pytest.mark.parametrize("min_samples", [1, 4, 10])
@pytest.mark.parametrize("dim", [3, 8])
def test_agrees_with_scikit_learn(dim, min_samples):
    x = blobs(500, 12, spread=0.5, dim=dim)
    eps = [0.2, 0.3, 0.5, 0.7]
    for radius, labels in zip(eps, dbscan(x, eps, min_samples=min_samples), strict=True):
        assert_is_dbscan(x, radius, min_samples, labels)


def test_border_points_between_clusters_join_the_nearer():
    """These uniform vectors have border points with core points of two clusters within reach."""
    x = blobs(500, 25, spread=3, dim=4)
    labels = dbscan(x, [0.4], min_samples=10)[0]
    core = assert_is_dbscan(x, 0.4, 10, labels)
    border = ~core & (labels >= 0)
    near = torch.cdist(x[border], x[core]) <= 0.4
    assert sum(len(labels[core][row].unique()) > 1 for row in near) > 10


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    num_clusters=st.integers(1, 8),
    dim=st.integers(2, 4),
    spread=st.floats(0.01, 3),
    duplicates=st.booleans(),
    zeros=st.integers(0, 5),
    eps=st.lists(st.floats(0.01, 1.9), min_size=1, max_size=3),
    min_samples=st.integers(1, 6),
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 70),
)
def test_is_dbscan_whatever_the_data(
    n, num_clusters, dim, spread, duplicates, zeros, eps, min_samples, seed, rows
):
    g = torch.Generator().manual_seed(seed)
    x = blobs(n, num_clusters, spread=spread, dim=dim, seed=seed)
    if duplicates:
        x = x[torch.randint(n, (n,), generator=g)]
    place = torch.randperm(n + zeros, generator=g)[:n].sort().values
    spaced = torch.zeros(n + zeros, dim, dtype=x.dtype)
    spaced[place] = x
    with mock.patch.object(module, "_ROWS", rows):
        labels = dbscan(spaced, eps, min_samples=min_samples)
    assert labels.shape == (len(eps), n + zeros) and labels.dtype == torch.int64
    for radius, row in zip(eps, labels, strict=True):
        assert (row[(spaced == 0).all(1)] == -1).all()
        position = torch.full((n + zeros,), -1)
        position[place] = torch.arange(n)
        assert_is_dbscan(x, radius, min_samples, torch.where(row < 0, -1, position[row])[place])


def test_several_radii_in_any_order_equal_single_ones():
    x = blobs(300, 10, spread=0.5).float()
    eps = [0.5, 0.7, 0.3, 0.5]
    together = dbscan(x, eps, min_samples=4)
    assert torch.equal(together, torch.cat([dbscan(x, [e], min_samples=4) for e in eps]))
    assert len({row.unique().numel() for row in together}) == 3


def test_chain_across_all_blocks_is_one_cluster():
    """Neighbours along a circle, in random order: components grow across blocks step by step."""
    angle = torch.linspace(0, 3.1, 400, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    shuffled = circle[torch.randperm(400, generator=torch.Generator().manual_seed(0))]
    assert (dbscan(shuffled, [0.0078], min_samples=2) == 0).all()
    assert (dbscan(shuffled, [0.0077], min_samples=2) == -1).all()


def test_order_of_samples_does_not_matter():
    x = blobs(300, 10, spread=0.5)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    labels, permuted = (dbscan(y, [0.4], min_samples=4)[0] for y in (x, x[order]))
    assert torch.equal(labels[order] < 0, permuted < 0)
    assert same_partition(labels[order], permuted)


def test_zero_rows_are_noise_even_within_the_largest_radius():
    x = torch.zeros(10, 4)
    x[3:6] = torch.tensor([1.0, 0, 0, 0])
    expected = torch.full((10,), -1)
    assert (dbscan(x, [2.0], min_samples=4) == -1).all()
    expected[3:6] = 3
    assert torch.equal(dbscan(x, [2.0, 0.5], min_samples=3), expected.expand(2, 10))
    assert (dbscan(torch.zeros(10, 4), [2.0], min_samples=1) == -1).all()


def test_collapsed_features_are_one_cluster_without_a_list_of_all_pairs(monkeypatch):
    edges = []

    def counted(component, a, b):
        edges.append(len(a))
        return contracted(component, a, b)

    contracted = module._contracted
    monkeypatch.setattr(module, "_contracted", counted)
    x = F.normalize(torch.randn(1, 16), dim=1).repeat(200, 1)
    assert (dbscan(x, [0.01, 0.7], min_samples=4) == 0).all()
    # the first row of blocks connects everything; there are 20,000 pairs for each radius
    assert sum(edges) <= 2 * 37 * 200


@pytest.mark.parametrize("max_samples", [1000, 60])
def test_half_precision(max_samples, monkeypatch):
    """Half features give what the same in float32 do, and are never converted all at once."""
    converted = []

    def recorded(rows):
        converted.append(len(rows))
        return rows.float()

    x = blobs(400, 5, spread=0.4).half()
    expected = dbscan(x.float(), [0.6, 0.4], min_samples=4, max_samples=max_samples)
    monkeypatch.setattr(module, "widened", recorded)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        labels = dbscan(x, [0.6, 0.4], min_samples=4, max_samples=max_samples)
    assert torch.equal(labels, expected)
    assert max(converted) == min(max_samples, 400)


def test_half_precision_leaves_the_sphere_only_in_rounding():
    """At a small radius the norms' rounding would put a sample outside its own neighbourhood."""
    x = F.normalize(torch.randn(50, 64), dim=1).half()
    assert torch.equal(dbscan(x, [0.01], min_samples=1)[0], torch.arange(50))


def test_large_data_join_a_random_subset():
    x = blobs(600, 10, spread=0.5)
    x[::7] = 0
    present = (x != 0).any(1).nonzero().squeeze(1)
    labels = dbscan(x, [0.6, 0.4], min_samples=4, max_samples=200, seed=3)
    drawn = torch.randperm(len(present), generator=torch.Generator().manual_seed(3))[:200]
    subset = present[drawn.sort().values]
    alone = dbscan(x[subset], [0.6, 0.4], min_samples=4)
    others = torch.ones(600, dtype=torch.bool)
    others[subset] = others[::7] = False
    for radius, row, expected in zip([0.6, 0.4], labels, alone, strict=True):
        assert torch.equal(row[subset] < 0, expected < 0)
        assert same_partition(row[subset], expected)
        core = torch.zeros(600, dtype=torch.bool)
        reference = Reference(eps=radius, min_samples=4).fit(x[subset].numpy())
        core[subset[reference.core_sample_indices_]] = True
        assert_joined_nearest_core(x, row, others, core, radius)
        assert 0 < (row[others] < 0).sum() < others.sum()
        assert (row[::7] == -1).all()
        assert_named_after_smallest(row)


def test_subset_follows_the_seed():
    x = blobs(300, 10, spread=0.5)
    a, b, c = (dbscan(x, [0.4], min_samples=4, max_samples=100, seed=s) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    whole = dbscan(x, [0.4], min_samples=4, max_samples=None)
    assert torch.equal(whole, dbscan(x, [0.4], min_samples=4, max_samples=300))
