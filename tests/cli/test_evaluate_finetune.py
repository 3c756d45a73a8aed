"""``cueco-solo finetune`` on a run folder."""

import json
import os
import shutil
import signal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from support import change_args, entry, known_images

from cueco_solo.cli import main

FAST = ("max_epochs=15", "enable_progress_bar=False")


def finetune(run: Path, *arguments: str, file: str) -> dict[str, Any]:
    assert main(["finetune", str(run), "--num-workers", "0", *FAST, *arguments]) == 0
    return json.loads(entry(run, file).read_text())


def test_the_whole_backbone_learns(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Half of the 18 tinted images: fewer than a batch."""
    from cueco_solo.evaluation import finetune as module

    seen: list[Any] = []
    fitted = module.fitted_accuracies

    def watched(backbone: Any, *rest: Any) -> Any:
        before = {name: value.clone() for name, value in backbone.state_dict().items()}
        result = fitted(backbone, *rest)
        after = backbone.state_dict()
        seen.extend(name for name in before if not torch.equal(before[name], after[name]))
        return result

    monkeypatch.setattr(module, "fitted_accuracies", watched)
    content = finetune(run, "--percent", "50", file="eval-finetune-50pct.json")
    assert {"conv1.weight", "bn1.running_mean", "layer4.1.conv2.weight"} <= set(seen)
    settings = content["settings"]
    assert (settings["percent"], settings["images"], settings["seed"]) == (50, 9, 5)
    assert settings["optimizer"]["batch_size"] == 9
    assert settings["optimizer"]["lr"] == pytest.approx(0.05 * 9 / 256)
    assert "batches of all 9 images: there are no 64" in capsys.readouterr().out
    assert content["results"].keys() == {"top1", "top5"}
    assert known_images(content) == {"top1"}
    names = (run / "subsets" / "50pct-seed5.txt").read_text().splitlines()
    assert (
        sorted(name.split("/")[0] for name in names) == ["blue"] * 3 + ["green"] * 3 + ["red"] * 3
    )


def test_labels_count(run: Path, images: Path, tmp_path: Path):
    """Taught that every image is of the next class, the network says so of others too."""
    shifted = tmp_path / "shifted"
    for name, other in (("blue", "green"), ("green", "red"), ("red", "blue")):
        shutil.copytree(images / "train" / name, shifted / other)
    options = ("--percent", "100", "optimizer.batch_size=6", "optimizer.lr=1")
    file = "eval-finetune-100pct.json"
    right = finetune(run, *options, file=file)
    wrong = finetune(run, *options, "--train-path", str(shifted), file=file)
    assert right["results"]["top1"] > 60
    assert wrong["results"]["top1"] < 20


def test_seed_zero_names_a_subset_of_its_own(run: Path):
    content = finetune(run, "--percent", "50", "seed=0", file="eval-finetune-50pct.json")
    assert content["settings"]["seed"] == 0
    assert [path.name for path in (run / "subsets").iterdir()] == ["50pct-seed0.txt"]


SWEEP = ("--percent", "100", "--sweep", "--learning-rate", "1", "0.1", "--classifier-rate", "1")


def test_sweep(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A grid finds the figures again; an interrupted sweep left nothing but what it had tried."""
    from cueco_solo.comparison.evaluations import parse_evaluations
    from cueco_solo.evaluation import finetune_sweep

    fitted, calls = finetune_sweep.fitted, []

    def interrupted(*args: Any) -> Any:
        calls.append(args[1].optimizer)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return fitted(*args)

    monkeypatch.setattr(finetune_sweep, "fitted", interrupted)
    short = ("max_epochs=1", "enable_progress_bar=False")
    assert main(["finetune", str(run), "--num-workers", "0", *short, *SWEEP]) == 130
    assert not list(run.glob("eval-*")) and len(list((run / "sweeps").iterdir())) == 1
    (evaluation,) = parse_evaluations([f"finetune {' '.join((*short, *SWEEP))} --num-workers 0"])
    (path,) = evaluation.run(run)
    assert path.name.startswith("eval-finetune-100pct-sweep-")
    assert not (run / "sweeps").exists()
    content = json.loads(path.read_text())
    sweep, settings = content["sweep"], content["settings"]
    assert len(calls) == len(sweep["curve"]) + 1  # the second one twice
    assert [calls[0].lr, calls[0].classifier_lr] == pytest.approx([0.1 * 14 / 256, 14 / 256])
    assert sweep["best"] in sweep["curve"] and sweep["best"]["classifier_learning_rate"] == 1
    assert (sweep["images"], sweep["chosen_on"]) == (4, "held-out training images")
    assert sweep["at_edge"] == bool(sweep["edges"])
    assert (settings["rates"], settings["classifier_rates"]) == ([0.1, 1], [1])
    assert (settings["chosen_on"], settings["held_out_percent"]) == ("held-out", 20)
    assert settings["optimizer"].keys() == {"name", "batch_size", "weight_decay", "kwargs"}
    said = capsys.readouterr().err
    best = f"learning rate {sweep['best']['learning_rate']:.3g}, classifier 1: "
    assert f"{best}{sweep['best']['top1']:.2f} on 4 held-out images" in said
    calls.clear()
    assert evaluation.run(run) == [path] and not calls


def test_a_choice_on_the_validation_set_has_another_name(run: Path):
    from cueco_solo.results.runs import describe, read_figures
    from cueco_solo.results.table import make_table
    from cueco_solo.training.run_folder import open_runs

    words = ("--choose", "validation", "max_epochs=1", "enable_progress_bar=False")
    one = ("--percent", "10", "--sweep", "--learning-rate", "0.1", "--classifier-rate", "1")
    assert main(["finetune", str(run), "--num-workers", "0", *one, *words]) == 0
    (path,) = run.glob("eval-finetune-10pct-sweep-on-validation-*.json")
    content = json.loads(path.read_text())
    assert content["sweep"]["chosen_on"] == "validation images"
    assert content["results"]["top1"] == content["sweep"]["best"]["top1"]
    assert "held_out_percent" not in content["settings"]
    runs = open_runs([run])
    described = describe(runs)
    read_figures(described, runs)
    groups = [column.group for column in make_table(described).columns]
    assert "Fine-tuned, 10 % of labels, swept on validation images" in groups


@pytest.mark.parametrize(("percent", "epochs"), [("4", 40), ("10", 30)])
def test_epochs_by_percent(
    percent: str, epochs: int, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of our configurations; one's own says it itself."""
    from cueco_solo.evaluation import finetune as module

    seen: list[int] = []

    def trained(backbone: Any, cfg: Any, *_: Any) -> dict[str, float]:
        seen.append(cfg.max_epochs)
        return {"top1": 1.0}

    monkeypatch.setattr(module, "finetune_accuracies", trained)
    words = ["finetune", str(run), "--num-workers", "0", "--percent", percent]
    text = (resources.files("cueco_solo.configs") / "finetune-custom.yaml").read_text()
    (tmp_path / "finetune-custom.yaml").write_text(text.replace("max_epochs: 60", "max_epochs: 7"))
    for more in ([], ["max_epochs=3"], ["--config-path", str(tmp_path)]):
        assert main([*words, *more]) == 0
    assert seen == [epochs, 3, 7]


def test_errors(run: Path, refused: Any):
    diverged = ("--percent", 100, "--num-workers", 0, "optimizer.lr=1e30", *FAST)
    message = "led to a validation loss that isn't finite; lower optimizer.lr"
    assert message in refused("finetune", run, *diverged)
    assert not list(run.glob("eval-*.json"))
    for words, text in (
        (("--choose", "validation"), "--choose='validation' goes with --sweep; add --sweep"),
        (("--learning-rate", 0.1), "--learning-rate=[0.1] goes with --sweep"),
        (("--classifier-rate", 0.1), "--classifier-rate=[0.1] goes with --sweep"),
        (("--sweep", "optimizer.lr=1"), "optimizer.lr='1' is chosen by --sweep; give --learning"),
        (("--sweep", "scheduler.min_lr=0.1"), "scheduler.min_lr=0.1 is one rate for all"),
        (("backbone.kwargs.x=1",), "backbone.kwargs.x='1' has no effect: it is what the run was"),
        (("--percent", 1e-9), "--percent=1e-09 of the 18 training images is less than one image"),
        (("optimizer.classifier_lr=0",), "optimizer.classifier_lr=0 must be a number above 0"),
        (
            ("--sweep",),
            "--sweep=True holds out labelled images of each class, but no class has two",
        ),
    ):
        assert text in refused("finetune", run, "--percent", 10, "--num-workers", 0, *words)
    assert not list(run.glob("eval-*.json"))
    change_args(run, data__format="h5")
    assert "data.format='h5' can't be read in part" in refused("finetune", run, "--percent", 1)
