"""Run folders with damaged files: read, or refused in one line."""

import copy
import csv
import functools
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import checked, fuzzed, odd, places, put
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig

from cueco_solo.cli import main
from cueco_solo.evaluation import feature_cache
from cueco_solo.report.features import FeatureViews
from cueco_solo.results import figures
from cueco_solo.training.recorded import read_config
from cueco_solo.training.run_folder import run_id, runs_folder, same_run

DIGEST = feature_cache.digest_of_file
CONTENT = {"state_dict": {}, "callbacks": {"Timer": {"time_elapsed": {"train": 1.0}}}}
FILES = ("args.json", "config.yaml", "environment.json", "history.json", "metrics.csv", "eval")
_TEXTS = ("", "{", "[]", "3", '"x"', "null", "\0\xff", "[" * 100_000, "1" * 5000, "NaN", '{"a": 1')


@pytest.fixture(scope="module")
def whole(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with features and figures; not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    folder.mkdir()
    for path in trained.iterdir():
        if path.is_file() and not path.name.endswith("-ep=0.ckpt"):
            shutil.copy(path, folder)
    assert main(["knn", str(folder), "--k", "2", "--temperature", "0.1"]) == 0
    assert main(["cluster", str(folder), "--restarts", "1"]) == 0
    return folder


@functools.cache
def digest(path: Path) -> str:
    return DIGEST(path)


def cached_digest(path: Path) -> str:
    return digest(path.resolve())


def intact(whole: Path, folder: Path) -> DictConfig:
    """The run's configuration, with its runs in another folder."""
    cfg = read_config(whole / "config.yaml")
    assert cfg is not None
    cfg.checkpoint.dir = str(folder)
    return cfg


def copied(whole: Path, folder: Path) -> Path:
    """A copy below the folder, where a start of the same training looks for it."""
    cfg = intact(whole, folder)
    folder = runs_folder(cfg) / run_id(cfg)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in whole.iterdir():
        if path.suffix == ".ckpt" or path.is_dir():
            (folder / path.name).symlink_to(path)
        elif path.name != ".lock":
            shutil.copy(path, folder)
    return folder


def damage(data: st.DataObject, path: Path) -> Any:
    """Damage a file; how, for the message."""
    content = path.read_bytes()
    kinds: dict[str, Callable[[], Any]] = {
        "cut off": lambda: path.write_bytes(content[: data.draw(st.integers(0, len(content)))]),
        "flipped": lambda: flip(data, path, content),
        "other": lambda: path.write_text(data.draw(st.sampled_from(_TEXTS)), encoding="latin-1"),
        "removed": path.unlink,
        "folder": lambda: (path.unlink(), path.mkdir()),
        **{f"values {number}": lambda: values(data, path) for number in range(5)},
    }
    kind = data.draw(st.sampled_from(sorted(kinds)))
    return path.name, kind, kinds[kind]()


def flip(data: st.DataObject, path: Path, content: bytes) -> list[int]:
    flipped, at = bytearray(content), []
    for _ in range(data.draw(st.integers(1, 4))):
        at.append(data.draw(st.integers(0, len(content) - 1)))
        flipped[at[-1]] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(flipped)
    return at


def values(data: st.DataObject, path: Path) -> list[Any]:
    """Other values in a file that is still what it seems."""
    content: Any
    if path.suffix == ".csv":
        content = list(csv.reader(io.StringIO(path.read_text())))
    elif path.suffix == ".yaml":
        content = yaml.safe_load(path.read_text())
    else:
        content = json.loads(path.read_text())
    every, told = places(content), []
    for _ in range(data.draw(st.integers(1, 3))):
        place, value = data.draw(st.sampled_from(every)), copy.deepcopy(data.draw(odd()))
        if data.draw(st.integers(0, 5)) == 0:
            value = "\ud800"  # JSON can hold it, UTF-8 can't
        put(content, place, value)
        told.append((place, value))
    if path.suffix == ".csv":
        rows = [",".join(map(str, row)) if isinstance(row, list) else str(row) for row in content]
        path.write_text("\n".join(rows), encoding="utf-8", errors="surrogatepass")
    elif path.suffix == ".yaml":
        path.write_text(yaml.safe_dump(content))
    else:
        path.write_text(json.dumps(content))
    return told


@pytest.mark.parametrize("name", FILES)
@fuzzed(5)
@given(data=st.data())
def test_read_or_refused(
    name: str,
    data: st.DataObject,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    # what a report computes of features isn't read from these files
    monkeypatch.setattr(FeatureViews, "fill", lambda *_: None)
    # the checkpoint stays as it is
    monkeypatch.setattr(figures, "read_checkpoint", lambda *_: CONTENT)
    monkeypatch.setattr(feature_cache, "digest_of_file", cached_digest)
    run = copied(whole, tmp_path / "runs")
    found = [data.draw(st.sampled_from(sorted(run.glob("eval-*"))))]
    found = found if name == "eval" else [run / name]
    told = damage(data, found[0])
    try:
        same_run(intact(whole, tmp_path / "runs"))
        check(run, tmp_path, capsys)
    except BaseException as error:
        error.add_note(f"{told}")
        raise


def check(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    page = ["--embedding", "none", "--out", str(folder / "page.html"), "--device", "cpu"]
    checked(["report", str(run), *page], capsys, (0,))
    knn = "knn --k 2 --temperature 0.1 --device cpu"
    words = ["--runs", str(run), "--evaluation", knn, "--out", str(out), "--no-report"]
    checked(["compare", *words], capsys, (0, 1))
    assert not (out / "errors.txt").exists(), (out / "errors.txt").read_text()
    checked(["knn", str(run), *knn.split()[1:]], capsys, (0,))


def test_undamaged_it_is_read(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Or each refusal above would be one of the same mistake."""
    monkeypatch.chdir(tmp_path)
    run = copied(whole, tmp_path / "runs")
    assert same_run(intact(whole, tmp_path / "runs")) == run
    knn = "knn --k 2 --temperature 0.1"
    for words in (["report", str(run), "--embedding", "none"], ["knn", str(run), *knn.split()[1:]]):
        assert main(words) == 0
    assert main(["compare", "--runs", str(run), "--evaluation", knn, "--no-report"]) == 0
