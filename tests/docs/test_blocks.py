"""Every code block of docs/python.md and docs/own_method.md runs."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from support import python

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text, in order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)
    assert found
    return found


@pytest.fixture
def place(tmp_path: Path, images: Path, trained: Path) -> Path:
    """A folder with ``photos`` and ``trained_models/cueco/RUN``, where the pages' commands run."""
    (tmp_path / "photos").symlink_to(images)
    (tmp_path / "trained_models" / "cueco").mkdir(parents=True)
    (tmp_path / "trained_models" / "cueco" / "RUN").symlink_to(trained)
    return tmp_path


def test_python(place: Path):
    """In one process, one block after another, with warnings of ours as errors."""
    pieces = blocks("python.md")
    assert {language for language, _ in pieces} == {"python"} and len(pieces) >= 4
    code = "\n".join(text for _, text in pieces)
    done = python("-c", code, cwd=place)
    assert done.returncode == 0, done.stderr
    first, *_ = done.stdout.splitlines()
    assert first == "torch.Size([27, 512]) train/blue/0.png ['train']"


def test_own_method(place: Path):
    """Written, installed into a folder, and found there by the command line."""
    commands = []
    for language, text in blocks("own_method.md"):
        if language == "bash":
            commands += text.splitlines()
        else:
            name, _, content = text.partition("\n")
            (place / name.removeprefix("# ")).write_text(content)
    site = place / "site"
    words = {
        "pip": [sys.executable, "-m", "pip"],
        "python": [sys.executable],
        "cueco-solo": [sys.executable, "-m", "cueco_solo.cli"],
    }
    # without network, and beside what is installed here
    offline = ["--no-build-isolation", "--no-deps", "--target", str(site)]
    assert len(commands) == 4
    for command in commands:
        first, *rest = shlex.split(command)
        found = [sorted(place.glob(word)) if "*" in word else [word] for word in rest]
        rest = [word for words_of in found for word in words_of]
        options = offline if first == "pip" else []
        done = python(*words[first][1:], *rest, *options, path=(site,), cwd=place)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "knn evaluation of align_uniform-photos" in done.stdout
    run = next((place / "trained_models" / "align_uniform").iterdir())
    assert "train_uniformity" in (run / "metrics.csv").read_text()
