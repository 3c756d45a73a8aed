"""What an installation carries, and what importing it does."""

import configparser
import importlib.util
import shutil
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support import python

import cueco_solo

ROOT = Path(__file__).parents[1]


def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed():
    listed = set(setup_cfg()["options"]["packages"].split())
    folders = {path.parent for path in (ROOT / "cueco_solo").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    # two packages lie elsewhere than their names say, see package_dir
    found -= {"cueco_solo.hydra_plugins"}
    assert listed == found | {"cueco_solo.configs", "hydra_plugins"}


def test_a_wheel_carries_every_module_and_configuration(tmp_path):
    source = tmp_path / "source"  # a build leaves files beside setup.cfg
    wanted = ("cueco_solo", "configs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
    for name in wanted:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    options = ("--no-deps", "--no-build-isolation", "-w", tmp_path)
    done = python("-m", "pip", "wheel", *options, source)
    assert done.returncode == 0, done.stdout + done.stderr
    carried = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    configs = {p.relative_to(ROOT / "configs").as_posix() for p in ROOT.glob("configs/**/*.yaml")}
    modules = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("cueco_solo/**/*.py")}
    modules = {name.removeprefix("cueco_solo/hydra_plugins/") for name in modules}
    plugin = {"hydra_plugins/cueco_solo_plugin.py"}
    expected = {f"cueco_solo/configs/{name}" for name in configs} | plugin
    expected |= modules - {"cueco_solo_plugin.py"}
    assert configs and expected <= carried


def test_console_script():
    (script,) = entry_points(group="console_scripts", name="cueco-solo")
    assert script.value == "cueco_solo.cli:main"


def printed(code):
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_register_is_explicit_and_idempotent():
    code = """
import cueco_solo
from cueco_solo.host import METHODS, method_class
before = dict(METHODS)
assert "cueco" not in before
cueco_solo.register()
once = dict(METHODS)
cueco_solo.register()
assert once == METHODS and method_class("cueco") is once["cueco"]
assert set(once) - set(before) == {"cueco", "rcl", "self_classifier"}
assert all(once[name] is method for name, method in before.items())
print(*(once[name].__name__ for name in ("cueco", "rcl", "self_classifier")))
"""
    assert printed(code)[-3:] == ["CueCo", "RCL", "SelfClassifier"]


@pytest.mark.parametrize(("old", "new"), cueco_solo.MOVED.items())
def test_the_import_of_a_moved_module_names_the_new_one(old, new):
    with pytest.raises(ModuleNotFoundError, match=f"^{old} is now {new}$"):
        importlib.import_module(old)
    assert all(importlib.util.find_spec(name) for name in new.split(" and "))


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("training", "fit new_trainer trainer_options TRAINER_KEYS"),
    ],
)
def test_names_that_were_moved_are_still_imported_from_the_old_module(module, names):
    old = importlib.import_module(f"cueco_solo.{module}")
    assert all(hasattr(old, name) for name in names.split())
    assert not hasattr(old, "anything_else")


@pytest.mark.parametrize(
    ("module", "name", "new"),
    [
        ("errors", "told", "cueco_solo.errors.as_config_error"),
        ("evaluation.cluster", "label_scores", "cueco_solo.clustering.agreement.label_scores"),
        ("evaluation.features", "evaluation_data", "cueco_solo.evaluation.checks.evaluation_data"),
        ("report.document", "Figure", "cueco_solo.results.figures.Figure"),
        ("comparison.results", "tables_of", "cueco_solo.results.table.make_table"),
    ],
)
def test_a_moved_name_fails_with_the_new_one(module: str, name: str, new: str):
    with pytest.raises(ImportError, match=f"is now {new}"):
        getattr(importlib.import_module(f"cueco_solo.{module}"), name)
    owner, _, leaf = new.rpartition(".")
    assert hasattr(importlib.import_module(owner), leaf)
