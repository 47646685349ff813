"""A table of incidents opened, whatever it was saved as: a CSV file on disk, and its header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sbwork.read.incidents.archives import Part, read_ends
from sbwork.specs.errors import InputError, Problem

__all__ = ["open_table", "read_header"]

_EXCEL = {".xlsx", ".xlsm"}


@contextmanager
def open_table(part: Part) -> Iterator[tuple[Path, str]]:
    """Give a CSV file on disk and its encoding; a workbook is written out as one first."""
    suffix = Path(part.name).suffix.lower()
    if suffix in {".xls", ".ods", ".xlsb"}:
        found = f"files of the kind '{suffix}' are not read"
        raise InputError(Problem(part.shown, "", found, "Save it as .xlsx or as CSV"))
    with TemporaryDirectory(prefix="sbwork-") as folder:
        target = Path(folder) / "table.csv"
        if suffix in _EXCEL:
            _write_sheet(part, target)
            yield target, "utf-8"
            return
        head, _ = read_ends(part)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            target.write_text(part.path.read_text("utf-16"), "utf-8", newline="")
            yield target, "utf-8"
        else:
            yield part.path, "utf-8" if _is_utf8(part.path) else "latin-1"


def _is_utf8(path: Path) -> bool:
    with path.open(encoding="utf-8") as stream:
        try:
            while stream.read(1 << 20):
                pass
        except UnicodeDecodeError:
            return False
    return True


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


def read_header(path: Path, encoding: str, shown: str) -> tuple[list[str], str]:
    """Return the names in the first line of a CSV file, and its delimiter."""
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        line = file.readline()
    if not line.strip():
        raise InputError(Problem(shown, "", "the file is empty", "Export it again"))
    if "\0" in line:
        raise InputError(Problem(shown, "", "this is not a CSV file", "Save it as CSV or .xlsx"))
    delimiter = max(",;\t|", key=line.count)
    header = [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter))]
    return header, delimiter
