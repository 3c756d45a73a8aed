"""``cueco-solo linear --sweep`` and ``fewshot`` on a run folder."""

import json
import os
import shutil
import signal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from support import change_args, known_images

from cueco_solo.cli import main
from cueco_solo.comparison.evaluations import parse_evaluations
from cueco_solo.evaluation import few_shot, knn, linear, linear_sweep
from cueco_solo.results.runs import describe, read_figures
from cueco_solo.results.table import make_table
from cueco_solo.training.run_folder import open_runs

SWEEP = ("optimizer.batch_size=9", "max_epochs=5", "enable_progress_bar=False")


def written(run: Path, command: str, *arguments: object) -> dict[str, Any]:
    assert main([command, str(run), "--num-workers", "0", *map(str, arguments)]) == 0
    name = "linear-sweep" if command == "linear" and "--cached" not in arguments else command
    (path,) = run.glob(f"eval-{name}*.json")
    return json.loads(path.read_text())


def test_sweep(run: Path, capsys: pytest.CaptureFixture[str]):
    content = written(run, "linear", "--sweep", *SWEEP, "--weight-decay", "1e-3", "0")
    assert content["results"].keys() == {"top1", "top5"}
    assert known_images(content) == {"top1"}
    assert content["settings"]["weight_decays"] == [0, 1e-3]
    assert content["settings"]["optimizer"].keys() == {"name", "batch_size", "kwargs"}
    assert content["settings"]["seed"] == 5
    sweep = content["sweep"]
    assert len(sweep["curve"]) == 26 + 12 * sweep["widened"]
    assert sweep["best"] in sweep["curve"]
    assert sweep["images"] == 3
    printed = capsys.readouterr().out
    assert f"at learning rate {sweep['best']['learning_rate']:.3g} and weight decay" in printed
    assert ("at the edge of the grid" in printed) == sweep["at_edge"]


def test_fewshot(run: Path, capsys: pytest.CaptureFixture[str]):
    """Six images of each class."""
    content = written(run, "fewshot", "--draws", 3)
    names = [f"{k}-shot{more}" for k in (1, 2, 5) for more in ("", "-interval")]
    assert list(content["results"]) == names
    assert known_images(content) == {"1-shot", "2-shot", "5-shot"}
    assert content["draws"]["2-shot"].keys() == {"5", "6", "7"}
    printed = capsys.readouterr().out
    assert "k=10 is left out: a class has too few training images\nk=20 is left out" in printed
    assert "to either side: 95 % interval of 3 draws" in printed


def test_a_single_draw_has_no_interval(run: Path):
    content = written(run, "fewshot", "--draws", 1, "--k", 2, "--seed", 6, "--untrained")
    assert list(content["results"]) == ["2-shot"]
    assert content["draws"]["2-shot"].keys() == {"6"}


def test_other_names_than_the_fixed_recipe_s_in_the_tables(run: Path):
    for line in ("linear --cached", "linear --sweep"):
        (evaluation,) = parse_evaluations([f"{line} --num-workers 0 {' '.join(SWEEP)}"])
        evaluation.run(run)
    (evaluation,) = parse_evaluations(["fewshot --draws 2 --num-workers 0"])
    evaluation.run(run)
    runs = open_runs([run])
    described = describe(runs)
    read_figures(described, runs)
    columns = [(c.group, c.title) for c in make_table(described).columns if c.primary]
    assert [column for column in columns if column[0].startswith("Linear")] == [
        ("Linear, cached features", "top-1"),
        ("Linear, swept", "top-1"),
    ]
    assert [column for column in columns if column[0] == "Few-shot"] == [
        ("Few-shot", "1-shot"),
        ("Few-shot", "5-shot"),
    ]


def test_a_grid_reuses_the_figures(run: Path, monkeypatch: pytest.MonkeyPatch):
    lines = [f"linear --sweep {' '.join(SWEEP)}", "fewshot --draws 2 --k 1 2"]
    evaluations = parse_evaluations([f"{line} --num-workers 0" for line in lines])
    first = [evaluation.run(run) for evaluation in evaluations]

    def fail(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(linear_sweep, "swept_linear", fail)
    monkeypatch.setattr(few_shot, "few_shot_accuracies", fail)
    assert [evaluation.run(run) for evaluation in evaluations] == first


@pytest.mark.parametrize("both", [False, True])
def test_the_report_says_that_the_rate_is_at_the_edge(run: Path, both: bool):
    content = written(run, "linear", "--sweep", *SWEEP)
    (path,) = run.glob("eval-linear-sweep*.json")
    runs = open_runs([run])
    for edge in (False, True):
        edges = ["learning_rate", "classifier_learning_rate"][: 1 + both]
        best = {"learning_rate": 46.41588, "classifier_learning_rate": 5.0}
        content["sweep"] |= {"at_edge": edge, "edges": edges * edge, "best": best}
        path.write_text(json.dumps(content))
        (described,) = describe(runs)
        read_figures([described], runs)
        said = [text for text in described.missing if "at the edge" in text or "edge of" in text]
        rates = "learning rate, 46.4," + " and its classifier learning rate, 5," * both
        sentence = f"Figures: {path.name} has its {rates} from the edge of the grid"
        assert [text.partition(";")[0] for text in said] == [sentence] * edge


@pytest.mark.parametrize(
    ("command", "module", "function"),
    [
        (("linear", "--sweep", *SWEEP), linear_sweep, "fit_probes"),
        (("fewshot",), few_shot, "balanced_order"),
        (("knn", "--k", "5"), knn, "knn_sweep"),
        # within Lightning
        (("linear", "--cached", *SWEEP), linear._FeatureInput, "forward"),
    ],
)
def test_an_interruption_is_a_line_and_leaves_nothing_half_done(
    command: tuple[str, ...],
    module: Any,
    function: str,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def interrupted(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, interrupted)
        name, *more = command
        assert main([name, str(run), "--num-workers", "0", *more]) == 143
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "cueco-solo: stopped by SIGTERM; no file is half-written"
    assert "Traceback" not in err
    assert not list(run.glob("eval-*"))
    assert not [path for path in run.rglob("*") if path.name.endswith(".part")]
    written(run, name, *more)  # of the features that were kept


def one_image_each(data: Path) -> None:
    for folder in (data / "train").iterdir():
        for path in sorted(folder.iterdir())[1:]:
            path.unlink()


def test_errors(run: Path, tmp_path: Path, images: Path, refused: Any):
    plain = ("--num-workers", 0)
    assert "scheduler.min_lr=0.01 is one rate for all" in refused(
        "linear", run, "--sweep", *plain, "scheduler.min_lr=0.01"
    )
    assert "optimizer.name='adamw' isn't sgd; change it, or leave --sweep out" in refused(
        "linear", run, "--sweep", *plain, "optimizer.name=adamw"
    )
    for override, text in (
        ("optimizer.lr=1", "optimizer.lr='1' is chosen by --sweep; leave one of them out"),
        ("precision=16", "precision='16' has no effect on a sweep; remove it"),
        ("+optimizer.kwargs.nesterov=True", "optimizer.kwargs.nesterov=True is beyond a sweep"),
        ("optimizer.batch_size=16", "must be at most the 15 training images"),
    ):
        assert text in refused("linear", run, "--sweep", *plain, override)
    own = tmp_path / "own.yaml"
    text = (resources.files("cueco_solo.configs") / "linear-custom.yaml").read_text()
    own.write_text(f"{text}limit_train_batches: 2\n")
    named = ("--config-path", tmp_path, "--config-name", "own")
    message = refused("linear", run, "--sweep", *plain, *named)
    assert "limit_train_batches=2 is beyond a sweep; change it, or leave" in message
    message = refused("linear", run, "--weight-decay", 0, *plain)
    assert "--weight-decay=[0.0] goes with --sweep; add --sweep, or set optimizer" in message
    message = refused("fewshot", run, "--k", 2, 7, *plain)
    assert "--k=7 must be at most 5: the smallest class has 6 training images; give" in message
    single = shutil.copytree(images, tmp_path / "single")
    one_image_each(single)
    paths = {f"data__{split}_path": str(single / split) for split in ("train", "val")}
    change_args(run, **paths)
    for words in (("fewshot", run, *plain), ("linear", run, "--sweep", *plain)):
        assert "has one image per class, 3 in all; give a training folder" in refused(*words)
    assert not list(run.glob("eval-*"))


@pytest.mark.parametrize("command", [("linear", "--sweep"), ("fewshot",)])
def test_features_that_arent_finite(command: tuple[str, ...], run: Path, refused: Any):
    (checkpoint,) = run.glob("*.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["backbone.conv1.weight"][0] = float("nan")
    torch.save(content, checkpoint)
    name, *more = command
    message = refused(name, run, "--num-workers", 0, *more)
    assert "weights that aren't finite" in message and "the training has diverged" in message
    assert not list(run.glob("eval-*"))
    assert not (run / "features").exists()
