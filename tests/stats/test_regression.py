"""Models of counts against R's glm, MASS and sandwich: reference/panels.R."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.stats.panel import estimate_panel
from sbwork.stats.regression import (
    compute_newey_west,
    estimate_coefficient,
    fit_counts,
    fit_nb2,
    fit_shares,
)

TOLERANCE = 1e-6
STOCK_TOLERANCE = 1e-4  # glm.nb stops at a relative change of 1e-8 in the deviance

R = read_reference("panels")
TIMES = np.array(R["times"], dtype=float)
SITES = {name: np.array(counts, dtype=float) for name, counts in R["sites"].items()}


def stack(*names):
    return np.column_stack([SITES[name] for name in names])


def check(found, expected, tolerance=TOLERANCE):
    assert math.log(found.estimate) == pytest.approx(expected["log"], abs=tolerance)
    assert math.log(found.ci_low) == pytest.approx(expected["low"], abs=tolerance)
    assert math.log(found.ci_high) == pytest.approx(expected["high"], abs=tolerance)
    assert found.se == pytest.approx(expected["se"], abs=tolerance)
    assert found.p_value == pytest.approx(expected["p"], abs=tolerance)


@pytest.mark.parametrize(
    ("name", "sites", "options"),
    [
        ("panel_quasipoisson", "ab", {}),
        ("panel_quasipoisson_trend", "ab", {"trend": True}),
        ("panel_quasipoisson_four", "abcd", {}),
        ("panel_nb2_four", "abcd", {"model": "nb2"}),
    ],
)
def test_panel_agrees_with_r(name, sites, options):
    treated = [site in "ac" for site in sites]
    check(estimate_panel(stack(*sites), treated, TIMES, **options), R[name])


def test_nb2_without_month_effects_agrees_with_r():
    counts = stack(*"abcd")
    design = np.hstack(
        [
            np.outer(TIMES >= 0, [1, 0, 1, 0]).reshape(-1, 1).astype(float),
            np.tile(np.eye(4), (len(TIMES), 1)),
        ]
    )
    fit = fit_nb2(counts.ravel(), design)
    check(estimate_coefficient(fit, 0, "nb2"), R["nb2_plain"])
    assert fit.theta == pytest.approx(R["nb2_plain"]["theta"], rel=TOLERANCE)
    assert fit.theta == pytest.approx(R["nb2_plain_stock"]["theta"], rel=STOCK_TOLERANCE)


def test_nb2_without_spread_is_missing_with_the_reason():
    assert R["spread_beyond_poisson_ab"] < 0
    found = estimate_panel(stack("a", "b"), [True, False], TIMES, model="nb2")
    assert math.isnan(found.estimate)
    assert "no variation beyond chance" in found.note


def test_newey_west_agrees_with_sandwich():
    design = np.column_stack([np.ones_like(TIMES), TIMES])
    found = compute_newey_west(fit_counts(SITES["d"], design), 3)
    np.testing.assert_allclose(found, R["newey_west"], rtol=TOLERANCE)


@pytest.mark.parametrize("fit", [fit_counts, fit_nb2])
def test_separation_is_never_a_number(fit):
    result = fit([4, 9, 14, 0, 0, 0], [[1, 0]] * 3 + [[1, 1]] * 3)
    assert "runs off" in result.problem.note
    assert math.isnan(estimate_coefficient(result, 1, "x").estimate)


def test_what_has_no_single_answer_or_no_interval_is_refused():
    shares = fit_shares([5, 6, 0, 0], [9, 9, 9, 9], [[1, 0], [1, 0], [1, 1], [1, 1]])
    assert "runs off" in shares.problem.note
    assert "apart" in fit_counts([3, 4, 5], [[1, 2], [1, 2], [1, 2]]).problem.note
    saturated = estimate_coefficient(fit_counts([50, 30], [[1, 0], [1, 1]]), 1, "x")
    assert math.isnan(saturated.estimate)
    assert "as many terms" in saturated.note
    with pytest.raises(ValueError, match="both arms"):
        estimate_panel([[1, 2]], [True, True], [0])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=8, max_size=24))
@settings(max_examples=40)
def test_a_pair_gives_a_finite_ratio_or_a_reason(counts):
    y = np.array(counts, dtype=float)
    times = np.arange(len(y)) - len(y) // 2
    for model in ("quasipoisson", "nb2"):
        found = estimate_panel(y, [True, False], times, model=model)
        if math.isnan(found.estimate):
            assert found.note
        else:
            assert 0 < found.ci_low < found.estimate < found.ci_high < math.inf


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=8, max_size=24),
)
@settings(max_examples=40)
def test_panel_of_two_sites_is_the_ratio_of_ratios(counts):
    y = np.array(counts, dtype=float)
    times = np.arange(len(y)) - len(y) // 2
    found = estimate_panel(y, [True, False], times)
    (t0, c0), (t1, c1) = y[times < 0].sum(axis=0), y[times >= 0].sum(axis=0)
    assert found.estimate == pytest.approx(t1 / t0 * c0 / c1, rel=1e-8)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([[3, 4], [0, 5]], "no incident after"),
        ([[3, 0], [2, 5]], "control had no incident before"),
        ([[3, 4], [2, 5]], "precision"),
        ([[np.nan, 4], [2, 5]], "before the start"),
    ],
)
def test_too_little_is_missing_with_the_reason(counts, reason):
    found = estimate_panel(counts, [True, False], [-1, 0])
    assert math.isnan(found.estimate)
    assert reason in found.note
