"""``cueco-solo compare`` and ``quickstart``: methods x seeds x data sets, side by side."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import WAIT, add_command
from cueco_solo.cli.grid_arguments import add_grid_arguments, check_given, of_a_grid
from cueco_solo.cli.grids import GridRun, run_grid, run_job

_QUICKSTART = "quickstart"


def add_parsers(commands: Any) -> None:
    quickstart = add_command(
        commands,
        _QUICKSTART,
        run_quickstart,
        "compare CueCo, MoCo V2+ and SimCLR on handwritten digits, in minutes",
        """Write digits-placed to datasets/digits-placed, pre-train SimCLR, MoCo V2+ and CueCo,
        without its cluster losses and with them, on it, evaluate each of them and an untrained
        backbone in the same way, and write a report.
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
        YAML file, or the name of one of ours, which cueco-solo list grids names. With --runs,
        finished run folders are compared instead, those of solo-learn's own script too.""",
        "cueco-solo compare digits --dry-run",
        "cueco-solo compare grid.yaml max_epochs=50 --baseline 'MoCo V2+'",
        "cueco-solo compare grid.yaml --launcher local --gpus 0,1 --jobs-per-gpu 2",
        "cueco-solo compare grid.yaml --launcher slurm --slurm-partition gpu --slurm-time 12:00:00",
        "cueco-solo compare grid.yaml --status",
        "cueco-solo compare --runs trained_models/cueco/RUN trained_models/mocov2plus/RUN",
    )
    overrides = parser.add_argument(
        "overrides",
        nargs="*",
        metavar="GRID | KEY=VALUE",
        help="the grid, and Hydra overrides of every pre-training, e.g. max_epochs=2",
    )
    overrides.completer = _names  # type: ignore[attr-defined]
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
    parser.add_argument("--wait", action="store_true", help=WAIT)
    parser.add_argument("--no-report", action="store_true", help="write the tables only")
    add_grid_arguments(parser)


def _names(**_: Any) -> list[str]:
    """For the shell's completion."""
    from cueco_solo.comparison.grid import packaged_grids

    return packaged_grids()


def run(args: argparse.Namespace) -> int:
    """Compare a grid or run folders; 1 if something of it failed."""
    from cueco_solo.errors import ConfigError

    check_given(args)
    if args.runs:
        if args.overrides or (given := of_a_grid(args)):
            what = given if not args.overrides else "grid or overrides"
            raise ConfigError(f"--runs takes no {what}: nothing is trained")
        return compare_runs(args)
    if args.evaluation:
        raise ConfigError("--evaluation goes with --runs; a grid has its own evaluations")
    if args.job:
        return run_job(args)
    return run_grid(args)


def run_quickstart(args: argparse.Namespace) -> int:
    """Compare the packaged grid."""
    words = [_QUICKSTART, *args.overrides]
    return GridRun(words, title="Quickstart: digits-placed").run_here(args.wait)


def compare_runs(args: argparse.Namespace) -> int:
    """Evaluate finished runs with the same settings, write."""
    from cueco_solo.comparison.evaluations import parse_evaluations
    from cueco_solo.comparison.execute import error_log, evaluate
    from cueco_solo.comparison.job_folders import Shown
    from cueco_solo.comparison.results import check_folder, finish, outcomes_of
    from cueco_solo.locks import locked
    from cueco_solo.results.titles import check_baseline

    evaluations = parse_evaluations(args.evaluation)
    outcomes = outcomes_of(args.runs)
    baseline = check_baseline(args.baseline, [outcome.method for outcome in outcomes])
    out = args.out or Path("comparisons", "runs")
    check_folder(out)
    with locked(out, "--out", args.wait):
        log = error_log(out)
        for number, outcome in enumerate(outcomes, 1):
            print(f"[{number}/{len(outcomes)}] {outcome}", flush=True)
            for evaluation in evaluations:
                evaluate(outcome, evaluation, log)
        title = None if args.no_report else out.name
        return finish(out, outcomes, Shown(baseline, title), named=False)
