"""Foreign run folders: nothing in them is resolved, and what is damaged is told in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from support import change_args, refusal

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError
from cueco_solo.training.compose import compose_config
from cueco_solo.training.recorded import read_args, unresolved
from cueco_solo.training.run_folder import load_run, open_runs, same_run
from cueco_solo.training.settings import with_defaults


def test_nothing_is_resolved_but_references_within(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "s3cret")
    content = {
        "name": "${oc.env:SECRET}",
        "nested": "${oc.env:${which}}",
        "which": "SECRET",
        "twice": "${${which}}",
        "escaped": r"\${oc.env:SECRET}",
        "open": "a ${oc.env:SECRET",
        "part": "x/${data.train_path}/${oc.env:SECRET}",
        "data": {"train_path": "there", "val_path": "${data.train_path}", "more": ["${nothing}"]},
        "again": "${name}",
        "views": "${data}",
        "loop": "${loop}",
        "missing": "???",
    }
    plain = unresolved(content)
    cfg = OmegaConf.create(plain)
    assert "s3cret" not in str(OmegaConf.to_container(cfg, resolve=True))
    assert OmegaConf.to_container(cfg, resolve=True) == plain  # nor does it stay to be resolved
    assert cfg.name == cfg.again == "<not resolved: oc.env:SECRET>"
    assert cfg.part == "x/there/<not resolved: oc.env:SECRET>"
    assert (cfg.data.val_path, cfg.views.train_path, cfg.missing) == ("there", "there", None)


def test_the_environment_does_not_reach_an_exported_card(
    run: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SECRET", "s3cret")
    change_args(run, name="${oc.env:SECRET}", method_kwargs__x="${oc.env:SECRET}")
    assert main(["export", str(run), "--format", "safetensors"]) == 0
    written = [path.read_bytes() for path in (run / "export").rglob("*") if path.is_file()]
    assert written
    assert not any(b"s3cret" in content for content in written)
    assert any(b"not resolved: oc.env:SECRET" in content for content in written)


def changed(args: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    *path, last = key.split(".")
    args = json.loads(json.dumps(args))
    node: Any = args
    for part in path:
        node = node[int(part) if part.isdigit() else part]
    node[last] = value
    return args


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("name", ([], {}, None)),
        ("method", (3, [], None)),
        ("seed", ("x", 1.5, [], None)),
        ("backbone", (3, [], {}, None)),
        ("backbone.name", (3, [], None)),
        ("backbone.kwargs", (3, "x", [1])),
        ("data", (3, [], "x", None)),
        ("data.dataset", (3, None)),
        ("data.train_path", (3, [])),
        ("data.num_workers", ("x", -1)),
        ("data.no_labels", ("x", [])),
        ("data.num_classes", ("three", 0)),
        ("augmentations", ([], {}, "x", [1], None)),
        ("augmentations.0.crop_size", ("x", 0, None)),
        ("augmentations.0.mean", ("x", ["x"])),
        ("max_epochs", ("ten", 0)),
        ("performance", (3, "x")),
        ("method_kwargs", (3, "x")),
        ("optimizer", ("sgd", 3)),
    ],
)
def test_wrong_types_are_told_in_one_line(key: str, values: Any, run: Path):
    args = json.loads((run / "args.json").read_text())
    for value in values:
        (run / "args.json").write_text(json.dumps(changed(args, key, value)))
        assert refusal(load_run, run).startswith(f"RUN={str(run)!r} h")
        assert refusal(open_runs, [run]).startswith(f"RUNS={str(run)!r} h")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_change_is_read_or_told_in_one_line(data: st.DataObject, trained: Path, tmp_path: Path):
    args = json.loads((trained / "args.json").read_text())
    section = data.draw(st.sampled_from([None, *(k for k in args if isinstance(args[k], dict))]))
    key = data.draw(st.sampled_from(sorted(args[section] if section else args)))
    value = data.draw(anything)
    wrong = changed(args, f"{section}.{key}" if section else key, value)
    (tmp_path / "args.json").write_text(json.dumps(wrong))
    try:
        read_args(tmp_path)
    except ConfigError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '"x"', "null", "\0\xff", "[" * 100_000, '{"name": ']
)
def test_args_that_are_no_arguments(text: str, run: Path, refused: Callable[..., str]):
    (run / "args.json").write_text(text, encoding="latin-1")
    assert "holds no readable args.json" in refused("knn", run)


def as_list(path: Path) -> None:
    torch.save({"state_dict": [torch.zeros(1)], "loops": 3}, path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_numbers(path: Path) -> None:
    torch.save({"state_dict": {"backbone.conv1.weight": 3}}, path)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (as_list, "holds a state_dict that isn't one of tensors"),
        (as_numbers, "holds a state_dict that isn't one of tensors"),
        (as_folder, "holds no .ckpt"),
    ],
)
def test_checkpoints_that_are_none(damage: Any, text: str, run: Path, refused: Callable[..., str]):
    damage(next(run.glob("*.ckpt")))
    for command in ("knn", "export"):
        assert text in refused(command, run)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("backbone__kwargs", {"zero_init": True}, "can't be built from its args.json"),
        ("backbone__name", "resnet18x", "backbone.name='resnet18x'"),
        ("optimizer", {}, "can't be built from its args.json"),
    ],
)
def test_a_backbone_that_cannot_be_built(
    key: str, value: Any, text: str, run: Path, refused: Callable[..., str]
):
    change_args(run, **{key: value})
    assert text in refused("knn", run, "--no-cache")


ENVIRONMENTS = [
    "{",
    "[]",
    '{"versions": []}',
    '{"versions": {"solo-learn": 3}}',
    '{"command": 3, "versions": {}, "resumed": 3}',
    '{"gpus": 3, "platform": "x"}',
    "\0\xff",
]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_damaged_environment(environment: str, run: Path, refused: Callable[..., str]):
    (run / "environment.json").write_text(environment, encoding="latin-1")
    (run / "config.yaml").write_text("\0: [" if "{" in environment else "- 3", encoding="latin-1")
    (run / "metrics.csv").write_bytes(bytes(range(256)) * 9 + b"\nepoch,step,val_acc1\nx,y,z\n")
    out = run.parent / "page.html"
    assert main(["report", str(run), "--out", str(out), "--embedding", "none"]) == 0
    assert out.is_file()
    try:
        code = main(["export", str(run), "--format", "safetensors"])
    finally:
        assert code in (0, 2)


def test_a_damaged_folder_is_not_resumed(trained: Path, folder: Path):
    """Neither by itself nor with a traceback."""
    run = folder / "runs" / "mocov2plus" / trained.name
    shutil.copytree(trained, run)
    for content in ("- 3", "name: ${oc.env:HOME}", "\0: ["):
        (run / "config.yaml").write_text(content)
        assert (
            same_run(with_defaults(compose_config("tiny", str(folder), ["max_epochs=2"]))) is None
        )
    words = ("max_epochs=2", "auto_resume.enabled=True", "limit_train_batches=1")
    assert tiny.pretrain(folder, *words, "data.val_path=null") == 0
    assert len(tiny.run_folders(folder)) == 2


def test_a_damaged_environment_of_a_resumed_run(
    trained: Path, folder: Path, refused: Callable[..., str]
):
    run = folder / "runs" / "mocov2plus" / trained.name
    shutil.copytree(trained, run)
    next(run.glob("*-ep=1.ckpt")).unlink()
    (run / "environment.json").write_text("[]")
    words = ["max_epochs=2", "auto_resume.enabled=True"]
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *words]
    assert "can't be read; mend or remove that file" in refused(*command)


def test_text_that_utf8_cannot_hold_is_escaped(run: Path, capsys: pytest.CaptureFixture[str]):
    """JSON can: a path that isn't UTF-8, or a damaged file."""
    change_args(run, name="a\udcffb", method_kwargs__x="c\ud800d")
    (run / "history.json").write_text(json.dumps([{"event": "\ud800"}]))
    page = run.parent / "page.html"
    assert main(["report", str(run), "--out", str(page), "--embedding", "none"]) == 0
    assert r"c\ud800d" in page.read_text(encoding="utf-8")
    words = ["--evaluation", "knn --k 2", "--no-report", "--out", str(run.parent / "out")]
    assert main(["compare", "--runs", str(run), *words]) == 0
    assert main(["knn", str(run), "--k", "2"]) == 0
    assert r"knn evaluation of a\udcffb" in capsys.readouterr().out


def test_data_that_nobody_knows(run: Path, refused: Callable[..., str]):
    change_args(run, data__dataset="mnist")
    assert "data.dataset='mnist' of the run's args.json must be one of" in refused("knn", run)


def test_references_that_branch_stay_small():
    content = {"a0": "x" * 100, **{f"a{n}": f"${{a{n - 1}}}-" * 10 for n in range(1, 10)}}
    plain = unresolved(content)
    assert plain["a1"] == ("x" * 100 + "-") * 10
    assert all(len(value) < 20_000 for value in plain.values())
