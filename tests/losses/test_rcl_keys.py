"""RCL's choice of keys against a loop."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rcl_losses import D, flags, unit

from cueco_solo.losses.rcl import nearest_entries, relative_keys


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.floats(0, 1)
)
def test_nearest_entries_against_a_loop(seed, levels, n, k, share):
    keys, queue = unit(n, D, seed=seed), unit(k, D, seed=seed + 1)
    allowed = flags(levels, n, k, seed=seed, share=share)
    places, found = nearest_entries(keys, queue, allowed)
    assert places.shape == found.shape == (levels, n) and places.dtype == torch.int64
    for level in range(levels):
        for i in range(n):
            candidates = [j for j in range(k) if allowed[level, i, j]]
            assert bool(found[level, i]) == bool(candidates)
            if candidates:
                nearest = max(candidates, key=lambda j: float(torch.dot(keys[i], queue[j])))
                assert int(places[level, i]) == nearest
            assert 0 <= int(places[level, i]) < k  # harmless to look up where there is none


def test_nearest_entry_may_be_far_and_is_chosen_without_gradient():
    """An entry opposite to the key is better than none."""
    k = unit(1, D).requires_grad_()
    queue = torch.cat([k, -k])
    allowed = torch.tensor([[[False, True]], [[True, True]], [[False, False]]])
    places, found = nearest_entries(k, queue, allowed)
    assert places[:2, 0].tolist() == [1, 0]
    assert found[:, 0].tolist() == [True, True, False]
    assert not places.requires_grad and not found.requires_grad


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(2, 4),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(2, 9),
    st.floats(0, 1),
)
def test_relative_keys_against_a_loop(seed, levels, n, k, samples, filled):
    """Any labels, samples that stand in batch and queue more than once, entries without one."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (levels, samples), generator=generator)
    labels[0] = torch.arange(samples)
    index = torch.randint(samples, (n,), generator=generator)
    entries = torch.randint(samples, (k,), generator=generator)
    entries[~flags(k, seed=seed, share=filled)] = -1
    own, queue = unit(n, D, seed=seed), unit(k, D, seed=seed + 1)
    result = relative_keys(own, queue, index, entries, labels)
    assert result.queued.tolist() == [False] + [True] * (levels - 1)
    assert result.positive.shape == (levels, n, levels)
    assert torch.equal(result.keys[:, 0], own)
    assert result.present[:, 0].all() and (result.positive[:, :, 0] == 1).all()
    for i, sample in enumerate(index.tolist()):
        for level in range(1, levels):
            candidates = [
                j
                for j, other in enumerate(entries.tolist())
                if other not in (-1, sample) and labels[level, other] == labels[level, sample]
            ]
            assert bool(result.present[i, level]) == bool(candidates)
            if candidates:
                j = max(candidates, key=lambda j: float(own[i] @ queue[j]))
                assert torch.equal(result.keys[i, level], queue[j])
                same = labels[:, entries[j]] == labels[:, sample]
                assert torch.equal(result.positive[:, i, level], same.float())
