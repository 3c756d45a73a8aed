"""Run folders and checkpoints written by 0.1.0 are still read, found again and resumed.

``fixtures/written_by_0.1.0`` holds a run of two epochs for each method, made from ``tiny.py``.
To be small, its checkpoints have large tensors of one value each, stored once.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from cueco_solo.evaluation.features import load_backbone
from cueco_solo.results.figures import run_figures
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.compose import compose_config
from cueco_solo.training.run_folder import Run, load_run, same_run
from cueco_solo.training.settings import with_defaults

WRITTEN = Path(__file__).parent / "fixtures" / "written_by_0.1.0"
OVERRIDES = {
    "cueco": tiny.CUECO,
    "rcl": (
        "method=rcl",
        "+method_kwargs.pred_hidden_dim=16",
        "+method_kwargs.hierarchy_warmup_epochs=1",
        "+method_kwargs.dbscan_min_samples=2",
    ),
    "self_classifier": (
        "method=self_classifier",
        "~method_kwargs",
        "+method_kwargs.mlp_dims=[16,8]",
        "+method_kwargs.num_heads=2",
        "+method_kwargs.head_size=6",
        "~momentum",
    ),
}


def whole(content: Any) -> Any:
    """With each tensor in memory of its own, as a training needs it."""
    if isinstance(content, torch.Tensor):
        return content.clone(memory_format=torch.contiguous_format)
    if isinstance(content, dict):
        return {key: whole(value) for key, value in content.items()}
    return [whole(value) for value in content] if isinstance(content, list) else content


@pytest.fixture(params=OVERRIDES)
def run(
    request: pytest.FixtureRequest, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """The run where it was written: ``cfg/runs/<method>/<run id>``, with its images beside it."""
    monkeypatch.chdir(tmp_path)
    Path("images").symlink_to(images)
    tiny.write_config(Path("cfg"), Path("images"))
    (checkpoint,) = (WRITTEN / request.param).glob("*.ckpt")
    name = checkpoint.name.removeprefix("tiny-").partition("-ep=")[0]
    folder = shutil.copytree(checkpoint.parent, Path("cfg", "runs", request.param, name))
    torch.save(whole(torch.load(checkpoint, weights_only=True)), folder / checkpoint.name)
    return load_run(folder)


@pytest.mark.parametrize("suffix", ["", "-untrained"])
def test_figures(run: Run, suffix: str):
    figures = run_figures(run, untrained=bool(suffix))
    for name, protocol in (("cluster", "clustering"), ("knn", "knn"), ("linear-cached",) * 2):
        path = run.folder / f"eval-{name}{suffix}.json"
        expected = json.loads(path.read_text())["results"] if path.exists() else {}
        found = [figure["value"] for figure in figures if figure["protocol"].startswith(protocol)]
        assert sorted(found) == sorted(expected.values())
    assert {(figure["epochs"], figure["seed"]) for figure in figures} == {(0 if suffix else 2, 5)}
    if not suffix:
        values = {(figure["protocol"], figure["metric"]): figure["value"] for figure in figures}
        with (run.folder / "metrics.csv").open(newline="") as file:
            accuracies = [row["val_acc1"] for row in csv.DictReader(file) if row["val_acc1"]]
        assert values["linear-online", "top1"] == float(accuracies[-1])
        assert values["training", "seconds"] > 0


def test_the_backbone(run: Run):
    state = read_checkpoint(run.checkpoint, "checkpoint")["state_dict"]
    backbone = load_backbone(run).state_dict()
    assert len(backbone) == 120
    assert all(torch.equal(value, state[f"backbone.{key}"]) for key, value in backbone.items())


def test_the_same_configuration_finds_it(run: Run, capsys: pytest.CaptureFixture[str]):
    overrides = ("max_epochs=2", *OVERRIDES[run.cfg.method])
    assert same_run(with_defaults(compose_config("tiny", "cfg", overrides))) == run.folder
    assert tiny.pretrain(Path("cfg"), *overrides, "auto_resume.enabled=True") == 0
    assert f"nothing to do: this run ended with {run.checkpoint}" in capsys.readouterr().out


def test_training_continues(run: Run):
    method = run.cfg.method
    resume = f"resume_from_checkpoint={run.checkpoint}"
    assert tiny.pretrain(Path("cfg"), "max_epochs=3", resume, *OVERRIDES[method]) == 0
    (new,) = set(tiny.run_folders(Path("cfg"), method)) - {run.folder}
    assert load_run(new).checkpoint.stem.endswith("ep=2")
    state = read_checkpoint(load_run(new).checkpoint, "checkpoint")["state_dict"]
    before = read_checkpoint(run.checkpoint, "checkpoint")["state_dict"]
    assert state.keys() == before.keys()
    assert not torch.equal(state["backbone.bn1.weight"], before["backbone.bn1.weight"])
