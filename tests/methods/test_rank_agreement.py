"""After every batch, two and four real processes have the same state to the bit."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from methods import agreement_worker
from methods.agreement_worker import CASES
from support import python

from cueco_solo import host

# solo-learn's methods refuse several processes on the release
NAMES = [name for name in CASES if name != "mocov2plus" or host.FORM == "main"]
OF_FOUR = ["cueco, accumulated", "rcl, online", "self_classifier, v2"]
# what must have changed, so that agreeing on it says something
MOVED = {
    "cueco": ("queue.keys", "queue.count", "clusters.centroids", "clusters.variances", "step"),
    "rcl": ("queue.keys", "queue.index", "hierarchy.bank", "hierarchy.labels", "targets"),
    "self_classifier": ("head_losses", "projector.0.weight"),
    "mocov2plus": ("queue", "queue_ptr"),
}


def ranks(folder: Path, processes: int, names: list[str]) -> list[dict[str, Any]]:
    worker = Path(agreement_worker.__file__)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(worker.parents[1]), env.get("PYTHONPATH", "")])
    done = python("-W", "ignore", worker, folder, processes, *names, env=env, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads((folder / f"rank{r}.json").read_text()) for r in range(processes)]


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks(tmp_path_factory.mktemp("two"), 2, NAMES)


@pytest.fixture(scope="module")
def of_four(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks(tmp_path_factory.mktemp("four"), 4, OF_FOUR)


@pytest.mark.parametrize(
    ("processes", "name"), [*((2, n) for n in NAMES), *((4, n) for n in OF_FOUR)]
)
def test_all_ranks_agree_after_every_batch(
    processes: int, name: str, request: pytest.FixtureRequest
):
    all_found = request.getfixturevalue({2: "of_two", 4: "of_four"}[processes])
    first, *others = [found[name] for found in all_found]
    case = CASES[name]
    share = -(-case.images // processes)
    batches = share // 4 if case.whole else -(-share // 4)
    assert len(first["steps"]) == 2 * batches
    for rank, other in enumerate(others, 1):
        assert not set(first["batches"]) & set(other["batches"])  # they saw other images
        for number, (one, two) in enumerate(zip(first["steps"], other["steps"], strict=True)):
            different = [key for key in one if one[key] != two[key]]
            assert not different, f"rank {rank}, batch {number}"
            assert one.keys() == two.keys()
    last = first["steps"][-1]
    method, _, kind = name.partition(", ")
    moved = MOVED[method] + (("queue.keys", "queue.index") if kind == "v2" else ())
    assert [key for key in moved if last[key] == first["first"][key]] == []
