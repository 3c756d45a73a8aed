"""Runs of several processes go on, also with another number of them."""

import json
import math
import os
from pathlib import Path
from typing import Any

import hashed
import pytest
import tiny
import torch
from equal_runs import same
from support import python

from cueco_solo import host
from cueco_solo.training.position import KEY

WORDS = (
    *(*tiny.CUECO, "data.val_path=null", "optimizer.batch_size=2", "strategy=ddp"),
    *("scheduler.warmup_epochs=0", "momentum.final_tau=1.0", "num_sanity_val_steps=0"),
)


def train(folder: Path, *words: str) -> None:
    """With what :mod:`hashed` writes, in processes of one thread."""
    command = ("pretrain", "--config-path", folder, "--config-name", "tiny")
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join(
        [str(Path(hashed.__file__).parent), env.get("PYTHONPATH", "")]
    )
    done = python(hashed.__file__, folder, *command, *words, env=env, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_processes_then_four(folder: Path):
    """Of 18 images, that is of four steps, then two, in an epoch."""
    train(folder, *WORDS, "devices=2", "max_epochs=1")
    (run,) = tiny.run_folders(folder, "cueco")
    train(folder, *WORDS, "devices=4", "max_epochs=3", f"resume_from_checkpoint={run}")
    steps = {}
    for number, expected in ((2, 4), (4, 4)):
        found = [
            [*map(json.loads, (folder / f"rank{r}-of-{number}.jsonl").read_text().splitlines())]
            for r in range(number)
        ]
        assert [len(each) for each in found] == [expected] * number
        for other in found[1:]:
            for place, (one, two) in enumerate(zip(found[0], other, strict=True)):
                assert one == two, f"step {place} of {number} processes"
        steps[number] = found[0]
    # the clusters count steps, whatever their batches; schedules count epochs
    assert [int(step["_step"]) for step in steps[4]] == [5, 6, 7, 8]
    base = 0.3 * 2 * 4 / 256
    for place, step in enumerate(steps[4], 2 + 1):  # of six that three epochs of two have
        share = (1 + math.cos(math.pi * place / 6)) / 2
        assert float(step["lr"]) == pytest.approx(base * share, abs=1e-9)
        assert float(step["tau"]) == pytest.approx(1 - 0.1 * share)


@pytest.mark.skipif(host.FORM != "main", reason="SwAV is refused on the release")
def test_each_process_gets_its_own_queue_back(folder: Path):
    """SwAV's holds the images of one process."""
    words = (
        *("method=swav", "method_kwargs.queue_size=16", "scheduler.name=none"),
        *("+method_kwargs.num_prototypes=6", "+method_kwargs.epoch_queue_starts=1"),
        *("data.val_path=null", "optimizer.batch_size=4", "strategy=ddp", "devices=2"),
        "num_sanity_val_steps=0",
    )

    def trained(*changes: str) -> tuple[Path, dict[str, Any]]:
        train(folder, *words, *changes)
        run = max(tiny.run_folders(folder, "swav"), key=lambda each: each.stat().st_mtime_ns)
        (path,) = run.glob("*.ckpt")
        return run, torch.load(path, weights_only=True)

    _, whole = trained("max_epochs=2", "name=whole")
    queues = [buffers["queue"] for buffers in whole[KEY]["buffers"]]
    assert not torch.equal(*queues)
    assert all(queue.count_nonzero() for queue in queues)
    run, _ = trained("max_epochs=1", "name=interrupted")
    _, resumed = trained("max_epochs=2", "name=interrupted", f"resume_from_checkpoint={run}")
    assert same(resumed["state_dict"], whole["state_dict"])
    assert same(resumed[KEY]["buffers"], whole[KEY]["buffers"])
