"""Files that are whole or not there: written beside their place, then put into it."""

import contextlib
import json
import os
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HOST = socket.gethostname()
# by this process, now: in a container every process may have the number of the one before it
_writing: set[Path] = set()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write a file under that becomes ``path`` at the end, flushed to the disk.

    It lies in the same folder, so that no other file system is filled and the renaming is atomic.
    After an error ``path`` is what it was, and nothing else is left.

    Raises:
        OSError: the folder can't be written, or is full.
    """
    part = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.part")
    _writing.add(part)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
        _writing.discard(part)


def write_text(path: Path, text: str) -> None:
    """UTF-8, whole or not at all; what that can't hold, as names of foreign files, is escaped.

    See :func:`whole_file`.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Any) -> None:
    """JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it can't be read.
        ValueError: it isn't JSON, or nests deeper than Python can read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def is_whole_archive(path: Path) -> bool:
    """Whether a file is a zip archive, as checkpoints are, and all in it has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a flipped bit can make anything of its headers
        return False


def remove_leftovers(folder: Path) -> None:
    """Remove what writers on this machine that were killed have left in a folder."""
    for part in folder.glob(f".*.{_HOST}.*.part"):
        number = part.name.split(".")[-2]
        if number.isdigit() and part not in _writing and not _alive(int(number)):
            part.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if process == os.getpid():  # whose present files are in _writing
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Some file systems can't, and need not."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
