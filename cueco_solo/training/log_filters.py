"""What a training says: its own lines once, and no warnings that point to no problem."""

import logging
import warnings

_WARNINGS = (
    # the run folder is ours, and its metrics are written back
    "Experiment logs directory .* exists and is not empty",
    # inside Lightning, about torch
    r".*isinstance\(treespec, LeafSpec\)",
    # the configuration's own choice; torch's comes with each pass where there are fewer cores
    ".*does not have many workers",
    "This DataLoader will create .* worker processes",
    # no validation data
    "Total length of `list` across ranks is zero",
    # a training that isn't SLURM's, on a machine that has it
    "The `srun` command is available",
    # a frozen backbone
    "Found .* module.* in eval mode",
)
_LOGGED = (
    # solo-learn's, about a resumed run: its schedule continues where it was
    "might generate issues when resuming a checkpoint",
    # about saving whole checkpoints, which is what a run needs to be resumed
    "`weights_only` was not set",
    "Tip: ",
    # of every training that went as it should
    "`Trainer.fit` stopped: `max_epochs=",
    # what find_hardware decides, and what Lightning does to count steps
    "GPU available: ",
    "TPU available: ",
    "Loading `train_dataloader` to estimate",
)


_LOGGERS = (
    None,
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.rank_zero",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
)


class _Unfounded(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(text in record.getMessage() for text in _LOGGED)


_FILTER = _Unfounded()


def quieten() -> None:
    """Drop those messages in this process (idempotent)."""
    for text in _WARNINGS:
        warnings.filterwarnings("ignore", message=text)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


def print_once(text: str) -> None:
    """Print a text in the first process."""
    from lightning.pytorch.utilities import rank_zero_only

    rank_zero_only(print)(text, flush=True)
