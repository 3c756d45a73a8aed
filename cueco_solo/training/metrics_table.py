"""``metrics.csv`` of a run: what is logged, and what of it stays where a run goes on."""

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only

from cueco_solo.files import whole_file


class _Writer(ExperimentWriter):
    """Rewrites the file beside its place: a new column means all rows anew."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
        try:
            with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=fieldnames)
                writer.writeheader()
                writer.writerows(rows)
        except OSError:
            self.metrics_keys = columns  # what the file still has
            raise


class MetricsTable(CSVLogger):
    """Lightning's logger, which knows how many rows the file has.

    A checkpoint holds that number: a validation has the step of the batch before it, so that the
    steps alone don't tell which rows a run had when it was saved.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(run.parent.parent, run.parent.name, run.name)
        self._rows = 0

    @property
    def experiment(self) -> Any:
        """The writer; nothing on other processes than the first."""
        if self._experiment is None and getattr(rank_zero_only, "rank", 0) == 0:
            self._fs.makedirs(self.root_dir, exist_ok=True)
            self._experiment = _Writer(log_dir=self.log_dir)
        return super().experiment

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        self._rows += 1

    def written(self) -> int:
        """Write what was logged; the number of rows in the file."""
        self.save()
        return self._rows

    @rank_zero_only
    def keep(self, first_step: int, known: int | None = None) -> None:
        """Write the rows before ``first_step`` back: Lightning deletes an existing file.

        Args:
            first_step: of the run that goes on.
            known: rows that there were when its checkpoint was written, if that says so.
        """
        path = Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE
        former = path.with_name("metrics.before.csv")
        if not former.is_file():  # else a start was killed before it had written them back
            if not path.is_file():
                return
            path.rename(former)
        rows, damaged = _read(former)
        for number, row in enumerate(rows):
            try:
                if None in row.values():
                    raise ValueError("columns are missing")
                step = int(row.pop("step"))
                values: dict[str, Any] = {key: _number(text) for key, text in row.items() if text}
            except (AttributeError, KeyError, TypeError, ValueError):  # torn, or none of ours
                damaged += 1
                continue
            if step < first_step and (known is None or number < known):
                self.log_metrics(values, step)
        self.save()
        if not damaged:
            former.unlink()
            return
        kept = former.with_name(f"metrics.damaged-{first_step}.csv")
        former.rename(kept)
        lost = f"{damaged} damaged rows left out; the file as it was: {kept.name}"
        print(f"{path}: {lost}", flush=True)


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The rows, those that a kill has torn without their step, and how many more are lost."""
    rows: list[dict[str, Any]] = []
    damaged = 0
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        try:
            rows.extend(reader)
        except csv.Error:  # of bytes that are no text: what follows can't be told apart
            damaged += 1
    if rows and not path.read_bytes().endswith(b"\n"):  # the last number may have lost digits
        rows[-1]["step"] = None
    return rows, damaged


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)
