"""Signals that stop a command: SIGINT, SIGTERM and SIGUSR1.

Within :func:`listening`, the first one raises :class:`Stopped` in the main thread, or, while a
training has called :func:`defer`, is only noted, to be asked for with :func:`received`. A second
one ends the process at once, even while the main thread waits for a GPU or another process.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# the number of the process that a process belongs to: it ends with that one, and is requeued by it
PARENT = "CUECO_SOLO_PARENT"
# seconds within which another one counts as the same: timeout(1) and SLURM may send it twice
_SAME = 0.5

_first: int = 0
_deferred = False
_heard = False  # whether handlers are installed
_last_acts: list[Callable[[], Any]] = []


class Stopped(SystemExit):
    """A signal has stopped the command.

    Attributes:
        name: of the signal.
        told: whether a line has said so.
        code: 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int, told: bool = False) -> None:
        super().__init__(128 + number)
        self.name, self.told = signal.Signals(number).name, told


def received() -> int:
    """The number of the first signal, 0 if there was none."""
    return _first


def defer(yes: bool) -> None:
    """Whether from now on a first signal is only noted."""
    global _deferred
    _deferred = yes


def raise_received() -> None:
    """Act on a signal that came while others were deferred.

    Raises:
        Stopped: there was one.
    """
    if _first:
        raise Stopped(_first)


def before_the_end(act: Callable[[], Any]) -> None:
    """Have this called when a second signal ends the process, from another thread."""
    _last_acts.append(act)


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Handle the signals inside; nothing where that is done already, or in another thread."""
    global _first, _deferred, _heard
    if _heard or threading.current_thread() is not threading.main_thread():
        yield
        return
    _first, _deferred, _heard = 0, False, True
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(end is ours)
    former = {number: signal.signal(number, _note) for number in SIGNALS}
    # what the C handler writes to is read while the main thread waits for something else
    wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ours,), name="signals", daemon=True).start()
    if _belongs_to_parent():
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        theirs.close()  # ends the thread
        _last_acts.clear()
        _first, _deferred, _heard = 0, False, False


def _note(number: int, frame: Any) -> None:
    global _first
    if _first:
        return
    _first = number
    if not _deferred:
        raise Stopped(number)
    name = signal.Signals(number).name
    # not print, which may have been interrupted just now
    os.write(2, f"{name}: stopping after this step; a second signal stops at once\n".encode())


def _watch(ours: socket.socket) -> None:
    first = None
    with ours:
        while numbers := ours.recv(64):
            now = time.monotonic()
            for number in numbers:
                if number not in SIGNALS:
                    continue
                first = now if first is None else first
                if now - first > _SAME:
                    _end(number)


def _end(number: int) -> None:
    name = signal.Signals(number).name
    os.write(2, f"stopped at once by {name}, the second signal\n".encode())
    for act in _last_acts:
        with contextlib.suppress(Exception):
            act()
    os._exit(128 + number)


def _belongs_to_parent() -> bool:
    """Those that such a process starts inherit the variable, too, but have another parent."""
    return os.environ.get(PARENT) == str(os.getppid())


def _end_with_parent(parent: int) -> None:
    """Stop as by SIGTERM once the parent is gone, killed perhaps."""
    while os.getppid() == parent:
        time.sleep(_SAME)
    if _heard:
        os.kill(os.getpid(), signal.SIGTERM)


def leave_to_parent(*_: Any) -> None:
    """In a loading process: outlive the signals that a whole process group gets.

    The parent needs its batches to finish the step, and ends the process when it is done.
    """
    signal.set_wakeup_fd(-1)  # inherited: the parent would take our signals for its own
    for number in {*SIGNALS} - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey, args=(os.getppid(),), daemon=True).start()


def _obey(parent: int) -> None:
    """End this process by a SIGTERM of its parent's."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def slurm_job() -> str | None:
    """The SLURM job that this process belongs to, unless it is an interactive one."""
    if os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    return os.environ.get("SLURM_JOB_ID")


def requeued() -> bool:
    """Whether SLURM has started this job before."""
    count = os.environ.get("SLURM_RESTART_COUNT", "0")
    return slurm_job() is not None and count.isdigit() and int(count) > 0


def requeue(name: str) -> str | None:
    """Have SLURM run this job again, after a signal that asks for it.

    SIGUSR1 always does. SIGTERM comes before a preemption and a time limit, too, but also from
    scancel, after which a job isn't to run again.

    Args:
        name: of the signal.

    Returns:
        What to tell about it; None outside of SLURM, after another signal, and in all but the
        first process.
    """
    job = slurm_job()
    first = all(os.environ.get(key, "0") == "0" for key in ("SLURM_PROCID", "LOCAL_RANK"))
    if job is None or not first or _belongs_to_parent():
        return None
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array:
        job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID')}"
    if name != "SIGUSR1" and not (name == "SIGTERM" and _to_go_on(job)):
        return None
    failure = _scontrol("requeue", job)[1]
    return f"SLURM job {job} can't be requeued ({failure})" if failure else f"requeued job {job}"


def _to_go_on(job: str) -> bool:
    """Whether SLURM ends a job for another one, or since its time is over."""
    shown = dict(word.partition("=")[::2] for word in _scontrol("show", "job", job)[0].split())
    preempted = shown.get("PreemptTime", "None") not in ("None", "Unknown", "N/A")
    state = shown.get("JobState", "")
    return state in ("PREEMPTED", "TIMEOUT") or (preempted and state == "RUNNING")


def _scontrol(*words: str) -> tuple[str, str]:
    """What scontrol prints, and why it failed; the latter is empty if it didn't."""
    import subprocess

    try:
        done = subprocess.run(["scontrol", *words], capture_output=True, text=True)
    except OSError as error:
        return "", str(error)
    reason = " ".join(done.stderr.split()) or f"code {done.returncode}"
    return done.stdout, reason if done.returncode else ""
