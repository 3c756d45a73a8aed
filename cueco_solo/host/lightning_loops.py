"""Where Lightning's fit can be stopped and go on amid an epoch: what its public hooks don't give.

A callback's ``on_train_batch_end`` comes before the module's, which may still move the momentum
encoder, and before the step is logged and counted. All this acts on one Trainer alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer.connectors.logger_connector.result import (
    _Metadata,
    _ResultMetric,
    _Sync,
)


def leave_signals(trainer: Any) -> None:
    """Let Lightning neither handle signals nor ask the first process for them in every step."""
    trainer._signal_connector.register_signal_handlers = lambda: None
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None


@contextmanager
def observed_by(observer: Callable[[list[Any]], None]) -> Iterator[None]:
    """Have a function get the processes that a fit inside starts.

    In place of Lightning's own observer, which kills this process without a word if one ends.
    """
    stock = subprocess_script._launch_process_observer
    subprocess_script._launch_process_observer = observer  # type: ignore[assignment]
    try:
        yield
    finally:
        subprocess_script._launch_process_observer = stock


def hook_loops(
    trainer: Any,
    *,
    amid: Callable[[], bool],
    starting: Callable[[], None],
    continuing: Callable[[], None],
    step_done: Callable[[bool, bool], None],
    epoch_logged: Callable[[], None],
    epoch_done: Callable[[], None],
) -> None:
    """Have functions called in a fit.

    Args:
        amid: whether the fit goes on from a checkpoint that ``step_done`` saved.
        starting: before the hooks of the first epoch, if it is a whole one.
        continuing: in such a fit, before its first step.
        step_done: after a step, all of it: optimizer, the module's hooks, the log. Not amid
            accumulated gradients. Its arguments: whether a validation follows, and whether the
            step was the last one of the epoch or of the run.
        epoch_logged: at the end of an epoch, once its means are logged and before it is counted:
            a checkpoint is then one of that epoch.
        epoch_done: after an epoch, all of it.
    """
    fit, loop = trainer.fit_loop, trainer.fit_loop.epoch_loop
    stock_epoch_start, stock_epoch_end = fit.on_advance_start, fit.on_advance_end
    stock_run_start, stock_step_end = loop.on_run_start, loop.on_advance_end

    def on_epoch_start() -> None:
        fit.on_advance_start = stock_epoch_start  # the first one alone
        if not amid():
            starting()
        stock_epoch_start()

    def on_epoch_end() -> None:
        steps = loop._batches_that_stepped

        def on_log() -> None:
            stock_log()
            lowered, loop._batches_that_stepped = loop._batches_that_stepped, steps
            epoch_logged()
            loop._batches_that_stepped = lowered  # while Lightning logs

        connector = trainer._logger_connector
        stock_log = connector.update_train_epoch_metrics
        connector.update_train_epoch_metrics = on_log
        try:
            stock_epoch_end()
        finally:
            connector.update_train_epoch_metrics = stock_log
        epoch_done()

    def on_run_start(fetcher: Any) -> None:
        loop.on_run_start = stock_run_start
        stock_run_start(fetcher)
        if not amid():
            return
        # Lightning has put its counters back by now. What it would still do for a restart counts
        # a step twice where a validation was due.
        loop.restarting = False
        if hasattr(loop, "on_iteration_done"):  # from Lightning 2.5 on
            loop.on_iteration_done()
        # the tensors that are logged from now on aren't the first of the epoch
        trainer._logger_connector._first_loop_iter = False
        continuing()
        stock_step_end(fetcher)  # what followed upon the step: its validation, its count

    def on_step_end(fetcher: Any) -> None:
        if not is_accumulating(trainer):
            # Lightning counts on one where the loaders are none, too
            there = trainer.val_dataloaders is None or any(trainer.num_val_batches)
            validates = there and loop._should_check_val_fx(fetcher)
            step_done(validates, loop._is_training_done)
        stock_step_end(fetcher)

    fit.on_advance_start, fit.on_advance_end = on_epoch_start, on_epoch_end
    loop.on_run_start, loop.on_advance_end = on_run_start, on_step_end


def is_accumulating(trainer: Any) -> bool:
    """Whether the batch at hand left gradients that the optimizer hasn't had."""
    return trainer.fit_loop.epoch_loop._should_accumulate()


def is_over(trainer: Any) -> bool:
    """Whether all epochs or steps are done."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    done = trainer.fit_loop.epoch_progress.current.processed
    return 0 <= (epochs if epochs is not None else -1) <= done or 0 <= steps <= trainer.global_step


def batches_done(trainer: Any) -> int:
    """Batches of the present epoch that this process has had."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready


_META = (
    *("fx", "name", "prog_bar", "logger", "on_step", "on_epoch", "enable_graph"),
    *("add_dataloader_idx", "dataloader_idx", "metric_attribute"),
)


def logged_so_far(trainer: Any) -> dict[str, Any]:
    """What was logged in this epoch by this process, as plain values and tensors."""
    saved = {}
    for key, item in trainer.fit_loop.epoch_loop._results.items():
        if item.has_reset or not item.is_tensor:
            continue
        meta = item.meta
        saved[key] = {
            "meta": {name: getattr(meta, name) for name in _META},
            "reduce": meta.reduce_fx.__name__,
            "sync": [meta.sync.should, meta.sync.rank_zero_only],
            "sum": item.value.detach().cpu(),
            "count": item.cumulated_batch_size.cpu() if meta.is_mean_reduction else None,
            "last": None if item._forward_cache is None else item._forward_cache.detach().cpu(),
        }
    return saved


def log_on(trainer: Any, saved: dict[str, Any]) -> None:
    """Go on with what :func:`logged_so_far` gave: the epoch's means are then of all its steps."""
    device = trainer.strategy.root_device
    for key, entry in saved.items():
        meta = _Metadata(reduce_fx=entry["reduce"], **entry["meta"])
        should, first_alone = entry["sync"]
        reduce = trainer.strategy.reduce
        meta.sync = _Sync(_should=should, fn=reduce, rank_zero_only=first_alone)
        with trainer.precision_plugin.tensor_init_context():  # as a training step makes it
            item = _ResultMetric(meta, is_tensor=True)
        item.value = entry["sum"]
        if meta.is_mean_reduction:
            item.cumulated_batch_size = entry["count"]
        item._forward_cache, item._update_count = entry["last"], 1
        trainer.fit_loop.epoch_loop._results[key] = item.to(device)
