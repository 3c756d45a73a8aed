"""Training on images without labels: no classifier learns from them, and none is scored."""

import functools
import re
from typing import Any

# what solo-learn's methods log of the labels
_OF_LABELS = re.compile(r"(^|_)(acc\d*|class_loss)$")


def leave_labels_out(base: Any, momentum: Any) -> None:
    """Let methods do without labels where a configuration has ``data.no_labels`` (idempotent).

    solo-learn divides the classifier's loss by the number of labels, so that the loss of the whole
    method would be NaN, and logs accuracies of 0, or of 100 where -1 meets -1.

    Args:
        base: ``BaseMethod``.
        momentum: ``BaseMomentumMethod``.
    """
    if hasattr(base.log, "__wrapped__"):
        return
    base._base_shared_step = _without_loss(base._base_shared_step)
    momentum._shared_step_momentum = _without_loss(momentum._shared_step_momentum)
    base.log = _without_accuracies(base.log)


def has_no_labels(cfg: Any) -> bool:
    """Whether a configuration's training images have no labels."""
    data = None if cfg is None else cfg.get("data")
    return bool(data is not None and data.get("no_labels"))


def _without_loss(step: Any) -> Any:
    @functools.wraps(step)
    def shared(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = step(self, *args, **kwargs)
        if "loss" in out and has_no_labels(getattr(self, "cfg", None)):
            # not a constant: DistributedDataParallel waits for a gradient of the classifier
            out["loss"] = 0 * out["logits"].float().sum()
        return out

    return shared


def _without_accuracies(log: Any) -> Any:
    @functools.wraps(log)
    def logged(self: Any, name: str, *args: Any, **kwargs: Any) -> None:
        if _OF_LABELS.search(name) and has_no_labels(getattr(self, "cfg", None)):
            return
        log(self, name, *args, **kwargs)

    return logged
