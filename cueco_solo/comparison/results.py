"""What a comparison results in: the table of its runs, and the files that it leaves."""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cueco_solo.comparison.job_folders import Outcome, Shown
from cueco_solo.comparison.smoke import NOTICE
from cueco_solo.errors import ConfigError, moved
from cueco_solo.results.paper import write_paper
from cueco_solo.results.published import published_figures
from cueco_solo.results.runs import RunFigures, describe, read_figures, repetition
from cueco_solo.results.table import ResultTable, make_table
from cueco_solo.results.text import terminal
from cueco_solo.results.write import unwritable, write_results
from cueco_solo.training.run_folder import Run, load_run, open_runs


@dataclass(frozen=True)
class Compared:
    """The runs of a comparison and their table."""

    runs: list[Run]
    described: list[RunFigures]
    table: ResultTable


def outcomes_of(folders: Iterable[Path]) -> list[Outcome]:
    """Finished run folders, of ours or of solo-learn's script, each under its method's name.

    Raises:
        ConfigError: a folder is no run, or two runs have everything in common, even the seed.
    """
    found: dict[tuple, Outcome] = {}
    for run in describe(open_runs(folders)):
        outcome = Outcome(run.series, run.dataset, run.seed or 0, run.folder)
        other = found.setdefault(repetition(run), outcome)
        if other is not outcome:
            raise ConfigError(
                f"RUN: {run.folder} and {other.folder} are both {outcome}; give one of them"
            )
    return list(found.values())


def compared(outcomes: Sequence[Outcome], baseline: str | None, named: bool) -> Compared | None:
    """The table of all runs that were trained; None if there are none.

    Args:
        outcomes: of a comparison.
        baseline: the method that the others are compared with; ignored if it has no run.
        named: the methods' names are those of a grid, which may differ in backbone and epochs.
    """
    done = {outcome.folder: outcome for outcome in outcomes if outcome.folder}
    if not done:
        return None
    runs = [load_run(folder) for folder in done]
    described = describe(
        runs,
        {folder: outcome.method for folder, outcome in done.items()} if named else None,
        {folder: outcome.dataset for folder, outcome in done.items()},
    )
    read_figures(described, runs, {folder: outcome.files for folder, outcome in done.items()})
    table = make_table(
        described,
        baseline if baseline in {run.series for run in described} else None,
        same_setting=False,
        published=published_figures(),
    )
    return Compared(runs, described, table)


def check_folder(out: Path) -> None:
    """Make the folder of the results, before hours are spent on them.

    Raises:
        ConfigError: it can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise unwritable(out, error) from error


def write_all(out: Path, found: Compared, title: str | None) -> None:
    """Write figures and tables, then the report if it has a title, and print where they are."""
    from cueco_solo.report.write import write_report

    print("results:", *write_results(out, found.table), sep="\n  ")
    if title:
        report = out / "report.html"
        write_report(found.runs, found.described, found.table, report, title=title)


def print_so_far(outcomes: Sequence[Outcome]) -> None:
    """The table without a baseline, untrained backbones first, once there is a figure."""
    if any(outcome.files for outcome in outcomes) and (found := compared(outcomes, None, True)):
        print(f"\n{terminal(found.table)}\n", flush=True)


def finish(out: Path, outcomes: Sequence[Outcome], shown: Shown, named: bool) -> int:
    """Print the tables, write all there is.

    Args:
        out: folder of the results.
        outcomes: of the comparison.
        shown: how; with a paper, its table is put beside ours.
        named: see :func:`compared`.

    Returns:
        1 if something failed, which is listed, else 0.
    """
    found = compared(outcomes, shown.baseline, named)
    if found:
        print(f"\n{terminal(found.table)}\n", flush=True)
        width = max(len(run.series) for run in found.described)
        folders = [f"{run.series:{width}}  {run.folder}" for run in found.described]
        print("run folders:", *folders, sep="\n  ")
        if shown.title is None:  # the report prints them itself
            notes = [f"{run.id}: {sentence}" for run in found.described for sentence in run.missing]
            print(*notes, sep="\n", end="\n" * bool(notes))
        write_all(out, found, shown.title)
    if shown.paper or shown.mark:
        _write_paper(out, shown, found)
    errors = [line for outcome in outcomes for line in outcome.errors]
    if errors:
        print(f"\n{len(errors)} failed:", *errors, sep="\n  ", file=sys.stderr)
    return int(bool(errors))


def _write_paper(out: Path, shown: Shown, found: Compared | None) -> None:
    """Put the paper's table beside ours; of a check of wiring, say that it is one."""
    notice = NOTICE if shown.mark else ""
    if shown.paper:
        table = found.table if found else None
        text = write_paper(out, shown.paper, published_figures(), table, shown.mark, notice)
        print(f"\n{text}\nbeside the paper:\n  {out / 'paper.md'}\n  {out / 'paper.csv'}")
    if notice:
        print(notice)


__getattr__ = moved(
    __name__, collect="results.runs.read_figures", tables_of="results.table.make_table"
)
