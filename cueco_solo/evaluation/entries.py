"""The files that a run's figures are kept in: one for each evaluation, data set and setting.

``eval-<evaluation>-<8 hex digits>.json``, of an untrained backbone ``...-untrained.json``. The
digits stand for data and settings, so that another seed, data set or setting is another entry, and
the same evaluation replaces its own figures only. 0.1.0 wrote ``eval-<evaluation>.json``; such
files are still read.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cueco_solo.files import read_json

_NAME = re.compile(r"eval-(?P<evaluation>.+?)(-[0-9a-f]{8})?(?P<untrained>-untrained)?\.json")


def entry_path(
    folder: Path, evaluation: str, settings: Mapping[str, Any], untrained: bool = False
) -> Path:
    """Where the figures of an evaluation with these settings are kept.

    Args:
        folder: of the run.
        evaluation: its name: ``knn``, ``linear-cached``, ...
        settings: all that tells its figures apart, the data set included; JSON.
        untrained: of the untrained backbone.
    """
    text = json.dumps(settings, sort_keys=True)
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    return folder / f"eval-{evaluation}-{digits}{_suffix(untrained)}.json"


def former_path(
    folder: Path, evaluation: str, settings: Mapping[str, Any], untrained: bool = False
) -> Path | None:
    """The file of 0.1.0 with these very settings, if there is one."""
    path = folder / f"eval-{evaluation}{_suffix(untrained)}.json"
    try:
        stated = read_json(path)["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return path if stated == json.loads(json.dumps(settings)) else None


def evaluation_of(path: Path) -> str:
    """The evaluation's name: ``knn`` of ``eval-knn-0123abcd-untrained.json``."""
    found = _NAME.fullmatch(path.name)
    return found["evaluation"] if found else path.stem


def is_untrained(path: Path) -> bool:
    """Whether the figures are of an untrained backbone."""
    return path.stem.endswith(_suffix(True))


def _suffix(untrained: bool) -> str:
    return "-untrained" if untrained else ""
