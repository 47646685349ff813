"""One survey export of a cohort: its columns found, its sites and waves named, its rows chosen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
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
    find_personal_content,
    find_personal_name,
    hash_ids,
)
from sbwork.read.surveys.tables import Mask, RawTable, Texts, list_texts
from sbwork.read.workbooks import SHEET
from sbwork.specs.cohort import Cohort, SurveySource
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument
from sbwork.specs.masks import PERSON_ID, describe_cell

_MOST_UNKNOWN = 5
_LONG_ID = 10
_FEW_REPEATED = 4
_MOST_REPEATED = 0.1
_REASONS = {
    "repeated header rows": "header rows repeated among the answers",
    "notes below the table": "rows that say something about the table",
    "unfinished": "answers that were not finished or not sent",
}


@dataclass
class SurveyFile:
    """One file on its way: what it holds, and which of its rows stay.

    `wave`, `site`, `person` and `cluster` (both hashed) have an entry a row of the table; `rows`
    are those that stay; `quality` are lines for the table of data quality.
    """

    spec: SurveySource
    table: RawTable
    columns: Assignment
    wave: Texts
    site: Texts
    person: Texts
    cluster: Texts
    rows: Mask
    quality: list[Check]


def open_survey(
    cohort: Cohort, instrument: Instrument, spec: SurveySource, path: Path, key: bytes
) -> SurveyFile:
    """Read a file and decide which of its rows enter the evaluation.

    `key` is what ids of people and clusters are hashed with. An InputError lists all that is wrong.
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
        Check(CheckKind.READ, "how the file was read", math.nan, note)
        for note in (*table.notes, *columns.notes)
    ]
    problems: list[Problem] = []
    waves = spec.waves or {"before": "before", "after": "after"}
    known = {fold_answer(name): str(wave) for name, wave in waves.items()}
    sites = [n for key, site in cohort.sites.items() for n in (key, site.title, *site.names) if n]
    wave = np.full(len(rows), spec.wave or "", dtype=object)
    site = np.full(len(rows), spec.site, dtype=object)
    if columns.wave is not None:
        wave = _translate(table, columns.wave, rows, known.get, "wave", [*waves], problems)
    if columns.site is not None:
        site = _translate(table, columns.site, rows, cohort.identify_site, "site", sites, problems)
    problems += _check_sheets(cohort, spec, table, known)
    problems += _check_kept(table, columns, rows)
    if problems:
        raise InputError(problems)
    for name, values, given in (("wave", wave, spec.wave), ("site", site, spec.site)):
        if not given:
            blank = rows & (values == "")
            quality.append(_leave_out(f"no {name}", blank, f"the {name} is blank"))
            kept, lost = float((rows & ~blank).sum()), float(blank.sum())
            quality.append(Check(CheckKind.JOIN, f"survey_{name}s", kept, lost=lost))
            rows = rows & ~blank
    person = np.full(len(rows), "", dtype=object)
    if columns.person is not None:
        for name in dict.fromkeys(site[rows]):
            here = rows & (site == name)
            person[here] = _hash_column(table, columns.person, here, key + str(name).encode())
        unlinked = float((rows & (person == "")).sum())
        note = "kept, but not linked across waves"
        quality.append(Check(CheckKind.DOUBT, "without an id", unlinked, note))
    cluster = np.full(len(rows), "", dtype=object)
    if columns.cluster is not None:
        cluster[rows] = _hash_column(table, columns.cluster, rows, key + b"/cluster")
        alone = float((rows & (cluster == "")).sum())
        note = "kept, each as a cluster of their own"
        quality.append(Check(CheckKind.DOUBT, "without a cluster", alone, note))
    return SurveyFile(spec, table, columns, wave, site, person, cluster, rows, quality)


def _hash_column(table: RawTable, column: int, rows: Mask, key: bytes) -> Texts:
    codes, texts = list_texts(table.read_column(column)[rows])
    hashed: Texts = np.array(hash_ids(texts, key), dtype=object)[codes]
    return hashed


def _leave_out(reason: str, rows: Mask, note: str) -> Check:
    return Check(CheckKind.LEFT_OUT, f"left out: {reason}", float(rows.sum()), note)


def _translate(
    table: RawTable,
    column: int,
    rows: Mask,
    identify: Callable[[str], str | None],
    kind: str,
    names: Sequence[str],
    problems: list[Problem],
) -> Texts:
    """Replace what a column says by the wave or the site that is meant; other rows are blank."""
    codes, texts = list_texts(table.read_column(column)[rows])
    labels = table.codes.get(column, {})
    meant: list[str] = []
    unknown: list[tuple[int, str, str]] = []
    for number, text in enumerate(texts):
        written = labels.get(text.strip(), text)
        plain = re.sub(r"^(\d+)\.0+$", r"\1", text.strip())
        meant.append(next(filter(None, map(identify, (written, fold_answer(written), plain))), ""))
        if not meant[-1] and fold_answer(text):
            row = int(np.flatnonzero(rows)[np.argmax(codes == number)])
            found = f"{describe_cell(text)} is no {kind} of this cohort"
            unknown.append((row, written, found))
    known = f"Known: {list_names(names) or 'none is given'}"
    problems += report_unknown(table, column, unknown, names, known, _MOST_UNKNOWN)
    translated = np.full(len(rows), "", dtype=object)
    translated[rows] = np.array(meant, dtype=object)[codes]
    return translated


def report_unknown(
    table: RawTable,
    column: int,
    unknown: Sequence[tuple[int, str, str]],
    names: Sequence[str],
    allowed: str,
    most: int,
) -> list[Problem]:
    """Report texts of a column that mean nothing, the first of them and how many more there are.

    Each of `unknown` is a row, the text, and what is wrong with it.
    """
    shown, left = unknown[:most], len(unknown) - most
    problems = []
    for number, (row, text, found) in enumerate(shown, 1):
        if left > 0 and number == most:
            found += f", and {left} other texts in this column are none either"
        place, near = table.name_cell(row, column), find_nearest(text, names)
        problems.append(Problem(table.file, place, found, allowed, near))
    return problems


def _check_sheets(
    cohort: Cohort, spec: SurveySource, table: RawTable, waves: Mapping[str, str]
) -> list[Problem]:
    """Refuse sheets read together that name other waves or sites than the file is given."""
    found = []
    for title in table.sheets:
        wave, site = waves.get(fold_answer(title)), cohort.identify_site(fold_answer(title))
        if (spec.wave and wave and wave != spec.wave) or (
            spec.site and site and site != cohort.identify_site(spec.site)
        ):
            found.append(title)
    if not found:
        return []
    words = f"sheets alike are read together, but {list_names(found)} names another wave or site"
    hint = f"Name the column '{SHEET}' as 'wave_column' or 'site_column'"
    return [Problem(table.file, "", words, hint)]


def _check_kept(table: RawTable, columns: Assignment, rows: Mask) -> list[Problem]:
    """Refuse personal data under 'keep'."""
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


def leave_out_duplicates(sources: Sequence[SurveyFile]) -> list[Problem]:
    """Leave out the same response met twice: a platform's own number, or an id with its answers.

    The rows of each file are narrowed in place, and what was left out is added to its quality.
    Ids and short numbers start again in every file, wave and site; rows with one id and different
    answers are different people, and are not linked. Returned is a problem for each file of which
    more than a tenth would go.
    """
    seen: set[str] = set()
    for source in sources:
        record = source.table.record
        if record is None:
            continue
        ids = pd.Series(source.table.read_column(record), dtype=object)
        again = np.zeros(len(ids), dtype=bool)
        if len(sources) > 1 or ids.duplicated().any():
            long = np.asarray(ids.map(len) >= _LONG_ID, dtype=bool) & source.rows
            again = (ids.duplicated() | ids.isin(seen)).to_numpy() & long
            again |= _find_repeated(source, ids.where(~long, ""), [*source.table.cells])
            seen |= set(ids[long])
        note = f"the same '{quote(source.table.names[record])}' is in a row above"
        source.quality.append(_leave_out("the same response again", again, note))
        source.rows = source.rows & ~again
    problems = []
    for source in sources:
        column = source.columns.person
        if column is None:
            continue
        ids = pd.Series(source.person, dtype=object)
        again = _find_repeated(source, ids, [column, *source.columns.items.values()])
        again &= ~_find_shared(ids, again, source)
        if again.sum() > max(_FEW_REPEATED, source.rows.sum() * _MOST_REPEATED):
            name = quote(source.table.names[column])
            found = f"{again.sum()} of {source.rows.sum()} rows repeat an id and its answers"
            allowed = "Take the repeated rows out, or leave out 'person_column' if it is no id"
            problems.append(Problem(source.table.file, f"column '{name}'", found, allowed))
        note = "the same id with the same answers is in a row above"
        source.quality.append(_leave_out("the person answered before", again, note))
        source.rows = source.rows & ~again
    _unlink_shared(sources)
    return problems


def _find_repeated(source: SurveyFile, ids: pd.Series, columns: Sequence[int]) -> Mask:
    """Find rows that repeat one above, with its id, wave and site, in `columns`."""
    rows = source.rows & ((ids != "") & ids.duplicated(keep=False)).to_numpy()
    frame = source.table.cells.loc[rows, list(dict.fromkeys(columns))]
    frame.columns = pd.RangeIndex(frame.shape[1])
    frame = frame.assign(wave=source.wave[rows], site=source.site[rows])
    again = np.zeros(len(rows), dtype=bool)
    again[rows] = frame.duplicated().to_numpy()
    return again


def _find_shared(ids: pd.Series, again: Mask, source: SurveyFile) -> Mask:
    """Find rows whose id others of their wave and site use with other answers: it is nobody's."""
    first = source.rows & ~again & (ids != "").to_numpy()
    frame = pd.DataFrame({"person": ids, "wave": source.wave, "site": source.site})
    shared = frame[first][frame[first].duplicated().to_numpy()]
    mask: Mask = pd.MultiIndex.from_frame(frame).isin(pd.MultiIndex.from_frame(shared))
    return mask


def _unlink_shared(sources: Sequence[SurveyFile]) -> None:
    """Take the id from all who share it within a wave and a site, since it is nobody's own."""
    named = [source for source in sources if source.columns.person is not None]
    frames = [
        pd.DataFrame({"person": s.person, "wave": s.wave, "site": s.site})[
            s.rows & (s.person != "")
        ]
        for s in named
    ]
    if not frames:
        return
    everyone = pd.concat(frames)
    people = set(everyone.loc[everyone.duplicated(keep=False).to_numpy(), "person"])
    for source in named:
        mask = pd.Series(source.person).isin(people).to_numpy()
        note = "an id that several people of one wave and site share: kept, but not linked"
        count = float((mask & source.rows).sum())
        source.quality.append(Check(CheckKind.DOUBT, "with a shared id", count, note))
        source.person = np.where(mask, "", source.person).astype(object)
