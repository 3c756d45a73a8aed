"""The configuration's section ``online_clustering``.

- ``enabled``: default True; without the section there is no monitor.
- ``every_n_epochs``: 1. The first validation after every so many epochs counts, and the last
  epoch's.
- ``max_images``: 10000, a random sample of the validation images where there are more.
"""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import config_error
from cueco_solo.options import Option, fill_options

SECTION = "online_clustering"
OPTIONS = {
    "enabled": Option(True),
    "every_n_epochs": Option(1, low=1),
    "max_images": Option(10_000, low=2),
}


def online_settings(cfg: DictConfig) -> Any:
    """The section with its defaults, or None where it is missing or switched off.

    Args:
        cfg: the whole configuration, which stays as it is. Where it has ``data.num_classes``, there
            must be an image for each cluster.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range.
    """
    section = OmegaConf.select(cfg, SECTION)
    if section is None:
        return None
    settings = fill_options(OmegaConf.create({SECTION: section}), OPTIONS, SECTION)[SECTION]
    classes = OmegaConf.select(cfg, "data.num_classes", default=0)
    if settings.max_images < classes:
        raise config_error(
            f"{SECTION}.max_images",
            settings.max_images,
            f"must be at least {classes}, the number of classes, each of which gets a cluster",
        )
    return settings if settings.enabled else None
