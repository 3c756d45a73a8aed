"""What scripts/venv.sh shows of an installation, with a pip that only says what pip says."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = r"""#!/usr/bin/env bash
[ "$2" = pip ] || exit 0
echo "pip $*" >> pip.calls
echo "Collecting torch==2.0 (from cueco-solo==0.1.0)"
echo "  Downloading torch-2.0-cp311.whl.metadata (29 kB)"
echo "Downloading torch-2.0-cp311.whl (532.1 MB)"
echo "Downloading small-1.0.whl (12 kB)"
[ -z "$FAIL" ] || { echo "ERROR: No matching distribution found for torch==2.0" >&2; exit 1; }
"""
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def sourced(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    for name in ("setup.cfg", "pyproject.toml", "scripts/constraints.txt", "scripts/venv.sh"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = ["bash", "-euc", '. scripts/venv.sh ""; echo ready']
    env = {**os.environ, "FAIL": "", **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


@needs_bash
def test_downloads_are_told_and_the_rest_is_in_a_log(tmp_path: Path):
    done = sourced(tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("    torch-2.0-cp311.whl, 532.1 MB") == 2  # of both calls of pip
    assert lines[-1] == "ready" and not any("Collecting" in line for line in lines)
    assert "small" not in done.stdout and "metadata" not in done.stdout
    log = (tmp_path / ".venv" / "pip.log").read_text()
    assert log.count("Collecting torch") == 2 and "small-1.0.whl" in log
    # what is installed isn't installed again
    assert sourced(tmp_path).stdout == "ready\n"
    assert len((tmp_path / "pip.calls").read_text().splitlines()) == 2


@needs_bash
def test_a_failure_says_why(tmp_path: Path):
    failed = sourced(tmp_path, FAIL="1")
    assert failed.returncode == 1 and "ready" not in failed.stdout
    why, what = failed.stderr.splitlines()
    assert why == "ERROR: No matching distribution found for torch==2.0"
    assert what.startswith("error: the installation failed, see .venv/pip.log")
    assert not list((tmp_path / ".venv").glob("installed-*"))
