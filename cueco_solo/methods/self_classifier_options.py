"""Self-Classifier's settings. All are optional; defaults are those of the paper's Sec. 7.2.

CIFAR here means cifar10 and cifar100. The method reads them in
:mod:`cueco_solo.methods.self_classifier`.
"""

import warnings
from typing import Literal

from omegaconf import DictConfig

from cueco_solo.methods.base import check_dali_indexes
from cueco_solo.options import Count, Options, Several, Size, Temperature, derived, option

_HEAD_SIZES = {"cifar10": 30, "cifar100": 60}


class SelfClassifierOptions(Options):
    """``method_kwargs`` of ``method: self_classifier``."""

    preset: Literal["v1", "v2"] = option(
        "v1",
        "which defaults, and which prediction. v1: the paper; v2: the authors' later code (arXiv "
        "v2), in which predictions are also divided by each class's mean over the batch",
    )
    mlp_dims: list[Count] = derived(
        "sizes of the MLP's layers, the last one is that of z; an empty list leaves the MLP out "
        "(Table 5). [4096, 4096, 128], for CIFAR [256, 256, 64]"
    )
    num_heads: Count = option(30, "number of classifiers, T (for CIFAR as in the authors' code)")
    head_size: Several = derived(
        "classes of each head, C. 1000; for cifar10 30, three times its classes; for cifar100 60, "
        "three times its superclasses"
    )
    temperature: Temperature = derived(
        "temperature of the softmax over classes (Eq. 4). 0.1, for CIFAR with v1 0.3"
    )
    column_temperature: Temperature = derived(
        "temperature of the softmax over samples (Eq. 4). As temperature, with v2 0.05"
    )
    normalize_rows: bool = derived(
        "normalise each sample's p(x|y) to a sum of one over the classes. False, for CIFAR and "
        "with v2 True"
    )
    fixed_classifier: bool = derived(
        "keep the classifiers as they are initialised, orthonormal. True, with v2 False; learning "
        "them costs 3.6 points on ImageNet (Sec. 5)"
    )
    queue_size: Size = option(
        0,
        "number of first views that are kept, 0 for no queue; once it is full, each first view's z "
        "is replaced by its nearest entry of another image (the authors' later code: 262144)",
    )


def fill_self_classifier(cfg: DictConfig) -> DictConfig:
    """Check Self-Classifier's settings and fill in the defaults, in place.

    Raises:
        ConfigError: see :class:`SelfClassifierOptions`; or a queue with DALI labels that don't
            tell images apart.
    """
    given = SelfClassifierOptions.read(cfg)
    cifar, later = cfg.data.dataset in _HEAD_SIZES, given.preset == "v2"
    defaults = {
        "mlp_dims": [256, 256, 64] if cifar else [4096, 4096, 128],
        "head_size": _HEAD_SIZES.get(cfg.data.dataset, 1000),
        "temperature": 0.3 if cifar and not later else 0.1,
        "normalize_rows": cifar or later,
        "fixed_classifier": not later,
    }
    values = {**defaults, **given.model_dump(exclude_none=True)}
    values.setdefault("column_temperature", 0.05 if later else values["temperature"])
    if given.queue_size:
        check_dali_indexes(cfg)
    return given.revised(**values).write(cfg)


def warn_of_small_batch(samples: int, classes: int) -> None:
    """Warn where a batch of all processes has fewer samples than a head has classes."""
    if samples < classes:
        warnings.warn(
            f"optimizer.batch_size: a batch of all processes has {samples} images for "
            f"method_kwargs.head_size={classes} classes, so the softmax over samples gives most "
            "classes to images that have nothing to do with them; raise optimizer.batch_size or "
            "lower head_size",
            stacklevel=2,
        )
