"""Day, Month, Period, Periods: the calendar of an evaluation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from sbwork.specs.documents import Mistake, MistakesError, Spec
from sbwork.specs.errors import quote

MAIN = "change"
"""What the window of the cohort's own periods is called in the column ``period``."""

LENGTHS = (6, 12, 18, 24)
"""Months before and after in the other windows, called ``"6+6"`` and so on."""


def _check_month(value: str) -> str:
    if not re.fullmatch(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", value):
        raise ValueError(f"'{quote(value)}' is not a month written YYYY-MM, such as 2017-07")
    return value


def _check_day(value: str) -> str:
    try:
        written = date.fromisoformat(value).isoformat()
    except ValueError:
        written = ""
    if written != value:
        raise ValueError(f"'{quote(value)}' is not a date written YYYY-MM-DD")
    return value


Day = Annotated[str, AfterValidator(_check_day)]
"""A date written YYYY-MM-DD."""

Month = Annotated[str, AfterValidator(_check_month)]
"""A month written YYYY-MM."""


def list_months(start: str, end: str) -> tuple[str, ...]:
    """List the months from `start` to `end`, both included, written YYYY-MM."""
    return tuple(name_month(n) for n in range(number_month(start), number_month(end) + 1))


def number_month(month: str) -> int:
    """Return the number of a month, so that one later is one more."""
    return int(month[:4]) * 12 + int(month[5:]) - 1


def name_month(number: int) -> str:
    """Write the month that has this number, YYYY-MM."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def shift_month(month: str, by: int) -> str:
    """Move a month by a number of months."""
    return name_month(number_month(month) + by)


def name_months(months: Sequence[str]) -> str:
    """Name sorted months, those that follow each other by the first and the last."""
    runs: list[list[str]] = []
    for month in months:
        if runs and number_month(month) == number_month(runs[-1][-1]) + 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    parts = [run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return join_some(parts)


def join_some(parts: Sequence[str]) -> str:
    """Join parts with commas and 'and'; of more than six, say how many are left."""
    named = [*parts[:6], *([f"{len(parts) - 6} more"] if len(parts) > 6 else [])]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


class Period(Spec):
    """A run of whole months, both ends included."""

    start: Month
    end: Month

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.end < self.start:
            found = f"the period ends ({self.end}) before it starts ({self.start})"
            raise MistakesError([Mistake(("end",), found)])
        return self

    @property
    def months(self) -> tuple[str, ...]:
        """The months of the period, written YYYY-MM."""
        return list_months(self.start, self.end)


class Periods(Spec):
    """The months before and after; what lies between them is the transition, left out.

    `keep_months` are counted as the files have them, though they would be set aside.
    """

    before: Period
    after: Period
    unequal_seasons: bool = False
    keep_months: tuple[Month, ...] = ()

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if self.after.start <= self.before.end:
            found = f"'after' starts in {self.after.start}, but 'before' ends in {self.before.end}"
            allowed = "Periods may not overlap, and 'before' comes first"
            raise MistakesError([Mistake(("after",), found, allowed)])
        seasons = [sorted(m[5:] for m in p.months) for p in (self.before, self.after)]
        if seasons[0] != seasons[1] and not self.unequal_seasons:
            found = "'before' and 'after' hold different calendar months, "
            found += "so seasons would be taken for change"
            allowed = "Use the same months, or set 'unequal_seasons: true' "
            allowed += "and the report will say so"
            raise MistakesError([Mistake(("after",), found, allowed)])
        twice = sorted({month for month in self.keep_months if self.keep_months.count(month) > 1})
        if twice:
            found = f"{join_some(twice)} is given more than once"
            raise MistakesError([Mistake(("keep_months",), found, "Give each month once")])
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """Months before set against months after.

    period: ``"change"`` for the cohort's own periods, else such as ``"12+12"``.
    before, after: Months written YYYY-MM, sorted.
    same_seasons: Both sides hold the same calendar months.
    """

    period: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    same_seasons: bool = True

    @property
    def months(self) -> tuple[str, ...]:
        """The months of both sides, sorted."""
        return self.before + self.after

    @property
    def sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The months before, and those after."""
        return self.before, self.after

    @property
    def lengths(self) -> tuple[int, int]:
        """How many months each side has."""
        return len(self.before), len(self.after)


def list_windows(periods: Periods, lengths: Sequence[int] = LENGTHS) -> tuple[Window, ...]:
    """List the windows that are compared, the cohort's own first; none twice.

    After: the first months of the cohort's period after. Before: for whole years, the last months
    before the transition; for other lengths, the latest run of the same calendar months that ends
    by then, so that seasons are not taken for change.
    """
    before, after = periods.before.months, periods.after.months
    same = sorted(m[5:] for m in before) == sorted(m[5:] for m in after)
    windows = [Window(MAIN, before, after, same)]
    for length in lengths:
        later = list_months(after[0], shift_month(after[0], length - 1))
        if length % 12 == 0:
            earlier = list_months(shift_month(before[-1], 1 - length), before[-1])
        else:
            back = 12
            while shift_month(later[-1], -back) > before[-1]:
                back += 12
            earlier = tuple(shift_month(month, -back) for month in later)
        if (earlier, later) != (before, after):
            windows.append(Window(f"{length}+{length}", earlier, later))
    return tuple(windows)
