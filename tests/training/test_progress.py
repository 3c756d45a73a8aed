"""What a training shows: its first line, and a line per epoch or a bar."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
import tiny

from cueco_solo.training.durations import duration

FIRST = re.compile(
    r"mocov2plus on resnet18: 11\.\d M trainable parameters; 18 images; "
    r"2 steps per epoch, 2 epochs; 1 x cpu, 32-true"
)
LINE = r"epoch {}/2: loss \d+\.\d+, online accuracy \d+\.\d %, \d+ s"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tiny.write_config(tmp_path, tiny.write_images(tmp_path / "images"))


def command(config: Path, *overrides: str) -> list[str]:
    words = ["pretrain", "--config-path", str(config), "--config-name", "tiny", "max_epochs=2"]
    return [sys.executable, "-m", "cueco_solo.cli", *words, *overrides]


def on_a_terminal(words: list[str]) -> str:
    """What a command writes to a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal's last user is gone
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait() == 0, seen.decode()
    return seen.decode()


@pytest.fixture
def told(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Trains, and gives the lines of it."""

    def lines(*overrides: str) -> list[str]:
        capsys.readouterr()
        assert tiny.pretrain(config, "max_epochs=2", "enable_progress_bar=True", *overrides) == 0
        return capsys.readouterr().out.splitlines()

    return lines


def test_off_a_terminal_a_line_per_epoch(told: Callable[..., list[str]]):
    first, one, two, last = told()
    assert FIRST.fullmatch(first)
    assert re.fullmatch(LINE.format(1) + r", \d+ s left", one)
    assert re.fullmatch(LINE.format(2), two)
    assert last.startswith("run folder: ")


def test_on_a_terminal_loss_and_accuracy_and_no_table(config: Path):
    seen = on_a_terminal(command(config, "enable_progress_bar=True"))
    assert FIRST.search(seen)
    assert re.search(r"Epoch 1: .*2/2 .*loss=\d+\.\d+, online accuracy=\d+\.\d %", seen)
    for word in ("v_num", "FLOPs", "Params", "epoch 1/2"):
        assert word not in seen


def test_two_processes_without_validation(config: Path):
    """Only the first has a bar, but all take part in what it shows."""
    words = ("devices=2", "strategy=ddp", "data.val_path=null", "optimizer.batch_size=4")
    words += ("data.no_labels=True", "enable_progress_bar=True", *tiny.CUECO)
    seen = on_a_terminal(command(config, *words))
    assert re.search(r"Epoch 1: .*2/2 .*loss=\d", seen)
    assert "run folder: " in seen


def test_the_loss_is_a_whole_batchs(told: Callable[..., list[str]]):
    losses = []
    for batches in (1, 2):
        lines = "\n".join(told(f"accumulate_grad_batches={batches}", f"name=by{batches}"))
        losses.append(float(re.search(r"epoch 1/2: loss ([\d.]+)", lines)[1]))  # type: ignore
    # the second batch comes after a step, or not
    assert losses[1] == pytest.approx(losses[0], rel=0.2)


def test_between_validations_no_figure_of_an_earlier_one(told: Callable[..., list[str]]):
    lines = told("check_val_every_n_epoch=2", "max_epochs=3")
    epochs = [line for line in lines if line.startswith("epoch")]
    assert ["in training" in line for line in epochs] == [True, False, True]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119.4, "119 s"), (150, "2 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text
