"""CueCo's settings. All are optional; defaults are those of the paper's Sec. 4.1 where it has one.

The method reads them in :mod:`cueco_solo.methods.cueco`.
"""

from typing import Literal, Self

from omegaconf import DictConfig
from pydantic import model_validator

from cueco_solo.errors import config_error
from cueco_solo.methods.momentum_options import MomentumOptions, check_predictor
from cueco_solo.options import (
    Count,
    NonNegative,
    Options,
    Several,
    Share,
    Temperature,
    derived,
    option,
)

# ours, the paper names no L
NUM_CLUSTERS = {"cifar10": 100, "cifar100": 500, "imagenet100": 1000, "imagenet": 1000}


class CueCoOptions(Options):
    """``method_kwargs`` of ``method: cueco``."""

    proj_hidden_dim: Count = option(4096, "hidden size of the projector")
    proj_output_dim: Count = option(256, "size of z and k")
    pred_hidden_dim: Count = option(4096, "hidden size of the predictor")
    proj_output_bn: bool = option(
        True, "end the projector with a batch norm without affine, as MoCo v3"
    )
    predictor: Literal["mlp", "residual", "none"] = option(
        "mlp",
        "mlp: Linear-BN-ReLU-Linear; residual: that plus its input, the last layer starts at zero; "
        "none: z is the projector's output (residual and none are ours)",
    )
    predictor_init: Literal["random", "identity"] = option(
        "random",
        "start of the mlp predictor; identity needs proj_output_bn and pred_hidden_dim of at least "
        "twice proj_output_dim (ours)",
    )
    pred_output_bn: bool = option(
        False, "end the predictor with a batch norm without affine, as MoCo v3"
    )
    pred_output_bias: bool = option(
        True, "bias of the predictor's last layer, which MoCo v3 hasn't; unused with pred_output_bn"
    )
    temperature: Temperature = option(0.2, "temperature of the contrastive loss (Eq. 1)")
    centroid_temperature: Temperature = option(
        0.2, "temperature of the centroid contrastive loss (Eq. 4)"
    )
    queue_size: Several = option(16384, "keys per view, K")
    num_clusters: Several = derived(
        "number of clusters, L; at most queue_size with online clustering. 100 for CIFAR-10, 500 "
        "for CIFAR-100, 1000 for ImageNet and ImageNet-100, 100 for others, or queue_size where "
        "that is less (ours, the paper names none)"
    )
    contrastive_weight: NonNegative = option(1.0, "weight of the contrastive loss (Eq. 6)")
    centroid_weight: NonNegative = option(0.1, "weight of the centroid contrastive loss (Eq. 6)")
    variance_weight: NonNegative = option(0.01, "weight of the variance loss (Eq. 6)")
    centroid_momentum: Share = option(
        0.99, "momentum of the centroids, beta (Eq. 7; SMoG's value, the paper names none)"
    )
    variance_momentum: Share = option(
        0.99, "momentum of the variances, beta (Eq. 8; SMoG's value, the paper names none)"
    )
    variance: Literal["sum", "mean", "per_dimension"] = option(
        "sum",
        "size of a cluster's variance: summed over the dimensions, averaged, or one per dimension "
        "(ours, Eqs. 2, 5 and 8 leave it open)",
    )
    cluster_warmup_steps: Count = option(
        313, "optimisation steps before K-means sets the clusters, see before_clustering"
    )
    before_clustering: Literal["none", "frozen"] = option(
        "none",
        "in the first cluster_warmup_steps: none: the contrastive loss alone; frozen: the cluster "
        "losses act too, on clusters that stand still, as SwAV's prototypes do",
    )
    frozen_start: Literal["random", "kmeans"] = option(
        "random",
        "frozen clusters are random, or K-means of the first keys (Sec. 3.4 has both)",
    )
    cluster_reset_steps: Count = option(
        1000, "optimisation steps from one K-means on the queue to the next"
    )
    warm_reset: bool = option(
        False,
        "the later K-means start from the living centroids; False: each from new ones (Sec. 3.4; "
        "True is ours)",
    )
    assignment: Literal["hard", "soft"] = option(
        "hard",
        "hard: the nearest centroid of z (Eq. 3); soft: the softmax of the key's "
        "similarities to the centroids (Sec. 2.2)",
    )
    assignment_temperature: Temperature = derived(
        "temperature of soft targets (ours). centroid_temperature"
    )
    clustering: Literal["online", "offline"] = option(
        "online",
        "online: K-means on the queue, moved along by momentum; offline: K-means on "
        "the training set's keys after each epoch, static in between (Sec. 3.4)",
    )
    centroid_gradient: bool = option(
        False,
        "the losses see centroids that this batch's queries have moved, with gradient, "
        "as in SMoG (Sec. 3.4); False: centroids are state (Sec. 3.3)",
    )
    symmetric: bool = option(True, "both views are queries, the losses are averaged")

    @model_validator(mode="after")
    def _check_predictor(self) -> Self:
        """An identity start is exact only for inputs that a batch norm has standardised."""
        check_predictor(self, self.proj_output_bn)
        if self.predictor == "residual" and self.pred_output_bn:
            raise config_error(
                "method_kwargs.pred_output_bn",
                True,
                "can't stand in method_kwargs.predictor=residual, whose last layer starts at zero",
                "set it to False",
            )
        return self

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        weights = (self.contrastive_weight, self.centroid_weight, self.variance_weight)
        if not any(weights):
            raise config_error(
                "method_kwargs.contrastive_weight",
                self.contrastive_weight,
                "can't be 0 beside centroid_weight=0 and variance_weight=0: nothing would be "
                "trained",
                "give at least one of them a weight",
            )
        return self

    @model_validator(mode="after")
    def _check_clusters(self) -> Self:
        """Without online clustering, K-means is run on more than the queue."""
        number, online = self.num_clusters, self.clustering == "online"
        if number is not None and online and number > self.queue_size:
            raise config_error(
                "method_kwargs.num_clusters",
                number,
                f"must be at most method_kwargs.queue_size={self.queue_size}",
                "K-means clusters the queue: raise queue_size or lower num_clusters",
            )
        return self


class CueCoMomentum(MomentumOptions):
    """``momentum`` of ``method: cueco``."""

    base_tau: Share = option(0.996, "EMA coefficient at the start")


def fill_cueco(cfg: DictConfig) -> DictConfig:
    """Check CueCo's settings and fill in the defaults, in place.

    Raises:
        ConfigError: see :class:`CueCoOptions` and :class:`CueCoMomentum`.
    """
    options = CueCoOptions.read(cfg)
    if options.num_clusters is None:
        number = NUM_CLUSTERS.get(cfg.data.dataset, 100)
        options = options.revised(num_clusters=min(number, options.queue_size))
    if options.assignment_temperature is None:
        options = options.revised(assignment_temperature=options.centroid_temperature)
    options.write(cfg)
    return CueCoMomentum.read(cfg).write(cfg)
