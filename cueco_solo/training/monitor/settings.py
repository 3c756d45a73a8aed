"""The monitor's settings, the configuration's section ``online_clustering``."""

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import config_error
from cueco_solo.host.unlabelled import has_no_labels
from cueco_solo.options import Count, Options, Several, Size, derived, option

VIEWS = 10  # augmented views of an image, for LiDAR
_LIDAR_IMAGES = 100
SECTION = "online_clustering"


class OnlineClusteringOptions(Options):
    """Without the section there is no monitor, unless the images have no labels."""

    section = SECTION
    owner = "the monitor"

    enabled: bool = option(
        True,
        "where the configuration has this section, or the images no labels: compute clustering "
        "metrics of the validation images while training, without these label-free ones of "
        "training images",
    )
    every_n_epochs: Count = option(
        1, "epochs from one computation to the next; the last epoch's validation always counts"
    )
    max_images: Several = option(
        10_000,
        "size of a random sample of the validation images; at least the number of classes",
    )
    training_images: Several = option(
        2000, "random training images whose features are looked at where nothing is validated"
    )
    unlabelled_clusters: Several = option(10, "clusters that K-means finds in these")
    lidar_images: Size = derived(
        "random training images for LiDAR, each in 10 augmented views; 0: none. "
        "100 with data.no_labels, else 0"
    )

    def number_for_lidar(self, cfg: DictConfig) -> int:
        """``lidar_images``, or what stands for it."""
        if self.lidar_images is None:
            return _LIDAR_IMAGES if has_no_labels(cfg) else 0
        return self.lidar_images


def online_settings(cfg: DictConfig) -> OnlineClusteringOptions | None:
    """The section with its defaults, or None where it is missing or switched off.

    With ``data.no_labels`` it may be missing: there is no online accuracy to go by.

    Args:
        cfg: the whole configuration, which stays as it is. Where it has ``data.num_classes``, there
            must be an image for each cluster.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range.
    """
    if OmegaConf.select(cfg, SECTION) is None and not has_no_labels(cfg):
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
