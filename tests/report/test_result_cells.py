import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.report.results import escape_cell, escape_formulas


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1+1", "-", "\n"],
)
def test_what_a_spreadsheet_would_work_out_is_escaped(text: str) -> None:
    assert escape_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-3", "+2.5", "-1e-5", "-12,5%", "fine", "", "a=b", -3, 2.5, None]
)
def test_numbers_and_plain_text_stay(value: object) -> None:
    assert escape_cell(value) == value


def test_cells_and_names_are_escaped_and_the_frame_given_is_not_changed() -> None:
    frame = pd.DataFrame(
        {"=a": ["@x", "ok"], "n": [-1.5, np.nan], "c": pd.Categorical(["=x", "y"])}
    )
    before = frame.copy()
    escaped = escape_formulas(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert list(escaped.columns) == ["'=a", "n", "c"]
    assert escaped["'=a"].tolist() == ["'@x", "ok"]
    assert escaped["c"].tolist() == ["'=x", "y"]
    assert escaped["n"].dtype == np.float64


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_no_text_is_left_that_starts_a_formula(texts: list[str]) -> None:
    for cell in escape_formulas(pd.DataFrame({"text": texts}))["text"]:
        start = cell.lstrip()[:1]
        assert start not in {"=", "@"}
        assert start not in {"+", "-"} or cell[-1:] in "0123456789.,%"


def test_empty_and_repeated_columns_are_let_through() -> None:
    assert escape_formulas(pd.DataFrame()).empty
    frame = pd.DataFrame([["=1", "=2"]], columns=["a", "a"])
    assert escape_formulas(frame).to_numpy().tolist() == [["'=1", "'=2"]]
