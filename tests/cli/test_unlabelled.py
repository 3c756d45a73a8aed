"""Pre-training on images without labels, from the folder to the report."""

import csv
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from omegaconf import OmegaConf

from cueco_solo.cli import main
from cueco_solo.data.reading import VARIABLE
from cueco_solo.training.checkpoints import latest_checkpoint

WITHOUT = ("data.no_labels=True", "data.val_path=null")
FIGURES = {
    *("alignment", "uniformity", "rankme", "lidar", "seconds"),
    *("cluster_active", "cluster_perplexity", "cluster_largest_share"),
}
RCL = (
    "method=rcl",
    "+method_kwargs.pred_hidden_dim=16",
    "method_kwargs.hierarchy_warmup_epochs=1",
    "method_kwargs.dbscan_min_samples=2",
)
OF_MOCO = ("~method_kwargs.queue_size", "~method_kwargs.temperature")
SELF_CLASSIFIER = (
    "method=self_classifier",
    *OF_MOCO,
    "~method_kwargs.proj_hidden_dim",
    "~method_kwargs.proj_output_dim",
    "+method_kwargs.mlp_dims=[16,8]",
    "+method_kwargs.head_size=6",
)
NNCLR = ("method=nnclr", "+method_kwargs.pred_hidden_dim=16")
Refused = Callable[..., str]


def logged(run: Path) -> dict[str, list[float]]:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}


def only_run(folder: Path, method: str) -> Path:
    (run,) = tiny.run_folders(folder, method)
    return run


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """A folder with a run of MoCo V2+ on nested images, of two epochs; not to be changed."""
    folder = tiny.write_config(tmp_path_factory.mktemp("unlabelled"), images)
    options = ("max_epochs=2", "checkpoint.keep_prev=True")
    assert tiny.pretrain(folder, *WITHOUT, *options) == 0
    return folder


@pytest.mark.parametrize(
    "overrides",
    [
        tiny.CUECO,
        RCL,
        SELF_CLASSIFIER,
        ("method=simclr", "~method_kwargs.queue_size", "data.train_path={images}/train/red"),
        NNCLR,
    ],
    ids=["cueco", "rcl", "self_classifier", "simclr on a flat folder", "nnclr"],
)
def test_methods(overrides: tuple[str, ...], images: Path, folder: Path, capsys: Any):
    method = overrides[0].partition("=")[2]
    chosen = [text.format(images=images) for text in overrides]
    batch = "optimizer.batch_size=" + ("4" if method == "simclr" else "8")
    assert tiny.pretrain(folder, *WITHOUT, *chosen, batch) == 0
    said = capsys.readouterr().out
    flat, nested = (
        "images: 6 in 1 folder;",
        "images: 18 in 3 folders, which aren't taken for classes",
    )
    assert (flat if method == "simclr" else nested) in said
    run = only_run(folder, method)
    columns = logged(run)
    assert {f"online_{name}" for name in FIGURES} <= columns.keys()
    assert not [name for name in columns if "acc" in name or "class_loss" in name or "nmi" in name]
    assert all(math.isfinite(x) for values in columns.values() for x in values)
    assert [values for name, values in columns.items() if name.endswith("_loss_epoch")]
    assert json.loads((run / "args.json").read_text())["data"]["num_classes"] == 1
    path = latest_checkpoint(run)
    assert path is not None
    state = torch.load(path, weights_only=True)["state_dict"]
    assert state["classifier.weight"].shape == (1, 512)


def test_a_resumed_run_continues_with_the_same_losses_and_figures(
    unlabelled: Path, tmp_path: Path, images: Path
):
    whole = only_run(unlabelled, "mocov2plus")
    first = tmp_path / "first"
    shutil.copytree(whole, first, ignore=shutil.ignore_patterns("*ep=1.ckpt", "metrics.csv"))
    folder = tiny.write_config(tmp_path, images)
    # off, since it is no part of the images' fingerprint
    options = (*WITHOUT, "max_epochs=2", "checkpoint.keep_prev=True", "data.check_images=False")
    assert tiny.pretrain(folder, *options, f"resume_from_checkpoint={first}") == 0
    names = {f"online_{name}" for name in FIGURES - {"seconds"}} | {"train_nce_loss_step"}
    for name in names:
        found = tiny.metric(first, name, 1)  # the same settings: it goes on there
        assert found and found == tiny.metric(whole, name, 1), name


def test_unreadable_images_are_listed_or_left_out_for_good(
    folder: Path, images: Path, refused: Refused, capsys: Any
):
    shutil.copytree(images / "train", folder / "photos")
    broken = folder / "photos" / "green" / "2.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:1500])
    words = ("pretrain", "--config-path", folder, "--config-name", "tiny", *WITHOUT)
    words = (*words, f"data.train_path={folder / 'photos'}", "checkpoint.keep_prev=True")
    message = refused(*words)
    assert "holds 1 of 18 images that can't be read: green/2.png (image file is trunc" in message
    assert not list(folder.glob("runs/*/*"))
    assert VARIABLE not in os.environ

    assert main([str(word) for word in (*words, "--skip-unreadable")]) == 0
    said = capsys.readouterr().out
    assert "images: 1 of 18 can't be read and are left out\n  green/2.png (" in said
    run = only_run(folder, "mocov2plus")
    args = json.loads((run / "args.json").read_text())
    assert args["data"]["unreadable"] == ["green/2.png"]
    history = json.loads((run / "history.json").read_text())
    assert history[0]["data"]["images"] == 17
    assert VARIABLE not in os.environ

    more = ("max_epochs=2", f"resume_from_checkpoint={run}", "--skip-unreadable")
    assert main([str(word) for word in (*words, *more)]) == 0
    broken.write_bytes(whole)
    message = refused(*words, *more, "max_epochs=3")
    assert "data.images was 17 images" in message and "is 18 images" in message
    # a batch is compared with what is left
    broken.write_bytes(whole[:1500])
    large = "optimizer.batch_size=18", "method_kwargs.queue_size=18"
    assert "must be at most the 17" in refused(*words, "--skip-unreadable", *large)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (
            WITHOUT[:1],
            "is scored by labels, but with data.no_labels=True there are none; set data.val",
        ),
        (
            [*WITHOUT, "knn_eval.enabled=True"],
            "knn_eval.enabled=True needs labels, but with data.no",
        ),
        ([*WITHOUT, "momentum.classifier=True"], "momentum.classifier=True needs labels, but with"),
        (
            [*WITHOUT, "method=supcon"],
            "method='supcon' learns from labels, but with data.no_labels",
        ),
        ([*WITHOUT, "data.dataset=cifar10"], "data.dataset='cifar10' can't be read with data.no_l"),
        ([*WITHOUT, "data.format=h5"], "data.format='h5' can't be read with data.no_labels=True"),
        ([*WITHOUT, "optimizer.batch_size=32"], "optimizer.batch_size=32 must be at most the 18"),
        (["data.skip_unreadable=True"], "data.skip_unreadable=True goes with data.no_labels=True"),
        (["data.check_images=2"], "data.check_images=2 must be True or False"),
        ([*WITHOUT, "online_clustering.lidar_images=-1"], "must be an integer of at least 0"),
    ],
)
def test_what_needs_labels_is_refused(
    overrides: list[str], text: str, folder: Path, refused: Refused
):
    words = ("pretrain", "--config-path", folder, "--config-name", "tiny")
    assert text in refused(*words, *overrides)
    assert not list(folder.glob("runs/*/*"))


def test_evaluations_say_that_they_need_labelled_images(
    unlabelled: Path, refused: Refused, tmp_path: Path
):
    run = only_run(unlabelled, "mocov2plus")
    finetune = ("finetune", "--percent", "50")
    for command, *more in [("linear",), ("knn",), ("cluster",), ("fewshot",), finetune]:
        message = refused(command, run, *more)
        assert "was trained without labels (data.no_labels=True), but is evaluated" in message
        assert "give --dataset NAME --train-path DIR --val-path DIR" in message
    assert not list(run.glob("eval-*"))


def test_evaluation_on_any_labelled_data_and_the_report(
    unlabelled: Path, images: Path, tmp_path: Path, refused: Refused, capsys: Any
):
    run = tmp_path / "runs" / "mocov2plus" / "run"
    shutil.copytree(only_run(unlabelled, "mocov2plus"), run)
    paths = ("--train-path", str(images / "train"), "--val-path", str(images / "val"))
    assert main(["knn", str(run), "--k", "3", "--dataset", "colours", *paths]) == 0
    assert main(["cluster", str(run), *paths]) == 0
    assert "knn evaluation of tiny on colours" in capsys.readouterr().out

    page = tmp_path / "page.html"
    words = ["--embedding", "none", "--out", str(page)]
    assert main(["report", str(run), *words]) == 0
    said = capsys.readouterr().out
    assert "data.no_labels=True leaves no labelled images to show; give the report --train" in said
    text = page.read_text()
    assert "online_lidar" in text and "linear-online" not in text
    assert main(["report", str(run), *words, *paths]) == 0
    assert "leaves no labelled images" not in capsys.readouterr().out


def test_comparisons_measure_on_labelled_data(
    unlabelled: Path, images: Path, tmp_path: Path, refused: Refused, capsys: Any
):
    out = ("--no-report", "--out", str(tmp_path / "out"))
    run = tmp_path / "run"
    shutil.copytree(only_run(unlabelled, "mocov2plus"), run)
    elsewhere = f"knn --k 3 --dataset {images}"
    words = ["compare", "--runs", str(run), "--evaluation", "cluster", "--evaluation", elsewhere]
    assert main([*words, *out]) == 0
    said = capsys.readouterr().out
    assert "cluster is left out: its images have no labels" in said
    assert "k-NN: 3-NN" in said and "online" not in said

    grid = tmp_path / "grid.yaml"
    method = {"config": "tiny", "config_path": str(unlabelled), "overrides": list(WITHOUT)}
    content = {"methods": {"MoCo": method}, "evaluations": ["knn --k 3"]}
    OmegaConf.save(OmegaConf.create(content), grid)
    message = refused("compare", grid)
    assert "evaluations=['knn --k 3'] need labelled images, but MoCo trains without" in message
    OmegaConf.save(OmegaConf.create({**content, "transfer": [str(images)]}), grid)
    assert main(["compare", str(grid), "--dry-run"]) == 0
