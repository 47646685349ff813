"""Several cohorts' reports made, side by side if asked, none harming another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Protocol

from sbwork.report.producing import Outcome, ReportJob, produce_report

__all__ = ["Stopped", "Watcher", "produce_reports", "stop_on_signals"]

_STOP_SECONDS = 15


class Stopped(KeyboardInterrupt):
    """The run was asked to stop by a signal.

    Attributes
    ----------
    signum : int
        The signal.
    """

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signum)


class Watcher(Protocol):
    """Whoever wants to be told how the run goes; called from several threads."""

    def start(self, job: ReportJob) -> None:
        """Tell that a cohort's turn has come."""

    def advance(self, job: ReportJob, number: int, total: int, heading: str) -> None:
        """Tell that a cell has started."""

    def finish(self, job: ReportJob, outcome: Outcome) -> None:
        """Tell what became of it."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the first signal to stop into `Stopped`; later ones wait for the tidying up.

    Outside the main thread, where no signal arrives, this does nothing.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    seen: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        if not seen:
            seen.append(signum)
            raise Stopped(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def produce_reports(
    jobs: Sequence[ReportJob], watcher: Watcher, *, workers: int = 1
) -> list[Outcome]:
    """Make every report asked for.

    Parameters
    ----------
    jobs : sequence of ReportJob
        One a cohort.
    watcher : Watcher
        Told of the progress.
    workers : int, default 1
        How many at a time; with more than one, each cohort has a process of its own.

    Returns
    -------
    list of Outcome
        In the order of `jobs`. A failure of one leaves the others to run.

    Raises
    ------
    KeyboardInterrupt
        The run was stopped; no process and no kernel of it is left.
    """
    if workers <= 1 or len(jobs) <= 1:
        return [_produce_here(job, watcher) for job in jobs]
    living: dict[int, Any] = {}
    stopping = threading.Event()
    lock = threading.Lock()

    def follow(job: ReportJob) -> Outcome:
        return _produce_apart(job, watcher, living, lock, stopping)

    pool = ThreadPoolExecutor(max_workers=min(workers, len(jobs)))
    futures = [pool.submit(follow, job) for job in jobs]
    try:
        _wait_for(futures)
        return [future.result() for future in futures]
    except BaseException:
        stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        with lock:
            for process in living.values():
                process.terminate()
        for process in list(living.values()):
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _wait_for(futures: list[Future[Outcome]]) -> None:
    pending = set(futures)
    while pending:
        # A wait without an end can't be interrupted on Windows.
        _, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)


def _produce_here(job: ReportJob, watcher: Watcher) -> Outcome:
    watcher.start(job)
    outcome = produce_report(
        job, lambda number, total, heading: watcher.advance(job, number, total, heading)
    )
    watcher.finish(job, outcome)
    return outcome


def _produce_apart(
    job: ReportJob,
    watcher: Watcher,
    living: dict[int, Any],
    lock: threading.Lock,
    stopping: threading.Event,
) -> Outcome:
    outcome = Outcome(job.cohort, job.cohort, "failed", "the run was stopped")
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, sender), name=f"report-{job.cohort}")
    with lock:
        if stopping.is_set():
            return outcome
        process.start()
        living[id(process)] = process
    sender.close()
    watcher.start(job)
    reason = "the process making it was killed or crashed; is there enough memory?"
    outcome = Outcome(job.cohort, job.cohort, "failed", reason)
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = receiver.recv()
            if isinstance(message, Outcome):
                outcome = message
                break
            watcher.advance(job, *message)
    process.join()
    with lock:
        del living[id(process)]
    receiver.close()
    if not stopping.is_set():
        watcher.finish(job, outcome)
    return outcome


def _work(job: ReportJob, sender: Connection) -> None:
    """Make one report in a process of its own, and send word of it."""
    try:
        with stop_on_signals():
            outcome = produce_report(
                job, lambda number, total, heading: sender.send((number, total, heading))
            )
            sender.send(outcome)
    except KeyboardInterrupt:
        os._exit(130)
