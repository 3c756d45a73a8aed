"""``cueco-solo pretrain`` on real, tiny trainings."""

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from omegaconf import OmegaConf
from support import python

import cueco_solo
from cueco_solo import host
from cueco_solo.cli import main
from cueco_solo.training.checkpoints import latest_checkpoint


def test_a_run_folder_says_all_about_the_run(trained: Path):
    assert trained.name.startswith("tiny-seed5-")
    kinds = {"args.json", "config.yaml", "environment.json", "history.json", "metrics.csv", ".lock"}
    checkpoints = {f"tiny-{trained.name}-ep={epoch}.ckpt" for epoch in (0, 1)}
    assert {path.name for path in trained.iterdir()} == kinds | checkpoints

    config = OmegaConf.load(trained / "config.yaml")
    args = json.loads((trained / "args.json").read_text())
    assert config.optimizer.lr == 0.3
    # one process with a batch of 8: solo-learn's rule is lr * 8 / 256
    assert args["optimizer"]["lr"] == args["optimizer"]["classifier_lr"] == 0.3 * 8 / 256
    assert args["data"]["num_classes"] == 3

    environment = json.loads((trained / "environment.json").read_text())
    assert environment["seed"] == 5
    assert environment["versions"]["solo-learn"]["form"] == host.FORM
    assert {"torch", "lightning", "torchmetrics", "timm"} <= environment["versions"].keys()
    assert len(tiny.metric(trained, "train_nce_loss_epoch", epoch=1)) == 1
    assert len(tiny.metric(trained, "val_acc1", epoch=1)) == 1


def test_checkpoints_load_as_solo_learns_scripts_load_them(trained: Path):
    path = latest_checkpoint(trained)
    assert path is not None
    state = torch.load(path, weights_only=True)["state_dict"]
    # main_knn.py
    cueco_solo.register()
    cfg = OmegaConf.create(json.loads((trained / "args.json").read_text()))
    model = host.METHODS[cfg.method].load_from_checkpoint(path, strict=False, cfg=cfg)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    # main_linear.py
    backbone = {key[9:]: value for key, value in state.items() if key.startswith("backbone.")}
    model.backbone.load_state_dict(backbone, strict=True)


@pytest.mark.parametrize("kind", ["plain", "moving coefficient", "cueco"])
def test_a_resumed_run_continues_with_the_same_losses(kind: str, trained: Path, tmp_path: Path):
    """Elsewhere, in other workers: Lightning starts those before it knows the epoch."""
    config = OmegaConf.load(trained / "config.yaml")
    images = Path(config.data.train_path).parent
    overrides = ["max_epochs=2"]
    method, loss = "mocov2plus", "train_nce_loss"
    whole = trained
    if kind != "plain":
        overrides += ["momentum.final_tau=1.0", "checkpoint.keep_prev=True"]
        if kind == "cueco":
            overrides += [*tiny.CUECO, "method_kwargs.cluster_warmup_steps=2"]
            method, loss = "cueco", "train_centroid_loss"
        else:
            overrides += ["accumulate_grad_batches=2"]
        first = tiny.write_config(tmp_path / "first", images)
        assert tiny.pretrain(first, *overrides) == 0
        (whole,) = tiny.run_folders(first, method)
    checkpoint = next(whole.glob("*-ep=0.ckpt"))
    folder = tiny.write_config(tmp_path / "second", images)
    workers = f"data.num_workers={int(kind == 'plain')}"
    assert tiny.pretrain(folder, *overrides, workers, f"resume_from_checkpoint={checkpoint}") == 0
    (resumed,) = tiny.run_folders(folder, method)
    names = [f"{loss}_epoch", f"{loss}_step", "val_loss", "val_acc1"]
    for name in names:
        there, here = (tiny.metric(run, name, epoch=1) for run in (whole, resumed))
        assert there or name == f"{loss}_step"
        assert here == there
    weights = [
        torch.load(path, weights_only=True)["state_dict"]
        for path in map(latest_checkpoint, (whole, resumed))
        if path
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_max_time_ends_a_run_after_a_whole_epoch(folder: Path):
    """Whatever the frequency, with a checkpoint from which it goes on once there is more time."""
    overrides = ["max_epochs=3", "checkpoint.frequency=3", "limit_train_batches=1"]
    overrides += ["data.val_path=null", "auto_resume.enabled=True"]
    assert tiny.pretrain(folder, *overrides, "max_time={milliseconds: 1}") == 0
    (run,) = tiny.run_folders(folder)
    assert [path.name[-9:] for path in run.glob("*.ckpt")] == ["ep=0.ckpt"]
    args = json.loads((run / "args.json").read_text())
    assert args["optimizer"]["classifier_lr"] == 0.3 * 8 / 256  # without validation, too
    written = (run / "config.yaml").stat().st_mtime_ns
    assert tiny.pretrain(folder, *overrides) == 0
    assert [path.name[-9:] for path in run.glob("*.ckpt")] == ["ep=2.ckpt"]
    assert (run / "config.yaml").stat().st_mtime_ns == written  # other processes may be reading it


def test_auto_resume_goes_on_in_the_same_folder_and_knows_the_end(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    run = folder / "runs" / "mocov2plus" / trained.name
    shutil.copytree(trained, run)
    next(run.glob("*-ep=1.ckpt")).unlink()  # as if stopped in the second epoch

    overrides = ("max_epochs=2", "auto_resume.enabled=True", "data.num_workers=1")
    assert tiny.pretrain(folder, *overrides) == 0
    assert tiny.run_folders(folder) == [run]
    assert [path.name[-9:] for path in run.glob("*.ckpt")] == ["ep=1.ckpt"]
    for epoch in (0, 1):
        for name in ("train_nce_loss_epoch", "val_loss"):
            assert tiny.metric(run, name, epoch) == tiny.metric(trained, name, epoch)
    assert len(json.loads((run / "environment.json").read_text())["resumed"]) == 1

    capsys.readouterr()
    assert tiny.pretrain(folder, *overrides) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("nothing to do: this run ended with")
    assert last == f"run folder: {run}"
    assert tiny.run_folders(folder) == [run]


def test_the_last_epoch_is_kept_and_stays_plain(folder: Path):
    """Whatever the frequency; AdamW's betas are OmegaConf's in solo-learn's configurations."""
    overrides = ["method=simclr", "~method_kwargs.queue_size", "max_epochs=2"]
    overrides += ["checkpoint.frequency=5", "data.val_path=null", "limit_train_batches=1"]
    overrides += ["optimizer.name=adamw", "optimizer.kwargs={betas: [0.8, 0.99]}"]
    assert tiny.pretrain(folder, *overrides) == 0
    (run,) = tiny.run_folders(folder, "simclr")
    (checkpoint,) = run.glob("*.ckpt")  # that of epoch 0 gave way
    content = torch.load(checkpoint, weights_only=True)
    assert content["epoch"] == 1
    assert tuple(content["optimizer_states"][0]["param_groups"][0]["betas"]) == (0.8, 0.99)


@pytest.mark.parametrize("stem", ["cueco", "simsiam"])
def test_other_methods_train(stem: str, folder: Path):
    kinds = {
        "cueco": tiny.CUECO,
        "simsiam": [
            "method=simsiam",
            "~method_kwargs",
            "++method_kwargs={proj_hidden_dim: 16, proj_output_dim: 8, pred_hidden_dim: 16}",
            "tensorboard.enabled=True",
        ],
    }
    steps = 3 if stem == "cueco" else 1  # beyond its warm-up
    overrides = (f"max_epochs={steps}", "limit_train_batches=1", "data.val_path=null")
    assert tiny.pretrain(folder, *kinds[stem], *overrides) == 0
    (run,) = tiny.run_folders(folder, stem)
    if stem == "cueco":
        logged = [len(tiny.metric(run, "train_centroid_loss_epoch", n)) for n in range(3)]
        assert logged == [0, 1, 1]
    (checkpoint,) = run.glob("*.ckpt")
    torch.load(checkpoint, weights_only=True)
    assert len(list(run.glob("events.out.tfevents.*"))) == (stem == "simsiam")


def test_the_learning_rate_counts_all_processes(folder: Path, images: Path):
    """Two processes on the CPU, started as a user does: one folder, one learning rate."""
    command = ["-m", "cueco_solo.cli", "pretrain", "--config-path", folder]
    command += ["--config-name", "tiny", *tiny.CUECO, "devices=2", "strategy=ddp"]
    done = python(*command, "optimizer.batch_size=4", cwd=folder)
    assert done.returncode == 0, done.stderr
    (run,) = tiny.run_folders(folder, "cueco")
    assert done.stdout.splitlines()[-1] == f"run folder: {run}"
    assert json.loads((run / "args.json").read_text())["optimizer"]["lr"] == 0.3 * 2 * 4 / 256
    (checkpoint,) = run.glob("*.ckpt")
    # 18 images, 9 for each process, 4 in a batch
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 2


def test_a_configuration_by_its_file_is_named_after_it(folder: Path, capsys):
    path = folder / "tiny.yaml"
    path.write_text(path.read_text().replace("name: tiny\n", ""))
    assert main(["pretrain", str(path), "--cfg", "seed=7"]) == 0
    shown = OmegaConf.create(capsys.readouterr().out)
    assert (shown.name, shown.seed) == ("tiny", 7)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method_kwargs.num_clustres=4", "did you mean method_kwargs.num_clusters?"),
        ("backbone.kwargs.depht=3", "depht"),
        ("method=cuco", "method='cuco' must be one of "),
        ("method=cuco", "; did you mean cueco"),
    ],
)
def test_cfg_refuses_what_a_run_would_refuse(override: str, message: str, folder: Path, refused):
    words = ("pretrain", folder / "tiny.yaml", *tiny.CUECO, override)
    told = refused(*words, "--cfg")
    assert message in told
    assert told == refused(*words)
