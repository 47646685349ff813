"""What a run will do, with the command checked before anything is run or written."""

from __future__ import annotations

import ast
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sbwork.report.notebook import read_notebook
from sbwork.report.run import ReportJob
from sbwork.specs.cohort import find_cohorts, read_cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import read_instrument

__all__ = ["check_cohort", "check_parameters", "plan_jobs", "read_parameters"]

_SET_BY = {"cohort_name": "COHORT", "data": "--data", "out": "--out"}
_KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "bool": (bool, "true or false"),
    "None": (type(None), "nothing"),
    "list": (list, "a list"),
    "dict": (dict, "a mapping"),
}
_SPELLINGS = {"None": "null", "none": "null", "": "null", "True": "true", "False": "false"}


def plan_jobs(
    cohorts: Sequence[str],
    *,
    data: Path,
    out: Path,
    notebook: Path,
    parameters: Sequence[str] = (),
    timeout: float | None = None,
    workers: int = 1,
    fresh: bool = False,
) -> list[ReportJob]:
    """Return the reports to make; no cohort named means all of them.

    `parameters` are texts ``"NAME=VALUE"``, `timeout` is in seconds a cell. All that is wrong with
    the names of the cohorts, the notebook, its parameters and the output folder is raised as one
    `InputError`; what is wrong with a cohort's files is found as its report is made.
    """
    known = find_cohorts(data)
    names = list(dict.fromkeys(cohorts)) or known
    problems: list[Problem] = []
    if not names:
        found = "no cohort is there" if data.is_dir() else "there is no such folder"
        allowed = "A cohort is a folder cohorts/NAME with a cohort.yml in it"
        problems.append(Problem(str(data), "", found, allowed))
    allowed = f"Cohorts in {data}: {list_names(known) or 'none'}"
    problems += [
        Problem("COHORT", "", f"there is no cohort '{quote(n)}'", allowed, find_nearest(n, known))
        for n in names
        if n not in known
    ]
    values: dict[str, Any] = {}
    try:
        values = check_parameters(parameters, notebook)
    except InputError as error:
        problems += error.problems
    problems += _check_folder(out)
    if problems:
        raise InputError(problems)
    return [
        ReportJob(
            cohort=name,
            data=data,
            out=out,
            notebook=notebook,
            parameters=values,
            timeout=timeout,
            threads=1 if workers > 1 and len(names) > 1 else None,
            fresh=fresh,
        )
        for name in names
    ]


def read_parameters(notebook: Path) -> dict[str, tuple[str, ...]]:
    """Return the kinds of value that each parameter of a notebook takes, by name.

    The kinds are those of its annotation, else that of its default; any plain value is taken
    where neither tells.
    """
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    node = read_notebook(notebook)
    tagged = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        found = f"{len(tagged) or 'no'} cell{'s' * (len(tagged) > 1)} tagged 'parameters'"
        allowed = "A report's notebook has exactly one"
        raise InputError(Problem(str(notebook), "", f"{found} can be found", allowed))
    # papermill reads no annotation with a bar in it.
    tagged[0].source = tagged[0].source.replace(" | ", " or ")
    node.metadata.setdefault("kernelspec", {"name": "python3", "language": "python"})
    return {
        name: _choose_kinds(found["inferred_type_name"], found["default"])
        for name, found in papermill.inspect_notebook(node).items()
    }


def check_parameters(given: Sequence[str], notebook: Path) -> dict[str, Any]:
    """Return the values of texts ``"NAME=VALUE"``, checked against the notebook's parameters."""
    known = read_parameters(notebook)
    options = [name for name in known if name not in _SET_BY]
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        place = f"parameter '{quote(name)}'"
        if not equals or not name:
            found = f"'{quote(text)}' is not NAME=VALUE"
            problems.append(Problem("parameters", "", found, "Such as seed=7"))
        elif name in _SET_BY:
            problems.append(Problem(notebook.name, place, f"this one is set by {_SET_BY[name]}"))
        elif name not in known:
            found = "the notebook has no such parameter"
            allowed = f"Parameters: {list_names(options) or 'none'}"
            near = find_nearest(name, options)
            problems.append(Problem(notebook.name, place, found, allowed, near))
        else:
            try:
                values[name] = _read_value(value, known[name])
            except ValueError as error:
                problems.append(Problem(notebook.name, place, str(error)))
    lacking = [name for name in _SET_BY if name not in known]
    if lacking:
        found = f"it lacks {list_names(lacking)}"
        allowed = f"Every report's notebook has {list_names(list(_SET_BY))}"
        problems.append(Problem(notebook.name, "the parameters cell", found, allowed))
    if problems:
        raise InputError(problems)
    return values


def _choose_kinds(annotation: str, default: str) -> tuple[str, ...]:
    named = tuple(kind for kind in _KINDS if kind in re.findall(r"\w+", annotation))
    if annotation != "None" and named:
        return (*named, "None") if annotation.startswith("Optional[") else named
    try:
        kind = type(ast.literal_eval(default)).__name__
    except (ValueError, SyntaxError):
        kind = ""
    return (kind,) if kind in _KINDS else tuple(_KINDS)


def _read_value(text: str, kinds: tuple[str, ...]) -> Any:
    if kinds == ("str",):
        return text
    try:
        # NaN and Infinity, which JSON does not know, stay text.
        value = json.loads(_SPELLINGS.get(text, text), parse_constant=str)
    except ValueError:
        value = text
    types = tuple(_KINDS[kind][0] for kind in kinds)
    fits = isinstance(value, types) or ("float" in kinds and isinstance(value, int))
    if not fits or (isinstance(value, bool) and "bool" not in kinds):
        allowed = " or ".join(_KINDS[kind][1] for kind in kinds)
        raise ValueError(f"'{quote(text)}' is given, where {allowed} is wanted")
    return value


def check_cohort(name: str, data: Path) -> Sequence[Problem]:
    """Find what is wrong with a cohort's name, its cohort.yml and its questionnaire."""
    known = find_cohorts(data)
    if name not in known:
        found = f"there is no cohort '{quote(name)}'"
        allowed = f"Cohorts in {data}: {list_names(known) or 'none'}"
        return [Problem("COHORT", "", found, allowed, find_nearest(name, known))]
    try:
        cohort = read_cohort(name, data)
        if cohort.instrument:
            read_instrument(cohort.instrument, data)
    except InputError as error:
        return error.problems
    return []


def _check_folder(folder: Path) -> Iterator[Problem]:
    """Find why an output folder could not be written to."""
    if folder.exists() and not folder.is_dir():
        yield Problem(str(folder), "", "this is a file; a folder is wanted")
        return
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    try:
        # What Windows says of a folder's rights does not tell whether it can be written to.
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        yield Problem(str(folder), "", f"this folder can't be written to ({error.strerror})")
