"""A training that diverges ends within a few steps, says so, and leaves only what is finite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from support import Views, fit, small_cfg
from torch.utils.data import DataLoader

import cueco_solo
from cueco_solo import host
from cueco_solo.cli import main
from cueco_solo.errors import ConfigError
from cueco_solo.methods.cueco import CueCo
from cueco_solo.numerics import spread
from cueco_solo.results.figures import run_figures
from cueco_solo.training import divergence
from cueco_solo.training.divergence import DivergenceError, DivergenceGuard
from cueco_solo.training.run_folder import load_run

SIMCLR = {"proj_hidden_dim": 16, "proj_output_dim": 8, "temperature": 0.2}


def model(method: str = "cueco", **changes: Any) -> Any:
    cueco_solo.register()
    cfg = small_cfg(method, **changes)
    return host.method_class(method)(cfg)


class Spoilt(Views):
    """One image is no number."""

    def __init__(self, index: int, n: int = 64) -> None:
        super().__init__(n)
        self.views[:, index] = float("nan")


@pytest.mark.parametrize("method", ["cueco", "simclr"])
def test_an_image_that_is_no_number(method: str):
    """At step 6 of 8; found at the end of the epoch, and named."""
    kwargs = {"method_kwargs": SIMCLR} if method == "simclr" else {}
    loader = DataLoader(Spoilt(45), batch_size=8)
    with pytest.raises(DivergenceError) as caught:
        fit(model(method, **kwargs), loader=loader)
    text = str(caught.value)
    assert "\n" not in text
    assert "the loss isn't finite at step 6 (epoch 0)" in text
    assert "train_class_loss nan" in text
    assert "learning rate 0." in text
    assert "no checkpoint was written yet" in text


def test_it_stops_within_so_many_steps(monkeypatch: pytest.MonkeyPatch):
    looked: list[int] = []
    stock = DivergenceGuard._look

    def look(self: Any, trainer: Any, module: Any) -> None:
        looked.append(trainer.global_step)
        stock(self, trainer, module)

    monkeypatch.setattr(DivergenceGuard, "_look", look)
    with pytest.raises(DivergenceError, match="at step 3 "):
        fit(model("simclr", method_kwargs=SIMCLR), loader=DataLoader(Spoilt(20, 320), batch_size=8))
    assert looked == [divergence.EVERY]


def test_weights_that_are_no_numbers_under_a_finite_loss():
    net = model("simclr", method_kwargs=SIMCLR)
    net.register_parameter("unused", torch.nn.Parameter(torch.full((2,), float("inf"))))
    with pytest.raises(DivergenceError, match="weights aren't finite at step 4"):
        fit(net)


@pytest.mark.parametrize(
    ("number", "since", "scaler", "stops"),
    [(0, 16, False, False), (1, 16, False, True), (15, 16, True, False), (16, 16, True, True)],
)
def test_a_gradient_scaler_may_skip_steps(
    number: int, since: int, scaler: bool, stops: bool, monkeypatch: pytest.MonkeyPatch
):
    from types import SimpleNamespace

    guard = DivergenceGuard()
    guard._since, guard._number, guard._first = since, torch.tensor(number), torch.tensor(3)
    trainer: Any = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=object() if scaler else None),
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
        callback_metrics={},
        optimizers=[],
        callbacks=[],
        current_epoch=0,
        global_step=20,
    )
    if stops:
        with pytest.raises(DivergenceError):
            guard._look(trainer, torch.nn.Linear(1, 1))
    else:
        guard._look(trainer, torch.nn.Linear(1, 1))


def finite(path: Path) -> bool:
    content = torch.load(path, weights_only=True)
    tensors = divergence._tensors([content["state_dict"], content["optimizer_states"]])
    return bool(divergence.all_finite(tensors))


@pytest.mark.parametrize("kind", ["mocov2plus", "cueco"])
def test_a_diverged_run_keeps_its_last_good_checkpoint(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """And ends with an exit code of its own, from the command line."""
    stock = DivergenceGuard.on_train_batch_start

    def spoil(self: Any, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 3:  # in the second epoch of two steps
            with torch.no_grad():
                next(module.parameters()).fill_(float("inf"))
        stock(self, trainer, module, batch, batch_idx)

    monkeypatch.setattr(DivergenceGuard, "on_train_batch_start", spoil)
    words = tiny.CUECO if kind == "cueco" else ()
    more = ("max_epochs=4", "data.val_path=null")
    command = ["pretrain", "--config-path", str(folder), "--config-name", "tiny", *words, *more]
    assert main(command) == 3
    (run,) = tiny.run_folders(folder, kind)
    (checkpoint,) = run.glob("*.ckpt")
    assert checkpoint.name.endswith("ep=0.ckpt")
    assert finite(checkpoint)
    line = capsys.readouterr().err.splitlines()[-1]
    assert "at step 4 (epoch 1)" in line
    assert f"the last good checkpoint is {checkpoint}" in line


def test_a_learning_rate_far_too_high(folder: Path, capsys: pytest.CaptureFixture[str]):
    """CueCo's K-means doesn't see what isn't finite before the guard does."""
    words = (*tiny.CUECO, "optimizer.lr=1e12", "max_epochs=6", "data.val_path=null")
    words = (*words, "scheduler.name=none")
    command = ["pretrain", "--config-path", str(folder), "--config-name", "tiny", *words]
    assert main(command) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "the training has diverged" in err.splitlines()[-1]
    for path in folder.glob("runs/*/*/*.ckpt"):
        assert finite(path)


def test_no_checkpoint_is_written_that_is_not_finite(tmp_path: Path):
    net = model("simclr", method_kwargs=SIMCLR)
    net.register_buffer("late", torch.zeros(2))
    net.register_buffer("mask", torch.full((2,), float("-inf")))  # as it was from the start
    path = tmp_path / "x.ckpt"

    class Save(divergence.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            trainer.save_checkpoint(path)
            if trainer.global_step == 2:
                module.late.fill_(float("nan"))

    with pytest.raises(DivergenceError, match="1 tensors of the model aren't finite"):
        fit(net, Save())
    assert finite(path) is False  # of the mask alone
    state = torch.load(path, weights_only=True)["state_dict"]
    assert state["late"].isfinite().all()


def diverged(run: Path) -> Path:
    (checkpoint,) = run.glob("*.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["backbone.conv1.weight"][0] = float("nan")
    torch.save(content, checkpoint)
    (run / "metrics.csv").write_text("epoch,step,val_acc1\n0,1,10.0\n")
    return checkpoint


def test_no_figure_is_read_or_made_of_a_diverged_checkpoint(
    run: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
):
    (run / "metrics.csv").write_text("epoch,step,val_acc1\n0,1,10.0\n")
    assert [f["value"] for f in run_figures(load_run(run)) if f["metric"] == "top1"] == [10.0]
    checkpoint = diverged(run)
    for command in ("knn", "cluster"):
        line = refused(command, run, "--no-cache")
        assert f"checkpoint='{checkpoint}' has weights that aren't finite, 1 of" in line
    with pytest.raises(ConfigError, match="aren't finite"):
        run_figures(load_run(run))
    words = ["--out", str(run.parent / "out"), "--no-report", "--evaluation", "knn --k 2"]
    assert main(["compare", "--runs", str(run), *words]) == 1
    assert "10.0" not in capsys.readouterr().out


def collapsed(features: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    net = model("simclr", method_kwargs=SIMCLR)
    net.backbone.register_forward_hook(lambda module, images, output: features(output))
    return net


def warned(net: Any, monkeypatch: pytest.MonkeyPatch, steps: int = 8) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(divergence, "EVERY", 2)
    monkeypatch.setattr(divergence, "rank_zero_warn", lambda text: said.append(text))
    monkeypatch.setattr(DivergenceGuard.__init__, "__defaults__", (2,))
    fit(net, max_epochs=1, loader=DataLoader(Views(8 * steps), batch_size=8))
    return said


def test_features_that_are_all_alike_are_warned_of_once(monkeypatch: pytest.MonkeyPatch):
    (line,) = warned(collapsed(lambda x: x * 0 + 1), monkeypatch)
    assert line.startswith("step 6: the features of all images are alike")
    assert warned(collapsed(lambda x: x), monkeypatch) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cluster_largest_share", 0.95, "one cluster holds 95% of all assignments"),
        ("cluster_perplexity", 1.1, "nearly all clusters are dead"),
        ("cluster_mean_variance", 1e-6, "the clusters' variance is near zero"),
        ("train_uniformity", 0.0, "z of all images is alike"),
    ],
)
def test_cluster_health_is_warned_of_once(
    name: str, value: float, text: str, monkeypatch: pytest.MonkeyPatch
):
    net = CueCo(small_cfg())
    stock = net._health
    net._health = lambda z, k: {**stock(z, k), name: torch.tensor(value)}
    cueco_solo.register()
    said = warned(net, monkeypatch)
    assert [line for line in said if text in line] == said[:1]
    assert len(said) == 1


def test_a_healthy_run_warns_of_nothing(monkeypatch: pytest.MonkeyPatch):
    assert warned(model(), monkeypatch) == []


def test_spread():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    assert spread(x) == 0
    assert spread(torch.zeros(3, 2)) == 0
    assert spread(torch.eye(4)) == pytest.approx(0.75)


def test_the_hot_path_waits_for_nothing(monkeypatch: pytest.MonkeyPatch):
    """Between two looks no tensor is read."""
    guard = DivergenceGuard()
    from types import SimpleNamespace

    trainer: Any = SimpleNamespace(global_step=1, is_last_batch=False, precision_plugin=None)
    module: Any = torch.nn.Linear(1, 1)

    def read(*_: Any) -> None:
        raise AssertionError("the device was waited for")

    with monkeypatch.context() as patched:
        for name in ("item", "__bool__", "__float__", "__int__", "tolist", "cpu", "numpy"):
            patched.setattr(torch.Tensor, name, read)
        for _ in range(divergence.EVERY - 1):
            guard.on_train_batch_start(trainer, module, None, 0)
            guard.on_train_batch_end(trainer, module, {"loss": torch.tensor(1.0)}, None, 0)
    assert guard._since == divergence.EVERY - 1


def test_images_without_labels_have_no_loss_of_the_classifier():
    """It is 0 / 0, in solo-learn's methods and in ours; the weights tell what goes wrong."""
    loader = DataLoader(Views(16), batch_size=8)
    loader.dataset.labels[:] = -1  # type: ignore[attr-defined]
    net = model("simclr", method_kwargs=SIMCLR)
    assert not fit(net, loader=loader, max_epochs=1).finite()
    assert all(p.isfinite().all() for p in net.parameters())
    spoilt = Spoilt(3, 16)
    spoilt.labels[:] = -1
    with pytest.raises(DivergenceError, match="weights aren't finite at step 2"):
        fit(model("simclr", method_kwargs=SIMCLR), loader=DataLoader(spoilt, batch_size=8))
