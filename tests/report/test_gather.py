"""The whole document from tiny real runs, and what stands there where something is missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cueco_solo.errors import ConfigError
from cueco_solo.evaluation.cache import cached_features
from cueco_solo.evaluation.features import evaluation_data
from cueco_solo.report.document import Document, RunPart
from cueco_solo.report.gather import gather_document
from cueco_solo.report.inside import Looking
from cueco_solo.runs import load_run


@pytest.fixture(scope="module")
def known(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that has its features already; not to be changed."""
    folder = tmp_path_factory.mktemp("known") / "known"
    copied(trained, folder)
    run = load_run(folder)
    cached_features(run, evaluation_data(run), False, 8, 0, "cpu")
    return folder


def copied(known: Path, folder: Path, **changes: Any) -> Path:
    """A copy, the checkpoints as links, with changed keys in args.json (``__`` for a dot)."""
    folder.mkdir(parents=True)
    for path in known.iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        elif path.suffix == ".ckpt":
            (folder / path.name).symlink_to(path.resolve())
        else:
            shutil.copy(path, folder)
    args = json.loads((folder / "args.json").read_text())
    for key, value in changes.items():
        section, _, leaf = key.rpartition("__")
        (args[section] if section else args)[leaf] = value
    (folder / "args.json").write_text(json.dumps(args))
    return folder


def evaluated(folder: Path, settings: Any = None, older: bool = False, **results: float) -> Path:
    checkpoint = (min if older else max)(path.name for path in folder.glob("*.ckpt"))
    content = {"checkpoint": checkpoint, "results": results, "settings": settings or {}}
    (folder / "eval-linear.json").write_text(json.dumps(content))
    return folder


def gathered(*folders: Path, **options: Any) -> Document:
    document = gather_document(folders, **options)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    return document


def part(folder: Path, **options: Any) -> RunPart:
    (only,) = gathered(folder, embedding="none", **options)["runs"]
    return only


@pytest.fixture
def no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Looking, "fill", lambda *_: None)


def test_a_run(known: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fail(*_: Any) -> None:
        raise AssertionError("the backbone was built")

    monkeypatch.setattr("cueco_solo.evaluation.cache.load_backbone", fail)
    document = gathered(known, title="T", images=6)
    assert document["title"] == "T" and document["created"][:2] == "20"
    (run,) = document["runs"]
    assert run["missing"] == []
    assert (run["id"], run["method"], run["backbone"]) == ("known", "mocov2plus", "resnet18")
    assert (run["name"], run["dataset"], run["epochs"], run["seed"]) == ("tiny", "data", 2, 5)
    assert {"val_acc1", "train_nce_loss", "train_class_loss"} <= run["curves"].keys()
    assert {f["protocol"] for f in run["figures"]} == {"linear-online"}
    assert run["config"]["optimizer.lr"] == "0.3"  # as written, not as scaled
    assert run["embedding"] and sorted(run["embedding"]["label"]) == [0, 0, 1, 1, 2, 2]
    images = document["images"][run["images"] or ""]
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
    first, second = document["runs"]
    assert first["images"] == second["images"] and len(document["images"]) == 1
    assert first["embedding"] == second["embedding"]
    assert [first["id"], second["id"]] == ["known", "known (2)"]
    assert {figure["run"] for figure in second["figures"]} == {"known (2)"}


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
    missing = [run["missing"] for run in gathered(*folders, again)["runs"]]
    assert missing[0] == missing[1] == []
    assert missing[2] == [
        "Figures: linear was measured with optimizer.lr=0.3, where other runs have 3.0; "
        "measure alike before you compare."
    ]
    assert missing[3] == [
        "Figures: eval-linear.json is of another checkpoint than the newest; evaluate again."
    ]
    assert missing[4] == [
        "Another seed: a has the same seed and settings, and means and standard deviations count "
        "both; leave one out."
    ]


def test_configurations_are_compared_in_one_form(known: Path, tmp_path: Path, no_images: None):
    stock = copied(known, tmp_path / "stock")
    (stock / "config.yaml").unlink()
    first, second = gathered(known, stock)["runs"]
    assert first["config"] == second["config"]


def test_lost_data(known: Path, tmp_path: Path):
    lost = copied(known, tmp_path / "lost", data__train_path="nowhere")
    first, second = gathered(known, lost, embedding="none")["runs"]
    assert first["missing"] == [] and first["clusters"]
    (sentence,) = second["missing"]
    assert sentence.startswith("Embedding and clusters: --train-path='nowhere' doesn't exist")
    assert second["clusters"] == [] and second["images"] is None
    assert second["curves"] == first["curves"]
    found = part(
        lost, train_path=json.loads((known / "args.json").read_text())["data"]["train_path"]
    )
    assert found["missing"] == [] and found["clusters"]


def test_a_truncated_checkpoint(known: Path, tmp_path: Path):
    folder = copied(known, tmp_path / "cut")
    newest = max(folder.glob("*.ckpt"))
    whole = newest.read_bytes()
    newest.unlink()
    newest.write_bytes(whole[:5000])
    run = part(folder)
    (sentence,) = run["missing"]
    assert "can't be read" in sentence and "truncated" in sentence
    assert run["curves"] and run["figures"]


def test_features_with_nan(known: Path, tmp_path: Path):
    folder = copied(known, tmp_path / "nan")
    newest = max(folder.glob("*.ckpt"))
    state = torch.load(newest, weights_only=True)["state_dict"]
    state = {name: value for name, value in state.items() if name.startswith("backbone.")}
    next(iter(state.values())).fill_(float("nan"))
    newest.unlink()
    torch.save({"state_dict": state}, newest)
    (sentence,) = part(folder)["missing"]
    assert "features that aren't finite for 27 of 27 images" in sentence


def test_an_error_of_a_loading_process_is_one_sentence(
    known: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any, **__: Any) -> None:
        name = "cueco_solo.errors.ConfigError"
        raise ConfigError(
            f"Caught {name} in worker 0.\nTraceback:\n  ...\n{name}: image='x' is bad"
        )

    monkeypatch.setattr("cueco_solo.evaluation.cache.cached_features", fail)
    assert part(known)["missing"] == ["Embedding and clusters: image='x' is bad."]


def test_one_class_only(known: Path, tmp_path: Path, images: Path):
    for split in ("train", "val"):
        shutil.copytree(images / split / "red", tmp_path / split / "red")
    paths = {f"data__{split}_path": str(tmp_path / split) for split in ("train", "val")}
    (sentence,) = part(copied(known, tmp_path / "one", **paths))["missing"]
    assert "has one class only (red)" in sentence


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
        "Figures",
        "Training curves",
        "Configuration",
    ]
    assert "eval-knn.json" in sentences[0]


def test_a_figure_that_isnt_finite_is_said(known: Path, tmp_path: Path, no_images: None):
    run = part(evaluated(copied(known, tmp_path / "run"), top1=float("nan"), top5=90.0))
    assert run["missing"] == ["Figures: linear top1 is nan."]
    assert [f["value"] for f in run["figures"] if f["protocol"] == "linear"] == [90.0]


# ---- several runs ----


def test_differences_to_a_baseline_are_paired_by_seed(known: Path, tmp_path: Path, no_images: None):
    folders = []
    for method, scores in {"cueco": (52.0, 55.0), "mocov2plus": (50.0, 51.0)}.items():
        for seed, score in enumerate(scores):
            folder = copied(known, tmp_path / f"{method}{seed}", method=method, seed=seed)
            folders.append(evaluated(folder, top1=score))
    found = gathered(*folders, baseline="mocov2plus")["comparisons"]
    (linear,) = [row for row in found if row["protocol"] == "linear"]
    assert (linear["method"], linear["metric"], linear["seeds"]) == ("cueco", "top1", 2)
    assert linear["difference"] == pytest.approx(3)
    assert linear["low"] == pytest.approx(3 - 12.706, rel=1e-3)
    assert gathered(*folders)["comparisons"] == []
    with pytest.raises(ConfigError, match="--baseline='moco' must be one of cueco, mocov2plus"):
        gathered(*folders, baseline="moco")


def test_methods_under_other_names(known: Path, tmp_path: Path, no_images: None):
    other = copied(known, tmp_path / "other")
    config = (other / "config.yaml").read_text().replace("temperature: 0.2", "temperature: 0.5")
    (other / "config.yaml").write_text(config)
    found = gathered(known, other, baseline="mocov2plus · tiny")["comparisons"]
    assert {row["method"] for row in found} == {"mocov2plus · other"}
    names = {known: "cold", other: "warm"}
    document = gathered(known, other, methods=names, baseline="cold")
    assert [run["method"] for run in document["runs"]] == ["cold", "warm"]
    assert {row["method"] for row in document["comparisons"]} == {"warm"}
    assert {f["method"] for f in document["runs"][1]["figures"]} == {"warm"}


def test_runs_of_other_length_are_not_paired(known: Path, tmp_path: Path, no_images: None):
    short = copied(known, tmp_path / "short", method="cueco")
    max(short.glob("*.ckpt")).unlink()
    assert gathered(known, short, baseline="mocov2plus")["comparisons"] == []


def test_published_figures_of_the_same_data_and_protocol(
    known: Path, tmp_path: Path, no_images: None
):
    folder = evaluated(copied(known, tmp_path / "run", data__dataset="cifar10"), top1=90.0)
    rows = gathered(folder)["published"]
    assert {row["dataset"] for row in rows} == {"cifar10"}
    assert {row["protocol"] for row in rows} <= {"linear", "linear-online"}
    assert {row["source"] for row in rows} >= {"cueco, Table 1"}
    assert gathered(folder, published=False)["published"] == []
    assert gathered(known)["published"] == []


def test_folders_of_runs(
    known: Path, tmp_path: Path, no_images: None, capsys: pytest.CaptureFixture[str]
):
    copied(known, tmp_path / "a" / "two")
    copied(known, tmp_path / "a" / "one")
    linear = copied(known, tmp_path / "b", pretrained_feature_extractor="x.ckpt")
    unfinished = copied(known, tmp_path / "c")
    for path in unfinished.glob("*.ckpt"):
        path.unlink()
    document = gathered(tmp_path / "a" / "two", tmp_path)
    assert [run["id"] for run in document["runs"]] == ["two", "one"]
    printed = capsys.readouterr().out
    assert f"left out: RUNS='{linear}' is no pre-training" in printed
    assert f"left out: RUNS='{unfinished}' holds no .ckpt" in printed


def test_what_is_no_run(known: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="give at least one"):
        gathered()
    with pytest.raises(ConfigError, match="RUNS='nowhere' must be a run folder"):
        gathered(known, Path("nowhere"))
    with pytest.raises(ConfigError, match="holds no run"):
        gathered(tmp_path)
    with pytest.raises(ConfigError, match="must be a run folder; give the folder"):
        gathered(known / "args.json")
    (tmp_path / "args.json").write_text("{")
    with pytest.raises(ConfigError, match=r"holds no readable args\.json"):
        gathered(tmp_path)
