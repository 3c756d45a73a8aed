"""The quickstart as a user runs it, with one step of training per method."""

import csv
import json
import re
from pathlib import Path

import pytest
import tiny
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from cueco_solo.cli import main

ARGUMENTS = [
    "quickstart",
    "max_epochs=1",
    "limit_train_batches=1",
    "limit_val_batches=0",
    "method_kwargs.proj_hidden_dim=16",
    "data.num_workers=0",
    "hardware=cpu",
    "enable_progress_bar=False",
]


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load_digits()
    few = Bunch(images=digits.images[:400], target=digits.target[:400])
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: few)


def table(text: str) -> dict[str, list[str]]:
    """The table of figures that was printed last: by line its cells."""
    lines = text.splitlines()
    titles = [i for i, line in enumerate(lines) if line.startswith("digits-placed ")]
    start = max(i + 1 for i in titles if set(lines[i + 1]) == {"-"})
    end = lines.index("", start)
    rows = [re.split(r"\s{2,}", line) for line in [lines[start - 1], *lines[start + 1 : end]]]
    return {name: cells for name, *cells in rows}


@pytest.mark.usefixtures("few_digits")
def test_table_then_reuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(ARGUMENTS) == 0
    first = capsys.readouterr().out
    # the figures of the first method, beside the untrained row, before the second one trains
    so_far = table(first.partition("[2/4]")[0])
    assert so_far["digits-placed"] == ["untrained", "SimCLR"] and "k-NN: 20-NN" in so_far
    rows = table(first)
    methods = rows["digits-placed"]
    assert methods == ["untrained", "SimCLR", "MoCo V2+", "CueCo, contrastive only", "CueCo"]
    shown = ("Linear, cached features: top-1", "k-NN: 20-NN", "Clustering: NMI", "Clustering: ACC")
    assert all(0 < float(cell.split(" [")[0]) < 100 for name in shown for cell in rows[name])
    # one step comes before the first clusters, so both CueCo rows are the same
    assert rows[shown[0]][-1] == rows[shown[0]][-2]
    assert len(set(zip(*(rows[name] for name in shown), strict=True))) == 4
    untrained, *seconds = rows["Training: seconds"]
    assert untrained == "-" and all(float(cell) > 0 for cell in seconds)
    folders = sorted(path.parent for path in Path("trained_models").rglob("args.json"))
    assert len(folders) == 4 and all(str(folder) in first for folder in folders)
    assert "report: comparisons/quickstart/report.html (" in first
    assert first.splitlines()[-1].startswith("done in ")
    assert Path("comparisons/quickstart/report.html").stat().st_size > 10_000
    with open("comparisons/quickstart/results.csv", newline="") as file:
        assert {row["method"] for row in csv.DictReader(file)} == set(methods)

    before = tiny.times(Path("."))
    assert main(ARGUMENTS) == 0
    assert table(capsys.readouterr().out) == rows
    changed = {path for path, time in tiny.times(Path(".")).items() if before.get(path) != time}
    assert {path.parts[0] for path in changed} == {"comparisons"}

    # a figure of other settings doesn't count as done
    path = next(Path("trained_models/cueco").rglob("eval-cluster-*.json"))
    content = json.loads(path.read_text())
    content["settings"]["restarts"] += 1
    content["results"]["nmi"] = 99.9
    path.write_text(json.dumps(content))
    assert main(ARGUMENTS) == 0
    assert table(capsys.readouterr().out) == rows
