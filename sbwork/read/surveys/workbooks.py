"""Excel workbooks: the sheet of answers read as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.read.surveys.tables import Grid, fold_name, join_headers, refuse_size
from sbwork.read.workbooks import (
    SHEET,
    describe_sheets,
    find_header,
    iterate_rows,
    open_workbook,
    sort_sheets,
)
from sbwork.specs.errors import InputError, Problem

_LARGEST_UNPACKED = 60_000_000
_MOST_CELLS = 600_000
_HEAD = 12

_Rows = list[list[str]]


def read_workbook(path: Path) -> Grid:
    """Read the visible sheet with the most cells, and those with the same header below it.

    Other sheets are named in a note; an InputError says that one of them may hold answers too.
    """
    sheets: dict[str, _Rows] = {}
    with open_workbook(path, path.name, _LARGEST_UNPACKED) as (visible, concealed):
        sheets = {each.title: _read_sheet(path, each) for each in (*visible, *concealed)}
        hidden = [sheet.title for sheet in concealed if sheets.pop(sheet.title)]
    if not hidden and not any(sheets.values()):
        raise InputError(Problem(path.name, "", "the workbook holds no cells"))
    if not any(sheets.values()):
        raise InputError(Problem(path.name, "", "every sheet with cells is hidden", "Unhide it"))
    title = max(sheets, key=lambda name: len(sheets[name]) * max(map(len, sheets[name]), default=0))
    headers = {
        name: [fold_name(cell) for cell in rows[find_header(rows[:_HEAD])]]
        for name, rows in sheets.items()
        if rows
    }
    sizes = {name: len(rows) for name, rows in sheets.items()}
    hint = "Give their columns the same names, or hide the sheet that is not to be read"
    alike, others = sort_sheets(headers, sizes, title, path.name, hint)
    rows, numbers = _stack_sheets([sheets[name] for name in alike], alike)
    width = max(map(len, rows))
    refuse_size(path.name, len(rows), width)
    padded = [row + [""] * (width - len(row)) for row in rows]
    cells = pd.DataFrame(padded, columns=range(width), dtype=object)
    notes = tuple(describe_sheets(alike, others, hidden))
    return Grid(cells, path.name, notes, tuple(alike) if len(alike) > 1 else (), tuple(numbers))


def _stack_sheets(sheets: Sequence[_Rows], titles: Sequence[str]) -> tuple[_Rows, list[int]]:
    """Put sheets under one another, heads not repeated, with each one's name as a last column.

    Returned with the number that each row has in its own sheet.
    """
    first = sheets[0]
    if len(sheets) == 1:
        return first, list(range(1, len(first) + 1))
    width = max(len(row) for rows in sheets for row in rows)
    header, start = _find_headers(first)
    stacked = [
        [*row, *[""] * (width - len(row)), SHEET if number == header else ""]
        for number, row in enumerate(first[:start])
    ]
    numbers = list(range(1, len(stacked) + 1))
    for title, rows in zip(titles, sheets, strict=True):
        start = _find_headers(rows)[1]
        for number, row in enumerate(rows[start:], start + 1):
            stacked.append(row + [""] * (width - len(row)) + [title if row else ""])
            numbers.append(number)
    return stacked, numbers


def _find_headers(rows: _Rows) -> tuple[int, int]:
    """Return the rows in which the header begins and the answers do, of 0."""
    width = max(map(len, rows))
    head = [row + [""] * (width - len(row)) for row in rows[:_HEAD]]
    if joined := join_headers(head):
        return joined[2] - 2, joined[2]
    header = find_header(head)
    imports = (i for i, row in enumerate(head) if any("ImportId" in cell for cell in row))
    return header, max(header, *imports, header) + 1


def _read_sheet(path: Path, sheet: Any) -> _Rows:
    rows: _Rows = []
    cells = 0
    for row in iterate_rows(path, sheet, path.name):
        cells += len(row) + 1
        if cells > _MOST_CELLS:
            found = f"the sheet '{sheet.title}' holds more than {_MOST_CELLS:,} cells"
            raise InputError(Problem(path.name, "", found, "Save the sheet as CSV UTF-8"))
        rows.append(row)
    while rows and not rows[-1]:
        rows.pop()
    return rows
