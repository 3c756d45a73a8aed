"""scripts/reproduce: what each script runs, and one table of each paper on digits to its end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cueco_solo.comparison.grid import packaged_grids

FOLDER = Path(__file__).parents[2] / "scripts" / "reproduce"
GRIDS = [name for name in packaged_grids() if "/" in name]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def bash(
    name: str, *arguments: str, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(FOLDER / f"{name}.sh"), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | environment,
    )


def test_every_grid_of_a_paper_has_a_script():
    papers = {name.partition("/")[0] for name in GRIDS}
    found = {f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.sh")}
    assert {name for name in found if name.partition("/")[0] in papers} == set(GRIDS)


@pytest.mark.parametrize("name", GRIDS)
def test_a_script_runs_its_grid(name: str):
    done = bash(name, COMMAND="echo", SMOKE="")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"compare {name} --check-all\n"


def test_data_and_arguments_are_passed_on():
    script = 'cueco_solo() { echo "$DATASETS: $*"; }; reproduce a/b "$@"; echo "$RESULTS"'
    common = f". {FOLDER / 'common.sh'}"

    def shown(*words: str, **environment: str) -> list[str]:
        command = ["bash", "-euo", "pipefail", "-c", f"{common}; {script}", "bash", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert shown() == ["datasets: compare a/b --check-all", "comparisons/a-b"]
    assert shown("/data", "--out", "here", "seed=6") == [
        "/data: compare a/b --check-all --out here seed=6",
        "here",
    ]
    assert shown("max_epochs=2", SMOKE="1") == [
        "datasets: compare a/b --check-all --smoke max_epochs=2",
        "comparisons/a-b-smoke",
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "row"),
    [
        ("cueco/table3", ("--only", "CueCo[l1+l2+l3]"), "| CueCo[l1+l2+l3] | 68.5 | "),
        ("rcl/table2", (), "| RCL | 57.2 | "),
        ("self_classifier/table3", (), "| Self-Classifier | 60.1 | "),
    ],
)
def test_a_table_runs_on_digits(name: str, arguments: tuple[str, ...], row: str, tmp_path: Path):
    """With this environment's ``cueco-solo``."""
    command = f"{sys.executable} -m cueco_solo.cli"
    done = bash(name, *arguments, "--no-report", folder=tmp_path, SMOKE="1", COMMAND=command)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("SMOKE: a check of wiring only")
    text = (tmp_path / "comparisons" / f"{name.replace('/', '-')}-smoke" / "paper.md").read_text()
    assert "**SMOKE: a check of wiring only" in text
    (line,) = [line for line in text.splitlines() if line.startswith(row)]
    assert "not run" not in line.split("|")[3]
    # neither is a difference taken nor another data set's name given to digits
    cells = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    assert set(cells[2::3]) == {"-"}
    table = (tmp_path / "comparisons" / f"{name.replace('/', '-')}-smoke" / "table.md").read_text()
    assert "(smoke)" in table and "published" not in table


def test_lists_of_images_that_arent_there(tmp_path: Path):
    (tmp_path / "1percent.txt").touch()
    done = bash("rcl/table2", SUBSETS=str(tmp_path), COMMAND="echo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: SUBSETS={tmp_path} holds no 10percent.txt; give the folder of SimCLR's lists\n"
    )


def test_a_missing_data_set_is_one_line(tmp_path: Path):
    command = f"{sys.executable} -m cueco_solo.cli"
    done = bash("rcl/table1", "nowhere", folder=tmp_path, SMOKE="", COMMAND=command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "cueco-solo: error: NNCLR (200 epochs) on imagenet, seed 5: "
        "data.train_path='nowhere/imagenet/train' doesn't exist"
    )
    assert list(tmp_path.iterdir()) == []
