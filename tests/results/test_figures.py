"""A run folder's figures as tidy rows."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from support import entry

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError
from cueco_solo.results.figures import dataset_name, run_figures
from cueco_solo.training.run_folder import load_run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def write(run: Path, name: str, results: object, checkpoint: str | None = "newest") -> None:
    newest = sorted(path.name for path in run.glob("*.ckpt"))[-1]
    content = {
        "checkpoint": newest if checkpoint == "newest" else checkpoint,
        "results": results,
        "settings": {"dataset": "custom", "train_path": "/somewhere/flowers/train"},
    }
    (run / f"eval-{name}.json").write_text(json.dumps(content))


def named(run: Path, **options: object) -> dict[tuple[str, str], float]:
    rows = run_figures(load_run(run), **options)  # type: ignore[arg-type]
    return {(row["protocol"], row["metric"]): row["value"] for row in rows}


def test_real_evaluations_of_a_real_run(run: Path):
    assert main(["knn", str(run), "--k", "3", "--device", "cpu"]) == 0
    assert main(["cluster", str(run), "--restarts", "1", "--device", "cpu"]) == 0
    rows = run_figures(load_run(run))
    common = {
        (r["source"], r["dataset"], r["method"], r["backbone"], r["epochs"], r["seed"], r["run"])
        for r in rows
    }
    assert common == {("ours", "data", "mocov2plus", "resnet18", 2, 5, str(run))}
    found = {(row["protocol"], row["metric"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    assert {metric for protocol, metric in found if protocol == "knn"} == {
        "knn3",
        "knn3-top5",
        "knn3-euclidean",
        "knn3-euclidean-top5",
    }
    assert {m for p, m in found if p == "clustering"} >= {"nmi", "ami", "ari", "acc"}
    stored = json.loads(entry(run, "eval-knn.json").read_text())["results"]
    assert found["knn", "knn3-euclidean"] == stored["euclidean_3_top1"]
    online = (run / "metrics.csv").read_text().splitlines()
    column = online[0].split(",").index("val_acc1")
    last = [line.split(",")[column] for line in online[1:] if line.split(",")[column]][-1]
    assert found["linear-online", "top1"] == float(last)
    assert found["training", "seconds"] > 0


def test_vocabulary_is_that_of_the_published_figures(run: Path):
    write(run, "linear", {"top1": 1.0, "top5": 2.0})
    write(run, "linear-cached", {"top1": 3.0})
    write(run, "finetune-1pct", {"top1": 4.0})
    write(run, "finetune-10pct", {"top5": 5.0})
    write(run, "knn", {"cosine_200_top1": 6.0})
    found = named(run)
    assert found["linear", "top1"] == 1.0
    assert found["linear-cached", "top1"] == 3.0
    assert found["semi-supervised-1pct", "top1"] == 4.0
    assert found["semi-supervised-10pct", "top5"] == 5.0
    assert found["knn", "knn200"] == 6.0
    own = ("linear-online", "training")
    flowers = [row for row in run_figures(load_run(run)) if row["protocol"] not in own]
    assert {row["dataset"] for row in flowers} == {"flowers"}


def test_figures_of_another_checkpoint_are_left_out(run: Path):
    write(run, "linear", {"top1": 1.0}, checkpoint="an-earlier-one.ckpt")
    write(run, "knn", {"cosine_20_top1": 2.0})
    assert ("linear", "top1") not in named(run)
    assert ("knn", "knn20") in named(run)
    assert ("knn", "knn20") not in named(run, only=["eval-linear.json"])


def test_untrained_figures_stand_apart(run: Path):
    write(run, "knn", {"cosine_20_top1": 2.0})
    write(run, "knn-untrained", {"cosine_20_top1": 1.0}, checkpoint=None)
    assert named(run)["knn", "knn20"] == 2.0
    (row,) = run_figures(load_run(run), untrained=True)
    assert (row["method"], row["epochs"], row["value"]) == ("untrained", 0, 1.0)


@pytest.mark.parametrize("text", ["", "[]", '{"results": {}}', "{"])
def test_a_damaged_file_is_named(run: Path, text: str):
    (run / "eval-knn.json").write_text(text)
    with pytest.raises(ConfigError, match=r"eval-knn\.json.*evaluate again"):
        run_figures(load_run(run))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("datasets/digits-placed/train", "digits-placed"),
        ("./photos", "photos"),
        ("/a/b/c/training", "c"),
        ("train", "custom"),
    ],
)
def test_a_data_set_of_ones_own_is_called_as_its_folder(path: str, name: str):
    assert dataset_name({"dataset": "custom", "train_path": path}) == name
    assert dataset_name({"dataset": "cifar10", "train_path": path}) == "cifar10"


def test_the_runs_own_data_set_is_renamed_and_no_other(run: Path):
    checkpoint = sorted(path.name for path in run.glob("*.ckpt"))[-1]
    settings = {"dataset": "cifar100", "superclasses": True}
    content = {"checkpoint": checkpoint, "results": {"acc": 1.0}, "settings": settings}
    (run / "eval-cluster.json").write_text(json.dumps(content))
    found = {
        figure["protocol"]: figure["dataset"]
        for figure in run_figures(load_run(run), dataset="mine")
    }
    assert found == {"linear-online": "mine", "training": "mine", "clustering": "cifar100-20"}


def test_online_figures_are_no_later_than_the_checkpoint(run: Path):
    """As those of a run that was killed between two checkpoints."""
    with (run / "metrics.csv").open(newline="") as file:
        logged = list(csv.DictReader(file))
    (last,) = [row for row in logged if row["epoch"] == "1" and row["val_acc1"]]
    with (run / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, logged[0].keys())
        writer.writeheader()
        writer.writerows([*logged, {**last, "epoch": "2", "val_acc1": "99.9"}])
    assert named(run)["linear-online", "top1"] == pytest.approx(float(last["val_acc1"]))
