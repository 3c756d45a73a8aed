"""What is shown of jobs while they run: a table on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from cueco_solo.comparison.execute import Clock
from cueco_solo.comparison.job_folders import Task
from cueco_solo.comparison.states import Progress, read_progress

# seconds from one look at the logs to the next, and between two lines of one job
_LOOK, _LINE = 1.0, 60.0
_COLUMNS = ("job", "state", "epoch", "loss", "online accuracy", "left")
_ORDER = ("running", "failed", "waiting", "done")


class Board:
    """Shows jobs until it is closed.

    Args:
        tasks: all jobs, in the grid's order.
        clock: of those that aren't trained yet.
    """

    def __init__(self, tasks: Sequence[Task], clock: Clock) -> None:
        self.tasks, self.clock = tasks, clock
        self.states = {task.folder: "waiting" for task in tasks}
        self.places: dict[Any, str] = {}
        self._told: dict[Any, tuple[float, Progress]] = {}
        self._looked = 0.0
        self._live: Any = None
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(auto_refresh=False, vertical_overflow="ellipsis")
            self._live.start()

    def close(self) -> None:
        """Leave the terminal as it was, with the last table."""
        if self._live:
            self._live.stop()

    def begins(self, task: Task, place: str) -> None:
        """A job has begun in a place."""
        self.places[task.folder] = place
        self._told[task.folder] = time.monotonic(), Progress()
        self._change(task, "running", f"started on {place}; log: {task.log}")

    def ends(self, task: Task, well: bool, told: str) -> None:
        """A job has come to an end."""
        self._change(task, "done" if well else "failed", told)

    def _change(self, task: Task, state: str, told: str) -> None:
        self.states[task.folder] = state
        if self._live is None:
            number = self.tasks.index(task) + 1
            print(f"[{number}/{len(self.tasks)}] {task.job}: {told}", flush=True)
        else:
            self._looked = 0.0

    def say(self, text: str, error: bool = False) -> None:
        """Print lines, above the table if there is one."""
        if self._live is None:
            print(text, file=sys.stderr if error else sys.stdout, flush=True)
        else:
            self._live.console.print(text, markup=False, highlight=False)

    def look(self) -> None:
        """Show what the logs say now, if it is time."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        running = [task for task in self.tasks if self.states[task.folder] == "running"]
        found = {task.folder: read_progress(task.log) for task in running}
        if self._live is None:
            for task in running:
                self._line(task, found[task.folder])
        else:
            self._live.update(self._table(found), refresh=True)

    def _line(self, task: Task, now: Progress) -> None:
        """A line for a job that has come further, at most one a minute."""
        when, before = self._told[task.folder]
        if now == before or time.monotonic() - when < _LINE:
            return
        self._told[task.folder] = time.monotonic(), now
        print(f"{task.job}: {now.doing}; {', '.join(now.reached())}", flush=True)

    def _table(self, found: dict[Any, Progress]) -> Any:
        from rich.table import Table

        counts = {name: list(self.states.values()).count(name) for name in _ORDER}
        caption = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        table = Table(*_COLUMNS, caption=caption + self.clock.told(), expand=False)
        for task in sorted(self.tasks, key=lambda each: _ORDER.index(self.states[each.folder])):
            state, now = self.states[task.folder], found.get(task.folder, Progress(""))
            if state == "running":
                state = f"{now.doing} ({self.places[task.folder]})"
            table.add_row(str(task.job), state, now.epoch, now.loss, now.accuracy, now.left)
        return table
