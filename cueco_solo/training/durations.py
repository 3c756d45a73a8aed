"""How long a run has been in training, by its history, and how durations are written."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cueco_solo.training.history import read_history


def duration(seconds: float) -> str:
    """``12 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def seconds_per_epoch(run: Path) -> float | None:
    """Of the parts of a run whose begin and end are recorded; None if less than an epoch is."""
    seconds, epochs, begin = 0.0, 0, None
    for event in read_history(run):
        if event["event"] in ("started", "resumed"):
            begin = event
        elif begin is not None:
            with suppress(KeyError, TypeError, ValueError):
                times = [datetime.fromisoformat(each["time"]) for each in (begin, event)]
                seconds += (times[1] - times[0]).total_seconds()
                epochs += int(event["epoch"]) - int(begin["epoch"])
            begin = None
    return seconds / epochs if epochs > 0 else None
