"""What of a configuration Lightning's Trainer gets; it checks what is ``Any`` here."""

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import field_validator

from cueco_solo.errors import config_error
from cueco_solo.options import (
    Count,
    NonNegative,
    Options,
    Positive,
    Size,
    derived,
    option,
    required,
)


class TrainerOptions(Options):
    """What of a configuration is handed to Lightning's Trainer as it is."""

    accelerator: Any = option("auto", "auto, cpu, gpu or mps")
    accumulate_grad_batches: Count = option(1, "batches per optimisation step")
    benchmark: bool | None = option(None, "let cuDNN search for the fastest algorithms")
    check_val_every_n_epoch: Count = option(1, "epochs from one validation to the next")
    detect_anomaly: bool = option(False, "PyTorch's anomaly detection")
    deterministic: bool | Literal["warn"] | None = option(
        None, "deterministic algorithms only; warn: where there are some"
    )
    devices: Any = option("auto", "number of devices, or a list of them")
    enable_model_summary: bool = option(False, "print the layers")
    enable_progress_bar: bool = option(
        True, "show the progress: a bar on a terminal, elsewhere a line per epoch"
    )
    gradient_clip_algorithm: Literal["norm", "value"] | None = option(
        None, "what gradient_clip_val limits; norm by default"
    )
    gradient_clip_val: NonNegative | None = option(
        None, "value or norm that gradients are clipped to"
    )
    limit_train_batches: Positive | None = option(None, "batches of each epoch, or a share of them")
    limit_val_batches: NonNegative | None = option(
        None, "batches of each validation, or a share of them"
    )
    log_every_n_steps: Size = derived(
        "steps from one log entry to the next. 50, or an epoch's steps where they are fewer"
    )
    max_epochs: Count = required("epochs of the training")
    max_time: Any = option(
        None, "time limit, DD:HH:MM:SS; the training stops at the end of that epoch"
    )
    num_nodes: Count = option(1, "number of machines")
    num_sanity_val_steps: Annotated[int, Ge(-1)] = option(
        2, "validation batches before the training; -1: all"
    )
    overfit_batches: NonNegative = option(0.0, "0; see limit_train_batches")
    precision: Any = option(32, "such as 32, 16-mixed or bf16-mixed")
    profiler: Any = option(None, "simple, advanced or pytorch")
    strategy: Any = option("auto", "such as auto or ddp")
    sync_batchnorm: bool = option(False, "batch norm over all processes")
    # which Lightning takes as a time, too
    val_check_interval: str | dict[str, Any] | Positive | None = option(
        None, "batches from one validation to the next, a share of an epoch, or a time"
    )

    @field_validator("overfit_batches")
    @classmethod
    def _check_overfit(cls, batches: float) -> float:
        if batches:
            reason = "must be 0: the seed determines the order of the loaders"
            raise config_error("overfit_batches", batches, reason, "use limit_train_batches")
        return batches
