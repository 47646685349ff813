"""Drift bounds against diff-diff and brute force (reference/sensitivity.py), and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sim_drift
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import read_reference
from scipy import stats

from sbwork.compare.accuracy import read_study
from sbwork.stats import Flag, Reason
from sbwork.stats.magnitudes import PeriodStudy, RelativeMagnitudes
from sbwork.stats.sensitivity import LARGEST_MULTIPLE, bound_drift

ENDS = 1e-6
BREAKDOWN = 2e-5

REFERENCE = read_reference("sensitivity")
NAMES = [made["name"] for made in REFERENCE]
ALONE = [made for made in REFERENCE if made["diff_diff"]]
TIMES = np.arange(-12, 12)


def prepare(made, scale=1.0):
    before, after, covariance, positions = (
        np.array(made[key]) for key in ("before", "after", "covariance", "positions")
    )
    return RelativeMagnitudes(PeriodStudy(before, after, scale * covariance, positions))


@pytest.mark.parametrize("made", REFERENCE, ids=NAMES)
def test_the_hybrid_interval_agrees_with_brute_force(made):
    drift = prepare(made)
    for multiple, expected in zip(made["multiples"], made["hybrid"], strict=True):
        assert drift.find_interval(multiple) == pytest.approx(expected, abs=ENDS)
    assert drift.find_breakdown() == pytest.approx(made["breakdown"], abs=BREAKDOWN)


@pytest.mark.parametrize("made", ALONE, ids=[made["name"] for made in ALONE])
def test_where_nothing_is_uncertain_it_is_the_identified_set_of_diff_diff(made):
    expected, drift = made["diff_diff"], prepare(made, 1e-14)
    for multiple, ends in zip(made["multiples"], expected["identified"], strict=True):
        assert drift.find_interval(multiple) == pytest.approx(ends, abs=ENDS)
    assert drift.find_breakdown(10) == pytest.approx(expected["breakdown_certain"], abs=BREAKDOWN)
    assert prepare(made).find_interval(0) == pytest.approx(expected["usual"], abs=ENDS)


@pytest.mark.parametrize(("step", "most"), [(0.0, 1.0), (1.0, 0.97)])
def test_the_interval_covers_the_far_end_of_the_drift_that_it_allows(step, most):
    """Drift as steep after as the largest step before; where it is plain, just 95%."""
    rng = np.random.default_rng(20260401)
    path = step * np.array([-1.0, -1, -1, 1, 2, 3, 4])
    covariance = 0.01 * (np.eye(7) + 1)
    seen = []
    for _ in range(600):
        beta = path + rng.multivariate_normal(np.zeros(7), covariance)
        drift = RelativeMagnitudes(PeriodStudy(beta[:3], beta[3:], covariance, np.arange(8.0)))
        seen.append(drift.accepts(0.0, 1.0))
    assert 0.93 < np.mean(seen) <= most


def series(level, ratio, seed=20260402):
    rng = np.random.default_rng(seed)
    site = rng.poisson(level * np.where(TIMES < 0, 1.0, ratio)).astype(float)
    return site, rng.poisson(level, len(TIMES)).astype(float)


def test_the_mean_over_the_quarters_is_that_of_their_log_ratios():
    y, c = series(80, 0.6)
    found = bound_drift(y, c, TIMES)
    logs = np.log(y.reshape(8, 3).sum(axis=1) / c.reshape(8, 3).sum(axis=1))
    for bound in found.bounds:
        assert math.log(bound.estimate) == pytest.approx(logs[4:].mean() - logs[3], abs=1e-9)
        assert bound.df == 24 - 8
    widths = [bound.ci_high / bound.ci_low for bound in found.bounds]
    assert widths == sorted(widths)


def test_without_drift_it_is_students_interval():
    y, c = series(80, 0.6)
    low = bound_drift(y, c, TIMES, multiples=[0]).bounds[0]
    site, control = (part.reshape(8, 3).sum(axis=1) for part in (y, c))
    parts = np.repeat(site / (site + control), 3)
    expected = (y + c) * parts
    phi = max(1, np.sum((y - expected) ** 2 / (expected * (1 - parts))) / 16)
    cells = 1 / site + 1 / control
    half = stats.t.ppf(0.975, 16) * math.sqrt(phi * (cells[4:].sum() / 16 + cells[3]))
    assert math.log(low.ci_high / low.estimate) == pytest.approx(half, abs=1e-6)
    assert math.log(low.estimate / low.ci_low) == pytest.approx(half, abs=1e-6)


@given(
    st.lists(st.integers(3, 80), min_size=24, max_size=24),
    st.lists(st.integers(3, 80), min_size=24, max_size=24),
    st.floats(0.1, 4.9),
)
@settings(max_examples=40)
def test_the_interval_below_the_breakdown_value_leaves_out_no_change(y, c, multiple):
    found = bound_drift(y, c, TIMES, multiples=[multiple])
    value = found.breakdown.estimate
    if multiple < value - 0.3:
        assert not found.bounds[0].ci_low <= 1 <= found.bounds[0].ci_high
    if value == 0:
        assert found.bounds[0].ci_low <= 1 <= found.bounds[0].ci_high


@given(st.floats(0.01, 300))
@settings(max_examples=8)
def test_sums_of_weights_do_not_depend_on_the_unit_of_the_weights(unit):
    y, c = series(30, 0.5)
    plain, scaled = (bound_drift(part * y, part * c, TIMES, weighted=True) for part in (1.0, unit))
    assert scaled.breakdown.estimate == pytest.approx(plain.breakdown.estimate, abs=1e-4)
    assert scaled.bounds[1].ci_high == pytest.approx(plain.bounds[1].ci_high, rel=1e-5)


def test_a_result_that_no_drift_searched_undoes_is_flagged():
    y = np.r_[np.tile([2000.0, 2001, 1999], 4), np.tile([20.0, 19, 21], 4)]
    found = bound_drift(y, np.full(24, 2000.0), TIMES).breakdown
    assert found.estimate == LARGEST_MULTIPLE
    assert found.flags == (Flag.ABOVE_SEARCHED,)
    assert not bound_drift(*series(80, 0.6), TIMES).breakdown.flags


def test_a_transition_lets_drift_go_on_for_longer():
    y, c = series(200, 0.6)
    later = np.where(TIMES < 0, TIMES - 6, TIMES)
    near, far = (bound_drift(y, c, t, multiples=[1]).bounds[0] for t in (TIMES, later))
    assert far.ci_high / far.ci_low > near.ci_high / near.ci_low


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (5 * [9], 6 * [9], ""),
        (4 * [9], 6 * [9], Reason.TOO_FEW_MONTHS),
        (6 * [9], [9], Reason.TOO_FEW_MONTHS),
        ([], [], Reason.TOO_FEW_MONTHS),
        ([0, 0, 0, *3 * [9]], 6 * [9], Reason.ZERO_COUNT),
        ([math.nan, math.nan, *4 * [9]], 6 * [9], Reason.TOO_FEW_MONTHS),
    ],
)
def test_what_is_missing_says_why(before, after, reason):
    times = np.arange(-len(before), len(after))
    rng = np.random.default_rng(1)
    found = bound_drift([*before, *after], rng.poisson(9, len(times)) + 1, times)
    assert [one.reason for one in (found.breakdown, *found.bounds)] == 4 * [reason]
    assert math.isnan(found.breakdown.estimate) == bool(reason)


def test_weights_that_never_vary_give_no_precision():
    found = bound_drift(24 * [2.5], 24 * [5.5], TIMES, weighted=True).breakdown
    assert found.reason is Reason.NO_VARIATION


def test_power_is_that_of_the_committed_simulation():
    """A few of the runs again; made by tests/studies/sim_drift.py."""
    table = read_study("drift")
    worlds = table[["incidents_a_month", "phi", "ratio"]].itertuples(index=False, name=None)
    assert list(worlds) == list(sim_drift.WORLDS)
    shares = table[["above_0", "above_half", "above_1"]].to_numpy()
    assert (np.diff(shares) <= 0).all()
    assert (table.loc[table["ratio"] == 1, "above_0"] < 0.07).all()
    again = sim_drift.simulate(*sim_drift.WORLDS[1], 60)
    assert again[0] == pytest.approx(shares[1, 0], abs=0.18)
