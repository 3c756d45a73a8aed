"""The Hydra plugin: there for solo-learn's programs, silent and without effect in all others."""

from pathlib import Path
from typing import Any

import pytest
from support import python

from cueco_solo import host

PROGRAM = """
import hydra, sys
{imports}

@hydra.main(version_base="1.2")
def main(cfg):
    {body}

main()
"""


def program(tmp_path: Path, imports: str, body: str, *args: str, path: Any = ()) -> str:
    """Run a Hydra program with these lines; returns its output, which is all it may print."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(imports=imports, body=body))
    process = python("-W", "ignore", script, *args, path=path, cwd=tmp_path)
    return process.stdout + process.stderr


def test_other_programs_are_left_alone(tmp_path: Path) -> None:
    loaded = "print([m for m in ('solo', 'torch', 'cueco_solo') if m in sys.modules])"
    assert program(tmp_path, "", loaded) == "[]\n"
    assert "Cannot find primary config" in program(
        tmp_path, "", "pass", "--config-name", "cueco-cifar10"
    )


def test_configurations_are_found_with_the_package_alone(tmp_path: Path) -> None:
    body = "print(cfg.method, 'torch' in sys.modules)"
    args = ("--config-name", "cueco-custom", "data.train_path=x")
    assert program(tmp_path, "import cueco_solo", body, *args) == "cueco False\n"


def test_methods_and_configurations_in_a_solo_learn_program(tmp_path: Path) -> None:
    if host.FORM != "main":
        pytest.skip("a program that imports solo by itself needs solo-learn main")
    args = ("--config-name", "cueco-cifar10", "data.train_path=x")
    body = "print(cfg.name, METHODS[cfg.method].__name__)"
    imports = "from solo.methods import METHODS"
    assert program(tmp_path, imports, body, *args) == "cueco-cifar10 CueCo\n"
    # imported before Hydra does so, and run again by it
    imports = f"import hydra_plugins.cueco_solo_plugin\n{imports}"
    assert program(tmp_path, imports, body, *args) == "cueco-cifar10 CueCo\n"


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        ("", "HostError: solo-learn at "),
        ("import sys; sys.modules['cueco_solo'] = None", "ModuleNotFoundError: import of cueco_"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(methods: str, reason: str, tmp_path: Path) -> None:
    """With another package named solo, and with a broken installation of ours."""
    other = tmp_path / "other" / "solo"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    (other / "methods.py").write_text(methods)
    output = program(tmp_path, "import solo.methods", "print('ran')", path=(other.parent,))
    lines = output.splitlines()
    assert lines[0] == "ran"
    (said,) = lines[1:]
    assert said.startswith(f"cueco-solo: its methods are not available here: {reason}")
