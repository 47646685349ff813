"""One cohort's report: notebook run, page, manifest, and then moved into its place whole."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from sbwork.report.manifest import describe_sources, is_current, write_manifest
from sbwork.report.notebook import Kernels, NotebookError, OnCell, run_notebook
from sbwork.report.page import render_page
from sbwork.report.staging import claim_report, stage_folder
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError, explain_error
from sbwork.specs.instrument import read_instrument

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["FAILED_FOLDER", "Outcome", "ReportJob", "produce_report"]

FAILED_FOLDER = "_failed"
"""Where the notebook of a failed run is kept; no cohort can have this name."""

_MESSAGE = re.compile(r"(?s)\A((?:\x1b\[[\d;]*m|[\w.])+):.*")
"""What an error says, in a traceback of a notebook."""

State = Literal["ok", "unchanged", "failed", "bad input"]


@dataclass(frozen=True, slots=True)
class ReportJob:
    """What is to be made; `timeout` is in seconds a cell, `threads` for linear algebra."""

    cohort: str
    data: Path
    out: Path
    notebook: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    threads: int | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: "unchanged" means kept, `reason` says in plain words why it failed."""

    cohort: str
    state: State
    reason: str = ""
    seconds: float = 0.0


def produce_report(job: ReportJob, kernels: Kernels, on_cell: OnCell | None = None) -> Outcome:
    """Make one cohort's report; a failure leaves the folder of an earlier report as it was.

    Whatever goes wrong is the outcome of this cohort, and stops no other.
    """
    began = time.monotonic()
    state: State = "failed"
    reason = ""
    try:
        cohort = read_cohort(job.cohort, job.data)
        if cohort.instrument:
            read_instrument(cohort.instrument, job.data)
        with claim_report(job.out / job.cohort) as scratch:
            state = _produce(job, cohort, scratch, kernels, on_cell)
    except InputError as error:
        state, reason = "bad input", str(error)
    except NotebookError as error:
        state, reason = "bad input" if error.bad_input else "failed", str(error)
    except BaseException as error:
        reason = explain_error(error)
    return Outcome(job.cohort, state, reason, time.monotonic() - began)


def _produce(
    job: ReportJob, cohort: Cohort, scratch: Path, kernels: Kernels, on_cell: OnCell | None
) -> State:
    target = job.out / job.cohort
    relative = _relate(job.data, target)
    parameters = {**job.parameters, "cohort_name": job.cohort, "data": relative, "out": "."}
    shown = {**parameters, "data": _shorten(relative)}
    sources = describe_sources(cohort, job.data, job.notebook, shown)
    if not job.fresh and is_current(target, sources):
        return "unchanged"
    started = datetime.now(UTC)
    with stage_folder(target) as staged:
        try:
            run_notebook(
                job.notebook.resolve(),
                staged.resolve(),
                parameters,
                kernels,
                timeout=job.timeout,
                threads=job.threads,
                on_cell=on_cell,
                scratch=scratch,
            )
        except NotebookError as error:
            if not error.bad_input and not kernels.stopped:
                _keep_failed_notebook(staged, job)
            reason = str(error).replace(f"{relative}/", f"{job.data.as_posix()}/")
            raise NotebookError(reason, bad_input=error.bad_input) from None
        _check_results(staged)
        executed = _tidy_notebook(staged / "report.ipynb", relative)
        page = render_page(executed, cohort, base=staged, made=started)
        (staged / "report.html").write_text(page, encoding="utf-8", newline="\n")
        finished = datetime.now(UTC)
        about = {
            "cohort": cohort.name,
            "title": cohort.display_title,
            "data_status": cohort.data_status,
            "rehearsal": cohort.rehearsal,
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": round((finished - started).total_seconds(), 1),
        }
        write_manifest(staged, about, sources)
    (job.out / FAILED_FOLDER / f"{job.cohort}.ipynb").unlink(missing_ok=True)
    return "ok"


def _relate(data: Path, target: Path) -> str:
    """Return the data folder as seen from the report's, so that no report holds a full path."""
    try:
        return Path(os.path.relpath(data.resolve(), target.resolve())).as_posix()
    except ValueError:
        return data.resolve().as_posix()


def _shorten(relative: str) -> str:
    """Keep the way to a data folder nearby; of one far off, its name, not the machine's folders."""
    path = PurePosixPath(relative)
    folders = [part for part in path.parts if part != ".."]
    return relative if len(folders) <= 1 and not path.is_absolute() else path.name


def _check_results(folder: Path) -> None:
    for name in ("results.json", "results.csv"):
        if not (folder / name).is_file():
            raise NotebookError(f"the notebook ran to its end but wrote no {name}")
    try:
        json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except ValueError:
        raise NotebookError("the notebook wrote a results.json that is not JSON") from None


def _tidy_notebook(path: Path, relative: str) -> NotebookNode:
    """Drop times and paths from an executed notebook, so that the same run gives the same file."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    parameters = notebook.metadata.pop("papermill", {}).get("parameters", {})
    notebook.metadata["papermill"] = {"parameters": {**parameters, "data": _shorten(relative)}}
    home = str(Path.home())
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
            cell.source = cell.source.replace(f'"{relative}"', f'"{_shorten(relative)}"')
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = output.text.replace(home, "~")
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        nbformat.write(notebook, stream)
    return notebook


def _keep_failed_notebook(staged: Path, job: ReportJob) -> None:
    """Keep it with the place of the error, without its words, which may be a respondent's."""
    if not (staged / "report.ipynb").is_file():
        return
    import nbformat

    notebook = nbformat.read(staged / "report.ipynb", as_version=4)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "error":
            output.evalue = ""
            output.traceback = [_MESSAGE.sub(r"\1", part) for part in output.traceback]
    kept = job.out / FAILED_FOLDER / f"{job.cohort}.ipynb"
    kept.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, kept)
