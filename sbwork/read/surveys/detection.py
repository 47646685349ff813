"""Which platform wrote a file, told by its bytes and never by its name alone."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from sbwork.read.surveys.delimited import read_delimited
from sbwork.read.surveys.forms import is_forms, read_forms
from sbwork.read.surveys.limesurvey import is_limesurvey, read_limesurvey
from sbwork.read.surveys.plain import read_plain
from sbwork.read.surveys.qualtrics import is_qualtrics, read_qualtrics
from sbwork.read.surveys.tables import Grid, RawTable
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = ["FORMATS", "read_table"]

FORMATS = ("auto", "qualtrics", "limesurvey", "spss", "stata", "forms", "excel", "csv")

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


def read_table(path: Path, format: str = "auto") -> RawTable:
    """Read one survey export, whatever platform wrote it.

    Parameters
    ----------
    path : Path
        The file.
    format : {"auto", "qualtrics", "limesurvey", "spss", "stata", "forms", "excel", "csv"}
        The platform; with ``"auto"`` the bytes tell. Qualtrics, LimeSurvey and Forms exports are
        read from text files and from workbooks alike.

    Returns
    -------
    RawTable
        The answers as text.

    Raises
    ------
    InputError
        The file can't be read; the message says why and what to do.
    """
    if format not in FORMATS:
        raise InputError(
            Problem(
                path.name,
                "",
                f"'{quote(format)}' is not a format",
                f"Formats: {list_names(FORMATS)}",
                find_nearest(format, FORMATS),
            )
        )
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        raise InputError(Problem(str(path), "", "the file can't be opened")) from None
    container = _find_container(path, start)
    if container in {"spss", "stata"} or format in {"spss", "stata"}:
        return _read_statistics_file(path, container, format)
    if container == "excel":
        from sbwork.read.surveys.workbooks import read_workbook

        grid = read_workbook(path)
    else:
        grid = read_delimited(path)
    return _read_layout(grid, container, format)


def _find_container(path: Path, start: bytes) -> str:
    """Return "spss", "stata", "excel" or "csv"; refuse what is known to be something else."""
    if not start:
        raise InputError(Problem(path.name, "", "the file is empty"))
    if start.startswith((b"$FL2", b"$FL3")):
        return "spss"
    if start.startswith(b"<stata_dta>") or _is_old_stata(start):
        return "stata"
    if start.startswith(b"PK"):
        return _look_into_archive(path)
    for pattern, kind, allowed in _UNREADABLE:
        if re.match(pattern, start):
            raise InputError(
                Problem(path.name, "", f"this is {kind}, not a survey export", allowed)
            )
    return "csv"


def _is_old_stata(start: bytes) -> bool:
    return len(start) > 109 and 104 <= start[0] <= 115 and start[1] in (1, 2) and start[2] == 1


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


def _read_statistics_file(path: Path, container: str, format: str) -> RawTable:
    wanted = container if format == "auto" else format
    if wanted != container:
        found = f"the format is given as '{format}', but the bytes are not of such a file"
        raise InputError(Problem(path.name, "", found, "Leave 'format' out"))
    if container == "spss":
        from sbwork.read.surveys.spss import read_spss

        return read_spss(path)
    from sbwork.read.surveys.stata import read_stata

    return read_stata(path)


def _read_layout(grid: Grid, container: str, format: str) -> RawTable:
    head = grid.list_head()
    if format == "qualtrics" or (format == "auto" and is_qualtrics(head)):
        return read_qualtrics(grid)
    if format == "forms" or (format == "auto" and is_forms(head)):
        return read_forms(grid)
    if format == "limesurvey" or (format == "auto" and is_limesurvey(head)):
        return read_limesurvey(grid)
    return read_plain(grid, container)
