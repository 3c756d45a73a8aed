"""Losses, queue and clusters for loops of one's own: the same, with their arguments checked.

The training steps take them from their own modules, unchecked: whether vectors have unit length
can't be told without waiting for the GPU.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

from cueco_solo.clustering import grouping, hierarchy
from cueco_solo.losses import cueco, rcl, self_classifier
from cueco_solo.modules import queue

F = TypeVar("F", bound=Callable[..., Any])

# as far as bfloat16, of three digits, leaves vectors of unit length
_LENGTH_TOLERANCE = 0.02
_FLOATING = ("unit", "float")
_TYPES = {
    "unit": "a floating",
    "float": "a floating",
    "int": "an int64",
    "int-1": "an int64",
    "bool": "a bool",
}


def _wrong(name: str, what: str, found: str) -> ValueError:
    return ValueError(f"{name} must be {what}, but {found}")


def _shape(dims: list[str], known: dict[str, int]) -> str:
    text = f"[{', '.join(dims)}]"
    sizes = [str(known.get(dim, dim)) for dim in dims]
    return text if sizes == dims else f"{text} = [{', '.join(sizes)}]"


def _check(name: str, value: Any, forms: str, known: dict[str, int]) -> None:
    """One argument against the first of its ``forms`` that has its type.

    A form is a type and the dimensions, ``unit N D``; ``int<L N`` are integers from 0 below L,
    ``int-1<L N`` from -1.
    """
    if forms == "positive":
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise _wrong(name, "a number above 0", f"is {value!r}")
        return
    choices = [form.split() for form in forms.split(" | ")]
    texts = [
        f"{_TYPES[kind.partition('<')[0]]} tensor of shape "
        f"{_shape(dims, known)}{' of unit vectors' if kind == 'unit' else ''}"
        for kind, *dims in choices
    ]
    what = " or ".join(texts)
    if not isinstance(value, torch.Tensor):
        raise _wrong(name, what, f"is of type {type(value).__name__}")
    fitting = [
        form
        for form in choices
        if _has_type(value, form[0].partition("<")[0]) and value.ndim == len(form) - 1
    ]
    if not fitting or any(
        known.get(dim, size) != size for dim, size in zip(fitting[0][1:], value.shape, strict=True)
    ):
        dtype = str(value.dtype).removeprefix("torch.")
        raise _wrong(name, what, f"is {dtype} of shape {list(value.shape)}")
    kind, *dims = fitting[0]
    known.update(zip(dims, value.shape, strict=True))
    if kind == "unit" and value.numel():
        lengths = value.detach().float().norm(dim=-1)
        # what isn't finite is left to the function
        far = (lengths - 1).abs().nan_to_num(0, 0, 0).max()
        if far > _LENGTH_TOLERANCE:
            worst = float(lengths.flatten()[(lengths - 1).abs().nan_to_num(0, 0, 0).argmax()])
            remedy = "bring it to unit length with torch.nn.functional.normalize(..., dim=-1)"
            raise _wrong(name, "unit vectors", f"one has the length {worst:.3g}; {remedy}")
    form, _, top = kind.partition("<")
    lowest = -1 if form == "int-1" else 0
    if top and value.numel() and not lowest <= int(value.min()) <= int(value.max()) < known[top]:
        found = f"they are from {int(value.min())} to {int(value.max())}"
        raise _wrong(name, f"integers from {lowest} to {known[top] - 1}", found)


def _has_type(value: torch.Tensor, kind: str) -> bool:
    if kind in _FLOATING:
        return value.is_floating_point()
    return value.dtype == (torch.bool if kind == "bool" else torch.int64)


def _checked(function: F, own: Callable[[Any], dict[str, int]] | None = None, **forms: str) -> F:
    """The function with arguments checked in the order of ``forms``, see :func:`_check`.

    Args:
        own: sizes that a method's object fixes.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        known = own(args[0]) if own else {}
        for name, form in forms.items():
            if given.get(name) is not None:
                _check(name, given[name], form, known)
        return function(*args, **kwargs)

    return cast(F, wrapper)


def _replacing(method: F) -> F:
    """The method, but the buffers that it changes are new tensors.

    Autograd refuses the backward pass of a loss whose arguments were changed in place.
    """

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name, buffer in list(self.named_buffers(recurse=False)):
            setattr(self, name, buffer.clone())
        return method(self, *args, **kwargs)

    return cast(F, wrapper)


info_nce = _checked(
    cueco.info_nce, z="unit N D", k="unit N D", queue="unit K D", temperature="positive"
)
centroid_contrastive = _checked(
    cueco.centroid_contrastive,
    z="unit N D",
    centroids="unit L D",
    targets="int<L N | float N L",
    temperature="positive",
)
variance_loss = _checked(
    cueco.variance_loss,
    z="unit N D",
    centroids="unit L D",
    variances="float L | float L D",
    targets="int<L N | float N L",
    eps="positive",
)
relative_contrastive = _checked(
    rcl.relative_contrastive,
    q="unit N D",
    keys="unit N R D",
    positive="float N R",
    queue="unit K D",
    temperature="positive",
    present="bool N R",
    queued="bool R",
)
relative_keys = _checked(
    rcl.relative_keys,
    k="unit N D",
    queue="unit K D",
    labels="int H n",
    index="int<n N",
    queue_index="int-1<n K",
)
self_classification = _checked(
    self_classifier.self_classification,
    logits="float V T N C",
    temperature="positive",
    column_temperature="positive",
)


class KeyQueue(queue.KeyQueue):
    __doc__ = queue.KeyQueue.__doc__

    enqueue = _replacing(
        _checked(
            queue.KeyQueue.enqueue,
            lambda self: {"views": self.keys.shape[0], "D": self.keys.shape[2]},
            keys="unit views n D",
            index="int n",
        )
    )


class MomentumGrouping(grouping.MomentumGrouping):
    __doc__ = grouping.MomentumGrouping.__doc__

    nearest = _checked(
        grouping.MomentumGrouping.nearest, lambda self: _dim(self.centroids), x="unit n D"
    )
    update = _replacing(
        _checked(grouping.MomentumGrouping.update, lambda self: _dim(self.centroids), k="unit n D")
    )
    recluster = _replacing(
        _checked(
            grouping.MomentumGrouping.recluster, lambda self: _dim(self.centroids), k="unit n D"
        )
    )


class Hierarchy(hierarchy.Hierarchy):
    __doc__ = hierarchy.Hierarchy.__doc__

    remember = _checked(
        hierarchy.Hierarchy.remember,
        lambda self: {"n": self.labels.shape[1], **_dim(self.bank)},
        k="unit views N D",
        index="int<n N",
    )
    restart = _checked(
        hierarchy.Hierarchy.restart,
        lambda self: {"H-1": len(self.labels) - 1, "n": self.labels.shape[1]},
        levels="int H-1 n",
    )
    refine = _checked(
        hierarchy.Hierarchy.refine, lambda self: {"n": self.labels.shape[1]}, samples="int<n S"
    )


def _dim(vectors: torch.Tensor) -> dict[str, int]:
    return {"D": vectors.shape[1]}
