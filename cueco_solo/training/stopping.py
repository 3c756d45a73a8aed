"""Stops a training after a signal, and saves it every so many minutes, amid an epoch.

The step is finished and a whole checkpoint written, from which a run goes on with the next batch.
All processes stop, or save, at the same step, whichever of them the signal reached.
"""

import time
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import Callback, Trainer

from cueco_solo import signals
from cueco_solo.host.lightning_loops import batches_done, hook_loops, is_accumulating, is_over
from cueco_solo.methods.momentum import resume_momentum
from cueco_solo.signals import Stopped
from cueco_solo.training.log_filters import print_once
from cueco_solo.training.position import KEY, go_on_from, position, random_state


class Agreement:
    """The largest of what the processes say, on all of them alike.

    One process needs none. Several exchange two numbers per step, in place of Lightning's own
    broadcast. On a GPU the answer is read a step later: reading it at once would wait for the
    whole step, so the host couldn't prepare the next one meanwhile.
    """

    def __init__(self) -> None:
        self._former: tuple[torch.Tensor, torch.cuda.Event] | None = None

    def now(self, trainer: Trainer, *own: int) -> list[int]:
        """At this step."""
        if trainer.world_size == 1:
            return list(own)
        return self._sent(trainer, own).tolist()

    def soon(self, trainer: Trainer, *own: int) -> list[int]:
        """At this step, or on a GPU what was said at the step before."""
        if trainer.world_size == 1 or trainer.strategy.root_device.type != "cuda":
            return self.now(trainer, *own)
        there = self._sent(trainer, own).to("cpu", non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        former, self._former = self._former, (there, event)
        if former is None:
            return [0] * len(own)
        former[1].synchronize()
        return former[0].tolist()

    def forget(self) -> None:
        """Drop what was said and not yet read."""
        self._former = None

    @staticmethod
    def _sent(trainer: Trainer, own: tuple[int, ...]) -> torch.Tensor:
        values = torch.tensor(own, device=trainer.strategy.root_device)
        dist.all_reduce(values, op=dist.ReduceOp.MAX)
        return values


class Stopper(Callback):
    """Stops and saves a run, and lets it go on from where it was.

    Args:
        settings: what :func:`.position.settings_of` gives; None if the data can't be read on from
            amid an epoch.
        checkpointer: with ``save_amid(trainer)`` and ``epoch_logged(trainer)``; None if no
            checkpoints are written.
        minutes: from one checkpoint to the next, whatever the epochs.
    """

    def __init__(self, settings: Any, checkpointer: Any, minutes: float | None = None) -> None:
        self.settings, self.checkpointer = settings, checkpointer
        self.seconds = None if minutes is None else 60 * minutes
        self.stopping = 0  # the signal that all processes have agreed on
        self._agreement = Agreement()
        self._saved_at = 0.0
        self._saving = False
        self._generators: Any = None  # before the validation that is under way
        self._position: Any = None
        self._trainer: Any = None
        self._module: Any = None
        self._buffers: dict[str, torch.Tensor] = {}

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Hook into the loops."""
        self._trainer, self._module = trainer, pl_module
        hook_loops(
            trainer,
            amid=lambda: self._position is not None and "amid" in self._position,
            starting=self._start,
            continuing=self._continue,
            step_done=self._step_done,
            epoch_logged=self._epoch_logged,
            epoch_done=self._epoch_done,
        )

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: Any) -> None:
        """Note where the run was; checkpoints of other versions don't say."""
        self._position = checkpoint.get(KEY)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: Any) -> None:
        """Write down where the run is."""
        generators = self._generators or random_state(trainer.strategy.root_device)
        settings = self.settings if self._saving else None
        checkpoint[KEY] = position(trainer, pl_module, settings, generators)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """From now on there is something to save."""
        self._saved_at = time.monotonic()
        started = getattr(trainer.strategy.launcher, "procs", ())
        signals.before_the_end(lambda: [process.kill() for process in started])
        # of which the module's own hook, which comes next, may make new ones
        self._buffers = dict(pl_module.named_buffers()) if trainer.ckpt_path else {}
        signals.defer(True)

    def _keep_buffers(self) -> None:
        present = dict(self._module.named_buffers())
        for name, restored in self._buffers.items():
            if present[name] is not restored and present[name].shape == restored.shape:
                present[name].copy_(restored)
        self._buffers = {}

    def _start(self) -> None:
        self._keep_buffers()
        if self._position is not None:
            go_on_from(self._position, self._trainer, self._module)

    def _continue(self) -> None:
        module, bar = self._module, self._trainer.progress_bar_callback
        self._keep_buffers()
        if hasattr(module, "momentum_updater"):
            resume_momentum(module)
        if bar is not None:
            bar.on_train_epoch_start(self._trainer, module)
        go_on_from(self._position, self._trainer, module)
        self._generators = random_state(self._trainer.strategy.root_device)

    def _step_done(self, validates: bool, last: bool) -> None:
        """Stop or save, if it is time."""
        trainer = self._trainer
        device = trainer.strategy.root_device
        self._generators = random_state(device) if validates else None
        elapsed = time.monotonic() - self._saved_at
        own = self.seconds is not None and elapsed > self.seconds and trainer.is_global_zero
        number, due = self._agreement.soon(trainer, signals.received(), int(own))
        if number and (validates or not last):
            self._stop(number)
        # after the last step the epoch's own checkpoint comes, and a validation would be told twice
        if due and not validates and not last and self.settings and self.checkpointer:
            self._save()

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Give up a validation, which is done anew when the run goes on.

        Not one amid accumulated gradients, which no checkpoint has.
        """
        if trainer.sanity_checking or not self.settings or is_accumulating(trainer):
            return
        (number,) = self._agreement.now(trainer, signals.received())
        if number:
            self._stop(number)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """The random numbers are the present ones again."""
        self._generators = None

    def stops_here(self) -> bool:
        """At an epoch's end, before its checkpoint: whether the run stops with it."""
        (self.stopping,) = self._agreement.now(self._trainer, signals.received())
        return self.stopping > 0

    def _epoch_logged(self) -> None:
        if self.checkpointer is not None:
            self.checkpointer.epoch_logged(self._trainer)

    def _epoch_done(self) -> None:
        if self.checkpointer is None:  # which asks otherwise
            self.stops_here()
        if self.stopping and not is_over(self._trainer):
            self._leave(self.stopping)

    def saved(self) -> None:
        """Count the minutes to the next checkpoint from now on."""
        self._saved_at = time.monotonic()

    def _save(self) -> None:
        self._saving = True
        try:
            self.checkpointer.save_amid(self._trainer)
        finally:
            self._saving = False
        self.saved()
        self._agreement.forget()  # on all processes: the wish that was fulfilled just now

    def _stop(self, number: int) -> None:
        if self.checkpointer is None:
            self._leave(number)
        if self.settings:
            self._save()
            self._leave(number)
        if not self.stopping:
            self.stopping = number
            print_once(
                "data.format=dali can't go on amid an epoch: stopping at the end of this one"
            )

    def _leave(self, number: int) -> None:
        trainer = self._trainer
        stop = Stopped(number, told=True)
        done = batches_done(trainer)
        amid = 0 < done < trainer.num_training_batches and not self.stopping
        where = f"step {trainer.global_step}"
        if amid:
            where += f", batch {done} of {trainer.num_training_batches} in epoch"
            where += f" {trainer.current_epoch}"
        last = None if self.checkpointer is None else self.checkpointer.last_ckpt
        kept = f"checkpoint: {last}" if last else "no checkpoint: checkpoint.enabled=False"
        print_once(f"stopped by {stop.name} after {where}; {kept}")
        environment = trainer._accelerator_connector.cluster_environment
        if isinstance(environment, LightningEnvironment) and trainer.local_rank > 0:
            # the process that started this one would take another code for a crash, and die of it
            stop.code = 0
        raise stop
