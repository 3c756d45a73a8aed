"""The configurations of solo-learn's methods say what solo-learn's own say."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from configurations import composed
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

# what solo-learn calls the file, where that isn't the method's name
FILES = {"barlow_twins": "barlow"}
METHODS = (
    *("barlow_twins", "byol", "dino", "mocov2plus", "mocov3", "ressl", "simclr", "simsiam"),
    *("swav", "vicreg"),
)
FOLDERS = {"cifar10": "cifar", "cifar100": "cifar", "imagenet100": "imagenet-100"}
# of solo-learn's files, what none of its code reads; the release's methods refuse such keys
UNREAD = {
    "simsiam": {"method_kwargs.temperature"},
    "ressl": {
        "method_kwargs.base_tau_momentum",
        "method_kwargs.final_tau_momentum",
        "method_kwargs.momentum_classifier",
    },
}
UNREAD_BY_ANY = {"augmentations_cfg", "wandb_cfg"}
NOT_READ = re.compile(r"augmentations\.\d+\.(?!rrc).*\.enabled")
# ours: where the images are and how they are read, what is sent where, how runs are found again
OURS = {"data.train_path", "data.val_path", "data.format", "auto_resume.enabled"}
checkout = os.environ.get("SOLO_LEARN_MAIN")


def leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted key to value."""
    if not isinstance(node, dict | list) or not node:
        return {prefix.rstrip("."): node}
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    return {k: v for key, value in pairs for k, v in leaves(value, f"{prefix}{key}.").items()}


def flat(cfg: Any) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    plain.pop("wandb")
    # what a batch holds, over all processes, which scales the learning rate
    plain["optimizer"]["batch_size"] *= len(plain.pop("devices"))
    return leaves(plain)


@pytest.mark.skipif(not checkout, reason="SOLO_LEARN_MAIN names no checkout of solo-learn")
@pytest.mark.parametrize("data", FOLDERS)
@pytest.mark.parametrize("method", METHODS)
def test_a_baseline_is_solo_learns(method: str, data: str):
    folder = Path(str(checkout)).resolve() / "scripts" / "pretrain" / FOLDERS[data]
    with initialize_config_dir(str(folder), version_base="1.2"):
        stock = flat(compose(FILES.get(method, method)))
    ours = flat(composed(f"{method}-{data}"))
    dropped = OURS | UNREAD_BY_ANY | UNREAD.get(method, set())
    read = {key: value for key, value in stock.items() if not NOT_READ.fullmatch(key)}
    expected = {key: value for key, value in read.items() if key not in dropped}
    # solo-learn's files for CIFAR-10 say: change here for CIFAR-100
    expected |= {"data.dataset": data, "name": f"{method}-{data}"}
    assert {key: value for key, value in ours.items() if key not in OURS} == expected


@pytest.mark.parametrize("data", FOLDERS)
@pytest.mark.parametrize("method", METHODS)
def test_one_override_moves_the_images(method: str, data: str):
    cfg = composed(f"{method}-{data}", "data.train_path=there")
    assert (cfg.data.dataset, cfg.data.format) == (data, "image_folder")
    assert cfg.data.val_path == ("there" if data != "imagenet100" else cfg.data.val_path)
    assert len(cfg.devices) == 1  # as the release's methods need it
