"""Files of figures that are no such files: one sentence in the tables, never a traceback."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import refusal

from cueco_solo.report.curves import read_curves
from cueco_solo.report.reproduction import reproduce
from cueco_solo.results.figures import run_figures
from cueco_solo.results.runs import describe, read_figures
from cueco_solo.training.run_folder import load_run

DEEP = "[" * 100_000


def evaluation(**changes: Any) -> str:
    content = {"checkpoint": "CHECKPOINT", "results": {"top1": 1.0}, "settings": {}}
    return json.dumps({**content, **changes})


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        evaluation(results={"top1": 10**400}),
        evaluation(settings={"seed": [1]}),
        evaluation(settings={"dataset": [1]}),
        evaluation(settings={"dataset": "custom", "title": {"a": 1}}),
        evaluation(settings={"temperature": "warm"}),
    ],
    ids=["deep", "huge", "seed", "dataset", "title", "temperature"],
)
def test_figures_that_are_none(text: str, run: Path):
    loaded = load_run(run)
    text = text.replace("CHECKPOINT", loaded.checkpoint.name)
    (run / "eval-linear.json").write_text(text)
    assert "isn't what an evaluation writes" in refusal(run_figures, loaded)
    (described,) = describe([loaded])
    read_figures([described], [loaded])
    assert any("isn't what an evaluation writes" in line for line in described.missing)


def test_a_field_of_the_metrics_that_swallows_all_others(trained: Path, run: Path):
    shutil.copy(trained / "metrics.csv", run)
    path = run / "metrics.csv"
    whole = read_curves(path)
    path.write_text(path.read_text() + '"' + "x" * 200_000)
    assert read_curves(path) == whole
    assert {figure["protocol"] for figure in run_figures(load_run(run))} >= {"linear-online"}


@pytest.mark.parametrize("content", [DEEP, '{"gpus": [{}]}', '{"gpus": [["x"]]}'])
def test_an_environment_that_is_none(content: str, run: Path):
    (run / "environment.json").write_text(content)
    _, (problem,) = reproduce(load_run(run))
    assert "environment.json can't be read" in problem
