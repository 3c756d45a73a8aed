"""What unmodified solo-learn main needs on current libraries, on a CPU and with few classes.

Each shim replaces a name inside solo-learn's modules, or inside torch or Lightning where its
docstring says so, in this process only. solo-learn's files stay as they are.
"""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from lightning.pytorch import LightningModule

from cueco_solo.host import metrics
from cueco_solo.host.callbacks import brought_callbacks
from cueco_solo.host.checkpoint_names import literal_name
from cueco_solo.host.lightning_shims import log_without_waiting
from cueco_solo.host.unlabelled import leave_labels_out


def apply() -> None:
    """Apply every shim that the stock programs need (idempotent); solo-learn must be imported."""
    metrics.replace_in_solo()
    _keep_functions_out_of_checkpoints()
    _bring_callbacks()
    _leave_labels_out()
    _log_without_waiting()
    _keep_braces_in_names()
    _start_deepcluster_at_zero()
    dali = sys.modules.get("solo.data.dali_dataloader")
    if dali is not None:
        shim_dali(dali)


def _keep_functions_out_of_checkpoints() -> None:
    """SimSiam and NNSiam hang a ``functools.partial`` on their schedule.

    In a checkpoint it would make resuming and ``torch.load(weights_only=True)`` fail.
    """
    from solo.utils.lr_scheduler import LinearWarmupCosineAnnealingLR as Schedule

    def state_dict(self: Any) -> dict[str, Any]:
        state = super(Schedule, self).state_dict()
        return {key: value for key, value in state.items() if key != "get_lr"}

    Schedule.state_dict = state_dict


def _keep_braces_in_names() -> None:
    """``Checkpointer`` formats a placeholder that holds the run's name."""
    from solo.utils.checkpointer import Checkpointer

    stock = Checkpointer.initial_setup
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def initial_setup(self: Any, trainer: Any) -> None:
        stock(self, trainer)
        self.ckpt_placeholder = literal_name(self.ckpt_placeholder)

    Checkpointer.initial_setup = initial_setup


def _leave_labels_out() -> None:
    from solo.methods.base import BaseMethod, BaseMomentumMethod

    leave_labels_out(BaseMethod, BaseMomentumMethod)


def _log_without_waiting() -> None:
    from solo.methods.base import BaseMethod

    log_without_waiting(BaseMethod)


def _start_deepcluster_at_zero() -> None:
    """DeepCluster V2 has no assignments in its first epoch, and a loss of 0 / 0.

    Its gradient is zero all the same; as 0 the loss isn't taken for a diverged one.
    """
    import solo.methods.deepclusterv2 as module

    stock = module.deepclusterv2_loss_func
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def loss_func(outputs: Any, assignments: Any, *args: Any, **kwargs: Any) -> Any:
        loss = stock(outputs, assignments, *args, **kwargs)
        return torch.where((assignments >= 0).any(), loss, (0 * outputs.sum()).abs())

    module.deepclusterv2_loss_func = loss_func


def _bring_callbacks() -> None:
    """Methods bring what was handed in, see :mod:`cueco_solo.host.callbacks`."""
    from solo.methods.base import BaseMethod

    stock = BaseMethod.configure_callbacks
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def configure_callbacks(self: Any) -> list[Any]:
        return [*stock(self), *brought_callbacks(self.cfg)]

    BaseMethod.configure_callbacks = configure_callbacks


def shim_dali(dali: ModuleType) -> None:
    """Let ``solo.data.dali_dataloader`` do without a GPU, and without validation data."""
    for builder in (dali.PretrainPipelineBuilder, dali.NormalPipelineBuilder):
        _forget_gpu_of_cpu_pipelines(builder)
    dali.PretrainDALIDataModule.__setattr__ = _set_validation_loader


def _set_validation_loader(self: Any, name: str, value: Any) -> None:
    """main_pretrain.py sets ``val_dataloader``, to give None where there is no ``data.val_path``.

    Lightning wants a loader, or none of them in a list.
    """
    if name == "val_dataloader":
        loader = value()
        object.__setattr__(self, name, lambda: [] if loader is None else loader)
    else:
        object.__setattr__(self, name, value)


def _forget_gpu_of_cpu_pipelines(builder: type) -> None:
    stock = builder.__init__  # type: ignore[misc]
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        if self.device == "cpu":  # the rank in device_id has gone into the seed by now
            self.device_id = None

    builder.__init__ = init  # type: ignore[misc]


@contextmanager
def cuda_means_cpu() -> Iterator[None]:
    """On a machine without CUDA: ``.cuda()`` and ``.to("cuda...")`` stay on the CPU, inside torch.

    Where there is CUDA, nothing changes.
    """
    if torch.cuda.is_available():
        yield
        return
    owners = (torch.Tensor, torch.nn.Module)
    stock = [(owner, owner.cuda, owner.to) for owner in owners]

    def stay(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self

    for owner, _, to in stock:
        owner.cuda = stay  # type: ignore[method-assign,assignment]
        owner.to = _to_cpu(to)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for owner, cuda, to in stock:
            owner.cuda, owner.to = cuda, to  # type: ignore[method-assign]


@contextmanager
def checkpoints_to_cuda() -> Iterator[None]:
    """On a machine with CUDA: a model loaded from a checkpoint goes to the GPU, inside Lightning.

    Lightning leaves it where it was trained, main_knn.py sends its images to the GPU. Where there
    is no CUDA, nothing changes.
    """
    if not torch.cuda.is_available():
        yield
        return
    stock = LightningModule.__dict__["load_from_checkpoint"]

    def load(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return stock.__get__(None, cls)(*args, **kwargs).cuda()

    LightningModule.load_from_checkpoint = classmethod(load)  # type: ignore
    try:
        yield
    finally:
        LightningModule.load_from_checkpoint = stock  # type: ignore


def _to_cpu(to: Any) -> Any:
    def here(value: Any) -> Any:
        names_cuda = isinstance(value, (str, torch.device)) and str(value).startswith("cuda")
        return "cpu" if names_cuda else value

    @functools.wraps(to)
    def moved(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs = {key: here(value) for key, value in kwargs.items()}
        return to(self, *(here(value) for value in args), **kwargs)

    return moved
