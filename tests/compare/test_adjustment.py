"""The families of p values of counts, and how small an adjusted one could have become."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import make_cohort

from sbwork.compare.adjustment import adjust_counts
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import (
    RESULT_COLUMNS,
    Finding,
    has_flag,
    select_findings,
    tabulate_findings,
)
from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_holm

EXACT = 1e-12
OUTCOMES = ("asb", "burglary", "robbery")
PAIRS = ("north", "east")
P_VALUES = {
    ("asb", "north"): 0.01,
    ("asb", "east"): 0.02,
    ("burglary", "north"): 0.04,
    ("burglary", "east"): 0.03,
    ("robbery", "north"): 0.005,
    ("robbery", "east"): 0.6,
}


def plan(*confirmatory: str) -> Cohort:
    outcomes = {name: {"title": name, "crime_types": [name]} for name in OUTCOMES}
    return make_cohort((), outcomes=outcomes, confirmatory_counts=confirmatory)


def make_rirr(p_values: dict[tuple[str, str], float], period: str = "change") -> list[Finding]:
    return [
        Finding("counts", outcome, site, Estimate("rirr", 0.8, p_value=p), "south", period)
        for (outcome, site), p in p_values.items()
    ]


def make_placebo(p_values: dict[tuple[str, str], float], bound: Estimate) -> list[Finding]:
    return [
        Finding("placebo", outcome, site, estimate, "", "change")
        for (outcome, site), p in p_values.items()
        for estimate in (Estimate("placebo_p", p, p_value=p), bound)
    ]


def bound(smallest: float, **more: Any) -> Estimate:
    return Estimate("placebo_smallest_p", smallest, unit="p", **more)


def adjust(rows: list[Finding], *confirmatory: str) -> pd.DataFrame:
    return adjust_counts(tabulate_findings(rows), plan(*confirmatory))


def read(findings: pd.DataFrame, estimator: str, column: str = "p_adjusted") -> dict:
    rows = select_findings(findings, estimator=estimator)
    return {(row["outcome"], row["site"]): row[column] for _, row in rows.iterrows()}


def test_holm_within_the_confirmatory_outcomes_and_benjamini_hochberg_over_the_rest():
    found = adjust(make_rirr(P_VALUES), "asb", "burglary")
    adjusted = read(found, "rirr")
    declared = [key for key in P_VALUES if key[0] != "robbery"]
    assert [adjusted[key] for key in declared] == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert adjusted["robbery", "north"] == pytest.approx(0.01)
    assert adjusted["robbery", "east"] == pytest.approx(0.6)
    for _, row in found.iterrows():
        assert has_flag(row, Flag.CONFIRMATORY) == (row["outcome"] != "robbery")


def test_without_confirmatory_outcomes_all_are_one_family_of_benjamini_and_hochberg():
    found = adjust(make_rirr(P_VALUES))
    expected = adjust_benjamini_hochberg(list(P_VALUES.values()))
    assert list(read(found, "rirr").values()) == pytest.approx(list(expected))
    assert (found["flags"] == "").all()


def test_pairs_and_all_pairs_together_and_placebos_are_families_of_their_own():
    together = {(outcome, "all"): p for outcome, p in zip(OUTCOMES, (0.02, 0.03, 0.5), strict=True)}
    rows = (
        make_rirr(P_VALUES)
        + make_placebo(P_VALUES, bound(0.01))
        + make_placebo(together, bound(0.01))
    )
    found = adjust(rows, *OUTCOMES)
    holm = list(adjust_holm(list(P_VALUES.values())))
    placebo = read(found, "placebo_p")
    assert list(read(found, "rirr").values()) == pytest.approx(holm)
    assert [placebo[key] for key in P_VALUES] == pytest.approx(holm)
    assert [placebo[key] for key in together] == pytest.approx([0.06, 0.06, 0.5])


def test_other_windows_sections_and_estimators_are_left_alone():
    others = [
        *make_rirr(P_VALUES, "6+6"),
        Finding("counts", "asb", "north", Estimate("wdd", 1.0, p_value=0.01), "south", "change"),
        Finding("counts", "asb", "all", Estimate("rirr_pooled", 1.0, p_value=0.01), "", "change"),
        Finding("specification", "asb", "north", Estimate("rirr", 1.0, p_value=0.01), "", "change"),
    ]
    before = tabulate_findings(others)
    before.loc[1, "p_adjusted"] = 0.123
    pd.testing.assert_frame_equal(adjust_counts(before, plan("asb")), before)


def test_a_missing_p_value_is_in_no_family():
    rows = make_rirr({("asb", "north"): 0.01, ("asb", "east"): 0.02})
    lost = Estimate("rirr", note="Zero.", reason=Reason.ZERO_COUNT)
    rows.append(Finding("counts", "burglary", "north", lost, "south", "change"))
    found = adjust(rows)
    assert found["p_adjusted"].tolist()[:2] == pytest.approx([0.02, 0.02])
    assert math.isnan(found["p_adjusted"].iloc[2])


def test_the_smallest_adjusted_p_follows_the_smallest_p():
    found = adjust(make_placebo(P_VALUES, bound(0.02)), "asb")
    names = found["estimator"].tolist()
    assert names == ["placebo_p", "placebo_smallest_p", "placebo_smallest_p_adjusted"] * 6
    assert tuple(found.columns) == RESULT_COLUMNS
    bounds = read(found, "placebo_smallest_p_adjusted", "estimate")
    sizes = read(found, "placebo_smallest_p_adjusted", "n")
    for key in P_VALUES:
        n_tests = 2 if key[0] == "asb" else 4
        assert (sizes[key], bounds[key]) == (n_tests, pytest.approx(0.02 * n_tests))


@given(smallest=st.floats(0.0005, 1), n_outcomes=st.integers(1, 3), declared=st.booleans())
def test_the_bound_is_what_the_adjustment_gives_where_all_else_is_one(
    smallest, n_outcomes, declared
):
    asked = {(outcome, "north"): 1.0 for outcome in OUTCOMES[:n_outcomes]}
    asked["asb", "north"] = smallest
    found = adjust(make_placebo(asked, bound(smallest)), *(OUTCOMES if declared else ()))
    adjusted = read(found, "placebo_smallest_p_adjusted", "estimate")["asb", "north"]
    assert adjusted == pytest.approx(read(found, "placebo_p")["asb", "north"], abs=EXACT)


def test_a_bound_that_is_missing_stays_missing_with_its_reason_and_nothing_is_left_as_it_is():
    few = bound(math.nan, note="Few areas.", reason=Reason.TOO_FEW_AREAS)
    last = adjust(make_placebo({("asb", "north"): 0.5}, few)).iloc[-1]
    assert last["estimator"] == "placebo_smallest_p_adjusted"
    assert math.isnan(last["estimate"])
    assert (last["reason"], last["note"]) == (Reason.TOO_FEW_AREAS, "Few areas.")
    assert adjust([], "asb").empty
