"""The one shape of every result."""

from __future__ import annotations

import math
import warnings

import pandas as pd
import pytest

from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import (
    RESULT_COLUMNS,
    Finding,
    combine_findings,
    find_row,
    select_findings,
    tabulate_findings,
)

TEXT = {"section", "outcome", "site", "comparison", "period", "estimator", "unit"}
TEXT |= {"reason", "flags", "note", "data_status"}


@pytest.fixture
def findings() -> pd.DataFrame:
    ratio = Estimate("rirr", 0.65, 0.37, 1.17, n=200)
    missing = Estimate("rirr", note="No incident before.", reason=Reason.ZERO_COUNT)
    g = Estimate("hedges_g", 0.25, unit="sd")
    return tabulate_findings(
        [
            Finding("counts", "asb", "a1", ratio, "c1", "12+12"),
            Finding("counts", "asb", "a2", missing),
            Finding("scales", "trust", "a1", g, period="after"),
        ]
    )


def test_a_finding_keeps_every_number_in_its_column(findings: pd.DataFrame) -> None:
    assert tuple(findings.columns) == RESULT_COLUMNS
    first = findings.iloc[0]
    assert first["estimate"] == 0.65
    assert (first["ci_low"], first["ci_high"], first["ci_level"]) == (0.37, 1.17, 0.95)
    assert (first["comparison"], first["period"], first["n"]) == ("c1", "12+12", 200.0)
    assert math.isnan(first["p_value"])
    assert findings["p_adjusted"].isna().all()
    assert findings["evidence_level"].isna().all()
    missing = findings[findings["estimate"].isna()]
    assert list(missing["note"]) == ["No incident before."]


@pytest.mark.parametrize("empty", [tabulate_findings([]), combine_findings([])])
def test_no_finding_has_the_same_columns_and_types(
    empty: pd.DataFrame, findings: pd.DataFrame
) -> None:
    assert len(empty) == 0
    assert list(empty.dtypes) == list(findings.dtypes)
    assert list(empty.columns) == list(findings.columns)


def test_text_is_text_and_numbers_are_floats(findings: pd.DataFrame) -> None:
    for column in RESULT_COLUMNS:
        expected = "str" if column in TEXT else "bool" if column == "rehearsal" else "float64"
        assert findings[column].dtype == expected, column


def test_joining_keeps_order_and_leaves_its_inputs_alone(findings: pd.DataFrame) -> None:
    before = findings.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joined = combine_findings([findings.iloc[[2]], tabulate_findings([]), findings.iloc[:2]])
    assert list(joined["estimator"]) == ["hedges_g", "rirr", "rirr"]
    assert list(joined.index) == [0, 1, 2]
    pd.testing.assert_frame_equal(findings, before)


def test_selection_agrees_with_plain_pandas(findings: pd.DataFrame) -> None:
    chosen = select_findings(findings, estimator="rirr", site="a2")
    plain = findings[(findings["estimator"] == "rirr") & (findings["site"] == "a2")]
    pd.testing.assert_frame_equal(chosen, plain)
    assert select_findings(findings, estimator="wdd").empty
    assert len(select_findings(findings)) == len(findings)


def test_a_column_that_is_none_is_refused(findings: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="estimater"):
        select_findings(findings, estimater="rirr")


def test_the_first_row_that_matches_or_none(findings: pd.DataFrame) -> None:
    row = find_row(findings, estimator="rirr")
    assert row is not None
    assert row["site"] == "a1"
    assert find_row(findings, site="a9") is None
