"""A report marked as published, and what a reader knows from it kept beside cohort.yml."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sbwork.evaluation import evaluate_cohort
from sbwork.grade.releases import (
    CELLS,
    FOLDER,
    RELEASE,
    RESULTS,
    hash_text,
    list_releases,
    name_release,
    read_releases,
    write_cells,
)
from sbwork.report.manifest import list_inputs, read_manifest
from sbwork.report.results import escape_formulas
from sbwork.report.staging import remove_empty, stage_folder
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError, Problem, list_names, quote
from sbwork.specs.files import hash_file, hash_package

__all__ = ["keep_release", "release_report"]


def release_report(name: str, data: Path, reports: Path) -> Path:
    """Keep what a reader knows from a cohort's report; later ones are compared with it.

    Parameters
    ----------
    name : str
        The cohort's name.
    data : Path
        The folder that holds ``cohorts/``.
    reports : Path
        The folder that the report was written to.

    Returns
    -------
    Path
        The folder ``releases/DATE-HASH`` beside cohort.yml: ``results.csv`` as it was published,
        ``cells.json`` (numbers of people and of incidents that a reader knows, and the sums that
        tie them to those hidden) and ``release.json``.

    Raises
    ------
    InputError
        There is no report, it is not of the files as they are now, or it is released already.
    """
    cohort = read_cohort(name, data)
    report = reports / name
    manifest = read_manifest(report)
    again = f"Make it with 'sbwork report {name}', look at it, then release it"
    if not manifest or not (report / RESULTS).is_file():
        raise InputError(Problem(str(report), "", "there is no finished report here", again))
    results = (report / RESULTS).read_bytes()
    read_releases(cohort.folder)
    for folder in list_releases(cohort.folder):
        if hash_text((folder / RESULTS).read_bytes()) == hash_text(results):
            found = f"this report was released already, as {folder.name}"
            raise InputError(Problem(str(report), "", found, "Nothing more has to be done"))
    if found := _find_change(report, manifest, cohort, data):
        raise InputError(Problem(str(report), "", found, again))
    shown = evaluate_cohort(name, data, seed=manifest.get("seed")).publishable
    if not _is_same(escape_formulas(shown.findings), pd.read_csv(io.BytesIO(results))):
        found = "its results are not those that the files give"
        raise InputError(Problem(str(report), "", found, again))
    return keep_release(cohort, results, shown.cells)


def keep_release(cohort: Cohort, results: bytes, known: Mapping[str, Any]) -> Path:
    """Write what a reader knows of a published report into a folder of its own."""
    cells = write_cells(known).encode()
    day = datetime.now(UTC).astimezone().date().isoformat()
    about = {
        "released": day,
        "cohort": cohort.name,
        "version": metadata.version("sbwork"),
        "smallest_group": cohort.smallest_group,
        "smallest_count": cohort.smallest_count,
        "files": {RESULTS: hash_text(results), CELLS: hash_text(cells)},
    }
    release = (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()
    target = cohort.folder / FOLDER / name_release(day, release)
    if target.exists():
        return target
    try:
        with stage_folder(target) as staged:
            for each, content in ((RESULTS, results), (CELLS, cells), (RELEASE, release)):
                (staged / each).write_bytes(content)
    finally:
        remove_empty(target.parent)
    return target


def _find_change(report: Path, manifest: Mapping[str, Any], cohort: Cohort, data: Path) -> str:
    """Say what a report was not made from; empty where it is of the files as they are."""
    outputs = manifest.get("outputs", {})
    for name, digest in outputs.items():
        if not (report / name).is_file() or hash_file(report / name) != digest:
            return f"'{quote(name)}' was changed after the report was made"
    now = {name: hash_file(path) for name, path in list_inputs(cohort, data).items()}
    then = manifest.get("inputs", {})
    changed = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if changed:
        return f"the report was made from other files: {list_names(changed)} changed since"
    if manifest.get("code", {}).get("sha256") != hash_package():
        return "the report was made by another version of sbwork"
    return ""


def _is_same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    numbers = ["estimate", "n"]
    return len(one) == len(other) and np.allclose(one[numbers], other[numbers], equal_nan=True)
