"""What Lightning does by itself with checkpoints and logged numbers, replaced in this process."""

import errno
import functools
import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from cueco_solo.files import is_whole_archive, whole_file


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place, reads it again, and then puts it there.

    Lightning writes it to ``$TMPDIR`` first, and copies it from another file system in parts.
    """

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        """See the base class.

        Raises:
            OSError: the folder is full, can't be written, or gave back something else.
        """
        path, content = Path(path), io.BytesIO()
        torch.save(checkpoint, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(content.getbuffer())
            if not is_whole_archive(part):
                raise OSError(errno.EIO, "what was written is damaged", str(path))


class WriteWhole(Callback):
    """Lets a Trainer write its checkpoints by :class:`WholeCheckpoints`."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeCheckpoints()


def write_whole(cfg: Any) -> list[Callback]:
    """Brought by every method."""
    return [WriteWhole()]


def keep_out_of_working_folder() -> None:
    """Neither read nor write SLURM's ``hpc_ckpt_*.ckpt`` (idempotent).

    Lightning leaves them in the working directory and lets every later training there, of whatever
    configuration, start from them. The job is still requeued.
    """
    _CheckpointConnector._hpc_resume_path = property(lambda self: None)  # type: ignore[assignment]
    stock = _SignalConnector._slurm_sigusr_handler_fn
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def requeue(self: Any, signum: Any, frame: Any) -> None:
        self.trainer.save_checkpoint = lambda *_, **__: None
        try:
            stock(self, signum, frame)
        finally:
            del self.trainer.save_checkpoint

    _SignalConnector._slurm_sigusr_handler_fn = requeue  # type: ignore


def log_without_waiting(base: Any) -> None:
    """Let the methods of a base class log numbers without a wait for the GPU (idempotent).

    Lightning copies a number to the device, before which the host waits for all work that is under
    way: with ``tau``, which solo-learn logs in every step, for the whole step. Here the device
    fills it in.
    """
    stock = base.log
    if hasattr(stock, "__wrapped__"):
        return

    @functools.wraps(stock)
    def log(self: Any, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(value, int | float):
            # as Lightning: with bf16-true, half precision is the default within a step
            dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
            value = torch.full((), value, dtype=dtype, device=self.device)
        stock(self, name, value, *args, **kwargs)

    base.log = log
