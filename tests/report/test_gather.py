"""The whole document from tiny real runs, and what stands there where something is missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from gathering import copied, evaluated, gathered, part

from cueco_solo.errors import ConfigError
from cueco_solo.results.columns import Key
from cueco_solo.training.run_folder import load_run


def test_a_run(known: Path, no_network: Any, capsys: pytest.CaptureFixture[str]):
    no_network()
    document = gathered(known, title="T", images=6)
    assert document.title == "T" and document.created[:2] == "20"
    (run,) = document.runs
    assert run["missing"] == []
    assert (run["id"], run["method"], run["dataset"]) == ("known", "MoCo V2+", "data")
    (row,) = document.table.rows
    assert (row.label, row.setting, list(row.by_seed(Key("linear-online", "top1")))) == (
        "MoCo V2+",
        "resnet18, 2 epochs",
        [5],
    )
    assert {"val_acc1", "train_nce_loss", "train_class_loss"} <= run["curves"].keys()
    assert {f["protocol"] for f in document.table.figures()} == {"linear-online", "training"}
    assert run["config"]["optimizer.lr"] == "0.3"  # as written, not as scaled
    assert run["embedding"] and sorted(run["embedding"]["label"]) == [0, 0, 1, 1, 2, 2]
    images = document.images[run["images"] or ""]
    assert images["classes"] == ["blue", "green", "red"]
    used = {*run["embedding"]["image"]}
    (clusters,) = run["clusters"]
    assert clusters["name"] == "K-means"
    for cluster in clusters["lowest_entropy"]:
        used |= {*cluster["images"]}
    assert used == set(range(len(images["thumbnails"])))
    assert sum(map(sum, clusters["matrix"])) == 9
    assert run["companions"] == []
    assert "[1/1]" in capsys.readouterr().out


def test_runs_of_the_same_data_share_their_images(known: Path, tmp_path: Path):
    other = copied(known, tmp_path / "other" / known.name)
    document = gathered(known, other)
    first, second = document.runs
    assert first["images"] == second["images"] and len(document.images) == 1
    assert first["embedding"] == second["embedding"]
    assert [first["id"], second["id"]] == ["known", "known (2)"]
    assert {figure["run"] for figure in document.table.figures()} == {str(known), str(other)}


def test_a_run_of_solo_learns_own_program(known: Path, tmp_path: Path):
    folder = copied(known, tmp_path / "stock")
    for name in ("metrics.csv", "environment.json", "config.yaml"):
        (folder / name).unlink()
    run = part(folder)
    subjects = [sentence.partition(":")[0] for sentence in run["missing"]]
    assert subjects == ["How to reproduce", "Figures", "Training curves"]
    assert run["clusters"] and run["reproduce"]["command"] is None
    assert float(run["config"]["optimizer.lr"]) == pytest.approx(0.3 * 8 / 256)


def test_what_makes_figures_incomparable_is_said(known: Path, tmp_path: Path, no_images: None):
    usual = {"max_epochs": 100, "optimizer": {"name": "sgd", "lr": 3.0}, "seed": 1}
    other = {"max_epochs": 100, "optimizer": {"name": "sgd", "lr": 0.3}, "seed": 2}
    folders = [copied(known, tmp_path / name, seed=i) for i, name in enumerate("abcd")]
    for folder, settings in zip(folders, (usual, usual, other, usual), strict=True):
        evaluated(folder, settings, older=folder.name == "d", top1=90.0)
    again = copied(known, tmp_path / "again", seed=0)
    missing = [run["missing"] for run in gathered(*folders, again).runs]
    assert missing[0] == missing[1] == []
    assert missing[2] == [
        "Figures: linear was measured with optimizer.lr=0.3, where other runs have 3.0; "
        "use the same settings before you compare."
    ]
    assert missing[3] == [
        "Figures: eval-linear.json is of another checkpoint than the newest; evaluate again."
    ]
    assert missing[4] == [
        "Seed: a has the same seed and settings, and means and standard deviations count both; "
        "leave one out."
    ]


def test_other_images_make_figures_incomparable_but_other_places_do_not(
    known: Path, tmp_path: Path, no_images: None
):
    usual = copied(known, tmp_path / "usual", seed=0)
    moved = copied(known, tmp_path / "moved", seed=1, data__val_path="elsewhere/val")
    other = copied(known, tmp_path / "other", seed=2)
    own = str(load_run(usual).cfg.data.val_path)
    for folder, val_path in ((usual, own), (moved, "elsewhere/val"), (other, "ten/val")):
        subset = str(folder / "subsets" / f"1pct-seed{folder.name}.txt")
        evaluated(folder, {"val_path": val_path, "subset": subset}, top1=90.0)
    first, second, third = (run["missing"] for run in gathered(usual, moved, other).runs)
    assert first == second == []
    assert third == [
        "Figures: linear was measured with val_path=ten/val, where other runs have its own; "
        "use the same settings before you compare."
    ]


def test_configurations_are_compared_in_one_form(known: Path, tmp_path: Path, no_images: None):
    stock = copied(known, tmp_path / "stock")
    (stock / "config.yaml").unlink()
    first, second = gathered(known, stock).runs
    assert first["config"] == second["config"]


def test_lost_data(known: Path, tmp_path: Path):
    lost = copied(known, tmp_path / "lost", data__train_path="nowhere")
    first, second = gathered(known, lost, embedding="none").runs
    assert first["missing"] == [] and first["clusters"]
    (sentence,) = second["missing"]
    assert sentence.startswith("Embedding and clusters: data.train_path='nowhere' of the run")
    assert second["clusters"] == [] and second["images"] is None
    assert second["curves"] == first["curves"]
    found = part(
        lost, train_path=json.loads((known / "args.json").read_text())["data"]["train_path"]
    )
    assert found["missing"] == [] and found["clusters"]


def truncated(folder: Path, images: Path) -> Path:
    for path in folder.glob("*.ckpt"):  # else an earlier one is used
        whole = path.read_bytes()
        path.unlink()
        path.write_bytes(whole[:5000])
    return folder


def with_nan(folder: Path, images: Path) -> Path:
    newest = max(folder.glob("*.ckpt"))
    state = torch.load(newest, weights_only=True)["state_dict"]
    state = {name: value for name, value in state.items() if name.startswith("backbone.")}
    next(iter(state.values())).fill_(float("nan"))
    newest.unlink()
    torch.save({"state_dict": state}, newest)
    return folder


def one_class(folder: Path, images: Path) -> Path:
    for split in ("train", "val"):
        shutil.copytree(images / split / "red", folder / split / "red")
    paths = {f"data__{split}_path": str(folder / split) for split in ("train", "val")}
    return copied(folder, folder.parent / "one", **paths)


@pytest.mark.parametrize(
    ("damage", "texts"),
    [
        (truncated, ["can't be read", "truncated"]),
        (with_nan, ["has weights that aren't finite"]),
        (one_class, ["has one class only (red)"]),
    ],
)
def test_what_has_no_features_is_one_sentence(
    known: Path, tmp_path: Path, images: Path, damage: Any, texts: list[str]
):
    run = part(damage(copied(known, tmp_path / "damaged"), images))
    assert run["curves"]
    for sentence in run["missing"]:  # of weights that aren't finite, figures and features say so
        assert all(text in sentence for text in texts)
    assert 1 <= len(run["missing"]) <= 1 + (damage is with_nan)


def test_an_error_of_a_loading_process_is_one_sentence(
    known: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any, **__: Any) -> None:
        name = "cueco_solo.errors.ConfigError"
        raise ConfigError(
            f"Caught {name} in worker 0.\nTraceback:\n  ...\n{name}: image='x' is bad"
        )

    monkeypatch.setattr("cueco_solo.evaluation.feature_cache.cached_features", fail)
    assert part(known)["missing"] == ["Embedding and clusters: image='x' is bad."]


def test_rcl_without_a_hierarchy_says_so(known: Path, tmp_path: Path, images: Path):
    folder = copied(known, tmp_path / "rcl", method="rcl", data__train_path="nowhere")
    first, second = part(folder)["missing"]
    assert first.startswith("Embedding and clusters")
    assert second == "Companions: this run has one level only, so no clusters."


def test_damaged_files_are_said(known: Path, tmp_path: Path, no_images: None):
    folder = copied(known, tmp_path / "damaged")
    (folder / "eval-knn.json").write_text("{")
    (folder / "config.yaml").write_text("a: [")
    (folder / "metrics.csv").write_text("")
    sentences = part(folder)["missing"]
    assert [sentence.partition(":")[0] for sentence in sentences] == [
        "Configuration",
        "Figures",
        "Training curves",
    ]
    assert "eval-knn.json" in sentences[1]


def test_a_figure_that_isnt_finite_is_said(known: Path, tmp_path: Path, no_images: None):
    folder = evaluated(copied(known, tmp_path / "run"), top1=float("nan"), top5=90.0)
    document = gathered(folder, embedding="none")
    assert document.runs[0]["missing"] == ["Figures: linear top1 is nan."]
    values = [f["value"] for f in document.table.figures() if f["protocol"] == "linear"]
    assert values == [90.0]


def test_what_is_wrong_with_untrained_figures_leaves_the_others(
    known: Path, tmp_path: Path, no_images: None
):
    folder = evaluated(copied(known, tmp_path / "run"), top1=90.0)
    content = {"checkpoint": None, "results": {"top1": float("inf")}, "settings": {}}
    (folder / "eval-linear-untrained.json").write_text(json.dumps(content))
    document = gathered(folder, embedding="none")
    assert document.runs[0]["missing"] == ["Figures: untrained linear top1 is inf."]
    (folder / "eval-linear-untrained.json").write_text("{")
    document = gathered(folder, embedding="none")
    (sentence,) = document.runs[0]["missing"]
    assert "eval-linear-untrained.json" in sentence
    assert 90.0 in [figure["value"] for figure in document.table.figures()]
