"""CueCo's settings: keys, defaults, ranges. All are optional.

Defaults are those of the paper's Sec. 4.1 where it names one.

method_kwargs:
    proj_hidden_dim (int): hidden size of the projector. 4096.
    proj_output_dim (int): size of z and k. 256.
    pred_hidden_dim (int): hidden size of the predictor. 4096.
    proj_output_bn (bool): end the projector with a batch norm without affine, as MoCo v3. True.
    temperature (float): of the contrastive loss, Eq. 1. 0.2.
    centroid_temperature (float): of the centroid contrastive loss, Eq. 4. 0.2.
    queue_size (int): keys per view, K. 16384.
    num_clusters (int): L, online at most K. By data set: 100 for CIFAR-10, 500 for
        CIFAR-100, 1000 for ImageNet, else 100 (ours, the paper names none).
    contrastive_weight, centroid_weight, variance_weight (float): the lambdas of Eq. 6.
        1, 0.1, 0.01.
    centroid_momentum, variance_momentum (float): the betas of Eqs. 7 and 8. 0.99 (SMoG's, the paper
        names none).
    cluster_warmup_steps (int): optimisation steps with Eq. 1 alone. 313.
    cluster_reset_steps (int): K-means runs again after so many steps. 1000.
    assignment (str): "hard", the nearest centroid of z (Eq. 3), or "soft", the softmax of the key's
        similarities to the centroids (Sec. 2.2).
    clustering (str): "online", K-means on the queue, moved along by momentum; or "offline", K-means
        on the training set's keys after each epoch, static in between (Sec. 3.4).
    centroid_gradient (bool): the losses see centroids that the queries of this batch have moved,
        with gradient, as in SMoG (Sec. 3.4). False: centroids are state (Sec. 3.3).
    symmetric (bool): both views are queries, the losses are averaged. True.
momentum:
    base_tau, final_tau (float): the EMA coefficient at the start and the end. 0.996, 1.0.
    classifier (bool): solo-learn's online classifier on the momentum backbone. False.
"""

from omegaconf import DictConfig

from cueco_solo.errors import config_error
from cueco_solo.methods.momentum import fill_momentum
from cueco_solo.options import Option, fill_options

# ours, the paper names no L
NUM_CLUSTERS = {"cifar10": 100, "cifar100": 500, "imagenet100": 1000, "imagenet": 1000}

OPTIONS = {
    "proj_hidden_dim": Option(4096, low=1),
    "proj_output_dim": Option(256, low=1),
    "pred_hidden_dim": Option(4096, low=1),
    "proj_output_bn": Option(True),
    "temperature": Option(0.2, low=0, above=True),
    "centroid_temperature": Option(0.2, low=0, above=True),
    "queue_size": Option(16384, low=2),
    "num_clusters": Option(None, low=2, kind=int),
    "contrastive_weight": Option(1.0, low=0),
    "centroid_weight": Option(0.1, low=0),
    "variance_weight": Option(0.01, low=0),
    "centroid_momentum": Option(0.99, low=0, high=1),
    "variance_momentum": Option(0.99, low=0, high=1),
    "cluster_warmup_steps": Option(313, low=1),
    "cluster_reset_steps": Option(1000, low=1),
    "assignment": Option("hard", choices=("hard", "soft")),
    "clustering": Option("online", choices=("online", "offline")),
    "centroid_gradient": Option(False),
    "symmetric": Option(True),
}


def fill_cueco(cfg: DictConfig) -> DictConfig:
    """Check CueCo's settings and fill in the defaults, in place.

    Args:
        cfg: the whole configuration.

    Returns:
        DictConfig: ``cfg`` itself.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, L > K with
            online clustering, base_tau > final_tau.
    """
    kwargs = fill_options(cfg, OPTIONS).method_kwargs
    fill_momentum(cfg, base_tau=0.996)
    if kwargs.num_clusters is None:
        kwargs.num_clusters = min(NUM_CLUSTERS.get(cfg.data.dataset, 100), kwargs.queue_size)
    if kwargs.clustering == "online" and kwargs.num_clusters > kwargs.queue_size:
        raise config_error(
            "method_kwargs.num_clusters",
            kwargs.num_clusters,
            f"must be at most method_kwargs.queue_size={kwargs.queue_size}",
            "K-means clusters the queue: raise queue_size or lower num_clusters",
        )
    return cfg
