"""Self-Classifier's settings: keys, defaults, ranges. All are optional.

Defaults are those of the paper's Sec. 7.2. CIFAR here means cifar10 and cifar100.

method_kwargs:
    preset (str): which defaults, and which prediction. "v1", the paper; "v2", the authors' later
        code (arXiv v2): predictions are also divided by each class's mean over the batch.
    mlp_dims (list): sizes of the MLP's layers, the last one is that of z; none at all leaves the
        MLP out (Table 5). [4096, 4096, 128], for CIFAR [256, 256, 64].
    num_heads (int): classifiers side by side, T. 30 (for CIFAR the authors' code).
    head_size (int): classes of each, C. 1000, for cifar10 30 and for cifar100 60: three times the
        classes, and superclasses, that they have.
    temperature (float): of the softmax over classes. 0.1, for CIFAR with v1 0.3.
    column_temperature (float): of the softmax over samples. ``temperature``; with v2 0.05.
    normalize_rows (bool): bring each sample's p(x|y) to a sum of one over the classes. False, for
        CIFAR and with v2 True.
    fixed_classifier (bool): keep the classifiers as they start, orthonormal. True; with v2 False.
        Learning them costs 3.6 points on ImageNet (Sec. 5).
    queue_size (int): the last so many first views; once it is full, each first view's z gives way
        to its nearest entry of another image (the authors' later code: 262144). 0, none.
"""

import warnings

from omegaconf import DictConfig

from cueco_solo.methods.base import check_dali_indexes
from cueco_solo.options import Option, fill_options

OPTIONS = {
    "preset": Option("v1", choices=("v1", "v2")),
    "mlp_dims": Option(None, items=Option(1, low=1)),
    "num_heads": Option(30, low=1),
    "head_size": Option(None, low=2, kind=int),
    "temperature": Option(None, low=0, above=True, kind=float),
    "column_temperature": Option(None, low=0, above=True, kind=float),
    "normalize_rows": Option(None, kind=bool),
    "fixed_classifier": Option(None, kind=bool),
    "queue_size": Option(0, low=0),
}
_HEAD_SIZES = {"cifar10": 30, "cifar100": 60}


def fill_self_classifier(cfg: DictConfig) -> DictConfig:
    """Check Self-Classifier's settings and fill in the defaults, in place.

    Args:
        cfg: the whole configuration.

    Returns:
        DictConfig: ``cfg`` itself.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, or a queue with DALI
            labels that don't tell images apart.
    """
    kwargs = fill_options(cfg, OPTIONS).method_kwargs
    cifar, later = cfg.data.dataset in _HEAD_SIZES, kwargs.preset == "v2"
    defaults = {
        "mlp_dims": [256, 256, 64] if cifar else [4096, 4096, 128],
        "head_size": _HEAD_SIZES.get(cfg.data.dataset, 1000),
        "temperature": 0.3 if cifar and not later else 0.1,
        "normalize_rows": cifar or later,
        "fixed_classifier": not later,
    }
    for key, value in defaults.items():
        if kwargs[key] is None:
            kwargs[key] = value
    if kwargs.column_temperature is None:
        kwargs.column_temperature = 0.05 if later else kwargs.temperature
    if kwargs.queue_size:
        check_dali_indexes(cfg)
    return cfg


def warn_of_small_batch(samples: int, classes: int) -> None:
    """Warn where the softmax over samples has too few of them to say anything.

    Args:
        samples: of a batch of all processes.
        classes: C.
    """
    if samples < classes:
        warnings.warn(
            f"optimizer.batch_size: a batch of all processes has {samples} images for "
            f"method_kwargs.head_size={classes} classes, so the softmax over samples gives most "
            "classes to images that have nothing to do with them; raise optimizer.batch_size or "
            "lower head_size",
            stacklevel=2,
        )
