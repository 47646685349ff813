"""Text files of separated values: encoding and separator found, cells read as text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.encodings import OLDER, find_encoding
from sbwork.read.surveys.tables import MOST_CELLS, Grid, refuse_size
from sbwork.read.workbooks import NOTE
from sbwork.specs.errors import InputError, Problem
from sbwork.specs.files import measure_file

_LARGEST_FILE = 50_000_000
_SAMPLE_BYTES = 2_000_000
_SAMPLE_RECORDS = 60
_SEPARATORS = ",;\t|"
_FEWEST_SHORT_ROWS = 16
_NOTE_BYTES = 4096


def read_delimited(path: Path) -> Grid:
    """Read a text file of separated values, whatever its encoding and separator.

    Comma, semicolon, tab or vertical bar between values; UTF-8, UTF-16 or Windows-1252, with or
    without a byte-order mark. Rows of different lengths are refused.
    """
    measure_file(path, path.name, _LARGEST_FILE, "split it, or leave columns out")
    data, note = decode_text(path.read_bytes(), path.name)
    separator, data = find_separator(data)
    width = _find_width(data, separator, path.name)
    data = _pad_notes(data, separator, width)
    refuse_size(path.name, max(data.count(b"\n"), data.count(b"\r")), width)
    if len(data) > MOST_CELLS and data.count(separator.encode()) > MOST_CELLS:
        found = f"the text holds more than {MOST_CELLS:,} separators"
        raise InputError(Problem(path.name, "", found, "Export the survey again"))
    try:
        cells = pd.read_csv(
            io.BytesIO(data),
            header=None,
            names=list(range(width)),
            index_col=False,
            dtype=object,
            na_filter=False,
            skip_blank_lines=False,
            sep=separator,
        )
    except pd.errors.ParserError as error:
        raise InputError(_explain(error, path.name)) from None
    _refuse_short_rows(data, separator, cells, path.name)
    return Grid(cells, path.name, (note,) if note else ())


def decode_text(data: bytes, file: str) -> tuple[bytes, str]:
    """Return the text as UTF-8 without its byte-order mark, with a note if it was not UTF-8."""
    note, encoding = "", find_encoding(data[:4000])
    if encoding != "utf-8-sig":
        try:
            data = data.decode(encoding).encode()
        except UnicodeError:
            found, hint = "the text starts as UTF-16 but breaks off", "Export it again, and choose"
            raise InputError(Problem(file, "", found, f"{hint} UTF-8 if asked")) from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError:
        data = data.decode(errors=OLDER).encode()
        note = "the text is not UTF-8; it was read as Windows-1252, so check its accents"
    if not data[:_SAMPLE_BYTES].strip():
        raise InputError(Problem(file, "", "the file is empty"))
    if b"\0" in data:
        line = data[: data.index(0)].count(b"\n") + 1
        found = "there is a NUL byte, which no text holds: the file is damaged or not a text file"
        raise InputError(Problem(file, f"line {line}", found, "Export it again"))
    return data, note


def find_separator(data: bytes) -> tuple[str, bytes]:
    """Return the separator between values, and the text without a leading ``sep=`` line.

    The separator is the one that cuts the first records into the most equal number of values.
    """
    declared = re.match(rb'"?sep=([,;\t|])"?\r?\n', data)
    if declared:
        return declared[1].decode(), data[declared.end() :]
    scores = {}
    for separator in _SEPARATORS:
        widths = [n for n in _list_widths(data, separator) if n]
        usual, times = Counter(widths).most_common(1)[0] if widths else (1, 0)
        scores[separator] = (usual > 1, times / max(len(widths), 1) + 0.001 * min(usual, 100))
    return max(scores, key=lambda separator: scores[separator]), data


def _list_widths(data: bytes, separator: str) -> list[int]:
    """Count the values of the first records; an empty list if they can't be told apart."""
    cut = len(data) > _SAMPLE_BYTES
    text = data[:_SAMPLE_BYTES].decode(errors="ignore")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        widths = [len(record) for record in islice(reader, _SAMPLE_RECORDS)]
    except csv.Error:
        return []
    return widths[:-1] if cut and 1 < len(widths) < _SAMPLE_RECORDS else widths


def _find_width(data: bytes, separator: str, file: str) -> int:
    """Return how many values a full row has: as most rows have, or the header if it has more."""
    widths = [width for width in _list_widths(data, separator) if width]
    if not widths:
        found = f"a value is longer than {csv.field_size_limit():,} characters"
        hint = "A quotation mark may be open, or the file is not text"
        raise InputError(Problem(file, "", found, hint))
    usual = Counter(widths).most_common(1)[0][0]
    header = next((width for width in widths if width > 1), 1)
    width = max(usual, header)
    refuse_size(file, 1, width)
    return width


def _pad_notes(data: bytes, separator: str, width: int) -> bytes:
    """Make full rows of notes below the table, which have fewer or more values than it."""
    above = data.rfind(b"\n", 0, max(len(data) - _NOTE_BYTES, 0)) + 1
    lines = data[above:].splitlines(keepends=True)
    for at, line in reversed([*enumerate(lines)]):
        text = line.decode().strip()
        values = text.split(separator)
        alone = sum(bool(value.strip()) for value in values) == 1 and len(text.split()) > 2
        if text and ('"' in text.strip('"') or not (alone or NOTE.match(text))):
            break
        if text and len(values) != width and (above or at):
            text = text.strip('"')
            lines[at] = f'"{text}"{separator * (width - 1)}\n'.encode()
    return data[:above] + b"".join(lines)


def _explain(error: pd.errors.ParserError, file: str) -> Problem:
    long = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    hint = "Text that holds the separator or a line break must stand in quotation marks"
    if long:
        found = f"the row holds {long[3]} values, but the header has {long[1]}"
        return Problem(file, f"row {long[2]}", found, f"{hint}; export the file again")
    opened = re.search(r"starting at row (\d+)", str(error))
    if opened:
        found = "a quotation mark is opened here and never closed"
        return Problem(file, f"row {int(opened[1]) + 1}", found, "The file may have been cut short")
    return Problem(file, "", "the text can't be cut into rows and columns", hint)


def _refuse_short_rows(data: bytes, separator: str, cells: pd.DataFrame, file: str) -> None:
    """Refuse rows with too few values, which would put answers under the wrong question.

    A spreadsheet leaves off empty values at the end of many rows at once; that is let through.
    """
    width = cells.shape[1]
    outside_quotes = re.sub(rb'"[^"]*"', b"", data)
    if width == 1 or outside_quotes.count(separator.encode()) == len(cells) * (width - 1):
        return
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
    lengths = np.array([len(record) for record in reader])
    short = np.flatnonzero((lengths > 0) & (lengths < width))
    head = int(np.argmax(lengths == width)) if (lengths == width).any() else 0
    short = short[short > head]
    if 0 < len(short) < _FEWEST_SHORT_ROWS:
        row = int(short[0])
        found = f"the row holds {lengths[row]} values, but the header has {width}"
        hint = "The file may have been cut or joined here; export it again"
        raise InputError(Problem(file, f"row {row + 1}", found, hint))
