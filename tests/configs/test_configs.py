"""The configurations: solo-learn's key order, settings that hold, nothing sent anywhere."""

from typing import Any

import pytest
import yaml
from configurations import CUECO, FILL, FOLDER, NAMES, PRETRAIN, RCL, composed
from omegaconf import OmegaConf

from cueco_solo.methods.cueco_options import CueCoOptions
from cueco_solo.methods.rcl_options import RCLOptions
from cueco_solo.methods.self_classifier_options import SelfClassifierOptions
from cueco_solo.training.settings import check_settings

# ours, and the order that their documentation lists their options in
OPTIONS = {
    "cueco": list(CueCoOptions.model_fields),
    "rcl": list(RCLOptions.model_fields),
    "self_classifier": list(SelfClassifierOptions.model_fields),
}

# of solo-learn's scripts/pretrain/imagenet-100/deepclusterv2.yaml and of its linear ones
ORDER = [
    "defaults",
    "hydra",
    "name",
    "method",
    "pretrained_feature_extractor",
    "backbone",
    "pretrain_method",
    "finetune",
    "method_kwargs",
    "momentum",
    "data",
    "optimizer",
    "scheduler",
    "checkpoint",
    "auto_resume",
    "online_clustering",
    "dali",
    "max_epochs",
    "check_val_every_n_epoch",
    "devices",
    "sync_batchnorm",
    "accelerator",
    "strategy",
    "precision",
]
WITHIN = {
    "momentum": ["base_tau", "final_tau"],
    "data": ["dataset", "train_path", "val_path", "format", "num_workers", "no_labels"],
    "optimizer": ["name", "batch_size", "lr", "classifier_lr", "weight_decay", "kwargs"],
    "checkpoint": ["enabled", "dir", "frequency"],
}


def in_order(keys: list[str], order: list[str]) -> bool:
    places = [order.index(key) for key in keys if key in order]
    return places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_keys_stand_in_solo_learns_order(name: str):
    raw: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    assert in_order(list(raw), ORDER)
    assert not set(raw) - set(ORDER) - {"seed", "log_every_n_steps", "augmentations"}
    for section, order in WITHIN.items():
        assert in_order(list(raw.get(section, {})), order)
    if raw.get("method") in OPTIONS:
        assert in_order(list(raw["method_kwargs"]), OPTIONS[raw["method"]])


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_composes_and_sends_nothing(name: str):
    cfg = composed(name)
    assert not cfg.wandb.enabled
    # solo-learn's AutoResumer would go on with a run of other method_kwargs
    assert not cfg.auto_resume.enabled
    assert cfg.checkpoint.enabled


def test_names_are_distinct():
    names = [composed(name).name for name in NAMES]
    assert len(set(names)) == len(names)


OPEN = {"num_samples", "kmeans_clusters", "predictor", "predictor_init"} | {
    *("pred_output_bn", "pred_output_bias", "variance", "assignment_temperature"),
    *("before_clustering", "frozen_start", "warm_reset", "dbscan_max_samples"),
}


@pytest.mark.parametrize("name", PRETRAIN)
def test_settings_are_accepted(name: str):
    cfg = composed(name, "+seed=5")
    check_settings(cfg)
    if cfg.method in FILL:
        given = OmegaConf.to_container(cfg.method_kwargs)
        # the images, which are not on this disk, would be counted
        counted = {"num_samples": 100_000} if cfg.method == "rcl" else {}
        cfg.method_kwargs = {**counted, **given}
        filled = OmegaConf.to_container(FILL[cfg.method](cfg).method_kwargs)
        assert all(filled[key] == value for key, value in given.items() if value is not None)
        # what depends on the data, and options of ours, may be left out
        assert set(filled) - set(given) <= OPEN


@pytest.mark.parametrize("name", [name for name in CUECO + RCL if "custom" not in name])
def test_every_method_has_the_same_data(name: str):
    cfg = composed(name)
    assert cfg.data.dataset == name.split("-")[1]
    assert [view.solarization.prob for view in cfg.augmentations] == [0.0, 0.2]
    assert (cfg.data.format == "dali") == name.endswith("dali")
    if cfg.method == "rcl" and cfg.data.format == "dali":
        assert cfg.dali.encode_indexes_into_labels is True


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_one_override_moves_both_paths(dataset: str):
    for name in (f"cueco-{dataset}", f"rcl-{dataset}", f"linear-{dataset}"):
        assert composed(name, "data.train_path=there").data.val_path == "there"


@pytest.mark.parametrize("name", NAMES)
def test_hardware_suits_solo_learns_scripts_too(name: str):
    """Whose parse_cfg scales the learning rate by the length of ``devices``."""
    cpu = composed(name, "hardware=cpu")
    assert (cpu.devices, cpu.accelerator, cpu.strategy) == ("1", "cpu", "auto")
    assert (cpu.precision, cpu.sync_batchnorm) == (32, False)
    half = composed(name, "hardware=cpu-bf16")
    assert (half.devices, half.accelerator, half.precision) == ("1", "cpu", "bf16-mixed")
    gpu = composed(name, "hardware=gpu")
    assert (gpu.devices, gpu.accelerator, gpu.precision) == ([0], "gpu", "16-mixed")
