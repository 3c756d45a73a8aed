"""The samples of some clusters."""

import torch

from cueco_solo.clustering.members import Members

LABELS = torch.tensor([0, 1, 0, 3, 1, 0, 6, 0])


def test_members_of_clusters():
    members = Members.of(torch.tensor([0, 3, 6]), LABELS)
    assert members.rows.tolist() == [0, 2, 5, 7, 3, 6]
    assert members.slots.tolist() == [0, 0, 0, 0, 1, 2]
    assert members.counts.tolist() == [4, 1, 1]


def test_order_of_very_many_clusters():
    """More than 16 bits can count."""
    labels = torch.arange(70_000).flip(0)
    members = Members.of(torch.arange(70_000), labels)
    assert torch.equal(members.rows, labels)
    assert torch.equal(members.slots, torch.arange(70_000))


def test_draw_takes_all_of_small_clusters_and_members_of_large_ones():
    generator = torch.Generator().manual_seed(0)
    labels = torch.cat([LABELS, torch.full((100,), 8)])
    members = Members.of(torch.tensor([0, 3, 8]), labels)
    seen = set()
    for _ in range(300):
        rows, valid = members.draw(5, generator)
        assert rows.shape == (3, 5)
        assert rows[0][valid[0]].tolist() == [0, 2, 5, 7]
        assert rows[1][valid[1]].tolist() == [3]
        assert valid[2].all() and (labels[rows[2]] == 8).all()
        seen.update(rows[2].tolist())
    assert seen == set(range(8, 108))


def test_draw_is_no_wider_than_the_largest_cluster():
    rows, valid = Members.of(torch.tensor([1, 3]), LABELS).draw(32, torch.Generator())
    assert rows.shape == valid.shape == (2, 2)
