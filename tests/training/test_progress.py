"""What a training shows: its first line, and a line per epoch or a bar."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
import tiny

from cueco_solo.training.progress import duration

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


def test_off_a_terminal_a_line_per_epoch(config: Path):
    done = subprocess.run(
        command(config, "enable_progress_bar=True"), capture_output=True, text=True, check=True
    )
    first, one, two, last = done.stdout.splitlines()
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


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119.4, "119 s"), (150, "2 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text
