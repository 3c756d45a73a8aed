"""``cueco-solo compare`` and ``quickstart``: methods x seeds x data sets, side by side."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cueco_solo.arguments import WAIT, add_command

_QUICKSTART = "quickstart"


def add_parsers(commands: Any) -> None:
    quickstart = add_command(
        commands,
        _QUICKSTART,
        run_quickstart,
        "compare CueCo, MoCo V2+ and SimCLR on handwritten digits, in minutes",
        """Write digits-placed to datasets/digits-placed, pre-train SimCLR, MoCo V2+ and CueCo on
        it, evaluate each of them and an untrained backbone in the same way, and write a report.
        Finished runs and figures are reused; an interrupted run continues from its last
        checkpoint. It is short for cueco-solo compare quickstart.""",
        "cueco-solo quickstart",
        "cueco-solo quickstart seed=6",
        "cueco-solo quickstart max_epochs=2",
    )
    quickstart.add_argument("--wait", action="store_true", help=WAIT)
    quickstart.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="Hydra overrides of every pre-training, e.g. max_epochs=2",
    )
    parser = add_command(
        commands,
        "compare",
        run,
        "train and evaluate methods over seeds and put them side by side",
        """Train and evaluate every method of a grid, on every data set of it, with every seed;
        then write all figures (results.csv, results.json), tables (table.md, table.tex: means over
        seeds, differences to a baseline, published figures) and a report (report.html). Finished
        runs and figures are reused: after an interruption, the same command continues. GRID is a
        YAML file, or the name of one of ours (quickstart, digits, cifar100). With --runs, finished
        run folders are compared instead, those of solo-learn's own script too.""",
        "cueco-solo compare digits --dry-run",
        "cueco-solo compare grid.yaml max_epochs=50 --baseline 'MoCo V2+'",
        "cueco-solo compare --runs trained_models/cueco/RUN trained_models/mocov2plus/RUN",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="GRID | KEY=VALUE",
        help="the grid, and Hydra overrides of every pre-training, e.g. max_epochs=2",
    )
    parser.add_argument(
        "--runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="compare these run folders (default: a grid)",
    )
    parser.add_argument(
        "--evaluation",
        action="append",
        metavar="COMMAND",
        help="of --runs, e.g. 'knn --k 20'; may be repeated; default: 'linear --cached', knn, "
        "cluster",
    )
    parser.add_argument("--baseline", metavar="METHOD", help="default: the grid's")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="for the results; default: comparisons/<grid>"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be trained, and do nothing"
    )
    parser.add_argument("--wait", action="store_true", help=WAIT)
    parser.add_argument("--no-report", action="store_true", help="write the tables only")


def run(args: argparse.Namespace) -> int:
    """Compare a grid or run folders; 1 if something of it failed."""
    from cueco_solo.errors import ConfigError

    if args.runs:
        if args.overrides or args.dry_run:
            raise ConfigError("--runs takes no grid, overrides or --dry-run: nothing is trained")
        return compare_runs(args)
    if args.evaluation:
        raise ConfigError("--evaluation goes with --runs; a grid has its own evaluations")
    if args.dry_run:
        return print_jobs(args)
    return compare_grid(
        args.overrides, args.out, args.baseline, report=not args.no_report, wait=args.wait
    )


def run_quickstart(args: argparse.Namespace) -> int:
    """Compare the packaged grid."""
    words = [_QUICKSTART, *args.overrides]
    return compare_grid(words, title="Quickstart: digits-placed", wait=args.wait)


def compare_grid(
    words: Sequence[str],
    out: Path | None = None,
    baseline: str | None = None,
    report: bool = True,
    title: str | None = None,
    wait: bool = False,
) -> int:
    """Train, evaluate, write.

    Args:
        words: the grid and overrides.
        out: for the results; default: ``comparisons/<grid>``.
        baseline: instead of the grid's.
        report: write one.
        title: of the report; default: the name of ``out``.
        wait: for another comparison in this folder, or another training of a run, to be done.
    """
    from cueco_solo.comparison.execute import error_log, run_jobs
    from cueco_solo.comparison.results import check_folder
    from cueco_solo.locks import locked

    start = time.monotonic()
    grid, todo = _grid_and_jobs(words, baseline)
    out = out or Path("comparisons", grid.name)
    check_folder(out)
    with locked(out, "--out", wait):
        outcomes = run_jobs(grid, todo, error_log(out), wait, _print_so_far)
        shown = (title or out.name) if report else None
        code = _finish(out, outcomes, baseline or grid.baseline, shown, named=True)
    print(f"done in {time.monotonic() - start:.0f} seconds")
    return code


def _grid_and_jobs(words: Sequence[str], baseline: str | None) -> tuple[Any, list[Any]]:
    from cueco_solo.comparison.grid import jobs, packaged_grids, read_grid
    from cueco_solo.errors import config_error
    from cueco_solo.results.runs import check_baseline

    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        remedy = f"a YAML file or one of {', '.join(packaged_grids())}"
        raise config_error("GRID", " ".join(names), "must be one grid", remedy)
    grid = read_grid(names[0])
    check_baseline(baseline, [method.name for method in grid.methods], "baseline")
    return grid, jobs(grid, [word for word in words if "=" in word])


def print_jobs(args: argparse.Namespace) -> int:
    """Print which runs of a grid are there, and the commands of the others."""
    import shlex

    from cueco_solo.comparison.execute import finished

    _, todo = _grid_and_jobs(args.overrides, args.baseline)
    done = {job: finished(job) for job in todo}
    missing = [job for job in todo if done[job] is None]
    print(f"{len(todo)} runs, {len(todo) - len(missing)} of them trained")
    for job in todo:
        print(f"  {job}: {done[job] or shlex.join(['cueco-solo', *job.command])}")
    return 0


def compare_runs(args: argparse.Namespace) -> int:
    """Evaluate finished runs with the same settings, write."""
    from cueco_solo.comparison.evaluations import parse_evaluations
    from cueco_solo.comparison.execute import error_log, evaluate
    from cueco_solo.comparison.results import check_folder, outcomes_of
    from cueco_solo.locks import locked
    from cueco_solo.results.runs import check_baseline

    evaluations = parse_evaluations(args.evaluation)
    outcomes = outcomes_of(args.runs)
    check_baseline(args.baseline, [outcome.method for outcome in outcomes])
    out = args.out or Path("comparisons", "runs")
    check_folder(out)
    with locked(out, "--out", args.wait):
        log = error_log(out)
        for number, outcome in enumerate(outcomes, 1):
            print(f"[{number}/{len(outcomes)}] {outcome}", flush=True)
            for evaluation in evaluations:
                evaluate(outcome, evaluation, log)
        title = None if args.no_report else out.name
        return _finish(out, outcomes, args.baseline, title, named=False)


def _print_so_far(outcomes: Sequence[Any]) -> None:
    """The table without a baseline, untrained backbones first."""
    from cueco_solo.comparison.results import compared
    from cueco_solo.results.text import terminal

    if any(outcome.files for outcome in outcomes) and (found := compared(outcomes, None, True)):
        print(f"\n{terminal(found.table)}\n", flush=True)


def _finish(
    out: Path, outcomes: list[Any], baseline: str | None, title: str | None, named: bool
) -> int:
    """Print the tables, write all there is; 1 if something failed, which is listed."""
    from cueco_solo.comparison.results import compared, write_all
    from cueco_solo.results.text import terminal

    if found := compared(outcomes, baseline, named):
        print(f"\n{terminal(found.table)}\n", flush=True)
        width = max(len(run.series) for run in found.described)
        folders = [f"{run.series:{width}}  {run.folder}" for run in found.described]
        print("run folders:", *folders, sep="\n  ")
        if title is None:  # the report prints them itself
            notes = [f"{run.id}: {sentence}" for run in found.described for sentence in run.missing]
            print(*notes, sep="\n", end="\n" * bool(notes))
        write_all(out, found, title)
    errors = [line for outcome in outcomes for line in outcome.errors]
    if errors:
        print(f"\n{len(errors)} failed:", *errors, sep="\n  ", file=sys.stderr)
    return int(bool(errors))
