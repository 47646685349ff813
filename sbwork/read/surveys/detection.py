"""Which platform wrote a file, by its bytes and never by its name alone; plain tables."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import get_args

from sbwork.read.surveys.aggregates import refuse_aggregates
from sbwork.read.surveys.delimited import read_delimited
from sbwork.read.surveys.forms import is_forms, read_forms
from sbwork.read.surveys.limesurvey import is_limesurvey, read_limesurvey
from sbwork.read.surveys.qualtrics import is_qualtrics, read_qualtrics
from sbwork.read.surveys.tables import RawTable, build_table, join_headers
from sbwork.read.workbooks import find_header
from sbwork.specs.cohort import SurveyFormat
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.files import measure_file
from sbwork.specs.masks import mask_text

FORMATS: tuple[str, ...] = get_args(SurveyFormat)

LARGEST_FILE = 200_000_000
_EXPORT = "Export the survey as CSV, .xlsx, .sav or .dta"
_UNREADABLE = (
    (rb"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", "Save it as .xlsx or as CSV UTF-8"),
    (rb"\x1f\x8b", "a compressed file (gzip)", "Unpack it first"),
    (rb"%PDF", "a PDF", _EXPORT),
    (rb"PAR1", "a Parquet file", _EXPORT),
    (rb"Rar!|7z\xbc\xaf", "an archive", "Unpack it first"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", _EXPORT),
    (rb"ASCII SPSS PORT FILE", "an SPSS portable file", "Save it as .sav"),
    (rb"SAS     |HEADER RECORD", "a SAS file", "Save it as CSV"),
    (rb"(?i)\s*(?:<!doctype html|<html|<\?xml|<table)", "a web page or XML", _EXPORT),
    (rb'\s*(?:\{\s*"|\[\s*[\[{])', "JSON", _EXPORT),
)
_LAYOUTS = (
    ("qualtrics", is_qualtrics, read_qualtrics),
    ("forms", is_forms, read_forms),
    ("limesurvey", is_limesurvey, read_limesurvey),
)


def read_table(path: Path, format: str = "auto") -> RawTable:
    """Read one survey export as text; with the format ``"auto"`` the bytes decide.

    Qualtrics, LimeSurvey and Forms exports are read from text files and from workbooks alike.
    """
    if format not in FORMATS:
        found, formats = f"'{quote(format)}' is not a format", f"Formats: {list_names(FORMATS)}"
        raise InputError(Problem(path.name, "", found, formats, find_nearest(format, FORMATS)))
    measure_file(path, path.name, LARGEST_FILE, "export fewer columns")
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        raise InputError(Problem(str(path), "", "the file can't be opened")) from None
    container = _find_container(path, start)
    if container in {"spss", "stata"} or format in {"spss", "stata"}:
        if format not in {"auto", container}:
            found = f"the format is given as '{format}', but the bytes are not of such a file"
            raise InputError(Problem(path.name, "", found, "Leave 'format' out"))
        from sbwork.read.surveys.labelled import read_labelled

        return read_labelled(path, container)
    if container == "excel":
        from sbwork.read.surveys.workbooks import read_workbook

        grid = read_workbook(path)
    else:
        grid = read_delimited(path)
    head = grid.list_head()
    joined = join_headers(head) if format not in {layout[0] for layout in _LAYOUTS} else None
    if joined:
        names, parts, first = joined
        aliases = [(part,) if part else () for part in parts]
        return build_table(grid, container, first, names, names, aliases)
    for platform, recognise, read in _LAYOUTS:
        if format == platform or (format == "auto" and recognise(head)):
            return read(grid)
    header = find_header(head)
    table = build_table(grid, container, header + 1, head[header])
    _refuse_headless(table)
    refuse_aggregates(table)
    return table


def _refuse_headless(table: RawTable) -> None:
    """Refuse a table whose first row holds answers, which would pass for the columns' names.

    They are answers if half of them are given again in their own column, beside others, or if
    one is nothing but an e-mail address or the like.
    """
    varied = again = 0
    for column, name in enumerate(table.names):
        values = set(table.read_column(column)) - {""}
        varied += len(values) > 1
        again += len(values) > 1 and name in values
        if re.fullmatch(r"\[[^\]]+ removed\]", mask_text(name)):
            again = max(varied, 2)
            break
    if again > 1 and again >= varied / 2:
        found = "the first row holds answers, not the names of the columns"
        raise InputError(Problem(table.file, "header", found, "Put a row with names above it"))


def _find_container(path: Path, start: bytes) -> str:
    """Return "spss", "stata", "excel" or "csv"; refuse what is known to be something else."""
    if not start:
        raise InputError(Problem(path.name, "", "the file is empty"))
    if start.startswith((b"$FL2", b"$FL3")):
        return "spss"
    old_stata = len(start) > 109 and 104 <= start[0] <= 115 and start[1] in (1, 2)
    if start.startswith(b"<stata_dta>") or (old_stata and start[2] == 1):
        return "stata"
    if start.startswith(b"PK"):
        return _look_into_archive(path)
    for pattern, kind, allowed in _UNREADABLE:
        if re.match(pattern, start):
            found = f"this is {kind}, not a survey export"
            raise InputError(Problem(path.name, "", found, allowed))
    return "csv"


def _look_into_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except Exception:
        found = "this is a zip archive or a workbook, and it is damaged"
        raise InputError(Problem(path.name, "", found, "Export it again")) from None
    if "xl/workbook.xml" in names:
        return "excel"
    if "content.xml" in names:
        found = "this is an OpenDocument spreadsheet"
        raise InputError(Problem(path.name, "", found, "Save it as .xlsx or as CSV UTF-8"))
    found = f"this is a zip archive; it holds {list_names(names, most=3) or 'nothing'}"
    raise InputError(Problem(path.name, "", found, "Unpack it, and name the file inside"))
