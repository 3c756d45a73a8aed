"""What is said about the solo-learn that is there, or isn't."""

import sys
from pathlib import Path

import pytest
from support import python

from cueco_solo import host
from cueco_solo.errors import HostError
from cueco_solo.host import detect
from cueco_solo.host.detect import HostInfo, host_info


def put(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


MAIN = ("solo/__init__.py", "solo/args/pretrain.py", "solo/data/__init__.py")
OLD = ("solo/__init__.py", "solo/methods/base.py", "solo/utils/pretrain_dataloader.py")


def found(root: Path, monkeypatch: pytest.MonkeyPatch) -> HostInfo:
    """What is found where ``root`` comes first, as in a process that hasn't imported solo."""
    monkeypatch.syspath_prepend(str(root))
    for name in [name for name in sys.modules if name.split(".")[0] == "solo"]:
        monkeypatch.delitem(sys.modules, name)
    return host_info()


def test_the_form_that_runs_is_found() -> None:
    info = host_info()
    assert info.form == host.FORM
    assert info.version == {"main": "1.0.6", "release": "1.0.2"}[info.form]
    assert (Path(info.path) / "methods").is_dir()
    assert info.problem == ""


@pytest.mark.parametrize(
    ("files", "version", "form"),
    [
        (MAIN, "1.0.7", "main"),
        (MAIN, "", "main"),
        *((OLD, version, "unknown") for version in ("1.0.1", "1.0.3", "1.0.5")),
        (("solo/__init__.py",), "", "unknown"),  # another package of that name
    ],
)
def test_a_checkout_of_the_version_in_its_setup(
    files: tuple[str, ...], version: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, *files)
    if version:
        setup = f'setup(\n    name="solo-learn",\n    version="{version}",\n)'
        (tmp_path / "setup.py").write_text(setup)
    info, place = found(tmp_path, monkeypatch), str(tmp_path / "solo")
    assert info.form == form
    if form == "main":
        assert (info.version, info.path) == (version, place)
    else:
        assert f"solo-learn {version} at {place} is neither".replace("  ", " ") in info.problem
        assert detect.INSTALL_RELEASE in info.problem
        assert detect.INSTALL_MAIN in info.problem


@pytest.mark.parametrize("failure", [None, ValueError("solo.__spec__ is None"), ImportError("x")])
def test_nothing_installed(failure: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> None:
        if failure is not None:
            raise failure

    monkeypatch.setattr(detect, "find_spec", find_spec)
    info = host_info()
    assert info == HostInfo("missing", "", "")
    assert info.problem.startswith("solo-learn isn't installed; pip install --no-deps solo-learn==")


def test_using_the_facade_without_solo_learn_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detect, "find_spec", lambda name: None)
    for name in ("FORM", "METHODS", "dali"):
        with pytest.raises(HostError, match="solo-learn isn't installed; pip install"):
            host.__getattr__(name)
    with pytest.raises(HostError, match="solo-learn isn't installed; pip install"):
        host.method_class("byol")


def test_importing_from_the_facade_fails_in_one_sentence(tmp_path: Path) -> None:
    put(tmp_path, "solo/__init__.py")
    process = python("-c", "from cueco_solo.host import BaseMethod", path=(tmp_path,))
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("cueco_solo.errors.HostError: solo-learn at ")
    assert "is neither release 1.0.2 nor Git main (1.0.6); pip install" in last


def test_a_main_that_cant_be_imported_is_named(tmp_path: Path) -> None:
    put(tmp_path, *MAIN)
    (tmp_path / "solo" / "args" / "linear.py").write_text("import pytorch_lightnink")
    process = python("-c", "from cueco_solo.host import BaseMethod", path=(tmp_path,))
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith(f"cueco_solo.errors.HostError: solo-learn at {tmp_path / 'solo'} can't")


def test_finding_out_imports_neither_solo_nor_torch() -> None:
    process = python(
        "-c",
        "import sys, cueco_solo.host as host\n"
        "assert host.host_info().form in ('main', 'release'), host.host_info()\n"
        "assert host.FORM == host.host_info().form\n"
        "print([name for name in ('solo', 'torch', 'lightning') if name in sys.modules])",
    )
    assert process.stdout.strip() == "[]", process.stderr


def test_importing_solo_through_the_facade_is_silent() -> None:
    process = python("-c", "import cueco_solo; cueco_solo.register()")
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout == ""
