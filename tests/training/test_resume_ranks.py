"""A run goes on at an epoch's end with another number of processes, as if they had been its own."""

import json
import math
import os
from pathlib import Path

import hashed
import pytest
import tiny
from support import python

WORDS = (
    *(*tiny.CUECO, "data.val_path=null", "optimizer.batch_size=2", "strategy=ddp"),
    *("scheduler.warmup_epochs=0", "momentum.final_tau=1.0", "num_sanity_val_steps=0"),
)


def test_two_processes_then_four(folder: Path):
    """Of 18 images, that is of four steps, then two, in an epoch."""
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join(
        [str(Path(hashed.__file__).parent), env.get("PYTHONPATH", "")]
    )

    def train(*words: str) -> None:
        done = python(hashed.__file__, folder, *command, *words, env=env, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr

    train("devices=2", "max_epochs=1")
    (run,) = tiny.run_folders(folder, "cueco")
    train("devices=4", "max_epochs=3", f"resume_from_checkpoint={run}")
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
