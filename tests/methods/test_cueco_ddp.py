"""Two real processes keep one queue and one clustering."""

import pytest
import torch
from methods.ddp_worker import assert_halves_make_the_whole, build, two_processes


@pytest.mark.parametrize(
    "arguments",
    [
        ("1",),
        ("0",),
        ("0", "centroid_gradient=true", "assignment=soft"),
        ("0", "clustering=offline", "queue_size=50"),
    ],
    ids=["broadcast", "no broadcast", "centroid gradient", "offline, uneven queue"],
)
def test_ranks_agree(tmp_path, arguments):
    one, two = two_processes(tmp_path, "cueco", *arguments)
    assert not torch.equal(one["keys"], two["keys"])  # they saw different samples
    for name, value in one["state"].items():
        assert torch.equal(value, two["state"][name]), name
    assert torch.equal(one["weights"], two["weights"])

    # 80 samples make 5 steps an epoch of 8 on each of two processes
    assert int(one["step"]) == int(two["step"]) == 10
    assert int(one["state"]["queue.count"]) == 160
    assert int(one["state"]["clusters.runs"]) >= 1
    # the newest keys of the queue are both processes' last ones, in the order of the ranks
    keys = torch.cat([one["keys"], two["keys"]], dim=1)
    size = one["state"]["queue.keys"].shape[1]
    newest = torch.arange(160 - 16, 160) % size
    torch.testing.assert_close(one["state"]["queue.keys"][:, newest], keys.float())

    assert_halves_make_the_whole(build("cueco", arguments[1:]), one, two)
