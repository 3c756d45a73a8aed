"""What a resumed run does otherwise is told key by key, refused unless allowed, and in effect."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from omegaconf import OmegaConf
from support import change_args, fit, refusal, small_cfg

import cueco_solo
from cueco_solo import host
from cueco_solo.data.fingerprint import fingerprint
from cueco_solo.methods.cueco import CueCo
from cueco_solo.training.checkpoints import latest_checkpoint
from cueco_solo.training.history import read_history, told
from cueco_solo.training.resume import PresentSettings, _take_over, changes_since, settle
from cueco_solo.training.run_folder import RUN_VARIABLE

WORDS = ("max_epochs=2", "limit_train_batches=1", "data.val_path=null")


@pytest.fixture
def stopped(trained: Path, folder: Path) -> Path:
    """The checkpoint of the first epoch of two, in a run folder of its own."""
    run = folder / "runs" / "mocov2plus" / trained.name
    shutil.copytree(trained, run)
    next(run.glob("*-ep=1.ckpt")).unlink()
    return next(run.glob("*-ep=0.ckpt"))


@pytest.fixture
def resumed(stopped: Path, folder: Path, refused: Callable[..., str]) -> Callable[..., str]:
    """The message of a refused resumption of it with these overrides."""

    def message(*words: str) -> str:
        command = ["pretrain", "--config-path", folder, "--config-name", "tiny", "max_epochs=2"]
        return refused(*command, f"resume_from_checkpoint={stopped}", *words)

    return message


CHANGES = {
    "optimizer.lr=0.2": "optimizer.lr was 0.3, is 0.2",
    "optimizer.weight_decay=1e-3": "optimizer.weight_decay was 0.0001, is 0.001",
    "optimizer.name=lars": "optimizer.name was sgd, is lars",
    "method_kwargs.temperature=0.5": "method_kwargs.temperature was 0.2, is 0.5",
    "seed=6": "seed was 5, is 6",
    "optimizer.batch_size=4": "optimizer.batch_size was 8, is 4",
    "scheduler.name=none": "scheduler.name was warmup_cosine, is none",
    "augmentations.0.grayscale.prob=0.9": "augmentations.0.grayscale.prob was 0.2, is 0.9",
    "precision=bf16-mixed": "precision was 32, is bf16-mixed",
    "accumulate_grad_batches=2": "accumulate_grad_batches was 1, is 2",
    "gradient_clip_val=1": "gradient_clip_val was None, is 1",
}


def test_what_makes_another_run_of_it_is_refused_key_by_key(resumed: Callable[..., str]):
    message = resumed(*CHANGES)
    for text in CHANGES.values():
        assert text in message
    keys = [change.partition("=")[0] for change in CHANGES]
    allowed = message.partition("resume.allow=[")[2].partition("]")[0].split(",")
    assert sorted(allowed) == sorted([*keys, *_kwargs(allowed)])


def _kwargs(keys: list[str]) -> list[str]:
    """LARS brings its own."""
    return [key for key in keys if key.startswith("optimizer.kwargs.")]


def test_what_was_allowed_is_not_forgotten(tmp_path: Path):
    """Only what allows nothing is."""
    changes = {"optimizer.lr": (1, 2), "method_kwargs.temperature": (1, 2), "seed": (5, 6)}
    allowed = ["optimizer.lr", "method_kwargs", "scheduler"]
    message = refusal(settle, tmp_path / "x.ckpt", changes, allowed)
    assert "seed was 5, is 6; change them back" in message
    assert "go on with resume.allow=[optimizer.lr,method_kwargs,seed], or" in message


def test_an_allowed_change_takes_effect_and_is_written_down(
    stopped: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["optimizer.lr=0.2", "optimizer.weight_decay=1e-3", "scheduler.warmup_epochs=0"]
    allow = "resume.allow=[optimizer,scheduler.warmup_epochs]"
    resume = f"resume_from_checkpoint={stopped}"
    capsys.readouterr()
    assert tiny.pretrain(folder, *WORDS, *words, allow, resume) == 2  # the batches are others, too
    assert "limit_train_batches was None, is 1" in capsys.readouterr().err
    more = (*WORDS, *words, allow.replace("]", ",limit_train_batches]"), resume)
    assert tiny.pretrain(folder, *more) == 0
    out = capsys.readouterr().out
    assert "changed: optimizer.lr was 0.3, is 0.2" in out
    assert "changed: data.val_path was" in out
    (run,) = [run for run in tiny.run_folders(folder) if run != stopped.parent]
    assert OmegaConf.load(run / "config.yaml").optimizer.lr == 0.2
    path = latest_checkpoint(run)
    assert path is not None
    groups = torch.load(path, weights_only=True)["optimizer_states"][0]["param_groups"]
    assert {group["weight_decay"] for group in groups} == {0, 1e-3}  # 0 of the classifier
    assert groups[0]["initial_lr"] == pytest.approx(0.2 * 8 / 256)
    events = read_history(run)
    assert [event["event"] for event in events] == ["resumed", "ended"]
    assert events[0]["changed"]["optimizer.lr"] == [0.3, 0.2]
    assert events[0]["from"] == str(stopped)


def test_another_optimizer_starts_without_the_state_of_the_old_one(stopped: Path, folder: Path):
    words = ["optimizer.name=adamw", "limit_train_batches=1", "max_epochs=2", "data.val_path=null"]
    allow = "resume.allow=[optimizer,limit_train_batches]"
    assert tiny.pretrain(folder, *words, allow, f"resume_from_checkpoint={stopped}") == 0


def test_workers_paths_and_length_are_free(
    stopped: Path, folder: Path, images: Path, capsys: pytest.CaptureFixture[str]
):
    moved = shutil.copytree(images, folder / "moved")
    words = [f"data.train_path={moved / 'train'}", "data.num_workers=1", "name=other"]
    resume = f"resume_from_checkpoint={stopped}"
    assert tiny.pretrain(folder, "max_epochs=3", *words, resume, "data.val_path=null") == 0
    out = capsys.readouterr().out
    for text in ("max_epochs was 2, is 3", "data.num_workers was 0, is 1", "name was tiny, is oth"):
        assert text in out


def test_images_added_in_place(trained: Path, tmp_path: Path, refused: Callable[..., str]):
    images = tiny.write_images(tmp_path / "images")
    folder = tiny.write_config(tmp_path / "cfg", images)
    words = ("max_epochs=2", "data.val_path=null", "auto_resume.enabled=True")
    assert tiny.pretrain(folder, *words, "max_time={milliseconds: 1}") == 0
    (run,) = tiny.run_folders(folder)
    events = read_history(run)
    assert [event["event"] for event in events] == ["started", "stopped"]
    assert events[0]["data"]["images"] == 18
    shutil.copy(images / "train" / "red" / "0.png", images / "train" / "red" / "new.png")
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *words]
    message = refused(*command)
    assert "data.images was 18 images" in message
    assert "is 19 images" in message
    assert "resume.allow=[data.images]" in message
    assert tiny.pretrain(folder, *words, "resume.allow=[data.images]") == 0
    assert tiny.run_folders(folder) == [run]
    assert [event["event"] for event in read_history(run)][2:] == ["resumed", "ended"]
    sentences = told(run)
    assert len(sentences) == 4
    assert "18 training images" in sentences[0]
    assert "by: a limit of time or steps" in sentences[1]
    assert "data.images: 18 images" in sentences[2]


def test_a_fingerprint_is_of_names_and_sizes(tmp_path: Path):
    images = tiny.write_images(tmp_path / "a")
    data = OmegaConf.create({"dataset": "custom", "train_path": str(images / "train")})
    first = fingerprint(data)
    moved = OmegaConf.create(
        {**data, "train_path": str(shutil.copytree(images / "train", tmp_path / "b"))}
    )
    assert fingerprint(moved) == first
    (tmp_path / "b" / "notes.txt").touch()
    assert fingerprint(moved) == first
    path = tmp_path / "b" / "red" / "0.png"
    path.rename(path.with_name("x.png"))
    assert fingerprint(moved)["images"] == 18
    assert fingerprint(moved) != first
    assert fingerprint(OmegaConf.create({"dataset": "cifar10", "train_path": "x"})) == {}


def changes(folder: Path, cfg: Any, method: Any = None, data: Any = None) -> Any:
    return changes_since(folder / "x.ckpt", cfg, method, data or {})


def test_a_stock_run_is_compared_too(tmp_path: Path):
    """Its rates are scaled by all devices; what it doesn't record counts as the default."""
    cfg = small_cfg("mocov2plus", devices=[0, 1], augmentations=[{"crop_size": 32}])
    assert changes(tmp_path, cfg) is None
    assert settle(tmp_path / "x.ckpt", None, []) == [
        "there is no args.json beside it, so it isn't known whether settings differ"
    ]
    recorded: Any = OmegaConf.to_container(cfg)
    recorded["data"]["val_path"] = "${data.train_path}"
    recorded["data"]["train_path"] = "<not serializable>"
    (tmp_path / "args.json").write_text(json.dumps(recorded))
    assert changes(tmp_path, cfg).keys() <= {"data.val_path"}
    more = OmegaConf.merge(
        cfg, {"devices": [0], "optimizer": {"lr": 0.025, "classifier_lr": 0.025}}
    )
    assert changes(tmp_path, more).keys() - {"data.val_path"} == {"devices"}
    more = OmegaConf.merge(cfg, {"scheduler": {"min_lr": 0.0}, "accumulate_grad_batches": 1})
    assert changes(tmp_path, more).keys() <= {"data.val_path"}  # defaults, stated
    change_args(tmp_path, optimizer__lr=0.1)
    assert changes(tmp_path, cfg)["optimizer.lr"] == (1.6, 0.8)
    for text in ("{", "[]", '{"optimizer": 3}'):
        (tmp_path / "args.json").write_text(text)
        assert "has no readable args.json beside it" in refusal(changes, tmp_path, cfg)


def test_an_option_that_an_older_version_did_not_have_counts_as_its_default(tmp_path: Path):
    model = CueCo(small_cfg())
    recorded: Any = OmegaConf.to_container(model.cfg)
    del recorded["method_kwargs"]["variance"]
    (tmp_path / "args.json").write_text(json.dumps(recorded))
    assert changes(tmp_path, model.cfg, CueCo) == {}
    other = CueCo(small_cfg(method_kwargs__variance="mean")).cfg
    assert changes(tmp_path, other, CueCo) == {"method_kwargs.variance": ("sum", "mean")}


MOCO = {"proj_hidden_dim": 8, "proj_output_dim": 8, "temperature": 0.2, "queue_size": 16}


@pytest.mark.parametrize("method", ["cueco", "mocov2plus"])
def test_what_solo_learns_auto_resume_finds_is_compared(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def trained(ckpt_path: Path | None = None, **more: Any) -> None:
        given = {"auto_resume__enabled": True, "resume_from_checkpoint": None, "max_epochs": 2}
        kwargs = {} if method == "cueco" else {"method_kwargs": MOCO}
        cfg = small_cfg(method, **{**kwargs, **given, **more})
        save = host.Checkpointer(cfg, tmp_path / "anew" if ckpt_path else tmp_path / "first")
        fit(host.method_class(method)(cfg), save, ckpt_path=ckpt_path)

    cueco_solo.register()
    trained(max_epochs=1)
    (found,) = tmp_path.rglob("*.ckpt")
    trained(found, data__num_workers=3, name="other")
    other = {"method_kwargs__queue_size": 32, "optimizer__lr": 0.1}
    message = refusal(trained, found, **other)
    for text in (str(found), "queue_size was ", ", is 32", "optimizer.lr was 1.6, is 3.2"):
        assert text in message
    assert message.endswith("or start anew with auto_resume.enabled=False")
    del other["method_kwargs__queue_size"]  # which makes other buffers
    trained(found, **other, auto_resume__enabled=False)
    monkeypatch.setenv(RUN_VARIABLE, "x")  # cueco-solo itself, which has compared already
    trained(found, **other)


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_the_present_schedule_goes_on_from_where_the_run_is(epoch: int):
    """As if the run had had it from its start."""
    from types import SimpleNamespace

    def made(lr: float) -> Any:
        cueco_solo.register()
        cfg = small_cfg(
            "mocov2plus",
            method_kwargs=MOCO,
        )
        cfg.optimizer.lr = lr
        cfg.scheduler.warmup_epochs = 1
        module = host.method_class("mocov2plus")(cfg)
        module._trainer = SimpleNamespace(estimated_stepping_batches=12, max_epochs=3)
        (optimizer,), (entry,) = module.configure_optimizers()
        return optimizer, entry["scheduler"]

    def walk(pair: Any, steps: int) -> list[float]:
        optimizer, scheduler = pair
        rates = []
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    steps = 4 * epoch + 1
    old, whole = made(0.1), made(0.3)
    walk(old, steps)
    walk(whole, steps)
    for group, other in zip(old[0].param_groups, made(0.3)[0].param_groups, strict=True):
        group.update({key: other[key] for key in other if key != "params"})
    _take_over(old[1], made(0.3)[1], steps)
    assert old[0].param_groups[0]["lr"] == pytest.approx(whole[0].param_groups[0]["lr"])
    expected, found = walk(whole, 11 - steps), walk(old, 11 - steps)
    assert found == pytest.approx(expected)
    assert all(math.isfinite(rate) for rate in found)


def test_what_does_not_fit_is_left_out():
    checkpoint = {"optimizer_states": [1], "lr_schedulers": [2]}
    PresentSettings({"seed": (1, 2)}).on_load_checkpoint(None, None, checkpoint)  # type: ignore
    assert checkpoint == {"optimizer_states": [1], "lr_schedulers": [2]}
    PresentSettings({"scheduler.name": (1, 2)}).on_load_checkpoint(None, None, checkpoint)  # type: ignore
    assert checkpoint == {"optimizer_states": [1], "lr_schedulers": []}


@pytest.mark.parametrize("text", ["{", "[]", "3", '[{"x": 1}, 3]'])
def test_a_damaged_history_is_none(text: str, tmp_path: Path):
    assert read_history(tmp_path) == []
    (tmp_path / "history.json").write_text(text)
    assert (read_history(tmp_path), told(tmp_path)) == ([], [])


def test_a_killed_run_has_no_end(tmp_path: Path):
    events = [{"event": "started"}, {"event": "resumed", "from": "x"}]
    (tmp_path / "history.json").write_text(json.dumps(events))
    assert told(tmp_path)[1] == "No end is recorded: killed."
    assert told(tmp_path)[3] == "No end is recorded: still running, or killed."
