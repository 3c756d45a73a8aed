"""RCL's settings. All are optional; defaults are those of the paper's Sec. 5.1 and 5.3 where it
names one.

Levels are numbered as there: at level 1 each sample is a cluster of its own, level H is the
coarsest. The method reads the settings in :mod:`cueco_solo.methods.rcl`.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le
from omegaconf import DictConfig
from pydantic import BeforeValidator, model_validator

from cueco_solo.errors import config_error
from cueco_solo.methods.base import check_dali_indexes
from cueco_solo.methods.momentum_options import MomentumOptions, check_predictor
from cueco_solo.options import Count, Options, Several, Share, Temperature, derived, option

if TYPE_CHECKING:
    import torch

MAX_LEVELS = 4
# the paper's numbers of K-means clusters as shares of ImageNet's images (Sec. 5.3)
_KMEANS_SHARES = tuple(number / 1_281_167 for number in (250_000, 500_000, 1_000_000))

_Levels = Annotated[int, Ge(1), Le(MAX_LEVELS)]
# both types of numbers: a list's integers stay what they are
_Radius = Annotated[int | float, Gt(0), Le(2)]
_Similarity = Annotated[int | float, Ge(-1), Le(1)]


def _for_all_levels(value: Any) -> Any:
    return [value] * (MAX_LEVELS - 1) if isinstance(value, int | float) else value


class RCLOptions(Options):
    """``method_kwargs`` of ``method: rcl``.

    The lists go from the coarsest level down; their first H - 1 numbers count, and are all that is
    left of them once the settings are filled in.
    """

    proj_hidden_dim: Count = option(2048, "hidden sizes of the three-layer projector")
    proj_output_dim: Count = option(256, "size of z and k")
    pred_hidden_dim: Count = option(4096, "hidden size of the predictors")
    predictor: Literal["mlp", "residual", "none"] = option(
        "mlp",
        "mlp: Linear-BN-ReLU-Linear; residual: that plus its input, the last layer starts at zero; "
        "none: p is the projection, with num_predictors=1 (residual and none are ours)",
    )
    predictor_init: Literal["random", "identity"] = option(
        "random",
        "start of mlp predictors; identity needs pred_hidden_dim of at least twice proj_output_dim "
        "(ours)",
    )
    temperature: Temperature = option(0.1, "temperature of the relative contrastive loss (Eq. 3)")
    queue_size: Several = option(
        98304, "keys per view, K; at least the batch size of all processes"
    )
    num_samples: Several = derived(
        "number of training images, each of which has a label on every level; unused with one "
        "level. Counted where the data are files; to be given where they can't be counted, or are "
        "so many that counting takes long"
    )
    num_levels: _Levels = derived(
        "number of levels, that is of criteria, H. 3; with hierarchy=none always 1"
    )
    num_predictors: _Levels = derived("1 for all criteria, or num_levels, one for each. num_levels")
    hierarchy: Literal["online", "dbscan", "kmeans", "none"] = option(
        "online",
        "where the labels of levels 2 to H come from. online: DBSCAN once, refined in every step "
        "(Sec. 4.3); dbscan, kmeans: clustered anew before each epoch (Table 4); none: no levels, "
        "the nearest entry of the queue is the one relative key, as in NNCLR",
    )
    hierarchy_warmup_epochs: Count = option(
        10, "epochs with the contrastive loss alone (Eq. 1); none with hierarchy=none"
    )
    dbscan_eps: list[_Radius] = option(
        [0.8, 0.7, 0.6], "Euclidean radii between unit vectors, from the coarsest level down"
    )
    dbscan_min_samples: Count = option(
        4, "samples within the radius, its own included, that make a core"
    )
    dbscan_max_samples: Several | None = option(
        50_000,
        "images that DBSCAN compares with each other; of more, so many are drawn, and the others "
        "join their nearest cores' clusters. null: all, as in the paper, at a cost that grows with "
        "their square",
    )
    kmeans_clusters: list[Several] = derived(
        "numbers of clusters, from the coarsest level down. As many per image as the paper's "
        "250000, 500000 and 1000000 for ImageNet (Sec. 5.3)"
    )
    max_splits: Several = option(
        4, "number of parts that one step splits a cluster into, m (ours, the paper names none)"
    )
    merge_threshold: Annotated[list[_Similarity], BeforeValidator(_for_all_levels)] = derived(
        "similarity of centres above which two clusters merge, sigma_m, from the coarsest level "
        "down; as centres are means of unit vectors, it is the mean cosine similarity of their "
        "members. The similarity at each level's radius, 1 - eps^2 / 2 (ours, the paper names none)"
    )
    symmetric: bool = option(True, "both views are queries, the losses are averaged")

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        check_predictor(self, output_bn=True)
        levels = self.num_levels
        if self.hierarchy == "none" and levels not in (None, 1):
            raise config_error(
                "method_kwargs.num_levels",
                levels,
                "must be 1 with method_kwargs.hierarchy=none",
                "set it and method_kwargs.num_predictors to 1, or choose another hierarchy",
            )
        if None in (levels, self.num_predictors):
            return self
        if self.num_predictors not in (1, levels):
            raise config_error(
                "method_kwargs.num_predictors",
                self.num_predictors,
                f"must be 1, for all levels, or method_kwargs.num_levels={levels}, one for each",
                f"set it to {f'1 or {levels}' if levels > 1 else 1}",
            )
        if self.predictor == "none" and self.num_predictors > 1:
            raise config_error(
                "method_kwargs.num_predictors",
                self.num_predictors,
                "must be 1 with method_kwargs.predictor=none, under which all would be the same",
                "set it to 1",
            )
        self._check_list("dbscan_eps", falling=True)
        self._check_list("merge_threshold")
        self._check_list("kmeans_clusters")
        clusters, images = (self.kmeans_clusters or [])[: levels - 1], self.num_samples
        if clusters and images is not None and clusters[-1] > images:
            allowed = f"must be at most the {images} images"
            raise config_error("method_kwargs.kmeans_clusters", clusters, allowed)
        return self

    def _check_list(self, key: str, falling: bool = False) -> None:
        """One number for each level above the first, in order."""
        name, values, needed = f"method_kwargs.{key}", getattr(self, key), self.num_levels - 1
        if values is None:
            return
        if len(values) < needed:
            raise config_error(
                name,
                values,
                f"must have a number for each level above the first, {needed} with "
                f"method_kwargs.num_levels={self.num_levels}",
                "add to it or lower num_levels",
            )
        if (used := values[:needed]) != (ordered := sorted(used, reverse=falling)):
            allowed = f"must {'fall' if falling else 'rise'} from the coarsest level to the finest"
            raise config_error(name, used, allowed, f"did you mean {ordered}?")


class RCLMomentum(MomentumOptions):
    """``momentum`` of ``method: rcl``."""

    base_tau: Share = option(
        0.99, "EMA coefficient at the start, as BYOL's with this learning rate"
    )


def fill_rcl(cfg: DictConfig) -> DictConfig:
    """Check RCL's settings and fill in the defaults, in place.

    Raises:
        ConfigError: see :class:`RCLOptions` and :class:`RCLMomentum`; or a queue smaller than a
            batch, or data whose sample indexes or number aren't known.
    """
    options = RCLOptions.read(cfg)
    levels = options.num_levels or (1 if options.hierarchy == "none" else 3)
    predictors = options.num_predictors or levels
    options = options.revised(num_levels=levels, num_predictors=predictors)
    _check_queue(cfg, options.queue_size)
    images, below = options.num_samples, levels - 1
    if below:
        check_dali_indexes(cfg)
        if images is None:
            from cueco_solo.data.datasets import count_images  # it needs torch

            images = count_images(cfg.data, "method_kwargs.num_samples")
    eps, merge, clusters = options.dbscan_eps, options.merge_threshold, options.kmeans_clusters
    if merge is None:
        merge = [1 - radius**2 / 2 for radius in eps]
    if clusters is None:
        clusters = [max(2, int(share * (images or 0))) for share in _KMEANS_SHARES]
    options.revised(
        num_samples=images,
        dbscan_eps=eps[:below],
        merge_threshold=merge[:below],
        kmeans_clusters=clusters[:below],
    ).write(cfg)
    return RCLMomentum.read(cfg).write(cfg)


def _check_queue(cfg: DictConfig, size: int) -> None:
    devices: Any = cfg.get("devices") or 1
    processes = 1 if isinstance(devices, int) else len(devices)  # as solo-learn counts them
    batch = cfg.optimizer.batch_size * processes * (cfg.get("num_nodes") or 1)
    if size < batch:
        raise config_error(
            "method_kwargs.queue_size",
            size,
            f"must be at least {batch}, the batch size of all processes, to hold a whole step",
            "raise it or lower optimizer.batch_size",
        )


def check_size(cfg: DictConfig, loader: Any) -> None:
    """Refuse a training set of another size than the labels were made for.

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
            f"set it to {size}",
        )


def check_indexes(cfg: DictConfig, index: "torch.Tensor") -> None:
    """Refuse sample indexes ``[N]``, int64, that can't be those of images; waits for the GPU.

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
