"""``cueco-solo compare`` on tiny trainings: what it makes, skips, survives and refuses."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import signalled
import tiny
from support import entry

from cueco_solo.cli import main

GRID = """
methods:
  first: {config: tiny, config_path: .}
  second: {config: tiny, config_path: ., overrides: [optimizer.lr=0.1]}
seeds: [5, 6]
evaluations: [knn --k 5 --device cpu, cluster --restarts 1 --device cpu]
baseline: first
"""


def write(folder: Path, images: Path, text: str = GRID) -> str:
    tiny.write_config(folder, images)
    path = folder / "grid.yaml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Folder of a grid that was run, with its results in ``out``."""
    folder = tmp_path_factory.mktemp("compared")
    grid = write(folder, images)
    assert compare(grid, folder / "out") == 0
    return folder


def compare(grid: str | Path, out: Path, *more: str) -> int:
    return main(["compare", str(grid), "--out", str(out), "--no-report", *more])


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_measurement(done: Path):
    found = rows(done / "out")
    keys = [(r["method"], r["seed"], r["protocol"], r["metric"]) for r in found]
    assert len(set(keys)) == len(keys)
    assert {(method, seed) for method, seed, *_ in keys} == {
        (method, seed) for method in ("first", "second") for seed in ("5", "6")
    }
    assert {row["dataset"] for row in found} == {"data"}
    assert {row["source"] for row in found} == {"ours"}
    protocols = {row["protocol"] for row in found if row["method"] == "first"}
    assert protocols == {"knn", "clustering", "linear-online", "training"}
    # each is the figure of the run that it names
    for row in found:
        run = Path(row["run"])
        assert json.loads((run / "args.json").read_text())["seed"] == int(row["seed"])
        if row["metric"] == "nmi":
            stored = json.loads(entry(run, "eval-cluster.json").read_text())
            assert stored["results"]["nmi"] == float(row["value"])
    as_json = json.loads((done / "out" / "results.json").read_text())
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in as_json] == found


def test_tables(done: Path):
    text = (done / "out" / "table.md").read_text()
    assert "## data\n" in text and "## data: difference to first\n" in text
    values = [
        float(row["value"])
        for row in rows(done / "out")
        if row["method"] == "second" and row["metric"] == "knn5"
    ]
    line = next(line for line in text.splitlines() if line.startswith("| second | resnet18"))
    assert f" {sum(values) / 2:.1f} ± " in line
    assert r"\toprule" in (done / "out" / "table.tex").read_text()


def test_environment_says_what_makes_the_run_alone(done: Path):
    paths = done.glob("runs/mocov2plus/*-seed6-*/environment.json")
    commands = [json.loads(path.read_text())["command"][1:] for path in paths]
    place = ["pretrain", "--config-path", str(done), "--config-name", "tiny"]
    assert sorted(commands) == [[*place, "optimizer.lr=0.1", "seed=6"], [*place, "seed=6"]]


def test_what_is_done_is_skipped(done: Path, monkeypatch: Any, capsys: Any):
    before, results = tiny.times(done / "runs"), rows(done / "out")
    grid = str(done / "grid.yaml")
    assert main(["compare", grid, "--dry-run"]) == 0
    assert "4 runs, 4 of them trained" in capsys.readouterr().out

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    for place in ("training.pretrain.pretrain", "evaluation.feature_cache.cached_features"):
        monkeypatch.setattr(f"cueco_solo.{place}", never)
    assert compare(grid, done / "out") == 0
    assert "[4/4] second on data, seed 6: trained already" in capsys.readouterr().out
    assert tiny.times(done / "runs") == before
    assert rows(done / "out") == results


def test_other_settings_are_computed_again(done: Path, images: Path):
    text = GRID.replace("--restarts 1", "--restarts 2")
    (done / "other.yaml").write_text(text)
    before = tiny.times(done / "runs")
    assert compare(done / "other.yaml", done / "other") == 0
    after = tiny.times(done / "runs")
    changed = {path for path in after if before.get(path) != after[path]}
    assert len(changed) == 4 and not changed & before.keys()  # beside those of the former setting
    assert {path.name for path in changed} == {
        entry(changed.pop().parent, "eval-cluster.json").name
    }
    columns = {row["settings"] for row in rows(done / "other") if row["metric"] == "nmi"}
    assert len(columns) == 1 and "restarts=2" in columns.pop()


def test_a_failing_run_is_one_line_and_the_rest_goes_on(done: Path, tmp_path: Path, capsys: Any):
    bad = "  bad: {config: tiny, config_path: ., overrides: [data.train_path=/nowhere]}\n"
    (done / "bad.yaml").write_text(GRID.replace("methods:\n", f"methods:\n{bad}"))
    assert compare(done / "bad.yaml", tmp_path) == 1
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("bad on")]
    assert len(lines) == 2 and all("training failed: data.train_path=" in line for line in lines)
    assert "2 failed:" in shown.err and "Traceback" not in shown.err
    assert "[6/6] second on data, seed 6" in shown.out
    assert {row["method"] for row in rows(tmp_path)} == {"first", "second"}


def test_an_unforeseen_error_is_kept_whole(
    done: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
):
    def fail(*_: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("cueco_solo.training.pretrain.pretrain", fail)
    assert compare(done / "grid.yaml", tmp_path, "seed=7") == 1
    message = "first on data, seed 7: training failed: RuntimeError: out of memory (see"
    assert message in capsys.readouterr().err
    errors = tmp_path / "errors.txt"
    assert "Traceback" in errors.read_text()
    assert not (tmp_path / "results.csv").exists()
    # those of the last attempt alone
    once = errors.read_text().count("Traceback")
    assert compare(done / "grid.yaml", tmp_path, "seed=7") == 1
    assert errors.read_text().count("Traceback") == once


def test_finished_runs_without_a_grid(done: Path, tmp_path: Path, capsys: Any):
    runs = sorted((done / "runs" / "mocov2plus").iterdir())
    same = [run for run in runs if "lr: 0.1" in (run / "config.yaml").read_text()]
    given = ["compare", "--evaluation", "knn --k 5 --device cpu", "--no-report"]
    assert main([*given, "--out", str(tmp_path), "--runs", *map(str, same)]) == 0
    found = rows(tmp_path)
    assert {(row["method"], row["seed"]) for row in found} == {
        ("MoCo V2+", "5"),
        ("MoCo V2+", "6"),
    }
    # two settings of one name: no mean is taken over them
    assert main([*given, "--out", str(tmp_path), "--runs", *map(str, runs)]) == 0
    found = rows(tmp_path)
    assert {row["method"] for row in found} == {"MoCo V2+ · lr=0.1", "MoCo V2+ · lr=0.3"}
    assert len({(row["method"], row["seed"]) for row in found}) == 4
    # the same settings and seed: neither is one of two repetitions
    again = shutil.copytree(same[0], tmp_path / "again")
    capsys.readouterr()
    assert main([*given, "--out", str(tmp_path), "--runs", str(same[0]), str(again)]) == 2
    assert "are both MoCo V2+ on data, seed" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["digits"], ["--runs", "{run}"]])
def test_a_folder_that_cant_be_written_is_found_first(
    given: list[str], done: Path, tmp_path: Path, monkeypatch: Any, refused: Any
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    run = next((done / "runs" / "mocov2plus").iterdir())
    words = [word.format(run=run) for word in given]
    message = refused("compare", "--out", "file/results", *words)
    assert "--out='file/results' can't be written (Not a directory)" in message


def test_a_signal_stops_all_of_it(
    tmp_path: Path,
    images: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
):
    """Even one that comes with the last step of a run, which is then done."""
    grid, out = write(tmp_path, images, GRID.replace("[5, 6]", "[5]")), tmp_path / "out"
    for step in (1, 2):  # of two
        undo = signalled.signal_at(step, lambda: signalled.send(signal.SIGTERM))
        request.addfinalizer(undo)
        assert compare(grid, out, "data.val_path=null") == 143
        captured = capsys.readouterr()
        first = step == 1
        assert ("stopped by SIGTERM after step 1, batch 1 of 2" in captured.out) == first
        assert ("cueco-solo: stopped by SIGTERM" in captured.err) != first
        (run,) = (tmp_path / "runs" / "mocov2plus").iterdir()
        (checkpoint,) = run.glob("*.ckpt")
        assert checkpoint.name.endswith("-ep=0-step=1.ckpt" if first else "-ep=0.ckpt")
        undo()
    assert sorted(path.name for path in out.iterdir()) == [".lock", "jobs"]


def test_goes_on_after_a_kill(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]):
    grid = write(tmp_path, images, GRID.replace("[5, 6]", "[5]"))
    given = ["compare", grid, "max_epochs=4", "--out", str(tmp_path / "out"), "--no-report"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cueco_solo.cli", *given], stdout=subprocess.DEVNULL
    )
    try:  # until the second run has had an epoch
        end = time.monotonic() + 900
        while len({path.parent for path in tmp_path.glob("runs/*/*/*.ckpt")}) < 2:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = tiny.times(tmp_path / "runs")
    (first,) = [run.parent for run in tmp_path.glob("runs/*/*/eval-knn-*.json")]

    assert main(given) == 0
    assert "[1/2] first on data, seed 5: trained already" in capsys.readouterr().out
    runs = list((tmp_path / "runs" / "mocov2plus").iterdir())
    assert len(runs) == 2
    after = tiny.times(tmp_path / "runs")
    kept = [path for path in before if path.parent == first and "eval" not in path.name]
    assert kept and all(after[path] == before[path] for path in kept)
    (second,) = [run for run in runs if run != first]
    assert "resumed" in json.loads((second / "environment.json").read_text())
    assert next(second.glob("*.ckpt")).name.endswith("ep=3.ckpt")
    assert {row["epochs"] for row in rows(tmp_path / "out")} == {"4"}
