"""The console script: help, and errors in one line."""

from pathlib import Path

import pytest

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError, HostError

COMMANDS = (
    *("quickstart", "compare", "pretrain", "linear", "knn", "cluster", "finetune"),
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


def test_overrides_may_stand_on_both_sides_of_an_option(capsys: pytest.CaptureFixture[str]):
    given = ["pretrain", "max_epochs=3", "--config-name", "cueco-cifar10", "seed=9", "--cfg"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "max_epochs: 3\n" in shown
    assert "seed: 9\n" in shown


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["pretrain", "--config", "x"])
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "more"])
    assert "unrecognized arguments" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["linear", "RUN", "max_epochs=3", "--cachd"])
    error = capsys.readouterr().err
    assert "usage: cueco-solo linear" in error
    assert "unrecognized arguments: --cachd; did you mean --cached?" in error


def test_digits_are_written_and_reused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    one = tmp_path / "d" / "train" / "0"
    before = {path: path.stat().st_mtime_ns for path in one.iterdir()}
    assert main(["data", "digits", "--out", str(tmp_path / "d")]) == 0
    assert {path: path.stat().st_mtime_ns for path in one.iterdir()} == before
    assert str(tmp_path / "d" / "val") in capsys.readouterr().out
