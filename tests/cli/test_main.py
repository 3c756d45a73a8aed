"""The console script: help, and errors in one line."""

import os
import signal
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import tiny
from support import python

import cueco_solo
from cueco_solo.cli import _parser, main
from cueco_solo.errors import ConfigError, HostError
from cueco_solo.host import host_info

COMMANDS = (
    *("quickstart", "compare", "pretrain", "linear", "knn", "fewshot", "cluster"),
    "finetune",
    *("embed", "export", "report", "data", "list", "doctor"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    end = capsys.readouterr().out.rpartition("example")[2]
    assert f"\n  cueco-solo {command}" in end


@pytest.mark.parametrize("error", [ConfigError, HostError])
def test_errors_are_one_line(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(args: object) -> None:
        raise error("a=1 is\nwrong; mend it")

    monkeypatch.setattr("cueco_solo.cli.doctor.run", fail)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "cueco-solo: error: a=1 is wrong; mend it\n"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 138)])
def test_a_signal_is_one_line(
    name: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    number = signal.Signals[name]
    before = signal.getsignal(number)
    monkeypatch.setattr("cueco_solo.cli.doctor.run", lambda args: os.kill(os.getpid(), number))
    assert main(["doctor"]) == code
    line = f"\ncueco-solo: stopped by {name}; no file is half-written\n"
    assert capsys.readouterr().err == line
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("words", ["list methods", "--version"])
def test_a_reader_that_has_gone_is_no_error(words: str):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        command = ("-m", "cueco_solo.cli", *words.split())
        done = python(*command, capture_output=False, stdout=output, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", ["knn", "export", "report", "compare --runs", "compare"])
def test_a_path_that_no_system_has(words: str, refused: Callable[..., str]):
    long = "a" * 300
    message = refused(*words.split(), f"{long}/x.yaml")
    assert f"{long}/x.yaml" in message and "File name too long" in message


def test_overrides_may_stand_on_both_sides_of_an_option(capsys: pytest.CaptureFixture[str]):
    given = ["pretrain", "max_epochs=3", "--config-name", "cueco-cifar10", "seed=9", "--cfg"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "max_epochs: 3\n" in shown
    assert "seed: 9\n" in shown


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pretrain --config x", "ambiguous option: --config could match --config-name"),
        ("knm run", "invalid choice: 'knm' (choose from quickstart, compare, "),
        ("knm run", "; did you mean knn?"),
        ("options cuco", "; did you mean cueco?"),
        ("doctor more", "unrecognized arguments: more"),
        ("linear RUN max_epochs=3 --cachd", "unrecognized arguments: --cachd; did you mean --cach"),
        ("knn run --num-workers -1", "'-1' must be an integer of at least 0"),
        ("knn run --temperature 0", "'0' must be a number above 0"),
        ("knn run --k a", "'a' must be an integer of at least 1"),
        ("cluster run --seed -1", "'-1' must be an integer in [0, 2**32 - 1]"),
        ("fewshot run --draws 0", "'0' must be an integer of at least 1"),
        ("linear run --sweep --weight-decay -1", "'-1' must be a number of at least 0"),
        ("finetune run --percent 0", "'0' must be a number in (0, 100]"),
        ("export run --format tensorflow", "invalid choice: 'tensorflow'"),
        ("report", "the following arguments are required: RUNS"),
        ("report run --images 0", "'0' must be an integer of at least 1"),
        ("report run --embedding pca", "invalid choice: 'pca'"),
    ],
)
def test_arguments_are_refused(line: str, message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    error = capsys.readouterr().err
    command = line.split()[0]
    assert f"usage: cueco-solo {command if command in COMMANDS else ''}" in error
    assert message in error


def test_every_help_names_its_defaults():
    """Of all options that take a value."""
    commands = _parser()._subparsers._group_actions[0].choices
    for name, command in commands.items():
        for action in command._actions:
            text = command._get_formatter()._get_help_string(action) or ""
            if action.nargs != 0 and not action.required and action.dest != "overrides":
                assert "default" in text, (name, action.dest)


def test_version_names_what_figures_depend_on(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    host, shown = host_info(), capsys.readouterr().out
    expected = f"solo-learn {host.version} ({host.form}), torch {metadata.version('torch')}\n"
    assert shown == f"cueco-solo {cueco_solo.__version__}, {expected}"


@pytest.mark.parametrize(
    ("words", "row"),
    [
        (["methods"], "rcl cueco-solo"),
        (["methods"], "mocov2plus solo-learn"),
        (["configs"], "cueco-cifar10 cueco cifar10 resnet18 1000"),
        (["configs", "--config-path", "folder"], "tiny mocov2plus custom resnet18 1"),
        (["runs", "runs"], "mocov2plus data resnet18 5 2 of 2"),
        (["grids"], "quickstart its own 1 SimCLR; MoCo V2+; CueCo, contrastive only; CueCo"),
    ],
)
def test_lists(words, row, trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]):
    places = {"folder": str(folder), "runs": str(trained.parents[1])}
    kind, *rest = words
    assert main(["list", kind, *(places.get(word, word) for word in rest)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith(row) for line in lines), lines


def test_the_shell_completes_commands_configurations_and_grids(tmp_path: Path):
    pytest.importorskip("argcomplete")

    def completed(line: str) -> list[str]:
        out = tmp_path / "completions"
        environment = {
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        python("-m", "cueco_solo.cli", env=environment)
        return [word.strip() for word in out.read_text().split("\n")]

    assert completed("cueco-solo fin") == ["finetune"]
    assert "cueco-imagenet100-dali" in completed("cueco-solo pretrain cueco-ima")
    assert completed("cueco-solo compare cueco/table3") == ["cueco/table3"]


def test_digits_are_written_and_reused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    before = tiny.times(tmp_path)
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    assert tiny.times(tmp_path) == before
    assert str(tmp_path / "d" / "val") in capsys.readouterr().out
