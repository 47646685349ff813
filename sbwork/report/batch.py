"""Several cohorts' reports made side by side, each in a kernel of its own, none harming another."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from types import FrameType
from typing import TYPE_CHECKING

from sbwork.report.notebook import Kernels
from sbwork.report.run import Outcome, ReportJob, produce_report

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Display", "Stopped", "produce_reports", "stop_on_signals"]


class Stopped(KeyboardInterrupt):
    """The run was asked to stop by the signal `signum`."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signum)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the first signal to stop into `Stopped`; later ones don't stop the tidying up.

    They stay so after a stop, since the process is about to end.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    seen: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        if not seen:
            seen.append(signum)
            raise Stopped(signum)

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items() if not seen else ():
            signal.signal(number, handler)


def produce_reports(
    jobs: Sequence[ReportJob], display: Display, *, workers: int = 1
) -> list[Outcome]:
    """Make every report, `workers` at a time; the failure of one leaves the others to run.

    When it is interrupted, no kernel is left.
    """
    kernels = Kernels()

    def produce(job: ReportJob) -> Outcome:
        def show(number: int, total: int, heading: str) -> None:
            display.advance(job, number, total, heading)

        outcome = produce_report(job, kernels, show)
        if not kernels.stopped:
            display.finish(job, outcome)
        return outcome

    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=workers) as pool:
        warnings.simplefilter("ignore")
        try:
            futures = [pool.submit(produce, job) for job in jobs]
            pending = set(futures)
            while pending:
                # A wait without an end can't be interrupted on Windows.
                _, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            kernels.stop()
            raise
    return [future.result() for future in futures]


class Display:
    """The run as seen in the terminal: bars where there is one, one line a cohort anywhere.

    What went wrong goes to standard error. It is called from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.fields[cohort]}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, job: ReportJob, number: int, total: int, heading: str) -> None:
        """Show that a cell has started."""
        if self._progress is None:
            return
        description = f"cell {number} of {total}{': ' + heading if heading else ''}"
        with self._lock:
            if job.cohort not in self._tasks:
                self._tasks[job.cohort] = self._progress.add_task("", cohort=job.cohort)
            self._progress.update(
                self._tasks[job.cohort],
                completed=number - 1,
                total=total,
                description=description,
            )

    def finish(self, job: ReportJob, outcome: Outcome) -> None:
        """Print what became of a cohort."""
        page = job.out / job.cohort / "report.html"
        line = {
            "ok": f"{job.cohort}: done in {outcome.seconds:.0f} s, {page}",
            "unchanged": f"{job.cohort}: unchanged, {page}",
        }.get(outcome.state, f"{job.cohort}: {outcome.state}: {outcome.reason}")
        well = outcome.state in {"ok", "unchanged"}
        with self._lock:
            if self._progress is not None:
                if job.cohort in self._tasks:
                    self._progress.remove_task(self._tasks.pop(job.cohort))
                if well or sys.stderr.isatty():
                    # Printed by the bars' own console, which keeps them below it.
                    console = self._progress.console
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
                    return
            print(line, file=sys.stdout if well else sys.stderr, flush=True)
