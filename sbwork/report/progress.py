"""The run as seen in the terminal: bars where there is one, one line a cohort anywhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from sbwork.report.producing import Outcome, ReportJob

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Display", "describe_outcome"]


class Display:
    """Show how the run goes.

    Parameters
    ----------
    stream, errors : text stream, optional
        Where to; standard output, and standard error for what went wrong. Bars are drawn only
        on a terminal.
    """

    def __init__(self, stream: TextIO | None = None, errors: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._errors = errors or sys.stderr
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        if self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.fields[cohort]}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=Console(file=self._stream),
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def start(self, job: ReportJob) -> None:
        """Tell that a cohort's turn has come."""
        if self._progress is not None:
            with self._lock:
                self._tasks[job.cohort] = self._progress.add_task(
                    "starting", total=None, cohort=job.cohort
                )

    def advance(self, job: ReportJob, number: int, total: int, heading: str) -> None:
        """Tell that a cell has started."""
        if self._progress is not None:
            under = f": {heading}" if heading else ""
            self._progress.update(
                self._tasks[job.cohort],
                completed=number - 1,
                total=total,
                description=f"cell {number} of {total}{under}",
            )

    def finish(self, job: ReportJob, outcome: Outcome) -> None:
        """Tell what became of it."""
        line = describe_outcome(job, outcome)
        well = outcome.state in {"ok", "unchanged"}
        with self._lock:
            if self._progress is not None:
                self._progress.remove_task(self._tasks.pop(job.cohort))
                if well or self._errors.isatty():
                    # Printed by the bars' own console, which keeps them below it.
                    console = self._progress.console
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
                    return
            stream = self._stream if well else self._errors
            stream.write(line + "\n")
            stream.flush()


def describe_outcome(job: ReportJob, outcome: Outcome) -> str:
    """Say in one line what became of a cohort."""
    page = job.out / job.cohort / "report.html"
    if outcome.state == "ok":
        return f"{job.cohort}: done in {outcome.seconds:.0f} s, {page}"
    if outcome.state == "unchanged":
        return f"{job.cohort}: unchanged, {page}"
    return f"{job.cohort}: {outcome.state}: {outcome.reason}"
