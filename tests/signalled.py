"""``cueco-solo`` whose training gets a signal: ``signalled.py SIGNAL STEP RANK WORDS...``.

The process of that rank sends it to itself at the end of that step. SIGNAL may be ``two``: two
SIGTERM, with which the step then goes on for a minute; ``raise``: an exception; or ``remove``: the
run folder goes.
"""

import os
import shutil
import signal
import sys
import threading
import time

from cueco_solo.cli import main


def signal_at(step: int, act, rank: int = 0):
    """Let a training call ``act`` at the end of a step; returns what undoes it."""
    from cueco_solo.training.stopping import Stopper

    stock = Stopper._step_done

    def done(self, validates: bool, last: bool) -> None:
        trainer = self._trainer
        if trainer.global_step == step and trainer.global_rank == rank:
            act()
        stock(self, validates, last)

    Stopper._step_done = done  # type: ignore[method-assign]
    return lambda: setattr(Stopper, "_step_done", stock)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def send_two() -> None:
    send(signal.SIGTERM)
    threading.Timer(1, send, [signal.SIGTERM]).start()
    threading.Event().wait(60)  # in C, as for a GPU


def fail() -> None:
    raise RuntimeError("no such thing")


def remove() -> None:
    shutil.rmtree(os.environ["CUECO_SOLO_RUN"])


if __name__ == "__main__":
    name, step, rank, *words = sys.argv[1:]
    act = {"two": send_two, "raise": fail, "remove": remove}.get(name) or (
        lambda: send(signal.Signals[name])
    )

    def dated() -> None:
        print(f"acts at {time.time()}", file=sys.stderr, flush=True)
        act()

    signal_at(int(step), dated, int(rank))
    sys.exit(main(words))
