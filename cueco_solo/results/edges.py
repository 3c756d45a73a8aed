"""What a reader must know of figures that were chosen from a grid of settings."""

from collections.abc import Collection

from cueco_solo.files import read_json
from cueco_solo.training.run_folder import Run


def edge_notes(run: Run, only: Collection[str] | None = None) -> list[str]:
    """A sentence for each figure of the run whose setting lies at the edge of its grid.

    Args:
        run: the run.
        only: names of the ``eval-*.json`` to read; default: all. Those that can't be read are
            passed over.
    """
    notes = []
    for path in sorted(run.folder.glob("eval-*.json")):
        if only is not None and path.name not in only:
            continue
        try:
            content = read_json(path)
            if content["checkpoint"] not in (None, run.checkpoint.name):
                continue
            sweep = content["sweep"]
            names = sweep.get("edges") or ["learning_rate"]
            values = [f"{name.replace('_', ' ')}, {sweep['best'][name]:.3g}," for name in names]
            edge = sweep["at_edge"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if edge:
            notes.append(
                f"Figures: {path.name} has its {' and its '.join(values)} from the edge of the "
                "grid; a better one may lie beyond."
            )
    return notes
