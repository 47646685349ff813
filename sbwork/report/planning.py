"""What a run will do, with every input checked before anything is run or written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbwork.report.parameters import check_parameters, read_parameters
from sbwork.report.producing import ReportJob
from sbwork.report.staging import check_folder
from sbwork.specs.cohort import find_cohorts, read_cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import read_instrument

__all__ = ["plan_jobs"]


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
    """Check everything that a run needs and return what it is to make.

    Parameters
    ----------
    cohorts : sequence of str
        Their names; none for all of them.
    data, out, notebook : Path
        The data folder, the folder of reports, and the notebook.
    parameters : sequence of str
        Texts ``"NAME=VALUE"`` for the notebook.
    timeout : float, optional
        The longest that one cell may take, in seconds.
    workers : int, default 1
        How many cohorts will run at a time; above one, each keeps to one thread.
    fresh : bool, default False
        Run also what is up to date.

    Returns
    -------
    list of ReportJob
        One a cohort, in the order given.

    Raises
    ------
    InputError
        Anything wrong with the cohorts' files, the notebook or its parameters: all problems of
        all the cohorts at once. Nothing has been run or written then.
    """
    known = find_cohorts(data)
    names = list(dict.fromkeys(cohorts)) or known
    problems: list[Problem] = []
    if not names:
        found = "no cohort is there" if data.is_dir() else "there is no such folder"
        allowed = "A cohort is a folder cohorts/NAME with a cohort.yml in it"
        problems.append(Problem(str(data), "", found, allowed))
    for name in names:
        problems += _check_cohort(name, known, data)
    try:
        values = check_parameters(parameters, read_parameters(notebook), notebook)
    except InputError as error:
        problems += error.problems
        values = {}
    try:
        check_folder(out)
    except InputError as error:
        problems += error.problems
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


def _check_cohort(name: str, known: list[str], data: Path) -> Sequence[Problem]:
    if name not in known:
        return [
            Problem(
                "COHORT",
                "",
                f"there is no cohort '{quote(name)}'",
                f"Cohorts in {data}: {list_names(known) or 'none'}",
                find_nearest(name, known),
            )
        ]
    try:
        cohort = read_cohort(name, data)
        if cohort.instrument:
            read_instrument(cohort.instrument, data)
    except InputError as error:
        return error.problems
    return []
