"""A report's folder appears whole or not at all, and says what it was made from."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.report.batch import Display, produce_reports
from sbwork.report.manifest import (
    describe_sources,
    is_current,
    list_inputs,
    read_manifest,
    write_manifest,
)
from sbwork.report.plan import plan_jobs
from sbwork.report.run import Outcome, ReportJob
from sbwork.specs.cohort import Cohort, read_cohort

NotebookWriter = Callable[..., Path]


def test_every_file_that_counts_is_an_input(toy_data: Path) -> None:
    cohort = toy_data / "cohorts" / "first"
    (cohort / "archive" / "2017-07").mkdir(parents=True)
    (cohort / "archive" / "2017-07" / "street.csv").touch()
    outside = toy_data.parent / "elsewhere" / "lookup.csv"
    outside.parent.mkdir()
    outside.touch()
    (cohort / "notes.txt").touch()
    (cohort / "cohort.yml").write_text(
        "name: first\nincidents: [{path: archive}]\n"
        "geography: {lookup: ../../../elsewhere/lookup.csv}\n"
        "outside_paths: [../../../elsewhere]\n",
        encoding="utf-8",
    )
    assert list(list_inputs(read_cohort("first", toy_data), toy_data)) == [
        "(elsewhere)/lookup.csv",
        "cohorts/first/archive/2017-07/street.csv",
        "cohorts/first/cohort.yml",
    ]


def test_a_report_is_current_until_anything_behind_it_changes(
    toy_data: Path, toy_notebook: Path, tmp_path: Path
) -> None:
    def describe(**parameters: object) -> dict[str, object]:
        cohort = read_cohort("first", toy_data)
        return describe_sources(cohort, toy_data, toy_notebook, parameters)

    folder = tmp_path / "report"
    folder.mkdir()
    assert not is_current(folder, describe())
    (folder / "report.html").write_text("page", encoding="utf-8")
    write_manifest(folder, {"title": "x"}, describe())
    assert is_current(folder, describe())
    assert not is_current(folder, describe(seed=3))

    digest = hashlib.sha256(b"page").hexdigest()
    manifest = read_manifest(folder)
    assert manifest["outputs"] == {"report.html": digest}
    assert manifest["seed"] == read_cohort("first", toy_data).seed
    assert {"numpy", "pandas", "papermill"} <= set(manifest["packages"])
    assert str(tmp_path) not in json.dumps(manifest)

    spec = toy_data / "cohorts" / "first" / "cohort.yml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text + "# a comment\n", encoding="utf-8")
    assert not is_current(folder, describe())
    spec.write_text(text, encoding="utf-8")
    assert is_current(folder, describe())
    (folder / "report.html").unlink()
    assert not is_current(folder, describe())


class Recorder(Display):
    def __init__(self) -> None:
        super().__init__()
        self.finished: list[str] = []
        self.cells: list[str] = []

    def advance(self, job: ReportJob, number: int, total: int, heading: str) -> None:
        self.cells.append(f"{job.cohort} {number}/{total}")

    def finish(self, job: ReportJob, outcome: Outcome) -> None:
        self.finished.append(job.cohort)


@pytest.mark.notebook
@pytest.mark.skipif(sys.platform == "win32", reason="kills a process the POSIX way")
def test_a_kernel_that_dies_harms_no_other(toy_data: Path, write_notebook: NotebookWriter) -> None:
    killer = (
        "import os, signal\n"
        'if cohort_name == "first":\n'
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
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


@pytest.mark.notebook
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


@pytest.mark.notebook
def test_a_notebook_that_leaves_no_results_fails(
    toy_data: Path, write_notebook: NotebookWriter
) -> None:
    out = toy_data.parent / "reports"
    jobs = plan_jobs(["first"], data=toy_data, out=out, notebook=write_notebook(results=""))
    (outcome,) = produce_reports(jobs, Recorder())
    assert outcome.state == "failed"
    assert "wrote no results.json" in outcome.reason
    assert not (out / "first").exists()


@pytest.mark.parametrize("error", [MemoryError, RecursionError, SystemExit, KeyError, OSError(28)])
def test_whatever_goes_wrong_is_one_cohorts_failure(
    toy_data: Path, toy_notebook: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(cohort: Cohort, *_: object) -> dict[str, object]:
        if cohort.name == "first":
            raise error
        return sources

    sources = describe_sources(read_cohort("second", toy_data), toy_data, toy_notebook, {})
    monkeypatch.setattr("sbwork.report.run.describe_sources", fail)
    monkeypatch.setattr("sbwork.report.run.is_current", lambda *_: True)
    out = toy_data.parent / "reports"
    jobs = plan_jobs([], data=toy_data, out=out, notebook=toy_notebook)
    first, second = produce_reports(jobs, Recorder())
    assert (first.state, second.state) == ("failed", "unchanged")
    assert first.reason
    assert list(out.iterdir()) == []
