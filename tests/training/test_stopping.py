"""A signal stops a training after its step, and it goes on as if it had never been stopped."""

import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import signalled
import tiny
import torch
from equal_runs import check_same
from omegaconf import OmegaConf
from support import python, refusal

from cueco_solo.results.figures import epochs
from cueco_solo.training.checkpoints import Stage, latest_checkpoint, stage
from cueco_solo.training.history import read_history
from cueco_solo.training.position import KEY, check_position, settings_of
from cueco_solo.training.run_folder import load_run
from cueco_solo.training.stopping import Stopper
from cueco_solo.training.trainer import RunCheckpointer

WORDS = tiny.THREE_BATCHES
NO_VALIDATION = "data.val_path=null"
KNN = ("+knn_eval.enabled=True", "+knn_eval.k=2")
PLAIN = ("~momentum", "~method_kwargs.temperature")


def levels(hierarchy: str, number: int = 3) -> tuple[str, ...]:
    words = ("method=rcl", "+method_kwargs.pred_hidden_dim=16", NO_VALIDATION)
    words += ("+method_kwargs.hierarchy_warmup_epochs=1", "+method_kwargs.dbscan_min_samples=2")
    words += (f"+method_kwargs.hierarchy={hierarchy}", f"+method_kwargs.num_levels={number}")
    return (*words, "+method_kwargs.dbscan_eps=[1.3,1.0]") if number > 1 else words


# the step after which a signal comes, and the configuration
VARIANTS = {
    "cueco, accumulated gradients, workers": (
        3,
        (*tiny.CUECO, "accumulate_grad_batches=2", "data.num_workers=1", NO_VALIDATION),
    ),
    # K-means has run at the end of the epoch, whose validation is still to come
    "cueco, an epoch's last step": (3, (*tiny.CUECO, "+method_kwargs.clustering=offline")),
    "rcl, online": (5, levels("online")),
    "rcl, dbscan": (4, levels("dbscan")),
    "rcl, kmeans": (4, levels("kmeans")),
    "rcl, none": (4, levels("none", 1)),
    "self_classifier": (
        4,
        (
            *("method=self_classifier", *PLAIN, "method_kwargs.queue_size=8", NO_VALIDATION),
            *("~method_kwargs.proj_hidden_dim", "~method_kwargs.proj_output_dim"),
            *("+method_kwargs.mlp_dims=[16,8]", "+method_kwargs.head_size=4"),
            "+method_kwargs.num_heads=2",
        ),
    ),
    "mocov2plus, a validation follows": (2, ("val_check_interval=2",)),
    "mocov2plus, k-NN": (3, KNN),
    "mocov2plus, double precision": (2, ("precision=64-true",)),
    "cueco, double precision": (5, (*tiny.CUECO, "precision=64-true", NO_VALIDATION)),
    # W-MSE draws random numbers in each step
    "wmse": (
        1,
        (
            *("method=wmse", *PLAIN, "~method_kwargs.queue_size", "optimizer.lr=0.01"),
            *("+method_kwargs.whitening_iters=1", "+method_kwargs.whitening_size=4"),
            *("optimizer.batch_size=8", "method_kwargs.proj_output_dim=2", NO_VALIDATION),
            "limit_train_batches=2",
        ),
    ),
}


@pytest.fixture
def at_step(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Lets the trainings of a test get a signal after a step."""

    def install(step: int, number: int = signal.SIGTERM) -> None:
        request.addfinalizer(signalled.signal_at(step, lambda: signalled.send(number)))

    return install


def line_of(out: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith("stopped by")]
    return line


@pytest.mark.parametrize("name", VARIANTS)
def test_goes_on_as_if_never_stopped(
    name: str, tmp_path: Path, images: Path, at_step: Any, capsys: pytest.CaptureFixture[str]
):
    step, words = VARIANTS[name]
    words, method = (*WORDS, *words), name.partition(",")[0]
    whole = tiny.write_config(tmp_path / "whole", images)
    assert tiny.pretrain(whole, *words) == 0
    folder = tiny.write_config(tmp_path / "stopped", images)
    at_step(step)
    capsys.readouterr()
    assert tiny.pretrain(folder, *words) == 143
    (run,) = tiny.run_folders(folder, method)
    (checkpoint,) = run.glob("*.ckpt")
    named = stage(checkpoint)
    assert named is not None and named.step == step
    assert epochs(load_run(run)) == named.epochs == read_history(run)[-1]["epoch"]
    line = line_of(capsys.readouterr().out)
    assert line.startswith(f"stopped by SIGTERM after step {step}")
    assert line.endswith(f"; checkpoint: {checkpoint}")
    assert tiny.pretrain(folder, *words, "auto_resume.enabled=True") == 0
    check_same(run, *tiny.run_folders(whole, method))
    events = read_history(run)
    assert [each["event"] for each in events] == ["started", "stopped", "resumed", "ended"]
    assert (events[1]["by"], events[1]["step"], events[2]["step"]) == ("SIGTERM", step, step)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    return tiny.whole_run(tmp_path_factory.mktemp("whole"), images, *WORDS)


def signal_in_validation(monkeypatch: pytest.MonkeyPatch, batch: int, number: int) -> list[int]:
    """Send one after that many of its batches; the list gets the step at each of them."""
    stock, steps = Stopper.on_validation_batch_end, []

    def validated(self: Any, trainer: Any, *rest: Any) -> None:
        steps.append(trainer.global_step)
        if len(steps) == batch:
            signalled.send(number)
        stock(self, trainer, *rest)

    monkeypatch.setattr(Stopper, "on_validation_batch_end", validated)
    return steps


def test_a_validation_is_given_up_and_done_anew(
    whole: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The one at the end of the first epoch, after its second batch of three."""
    batches = signal_in_validation(monkeypatch, 2, signal.SIGINT)
    assert tiny.pretrain(folder, *WORDS) == 130
    assert "stopped by SIGINT after step 3; checkpoint: " in capsys.readouterr().out
    assert tiny.pretrain(folder, *WORDS, "auto_resume.enabled=True") == 0
    assert batches == [3, 3, 3, 3, 3, 6, 6, 6]
    check_same(*tiny.run_folders(folder), whole)


def test_a_validation_amid_accumulated_gradients_is_finished(
    tmp_path: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    words = (*WORDS, "accumulate_grad_batches=2", "val_check_interval=1")
    whole = tiny.whole_run(tmp_path / "whole", images, *words)
    folder = tiny.write_config(tmp_path / "stopped", images)
    steps = signal_in_validation(monkeypatch, 1, signal.SIGTERM)
    assert tiny.pretrain(folder, *words) == 143
    assert steps == [0, 0, 0]
    assert "after step 1, batch 2 of 3 in epoch 0; checkpoint: " in capsys.readouterr().out
    assert tiny.pretrain(folder, *words, "auto_resume.enabled=True") == 0
    check_same(*tiny.run_folders(folder), whole)


def test_the_images_of_a_k_nn_of_two_epochs(tmp_path: Path, images: Path, at_step: Any):
    words = (*WORDS, *KNN, "check_val_every_n_epoch=2")
    whole = tiny.whole_run(tmp_path / "whole", images, *words)
    folder = tiny.write_config(tmp_path / "stopped", images)
    at_step(3)
    assert tiny.pretrain(folder, *words) == 143
    (run,) = tiny.run_folders(folder)
    (bank,) = torch.load(next(run.glob("*.ckpt")), weights_only=True)[KEY]["bank"]
    assert [len(part) for part in bank["train_targets"]] == [8] * 3
    assert tiny.pretrain(folder, *words, "auto_resume.enabled=True") == 0
    check_same(run, whole)


def test_saves_every_so_many_minutes(whole: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Which changes nothing, and lets a killed run go on from there."""
    stock, names = RunCheckpointer.save_amid, []
    (killed := folder / "killed").mkdir()

    def save(self: Any, trainer: Any) -> None:
        stock(self, trainer)
        names.append(self.last_ckpt.name.partition("-ep=")[2])
        if len(names) == 3:
            for path in self.path.iterdir():
                shutil.copy(path, killed)

    monkeypatch.setattr(RunCheckpointer, "save_amid", save)
    words = (*WORDS, "checkpoint.keep_prev=True")
    assert tiny.pretrain(folder, *words, "checkpoint.every_n_minutes=1e-9") == 0
    (run,) = tiny.run_folders(folder)
    # the last step of an epoch has the epoch's own
    assert names == [f"{place}.ckpt" for place in ("0-step=1", "0-step=2", "1-step=4", "1-step=5")]
    assert sorted(path.name[-9:] for path in run.glob("*.ckpt")) == ["ep=0.ckpt", "ep=1.ckpt"]
    next(run.glob("*-ep=0.ckpt")).unlink()
    check_same(run, whole)

    shutil.rmtree(run)
    killed.rename(run)
    assert tiny.pretrain(folder, *words, "auto_resume.enabled=True") == 0
    assert read_history(run)[-2]["step"] == 4
    next(run.glob("*-ep=0.ckpt")).unlink()
    check_same(run, whole)


def test_a_run_that_is_done_is_not_stopped(
    folder: Path, at_step: Any, capsys: pytest.CaptureFixture[str]
):
    at_step(3)
    words = (*WORDS[:2], "max_epochs=1", NO_VALIDATION)
    assert tiny.pretrain(folder, *words) == 0
    (run,) = tiny.run_folders(folder)
    assert read_history(run)[-1]["event"] == "ended"
    assert "stopped" not in capsys.readouterr().out


def test_a_whole_epoch_is_finished_where_nothing_else_is_to_do(
    folder: Path, at_step: Any, capsys: pytest.CaptureFixture[str]
):
    at_step(3)
    assert tiny.pretrain(folder, *WORDS, NO_VALIDATION, "checkpoint.frequency=10") == 143
    (run,) = tiny.run_folders(folder)
    (checkpoint,) = run.glob("*.ckpt")
    assert stage(checkpoint) == Stage(1)
    assert f"stopped by SIGTERM after step 3; checkpoint: {checkpoint}" in capsys.readouterr().out


def test_without_checkpoints_the_line_says_so(
    folder: Path, at_step: Any, capsys: pytest.CaptureFixture[str]
):
    at_step(1)
    assert tiny.pretrain(folder, *WORDS, NO_VALIDATION, "checkpoint.enabled=False") == 143
    assert line_of(capsys.readouterr().out).endswith("; no checkpoint: checkpoint.enabled=False")


def test_names_tell_how_far_a_checkpoint_is(tmp_path: Path):
    order = ["n-ep=8.ckpt", "n-ep=9-step=95.ckpt", "n-ep=9-step=120.ckpt", "n-ep=9.ckpt"]
    for name in reversed(order):
        with zipfile.ZipFile(tmp_path / name, "w"):
            pass
    stages = [stage(tmp_path / name) for name in order]
    assert stages == [(9, 0), (9, 95), (9, 120), (10, 0)]
    while order:
        latest = latest_checkpoint(tmp_path)
        assert latest is not None and latest.name == order.pop()
        latest.unlink()
    assert stage(Path("last.ckpt")) is None


def test_other_batches_cant_go_on_amid_an_epoch():
    cfg = OmegaConf.create({"optimizer": {"batch_size": 4}, "seed": 5, "data": {"format": "x"}})
    content = {KEY: {"amid": {"settings": settings_of(cfg, 2, 18)}}}
    path = Path("x.ckpt")
    check_position(content, path, cfg, 2, 18)
    message = refusal(check_position, content, path, cfg, 1, 18)
    assert "processes was 2, is 1; change that back, or resume from the checkpoint of" in message
    assert "training images was 18, is 19" in refusal(check_position, content, path, cfg, 2, 19)
    cfg.optimizer.batch_size, cfg.seed = 8, 6
    message = refusal(check_position, content, path, cfg, 2, 18)
    assert "optimizer.batch_size was 4, is 8; seed was 5, is 6" in message
    assert "not by cueco-solo" in refusal(check_position, {}, path, cfg, 2, 18)
    cfg.data.format = "dali"
    assert "DALI can't go on" in refusal(check_position, content, path, cfg, 2, 18)


def test_dali_stops_at_the_end_of_the_epoch(capsys: pytest.CaptureFixture[str]):
    stopper = Stopper(None, checkpointer=SimpleNamespace(last_ckpt=None))
    for _ in range(2):
        stopper._stop(signal.SIGTERM)
    out = capsys.readouterr().out
    assert out == "data.format=dali can't go on amid an epoch: stopping at the end of this one\n"


def test_a_second_signal_ends_it_at_once(folder: Path):
    """While the main thread waits for something else, for a minute."""
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS, NO_VALIDATION]
    done = python(signalled.__file__, "two", 2, 0, *command, timeout=55)
    assert done.returncode == 143
    assert "stopped at once by SIGTERM, the second signal" in done.stderr
    assert not [*folder.rglob("*.ckpt"), *folder.rglob("*.part")]


def test_all_processes_stop_at_the_same_step(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Two, of which the second gets the signal; and they go on together, but not one alone."""
    words = (*WORDS, *tiny.CUECO, NO_VALIDATION, "limit_train_batches=2")
    words += ("devices=2", "strategy=ddp")
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *words]
    done = python(signalled.__file__, "SIGTERM", 3, 1, *command)
    assert done.returncode == 143, done.stderr
    assert "stopped by SIGTERM after step 3, batch 1 of 2 in epoch 1" in done.stdout
    (run,) = tiny.run_folders(folder, "cueco")
    (checkpoint,) = run.glob("*.ckpt")
    saved = torch.load(checkpoint, weights_only=True)[KEY]
    assert len(saved["random"]) == len(saved["amid"]["logged"]) == 2
    sums = [each["training_step.train_nce_loss"]["sum"] for each in saved["amid"]["logged"]]
    assert sums[0] != sums[1]
    assert tiny.pretrain(folder, *words, f"resume_from_checkpoint={run}", "devices=1") == 2
    assert "processes was 2, is 1" in capsys.readouterr().err
    whole = tiny.write_config(folder / "whole", folder)
    shutil.copy(folder / "tiny.yaml", whole)
    for more in ([f"resume_from_checkpoint={run}"], [f"checkpoint.dir={whole}"]):
        done = python("-m", "cueco_solo.cli", *command, *more)
        assert done.returncode == 0, done.stderr
    check_same(run, *(whole / "cueco").iterdir())
