"""The console script: help, and errors in one line."""

import os
import signal
from pathlib import Path

import pytest
import tiny

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError, HostError

COMMANDS = (
    *("quickstart", "compare", "pretrain", "linear", "knn", "fewshot", "cluster"),
    "finetune",
    *("export", "report", "data", "doctor"),
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
    assert f"usage: cueco-solo {line.split()[0]}" in error and message in error


def test_digits_are_written_and_reused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    before = tiny.times(tmp_path)
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    assert tiny.times(tmp_path) == before
    assert str(tmp_path / "d" / "val") in capsys.readouterr().out
