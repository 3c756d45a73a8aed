"""The one place that knows which solo-learn is installed: one API, solo-learn main's, over both.

*Main* is solo-learn's Git main (1.0.6), whose classes come through as they are. *Release* is 1.0.2
of the package index, lifted to main's API. What is listed in ``__all__`` is imported on first use,
so that importing this package, and :func:`host_info`, need no solo-learn and no torch.

On the release the stock methods are main's equals in one process; those that 1.0.2 computes
differently, and several processes, raise HostError.
"""

import importlib
from typing import TYPE_CHECKING, Any

from cueco_solo.errors import HostError, config_error, did_you_mean
from cueco_solo.host.availability import check_available
from cueco_solo.host.callbacks import bring_callbacks
from cueco_solo.host.detect import HostInfo, host_info

if TYPE_CHECKING:
    from types import ModuleType

    from cueco_solo.host.main import *

    FORM: str
    dali: ModuleType

__all__ = [
    "FORM",
    "LARS",
    "METHODS",
    "BaseMethod",
    "BaseMomentumMethod",
    "Checkpointer",
    "HostInfo",
    "LinearModel",
    "MomentumUpdater",
    "WeightedKNNClassifier",
    "accuracy_at_k",
    "bring_callbacks",
    "classification_data",
    "dali",
    "gather",
    "host_info",
    "initialize_momentum_params",
    "method_class",
    "method_names",
    "mocov2plus_loss_func",
    "nnclr_loss_func",
    "omegaconf_select",
    "parse_linear_cfg",
    "parse_pretrain_cfg",
    "pretrain_data",
    "weighted_mean",
]

_FORMS = {"main": f"{__name__}.main", "release": f"{__name__}.release.api"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    info = host_info()
    if info.problem:
        raise HostError(info.problem)
    if name == "FORM":
        value: Any = info.form
    else:
        form = importlib.import_module(_FORMS[info.form])
        value = form.load_dali() if name == "dali" else getattr(form, name)
    globals()[name] = value
    return value


def method_names() -> list[str]:
    """Names of the methods that there are, sorted; ours once ``cueco_solo.register()`` has run."""
    return sorted(set(__getattr__("METHODS")) - {"base", "linear"})


def method_class(name: str) -> Any:
    """The class of a method, of solo-learn's or of ours once ``cueco_solo.register()`` has run.

    Args:
        name: as in the configuration's ``method``.

    Raises:
        ConfigError: no method has this name.
        HostError: solo-learn has it, but this form of it can't compute it as main does.
    """
    names = method_names()
    if name in names:
        return __getattr__("METHODS")[name]
    check_available(name)
    allowed = f"must be one of {', '.join(names)}"
    raise config_error("method", name, allowed, did_you_mean(name, names))
