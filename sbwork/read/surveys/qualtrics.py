"""Qualtrics exports: up to three header rows, previews and unfinished answers marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sbwork.read.surveys.tables import Grid, Mask, RawTable, Texts, build_table

__all__ = ["is_qualtrics", "mark_responses", "read_qualtrics"]

_IMPORT_ID = re.compile(r"""^\{\s*['"]+ImportId['"]+\s*:\s*['"]+([^'"]*)['"]""", re.I)
_SYSTEM = {
    "startdate": "start",
    "enddate": "end",
    "status": "status",
    "responsetype": "status",
    "ipaddress": "ip",
    "progress": "progress",
    "durationinseconds": "duration",
    "duration": "duration",
    "finished": "finished",
    "recordeddate": "recorded",
    "responseid": "record",
    "recordid": "record",
    "responseset": "set",
    "recipientlastname": "last name",
    "recipientfirstname": "first name",
    "recipientemail": "e-mail",
    "externalreference": "reference",
    "externaldatareference": "reference",
    "locationlatitude": "latitude",
    "locationlongitude": "longitude",
    "distributionchannel": "channel",
    "userlanguage": "language",
}
_NUMERIC = ("start", "end", "recorded", "progress", "duration")
_FINISHED = frozenset(
    ("1", "true", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "ja", "yes", "oui")
)
_UNFINISHED = frozenset(
    ("0", "false", "falsch", "faux", "falso", "onwaar", "nein", "no", "nee", "non")
)
_PREVIEW_WORDS = ("preview", "test", "vorschau", "aperçu", "vista previa", "anteprima", "prueba")
_TELLING = ("finished", "status", "progress", "duration", "record", "start")
_HEAD_ROWS = 8


def is_qualtrics(head: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first rows of a file are those of a Qualtrics export.

    Examples
    --------
    >>> is_qualtrics([["StartDate", "Finished", "ResponseId", "Q1"]])
    True
    >>> is_qualtrics([["site", "q1", "q2"]])
    False
    """
    return any(_count_system(row) >= 3 or _is_import_row(row) for row in head[:_HEAD_ROWS])


def read_qualtrics(grid: Grid) -> RawTable:
    """Tell headers from answers in a Qualtrics export, also one saved again by another program.

    Rows above the names are passed over, and a missing or translated second row and a missing
    third are no hindrance. With the first row lost, columns are called by the second or the third.

    Parameters
    ----------
    grid : Grid
        The file's cells.

    Returns
    -------
    RawTable
        Answers; previews, spam, and unfinished answers are marked in ``left_out``.

    Raises
    ------
    InputError
        No row of answers follows the header.
    """
    head = grid.list_head(_HEAD_ROWS + 4)
    imports = next((i for i, row in enumerate(head) if _is_import_row(row)), None)
    named = next((i for i, row in enumerate(head[:_HEAD_ROWS]) if _count_system(row) >= 3), None)
    if named is None or (imports is not None and named > imports):
        named = max(imports - 1, 0) if imports is not None else 0
    ids = _read_import_ids(head[imports]) if imports is not None else [""] * len(head[named])
    names = ids if named == imports else head[named]
    system = _find_system(names, ids)
    first = named + 1
    while first < len(head) and (
        (imports is not None and first <= imports) or _is_header(head[first], system)
    ):
        first += 1
    texts = [row for i, row in enumerate(head[named + 1 : first], named + 1) if i != imports]
    labels = (
        [next((text for text in column if text), "") for column in zip(*texts, strict=True)]
        if texts
        else list(names)
    )
    names = [name or label or found for name, label, found in zip(names, labels, ids, strict=True)]
    aliases = [(found,) if found else () for found in ids]
    table = build_table(grid, "qualtrics", first, names, labels, aliases)
    return mark_responses(table, ids)


def mark_responses(table: RawTable, ids: Sequence[str] = ()) -> RawTable:
    """Mark previews, spam and unfinished answers by the columns that Qualtrics always writes.

    Parameters
    ----------
    table : RawTable
        Answers, also from an SPSS file that Qualtrics wrote.
    ids : sequence of str
        The import ids of the columns, if any are known.

    Returns
    -------
    RawTable
        The same answers, with ``left_out`` and ``record`` filled in.
    """
    system = _find_system(table.names, ids)
    return replace(table, left_out=_mark_rows(table, system), record=system.get("record"))


def _fold(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _count_system(row: Sequence[str]) -> int:
    return len({_SYSTEM[key] for cell in row if (key := _fold(cell)) in _SYSTEM})


def _is_import_row(row: Sequence[str]) -> bool:
    return any(_IMPORT_ID.match(cell) for cell in row)


def _read_import_ids(row: Sequence[str]) -> list[str]:
    found = (_IMPORT_ID.match(cell) for cell in row)
    return [match[1] if match else "" for match in found]


def _find_system(names: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
    system: dict[str, int] = {}
    for row in (names, ids):
        for column, name in enumerate(row):
            key = _SYSTEM.get(_fold(name))
            if key:
                system.setdefault(key, column)
    return system


def _is_header(row: Sequence[str], system: dict[str, int]) -> bool:
    """Tell a second header row by words where an answer would have a date or a number."""
    cells = [row[system[key]] for key in _NUMERIC if key in system and row[system[key]]]
    if cells:
        wordy = sum(not any(char.isdigit() for char in cell) and cell != "NA" for cell in cells)
        return wordy > len(cells) / 2
    finished = row[system["finished"]].casefold() if "finished" in system else ""
    return bool(finished) and finished not in _FINISHED | _UNFINISHED


def _mark_rows(table: RawTable, system: dict[str, int]) -> dict[str, Mask]:
    count = len(table.rows)
    repeated = np.zeros(count, dtype=bool)
    column = next((system[key] for key in _TELLING if key in system), None)
    if column is not None:
        headers = {table.names[column].casefold(), table.labels[column].casefold()} - {""}
        repeated = _mark(
            table.read_column(column), lambda text: text in headers or _is_import_row([text])
        )
    preview, spam = np.zeros((2, count), dtype=bool)
    if "status" in system:
        status = table.read_column(system["status"])
        preview = _mark(status, _is_preview)
        spam = _mark(status, _is_spam) & ~preview
    unfinished = np.zeros(count, dtype=bool)
    unknown = np.ones(count, dtype=bool)
    if "finished" in system:
        finished = table.read_column(system["finished"])
        unfinished = _mark(finished, lambda text: text in _UNFINISHED)
        unknown = ~unfinished & ~_mark(finished, lambda text: text in _FINISHED)
    if "progress" in system and unknown.any():
        progress = table.read_column(system["progress"])
        unfinished |= unknown & _mark(
            progress, lambda text: text.isdecimal() and len(text) < 4 and int(text) < 100
        )
    marks: dict[str, Mask] = {}
    taken = np.zeros(count, dtype=bool)
    for reason, mask in (
        ("repeated header rows", repeated),
        ("previews and tests", preview),
        ("marked as spam by Qualtrics", spam),
        ("unfinished", unfinished),
    ):
        marks[reason] = mask & ~taken
        taken |= mask
    return marks


def _mark(values: Texts, test: Callable[[str], bool]) -> Mask:
    codes, found = pd.factorize(values)
    verdicts = [test(str(text).strip().casefold()) for text in found]
    return np.array([*verdicts, False], dtype=bool)[codes]


def _is_preview(text: str) -> bool:
    if text.isdecimal():
        return len(text) < 4 and bool(int(text) & 3)
    return any(word in text for word in _PREVIEW_WORDS)


def _is_spam(text: str) -> bool:
    if text.isdecimal():
        return len(text) < 4 and bool(int(text) & 8)
    return "spam" in text
