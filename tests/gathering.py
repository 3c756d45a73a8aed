"""Copies of a run folder with changes, and what a report gathers from them."""

import json
import shutil
from pathlib import Path
from typing import Any

from support import change_args

from cueco_solo.report.document import Document, RunPart
from cueco_solo.report.gather import gather_document
from cueco_solo.results.published import published_figures
from cueco_solo.results.runs import describe, read_figures
from cueco_solo.results.table import make_table
from cueco_solo.training.run_folder import open_runs


def copied(known: Path, folder: Path, **changes: Any) -> Path:
    """A copy, the checkpoints as links, with changed keys in args.json (``__`` for a dot)."""
    folder.mkdir(parents=True)
    for path in known.iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        elif path.suffix == ".ckpt":
            (folder / path.name).symlink_to(path.resolve())
        else:
            shutil.copy(path, folder)
    change_args(folder, **changes)
    return folder


def evaluated(folder: Path, settings: Any = None, older: bool = False, **results: float) -> Path:
    checkpoint = (min if older else max)(path.name for path in folder.glob("*.ckpt"))
    content = {"checkpoint": checkpoint, "results": results, "settings": settings or {}}
    (folder / "eval-linear.json").write_text(json.dumps(content))
    return folder


def gathered(
    *folders: Path, baseline: str | None = None, methods: Any = None, **options: Any
) -> Document:
    runs = open_runs(folders)
    described = describe(runs, methods)
    read_figures(described, runs)
    same = methods is None
    table = make_table(described, baseline, same_setting=same, published=published_figures())
    document = gather_document(runs, described, table, **options)
    assert json.loads(json.dumps(document.runs, allow_nan=False)) == document.runs
    return document


def part(folder: Path, **options: Any) -> RunPart:
    (only,) = gathered(folder, embedding="none", **options).runs
    return only
