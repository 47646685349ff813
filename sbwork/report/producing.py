"""One cohort's report made: run, page, manifest, and then moved into its place."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from sbwork.report.manifest import describe_sources, is_current, write_manifest
from sbwork.report.staging import StagedFolder
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError

__all__ = ["FAILED_FOLDER", "Outcome", "ReportJob", "State", "produce_report"]

FAILED_FOLDER = "_failed"
"""Where the notebook of a failed run is kept; no cohort can have this name."""

State = Literal["ok", "unchanged", "failed", "bad input"]
OnCell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class ReportJob:
    """What is to be made.

    Attributes
    ----------
    cohort : str
        The cohort's name.
    data, out, notebook : Path
        The data folder, the folder of reports, and the notebook.
    parameters : mapping of str to object
        Further parameters of the notebook, checked.
    timeout : float or None
        The longest that one cell may take, in seconds.
    threads : int or None
        The most threads for linear algebra.
    fresh : bool
        Run even if nothing has changed since the report there was made.
    """

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
    """What became of it.

    Attributes
    ----------
    cohort, title : str
        The cohort's name and title.
    state : {"ok", "unchanged", "failed", "bad input"}
        "unchanged" when the report there was made from the same sources and is kept.
    reason : str
        Why not, in words for the user; empty when all is well.
    seconds : float
        How long it took.
    """

    cohort: str
    title: str
    state: State
    reason: str = ""
    seconds: float = 0.0


def produce_report(job: ReportJob, on_cell: OnCell | None = None) -> Outcome:
    """Make one cohort's report.

    Parameters
    ----------
    job : ReportJob
        What to make.
    on_cell : callable, optional
        Told of each cell as it starts: its number, how many there are, the heading above it.

    Returns
    -------
    Outcome
        Anything but "ok" leaves the folder of an earlier report as it was.
    """
    began = time.monotonic()
    title = job.cohort
    try:
        cohort = read_cohort(job.cohort, job.data)
        title = cohort.display_title
        state, reason = _produce(job, cohort, on_cell)
    except InputError as error:
        state, reason = "bad input", str(error)
    except PermissionError as error:
        name = Path(str(error.filename or job.out)).name
        state = "failed"
        reason = f"'{name}' can't be written: close it in other programs, then try again"
    except OSError as error:
        state, reason = "failed", error.strerror or str(error)
    return Outcome(job.cohort, title, state, reason, time.monotonic() - began)


def _produce(job: ReportJob, cohort: Cohort, on_cell: OnCell | None) -> tuple[State, str]:
    from sbwork.report.page import render_page
    from sbwork.report.running import run_notebook

    target = job.out / job.cohort
    relative = _relate(job.data, target)
    parameters = {**job.parameters, "cohort_name": job.cohort, "data": relative, "out": "."}
    told = {**parameters, "data": _shorten(relative)}
    sources = describe_sources(cohort, job.data, job.notebook, told)
    if not job.fresh and is_current(target, sources):
        return "unchanged", ""
    started = datetime.now(UTC)
    with StagedFolder(target) as staged:
        end = run_notebook(
            job.notebook.resolve(),
            staged.path.resolve(),
            parameters,
            timeout=job.timeout,
            threads=job.threads,
            on_cell=on_cell,
        )
        if end.state != "ok":
            reason = end.reason.replace(f"{relative}/", f"{job.data.as_posix()}/")
            if end.state == "failed":
                _keep_failed_notebook(staged.path, job)
            return end.state, reason
        problem = _check_results(staged.path)
        if problem:
            return "failed", problem
        executed = _tidy_notebook(staged.path / "report.ipynb", relative)
        page = render_page(executed, cohort, base=staged.path, made=started)
        (staged.path / "report.html").write_text(page, encoding="utf-8", newline="\n")
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
        write_manifest(staged.path, about, sources)
        staged.publish()
    (job.out / FAILED_FOLDER / f"{job.cohort}.ipynb").unlink(missing_ok=True)
    return "ok", ""


def _relate(data: Path, target: Path) -> str:
    """Return the data folder as seen from the report's, so that no report holds a full path."""
    try:
        return Path(os.path.relpath(data.resolve(), target.resolve())).as_posix()
    except ValueError:
        return data.resolve().as_posix()


def _check_results(folder: Path) -> str:
    for name in ("results.json", "results.csv"):
        if not (folder / name).is_file():
            return f"the notebook ran to its end but wrote no {name}"
    try:
        json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except ValueError:
        return "the notebook wrote a results.json that is not JSON"
    return ""


def _shorten(relative: str) -> str:
    """Keep the way to a data folder nearby; of one far off, its name, not the machine's folders."""
    path = PurePosixPath(relative)
    folders = [part for part in path.parts if part != ".."]
    return relative if len(folders) <= 1 and not path.is_absolute() else path.name


def _tidy_notebook(path: Path, relative: str) -> dict[str, Any]:
    """Drop times and paths from an executed notebook, so that the same run gives the same file."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    papermill = notebook["metadata"].pop("papermill", {})
    parameters = papermill.get("parameters", {})
    shown = {"data": _shorten(relative)} if "data" in parameters else {}
    notebook["metadata"]["papermill"] = {"parameters": {**parameters, **shown}}
    home = str(Path.home())
    for cell in notebook["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["id"] = "injected-parameters"
            source = "".join(cell["source"])
            cell["source"] = source.replace(f'"{relative}"', f'"{_shorten(relative)}"')
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"]).replace(home, "~")
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return notebook


def _keep_failed_notebook(staged: Path, job: ReportJob) -> None:
    ran = staged / "report.ipynb"
    if ran.is_file():
        kept = job.out / FAILED_FOLDER / f"{job.cohort}.ipynb"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(ran, kept)
