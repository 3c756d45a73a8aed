"""scripts/rows.sh: trains and evaluates rows, for the scripts that source it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script of three rows beside a copy of scripts."""
    scripts = shutil.copytree(SCRIPTS, tmp_path / "a checkout" / "scripts")
    path = scripts / "clusters.sh"
    path.write_text(
        "#!/usr/bin/env bash\n"
        "# Three numbers of clusters.\n"
        "#   bash scripts/clusters.sh CONFIG [KEY=VALUE ...]\n"
        "set -euo pipefail\n"
        'ROWS=("L100 method_kwargs.num_clusters=100" "L500" "L1000 a=1 b=2")\n'
        '. "$(dirname "$0")/rows.sh"\n'
        'run_rows "$@"\n'
    )
    return path


def bash(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script with ``echo`` in place of ``cueco-solo``."""
    return subprocess.run(
        ["bash", str(script), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "COMMAND": "echo", **environment},
    )


def rows(script: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """Arguments of every ``cueco-solo`` that the script would run."""
    done = bash(script, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    lines = (done.stderr + done.stdout).splitlines()
    return [line.split() for line in lines if not line.startswith("==")]


def test_a_row_is_a_name_and_its_overrides(script: Path):
    given = rows(script, "cueco-cifar100", "seed=6", EVALUATE="0")
    start = ["pretrain", "--config-name", "cueco-cifar100"]
    resumed = "auto_resume.enabled=True"
    assert given == [
        [*start, "name=cueco-cifar100-L100", resumed, "method_kwargs.num_clusters=100", "seed=6"],
        [*start, "name=cueco-cifar100-L500", resumed, "seed=6"],
        [*start, "name=cueco-cifar100-L1000", resumed, "a=1", "b=2", "seed=6"],
    ]


def write_stand_in(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "if sys.argv[1] == 'pretrain':\n"
        "    print('Epoch 0: 100%\\r', 'run folder: runs of/' + sys.argv[4], sep='')\n"
        "else:\n"
        "    print('|'.join(sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    return path


def test_every_run_is_evaluated_in_its_folder(script: Path, tmp_path: Path):
    """A stand-in for cueco-solo whose training prints the folder last, after a progress bar."""
    stand_in = write_stand_in(tmp_path / "cueco-solo")
    done = rows(script, "cueco-cifar10", COMMAND=str(stand_in))
    evaluations = [" ".join(line) for line in done if "|" in line[0] + line[-1]]
    folder = "runs of/name=cueco-cifar10-L100"
    expected = [f"linear|{folder}|--cached", f"knn|{folder}", f"cluster|{folder}"]
    assert evaluations[:3] == expected


def test_a_log_of_both_streams_is_whole_and_the_own_installation_is_found(
    script: Path, tmp_path: Path
):
    write_stand_in(tmp_path / "a checkout" / ".venv" / "bin" / "cueco-solo")
    log = tmp_path / "log"
    with log.open("w") as file:
        command = ["bash", str(script), "cueco-cifar10"]
        subprocess.run(command, stdout=file, stderr=file, env={"PATH": "/usr/bin:/bin"}, check=True)
    lines = log.read_text().splitlines()
    expected = [f"== cueco-cifar10 L{number}" for number in (100, 500, 1000)]
    assert [line for line in lines if line.startswith("==")] == expected
    assert sum("run folder: " in line for line in lines) == 3
    assert sum(line.startswith("cluster|") for line in lines) == 3


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("true", ["== cueco-x L100", "error: cueco-x L100 named no run folder"]),
        ("false", ["== cueco-x L100"]),
    ],
    ids=["no folder", "failed row"],
)
def test_what_stops_the_script(script: Path, command: str, lines: list[str]):
    done = bash(script, "cueco-x", COMMAND=command)
    assert (done.returncode, done.stderr.splitlines()) == (1, lines)
    assert not done.stdout


def test_no_arguments_show_the_usage(script: Path):
    usage = bash(script, COMMAND="false")
    assert usage.returncode == 2
    assert "bash scripts/clusters.sh CONFIG" in usage.stderr
    assert "#!" not in usage.stderr
