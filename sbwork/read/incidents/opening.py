"""A table of incidents opened, whatever it was saved as: a CSV file on disk, and its header."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice, permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sbwork.read.checks import Check, CheckKind
from sbwork.read.encodings import OLDER, find_encoding
from sbwork.read.incidents.archives import Part
from sbwork.read.incidents.months import FIRST_DAY, read_month
from sbwork.read.workbooks import (
    NOTE,
    SHEET,
    describe_sheets,
    find_header,
    iterate_rows,
    open_workbook,
    sort_sheets,
)
from sbwork.specs.documents import fold_name
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = ["Opened", "open_table"]

_EXCEL = {".xlsx", ".xlsm"}
_LARGEST_UNPACKED = 5e9
_MOST_CELLS = 60_000_000
_EDGE = 65_536
_ROWS_LOOKED_AT = 40

_Rank = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Opened:
    """A CSV file in UTF-8, its header, and what was done to open it.

    Attributes
    ----------
    path : Path
        The file, or what was written in its place.
    shown : str
        What a message calls the file.
    header : list of str
        The names of the columns.
    delimiter : str
        What lies between values.
    skip : int
        How many rows lie above the header.
    sheets : tuple of (int, int, str)
        Of sheets read together: the first row of each in `path`, in the sheet, and its name.
    first_day : date
        The day that numbers of days are counted from.
    notes : list of Check
        What was done.
    """

    path: Path
    shown: str
    header: list[str]
    delimiter: str
    skip: int = 0
    sheets: tuple[tuple[int, int, str], ...] = ()
    first_day: date = FIRST_DAY
    notes: list[Check] = field(default_factory=list)

    def read_rows(self, *, empty: bool = False) -> Iterator[list[str]]:
        """Read the rows below the header, cells trimmed; also `empty` lines where wanted."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            for row in islice(csv.reader(file, delimiter=self.delimiter), self.skip + 1, None):
                if row or empty:
                    yield [cell.strip() for cell in row]

    def name_row(self, number: int) -> str:
        """Return where the row of this number, counted from 1, lies in the file as it was given."""
        for first, start, title in reversed(self.sheets):
            if number >= first:
                return f"sheet '{quote(title)}', row {start + number - first}"
        return f"row {number}"


@contextmanager
def open_table(part: Part, rank: _Rank, sheets: Sequence[str] = ()) -> Iterator[Opened]:
    """Open a CSV file, or the sheets of a workbook that belong together.

    Parameters
    ----------
    part : Part
        The file, on disk.
    rank : callable
        Returns how many names of columns a row holds. The row with the most is the header, what
        lies above it is passed over, as are notes below the table.
    sheets : sequence of str, optional
        The sheets to read; by default the visible ones with the header of the best one.

    Raises
    ------
    InputError
        The file is empty or no table, or it is unclear which sheets are to be read.
    """
    suffix = Path(part.name).suffix.lower()
    if suffix in {".xls", ".ods", ".xlsb"}:
        found = f"files of the kind '{suffix}' are not read"
        raise InputError(Problem(part.shown, "", found, "Save it as .xlsx or as CSV"))
    with TemporaryDirectory(prefix="sbwork-") as name:
        folder = Path(name)
        if suffix in _EXCEL:
            yield _open_sheets(part, rank, sheets, folder)
        else:
            yield _open_text(part, rank, folder)


def _open_text(part: Part, rank: _Rank, folder: Path) -> Opened:
    with part.path.open("rb") as file:
        encoding = find_encoding(file.read(4096))
    path, notes = part.path, []
    utf8, ends_alike = _look_through(part.path)
    if encoding != "utf-8-sig" or not (utf8 and ends_alike):
        path = _copy_text(part.path, encoding, folder)
    if encoding == "utf-8-sig" and not utf8:
        note = f"{part.shown} was read as Windows-1252, so check its accents and dashes"
        notes = [Check(CheckKind.READ, "text that is not UTF-8", 1.0, note)]
    header, delimiter, skip = _find_header(path, rank, part.shown)
    if skip and path == part.path:
        # DuckDB miscounts the rows to skip after a byte-order mark.
        path = _copy_text(path, "utf-8-sig", folder)
    if skip:
        notes.append(_describe_skip(part.shown, skip))
    if _measure_notes(path, delimiter, len(header))[1]:
        if path == part.path:
            path = _copy_text(path, "utf-8-sig", folder)
        notes += _cut_notes(path, delimiter, len(header), part.shown)
    return Opened(path, part.shown, header, delimiter, skip, notes=notes)


def _copy_text(path: Path, encoding: str, folder: Path) -> Path:
    """Write a text as UTF-8, without a byte-order mark and with all lines ending alike."""
    target = folder / "table.csv"
    with (
        path.open(encoding=encoding, errors=OLDER) as text,
        target.open("w", encoding="utf-8", newline="\n") as out,
    ):
        shutil.copyfileobj(text, out)
    return target


def _look_through(path: Path) -> tuple[bool, bool]:
    """Say whether a file is UTF-8, and whether all its lines end alike, and not in CR alone."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, returns, pairs, feeds, last = True, 0, 0, 0, b""
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            if utf8 and not (piece.isascii() and not decoder.getstate()[0]):
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    utf8 = False
            returns += piece.count(b"\r")
            pairs += piece.count(b"\r\n") + (last == b"\r" and piece.startswith(b"\n"))
            feeds += piece.count(b"\n")
            last = piece[-1:]
    utf8 = utf8 and not decoder.getstate()[0]
    return utf8, returns == pairs and pairs in {0, feeds}


def _find_header(path: Path, rank: _Rank, shown: str) -> tuple[list[str], str, int]:
    """Find the header of a CSV file, its delimiter, and how many rows lie above."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = file.read(_EDGE)
    if not text.strip():
        raise InputError(Problem(shown, "", "the file is empty", "Export it again"))
    if "\0" in text:
        raise InputError(Problem(shown, "", "this is not a CSV file", "Save it as CSV or .xlsx"))
    declared = re.match(r'"?sep=([,;\t|])"?\r?\n', text)
    found = []
    for delimiter in declared[1] if declared else ",;\t|":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = list(islice(reader, _ROWS_LOOKED_AT))
        skip = _choose_header(rows, rank)
        header = [cell.strip() for cell in rows[skip]]
        found.append((rank(header), len(header), header, delimiter, skip))
    return max(found)[2:]


def _choose_header(rows: Sequence[Sequence[str]], rank: _Rank) -> int:
    ranks = [rank([cell.strip() for cell in row]) for row in rows]
    best = max(ranks, default=0)
    return ranks.index(best) if best > 1 else find_header(rows)


def _measure_notes(path: Path, delimiter: str, width: int) -> tuple[int, int]:
    """Count the notes below a table, and how many bytes they and empty rows there have."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _EDGE, 0))
        cut = file.tell() > 0
        lines = file.read().splitlines(keepends=True)[int(cut) :]
    notes = size = above = 0
    for line in reversed(lines):
        cells = next(csv.reader([line.decode(errors="replace")], delimiter=delimiter), [])
        filled = [cell.strip() for cell in cells if cell.strip()]
        if filled and (line.count(b'"') % 2 or not _is_note(cells, filled, width)):
            break
        above += len(line)
        notes += bool(filled)
        if cells:
            size = above
    return notes, size


def _is_note(cells: Sequence[str], filled: Sequence[str], width: int) -> bool:
    """Say whether a row is no data: one cell is filled, or it is prose with commas in it."""
    if len(cells) < width and NOTE.match(filled[0]):
        return True
    if any(map(read_month, filled)):
        return False
    if len(cells) >= width:
        return len(filled) == 1 < width
    return " " in filled[0] if len(filled) == 1 else any(cell[:1] == " " for cell in cells[1:])


def _cut_notes(path: Path, delimiter: str, width: int, shown: str) -> list[Check]:
    """Cut the notes and the empty rows off the end of a file."""
    count, size = _measure_notes(path, delimiter, width)
    os.truncate(path, path.stat().st_size - size)
    note = f"{shown}: rows below the table that say something about it"
    return [Check(CheckKind.LEFT_OUT, "notes below the table", float(count), note)] * bool(count)


def _describe_skip(shown: str, skip: int) -> Check:
    note = f"{shown}: the header is in row {skip + 1}"
    return Check(CheckKind.READ, "rows above the header", float(skip), note)


@dataclass(frozen=True)
class _Sheet:
    """A sheet, written as CSV with as many columns as its header has."""

    path: Path
    header: list[str]
    skip: int
    size: int


def _open_sheets(part: Part, rank: _Rank, wanted: Sequence[str], folder: Path) -> Opened:
    with open_workbook(part.path, part.shown, _LARGEST_UNPACKED) as (visible, hidden):
        titles = [sheet.title for sheet in (*visible, *hidden)]
        epoch = {sheet.parent.epoch.date() for sheet in (*visible, *hidden)}
        _check_wanted(wanted, titles, part.shown)
        chosen = [s for s in (*visible, *hidden) if s.title in wanted] if wanted else visible
        left = [sheet.title for sheet in (*visible, *hidden) if sheet not in chosen]
        written = {
            sheet.title: each
            for number, sheet in enumerate(chosen)
            if (each := _write_sheet(part, sheet, rank, folder / f"{number}.csv"))
        }
        if not written:
            found = "no visible sheet holds anything" if left else "the workbook holds no cells"
            allowed = f"Name the sheet under 'sheets:'; there are {list_names(titles)}"
            raise InputError(Problem(part.shown, "", found, allowed))
    best = max(written, key=lambda title: (rank(written[title].header), written[title].size))
    headers = {title: sorted(map(fold_name, each.header)) for title, each in written.items()}
    sizes = {
        title: math.inf if wanted or _lacks_header(each, written[best]) else each.size
        for title, each in written.items()
    }
    hint = "Name those to be read under 'sheets:' in cohort.yml, all with the same header"
    alike, others = sort_sheets(headers, sizes | {best: 0}, best, part.shown, hint)
    notes = [
        Check(CheckKind.READ, "sheets of a workbook", float(len(alike)), f"{part.shown}: {note}")
        for note in describe_sheets(alike, left if wanted else others, () if wanted else left)
    ]
    for title in alike:
        sheet = written[title]
        shown = part.shown if len(alike) == 1 else f"{part.shown}, sheet '{quote(title)}'"
        if sheet.skip:
            notes.append(_describe_skip(shown, sheet.skip))
        notes += _cut_notes(sheet.path, ",", len(sheet.header), shown)
    first, first_day = written[alike[0]], epoch.pop()
    if len(alike) == 1 and not rank([SHEET]):
        return Opened(
            first.path, part.shown, first.header, ",", first.skip, (), first_day, notes=notes
        )
    path = folder / "table.csv"
    starts, copies = _stack_sheets({title: written[title] for title in alike}, path)
    if copies and not rank([SHEET]):
        found = f"all rows of the sheet '{quote(copies[0])}' are in the sheet '{quote(copies[1])}'"
        hint += f"; if their names say what differs, name '{SHEET}' under 'columns:'"
        raise InputError(Problem(part.shown, "", found, hint))
    return Opened(path, part.shown, [*first.header, SHEET], ",", 0, starts, first_day, notes)


def _check_wanted(wanted: Sequence[str], titles: Sequence[str], shown: str) -> None:
    problems = [
        Problem(
            shown,
            "",
            f"there is no sheet '{quote(title)}'",
            f"Sheets: {list_names(titles)}",
            find_nearest(title, titles),
        )
        for title in wanted
        if title not in titles
    ]
    if problems:
        raise InputError(problems)


def _write_sheet(part: Part, sheet: Any, rank: _Rank, path: Path) -> _Sheet | None:
    """Write a sheet as CSV; None where it is empty."""
    rows = iterate_rows(part.path, sheet, part.shown, _MOST_CELLS)
    head = list(islice(rows, _ROWS_LOOKED_AT))
    skip = _choose_header(head, rank)
    header = [cell.strip() for cell in head[skip]] if head else []
    width, size = len(header), 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        for number, row in enumerate(chain(head, rows)):
            size += len(row) > 1
            if number > skip and row:
                row = row[:width] + [""] * (width - len(row))
            writer.writerow(row)
    return _Sheet(path, header, skip, size) if any(header) else None


def _lacks_header(sheet: _Sheet, best: _Sheet) -> bool:
    """Say whether a sheet starts with a row of data, as one does that another is continued on."""
    return len(sheet.header) == len(best.header) and any(map(read_month, sheet.header))


def _stack_sheets(
    sheets: Mapping[str, _Sheet], path: Path
) -> tuple[tuple[tuple[int, int, str], ...], tuple[str, str] | None]:
    """Write sheets under one another; return where each starts, and two of which one is a copy."""
    starts, number = [], 1
    counts: dict[str, Counter[int]] = {}
    first = next(iter(sheets.values())).header
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*first, SHEET])
        for title, sheet in sheets.items():
            names = [fold_name(name) for name in sheet.header]
            order = [names.index(fold_name(name)) for name in first]
            starts.append((number + 1, sheet.skip + 2, title))
            counts[title] = Counter()
            with sheet.path.open(encoding="utf-8", newline="") as file:
                for row in islice(csv.reader(file), sheet.skip + 1, None):
                    number += 1
                    cells = [row[at] for at in order] if row else []
                    if cells:
                        counts[title][hash(tuple(cells))] += 1
                    writer.writerow([*cells, title] if cells else [])
    pairs = (
        (a, b) for a, b in permutations(counts, 2) if counts[a] and _is_part(counts[a], counts[b])
    )
    return tuple(starts), next(pairs, None)


def _is_part(small: Counter[int], large: Counter[int]) -> bool:
    return bool(small) and all(large[row] == times for row, times in small.items())
