"""Jobs as processes of their own: killed, failing, stopped and gone on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tiny

from cueco_solo.cli import main
from cueco_solo.training.history import read_history

GRID = """
methods:
  two: {config: tiny, config_path: ., overrides: [%s, devices=2, strategy=ddp]}
  bad: {config: tiny, config_path: ., overrides: [data.train_path=/nowhere/at/all]}
  long: {config: tiny, config_path: ., overrides: [max_epochs=3]}
evaluations: [knn --k 5 --device cpu]
overrides: [data.num_workers=0, max_epochs=1]
"""


def until(done: Callable[[], object], process: subprocess.Popen[str], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def test_one_is_killed_one_fails_all_are_stopped_and_go_on(folder: Path, capsys):
    """In two places, of which a run of two processes takes both."""
    (folder / "grid.yaml").write_text(GRID % ", ".join(tiny.CUECO))
    out = folder / "out"
    given = ["compare", str(folder / "grid.yaml"), "--jobs", "2", "--out", str(out), "--no-report"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cueco_solo.cli", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        log = out / "jobs" / "cueco-*" / "log.txt"
        until(lambda: "rank" in text_of(log) or "GLOBAL_RANK: 1" in text_of(log), process)
        (job,) = out.glob("jobs/cueco-*")
        owner = json.loads((job / ".owner.json").read_text())["process"]
        group = os.getpgid(owner)
        os.kill(owner, signal.SIGKILL)
        # at the second batch of the long one, which has begun once there was place for it
        until(lambda: "epoch 1/3" in text_of(out / "jobs" / "mocov2plus-*" / "log.txt"), process)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
        assert time.monotonic() - start < 30
    finally:
        process.kill()
    assert process.returncode == 130
    assert "two on data, seed 5: its process was killed by SIGKILL" in told
    assert f"the end of {job / 'log.txt'}:\n  job: two on data, seed 5\n" in told
    assert "bad on all, seed 5: training failed: data.train_path='/nowhere/at/all'" in told
    assert "stopping 1 job after the step at hand" in told
    left = subprocess.run(["ps", "-eo", "pgid="], capture_output=True, text=True).stdout.split()
    assert str(group) not in left

    capsys.readouterr()
    assert main([*given, "--status"]) == 0
    shown = capsys.readouterr().out
    assert "two on data, seed 5: failed" in shown and "bad on all, seed 5: failed" in shown
    assert re.search(r"long on data, seed 5: stopped after epoch [12] of 3\n  log: ", shown)

    text = (folder / "grid.yaml").read_text()
    (folder / "grid.yaml").write_text("\n".join(x for x in text.splitlines() if "bad:" not in x))
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "[1/2] two on data, seed 5: started on 2 threads; log: " in shown
    assert "[2/2] long on data, seed 5: done" in shown
    (run,) = (folder / "runs" / "cueco").iterdir()
    assert read_history(run)[-1]["event"] == "ended"
    assert read_history(run)[-2]["on"]["processes"] == 2
    (run,) = (folder / "runs" / "mocov2plus").iterdir()
    events = read_history(run)
    assert [each["event"] for each in events] == ["started", "stopped", "resumed", "ended"]
    assert "k-NN" in (out / "table.md").read_text()

    assert main([*given, "--status"]) == 0
    assert capsys.readouterr().out.count(", seed 5: done\n") == 2
    assert main([*given, "seed=6", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "2 runs, 0 of them trained" in shown and "training: about" in shown
    assert main([*given, "--cancel"]) == 0
    assert capsys.readouterr().out == "nothing works on this grid\n"


def text_of(pattern: Path) -> str:
    found = list(pattern.parent.parent.glob(f"{pattern.parent.name}/{pattern.name}"))
    return "".join(path.read_text(errors="replace") for path in found)
