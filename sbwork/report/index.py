"""reports/index.html: every cohort with its state, and the picture across them."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from sbwork.render.blocks import Picture
from sbwork.report.forest import ForestRow, draw_forest, pick_rows
from sbwork.report.manifest import read_manifest, read_mapping
from sbwork.report.page import format_date, render_template
from sbwork.report.run import FAILED_FOLDER, Outcome
from sbwork.specs.cohort import Cohort, find_cohorts, read_cohort
from sbwork.stats.findings import combine_findings

__all__ = ["CohortEntry", "list_entries", "write_index"]

_STATUS = {"real": "real data", "invented": "invented data", "reported": "reported figures only"}
_STATES = {
    "ok": "made",
    "unchanged": "unchanged",
    "failed": "failed",
    "bad input": "bad input",
    "": "not run yet",
}
_FILES = (
    ("report.html", "report"),
    ("results.csv", "numbers (CSV)"),
    ("results.json", "numbers (JSON)"),
    ("report.ipynb", "notebook"),
    ("manifest.json", "manifest"),
)

_FOLDERS = re.compile(
    r"(?<![\w.~])(?:(?:[A-Za-z]:)?[\\/](?=\S)|(?:\.\.[\\/])+|~[\\/])(?:[^\\/\n'\":]+[\\/])*"
)
"""The way to a file from this machine's root or home, or from outside the project."""


@dataclass(frozen=True, slots=True)
class CohortEntry:
    """One cohort's card: how its last run ended, and what there is of its report.

    `files` are addresses relative to the index with what to call them, `rows` its part of the
    picture.
    """

    name: str
    title: str
    state: str
    reason: str
    data_status: str
    evidence: str
    made: str
    files: tuple[tuple[str, str], ...]
    rows: tuple[ForestRow, ...]


def list_entries(out: Path, data: Path, outcomes: Iterable[Outcome]) -> list[CohortEntry]:
    """List by name every cohort that has a file or a report.

    Those that are not among `outcomes` keep the state of their last run.
    """
    states = {
        name: {key: str(value) for key, value in last.items()}
        for name, last in read_mapping(out / "index.json").items()
        if isinstance(last, dict)
    }
    states |= {
        o.cohort: {"state": o.state, "reason": _FOLDERS.sub("…/", o.reason)} for o in outcomes
    }
    reported = [path.parent.name for path in out.glob("[!._]*/manifest.json")]
    names = sorted({*find_cohorts(data), *reported})
    return [_make_entry(name, out, data, states.get(name, {})) for name in names]


def write_index(out: Path, data: Path, outcomes: Iterable[Outcome]) -> Path:
    """Write ``index.html`` and the states behind it, ``index.json``; return the page."""
    out.mkdir(parents=True, exist_ok=True)
    entries = list_entries(out, data, outcomes)
    rows = [row for entry in entries for row in entry.rows]
    now = datetime.now(UTC)
    page = render_template(
        "index.html.j2",
        entries=entries,
        states=_STATES,
        forest=_draw(rows),
        made=now,
        made_text=format_date(now),
    )
    states = {entry.name: {"state": entry.state, "reason": entry.reason} for entry in entries}
    _write_whole(out / "index.json", json.dumps(states, indent=2, ensure_ascii=False) + "\n")
    _write_whole(out / "index.html", page)
    return out / "index.html"


def _draw(rows: list[ForestRow]) -> Picture | None:
    """Draw the picture; none where what somebody changed in a report can't be drawn."""
    try:
        return draw_forest(rows)
    except Exception:
        return None


def _make_entry(name: str, out: Path, data: Path, last: Mapping[str, str]) -> CohortEntry:
    folder = out / name
    manifest = read_manifest(folder)
    cohort = _read_or_recall(name, data, manifest)
    status = _STATUS[cohort.data_status] + (", rehearsal" if cohort.rehearsal else "")
    level, findings = _read_results(folder / "results.json")
    files = [(f"{name}/{file}", label) for file, label in _FILES if (folder / file).is_file()]
    if (out / FAILED_FOLDER / f"{name}.ipynb").is_file():
        files.append((f"{FAILED_FOLDER}/{name}.ipynb", "notebook of the failed run"))
    try:
        made = format_date(datetime.fromisoformat(manifest.get("finished", "")))
    except (ValueError, TypeError):
        made = ""
    try:
        rows = tuple(pick_rows(findings, cohort, "" if status == "real data" else status))
    except Exception:
        rows = ()
    return CohortEntry(
        name=name,
        title=cohort.display_title,
        state=last.get("state", "ok" if manifest else ""),
        reason=last.get("reason", ""),
        data_status=status,
        evidence=f"level {level:g} of 5" if level is not None else "",
        made=made,
        files=tuple((quote(os.fsencode(address)), label) for address, label in files),
        rows=rows,
    )


def _read_or_recall(name: str, data: Path, manifest: Mapping[str, Any]) -> Cohort:
    """Read the cohort's file; where that is gone or broken, go by the report's manifest."""
    known = {key: manifest[key] for key in ("title", "data_status", "rehearsal") if key in manifest}
    try:
        return read_cohort(name, data)
    except Exception:
        with contextlib.suppress(ValueError):
            # A folder that somebody copied may have a name that no cohort can have.
            return Cohort(name="copy", **known).model_copy(update={"name": name})
        return Cohort.model_construct(name=name)


def _read_results(path: Path) -> tuple[float | None, pd.DataFrame]:
    """Read from results.json the level of evidence and the findings."""
    content = read_mapping(path)
    level = content.get("evidence_level")
    try:
        findings = combine_findings([pd.DataFrame(content["results"])])
    except Exception:
        return None, combine_findings([])
    return (level if isinstance(level, int | float) else None), findings


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode(errors="replace"))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
