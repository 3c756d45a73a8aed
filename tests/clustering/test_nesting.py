"""Labels of nested clusterings."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from cueco_solo.clustering.nesting import canonical, connected, nested


def together(labels):
    return labels[:, None] == labels


@given(st.lists(st.integers(-3, 5), min_size=1, max_size=30))
def test_canonical_names_clusters_after_their_first_sample(numbers):
    ids = torch.tensor(numbers)
    labels = canonical(ids)
    for i, number in enumerate(numbers):
        first = i if number < 0 else numbers.index(number)
        assert labels[i] == first


def test_noise_is_never_a_cluster_of_another_number():
    # a number as large as the samples' indexes must not meet those that noise is given
    assert canonical(torch.tensor([3, -1, 3, -1, 4])).tolist() == [0, 1, 0, 3, 4]


@given(st.data())
def test_nested_keeps_together_what_is_together_on_every_level_above(data):
    n, levels = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 3))
    numbers = st.lists(st.integers(-1, 4), min_size=n, max_size=n)
    ids = torch.tensor([data.draw(numbers) for _ in range(levels)])
    result = nested(ids)
    given_pairs = [together(canonical(row)) for row in ids]
    for level in range(levels):
        expected = torch.stack(given_pairs[level:]).all(0)
        assert torch.equal(together(result[level]), expected)
        assert torch.equal(result[level], canonical(result[level]))


def test_nested_leaves_a_hierarchy_as_it_is():
    levels = torch.tensor([[0, 0, 2, 3, 3], [0, 0, 0, 3, 3]])
    assert torch.equal(nested(levels), levels)


def test_connected_follows_chains():
    groups = connected(torch.tensor([0, 4, 1]), torch.tensor([4, 1, 0]), 6)
    assert together(groups).int().tolist() == [
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert connected(torch.tensor([]).long(), torch.tensor([]).long(), 2).tolist() == [0, 1]
