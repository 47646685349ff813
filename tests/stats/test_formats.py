"""Numbers as readers see them."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats.formats import (
    MISSING,
    describe_p,
    format_change,
    format_count,
    format_difference,
    format_interval,
    format_list,
    format_months,
    format_number,
    format_p,
    format_share,
    lower_title,
)

NAN, INF = math.nan, math.inf
MINUS = "\N{MINUS SIGN}"
NUMBERS = (format_number, format_change, format_p, format_count, format_share)
format_percent = partial(format_interval, percent=True)


WRITTEN = [
    (format_number, (0.0, 2), "0.00"),
    (format_number, (-0.0, 2), "0.00"),
    (format_number, (-0.004, 2), "0.00"),
    (format_number, (-0.006, 2), f"{MINUS}0.01"),
    (format_number, (1234567.891, 1), "1,234,567.9"),
    (format_number, (-1234.5678, 3), f"{MINUS}1,234.568"),
    (format_number, (INF, 2), "no limit"),
    (format_number, (-INF, 2), "no limit"),
    (format_change, (-31.03,), f"{MINUS}31%"),
    (format_change, (5.0,), "+5%"),
    (format_change, (0.49,), "0%"),
    (format_change, (-0.49,), "0%"),
    (format_change, (0.51,), "+1%"),
    (format_change, (INF,), MISSING),
    (format_difference, (0.154,), "+0.15"),
    (format_difference, (-0.2,), f"{MINUS}0.20"),
    (format_difference, (0.001,), "0.00"),
    (format_p, (0.0100,), ".010"),
    (format_p, (0.0424,), ".042"),
    (format_p, (0.001,), ".001"),
    (format_p, (0.00099,), "< .001"),
    (format_p, (0.0,), "< .001"),
    (format_p, (0.9999,), "1.000"),
    (describe_p, (0.0101,), "p = .010"),
    (describe_p, (0.0004,), "p < .001"),
    (describe_p, (0.0004, "rank p"), "rank p < .001"),
    (describe_p, (NAN,), f"p {MISSING}"),
    (format_interval, (0.3657, 1.1714), "0.37 to 1.17"),
    (format_interval, (0.5, INF), "0.50 to no limit"),
    (format_interval, (0.0, 90_662_722_261.07), "0.00 to over 10,000"),
    (format_interval, (NAN, 1.0), MISSING),
    (format_interval, (1.0, NAN), MISSING),
    (format_percent, (-44.2, -14.9), f"{MINUS}44.20% to {MINUS}14.90%"),
    (format_percent, (-44.2, INF), f"{MINUS}44.20% to no limit"),
    (format_count, (28537,), "28,537"),
    (format_share, (0.073,), "7%"),
    (format_list, ([],), ""),
    (format_list, (["a"],), "a"),
    (format_list, (["a", "b"],), "a and b"),
    (format_list, (["a", "b", "c"],), "a, b and c"),
    (lower_title, ("Victim-based crime",), "victim-based crime"),
    (lower_title, ("ASB at night",), "ASB at night"),
    *((write, (NAN,), MISSING) for write in NUMBERS),
]


@pytest.mark.parametrize(("write", "values", "text"), WRITTEN)
def test_what_readers_see(write: Callable[..., str], values: tuple[Any, ...], text: str) -> None:
    assert write(*values) == text


@pytest.mark.parametrize("month", range(1, 13))
def test_months_are_written_in_english(month: int) -> None:
    text = format_months(f"2016-{month:02d}", "2017-01")
    assert text == f"{calendar.month_name[month]} 2016 to January 2017"


def test_months_ignore_the_language_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "month_name", ["", *("Monat",) * 12])
    assert format_months("2016-07", "2016-07") == "July 2016"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_keeps_its_value_to_the_digits_shown(value: float) -> None:
    text = format_number(value, 2).replace(MINUS, "-").replace(",", "")
    assert float(text) == pytest.approx(value, abs=0.005 + 1e-9 * abs(value))
    assert not text.startswith("-") or float(text) < 0
