"""``cueco-solo compare``: methods x seeds x data sets, trained, evaluated and put side by side."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "compare",
        run,
        "train and evaluate methods over seeds and put them side by side",
        """Train and evaluate every method of a grid, on every data set of it, with every seed;
        then write all figures (results.csv, results.json), tables (table.md, table.tex: means over
        seeds, differences to a baseline, published figures) and a report (report.html). What is
        there is reused: after a kill, the same command goes on. GRID is a YAML file, or the name
        of one of ours (quickstart, digits, cifar100). With --runs, finished run folders are
        compared instead, those of solo-learn's own script too.""",
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
        "--runs", nargs="+", type=Path, metavar="RUN", help="compare these run folders, no grid"
    )
    parser.add_argument(
        "--evaluation",
        action="append",
        metavar="COMMAND",
        help="of --runs, e.g. 'knn --k 20'; may be repeated; default: 'linear --cached', knn, "
        "cluster",
    )
    parser.add_argument("--baseline", metavar="METHOD", help="instead of the grid's")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="for the results; default: comparisons/<grid>"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be trained, and do nothing"
    )
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
    return compare_grid(args)


def compare_grid(args: argparse.Namespace) -> int:
    """Train, evaluate, write."""
    from cueco_solo.comparison.execute import error_log, run_jobs
    from cueco_solo.comparison.grid import check_baseline, jobs, read_grid
    from cueco_solo.comparison.results import check_folder

    grid = read_grid(_grid_name(args.overrides))
    overrides = [word for word in args.overrides if "=" in word]
    baseline = args.baseline or grid.baseline
    check_baseline(baseline, [method.name for method in grid.methods])
    todo = jobs(grid, overrides)
    if args.dry_run:
        _say_todo(todo)
        return 0
    start = time.monotonic()
    out = args.out or Path("comparisons", grid.name)
    check_folder(out)
    outcomes = run_jobs(grid, todo, error_log(out))
    code = _finish(args, out, outcomes, baseline)
    print(f"done in {time.monotonic() - start:.0f} seconds")
    return code


def _grid_name(words: list[str]) -> str:
    from cueco_solo.comparison.grid import packaged_grids
    from cueco_solo.errors import config_error

    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        remedy = f"a YAML file or one of {', '.join(packaged_grids())}"
        raise config_error("GRID", " ".join(names), "must be one grid", remedy)
    return names[0]


def _say_todo(todo: list[Any]) -> None:
    import shlex

    from cueco_solo.comparison.execute import finished

    done = {job: finished(job) for job in todo}
    missing = [job for job in todo if done[job] is None]
    print(f"{len(todo)} runs, {len(todo) - len(missing)} of them trained")
    for job in todo:
        print(f"  {job}: {done[job] or shlex.join(['cueco-solo', *job.command])}")


def compare_runs(args: argparse.Namespace) -> int:
    """Evaluate finished runs in one way, write."""
    from cueco_solo.comparison.evaluations import parse_evaluations
    from cueco_solo.comparison.execute import error_log, evaluate
    from cueco_solo.comparison.finished import outcomes_of
    from cueco_solo.comparison.grid import check_baseline
    from cueco_solo.comparison.results import check_folder

    evaluations = parse_evaluations(args.evaluation)
    outcomes = outcomes_of(args.runs)
    check_baseline(args.baseline, [outcome.method for outcome in outcomes])
    out = args.out or Path("comparisons", "runs")
    check_folder(out)
    log = error_log(out)
    for number, outcome in enumerate(outcomes, 1):
        print(f"[{number}/{len(outcomes)}] {outcome}", flush=True)
        for evaluation in evaluations:
            evaluate(outcome, evaluation, log)
    return _finish(args, out, outcomes, args.baseline)


def _finish(args: argparse.Namespace, out: Path, outcomes: list[Any], baseline: Any) -> int:
    """Print the tables, write all there is."""
    from cueco_solo.comparison.results import collect, tables_of
    from cueco_solo.results.text import terminal

    figures = collect(outcomes)
    if figures:
        print(f"\n{terminal(tables_of(figures, baseline))}\n", flush=True)
        write_all(out, outcomes, figures, baseline, None if args.no_report else out.name)
    return exit_code(outcomes)


def write_all(
    out: Path, outcomes: list[Any], figures: list[Any], baseline: str | None, title: str | None
) -> None:
    """Write figures and tables, then the report if it has a title, and say where they are."""
    from cueco_solo.comparison.results import tables_of, write_results
    from cueco_solo.report.write import write_report

    files = write_results(out, figures, tables_of(figures, baseline))
    print("results:", *files, sep="\n  ")
    if title:
        done = [outcome for outcome in outcomes if outcome.folder]
        methods = {outcome.folder: outcome.method for outcome in done}
        write_report(
            list(methods),
            out / "report.html",
            title=title,
            baseline=baseline if baseline in methods.values() else None,
            methods=methods,
            datasets={outcome.folder: outcome.dataset for outcome in done},
        )


def exit_code(outcomes: list[Any]) -> int:
    """1 if something failed, which is said once more."""
    errors = [line for outcome in outcomes for line in outcome.errors]
    if errors:
        print(f"\n{len(errors)} failed:", *errors, sep="\n  ", file=sys.stderr)
    return int(bool(errors))
