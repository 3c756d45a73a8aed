"""A grid's jobs as processes of this machine, as many at a time as there are places for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cueco_solo import signals
from cueco_solo.comparison.board import Board
from cueco_solo.comparison.execute import Clock, finished
from cueco_solo.comparison.job_folders import Outcome, Task
from cueco_solo.comparison.slots import Slots
from cueco_solo.comparison.states import tail

_POLL = 0.1
# seconds for jobs to end their step and write a checkpoint
_GRACE = 60.0
_LINES = 12


@dataclass
class _Running:
    task: Task
    process: subprocess.Popen[bytes]
    places: tuple[int, ...]
    since: float


def run_apart(tasks: Sequence[Task], slots: Slots, wait: bool = False) -> list[Outcome]:
    """Do all jobs, each in a process of its own with a log of its own.

    One that dies is reported with the end of its log, and the others go on. When this process is
    stopped, it stops them, and they when it is killed.

    Args:
        tasks: the grid's; those with nothing left to do aren't started.
        slots: what they run on.
        wait: where another process trains a run, until it is done.

    Returns:
        What became of each.

    Raises:
        Stopped: by a signal, once all jobs have stopped.
    """
    outcomes = {task.folder: task.done(finished(task.job)) for task in tasks}
    waiting = [task for task in tasks if outcomes[task.folder] is None]
    board = Board(tasks, Clock([task.job for task in waiting], slots.number))
    for task in tasks:
        if task not in waiting:
            board.ends(task, True, "done already")
    running: list[_Running] = []
    signals.before_the_end(lambda: _kill(*(each.process for each in running)))
    try:
        while waiting or running:
            while waiting and (places := slots.take(waiting[0])):
                task = waiting.pop(0)
                running.append(_start(task, slots, places, wait))
                board.begins(task, slots.told(places))
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                slots.give_back(each.places)
                outcomes[each.task.folder] = _ended(each, board)
            board.look()
            time.sleep(_POLL)
    except BaseException:
        _stop(running, board)
        raise
    finally:
        board.close()
    return [found for task in tasks if (found := outcomes[task.folder])]


def _start(task: Task, slots: Slots, places: tuple[int, ...], wait: bool) -> _Running:
    task.forget()
    command = [sys.executable, "-m", "cueco_solo.cli", "compare", "--job", str(task.folder)]
    command += ["--wait"] if wait else []
    with task.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **slots.environment(places), signals.PARENT: str(os.getpid())},
            start_new_session=True,  # a terminal's Ctrl-C comes by us alone
        )
    return _Running(task, process, places, time.monotonic())


def _ended(each: _Running, board: Board) -> Outcome:
    """What became of a job whose process has ended, told."""
    task, code = each.task, each.process.returncode
    if code < 0:
        _kill(each.process)  # what it has started and left behind
    outcome = task.outcome()
    if outcome is None or (code != 0 and not outcome.errors):
        job, how = task.job, _how(code)
        outcome = outcome or Outcome(job.method, job.dataset, job.seed, finished(job))
        outcome.errors.append(f"{job}: {how} (see {task.log})")
        with suppress(OSError):
            task.write_outcome(outcome)
        end = [f"  {line}" for line in tail(task.log).splitlines()[-_LINES:]]
        board.say("\n".join([f"{job}: {how}; the end of {task.log}:", *end]), error=True)
    else:
        for line in outcome.errors:
            board.say(line, error=True)
    seconds = time.monotonic() - each.since
    board.clock.done(task.job, seconds)
    told = f"failed, see {task.log}" if outcome.errors else f"done{board.clock.told()}"
    board.ends(task, not outcome.errors, told)
    return outcome


def _how(code: int) -> str:
    if code >= 0:
        return f"its process has ended with code {code}"
    try:
        name: Any = signal.Signals(-code).name
    except ValueError:
        name = -code
    hint = "; the system does so when memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"


def _stop(running: Sequence[_Running], board: Board) -> None:
    """Stop all jobs after their step, and wait for their checkpoints."""
    if not running:
        return
    for each in running:
        each.process.send_signal(signal.SIGTERM)
    number = len(running)
    told = f"stopping {number} job{'s' * (number > 1)} after the step at hand"
    board.say(f"{told}; a second signal kills them", error=True)
    end = time.monotonic() + _GRACE
    while any(each.process.poll() is None for each in running):
        if time.monotonic() > end:
            _kill(*(each.process for each in running))
        time.sleep(_POLL)


def _kill(*processes: subprocess.Popen[bytes]) -> None:
    """Jobs, with all that they have started in their sessions."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
