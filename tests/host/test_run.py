"""``python -m cueco_solo.run`` as a user types it, with stand-ins for the stock programs."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import python

from cueco_solo import host

ON_MAIN = pytest.mark.skipif(host.FORM != "main", reason="stock programs come with solo-learn main")


run = partial(python, "-m", "cueco_solo.run")


def run_folder(root: Path, *checkpoints: str) -> Path:
    """A folder with args.json and empty checkpoints, the last of them the newest."""
    root.mkdir()
    (root / "args.json").write_text("{}")
    for age, name in enumerate(reversed(checkpoints)):
        (root / name).write_text("")
        os.utime(root / name, (10_000 - age, 10_000 - age))
    return root


def fails(process: Any, message: str) -> None:
    assert process.returncode == 2
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith(f"cueco_solo.run: {message}"), line
    assert process.stdout == ""


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_usage_and_an_example(flag: str) -> None:
    process = run(flag)
    assert process.returncode == 0
    assert "usage: python -m cueco_solo.run SCRIPT [ARGS...]" in process.stdout
    assert "python -m cueco_solo.run main_knn.py --dataset cifar10" in process.stdout


def test_errors_are_one_line_with_the_remedy(tmp_path: Path) -> None:
    fails(run(), "no script given; usage: python -m cueco_solo.run SCRIPT [ARGS...]")
    fails(run("main_knn.py", cwd=tmp_path), "SCRIPT='main_knn.py' is no file; run this in a solo-")
    for name in ("main_pretrain.py", "main_linear.py"):
        (tmp_path / name).write_text("")
        process = run(name, "--config-name", "x", cwd=tmp_path)
        fails(process, f"SCRIPT='{name}' finds cueco-solo by itself; run it as: python {name} ...")


def test_bad_checkpoint_folders_are_named(tmp_path: Path) -> None:
    script = tmp_path / "main_knn.py"
    script.write_text("raise SystemExit('not to be run')")
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "x.ckpt").write_text("")
    for folder in (tmp_path / "absent", run_folder(tmp_path / "empty"), lacking):
        process = run(script, "--pretrained_checkpoint_dir", folder)
        fails(process, f"--pretrained_checkpoint_dir='{folder}' must be a folder with args.json")


def test_the_release_has_no_stock_programs(tmp_path: Path) -> None:
    if host.FORM != "release":
        pytest.skip("solo-learn main is running")
    (tmp_path / "main_knn.py").write_text("")
    fails(run("main_knn.py", cwd=tmp_path), "main_knn.py needs its own solo-learn, but release")


REPORT = """
import json, os, sys
import solo.methods, torch
folder = sys.argv[sys.argv.index("--pretrained_checkpoint_dir") + 1]
print(json.dumps({
    "name": __name__,
    "argv0": sys.argv[0],
    "path0": sys.path[0],
    "others": [a for a in sys.argv[1:] if a not in ("--pretrained_checkpoint_dir", folder)],
    "files": sorted(os.listdir(folder)),
    "cueco": "cueco" in solo.methods.METHODS,
    "cuda": str(torch.ones(1).cuda().device) if not torch.cuda.is_available() else "cpu",
}))
"""


@ON_MAIN
@pytest.mark.parametrize(
    ("checkpoints", "expected"),
    [
        (("only.ckpt",), ["args.json", "only.ckpt"]),
        (("old-ep=9.ckpt", "z.ckpt", "new-ep=10.ckpt"), ["args.json", "new-ep=10.ckpt"]),
    ],
)
def test_a_script_runs_as_its_own_program(
    checkpoints: tuple[str, ...], expected: list[str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(REPORT)
    folder = run_folder(tmp_path / "run", *checkpoints)
    process = run("program.py", "--k", 20, f"--pretrained_checkpoint_dir={folder}", cwd=tmp_path)
    if len(checkpoints) == 1:  # nothing to choose: the arguments go through as they are
        process = run("program.py", "--k", 20, "--pretrained_checkpoint_dir", folder, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == {
        "name": "__main__",
        "argv0": str(script),
        "path0": str(tmp_path),
        "others": ["--k", "20"],
        "files": expected,
        "cueco": True,
        "cuda": "cpu",
    }
