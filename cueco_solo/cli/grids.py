"""A grid of ``cueco-solo compare``: how its jobs are started, looked at and stopped."""

import argparse
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cueco_solo.cli.grid_arguments import SLURM
from cueco_solo.errors import config_error


class GridRun:
    """A grid with its jobs and the folder of its results.

    Args:
        words: the grid and overrides.
        out: for the results; default: ``comparisons/<grid>``.
        baseline: instead of the grid's.
        title: of the report, None for that of the folder; empty for no report.
        names: of methods or data sets; the others are left out.
        check_all: refuse a grid of which a run couldn't start.
        smoke: a check of wiring, see :mod:`cueco_solo.comparison.smoke`.
        elsewhere: the jobs run on other machines, whose GPUs aren't known here.

    Raises:
        ConfigError: something of it can't be used.
        HostError: with ``check_all``, the installed solo-learn lacks a method.
    """

    def __init__(
        self,
        words: Sequence[str],
        out: Path | None = None,
        baseline: str | None = None,
        title: str | None = None,
        names: Sequence[str] = (),
        check_all: bool = False,
        smoke: bool = False,
        elsewhere: bool = False,
    ) -> None:
        from cueco_solo.comparison.grid import only, packaged_grids, read_grid
        from cueco_solo.comparison.job_folders import Shown, tasks_of
        from cueco_solo.comparison.jobs import jobs, settle
        from cueco_solo.results.titles import check_baseline

        grids = [word for word in words if "=" not in word]
        if len(grids) != 1:
            remedy = f"a YAML file or one of {', '.join(packaged_grids())}"
            raise config_error("GRID", " ".join(grids), "must be one grid", remedy)
        grid = only(read_grid(grids[0]), names)
        if smoke:
            from cueco_solo.comparison.smoke import NOTICE, smoke_grid

            print(NOTICE, flush=True)
            grid = smoke_grid(grid)
        baseline = check_baseline(baseline, [each.name for each in grid.methods], "baseline")
        self.grid = grid
        self.out = out or Path("comparisons", grid.name)
        title = (self.out.name if title is None else title) or None
        self.shown = Shown(baseline or grid.baseline, title, grid.paper, grid.mark)
        todo = jobs(grid, [word for word in words if "=" in word])
        if check_all:
            from cueco_solo.comparison.ready import check_ready

            check_ready(todo)
        if not elsewhere:
            settle(todo)
        self.tasks = tasks_of(self.grid, todo, self.out)

    def finish(self, outcomes: Any) -> int:
        """Tables and report of these."""
        from cueco_solo.comparison.results import finish

        return finish(self.out, outcomes, self.shown, named=True)

    def run_here(self, wait: bool) -> int:
        """One job after the other in this process."""
        from cueco_solo.comparison.execute import error_log, run_jobs
        from cueco_solo.comparison.results import check_folder, print_so_far
        from cueco_solo.locks import locked

        start = time.monotonic()
        check_folder(self.out)
        with locked(self.out, "--out", wait):
            code = self.finish(run_jobs(self.tasks, error_log(self.out), wait, print_so_far))
        print(f"done in {time.monotonic() - start:.0f} seconds")
        return code

    def run_local(self, gpus: Sequence[int] | None, jobs: int, wait: bool) -> int:
        """Each job in a process of its own."""
        from cueco_solo.comparison.execute import error_log, finished, write_digits
        from cueco_solo.comparison.job_folders import write_grid
        from cueco_solo.comparison.local import run_apart
        from cueco_solo.comparison.results import check_folder
        from cueco_solo.comparison.slots import Slots
        from cueco_solo.locks import locked

        start = time.monotonic()
        slots = Slots(gpus or (), jobs)
        slots.check(self.tasks)
        check_folder(self.out)
        slots.check_gpus(self.tasks)
        with locked(self.out, "--out", wait):
            error_log(self.out)
            write_grid(self.tasks, self.shown)
            for task in self.tasks:
                if finished(task.job) is None:
                    write_digits(task.job)  # before several processes want to
            code = self.finish(run_apart(self.tasks, slots, wait))
        print(f"done in {time.monotonic() - start:.0f} seconds")
        return code

    def submit(self, typed: dict[str, Any], wait: bool) -> int:
        """What is left to do as jobs of SLURM; then the tables of what is done."""
        from cueco_solo.comparison import slurm
        from cueco_solo.comparison.execute import error_log, finished, write_digits
        from cueco_solo.comparison.job_folders import write_grid
        from cueco_solo.comparison.results import check_folder
        from cueco_solo.comparison.slurm_options import SlurmOptions
        from cueco_solo.locks import is_locked, locked

        slurm.check_submitit()
        options = SlurmOptions.of_grid(self.grid.slurm, typed)
        _ = options.minutes  # which there must be
        check_folder(self.out)
        with locked(self.out, "--out", wait):
            states = slurm.scheduled(self.tasks, surely=True)
            done = {task.folder: task.done(finished(task.job)) for task in self.tasks}
            left = [task for task in self.tasks if done[task.folder] is None]
            waiting = [
                task for task in left if slurm.is_active(task, states) or is_locked(task.folder)
            ]
            todo = [task for task in left if task not in waiting]
            if not waiting:
                error_log(self.out)
            write_grid(self.tasks, self.shown)
            for task in todo:
                write_digits(task.job)
                task.forget()
            for task, identifier in slurm.submit(todo, options, self.grid.name, act_as_job):
                print(f"submitted as {identifier}: {task.job}")
            shown = f"{len(todo)} submitted, {len(waiting)} waiting or running"
            print(f"{len(self.tasks)} jobs: {len(self.tasks) - len(left)} done, {shown}")
            outcomes = [found for found in done.values() if found]
            return self.finish(outcomes) if outcomes else 0

    def print_jobs(self) -> int:
        """Each job, its command, its state and what it may take."""
        from cueco_solo.comparison.execute import finished
        from cueco_solo.comparison.slurm import scheduled
        from cueco_solo.comparison.states import estimate, state_of
        from cueco_solo.training.durations import duration

        done = [finished(task.job) for task in self.tasks]
        print(f"{len(self.tasks)} runs, {len(done) - done.count(None)} of them trained")
        states, total, unknown = scheduled(self.tasks), 0.0, 0
        for task, folder in zip(self.tasks, done, strict=True):
            state = state_of(task, states)[0]
            print(f"  {task.job}: {state}")
            if folder:
                print(f"    {folder}")
                continue
            print(f"    {shlex.join(['cueco-solo', *task.job.command])}")
            found = estimate(task.job)
            if found is None:
                unknown += 1
                continue
            total += found.seconds
            like = f"as {found.like} took on {found.host}"
            print(f"    training: about {duration(found.seconds)}, {like}")
        if total:
            more = f"; of {unknown} runs it isn't known" if unknown else ""
            print(f"training of all that is left, one after the other: {duration(total)}{more}")
        return 0

    def print_states(self) -> int:
        """Where each job is, and its log."""
        from cueco_solo.comparison.slurm import scheduled
        from cueco_solo.comparison.states import read_progress, state_of

        states = scheduled(self.tasks)
        for task in self.tasks:
            state, log = state_of(task, states)
            now = read_progress(log) if log else None
            parts = [state]
            if now and state.startswith("running"):
                parts += [now.doing, *now.reached()]
            print(f"{task.job}: {'; '.join(parts)}")
            if log:
                print(f"  log: {log}")
        return 0

    def cancel(self) -> int:
        """Stop the process that works on this grid, and its jobs in SLURM's queue."""
        from cueco_solo.comparison import slurm
        from cueco_solo.locks import is_locked, owner

        numbers = slurm.cancel(self.tasks, slurm.scheduled(self.tasks, surely=True))
        if numbers:
            print(f"cancelled: {' '.join(numbers)}")
        elif self.out.is_dir() and is_locked(self.out):
            who = owner(self.out)
            process, host = who.get("process"), who.get("host")
            if host != socket.gethostname() or not isinstance(process, int):
                reason = f"can't be done from here: process {process} on {host} does the jobs"
                raise config_error("--cancel", True, reason, "stop it there")
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                print("nothing works on this grid any more")
                return 0
            except PermissionError as error:
                reason = f"can't be done: process {process} is another user's"
                raise config_error("--cancel", True, reason, "ask them to stop it") from error
            print(f"process {process} stops its jobs after their step")
        else:
            print("nothing works on this grid")
        return 0


def act_as_job(folder: str) -> None:
    """What a job of SLURM does: ``cueco-solo compare --job``, with its exit code."""
    from cueco_solo.cli import main

    if code := main(["compare", "--job", folder]):
        sys.exit(code)


def run_job(args: argparse.Namespace) -> int:
    """One job; the last one of a grid in SLURM's queue makes the tables."""
    from cueco_solo.comparison.job_folders import read_grid_of
    from cueco_solo.comparison.one_job import do_job
    from cueco_solo.comparison.results import finish
    from cueco_solo.locks import locked

    task, outcome = do_job(args.job, args.wait)
    if outcome is None:
        return 0
    if task.submitted():
        whole = read_grid_of(task)
        found = [each.outcome() for each in whole.tasks]
        if outcomes := [each for each in found if each]:
            out = task.folder.parent.parent
            if len(outcomes) == len(found):
                with locked(out, "--out", wait=True):
                    finish(out, outcomes, whole.shown, named=True)
    return int(bool(outcome.errors))


def run_grid(args: argparse.Namespace) -> int:
    """What was asked for of a grid."""
    looks = args.dry_run or args.status or args.cancel
    given = GridRun(
        args.overrides,
        args.out,
        args.baseline,
        "" if args.no_report else None,
        args.only or (),
        args.check_all and not looks,
        args.smoke,
        args.launcher == "slurm",
    )
    if args.dry_run:
        return given.print_jobs()
    if args.status:
        return given.print_states()
    if args.cancel:
        return given.cancel()
    if args.launcher == "slurm":
        return given.submit({name: getattr(args, f"slurm_{name}") for name in SLURM}, args.wait)
    if args.gpus or args.jobs:
        return given.run_local(args.gpus, args.jobs_per_gpu or args.jobs or 1, args.wait)
    return given.run_here(args.wait)
