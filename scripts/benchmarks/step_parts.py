"""The parts of a training step, wrapped from outside: time, and waits of the host for the GPU."""

import functools
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, record_function

_PREFIX = "part: "
_END = "the end of the measurement"
# autograd's, which on a GPU run in a thread of their own, outside the range of the backward pass
_BACKWARD = "autograd::engine::evaluate_function"
# methods of a model or of something that it has; ours and solo-learn's
_METHODS = {
    "training_step": "rest of the training step",
    "losses": "loss",
    "clusters.update": "clusters",
    "hierarchy.remember": "clusters",
    "hierarchy.refine": "clusters",
    "queue.enqueue": "queue",
    "_dequeue_and_enqueue": "queue",
    "momentum_updater.update": "momentum update",
}
_TRAINER = {"backward": "backward", "optimizer_step": "optimizer"}
# of CUDA's runtime; and torch's readings of one number, on a CPU too: on a GPU each of these holds
# a cudaStreamSynchronize
WAITS = (
    *("cudaStreamSynchronize", "cudaEventSynchronize", "cudaDeviceSynchronize"),
    "aten::_local_scalar_dense",
)
_LONGEST = 10


class Parts(Callback):
    """Seconds of each part, without those of the parts inside it.

    Args:
        synchronize: called at both ends of each part, so that what the GPU does counts where it was
            asked for. Host and GPU then don't overlap, so the sum is longer than a step.
    """

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self.synchronize = synchronize
        self._stack: list[tuple[str, Any]] = []
        self.reset()

    def reset(self) -> None:
        """Count from now on."""
        self.seconds: Counter[str] = Counter()
        self._counting, self._since = True, time.perf_counter()

    def stop(self) -> None:
        """Count no more."""
        self._counting = False

    def enter(self, name: str) -> None:
        """A part begins."""
        self._account()
        range_ = record_function(_PREFIX + name)
        range_.__enter__()
        self._stack.append((name, range_))

    def leave(self) -> None:
        """The part that began last ends."""
        self._account()
        self._stack.pop()[1].__exit__(None, None, None)

    def _account(self) -> None:
        self.synchronize()
        now = time.perf_counter()
        if self._stack and self._counting:
            self.seconds[self._stack[-1][0]] += now - self._since
        self._since = now

    def wrap(self, model: Any) -> Any:
        """Let a model's parts be told apart; returns it."""
        for name, module in model.named_children():
            part = "momentum forward" if name.startswith("momentum_") else "forward"
            # the heads of a list are called one by one
            for each in module if isinstance(module, nn.ModuleList) else [module]:
                if any(True for _ in each.parameters()):
                    each.register_forward_pre_hook(lambda *_, part=part: self.enter(part))
                    each.register_forward_hook(lambda *_: self.leave())
        for path, part in _METHODS.items():
            *owners, name = path.split(".")
            owner = functools.reduce(lambda each, key: getattr(each, key, None), owners, model)
            if hasattr(owner, name):
                setattr(owner, name, self._wrapped(getattr(owner, name), part))
        for kind in type(model).__mro__:  # solo-learn's methods call functions of other modules
            module = sys.modules[kind.__module__]
            for name in [name for name in vars(module) if name.endswith("_loss_func")]:
                function = getattr(module, name)
                function = getattr(function, "__wrapped__", function)  # of a model before this one
                setattr(module, name, self._wrapped(function, "loss"))
        return model

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Backward pass and optimizer are the Trainer's."""
        for name, part in _TRAINER.items():
            setattr(trainer.strategy, name, self._wrapped(getattr(trainer.strategy, name), part))

    def _wrapped(self, function: Callable, part: str) -> Callable:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return called


class Profile:
    """torch's profiler between two calls, and what it has seen."""

    def __init__(self, device: str) -> None:
        self.device = device
        kinds = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (device == "cuda")]
        self._profiler = torch.profiler.profile(activities=kinds)
        self.start = self._profiler.start

    def stop(self) -> None:
        """End it after what the GPU still has to do."""
        if self.device == "cuda":
            with record_function(_PREFIX + _END):
                torch.cuda.synchronize()
        self._profiler.stop()

    def found(self, steps: int) -> dict[str, Any]:
        """Waits per step by part and kind, and what takes longest on the device."""
        cuda = self.device == "cuda"
        own = "self_device_time_total" if cuda else "self_cpu_time_total"
        rows = [row for row in self._profiler.key_averages() if is_work(row, cuda)]
        longest = sorted(rows, key=lambda row: getattr(row, own), reverse=True)[:_LONGEST]
        return {
            "waits_per_step": {
                part: {kind: number / steps for kind, number in counts.items()}
                for part, counts in waits_by_part(self._profiler.events() or ()).items()
            },
            "longest_seconds": {row.key: getattr(row, own) / 1e6 / steps for row in longest},
        }


def is_work(row: Any, cuda: bool) -> bool:
    """Whether a row of the profiler is of work, and not of a range that work was done in.

    With a GPU the operators that start a kernel have rows with its time, too: the kernels' count.
    """
    annotation = row.key.startswith(_PREFIX) or getattr(row, "is_user_annotation", False)
    return not annotation and (row.device_type == DeviceType.CUDA or not cuda)


def waits_by_part(events: Iterable[Any]) -> dict[str, Counter[str]]:
    """How often the host waited for the GPU in each part; not at the end of the measurement."""
    events = list(events)
    ends = (event.time_range.start for event in events if event.name == _PREFIX + _END)
    end = min(ends, default=math.inf)  # the profiler itself waits behind it
    waits: dict[str, Counter[str]] = {}
    for event in events:
        kind = next((kind for kind in WAITS if event.name.startswith(kind)), None)
        if kind and event.time_range.start < end:
            waits.setdefault(_part(event), Counter())[kind] += 1
    return waits


def _part(event: Any) -> str:
    """The innermost part that an event of the profiler lies in."""
    while event is not None:
        if event.name.startswith(_PREFIX):
            return event.name.removeprefix(_PREFIX)
        if event.name.startswith(_BACKWARD):
            return _TRAINER["backward"]
        event = event.cpu_parent
    return "elsewhere"
