"""Run folders: names, identity, finding again."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import signalled
from omegaconf import DictConfig, OmegaConf
from support import change_args, refusal, updated

from cueco_solo.cli import main
from cueco_solo.training import run_folder as runs
from cueco_solo.training.checkpoints import latest_checkpoint
from cueco_solo.training.divergence import DivergenceGuard
from cueco_solo.training.environment import commit_of, write_environment


def config(root: Path, **changes: object) -> DictConfig:
    base = {
        "name": "n",
        "method": "m",
        "seed": 5,
        "method_kwargs": {"weight": 0.1},
        "data": {"train_path": "x", "num_workers": 2},
        "checkpoint": {"dir": str(root)},
        "auto_resume": {"enabled": False},
    }
    return updated(OmegaConf.create(base), **changes)


def finished(cfg: DictConfig, epoch: int = 3) -> Path:
    run = runs.new_run(cfg)
    OmegaConf.save(cfg, run / "config.yaml")
    (run / f"n-ep={epoch}.ckpt").touch()
    return run


def test_only_what_decides_the_numbers_decides_the_name(tmp_path: Path):
    name = runs.run_id(config(tmp_path))
    assert name.startswith("n-seed5-")
    assert len(name.rpartition("-")[2]) == 6
    for same in ({"data__num_workers": 0}, {"auto_resume__enabled": True}, {"wandb": {"a": 1}}):
        assert runs.run_id(config(tmp_path, **same)) == name
    for other in ({"method_kwargs__weight": 0.2}, {"data__train_path": "y"}, {"max_epochs": 3}):
        assert runs.run_id(config(tmp_path, **other)) != name


def test_the_same_configuration_again_gets_a_new_folder(tmp_path: Path):
    cfg = config(tmp_path)
    first, second, third = (runs.new_run(cfg) for _ in range(3))
    assert [second.name, third.name] == [f"{first.name}-2", f"{first.name}-3"]


def test_only_the_identical_configuration_is_resumed(tmp_path: Path):
    cfg = config(tmp_path)
    assert runs.same_run(cfg) is None
    first = finished(cfg)
    finished(config(tmp_path, method_kwargs__weight=0.2))
    assert runs.same_run(cfg) == first
    later = finished(cfg)
    runs.new_run(cfg)  # has no checkpoint yet
    assert runs.same_run(config(tmp_path, auto_resume__enabled=True)) == later
    OmegaConf.save(config(tmp_path, method_kwargs__weight=0.3), later / "config.yaml")
    assert runs.same_run(cfg) == first


@pytest.mark.parametrize("name", ["a[b]", "x*y", "{a}", "a?"])
def test_a_name_is_no_pattern(name: str, tmp_path: Path):
    cfg = config(tmp_path, name=name)
    run = finished(cfg)
    finished(config(tmp_path, name="ab"))
    assert (runs.same_run(cfg), runs.own_folders(cfg)) == (run, [run])


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_folder_that_is_removed_while_it_is_trained_in(
    steps: int, folder: Path, refused, monkeypatch: pytest.MonkeyPatch
):
    """Before the first row of its metrics, before a signal, and before its first checkpoint."""
    stock = DivergenceGuard.on_train_batch_end

    def removing(self: Any, trainer: Any, *args: Any) -> None:
        stock(self, trainer, *args)
        if trainer.global_step == steps:
            shutil.rmtree(folder / "runs")
            if steps == 2:
                signalled.send(signal.SIGTERM)

    monkeypatch.setattr(DivergenceGuard, "on_train_batch_end", removing)
    words = ("optimizer.batch_size=4", "data.val_path=null", f"log_every_n_steps={steps}")
    message = refused("pretrain", "--config-path", folder, "--config-name", "tiny", *words)
    assert message.startswith(f"RUN='{folder / 'runs' / 'mocov2plus'}/tiny-seed5-")
    assert " has gone: " in message
    assert not (folder / "runs").exists()


def test_a_run_folder_needs_arguments_and_a_checkpoint(tmp_path: Path):
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    missing = "holds no readable args.json; give the folder"
    assert "must be a run folder; check the path" in refusal(runs.load_run, tmp_path / "none")
    assert missing in refusal(runs.load_run, run)
    needed = {"method": "m", "seed": 5, "backbone": {"name": "b"}, "data": {"dataset": "d"}}
    args = {"name": "n", "again": "${name}", "augmentations": [{"crop_size": 32}], **needed}
    for text, message in (
        ("{", missing),
        ("[]", missing),
        ('{"name": "n", "method": "m", "seed": 5}', "an args.json without backbone.name: it isn't"),
        (json.dumps(args), "holds no .ckpt"),
    ):
        (run / "args.json").write_text(text)
        assert message in refusal(runs.load_run, run)
    assert f"did you mean {run}" in refusal(runs.load_run, tmp_path)
    checkpoint = run / "x.ckpt"
    checkpoint.touch()
    message = refusal(runs.load_run, checkpoint)
    assert f"must be a run folder; give the folder {run}" in message
    found = runs.load_run(run)
    assert (found.checkpoint, found.cfg.again) == (checkpoint, "n")


def test_the_environment_of_a_resumed_run_is_added(tmp_path: Path):
    write_environment(tmp_path, 5)
    write_environment(tmp_path, 5)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["seed"] == 5
    assert environment["versions"]["torch"]
    assert environment["versions"]["solo-learn"]["form"] in ("main", "release")
    assert len(environment["resumed"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["environment.json"]


def test_a_commit_is_that_of_the_package_and_of_no_other_checkout(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    inside = tmp_path / "venv" / "package"
    inside.mkdir(parents=True)
    assert commit_of(str(inside)) is None
    assert commit_of(str(tmp_path / "package")) is None  # broken, or there is no git


def test_the_newest_checkpoint_is_that_of_the_highest_epoch(tmp_path: Path):
    for epoch in (10, 9, 0):
        (tmp_path / f"n-n-seed5-abcdef-ep={epoch}.ckpt").touch()
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name.endswith("ep=10.ckpt")


def test_data_that_has_moved_is_looked_for_by_its_last_parts(tmp_path: Path):
    (tmp_path / "digits" / "train").mkdir(parents=True)
    (tmp_path / "val").mkdir()
    for recorded in ("/home/b/digits/train", "old/sets/digits/train"):
        assert runs.found_path(recorded, tmp_path) == "digits/train"
    # one part alone is the name of too many folders
    assert runs.found_path("/home/b/digits/val", tmp_path) is None
    assert runs.found_path("/home/b/other/train", tmp_path) is None
    assert runs.found_path(str(tmp_path), tmp_path) is None  # which is there


def test_relative_data_paths_are_those_of_where_the_run_was_started(
    run: Path, images: Path, tmp_path: Path, refused, monkeypatch: pytest.MonkeyPatch
):
    start, elsewhere = tmp_path / "start", tmp_path / "elsewhere"
    elsewhere.mkdir()
    start.mkdir()
    (start / "data").symlink_to(images)
    change_args(run, data__train_path="data/train", data__val_path="data/val")
    monkeypatch.chdir(elsewhere)
    # of a run that didn't record it, as those of solo-learn's script
    message = refused("knn", run, "--k", 5, "--device", "cpu")
    assert (
        f"data.train_path='data/train' of the run doesn't exist (looked for in {elsewhere}); "
        in (message)
    )
    assert message.endswith("give --train-path DIR")
    (run / "environment.json").write_text(json.dumps({"started_in": str(start)}))
    data = runs.load_run(run).cfg.data
    assert (data.train_path, data.val_path) == (str(start / "data/train"), str(start / "data/val"))
    assert main(["knn", str(run), "--k", "5", "--device", "cpu"]) == 0
    monkeypatch.chdir(start)
    assert runs.load_run(run).cfg.data.train_path == "data/train"


def test_a_run_records_where_it_was_started(trained: Path):
    assert json.loads((trained / "environment.json").read_text())["started_in"] == os.getcwd()
