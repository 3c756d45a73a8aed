"""RCL's settings: keys, defaults, ranges. All are optional.

Defaults are those of the paper's Sec. 5.1 and 5.3 where it names one. Levels are numbered as there:
at level 1 each sample is a cluster of its own, level H is the coarsest.

method_kwargs:
    proj_hidden_dim (int): hidden sizes of the three-layer projector. 2048.
    proj_output_dim (int): size of z and k. 256.
    pred_hidden_dim (int): hidden size of the predictors. 4096.
    temperature (float): of the relative contrastive loss, Eq. 3. 0.1.
    queue_size (int): keys per view, K; at least the batch size of all processes. 98304.
    num_samples (int): images in the training set, for their labels: of no use with one level.
        Counted where the data are files; needed where they can't be counted, and spares the
        counting of millions.
    num_levels (int): criteria, H, 1 to 4. 3; with hierarchy=none always 1.
    num_predictors (int): 1, or H criterion-specific ones. H.
    hierarchy (str): where the labels of levels 2 to H come from. "online": DBSCAN once, refined in
        every step (Sec. 4.3); "dbscan" or "kmeans": clustered anew before each epoch (Table 4);
        "none": no levels, the nearest entry of the queue is the one relative key, as in NNCLR.
    hierarchy_warmup_epochs (int): epochs with Eq. 1 alone. 10; none with hierarchy=none.
    dbscan_eps (list): Euclidean radii between unit vectors, from the coarsest level down; the first
        H - 1 count. [0.8, 0.7, 0.6].
    dbscan_min_samples (int): samples within the radius, its own included, that make a core. 4.
    kmeans_clusters (list): numbers of clusters, from the coarsest level down, the first H - 1
        count. The shares of the images that the paper's 250000, 500000, 1000000 are of ImageNet's.
    max_splits (int): into how many parts one step splits a cluster, m. 4 (ours, the paper names
        none).
    merge_threshold (float or list): similarity of centres above which two clusters merge, sigma_m;
        as centres are means of unit vectors, it is the mean cosine similarity of their members. A
        list goes from the coarsest level down. The similarity at each level's radius, 1 - eps^2 / 2
        (ours, the paper names none).
    symmetric (bool): both views are queries, the losses are averaged. True.
momentum:
    base_tau, final_tau (float): the EMA coefficient at the start and the end. 0.99, 1.0, as BYOL's
        with this learning rate.
    classifier (bool): solo-learn's online classifier on the momentum backbone. False.
"""

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.datasets import count_images
from cueco_solo.errors import config_error
from cueco_solo.methods.base import check_dali_indexes
from cueco_solo.methods.momentum import fill_momentum
from cueco_solo.options import Option, fill_options

MAX_LEVELS = 4
# the paper's numbers of K-means clusters as shares of ImageNet's images (Sec. 5.3)
_KMEANS_SHARES = tuple(number / 1_281_167 for number in (250_000, 500_000, 1_000_000))

OPTIONS = {
    "proj_hidden_dim": Option(2048, low=1),
    "proj_output_dim": Option(256, low=1),
    "pred_hidden_dim": Option(4096, low=1),
    "temperature": Option(0.1, low=0, above=True),
    "queue_size": Option(98304, low=2),
    "num_samples": Option(None, low=2, kind=int),
    "num_levels": Option(None, low=1, high=MAX_LEVELS, kind=int),
    "num_predictors": Option(None, low=1, high=MAX_LEVELS, kind=int),
    "hierarchy": Option("online", choices=("online", "dbscan", "kmeans", "none")),
    "hierarchy_warmup_epochs": Option(10, low=1),
    "dbscan_eps": Option([0.8, 0.7, 0.6], items=Option(0.0, low=0, high=2, above=True)),
    "dbscan_min_samples": Option(4, low=1),
    "kmeans_clusters": Option(None, items=Option(2, low=2)),
    "max_splits": Option(4, low=2),
    "merge_threshold": Option(None, items=Option(0.0, low=-1, high=1), or_item=True),
    "symmetric": Option(True),
}


def fill_rcl(cfg: DictConfig) -> DictConfig:
    """Check RCL's settings and fill in the defaults, in place.

    Args:
        cfg: the whole configuration, as solo-learn parsed it.

    Returns:
        DictConfig: ``cfg`` itself; ``dbscan_eps``, ``kmeans_clusters`` and ``merge_threshold`` now
        have one number for each level from H down to 2.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range; num_predictors other than 1
            and H; levels with hierarchy=none; a list too short or in the wrong order; a queue
            smaller than a batch; data whose sample indexes or number aren't known; base_tau >
            final_tau.
    """
    kwargs = fill_options(cfg, OPTIONS).method_kwargs
    fill_momentum(cfg, base_tau=0.99)
    _fill_levels(kwargs)
    _check_queue(cfg)
    below = kwargs.num_levels - 1
    if below:
        check_dali_indexes(cfg)
        if kwargs.num_samples is None:
            kwargs.num_samples = count_images(cfg.data, "method_kwargs.num_samples")
    eps = _per_level(kwargs, "dbscan_eps", falling=True)
    if kwargs.merge_threshold is None:
        kwargs.merge_threshold = [1 - radius**2 / 2 for radius in eps]
    elif not OmegaConf.is_list(kwargs.merge_threshold):
        kwargs.merge_threshold = [kwargs.merge_threshold] * below
    _per_level(kwargs, "merge_threshold")
    if kwargs.kmeans_clusters is None:
        images = kwargs.num_samples or 0
        kwargs.kmeans_clusters = [max(2, int(share * images)) for share in _KMEANS_SHARES]
    clusters = _per_level(kwargs, "kmeans_clusters")
    if clusters and clusters[-1] > kwargs.num_samples:
        raise config_error(
            "method_kwargs.kmeans_clusters",
            list(kwargs.kmeans_clusters),
            f"must be at most the {kwargs.num_samples} images",
        )
    return cfg


def _fill_levels(kwargs: DictConfig) -> None:
    if kwargs.hierarchy == "none" and kwargs.num_levels not in (None, 1):
        raise config_error(
            "method_kwargs.num_levels",
            kwargs.num_levels,
            "must be 1 with method_kwargs.hierarchy=none",
            "set it and method_kwargs.num_predictors to 1, or choose another hierarchy",
        )
    if kwargs.num_levels is None:
        kwargs.num_levels = 1 if kwargs.hierarchy == "none" else 3
    levels = kwargs.num_levels
    if kwargs.num_predictors is None:
        kwargs.num_predictors = levels
    if kwargs.num_predictors not in (1, levels):
        raise config_error(
            "method_kwargs.num_predictors",
            kwargs.num_predictors,
            f"must be 1, for all levels, or method_kwargs.num_levels={levels}, one for each",
            f"set it to {f'1 or {levels}' if levels > 1 else 1}",
        )


def _per_level(kwargs: DictConfig, key: str, falling: bool = False) -> list[Any]:
    """The numbers of levels H to 2, checked and left in ``kwargs``."""
    name, values, needed = f"method_kwargs.{key}", list(kwargs[key]), kwargs.num_levels - 1
    if len(values) < needed:
        raise config_error(
            name,
            values,
            f"must have a number for each level above the first, {needed} with "
            f"method_kwargs.num_levels={kwargs.num_levels}",
            "add to it or lower num_levels",
        )
    kwargs[key] = values = values[:needed]
    if values != (ordered := sorted(values, reverse=falling)):
        allowed = f"must {'fall' if falling else 'rise'} from the coarsest level to the finest"
        raise config_error(name, values, allowed, f"did you mean {ordered}?")
    return values


def _check_queue(cfg: DictConfig) -> None:
    devices: Any = cfg.get("devices") or 1
    processes = 1 if isinstance(devices, int) else len(devices)  # as solo-learn counts them
    batch = cfg.optimizer.batch_size * processes * (cfg.get("num_nodes") or 1)
    if cfg.method_kwargs.queue_size < batch:
        raise config_error(
            "method_kwargs.queue_size",
            cfg.method_kwargs.queue_size,
            f"must be at least {batch}, the batch size of all processes, to hold a whole step",
            "raise it or lower optimizer.batch_size",
        )


def check_size(cfg: DictConfig, loader: Any) -> None:
    """Refuse a training set of another size than the labels were made for.

    Args:
        cfg: the filled configuration.
        loader: of the training data: torch's or solo-learn's for DALI.

    Raises:
        ConfigError: it hasn't ``num_samples`` images.
    """
    data: Any = getattr(loader, "dataset", None)
    size = len(data) if hasattr(data, "__len__") else getattr(loader, "dataset_size", None)
    if size not in (None, cfg.method_kwargs.num_samples):
        raise config_error(
            "method_kwargs.num_samples",
            cfg.method_kwargs.num_samples,
            f"must be the number of training images, {size}",
            "correct it, or leave it out",
        )


def check_indexes(cfg: DictConfig, index: torch.Tensor) -> None:
    """Refuse sample indexes that can't be those of single images; waits for the GPU.

    Args:
        cfg: the filled configuration.
        index: of a batch, ``[N]``, int64.

    Raises:
        ConfigError: one is below 0, or as large as ``num_samples``.
    """
    low, high, images = int(index.min()), int(index.max()), cfg.method_kwargs.num_samples
    if low < 0 or high >= images:
        raise config_error(
            "data.format",
            cfg.data.get("format"),
            f"gives sample indexes from {low} to {high}, but method={cfg.method} needs each "
            f"image's own, from 0 to {images - 1}",
            "with DALI set dali.encode_indexes_into_labels=True; else give data of images",
        )
