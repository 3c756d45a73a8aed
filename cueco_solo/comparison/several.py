"""A training of several processes, apart from the one that then evaluates it.

Whoever has trained with others stays connected to them, and would evaluate with them.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO

from cueco_solo import signals
from cueco_solo.comparison.jobs import Job
from cueco_solo.errors import ConfigError

_ERROR = "cueco-solo: error: "
# by exit code, as cueco-solo has them
_STOPPED = {128 + number: number for number in signals.SIGNALS}


def train_apart(job: Job, wait: bool) -> None:
    """Train a run by ``cueco-solo pretrain``, which starts the other processes or is started with
    them; a signal is passed on, and the run's checkpoint waited for.

    Raises:
        Stopped: a signal has stopped it.
        ConfigError: it failed; what it said last is the message.
    """
    words = [*job.command, "auto_resume.enabled=True", *(["--wait"] if wait else [])]
    words += [f"enable_progress_bar={bool(job.cfg.get('enable_progress_bar', True))}"]
    code, error = _run([sys.executable, "-m", "cueco_solo.cli", *words])
    if code in _STOPPED:
        raise signals.Stopped(_STOPPED[code], told=True)
    if code:
        raise ConfigError(error or f"cueco-solo {' '.join(words)} has ended with code {code}")


def _run(command: Sequence[str]) -> tuple[int, str]:
    """The exit code of a command, and the last of our errors among what it printed."""
    process = subprocess.Popen(
        command,
        env={**os.environ, signals.PARENT: str(os.getpid())},
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )
    signals.before_the_end(process.kill)
    found: list[str] = []
    reader = threading.Thread(target=_copy, args=(process.stderr, found), daemon=True)
    reader.start()
    try:
        process.wait()
    except BaseException as error:
        stopped = isinstance(error, signals.Stopped)
        process.send_signal(signals.received() if stopped else signals.SIGNALS[0])
        process.wait()
        raise
    finally:
        reader.join(timeout=5)
        # Lightning would wait for the other processes of a SLURM job in what comes next
        os.environ.pop("SLURM_NTASKS", None)
    return process.returncode, found[-1] if found else ""


def _copy(source: IO[str] | None, found: list[str]) -> None:
    for line in source or ():
        sys.stderr.write(line)
        sys.stderr.flush()
        if line.startswith(_ERROR):
            found.append(line.removeprefix(_ERROR).strip())
