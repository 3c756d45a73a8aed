"""Hydra configurations without a checkout: names, overrides and keys."""

from pathlib import Path

import pytest
import tiny
from omegaconf import OmegaConf
from support import refusal

from cueco_solo.training.compose import compose_config, config_names


def refused(name: str | None, *overrides: str, path: Path | None = None) -> str:
    return refusal(compose_config, name, path and str(path), overrides)


def test_names_are_listed_by_use():
    assert "cueco-cifar10" in config_names(None, linear=False)
    assert "linear-cifar10" in config_names(None, linear=True)
    message = refused(None)
    assert message.startswith("CONFIG is missing")
    assert "cueco-solo list configs" in message


def test_an_unknown_name_lists_close_ones():
    message = refused("cueco-cifar")
    assert "CONFIG='cueco-cifar' doesn't exist" in message
    assert "cueco-cifar100" in message
    assert "imagenet" not in message


def test_known_keys_need_no_plus_and_interpolations_are_resolved():
    cfg = compose_config(
        "cueco-cifar10",
        None,
        [
            "hardware=cpu",
            "seed=7",
            "data.train_path=there",
            "data.no_labels=False",
            "tensorboard.enabled=True",
            "optimizer.kwargs.momentum=0.8",
            "+performance.disable_channel_last=True",
        ],
    )
    assert (cfg.accelerator, cfg.seed, cfg.data.val_path) == ("cpu", 7, "there")
    assert cfg.tensorboard.enabled
    assert cfg.optimizer.kwargs.momentum == 0.8


def test_solo_learns_checkpoint_names_need_no_quotes():
    cfg = compose_config("cueco-cifar10", None, ["resume_from_checkpoint=a/b-ep=9.ckpt"])
    assert cfg.resume_from_checkpoint == "a/b-ep=9.ckpt"


@pytest.mark.parametrize(
    "path",
    ["2024", "my photos/ü (1)", "[a]", "a,b", "it's", 'a"b', "C:\\x\\", "1e3", "{a: b}", "a=b"],
)
def test_paths_and_names_are_text(path: str):
    for key in ("data.train_path", "name", "checkpoint.dir"):
        cfg = compose_config("cueco-custom", None, ["data.train_path=x", f"{key}={path}"])
        assert OmegaConf.select(cfg, key) == path
    values = {"data.train_path": path, "data.val_path": "ours"}
    overrides = ["data.val_path=typed", "hardware=cpu"]
    cfg = compose_config("linear-custom", None, overrides, linear=True, values=values)
    assert (cfg.data.train_path, cfg.data.val_path) == (path, "typed")


def test_paths_may_be_null_quoted_or_numbers_in_a_file(tmp_path: Path):
    given = ["data.train_path=x", "data.val_path=null", "name='a b'", "data.dataset=größe"]
    cfg = compose_config("cueco-custom", None, given)
    assert (cfg.data.val_path, cfg.name, cfg.data.dataset) == (None, "a b", "größe")
    folder = tiny.write_config(tmp_path, tmp_path)
    config = folder / "tiny.yaml"
    config.write_text(config.read_text().replace("name: tiny", "name: 2024"))
    assert compose_config("tiny", str(folder), []).name == "2024"


@pytest.mark.parametrize("section", ["wandb", "checkpoint", "momentum"])
def test_a_section_that_is_null_is_left_out(section: str):
    cfg = compose_config("cueco-custom", None, ["data.train_path=x", f"{section}=null"])
    assert section not in cfg


def test_own_configurations_find_our_groups(tmp_path: Path):
    folder = tiny.write_config(tmp_path, tmp_path)
    cfg = compose_config("tiny", str(folder), ["hardware=cpu"])
    assert len(cfg.augmentations) == 2
    assert "tiny" in refused("tony", path=folder)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("max_epoch=3", "max_epoch=3 is no known key; did you mean max_epochs"),
        ("+max_epoch=3", "did you mean max_epochs"),
        ("zzz=1", "zzz=1 is no known key; remove it"),
        ("optimizer.batchsize=8", "optimizer.batchsize=8 is no known key; did you mean batch_size"),
        ("augmentations=none", "Could not find 'augmentations/none'"),
        ("hardware=tpu", "Available options in 'hardware': cpu cpu-bf16 gpu"),
        ("max_epochs", "is no override; write KEY=VALUE"),
        ("max_epochs=[1", "'max_epochs=[1' is no override"),
        ("name=${nothing}", "nothing"),
        ("method_kwargs=3", "method_kwargs=3 must be a mapping"),
        ("checkpoint=3", "checkpoint=3 must be a mapping; its keys: enabled, dir"),
        ("wandb=3", "wandb=3 must be the name of a file in configs/wandb"),
    ],
)
def test_overrides_are_refused(override: str, text: str):
    assert text in refused("cueco-cifar10", override)


@pytest.mark.parametrize("section", ["checkpoint", "data"])
@pytest.mark.parametrize("value", ["[]", "[x]", "x"])
def test_a_section_of_a_file_is_a_mapping(section: str, value: str, tmp_path: Path):
    (tmp_path / "own.yaml").write_text(f"name: own\n{section}: {value}\n")
    assert " must be a mapping; its keys: " in refused("own", path=tmp_path)


def test_the_folder_must_exist(tmp_path: Path):
    assert "--config-path=" in refused("tiny", path=tmp_path / "none")
