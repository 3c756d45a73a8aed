"""Figures of an evaluation: as a table to read and as JSON in the run folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cueco_solo.errors import config_error
from cueco_solo.runs import Run, versions, write_json


def figures_path(run: Run, name: str, untrained: bool = False) -> Path:
    """The file that the figures of an evaluation lie in."""
    return run.folder / f"eval-{name}{'-untrained' if untrained else ''}.json"


def is_done(path: Path, settings: dict[str, Any], key: str) -> bool:
    """Whether a file holds figures under this key and with these very settings."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["key"], content["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return found == (key, json.loads(json.dumps(settings)))


def write_figures(
    run: Run,
    name: str,
    results: dict[str, float],
    settings: dict[str, Any],
    key: str,
    untrained: bool = False,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Print the figures and what they depend on, and write ``eval-<name>.json``.

    Args:
        run: the run evaluated.
        name: of the evaluation.
        results: by name of the figure; percent, unless ``notes`` says otherwise.
        settings: what they depend on.
        key: short digest of checkpoint, data and transform (:func:`.cache.features_key`).
        untrained: the backbone wasn't the run's trained one; the file gets the suffix
            ``-untrained``.
        notes: what a figure is, printed behind it, for those that aren't percent.

    Returns:
        The file.

    Raises:
        ConfigError: the file can't be written; the figures are printed all the same.
    """
    path = figures_path(run, name, untrained)
    content = {
        "checkpoint": None if untrained else run.checkpoint.name,
        "results": results,
        "settings": settings,
        "key": key,
        "versions": versions(),
    }
    width = max(len(figure) for figure in results)
    print(f"{name} evaluation of {'an untrained ' if untrained else ''}{run.cfg.name}, in percent")
    for figure, value in results.items():
        print(f"  {figure:{width}}  {value:6.2f}  {(notes or {}).get(figure, '')}".rstrip())
    for key, value in settings.items():
        print(f"  {key}: {value}")
    try:
        write_json(path, content)
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        remedy = "make the run folder writable"
        raise config_error("figures", str(path), reason, remedy) from error
    print(f"written to {path}")
    return path
