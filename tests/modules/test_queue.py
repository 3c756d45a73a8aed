import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cueco_solo.modules.queue import KeyQueue


def test_starts_as_random_unit_vectors():
    queue = KeyQueue(2, 50, 8)
    torch.testing.assert_close(queue.keys.norm(dim=-1), torch.ones(2, 50))
    assert queue.keys.flatten(0, 1).unique(dim=0).shape[0] == 100
    assert queue.filled().shape == (2, 0, 8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_holds_the_last_keys_in_order(size, batches):
    """Against a list: batches that don't divide the size, and ones larger than it."""
    queue, given_keys = KeyQueue(2, size, 1), []
    for n in batches:
        batch = torch.arange(len(given_keys), len(given_keys) + n).float()
        given_keys += batch.tolist()
        queue.enqueue(torch.stack([batch, -batch])[..., None])
        assert int(queue.count) == len(given_keys)
        kept = given_keys[-size:]
        assert sorted(queue.filled()[0, :, 0].tolist()) == kept
        assert torch.equal(queue.filled()[1], -queue.filled()[0])
        for age, key in enumerate(reversed(kept)):
            assert queue.keys[0, (len(given_keys) - 1 - age) % size, 0] == key


def test_buffers_are_changed_in_place_and_saved():
    """DDP holds references to the buffers; a checkpoint brings back both."""
    queue = KeyQueue(1, 5, 2)
    keys, count = queue.keys, queue.count
    queue.enqueue(torch.ones(1, 3, 2))
    assert queue.keys is keys and queue.count is count
    other = KeyQueue(1, 5, 2)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.keys, keys) and int(other.count) == 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_takes_half_precision_keys(dtype):
    queue = KeyQueue(1, 4, 2)
    queue.enqueue(torch.full((1, 2, 2), 0.5, dtype=dtype))
    assert queue.keys.dtype == torch.float32
    assert (queue.filled() == 0.5).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_keeps_the_samples_index_beside_each_key(size, batches):
    """Also of batches that don't divide the size, and of ones larger than it."""
    queue, total = KeyQueue(2, size, 1, indexed=True), 0
    assert queue.index.dtype == torch.int64 and (queue.index == -1).all()
    for n in batches:
        index = torch.arange(total, total + n)
        queue.enqueue((index + 0.5).expand(2, n)[..., None], 3 * index)
        total += n
        filled = min(total, size)
        assert torch.equal(queue.index[:filled], 3 * (queue.keys[0, :filled, 0] - 0.5).long())
        assert sorted(queue.index[:filled].tolist()) == [3 * i for i in range(total)][-size:]
        assert (queue.index[filled:] == -1).all()


def test_index_is_saved_and_only_where_asked_for():
    queue, other = KeyQueue(1, 5, 2, indexed=True), KeyQueue(1, 5, 2, indexed=True)
    index = queue.index
    queue.enqueue(torch.ones(1, 3, 2), torch.tensor([7, 1, 7]))
    assert queue.index is index and index.tolist() == [7, 1, 7, -1, -1]
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.index, index)
    assert not hasattr(KeyQueue(1, 5, 2), "index")


def test_keys_that_are_not_finite_leave_the_old_ones_in_place():
    queue = KeyQueue(2, 4, 3, indexed=True)
    old, keys = queue.keys.clone(), F.normalize(torch.randn(2, 3, 3), dim=-1)
    keys[1, 1, 0] = torch.nan  # of one view: the sample's other view stays out, too
    queue.enqueue(keys, torch.tensor([7, 8, 9]))
    assert torch.equal(queue.keys[:, [0, 2]], keys[:, [0, 2]])
    assert torch.equal(queue.keys[:, [1, 3]], old[:, [1, 3]])
    assert queue.index.tolist() == [7, -1, 9, -1]
