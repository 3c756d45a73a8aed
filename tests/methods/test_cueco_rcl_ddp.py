"""Two real processes keep one queue and one clustering or hierarchy."""

from functools import cache
from typing import Any

import pytest
import torch
from methods.ddp_worker import CASES, assert_halves_make_the_whole, build, two_processes
from support import Views

from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.clustering.hierarchy import Hierarchy


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a method, what both processes have in the end, by case."""
    return cache(lambda method: two_processes(tmp_path_factory.mktemp(method), method))


def agreeing(trained: Any, method: str, case: str) -> list[dict[str, Any]]:
    """What both processes have in the end, and that it is the same."""
    one, two = (found[case] for found in trained(method))
    assert not torch.equal(one["keys"], two["keys"])  # they saw different samples
    for name, value in one["state"].items():
        assert torch.equal(value, two["state"][name]), name
    assert torch.equal(one["weights"], two["weights"])
    # the newest keys of the queue are both processes' last ones, in the order of the ranks
    assert int(one["state"]["queue.count"]) == 160
    keys, queue = torch.cat([one["keys"], two["keys"]], dim=1), one["state"]["queue.keys"]
    newest = torch.arange(160 - 16, 160) % queue.shape[1]
    torch.testing.assert_close(queue[:, newest], keys.float())
    return [one, two]


@pytest.mark.parametrize("case", CASES["cueco"])
def test_cueco(trained, case):
    one, two = agreeing(trained, "cueco", case)

    # 80 samples make 5 steps an epoch of 8 on each of two processes
    assert int(one["step"]) == int(two["step"]) == 10
    assert int(one["state"]["clusters.runs"]) >= 1
    assert_halves_make_the_whole(build("cueco", CASES["cueco"][case][1]), one, two)


@pytest.mark.parametrize("case", CASES["rcl"])
def test_rcl(trained, case):
    options = CASES["rcl"][case][1]
    one, two = agreeing(trained, "rcl", case)
    assert not set(one["index"].tolist()) & set(two["index"].tolist())

    # what both compute alike isn't sent from the first process to the second
    assert one["marks"] == {"bank": 1, "targets": 1}
    assert two["marks"] == {"bank": 2, "targets": 2}

    # all images that are in batches are known, and 5 steps an epoch of 16 images were queued
    state = {n.removeprefix("hierarchy."): v for n, v in one["state"].items()}
    assert (state["bank"] != 0).any(1).tolist() == [True] * 80 + [False] * 4
    assert torch.equal(state["targets"][:80], Views(84).labels[:80])
    keys = torch.cat([one["keys"], two["keys"]], dim=1)
    index = torch.cat([one["index"], two["index"]])
    newest = torch.arange(160 - 16, 160) % state["queue.keys"].shape[1]
    assert torch.equal(state["queue.index"][newest], index)

    numbers = [len(labels.unique()) for labels in state["labels"]]
    assert 1 < numbers[2] <= numbers[1] < numbers[0] == 84
    whole = build("rcl", options)
    if "hierarchy=dbscan" in options:
        # what the pass over the data put into the bank was clustered
        alone: Hierarchy = whole.hierarchy
        found = dbscan(state["bank"], whole.options.dbscan_eps, min_samples=2, seed=5)
        alone.restart(found.flip(0))
        assert torch.equal(alone.labels, state["labels"])
        assert int(state["runs"]) == 2
    else:
        # one process that makes the last step with the joined batch comes to the same hierarchy
        whole.load_state_dict(one["before"], strict=False)
        samples = whole.hierarchy.remember(keys, index)
        whole.hierarchy.refine(samples, seed=5 + 5)
        for name, value in whole.hierarchy.named_buffers():
            assert torch.equal(value, state[name]), name
        assert int(state["runs"]) == 1 and int(state["steps"]) == 5

    assert_halves_make_the_whole(whole, one, two)
