"""Numbers as readers see them."""

from __future__ import annotations

import calendar
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats.formats import (
    MISSING,
    describe_p,
    format_change,
    format_count,
    format_interval,
    format_list,
    format_months,
    format_number,
    format_p,
    format_share,
)

NAN, INF = math.nan, math.inf
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (-0.004, 2, "0.00"),
        (-0.006, 2, f"{MINUS}0.01"),
        (1234567.891, 1, "1,234,567.9"),
        (-1234.5678, 3, f"{MINUS}1,234.568"),
        (NAN, 2, MISSING),
        (INF, 2, "no limit"),
        (-INF, 2, "no limit"),
    ],
)
def test_numbers(value: float, digits: int, text: str) -> None:
    assert format_number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-31.03, f"{MINUS}31%"),
        (5.0, "+5%"),
        (0.49, "0%"),
        (-0.49, "0%"),
        (0.51, "+1%"),
        (NAN, MISSING),
        (INF, MISSING),
    ],
)
def test_changes_carry_their_sign_unless_they_round_to_nothing(value: float, text: str) -> None:
    assert format_change(value) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0100, ".010"),
        (0.0424, ".042"),
        (0.001, ".001"),
        (0.00099, "< .001"),
        (0.0, "< .001"),
        (0.9999, "1.000"),
        (1.0, "1.000"),
        (NAN, MISSING),
    ],
)
def test_p_values(p: float, text: str) -> None:
    assert format_p(p) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0101, "p = .010"), (0.0004, "p < .001"), (1.0, "p = 1.000"), (NAN, f"p {MISSING}")],
)
def test_a_p_value_in_prose_has_one_sign_of_comparison(p: float, text: str) -> None:
    assert describe_p(p) == text
    assert describe_p(p, "rank p") == f"rank {text}"


@pytest.mark.parametrize(
    ("low", "high", "percent", "text"),
    [
        (0.3657, 1.1714, False, "0.37 to 1.17"),
        (-44.2, -14.9, True, f"{MINUS}44.20% to {MINUS}14.90%"),
        (0.5, INF, False, "0.50 to no limit"),
        (-44.2, INF, True, f"{MINUS}44.20% to no limit"),
        (NAN, 1.0, False, MISSING),
        (1.0, NAN, True, MISSING),
    ],
)
def test_intervals(low: float, high: float, percent: bool, text: str) -> None:
    assert format_interval(low, high, percent=percent) == text


def test_counts_and_shares() -> None:
    assert format_count(28537) == "28,537"
    assert format_count(NAN) == MISSING
    assert format_share(0.073) == "7%"
    assert format_share(NAN) == MISSING


@pytest.mark.parametrize("month", range(1, 13))
def test_months_are_written_in_english(month: int) -> None:
    text = format_months(f"2016-{month:02d}", "2017-01")
    assert text == f"{calendar.month_name[month]} 2016 to January 2017"


def test_months_ignore_the_language_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "month_name", ["", *("Monat",) * 12])
    assert format_months("2016-07", "2016-07") == "July 2016"


@pytest.mark.parametrize(
    ("parts", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists_read_as_prose(parts: list[str], text: str) -> None:
    assert format_list(parts) == text


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_keeps_its_value_to_the_digits_shown(value: float) -> None:
    text = format_number(value, 2).replace(MINUS, "-").replace(",", "")
    assert float(text) == pytest.approx(value, abs=0.005 + 1e-9 * abs(value))
    assert not text.startswith("-") or float(text) < 0
