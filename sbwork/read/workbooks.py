"""Excel workbooks: their visible sheets, cells as text, and which sheets belong together."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sbwork.specs.errors import InputError, Problem, list_names, quote
from sbwork.specs.files import measure_file

__all__ = [
    "NOTE",
    "SHEET",
    "describe_sheets",
    "find_header",
    "iterate_rows",
    "open_workbook",
    "sort_sheets",
]

SHEET = "Sheet"
"""The column that names the sheet of each row, where several are read together."""

NOTE = re.compile(
    r"\W*(?:source|notes?|caveats?|disclaimer|copyright|total rows|\d+ rows|page \d+|end of"
    r"|(?:exported|downloaded|generated|created|produced|printed|updated)(?: at| by| from| on))\b"
    r"|©|n ?= ?\d",
    re.IGNORECASE,
)
"""What the rows below a table begin with that say something about it."""

_EXPORT_AGAIN = "Open it in Excel and save it again, as .xlsx or as CSV UTF-8"
_FEW_ROWS = 5
_LAST_ROW = 1_048_576
_MOST_CELLS = 2_000_000
_SMALL, _HIGHEST_RATIO = 20_000_000, 60
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"')


@contextmanager
def open_workbook(path: Path, shown: str, largest: float) -> Iterator[tuple[list[Any], list[Any]]]:
    """Give the visible and the hidden sheets of a workbook.

    `largest` is how many bytes it may unpack to. An InputError says that it is damaged, that it
    would fill the memory, or that it is no spreadsheet.
    """
    import openpyxl

    with _explain_damage(shown, "opened"):
        _refuse_bomb(path, shown, largest)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    with closing(book):
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        yield visible, [sheet for sheet in book.worksheets if sheet not in visible]


@contextmanager
def _explain_damage(shown: str, step: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception:
        found = f"the workbook is damaged and can't be {step}"
        raise InputError(Problem(shown, "", found, _EXPORT_AGAIN)) from None


def _refuse_bomb(path: Path, shown: str, largest: float) -> None:
    """Refuse what would fill the memory, or is no spreadsheet, before any of it is interpreted."""
    packed = measure_file(path, shown, largest)
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > min(largest, max(_SMALL, packed * _HIGHEST_RATIO)):
            found = f"the workbook unpacks to {unpacked / 1e6:,.0f} MB"
            raise InputError(Problem(shown, "", found, "Save the sheet of data as CSV UTF-8"))
        for member in archive.infolist():
            with archive.open(member) as part:
                if b"<!DOCTYPE" in part.read(2000).upper():
                    found = "the workbook holds a document type, as no spreadsheet does"
                    raise InputError(Problem(shown, "", found, _EXPORT_AGAIN))


def iterate_rows(
    path: Path, sheet: Any, shown: str, most: int = _MOST_CELLS
) -> Iterator[list[str]]:
    """Read the rows of a sheet as text, without the empty cells at their ends.

    An InputError says that there are more than `most` cells, empty ones and all.

    Whole numbers have no decimals, dates are in ISO form, and a cell merged over several rows
    gives its value to each that holds another. Formulas give the value that Excel last worked out.
    """
    with _explain_damage(shown, "read"):
        spans = _find_spans(path, sheet)
        sheet.reset_dimensions()
        rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    merged: list[tuple[int, int, str]] = []
    cells = 0
    while True:
        with _explain_damage(shown, "read"):
            number, values = next(rows, (0, ()))
        if not number:
            return
        cells += 1 + len(values) + len(merged)
        if cells > most or number > _LAST_ROW:
            found = f"the sheet '{quote(sheet.title)}' holds more than {most:,} cells"
            hint = "Delete what is empty beside and below the table, or save it as CSV UTF-8"
            raise InputError(Problem(shown, "", found, hint))
        row = [_write_cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if merged or number in spans:
            merged = [span for span in merged if span[0] >= number]
            for _, at, value in merged if row else ():
                row += [""] * (at + 1 - len(row))
                row[at] = value
            merged += [(end, at, row[at]) for end, at in spans.get(number, ()) if at < len(row)]
        yield row


def _find_spans(path: Path, sheet: Any) -> dict[int, list[tuple[int, int]]]:
    """Return by the first row of merged cells the last one, and the column counted from 0."""
    from openpyxl.utils import range_boundaries

    spans: dict[int, list[tuple[int, int]]] = {}
    tail, merged = b"", False
    with zipfile.ZipFile(path) as archive, archive.open(sheet._worksheet_path) as part:
        while piece := part.read(1 << 20):
            tail = tail + piece if merged else tail[-40:] + piece
            merged = merged or b"mergeCell" in tail
    for place in _MERGED.findall(tail) if merged else ():
        left, top, _, bottom = range_boundaries(place.decode())
        if bottom > top:
            spans.setdefault(top, []).append((bottom, left - 1))
    return spans


def _write_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)


def sort_sheets(
    headers: Mapping[str, list[str]], sizes: Mapping[str, int], title: str, shown: str, hint: str
) -> tuple[list[str], list[str]]:
    """Return the sheets with the header of the one called `title`, and the others.

    An InputError, with `hint` for what to do, says that another may hold data as well, since it
    shares half of the names or is long.
    """
    mine = headers[title]
    alike = [name for name, header in headers.items() if header == mine]
    others = [name for name in headers if name not in alike]
    for name in others:
        shared = len(set(mine) & set(headers[name]) - {""})
        if shared > len(mine) / 2 or sizes[name] > max(_FEW_ROWS, sizes[title] / 2):
            found = f"the sheets '{title}' and '{name}' may both hold data, and differ in header"
            raise InputError(Problem(shown, "", found, hint))
    return alike, others


def describe_sheets(
    alike: Collection[str], others: Collection[str], hidden: Collection[str]
) -> list[str]:
    """Say which sheets were read and which were not; nothing where there is one."""
    notes = []
    if others or hidden or len(alike) > 1:
        notes.append(f"read from the workbook: {list_names(list(alike), most=20)}")
    if others:
        notes.append(f"other sheets, not read: {list_names(list(others), most=20)}")
    if hidden:
        notes.append(f"hidden sheets, not read: {list_names(list(hidden), most=20)}")
    return notes


def find_header(head: Sequence[Sequence[str]]) -> int:
    """Return the number of the first row that names most of the columns.

    Titles above a table fill one cell or two, so they are passed over.
    """
    filled = [sum(bool(cell) for cell in row) for row in head]
    most = max(filled, default=0)
    return next((i for i, count in enumerate(filled) if count > most / 2), 0)
