"""Excel workbooks: the sheet of answers read as text."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.read.surveys.tables import SHEET, Grid, find_header, fold_name, refuse_size
from sbwork.specs.errors import InputError, Problem, list_names

_LARGEST_UNPACKED = 300_000_000
_MOST_CELLS = 600_000
_HEAD = 12
_FEW_ROWS = 5
_EXPORT_AGAIN = "Open it in Excel and save it again, as .xlsx or as CSV UTF-8"

_Rows = list[list[str]]


def read_workbook(path: Path) -> Grid:
    """Read the visible sheet with the most cells, and those with the same header below it.

    Whole numbers have no decimals, dates are in ISO form, and a cell merged over several rows
    gives its value to each. Formulas give the value that Excel last worked out. Other sheets are
    named in a note; an InputError says that one of them may hold answers too.
    """
    step = "opened"
    try:
        _refuse_bomb(path)
        step = "read"
        sheets, hidden = _read_sheets(path)
    except InputError:
        raise
    except Exception:
        found = f"the workbook is damaged and can't be {step}"
        raise InputError(Problem(path.name, "", found, _EXPORT_AGAIN)) from None
    if not any(sheets.values()):
        raise InputError(Problem(path.name, "", "the workbook holds no cells"))
    hidden = [name for name in hidden if sheets.pop(name)]
    if not any(sheets.values()):
        raise InputError(Problem(path.name, "", "every sheet with cells is hidden", "Unhide it"))
    title = max(sheets, key=lambda name: len(sheets[name]) * max(map(len, sheets[name]), default=0))
    alike, others = _compare_sheets(sheets, title, path.name)
    rows = _stack_sheets([sheets[name] for name in alike], alike)
    width = max(map(len, rows))
    refuse_size(path.name, len(rows), width)
    padded = [row + [""] * (width - len(row)) for row in rows]
    cells = pd.DataFrame(padded, columns=range(width), dtype=object)
    notes = []
    if others or hidden or len(alike) > 1:
        notes.append(f"read from the workbook: {list_names(alike, most=20)}")
    if others:
        notes.append(f"other sheets, not read: {list_names(others, most=20)}")
    if hidden:
        notes.append(f"hidden sheets, not read: {list_names(hidden, most=20)}")
    return Grid(cells, path.name, tuple(notes), tuple(alike) if len(alike) > 1 else ())


def _compare_sheets(
    sheets: Mapping[str, _Rows], title: str, file: str
) -> tuple[list[str], list[str]]:
    """Return the sheets with the header of the one called `title`, and the others with cells."""
    headers = {
        name: [fold_name(cell) for cell in rows[find_header(rows[:_HEAD])]]
        for name, rows in sheets.items()
        if rows
    }
    mine = headers[title]
    alike = [name for name, header in headers.items() if header == mine]
    others = [name for name in headers if name not in alike]
    for name in others:
        shared = len(set(mine) & set(headers[name]) - {""})
        if shared > len(mine) / 2 or len(sheets[name]) > max(_FEW_ROWS, len(sheets[title]) / 2):
            found = f"the sheets '{title}' and '{name}' may both hold answers, and differ in header"
            allowed = "Give their columns the same names, or hide the sheet that is not to be read"
            raise InputError(Problem(file, "", found, allowed))
    return alike, others


def _stack_sheets(sheets: Sequence[_Rows], titles: Sequence[str]) -> _Rows:
    """Put sheets under one another, heads not repeated, with each one's name as a last column."""
    first = sheets[0]
    if len(sheets) == 1:
        return first
    width = max(len(row) for rows in sheets for row in rows)
    header = find_header(first[:_HEAD])
    stacked = [row + [""] * (width - len(row)) for row in first[:header]]
    stacked.append(first[header] + [""] * (width - len(first[header])) + [SHEET])
    for title, rows in zip(titles, sheets, strict=True):
        start = find_header(rows[:_HEAD]) + 1
        while rows is not first and rows[start : start + 1] == first[start : start + 1] != []:
            start += 1
        for row in rows[start:]:
            stacked.append(row + [""] * (width - len(row)) + [title if row else ""])
    return stacked


def _refuse_bomb(path: Path) -> None:
    """Refuse what would fill the memory, or is no spreadsheet, before any of it is interpreted."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _LARGEST_UNPACKED:
            found = f"the workbook unpacks to {unpacked / 1e6:,.0f} MB"
            allowed = "Save the sheet of answers as CSV UTF-8"
            raise InputError(Problem(path.name, "", found, allowed))
        for member in archive.infolist():
            with archive.open(member) as part:
                if b"<!DOCTYPE" in part.read(2000).upper():
                    found = "the workbook holds a document type, as no spreadsheet does"
                    raise InputError(Problem(path.name, "", found, _EXPORT_AGAIN))


def _read_sheets(path: Path) -> tuple[dict[str, _Rows], list[str]]:
    """Return the rows of every sheet, and the names of those that are hidden."""
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        rows = {sheet.title: _read_sheet(sheet, path.name) for sheet in book.worksheets}
        with zipfile.ZipFile(path) as archive:
            for sheet in book.worksheets:
                _fill_merged(rows[sheet.title], archive.read(sheet._worksheet_path))
        return rows, [s.title for s in book.worksheets if s.sheet_state != "visible"]
    finally:
        book.close()


def _read_sheet(sheet: Any, file: str) -> _Rows:
    rows: _Rows = []
    cells = 0
    for values in sheet.iter_rows(values_only=True):
        row = [_write_cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        cells += len(values) + 1
        if cells > _MOST_CELLS:
            found = f"the sheet '{sheet.title}' holds more than {_MOST_CELLS:,} cells"
            raise InputError(Problem(file, "", found, "Save the sheet as CSV UTF-8"))
        rows.append(row)
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _fill_merged(rows: _Rows, sheet: bytes) -> None:
    """Give the value of a cell merged over several rows to each of them."""
    from openpyxl.utils import range_boundaries

    for place in re.findall(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"', sheet):
        left, top, _, bottom = range_boundaries(place.decode())
        if top > len(rows) or len(rows[top - 1]) < left:
            continue
        value = rows[top - 1][left - 1]
        for row in rows[top : min(bottom, len(rows))]:
            row += [""] * (left - len(row))
            row[left - 1] = value


def _write_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)
