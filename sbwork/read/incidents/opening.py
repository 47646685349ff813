"""A table of incidents opened, whatever it was saved as: a CSV file on disk, and its header."""

from __future__ import annotations

import codecs
import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sbwork.read.checks import Check, CheckKind
from sbwork.read.encodings import OLDER, find_encoding
from sbwork.read.incidents.archives import Part, read_ends
from sbwork.specs.errors import InputError, Problem

__all__ = ["open_table", "read_header"]

_EXCEL = {".xlsx", ".xlsm"}


@contextmanager
def open_table(part: Part) -> Iterator[tuple[Path, list[Check]]]:
    """Give a CSV file on disk in UTF-8, and what was done for it to be one."""
    suffix = Path(part.name).suffix.lower()
    if suffix in {".xls", ".ods", ".xlsb"}:
        found = f"files of the kind '{suffix}' are not read"
        raise InputError(Problem(part.shown, "", found, "Save it as .xlsx or as CSV"))
    with TemporaryDirectory(prefix="sbwork-") as folder:
        target = Path(folder) / "table.csv"
        if suffix in _EXCEL:
            _write_sheet(part, target)
            yield target, []
            return
        encoding = find_encoding(read_ends(part, 4096)[0])
        utf8, ends_alike = _look_through(part.path)
        if encoding == "utf-8-sig" and utf8 and ends_alike:
            yield part.path, []
            return
        with (
            part.path.open(encoding=encoding, errors=OLDER) as text,
            target.open("w", encoding="utf-8", newline="\n") as out,
        ):
            shutil.copyfileobj(text, out)
        notes = []
        if encoding == "utf-8-sig" and not utf8:
            note = f"{part.shown} was read as Windows-1252, so check its accents and dashes"
            notes = [Check(CheckKind.READ, "text that is not UTF-8", 1.0, note)]
        yield target, notes


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


def _write_sheet(part: Part, target: Path) -> None:
    """Write the first sheet of a workbook, from its first row that holds anything, as CSV."""
    import zipfile

    import openpyxl

    try:
        book = openpyxl.load_workbook(part.path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        found = f"the workbook can't be read ({type(error).__name__})"
        raise InputError(Problem(part.shown, "", found, "Save it again as .xlsx")) from None
    with closing(book), target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        width = 0
        for row in book.worksheets[0].iter_rows(values_only=True):
            filled = [number for number, value in enumerate(row, start=1) if value is not None]
            width = width or max(filled, default=0)
            if width:
                cells = [_write_cell(value) for value in row[:width]]
                writer.writerow(cells + [None] * (width - len(cells)))


def _write_cell(value: object) -> object:
    """Write dates as ISO has them (datetime does by itself), and whole numbers without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_header(path: Path, shown: str) -> tuple[list[str], str]:
    """Return the names in the first line of a CSV file, and its delimiter."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline()
    if not line.strip():
        raise InputError(Problem(shown, "", "the file is empty", "Export it again"))
    if "\0" in line:
        raise InputError(Problem(shown, "", "this is not a CSV file", "Save it as CSV or .xlsx"))
    delimiter = max(",;\t|", key=line.count)
    header = [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter))]
    return header, delimiter
