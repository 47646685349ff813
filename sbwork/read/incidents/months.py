"""The month that a date or a heading means, however it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

from sbwork.read.checks import Check, CheckKind

__all__ = ["FIRST_DAY", "read_dates", "read_month"]

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?")
_BRITISH = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})")
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{4})")
_PLAIN = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_WORDS = re.compile(r"(?:(\d{1,2})(?:st|nd|rd|th)?[- /]*)?([a-z]{3,9})\.?,?[- /]*(\d{4}|\d{2})")
_MONTH_IN_FRONT = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_WEEKDAY = re.compile(r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? ")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SERIAL = re.compile(r"[2-6]\d{4}(?:\.\d+)?")
_MANY_DATES, _MANY_DAYS = 24, 10
_CHANCE = 1e-4
_FEWEST_MONTHS = 6
FIRST_DAY = date(1899, 12, 30)
"""The day that Excel counts from, unless a workbook says that it counts from 1904."""
_EXCHANGED = (
    "some dates are stored as such and others are text, all of them after the 12th, as if a "
    "program of another country had exchanged day and month of the first"
)
_YEARS_AS_DAYS = (
    "all dates are the same day of the months of one year, as if Excel had made 16 January of "
    "'Jan-16', which was January 2016"
)
_CUT_SHORT = (
    "no date lies after the 12th, as if those were lost, and day and month exchanged in the others"
)


def read_month(text: str) -> str:
    """Return the month of a date, written YYYY-MM; empty where it is no date.

    ISO dates and months, day before month as in Britain (31/12/2017, 31.12.17), months with
    their names (Jul 2017, Mon 3 July 2017, July 3, 2017, Jul-17) and plain digits (201707,
    20170703) are read, with or without a time of day. Month before day is never guessed.
    """
    plain = re.sub(r"[ t]\d{1,2}:\d{2}.*$", "", text.strip().lower())
    plain = _MONTH_IN_FRONT.sub(r"\2 \1 \3", _WEEKDAY.sub("", plain))
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
    whole_year = _read_year(year)
    if not (1 <= number <= 12 and 1900 <= whole_year <= 2099):
        return ""
    if day and not 1 <= int(day) <= _DAYS[number - 1]:
        return ""
    return f"{whole_year:04d}-{number:02d}"


def read_dates(
    rows: Mapping[str, float], shown: str, first_day: date = FIRST_DAY
) -> tuple[dict[str, str], list[Check], str]:
    """Return the month of every date of a column, what was done for it, and what is in doubt.

    Numbers of days, as Excel keeps dates, are read. So are days that Excel made of months: Jan-16
    to Dec-17 become the 16th and the 17th of the months of one year, and one such day is the
    doubt. Where a program of another country has
    exchanged day and month of every date up to the 12th and left the others as text, they are
    exchanged back. Where that may be so but is not certain, or every date after the 12th is
    absent, that is the doubt.

    Parameters
    ----------
    rows : mapping of str to float
        The dates as they are written, without a time of day, and how many rows hold each.
    shown : str
        What a message calls the file.
    first_day : date, optional
        The day that numbers of days are counted from.
    """
    plain = {text: _read_serial(text, first_day) for text in rows}
    months = {text: read_month(date) for text, date in plain.items()}
    notes = []
    if numbers := sum(rows[text] for text, date in plain.items() if date != text):
        note = f"{shown}: numbers of days, as Excel keeps dates"
        notes.append(Check(CheckKind.READ, "dates written as numbers", numbers, note))
    stored = {t: (int(f[1]), int(f[2]), int(f[3])) for t, f in _match(_ISO, plain) if f[3]}
    typed = {t: (_read_year(f[3]), int(f[2]), int(f[1])) for t, f in _match(_BRITISH, plain)}
    day_years, doubtful = _find_years([*stored.values(), *typed.values()])
    if day_years or doubtful:
        months |= {t: f"20{d:02d}-{m:02d}" for t, (_, m, d) in (stored | typed).items()}
        note = f"{shown}: Excel had made days of one year of months such as Jan-16, January 2016"
        count = sum(rows[text] for text in stored | typed)
        notes.append(Check(CheckKind.DOUBT, "days read as years of a month", count, note))
        return months, notes, _YEARS_AS_DAYS if doubtful else ""
    first, second = ({part[at] for part in typed.values()} for at in (2, 1))
    day_first = bool(typed) and min(first) > 12 >= max(second)
    month_first = bool(typed) and min(second) > 12 >= max(first)
    days = {day for *_, day in stored.values()} | first
    late = max((day for *_, day in stored.values()), default=0) > 12
    if stored and (day_first or month_first) and (not late or 0.6 ** len(typed) < _CHANCE):
        true = {text: (year, day) for text, (year, _, day) in stored.items()}
        read = {text: (part[0], part[1 if day_first else 2]) for text, part in typed.items()}
        if late or not _is_exchanged(true.values(), read.values()):
            return months, notes, _EXCHANGED
        months |= {t: f"{year:04d}-{month:02d}" for t, (year, month) in (true | read).items()}
        note = f"{shown}: every date up to the 12th, since those after it are text: a program of "
        note += "another country had taken the month for the day"
        count = sum(rows[text] for text in stored)
        notes.append(Check(CheckKind.DOUBT, "dates with day and month put back", count, note))
    elif len(days) >= _MANY_DAYS and max(days) <= 12 and len(stored | typed) >= _MANY_DATES:
        return months, notes, _CUT_SHORT
    return months, notes, ""


def _read_serial(text: str, first_day: date) -> str:
    """Write a number of days since the first one as a date, and leave other texts as they are."""
    if not _SERIAL.fullmatch(text):
        return text
    return (first_day + timedelta(days=int(float(text)))).isoformat()


def _find_years(dates: Collection[tuple[int, int, int]]) -> tuple[bool, bool]:
    """Say whether the days of dates are certainly, and whether they may be, years of their months.

    Such months follow one another, within the ten years before the one year that all dates have.
    """
    years, days = {year for year, *_ in dates}, {day for *_, day in dates}
    months = {12 * day + month for _, month, day in dates}
    if len(years) != 1 or 1 in days or not max(days) < max(years) % 100 <= min(days) + 10:
        return False, False
    follow = len(months) > 0.9 * (max(months) - min(months) + 1)
    enough = follow and len(months) >= _FEWEST_MONTHS * len(days)
    return enough and len(days) > 1, enough and len(days) == 1 and min(days) < 28


def _match(form: re.Pattern[str], texts: Mapping[str, str]) -> Iterator[tuple[str, re.Match[str]]]:
    return ((text, found) for text, date in texts.items() if (found := form.fullmatch(date)))


def _read_year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _is_exchanged(stored: Collection[tuple[int, int]], typed: Collection[tuple[int, int]]) -> bool:
    """Say whether it is certain that days up to the 12th were exchanged with their months.

    Chance would have to keep every day on its side of the 12th, and the months that the dates are
    given back are those of the others.
    """
    found, known = ({12 * year + month for year, month in each} for each in (stored, typed))
    inside = min(known) - 1 <= min(found) and max(found) <= max(known) + 1
    chance = 0.4 ** len(stored) * 0.6 ** len(typed)
    return inside and len(found) >= len(known) / 3 and chance < _CHANCE
