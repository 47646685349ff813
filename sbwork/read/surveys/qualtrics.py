"""Qualtrics exports: up to three header rows, previews and unfinished answers marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sbwork.read.surveys.tables import Grid, Mask, RawTable, build_table, map_texts

_IMPORT_ID = re.compile(r"""^\{\s*['"]+ImportId['"]+\s*:\s*['"]+([^'"]*)['"]""", re.I)
_COLUMNS = {
    "start": "startdate",
    "end": "enddate",
    "status": "status responsetype",
    "progress": "progress",
    "duration": "durationinseconds duration",
    "finished": "finished",
    "recorded": "recordeddate",
    "record": "responseid recordid",
    "reference": "externalreference externaldatareference",
}
_OTHERS = "ipaddress responseset recipientlastname recipientfirstname recipientemail "
_OTHERS += "locationlatitude locationlongitude distributionchannel userlanguage"
_SYSTEM = {name: key for key, names in _COLUMNS.items() for name in names.split()}
_SYSTEM |= {name: name for name in _OTHERS.split()}
_NUMERIC = ("start", "end", "recorded", "progress", "duration")
_FINISHED = frozenset(
    ("1", "true", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "ja", "yes", "oui")
)
_UNFINISHED = frozenset(
    ("0", "false", "falsch", "faux", "falso", "onwaar", "nein", "no", "nee", "non")
)
_PREVIEW_WORDS = ("preview", "test", "vorschau", "aperçu", "vista previa", "anteprima", "prueba")
_PREVIEW_BITS, _SPAM_BIT = 3, 8
_HEADER_COLUMNS = ("finished", "status", "progress", "duration", "record", "start")
_HEAD_ROWS = 8


def is_qualtrics(head: Sequence[Sequence[str]]) -> bool:
    """Return whether the first rows of a file are those of a Qualtrics export."""
    return any(_count_system(row) >= 3 or _is_import_row(row) for row in head[:_HEAD_ROWS])


def read_qualtrics(grid: Grid) -> RawTable:
    """Separate headers from answers in a Qualtrics export, also one saved by another program.

    Rows above the names are passed over, and a missing or translated second row and a missing
    third are no hindrance. With the first row lost, columns are called by the second or the third.
    """
    head = grid.list_head(_HEAD_ROWS + 4)
    imports = next((i for i, row in enumerate(head) if _is_import_row(row)), None)
    named = next((i for i, row in enumerate(head[:_HEAD_ROWS]) if _count_system(row) >= 3), None)
    if named is None or (imports is not None and named > imports):
        named = max(imports - 1, 0) if imports is not None else 0
    ids = [""] * len(head[named])
    if imports is not None:
        found = (_IMPORT_ID.match(cell) for cell in head[imports])
        ids = [match[1] if match else "" for match in found]
    names = ids if named == imports else head[named]
    system = _find_system(names, ids)
    first = named + 1
    while first < len(head) and (
        (imports is not None and first <= imports) or _is_header(head[first], system)
    ):
        first += 1
    texts = [row for i, row in enumerate(head[named + 1 : first], named + 1) if i != imports]
    labels = list(names)
    if texts:
        labels = [next(filter(None, column), "") for column in zip(*texts, strict=True)]
    names = [name or label or own for name, label, own in zip(names, labels, ids, strict=True)]
    aliases = [(own,) if own else () for own in ids]
    return mark_responses(build_table(grid, "qualtrics", first, names, labels, aliases), ids)


def mark_responses(table: RawTable, ids: Sequence[str] = ()) -> RawTable:
    """Mark previews, spam and unfinished answers by the columns that Qualtrics always writes.

    The table may come from an SPSS file that Qualtrics wrote; `ids` are the import ids of its
    columns, if any are known.
    """
    system = _find_system(table.names, ids)
    nobody = np.zeros(len(table.rows), dtype=bool)

    def mark(key: str, test: Callable[[str], bool]) -> Mask:
        if key not in system:
            return nobody
        values = table.read_column(system[key])
        marked: Mask = map_texts(values, lambda text: test(text.strip().casefold()), bool)
        return marked

    key = next((key for key in _HEADER_COLUMNS if key in system), "")
    column = system.get(key, 0)
    headers = {table.names[column].casefold(), table.labels[column].casefold()} - {""}
    unfinished = mark("finished", _UNFINISHED.__contains__)
    unknown = ~unfinished & ~mark("finished", _FINISHED.__contains__)
    masks = {
        "repeated header rows": mark(key, lambda text: text in headers or _is_import_row([text])),
        "previews and tests": mark("status", _is_preview),
        "marked as spam by Qualtrics": mark("status", _is_spam),
        "unfinished": unfinished | (unknown & mark("progress", _is_under_way)),
    }
    left_out, taken = dict(table.left_out), ~table.kept
    for reason, mask in masks.items():
        left_out[reason] = left_out.get(reason, nobody) | (mask & ~taken)
        taken = taken | mask
    return replace(table, left_out=left_out, record=system.get("record"))


def _fold(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _count_system(row: Sequence[str]) -> int:
    return len({_SYSTEM[key] for cell in row if (key := _fold(cell)) in _SYSTEM})


def _is_import_row(row: Sequence[str]) -> bool:
    return any(_IMPORT_ID.match(cell) for cell in row)


def _find_system(names: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
    """Return the columns that Qualtrics adds to every export, by what they hold."""
    system: dict[str, int] = {}
    for row in (names, ids):
        for column, name in enumerate(row):
            key = _SYSTEM.get(_fold(name))
            if key:
                system.setdefault(key, column)
    return system


def _is_header(row: Sequence[str], system: dict[str, int]) -> bool:
    """Return whether a row has words where an answer would have a date or a number."""
    cells = [row[system[key]] for key in _NUMERIC if key in system and row[system[key]]]
    if cells:
        wordy = sum(not any(char.isdigit() for char in cell) and cell != "NA" for cell in cells)
        return wordy > len(cells) / 2
    finished = row[system["finished"]].casefold() if "finished" in system else ""
    return bool(finished) and finished not in _FINISHED | _UNFINISHED


def _is_short_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 4


def _is_preview(text: str) -> bool:
    if text.isdecimal():
        return _is_short_number(text) and bool(int(text) & _PREVIEW_BITS)
    return any(word in text for word in _PREVIEW_WORDS)


def _is_spam(text: str) -> bool:
    if text.isdecimal():
        return _is_short_number(text) and bool(int(text) & _SPAM_BIT)
    return "spam" in text


def _is_under_way(text: str) -> bool:
    return _is_short_number(text) and int(text) < 100
