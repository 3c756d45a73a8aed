"""One process at a time for a folder: who trains or compares there holds its lock."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error
from cueco_solo.files import read_json, write_json

LOCK, OWNER = ".lock", ".owner.json"


@contextmanager
def locked(folder: Path, key: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock of an existing folder.

    It is the operating system's, which frees it when its process ends, however that ends. So a lock
    file that is left over blocks nobody.

    Args:
        folder: what is written to.
        key: what the user calls it, for the message.
        wait: until whoever holds the lock is done; says so once.

    Raises:
        ConfigError: another process holds the lock, and ``wait`` isn't set.
        OSError: the folder isn't this user's to lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:  # a moment longer than who only looks (is_locked) holds it
        lock.acquire(timeout=0.3, poll_interval=0.02)
    except Timeout:
        if not wait:
            remedy = "stop it, or add --wait to go on when it is done"
            raise config_error(key, str(folder), f"is in use by {_owner(folder)}", remedy) from None
        print(f"{folder} is in use by {_owner(folder)}; waiting", flush=True)
        lock.acquire(poll_interval=1.0)
    try:
        me = {"host": socket.gethostname(), "process": os.getpid(), "since": time.time()}
        with suppress(OSError):  # a full disk is for those to tell who need it
            write_json(folder / OWNER, me)
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether another process holds the folder's lock now."""
    from filelock import FileLock, Timeout

    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # another user's: it can't be told
        return True
    lock.release()
    return False


def owner(folder: Path) -> dict[str, Any]:
    """Who holds the lock or was killed holding it: host, process, since; empty if unknown."""
    try:
        found = read_json(folder / OWNER)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _owner(folder: Path) -> str:
    """Who holds the lock, and for how long, as far as that is written."""
    try:
        found = owner(folder)
        minutes = (time.time() - found["since"]) / 60
        return f"process {found['process']} on {found['host']} for {minutes:.0f} min"
    except (KeyError, TypeError):
        return "another process"
