"""Dates as forces write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents.incident_tables import read_month

FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%d %B %Y", "%d-%b-%Y")


@given(
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.sampled_from(FORMS),
    st.sampled_from(["", " 14:05", " 00:00:00", "T09:30:00Z"]),
)
def test_every_common_spelling(day: date, form: str, time: str) -> None:
    assert read_month(day.strftime(form) + time) == day.strftime("%Y-%m")


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2017-07", "2017-07"),
        ("2017/7/3", "2017-07"),
        ("07/2017", "2017-07"),
        ("Jul-17", "2017-07"),
        ("3rd July 2017", "2017-07"),
        ("July, 2017", "2017-07"),
        ("31/12/17", "2017-12"),
        ("12/31/2017", ""),
        ("31/02/2017", ""),
        ("2017-13", ""),
        ("yesterday", ""),
        ("43000", ""),
        ("Jly 2017", ""),
        ("", ""),
    ],
)
def test_what_is_a_month_and_what_is_none(text: str, month: str) -> None:
    assert read_month(text) == month


@given(st.text(max_size=20))
def test_any_text_gives_a_month_or_nothing(text: str) -> None:
    found = read_month(text)
    assert found == "" or (len(found) == 7 and "01" <= found[5:] <= "12")
