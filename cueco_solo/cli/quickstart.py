"""``cueco-solo quickstart``: CueCo beside two methods of solo-learn, on data that is at hand."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command

_NAME = "quickstart"
_COLUMNS = {
    "linear top-1": ("linear-cached", "top1"),
    "20-NN": ("knn", "knn20"),
    "NMI": ("clustering", "nmi"),
    "ACC": ("clustering", "acc"),
}


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        _NAME,
        run,
        "compare CueCo, MoCo V2+ and SimCLR on handwritten digits, in minutes",
        """Write digits-placed to datasets/digits-placed, pre-train SimCLR, MoCo V2+ and CueCo on
        it, evaluate each of them and an untrained backbone in the same way, and write a report.
        Finished runs and figures are reused; an interrupted run goes on after its last
        checkpoint. It is cueco-solo compare quickstart with a shorter table.""",
        "cueco-solo quickstart",
        "cueco-solo quickstart seed=6",
        "cueco-solo quickstart max_epochs=2",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="Hydra overrides of every pre-training, e.g. max_epochs=2",
    )


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, print the table, write the report."""
    from cueco_solo.cli.compare import exit_code, write_all
    from cueco_solo.comparison.execute import error_log, run_jobs
    from cueco_solo.comparison.grid import jobs, read_grid
    from cueco_solo.comparison.results import check_folder, collect

    start, out = time.monotonic(), Path("comparisons", _NAME)
    grid = read_grid(_NAME)
    todo = jobs(grid, args.overrides)
    check_folder(out)
    outcomes = run_jobs(grid, todo, error_log(out))
    figures = collect(outcomes)
    print("\nFrozen features, in percent, after so many seconds of pre-training:\n")
    print(_table(figures))
    folders = [f"{done.method:10}{done.folder}" for done in outcomes if done.folder]
    print("\nrun folders:", *folders, sep="\n  ")
    print(f"\ndone in {time.monotonic() - start:.0f} seconds; the report is being written")
    if figures:
        write_all(out, outcomes, figures, grid.baseline, "Quickstart: digits-placed")
    return exit_code(outcomes)


def _table(figures: Sequence[Any]) -> str:
    """First column to the left, figures to the right."""
    methods = dict.fromkeys(figure["method"] for figure in figures)
    rows = [("digits-placed", *_COLUMNS, "seconds")]
    for method in methods:
        found = {(f["protocol"], f["metric"]): f["value"] for f in figures if f["method"] == method}
        cells = [f"{found[c]:.1f}" if c in found else "-" for c in _COLUMNS.values()]
        seconds = found.get(("training", "seconds"))
        rows.append((method, *cells, "-" if seconds is None else f"{seconds:.0f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
