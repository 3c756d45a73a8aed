"""The configurations: solo-learn's key order, the paper's values, nothing sent anywhere."""

from pathlib import Path
from typing import Any

import cueco_solo.configs
import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from cueco_solo.cli.compose import compose_config
from cueco_solo.methods.cueco_config import fill_cueco
from cueco_solo.settings import check_settings

FOLDER = Path(cueco_solo.configs.__path__[0])
FILES = sorted(FOLDER.glob("*.yaml"))
NAMES = [file.stem for file in FILES]
LINEAR = [name for name in NAMES if name.startswith("linear-")]
PRETRAIN = [name for name in NAMES if name not in LINEAR]
CUECO = [name for name in PRETRAIN if name.startswith("cueco-")]
PAPER = [name for name in CUECO if "digits" not in name]

# of solo-learn's scripts/pretrain/cifar/mocov2plus.yaml and of its linear ones
ORDER = [
    "defaults",
    "hydra",
    "name",
    "method",
    "pretrained_feature_extractor",
    "backbone",
    "pretrain_method",
    "method_kwargs",
    "momentum",
    "data",
    "optimizer",
    "scheduler",
    "checkpoint",
    "auto_resume",
    "max_epochs",
    "devices",
    "sync_batchnorm",
    "accelerator",
    "strategy",
    "precision",
]
WITHIN = {
    "method_kwargs": [
        "proj_hidden_dim",
        "proj_output_dim",
        "pred_hidden_dim",
        "proj_output_bn",
        "temperature",
        "centroid_temperature",
        "queue_size",
        "num_clusters",
        "contrastive_weight",
        "centroid_weight",
        "variance_weight",
        "centroid_momentum",
        "variance_momentum",
        "cluster_warmup_steps",
        "cluster_reset_steps",
        "assignment",
        "clustering",
        "centroid_gradient",
        "symmetric",
    ],
    "momentum": ["base_tau", "final_tau"],
    "data": ["dataset", "train_path", "val_path", "format", "num_workers", "no_labels"],
    "optimizer": ["name", "batch_size", "lr", "classifier_lr", "weight_decay", "kwargs"],
    "checkpoint": ["enabled", "dir", "frequency"],
}


def composed(name: str, *overrides: str) -> DictConfig:
    return compose_config(name, None, overrides, linear=name in LINEAR)


def in_order(keys: list[str], order: list[str]) -> bool:
    places = [order.index(key) for key in keys if key in order]
    return places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_keys_stand_in_solo_learns_order(name: str):
    raw: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    assert in_order(list(raw), ORDER)
    assert not set(raw) - set(ORDER) - {"seed", "log_every_n_steps", "augmentations"}
    for section, order in WITHIN.items():
        if section == "method_kwargs" and name not in CUECO:
            continue  # another method's
        assert in_order(list(raw.get(section, {})), order)


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


@pytest.mark.parametrize("name", PRETRAIN)
def test_settings_are_accepted(name: str):
    cfg = composed(name, "+seed=5")
    check_settings(cfg)
    if cfg.method == "cueco":
        given = OmegaConf.to_container(cfg.method_kwargs)
        assert OmegaConf.to_container(fill_cueco(cfg).method_kwargs) == given


@pytest.mark.parametrize("name", PAPER)
def test_pretraining_is_the_papers(name: str):
    cfg = composed(name)
    kwargs = cfg.method_kwargs
    assert cfg.backbone.name == "resnet18"
    assert (kwargs.proj_hidden_dim, kwargs.pred_hidden_dim, kwargs.proj_output_dim) == (
        4096,
        4096,
        256,
    )
    assert kwargs.queue_size == 16384
    assert kwargs.temperature == kwargs.centroid_temperature == 0.2
    weights = (kwargs.contrastive_weight, kwargs.centroid_weight, kwargs.variance_weight)
    assert weights == (1, 0.1, 0.01)
    assert (kwargs.cluster_warmup_steps, kwargs.cluster_reset_steps) == (313, 1000)
    assert (cfg.momentum.base_tau, cfg.momentum.final_tau) == (0.996, 1.0)
    optimizer = cfg.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("sgd", 0.3, 1e-4)
    assert cfg.optimizer.batch_size == 256


@pytest.mark.parametrize(
    ("name", "epochs", "clusters", "size"),
    [
        ("cueco-cifar10", 1000, 100, 32),
        ("cueco-cifar100", 1000, 500, 32),
        ("cueco-imagenet100", 400, 1000, 224),
        ("cueco-imagenet100-dali", 400, 1000, 224),
    ],
)
def test_what_differs_between_data_sets(name: str, epochs: int, clusters: int, size: int):
    cfg = composed(name)
    assert cfg.data.dataset == name.split("-")[1]
    assert (cfg.max_epochs, cfg.method_kwargs.num_clusters) == (epochs, clusters)
    assert [view.crop_size for view in cfg.augmentations] == [size, size]
    assert [view.solarization.prob for view in cfg.augmentations] == [0.0, 0.2]
    assert (cfg.data.format == "dali") == name.endswith("dali")


@pytest.mark.parametrize("name", [name for name in LINEAR if "digits" not in name])
def test_linear_evaluation_is_the_papers(name: str):
    cfg = composed(name)
    optimizer = cfg.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("sgd", 3.0, 1e-6)
    assert (cfg.max_epochs, optimizer.batch_size) == (100, 256)
    assert (cfg.scheduler.name, cfg.scheduler.warmup_epochs) == ("warmup_cosine", 0)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_one_override_moves_both_paths(dataset: str):
    for name in (f"cueco-{dataset}", f"linear-{dataset}"):
        assert composed(name, "data.train_path=there").data.val_path == "there"


@pytest.mark.parametrize("name", NAMES)
def test_hardware_suits_solo_learns_scripts_too(name: str):
    """Whose parse_cfg scales the learning rate by the length of ``devices``."""
    cpu = composed(name, "hardware=cpu")
    assert (cpu.devices, cpu.accelerator, cpu.strategy) == ("1", "cpu", "auto")
    assert (cpu.precision, cpu.sync_batchnorm) == (32, False)
    gpu = composed(name, "hardware=gpu")
    assert (gpu.devices, gpu.accelerator, gpu.precision) == ([0], "gpu", "16-mixed")


@pytest.mark.parametrize("name", PAPER)
def test_values_that_are_not_the_papers_are_marked(name: str):
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    ours = ("num_clusters", "proj_output_bn", "centroid_momentum", "variance_momentum", "symmetric")
    for key in (*ours, "batch_size", "centroid_gradient"):
        (line,) = [line for line in lines if line.strip().startswith(f"{key}:")]
        assert "# ours" in line
    for key in ("classifier_lr", 'name: "warmup_cosine"'):
        (line,) = [line for line in lines if line.strip().startswith(key)]
        assert "# solo-learn's" in line
