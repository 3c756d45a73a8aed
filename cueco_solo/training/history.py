"""What happened to a run: ``history.json`` in its folder, a list of events, the oldest first."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cueco_solo.errors import one_line
from cueco_solo.files import read_json, write_json
from cueco_solo.signals import Stopped

_FILE = "history.json"


def read_history(run: Path) -> list[dict[str, Any]]:
    """The events; none if the file is missing or damaged."""
    try:
        content = read_json(run / _FILE)
    except (OSError, ValueError):
        return []
    events = content if isinstance(content, list) else []
    return [event for event in events if isinstance(event, dict) and "event" in event]


def record(run: Path, event: str, **facts: Any) -> None:
    """Add an event, of the first process: ``started``, ``resumed``, ``stopped`` or ``ended``."""
    from lightning.pytorch.utilities import rank_zero_only

    rank_zero_only(_add)(run, {"event": event, "time": _now(), **facts})


def _add(run: Path, event: dict[str, Any]) -> None:
    write_json(run / _FILE, [*read_history(run), event])


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def machine(hardware: Any) -> dict[str, Any]:
    """What a run goes on on."""
    return {
        "host": socket.gethostname(),
        "accelerator": hardware.accelerator,
        "processes": hardware.world_size,
    }


@contextmanager
def recorded(run: Path, trainer: Any) -> Iterator[None]:
    """Record how the training inside ended: ``ended``, or ``stopped`` and by what."""
    try:
        yield
    except BaseException as error:
        by = error.name if isinstance(error, Stopped) else type(error).__name__
        by = one_line(error) if isinstance(error, Exception) else by
        finished(run, "stopped", trainer, by=by)
        raise
    if trainer.current_epoch >= (trainer.max_epochs or 0):
        finished(run, "ended", trainer)
    else:
        finished(run, "stopped", trainer, by="a limit of time or steps")


def finished(run: Path, event: str, trainer: Any, **facts: Any) -> None:
    """Add the last event of a training, where that can be written."""
    # a full disk must not hide how the run ended
    with suppress(OSError):
        if run.is_dir():
            record(run, event, epoch=trainer.current_epoch, step=trainer.global_step, **facts)


def told(run: Path) -> list[str]:
    """The history in sentences, for the report."""
    events, lines = read_history(run), []
    for number, event in enumerate(events):
        after = events[number + 1]["event"] if number + 1 < len(events) else "nothing"
        lines.append(_sentence(event))
        if event["event"] in ("started", "resumed") and after not in ("stopped", "ended"):
            open_end = "still running, or killed" if after == "nothing" else "killed"
            lines.append(f"No end is recorded: {open_end}.")
    return lines


def _sentence(event: dict[str, Any]) -> str:
    where = f"epoch {event.get('epoch', 0)}, step {event.get('step', 0)}"
    text = f"{event.get('time', 'At an unknown time')}: {event['event']} at {where}"
    on = event.get("on")
    if isinstance(on, dict):
        text += f" on {on.get('host')}, {on.get('processes')} x {on.get('accelerator')}"
    if event.get("from"):
        text += f", from {event['from']}"
    changed = event.get("changed")
    if isinstance(changed, dict) and changed:
        text += ", with other settings: " + ", ".join(
            f"{key}: {' -> '.join(map(str, pair)) if isinstance(pair, list) else pair}"
            for key, pair in changed.items()
        )
    data = event.get("data")
    if isinstance(data, dict) and data.get("images"):
        text += f"; {data['images']} training images, digest {data.get('digest')}"
    if event.get("by"):
        text += f", by: {event['by']}"
    return f"{text}."
