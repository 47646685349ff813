"""Day, Month, Period, Periods: the calendar of an evaluation."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from sbwork.specs.documents import Mistake, MistakesError, Spec
from sbwork.specs.errors import quote


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
    """The months before and after; what lies between them is the transition, left out."""

    before: Period
    after: Period
    unequal_seasons: bool = False

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
        return self
