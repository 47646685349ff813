"""Excel workbooks: the sheet of answers read as text."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.read.surveys.tables import Grid, refuse_size
from sbwork.specs.errors import InputError, Problem

_LARGEST_UNPACKED = 300_000_000
_MOST_CELLS = 600_000
_EXPORT_AGAIN = "Open it in Excel and save it again, as .xlsx or as CSV UTF-8"


def read_workbook(path: Path) -> Grid:
    """Read the sheet with the most cells: whole numbers without decimals, dates in ISO form.

    Formulas give the value that Excel last worked out; they are never worked out here.
    """
    step = "opened"
    try:
        _refuse_bomb(path)
        step = "read"
        sheets = _read_sheets(path)
    except InputError:
        raise
    except Exception:
        found = f"the workbook is damaged and can't be {step}"
        raise InputError(Problem(path.name, "", found, _EXPORT_AGAIN)) from None
    if not any(sheets.values()):
        raise InputError(Problem(path.name, "", "the workbook holds no cells"))
    title = max(sheets, key=lambda name: len(sheets[name]) * max(map(len, sheets[name]), default=0))
    rows = sheets[title]
    width = max(map(len, rows))
    refuse_size(path.name, len(rows), width)
    padded = [row + [""] * (width - len(row)) for row in rows]
    cells = pd.DataFrame(padded, columns=range(width), dtype=object)
    others = sum(bool(rows) for name, rows in sheets.items() if name != title)
    note = f"the sheet '{title}' was read, and {others} smaller sheets were not"
    return Grid(cells, path.name, (note,) if others else ())


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


def _read_sheets(path: Path) -> dict[str, list[list[str]]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return {sheet.title: _read_sheet(sheet, path.name) for sheet in book.worksheets}
    finally:
        book.close()


def _read_sheet(sheet: Any, file: str) -> list[list[str]]:
    rows: list[list[str]] = []
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


def _write_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)
