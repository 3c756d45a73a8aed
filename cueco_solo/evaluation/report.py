"""Figures of an evaluation: as a table to read and as JSON in the run folder."""

from pathlib import Path
from typing import Any

from cueco_solo.runs import Run, versions, write_json


def report(
    run: Run,
    name: str,
    results: dict[str, float],
    settings: dict[str, Any],
    untrained: bool = False,
) -> Path:
    """Print the figures and what they depend on, and write ``eval-<name>.json``.

    Args:
        run: the run evaluated.
        name: of the evaluation.
        results: percent by name of the figure.
        settings: what they depend on.
        untrained: the backbone wasn't the run's trained one; the file gets the suffix
            ``-untrained``.

    Returns:
        The file.
    """
    path = run.folder / f"eval-{name}{'-untrained' if untrained else ''}.json"
    content = {
        "checkpoint": None if untrained else run.checkpoint.name,
        "results": results,
        "settings": settings,
        "versions": versions(),
    }
    write_json(path, content)
    width = max(len(figure) for figure in results)
    print(f"{name} evaluation of {'an untrained ' if untrained else ''}{run.cfg.name}, in percent")
    for figure, value in results.items():
        print(f"  {figure:{width}}  {value:6.2f}")
    for key, value in settings.items():
        print(f"  {key}: {value}")
    print(f"written to {path}")
    return path
