"""The online hierarchy: its invariants, one step against a loop, recovery of what is there."""

from functools import partial
from itertools import pairwise
from unittest import mock

import pytest
import support
import torch
import torch.nn.functional as F
from clustering.test_density_peaks import peaks_of
from clustering.test_nesting import together
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from cueco_solo.clustering import hierarchy as module
from cueco_solo.clustering.hierarchy import Hierarchy
from cueco_solo.clustering.nesting import canonical, nested

unit = partial(support.unit, seed=0)


def filled(x, levels, *, thresholds, max_splits=4):
    """A hierarchy that knows ``x`` and starts from ``levels`` (from level 2 up)."""
    result = Hierarchy(
        len(x), x.shape[1], len(levels) + 1, max_splits=max_splits, merge_threshold=thresholds
    )
    result.remember(x[None], torch.arange(len(x)))
    result.restart(levels)
    return result


def assert_hierarchy(labels):
    """Partitions, named after members, nested."""
    n = labels.shape[1]
    assert torch.equal(labels[0], torch.arange(n))
    assert (labels >= 0).all() and (labels < n).all()
    for row in labels:
        assert torch.equal(row[row], row)  # a cluster's name is one of its samples
    for below, above in pairwise(labels):
        assert not (together(below) & ~together(above)).any()


class Watched(Hierarchy):
    """Checks every level's step by itself."""

    def _refine_level(self, level, samples, generator):
        before = self.labels.clone()
        splits, merges = super()._refine_level(level, samples, generator)
        changed = (self.labels != before).any(1)
        assert changed.nonzero().flatten().tolist() in ([], [level - 1])
        assert_hierarchy(self.labels)  # so no merge has crossed a parent, no split a unit
        touched = torch.isin(before[level - 1], before[level - 1][samples])
        assert torch.equal(self.labels[level - 1][~touched], before[level - 1][~touched])
        numbers = [len(state[level - 1].unique()) for state in (before, self.labels)]
        assert splits >= 0 and merges >= 0
        assert numbers[1] == numbers[0] + splits - merges
        return splits, merges


@st.composite
def cases(draw):
    n, levels = draw(st.integers(2, 40)), draw(st.integers(1, 3))
    ids = st.lists(st.integers(-1, 6), min_size=n, max_size=n)
    start = torch.tensor([draw(ids) for _ in range(levels)])
    thresholds = sorted(draw(st.lists(st.floats(-1, 1), min_size=levels, max_size=levels)))
    sizes = st.integers(1, n)
    batches = draw(st.lists(st.tuples(st.integers(0, 999), sizes), min_size=1, max_size=6))
    return n, start, thresholds, draw(st.integers(2, 5)), batches, draw(st.integers(2, 5))


# small samples of the clusters, so that most of them are drawn from and divided
@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from([2, 3, 32]), st.booleans())
def test_every_operation_keeps_the_hierarchy(case, sample, duplicates):
    n, start, thresholds, max_splits, batches, dim = case
    sizes = {"_CLUSTER_SAMPLE": sample, "_UNIT_SAMPLE": max(1, sample // 2)}
    with mock.patch.multiple(module, **sizes):
        x = unit(n, dim)
        if duplicates:
            x = x[torch.arange(n) // 3 * 3]
        watched = Watched(n, dim, len(start) + 1, max_splits=max_splits, merge_threshold=thresholds)
        watched.remember(x[None], torch.arange(n))
        watched.restart(start)
        assert_hierarchy(watched.labels)
        for seed, size in batches:
            generator = torch.Generator().manual_seed(seed)
            index = torch.randint(n, (size,), generator=generator)
            k = unit(2, size, dim, seed=seed)
            watched.refine(watched.remember(k, index), seed=seed)
        assert int(watched.steps) == len(batches)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_order_within_a_batch_does_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(6, (2, 40), generator=generator)
    one, two = (filled(unit(40, 8), start, thresholds=[0.1, 0.3]) for _ in range(2))
    for step in range(3):
        # the same sample twice, as in the last batch of a distributed epoch
        index = torch.cat([torch.randperm(40, generator=generator)[:15], torch.tensor([7, 7])])
        k, order = unit(2, 17, 8, seed=seed + step), torch.randperm(17, generator=generator)
        one.refine(one.remember(k, index), seed=step)
        two.refine(two.remember(k[:, order], index[order]), seed=step)
        assert torch.equal(one.bank, two.bank)
        assert torch.equal(one.labels, two.labels)


def loop_step(x, labels, level, samples, threshold, max_splits):
    """Sec. 4.3 for one level, sample by sample; clusters small enough to be looked at whole."""
    n = len(x)
    row, below = labels[level - 1].tolist(), labels[level - 2].tolist()
    above = labels[level].tolist() if level < len(labels) else [0] * n
    parts, keeps = [], list(range(n))
    for cluster in sorted({row[i] for i in samples.tolist()}):
        members = [i for i in range(n) if row[i] == cluster]
        units = sorted({below[i] for i in members}, key=lambda u: below.index(u))
        of = {u: [i for i in members if below[i] == u] for u in units}
        centres = torch.stack([F.normalize(x[of[u]].mean(0), dim=0) for u in units])
        peaks = peaks_of(centres, max_splits)
        split: dict[int, list[int]] = {}
        for position, u in enumerate(units):
            best = max(peaks, key=lambda p: float(centres[position] @ centres[p]))
            split.setdefault(best, []).extend(of[u])
        parts += list(split.values())
        keeps = [i for i in keeps if i not in members]
    groups = list(range(len(parts)))
    for a in range(len(parts)):
        for b in range(len(parts)):
            similarity = float((x[parts[a]] @ x[parts[b]].T).mean())
            if similarity > threshold and above[parts[a][0]] == above[parts[b][0]]:
                groups = [groups[a] if g == groups[b] else g for g in groups]
    result = torch.arange(n) + 1000
    for i in keeps:
        result[i] = row[i]
    for part, group in zip(parts, groups, strict=True):
        result[part] = 2000 + group
    return canonical(result)


@pytest.mark.parametrize("seed", range(12))
def test_one_step_against_a_loop(seed, monkeypatch):
    monkeypatch.setattr(module, "_CLUSTER_SAMPLE", 60)  # the loop knows no samples of clusters
    monkeypatch.setattr(module, "_UNIT_SAMPLE", 60)
    generator = torch.Generator().manual_seed(seed)
    centres = unit(4, 6, seed=seed)
    x = F.normalize(centres[torch.arange(60) % 4] + 0.25 * unit(60, 6, seed=seed + 50), dim=1)
    start = torch.randint(8, (3, 60), generator=generator) // torch.tensor([[1], [2], [4]])
    ours = filled(x, start, thresholds=[0.2, 0.4, 0.6], max_splits=3)
    x = ours.bank.double()  # what half precision has left of it
    samples = torch.randperm(60, generator=generator)[:10].sort().values
    for level, threshold in ((2, 0.6), (3, 0.4), (4, 0.2)):
        expected = loop_step(x, ours.labels, level, samples, threshold, 3)
        ours._refine_level(level, samples, torch.Generator())
        assert torch.equal(canonical(ours.labels[level - 1]), expected)


def planted(spread):
    """4 groups of 5 clusters of 20 unit vectors, noise of norm ``spread`` at both steps down."""
    generator = torch.Generator().manual_seed(0)
    noise = lambda *shape: F.normalize(torch.randn(*shape, 64, generator=generator), dim=-1)  # noqa: E731
    groups = noise(4)
    clusters = F.normalize(groups[:, None] + spread[0] * noise(4, 5), dim=-1)
    x = F.normalize(clusters[:, :, None] + spread[1] * noise(4, 5, 20), dim=-1)
    fine = torch.arange(20).repeat_interleave(20)
    return x.flatten(0, 2), torch.stack([fine, fine // 5])


def poor_start(kind, n):
    generator = torch.Generator().manual_seed(1)
    return {
        "one cluster": torch.zeros(2, n, dtype=torch.long),
        "singletons": torch.full((2, n), -1),
        "random": torch.randint(40, (2, n), generator=generator) // torch.tensor([[1], [5]]),
    }[kind]


# adjusted Rand index of levels 2 and 3 with what was planted, before and after 10 epochs
@pytest.mark.parametrize(
    ("start", "spread", "thresholds", "before", "after"),
    [
        ("one cluster", (0.6, 0.4), (0.5, 0.8), (0.0, 0.0), (0.97, 1.0)),
        ("singletons", (0.6, 0.4), (0.5, 0.8), (0.0, 0.0), (1.0, 1.0)),
        ("random", (0.6, 0.4), (0.5, 0.8), (0.0, 0.0), (1.0, 1.0)),
        ("one cluster", (0.8, 0.6), (0.33, 0.67), (0.0, 0.0), (0.97, 1.0)),
        ("singletons", (0.8, 0.6), (0.33, 0.67), (0.0, 0.0), (1.0, 1.0)),
        ("random", (0.8, 0.6), (0.33, 0.67), (0.0, 0.0), (1.0, 1.0)),
    ],
)
def test_planted_hierarchies_are_recovered(start, spread, thresholds, before, after):
    """From a poor start, by refinement alone."""
    x, truth = planted(spread)
    found = filled(x, poor_start(start, len(x)), thresholds=thresholds)

    def scores():
        return [adjusted_rand_score(t, f) for t, f in zip(truth, found.labels[1:], strict=True)]

    assert scores() == pytest.approx(before, abs=0.02)
    generator = torch.Generator().manual_seed(2)
    for step in range(100):
        if step % 10 == 0:
            batches = torch.randperm(len(x), generator=generator).split(40)
        found.refine(batches[step % 10].sort().values, seed=step)
    assert scores() == pytest.approx(after, abs=0.02)


def test_bank_keeps_the_mean_direction_of_both_views():
    h = Hierarchy(6, 4, 2, max_splits=2, merge_threshold=[0.5])
    k = unit(2, 4, 4)
    samples = h.remember(k, torch.tensor([5, 2, 2, 0]))
    assert samples.tolist() == [0, 2, 5]
    mean = k.mean(0)
    expected = torch.stack([mean[3], mean[1] + mean[2], mean[0]])
    expected = F.normalize(expected, dim=1)
    torch.testing.assert_close(h.bank[[0, 2, 5]].float(), expected, atol=1e-3, rtol=0)
    assert h.bank.dtype == torch.float16 and not h.bank[[1, 3, 4]].any()


def test_restart_makes_levels_nested_and_counts():
    h = Hierarchy(5, 4, 3, max_splits=2, merge_threshold=[0.5, 0.6])
    assert int(h.runs) == 0
    levels = torch.tensor([[7, 7, 7, -1, 2], [1, 1, 4, 4, -1]])
    h.restart(levels)
    assert torch.equal(h.labels[1:], nested(levels)) and int(h.runs) == 1
    assert h.sizes().tolist() == [[1] * 5, [2, 0, 1, 1, 1], [2, 0, 2, 0, 1]]


def test_a_key_that_is_not_finite_leaves_the_old_one():
    x = unit(6, 4)
    h = filled(x, torch.zeros(1, 6, dtype=torch.long), thresholds=[0.9])
    k = unit(2, 3, 4, seed=1)
    k[0, 1, 2], k[1, 2, 0] = torch.nan, torch.inf
    before = h.bank.clone()
    h.refine(h.remember(k, torch.tensor([0, 1, 2])), seed=0)
    assert torch.equal(h.bank[1:], before[1:]) and not torch.equal(h.bank[0], before[0])
    assert_hierarchy(h.labels)
