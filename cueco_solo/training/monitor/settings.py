"""The monitor's settings, the configuration's section ``online_clustering``."""

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import config_error
from cueco_solo.options import Count, Options, Several, option

SECTION = "online_clustering"


class OnlineClusteringOptions(Options):
    """Without the section there is no monitor."""

    section = SECTION
    owner = "the monitor"

    enabled: bool = option(
        True, "compute clustering metrics of the validation images while training"
    )
    every_n_epochs: Count = option(
        1, "epochs from one computation to the next; the last epoch's validation always counts"
    )
    max_images: Several = option(
        10_000,
        "size of a random sample of the validation images; at least the number of classes",
    )


def online_settings(cfg: DictConfig) -> OnlineClusteringOptions | None:
    """The section with its defaults, or None where it is missing or switched off.

    Args:
        cfg: the whole configuration, which stays as it is. Where it has ``data.num_classes``, there
            must be an image for each cluster.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range.
    """
    if OmegaConf.select(cfg, SECTION) is None:
        return None
    settings = OnlineClusteringOptions.read(cfg)
    classes = OmegaConf.select(cfg, "data.num_classes", default=0)
    if settings.max_images < classes:
        raise config_error(
            f"{SECTION}.max_images",
            settings.max_images,
            f"must be at least {classes}, the number of classes, each of which gets a cluster",
        )
    return settings if settings.enabled else None
