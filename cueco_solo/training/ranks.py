"""When one process of a training dies, the others go too, and one line says which and why.

The process that fails leaves a note in the run folder; the others, whose collective calls then
fail, find it and go in silence. Of one that is killed the process that started it knows, or else
those that it started. A thread looks after both, since a collective call on GPUs may wait forever.
"""

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import Callback

from cueco_solo import signals
from cueco_solo.data.fingerprint import listed
from cueco_solo.errors import ConfigError, HostError, config_error, one_line
from cueco_solo.host.lightning_loops import observed_by
from cueco_solo.training import history
from cueco_solo.training.checkpoints import latest_checkpoint
from cueco_solo.training.position import of_all_processes
from cueco_solo.training.run_folder import FAILED

_EVERY = 0.5  # seconds from one look to the next
_GRACE = 5.0  # seconds for a process to end by itself
_KILLED = "; the system does so when memory runs out" if os.name == "posix" else ""


class RankError(ConfigError):
    """A training of several processes that ended because one of them failed or is lost.

    Attributes:
        told: whether a line has said so.
        exit_code: that of the process that failed first.
    """

    def __init__(self, message: str, exit_code: int = 1, told: bool = False) -> None:
        super().__init__(message)
        self.exit_code, self.told = exit_code, told


@contextmanager
def together(run: Path, trainer: Any, processes: int) -> Iterator[None]:
    """End this process when another one of the training inside does.

    Args:
        run: the folder of the run.
        trainer: Lightning's, whose ``fit`` is called inside.
        processes: of the training, on all machines; nothing is done for one alone.

    Raises:
        RankError: another process failed or was killed, or this one by what isn't an error of the
            user's; the latter raises those as they are.
    """
    if processes == 1:
        yield
        return
    ranks = _Ranks(run, trainer, processes)
    try:
        with observed_by(ranks.started):
            ranks.start()
            yield
    except signals.Stopped:
        raise
    except Exception as error:
        raised = ranks.failure(error)
        if raised is error:
            raise
        raise raised from error
    finally:
        ranks.finish()


class SameImages(Callback):
    """Refuses a training whose processes would read different images.

    Those that SLURM or torchrun starts list, and with ``data.skip_unreadable`` read, them by
    themselves; what one alone can't read would shift the indexes of all that follow.

    Args:
        dataset: of the training images.
        data: ``cfg.data``, for the message.

    Raises (once the processes are connected):
        ConfigError: the lists differ.
    """

    def __init__(self, dataset: Any, data: Any) -> None:
        self.dataset, self.data = dataset, data

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Compare the lists."""
        if trainer.world_size == 1:
            return
        found = of_all_processes(listed(self.dataset))
        rank = next((rank for rank, own in enumerate(found) if own != found[0]), None)
        if rank is None:
            return
        key = "skip_unreadable" if self.data.get("skip_unreadable") else "train_path"
        (first, one), (number, other) = found[0], found[rank]
        reason = f"gives rank {rank} of {len(found)} other images than rank 0: {number}, digest "
        reason += f"{other}, instead of {first}, digest {one}"
        remedy = "give all processes the same readable files in data.train_path"
        if key == "skip_unreadable":
            remedy += ", or remove those that can't be read"
        raise config_error(f"data.{key}", self.data[key], reason, remedy)


class _Ranks:
    def __init__(self, run: Path, trainer: Any, processes: int) -> None:
        self.run, self.note, self.trainer, self.number = run, run / FAILED, trainer, processes
        environment = trainer._accelerator_connector.cluster_environment
        launched = isinstance(environment, LightningEnvironment)
        self.parent = os.getppid() if launched and trainer.local_rank > 0 else None
        self.procs: list[Any] = []
        self.handled = threading.Event()  # the main thread is doing what there is to do
        self.failed = False
        self.verdict: RankError | None = None  # said by this process or read, once for all
        self._deciding = threading.Lock()

    def start(self) -> None:
        if self.trainer.global_rank == 0:
            self.note.unlink(missing_ok=True)
        threading.Thread(target=self._watch, name="ranks", daemon=True).start()

    def started(self, procs: list[Any]) -> None:
        """Take note of the processes that this one has started."""
        self.procs = procs

    def finish(self) -> None:
        """Stop looking; after a failure no process that this one started is left."""
        self.handled.set()
        end = time.monotonic() + _GRACE
        while any(proc.poll() is None for proc in self.procs) and time.monotonic() < end:
            time.sleep(0.05)
        if self.failed:
            self._clear()

    def _clear(self) -> None:
        for proc in self.procs:
            proc.kill()
        if self.procs:  # elsewhere others may still have to read it
            self.note.unlink(missing_ok=True)

    def failure(self, error: Exception) -> Exception:
        """What this process is to raise, given what it has come to."""
        self.failed = True
        self.handled.set()
        if not _of_another(error):
            if isinstance(error, ConfigError | HostError):
                found = self._say(one_line(error), getattr(error, "exit_code", 2))
                return found if found.told else error
            found = self._say(self._line("failed", error))
            if not found.told:
                traceback.print_exception(error)
            return found
        # a process that knows more is to say it
        end = time.monotonic() + _GRACE
        while self.verdict is None and time.monotonic() < end:
            if not self.run.is_dir() or self.note.exists():
                break
            if lost := self._lost():
                return self._say(lost)
            time.sleep(0.1)
        return self._say(self._line("lost the others", error), mine=False)

    def _line(self, what: str, error: Exception) -> str:
        reason = f"{type(error).__name__}: {one_line(error)}"
        return f"rank {self.trainer.global_rank} of {self.number} {what} {self._where()}: {reason}"

    def _where(self) -> str:
        return f"after step {self.trainer.global_step} (epoch {self.trainer.current_epoch})"

    def _lost(self) -> str | None:
        """Which process is gone of those that this one knows of."""
        if self.parent is not None and os.getppid() != self.parent:
            what = f"rank 0 of {self.number} (process {self.parent}) is lost"
            return f"{what}, killed perhaps, {self._where()}"
        ended = [(place, proc) for place, proc in enumerate(self.procs, 1) if proc.poll()]
        if not ended:
            return None
        place, proc = min(ended, key=lambda each: each[1].returncode)  # a signal before a code
        code = proc.returncode
        with suppress(ValueError):
            code = signal.Signals(-code).name if code < 0 else code
        how = f"was killed by {code}" if proc.returncode < 0 else f"ended with code {code}"
        rank = self.trainer.global_rank + place
        hint = _KILLED if code == "SIGKILL" else ""
        return f"rank {rank} of {self.number} (process {proc.pid}) {how} {self._where()}{hint}"

    def _say(self, message: str, exit_code: int = 1, mine: bool = True) -> RankError:
        """The error to raise; it counts as told if another process has left a note already.

        Args:
            mine: whether this process is to tell what can't be noted.
        """
        with self._deciding:
            if self.verdict is None:
                self.verdict = self._noted(message, exit_code, mine)
            return self.verdict

    def _noted(self, message: str, exit_code: int, mine: bool) -> RankError:
        if exit_code == 1:
            last = latest_checkpoint(self.run)
            kept = f"the last checkpoint is {last}" if last else "no checkpoint was written yet"
            message = f"{message}; {kept}"
        try:
            with self.note.open("x", encoding="utf-8") as file:
                file.write(json.dumps({"message": message, "exit_code": exit_code}))
            return RankError(message, exit_code)
        except FileExistsError:
            return self._told()
        except FileNotFoundError:
            # the first process failed and has removed its folder, or is to say that it has gone
            return RankError(message, exit_code, told=self.trainer.global_rank != 0)
        except OSError:
            return RankError(message, exit_code, told=not mine)

    def _told(self) -> RankError:
        for _ in range(20):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads(self.note.read_text(encoding="utf-8"))
                return RankError(str(found["message"]), int(found["exit_code"]), told=True)
            time.sleep(0.05)  # it is just being written
        return RankError("another process failed", told=True)

    def _watch(self) -> None:
        while not self.handled.wait(_EVERY):
            lost = self._lost()
            if not lost and not self.note.exists():
                continue
            # at once: of the others only some may know that one is lost
            verdict = self._say(lost or "another process failed")
            # on a CPU the main thread mostly finds out by itself
            if not self.handled.wait(_GRACE):
                self._end(verdict)
            return

    def _end(self, error: RankError) -> None:
        """End this process, whatever its main thread waits for."""
        if not error.told:
            os.write(2, f"cueco-solo: error: {error}\n".encode())
        with suppress(Exception):
            history.finished(self.run, "stopped", self.trainer, by=str(error))
        self._clear()
        os._exit(error.exit_code)


def _of_another(error: BaseException | None) -> bool:
    """Whether an error says that another process is gone."""
    import torch.distributed as dist

    while error is not None:
        kinds: tuple[Any, ...] = (getattr(dist, "DistError", ()), ConnectionError)
        text = str(error)
        if isinstance(error, kinds) or "/gloo/" in text or "Connection closed by peer" in text:
            return True
        error = error.__cause__
    return False
