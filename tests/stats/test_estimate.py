"""The one shape of a number: never missing without a reason."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sbwork.stats import Estimate, Reason
from sbwork.stats.estimate import complete_estimate


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, "'rirr' has no value and no note"),
        ({"estimate": np.float64("nan")}, "no note"),
        ({"note": "No incident before."}, "'rirr' has no value and no reason"),
        ({"estimate": 0.8, "reason": Reason.ZERO_COUNT}, "'rirr' has a value and a reason"),
    ],
)
def test_a_number_is_missing_with_a_note_and_a_reason_or_there_without(fields, refused) -> None:
    with pytest.raises(ValueError, match=refused):
        Estimate("rirr", **fields)


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(1, 500) | st.just(math.inf))
def test_an_interval_is_that_of_scipy_and_turned_with_its_number(value, se, df) -> None:
    plain = complete_estimate("x", value, se, df, unit="points")
    wanted = stats.t.interval(0.95, df, loc=value, scale=se)
    assert (plain.ci_low, plain.ci_high) == pytest.approx(wanted, rel=1e-9)
    assert plain.p_value == pytest.approx(2 * stats.t.sf(abs(value / se), df), abs=1e-12)
    turned = complete_estimate("x", value, min(se, 1.0), max(df, 3), turn=math.exp)
    assert turned.ci_low < turned.estimate == math.exp(value) < turned.ci_high


def test_what_is_not_known_is_missing_and_not_nought() -> None:
    estimate = Estimate("wdd", -52.0)
    unknown = ("ci_low", "ci_high", "p_value", "se", "statistic", "df", "n")
    assert all(math.isnan(getattr(estimate, name)) for name in unknown)
    assert estimate.ci_level == 0.95


def test_an_estimate_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Estimate("wdd", 1.0).estimate = 2.0  # type: ignore[misc]
