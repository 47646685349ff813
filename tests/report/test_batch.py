"""Cohorts side by side: one that fails or dies harms no other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.report.batch import produce_reports
from sbwork.report.planning import plan_jobs
from sbwork.report.producing import Outcome, ReportJob

NotebookWriter = Callable[..., Path]

pytestmark = pytest.mark.notebook


class Recorder:
    def __init__(self) -> None:
        self.finished: list[str] = []
        self.cells: list[str] = []

    def start(self, job: ReportJob) -> None: ...

    def advance(self, job: ReportJob, number: int, total: int, heading: str) -> None:
        self.cells.append(f"{job.cohort} {number}/{total}")

    def finish(self, job: ReportJob, outcome: Outcome) -> None:
        self.finished.append(job.cohort)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process the POSIX way")
def test_a_worker_that_dies_harms_no_other(toy_data: Path, write_notebook: NotebookWriter) -> None:
    killer = (
        "import os, signal, time\n"
        'if cohort_name == "first":\n'
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    time.sleep(30)\n"
        'assert os.environ["OPENBLAS_NUM_THREADS"] == "1"'
    )
    out = toy_data.parent / "reports"
    jobs = plan_jobs(
        [], data=toy_data, out=out, notebook=write_notebook("# A\n\n## B", killer), workers=2
    )
    watcher = Recorder()
    outcomes = produce_reports(jobs, watcher, workers=2)
    assert [(o.cohort, o.state) for o in outcomes] == [("first", "failed"), ("second", "ok")]
    assert "killed or crashed" in outcomes[0].reason
    assert sorted(watcher.finished) == ["first", "second"]
    assert "second 4/5" in watcher.cells
    assert not (out / "first").exists()
    assert (out / "second" / "manifest.json").is_file()


def test_only_what_changed_is_made_again(toy_data: Path, toy_notebook: Path) -> None:
    out = toy_data.parent / "reports"

    def make(**options: object) -> list[str]:
        jobs = plan_jobs(
            ["first"],
            data=toy_data,
            out=out,
            notebook=toy_notebook,
            **options,  # type: ignore[arg-type]
        )
        return [outcome.state for outcome in produce_reports(jobs, Recorder())]

    assert make() == ["ok"]
    assert make() == ["unchanged"]
    (out / "first" / "results.csv").write_text("touched", encoding="utf-8")
    assert make(parameters=["seed=3"]) == ["ok"]


def test_a_notebook_that_leaves_no_results_fails(
    toy_data: Path, write_notebook: NotebookWriter
) -> None:
    out = toy_data.parent / "reports"
    jobs = plan_jobs(["first"], data=toy_data, out=out, notebook=write_notebook(results=""))
    (outcome,) = produce_reports(jobs, Recorder())
    assert outcome.state == "failed"
    assert "wrote no results.json" in outcome.reason
    assert not (out / "first").exists()
