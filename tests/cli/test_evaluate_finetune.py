"""``cueco-solo finetune`` on a run folder."""

import json
import shutil
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


def test_errors(run: Path, refused: Any):
    diverged = ("--percent", 100, "--num-workers", 0, "optimizer.lr=1e30", *FAST)
    message = "led to a validation loss that isn't finite; lower optimizer.lr"
    assert message in refused("finetune", run, *diverged)
    assert not list(run.glob("eval-*.json"))
    change_args(run, data__format="h5")
    assert "data.format='h5' can't be read in part" in refused("finetune", run, "--percent", 1)
