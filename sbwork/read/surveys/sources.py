"""One survey export of a cohort: its columns found, its sites and waves named, its rows chosen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.columns import Assignment, assign_columns
from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.personal import (
    FREE_TEXT,
    PERSON_ID,
    find_personal_content,
    find_personal_name,
    hash_ids,
    mask_text,
)
from sbwork.read.surveys.tables import Mask, RawTable, Texts
from sbwork.specs.cohort import Cohort, SurveySource
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument

__all__ = ["SurveyFile", "leave_out_duplicates", "name_cell", "open_survey"]

_MOST_UNKNOWN = 5
_TELLING_ID = 10
_WAVES = {"before": "before", "after": "after"}
_REASONS = {
    "repeated header rows": "header rows repeated among the answers",
    "unfinished": "answers that were not finished or not sent",
}


@dataclass
class SurveyFile:
    """One file on its way: what it holds, and which of its rows stay.

    Attributes
    ----------
    spec : SurveySource
        Its entry in cohort.yml.
    table : RawTable
        Its cells.
    columns : Assignment
        Which column holds what.
    wave, site, person : numpy.ndarray of str
        One entry a row of the table; the person is hashed.
    rows : numpy.ndarray of bool
        The rows that stay.
    quality : list of Check
        Lines for the table of data quality.
    """

    spec: SurveySource
    table: RawTable
    columns: Assignment
    wave: Texts
    site: Texts
    person: Texts
    rows: Mask
    quality: list[Check]


def open_survey(
    cohort: Cohort, instrument: Instrument, spec: SurveySource, path: Path, key: bytes
) -> SurveyFile:
    """Read a file and decide which of its rows enter the evaluation.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    instrument : Instrument
        The questionnaire.
    spec : SurveySource
        The file's entry in cohort.yml.
    path : Path
        The file.
    key : bytes
        The key that ids of people are hashed with.

    Returns
    -------
    SurveyFile
        The table, its columns, and the rows that stay.

    Raises
    ------
    InputError
        The file can't be read, or a column, a site or a wave is unknown; all of it at once.
    """
    table = read_table(path, spec.format)
    columns = assign_columns(table, spec, instrument)
    rows = table.kept
    note = f"read as {table.platform}"
    quality = [Check(CheckKind.ROWS_READ, "rows read", float(len(rows)), note)]
    quality += [
        _leave_out(reason, mask, _REASONS.get(reason, ""))
        for reason, mask in table.left_out.items()
    ]
    quality += [
        Check(CheckKind.READ, "how the file was read", math.nan, note) for note in table.notes
    ]
    problems: list[Problem] = []
    wave = _read_wave(table, spec, columns, rows, problems)
    site = _read_site(cohort, table, spec, columns, rows, problems)
    problems += _check_kept(table, columns, rows)
    if problems:
        raise InputError(problems)
    for name, values, given in (("wave", wave, spec.wave), ("site", site, spec.site)):
        if not given:
            blank = rows & (values == "")
            quality.append(_leave_out(f"no {name}", blank, f"the {name} is blank"))
            rows = rows & ~blank
    person = np.full(len(rows), "", dtype=object)
    if columns.person is not None:
        codes, ids = pd.factorize(table.read_column(columns.person))
        person = np.array([*hash_ids(map(str, ids), key), ""], dtype=object)[codes]
        blank = rows & (person == "")
        note = "kept, but not linked across waves"
        quality.append(Check(CheckKind.DOUBT, "without an id", float(blank.sum()), note))
    return SurveyFile(spec, table, columns, wave, site, person, rows, quality)


def _leave_out(reason: str, rows: Mask, note: str) -> Check:
    return Check(CheckKind.LEFT_OUT, f"left out: {reason}", float(rows.sum()), note)


def _read_wave(
    table: RawTable,
    spec: SurveySource,
    columns: Assignment,
    rows: Mask,
    problems: list[Problem],
) -> Texts:
    if columns.wave is None:
        return np.full(len(rows), spec.wave, dtype=object)
    known = {fold_answer(name): str(wave) for name, wave in (spec.waves or _WAVES).items()}
    names = list(spec.waves or _WAVES)
    return _translate(table, columns.wave, rows, known.get, ("wave", names), problems)


def _read_site(
    cohort: Cohort,
    table: RawTable,
    spec: SurveySource,
    columns: Assignment,
    rows: Mask,
    problems: list[Problem],
) -> Texts:
    if columns.site is None:
        return np.full(len(rows), spec.site, dtype=object)
    names = [n for key, site in cohort.sites.items() for n in (key, site.title, *site.names) if n]
    return _translate(table, columns.site, rows, cohort.identify_site, ("site", names), problems)


def _translate(
    table: RawTable,
    column: int,
    rows: Mask,
    identify: Callable[[str], str | None],
    named: tuple[str, Sequence[str]],
    problems: list[Problem],
) -> Texts:
    """Replace what a column says by the wave or the site that is meant."""
    kind, names = named
    codes, found = pd.factorize(table.read_column(column))
    labels = table.codes.get(column, {})
    meant: list[str] = []
    unknown: list[tuple[int, str]] = []
    for number, text in enumerate(map(str, found)):
        written = labels.get(text.strip(), text)
        plain = re.sub(r"^(\d+)\.0+$", r"\1", text.strip())
        meant.append(identify(fold_answer(written)) or identify(fold_answer(plain)) or "")
        if not meant[-1] and fold_answer(text):
            at = np.flatnonzero((codes == number) & rows)
            unknown += [(int(at[0]), written)] if len(at) else []
    shown = unknown[:_MOST_UNKNOWN]
    left = len(unknown) - len(shown)
    for place, written in shown:
        last = left and (place, written) == shown[-1]
        others = f", and {left} other texts in this column are none either" if last else ""
        problems.append(
            Problem(
                table.file,
                name_cell(table, place, column),
                f"'{quote(mask_text(written))}' is no {kind} of this cohort{others}",
                f"Known: {list_names(names) or 'none is given'}",
                find_nearest(written, names),
            )
        )
    translated: Texts = np.array([*meant, ""], dtype=object)[codes]
    return translated


def _check_kept(table: RawTable, columns: Assignment, rows: Mask) -> list[Problem]:
    problems = []
    for name, column in columns.keep.items():
        values = [str(value) for value in table.read_column(column)[rows]]
        kind = find_personal_name(name) or find_personal_content(values)
        if column in {columns.person, table.record}:
            kind = PERSON_ID
        if kind:
            found = f"the column '{quote(name)}' under 'keep' looks like personal data ({kind})"
            allowed = "Personal data are never kept: take it out of 'keep'"
            if kind == FREE_TEXT:
                allowed = "Free text is kept under 'stories' only"
            problems.append(Problem(table.file, "header", found, allowed))
    return problems


def leave_out_duplicates(sources: Sequence[SurveyFile]) -> None:
    """Leave out the same response met twice, then a person's later answers to the same wave.

    The rows of each file are narrowed in place, and what was left out is added to its quality.

    Parameters
    ----------
    sources : sequence of SurveyFile
        Every file of the cohort, in order.
    """
    seen: set[str] = set()
    for source in sources:
        record = source.table.record
        if record is None:
            continue
        ids = pd.Series(source.table.read_column(record), dtype=object)
        filled = np.asarray(ids.to_numpy() != "", dtype=bool)
        again = ids.duplicated().to_numpy() & filled & source.rows
        if len(sources) > 1:
            telling = np.asarray(ids.map(len) >= _TELLING_ID, dtype=bool) & source.rows
            again |= ids.isin(seen).to_numpy() & telling
            seen |= set(ids[telling])
        note = f"the same '{quote(source.table.names[record])}' stands in a row above"
        source.quality.append(_leave_out("the same response again", again, note))
        source.rows = source.rows & ~again
    if not sources:
        return
    everyone = pd.DataFrame(
        {
            "person": np.concatenate([source.person for source in sources]),
            "wave": np.concatenate([source.wave for source in sources]),
            "row": np.concatenate([source.rows for source in sources]),
        }
    )
    known = everyone[everyone["row"] & (everyone["person"] != "")]
    repeated = known.index[known.duplicated(["person", "wave"])]
    again = np.zeros(len(everyone), dtype=bool)
    again[repeated] = True
    ends = np.cumsum([len(source.rows) for source in sources])
    for source, mask in zip(sources, np.split(again, ends[:-1]), strict=True):
        if source.columns.person is not None:
            note = "the first finished answer of a person in a wave counts"
            source.quality.append(_leave_out("the person answered before", mask, note))
        source.rows = source.rows & ~mask


def name_cell(table: RawTable, row: int, column: int) -> str:
    """Return the place of a cell as a spreadsheet names it, for messages."""
    return f"row {table.rows[row]}, column '{quote(table.names[column])}'"
