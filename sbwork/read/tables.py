"""A small table, such as a lookup or weights, from a text file or a workbook."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

import pandas as pd

from sbwork.read.encodings import OLDER, find_encoding
from sbwork.read.workbooks import NOTE, find_header, iterate_rows, open_workbook
from sbwork.specs.errors import InputError, Problem
from sbwork.specs.files import measure_file

__all__ = ["read_small_table"]

_HEAD = 12
_LARGEST_FILE = 100_000_000
_LARGEST_UNPACKED = 100_000_000


def read_small_table(path: Path, shown: str) -> pd.DataFrame:
    """Read a table as text, from a text file or the longest visible sheet of a workbook.

    Titles above the header and notes below the table are passed over. The index holds the number
    that each row has in the file. An InputError says that the file is no such table.
    """
    measure_file(path, shown, _LARGEST_FILE, "leave out rows and columns that are not needed")
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        found = "this is an old Excel file (.xls)"
        raise InputError(Problem(shown, "", found, "Save it as .xlsx or as CSV UTF-8"))
    if start.startswith(b"PK"):
        with open_workbook(path, shown, _LARGEST_UNPACKED) as (visible, _):
            sheets = [list(iterate_rows(path, sheet, shown)) for sheet in visible]
        rows = max(sheets, key=len, default=[])
    else:
        text = path.read_bytes().decode(find_encoding(start), OLDER)
        rows = _cut_text(text, shown)
    header = find_header(rows[:_HEAD])
    names = [name.strip() for name in rows[header]] if rows else []
    names = [f"{name}.{i}" if name in names[:i] else name for i, name in enumerate(names)]
    if not any(names):
        raise InputError(Problem(shown, "", "this is not a table: it is empty"))
    width = len(names)
    body = {
        number: [*row, *[""] * (width - len(row))][:width]
        for number, row in enumerate(rows[header + 1 :], header + 2)
        if any(cell.strip() for cell in row)
    }
    for number in reversed([*body]):
        filled = [cell for cell in rows[number - 1] if cell.strip()]
        if width < 2 or not (len(filled) == 1 or NOTE.match(filled[0])):
            break
        del body[number]
    return pd.DataFrame.from_dict(body, orient="index", columns=names, dtype="str")


def _cut_text(text: str, shown: str) -> list[list[str]]:
    """Cut a text into rows by the separator that its first lines have most often."""
    widths = {
        separator: sum(map(len, islice(csv.reader(io.StringIO(text), delimiter=separator), _HEAD)))
        for separator in ",;\t|"
    }
    try:
        separator = max(widths, key=lambda each: widths[each])
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(Problem(shown, "", f"this is not a CSV table ({error})")) from None
