"""The month that a date or a heading means, however it is written."""

from __future__ import annotations

import re

__all__ = ["read_month"]

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?")
_BRITISH = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})")
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{4})")
_PLAIN = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_WORDS = re.compile(r"(?:(\d{1,2})(?:st|nd|rd|th)?[- /]*)?([a-z]{3,9})\.?,?[- /]*(\d{4}|\d{2})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_month(text: str) -> str:
    """Return the month of a date, written YYYY-MM; empty where it is no date.

    ISO dates and months, day before month as in Britain (31/12/2017, 31.12.17), months with
    their names (Jul 2017, 3 July 2017, Jul-17) and plain digits (201707, 20170703) are read, with
    or without a time of day. Month before day is never guessed.
    """
    plain = re.sub(r"[ t]\d{1,2}:\d{2}.*$", "", text.strip().lower())
    day = ""
    if found := _ISO.fullmatch(plain):
        year, month, day = found[1], found[2], found[3] or ""
    elif found := _BRITISH.fullmatch(plain):
        year, month, day = found[3], found[2], found[1]
    elif found := _MONTH_FIRST.fullmatch(plain):
        year, month = found[2], found[1]
    elif found := _PLAIN.fullmatch(plain):
        year, month, day = found[1], found[2], found[3] or ""
    elif (found := _WORDS.fullmatch(plain)) and found[2][:3] in _NAMES:
        year, month, day = found[3], str(_NAMES.index(found[2][:3]) + 1), found[1] or ""
    else:
        return ""
    number = int(month)
    whole_year = int(year) if len(year) == 4 else 2000 + int(year)
    if not (1 <= number <= 12 and 1900 <= whole_year <= 2099):
        return ""
    if day and not 1 <= int(day) <= _DAYS[number - 1]:
        return ""
    return f"{whole_year:04d}-{number:02d}"
