"""What an interrupted sweep has tried, kept in the run folder until its figures are written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cueco_solo.evaluation.feature_cache import short_digest
from cueco_solo.files import read_json, write_json


class TriedBefore:
    """Figures by setting, in a file that is whole after each of them.

    Args:
        folder: of the run.
        key: all that decides the figures but the setting; JSON.
    """

    def __init__(self, folder: Path, key: Any) -> None:
        digest = short_digest(json.dumps(key, sort_keys=True, default=str))
        self.path = folder / "sweeps" / f"{digest}.json"
        self._found: dict[tuple[float, ...], dict[str, Any]] = {}
        try:
            for setting, found in read_json(self.path):
                self._found[tuple(setting)] = dict(found)
        except (OSError, ValueError, TypeError):  # missing or damaged
            self._found = {}

    def get(self, setting: tuple[float, ...]) -> dict[str, Any] | None:
        """The figures with this setting."""
        return self._found.get(setting)

    def add(self, setting: tuple[float, ...], found: Mapping[str, Any]) -> None:
        """Keep figures; where the folder can't be written, for this sweep only."""
        self._found[setting] = dict(found)
        try:
            self.path.parent.mkdir(exist_ok=True)
            write_json(self.path, [[list(key), value] for key, value in self._found.items()])
        except OSError as error:
            print(f"not kept for an interruption: {self.path} can't be written ({error.strerror})")

    def remove(self) -> None:
        """The figures are written elsewhere."""
        try:
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()
        except OSError:  # another sweep's file is there
            pass
