"""The configurations' names by kind, and what they compose to."""

from pathlib import Path
from typing import Any

import cueco_solo.configs
from omegaconf import DictConfig, OmegaConf
from support import small_cfg, updated

from cueco_solo.methods import cueco_options, rcl_options, self_classifier_options
from cueco_solo.training.compose import compose_config

FOLDER = Path(cueco_solo.configs.__path__[0])
FILES = sorted(FOLDER.glob("*.yaml"))
NAMES = [file.stem for file in FILES]
LINEAR = [name for name in NAMES if name.startswith("linear-")]
FINETUNE = [name for name in NAMES if name.startswith("finetune-")]
PRETRAIN = [name for name in NAMES if name not in LINEAR + FINETUNE]
FILL = {
    "cueco": cueco_options.fill_cueco,
    "rcl": rcl_options.fill_rcl,
    "self_classifier": self_classifier_options.fill_self_classifier,
}
CUECO, RCL, SELF_CLASSIFIER = (
    [
        name
        for name in PRETRAIN
        if name.startswith(f"{method}-") and "digits" not in name and "small" not in name
    ]
    for method in FILL
)


def unfilled(method: str, dataset: str = "cifar10", **overrides: Any) -> DictConfig:
    """Without the method's settings; CIFAR-10's images needn't be counted."""
    cfg = small_cfg(method, data__dataset=dataset)
    for section in ("method_kwargs", "momentum"):
        cfg.pop(section)
    return updated(cfg, **overrides)


def filled(method: str, dataset: str = "cifar10", **kwargs: Any) -> dict[str, Any]:
    """The method's settings when these are given."""
    cfg = FILL[method](unfilled(method, dataset, method_kwargs=kwargs))
    return OmegaConf.to_container(cfg.method_kwargs)  # type: ignore[return-value]


def composed(name: str, *overrides: str) -> DictConfig:
    return compose_config(name, None, overrides, linear=name in LINEAR + FINETUNE)
