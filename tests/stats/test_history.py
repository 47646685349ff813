"""Months and incidents needed: the checks pass as often as planned, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats.history import (
    MOST_MONTHS,
    POWER,
    compute_incident_factor,
    compute_months_needed,
    compute_pass_probability,
)
from sbwork.stats.trends import estimate_level_ratio, estimate_pre_trend

DRIFT = (-math.log(0.9) / 12, math.log(1.1) / 12)
"""From no drift to a fall and to a rise of 10% a year, on the log scale a month."""

LEVEL = math.log(1.5)
REPEATS = 400
SAMPLING = 3 * math.sqrt(POWER * (1 - POWER) / REPEATS)
APPROXIMATION = 0.05
"""How far the normal approximation and the floor of the dispersion may take it above the plan."""


def draw(rng, mean, dispersion, months):
    if dispersion == 1:
        return rng.poisson(mean, months)
    return rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion, months)


def share_of_trends_passed(means, dispersion, months, seed):
    rng = np.random.default_rng(seed)
    passed = 0
    for _ in range(REPEATS):
        site, control = (draw(rng, mean, dispersion, months) for mean in means)
        trend = estimate_pre_trend(site, control, range(months))
        ends = [math.log(1 + end / 100) for end in (trend.ci_low, trend.ci_high)]
        passed += -DRIFT[0] <= ends[0] and ends[1] <= DRIFT[1]
    return passed / REPEATS


@pytest.mark.parametrize(
    ("means", "dispersion"), [((60, 60), 1), ((60, 40), 2), ((200, 200), 3), ((20, 20), 1)]
)
def test_the_trend_passes_as_often_as_planned_over_the_months_needed(means, dispersion):
    variance = dispersion * sum(1 / mean for mean in means)
    months = compute_months_needed(DRIFT, variance, slope=True)
    share = share_of_trends_passed(means, dispersion, int(months), seed=8)
    assert POWER - SAMPLING <= share <= POWER + SAMPLING + APPROXIMATION
    fewer = share_of_trends_passed(means, dispersion, int(0.7 * months), seed=9)
    assert fewer < 0.5


@pytest.mark.parametrize(("means", "dispersion"), [((60, 60), 1), ((60, 40), 2)])
def test_the_trend_passes_as_often_as_planned_with_the_incidents_needed(means, dispersion):
    variance = dispersion * sum(1 / mean for mean in means)
    factor = compute_incident_factor(DRIFT, variance, 24, slope=True)
    more = [factor * mean for mean in means]
    share = share_of_trends_passed(more, dispersion, 24, seed=10)
    assert POWER - SAMPLING <= share <= POWER + SAMPLING + APPROXIMATION


@pytest.mark.parametrize(("means", "dispersion"), [((20, 18), 1), ((4, 4), 1), ((20, 16), 2)])
def test_the_level_passes_as_often_as_planned(means, dispersion):
    ratio = math.log(means[0] / means[1])
    room, variance = (LEVEL + ratio, LEVEL - ratio), dispersion * sum(1 / mean for mean in means)
    months = int(compute_months_needed(room, variance, slope=False))
    rng, passed = np.random.default_rng(11), 0
    for _ in range(REPEATS):
        found = estimate_level_ratio(*(draw(rng, mean, dispersion, months) for mean in means))
        passed += found.ci_low >= 1 / 1.5 and found.ci_high <= 1.5
    share = passed / REPEATS
    assert POWER - SAMPLING <= share <= POWER + SAMPLING + APPROXIMATION


def test_the_probability_is_that_of_draws_from_normal_and_chi_square():
    from scipy import stats

    rng = np.random.default_rng(12)
    se, df, room = 0.1, 10, (0.5, 0.35)
    error = rng.normal(0, se, 400_000)
    spread = np.sqrt(np.maximum(1, rng.chisquare(df, error.size) / df))
    half = stats.t.ppf(0.975, df) * se * spread
    drawn = np.mean((error - half > -room[0]) & (error + half < room[1]))
    assert compute_pass_probability(room, se, df)[0] == pytest.approx(drawn, abs=0.003)


def test_identical_poisson_sites_with_a_year_of_history_need_many_more_months():
    assert compute_months_needed(DRIFT, 2 / 20, slope=True) == 59
    assert math.isnan(compute_months_needed(DRIFT, 2 / 2, slope=True))
    assert compute_incident_factor(DRIFT, 2 / 20, 12, slope=True) > 100


def test_too_few_months_leave_no_number_of_incidents():
    assert math.isnan(compute_incident_factor(DRIFT, 0.1, 2, slope=True))
    assert compute_incident_factor((LEVEL, LEVEL), 0.1, 1, slope=False) > 0


@given(st.floats(1, 400), st.floats(1, 400), st.floats(1, 5), st.integers(12, MOST_MONTHS))
def test_more_incidents_need_fewer_months_and_the_two_numbers_agree(one, other, dispersion, months):
    variance = dispersion * (1 / one + 1 / other)
    needed = compute_months_needed(DRIFT, variance, slope=True)
    doubled = compute_months_needed(DRIFT, variance / 2, slope=True)
    assert math.isnan(needed) or doubled <= needed
    factor = compute_incident_factor(DRIFT, variance, months, slope=True)
    assert compute_months_needed(DRIFT, variance / (1.001 * factor), slope=True) <= months
    assert not compute_months_needed(DRIFT, variance / (0.999 * factor), slope=True) <= months - 1
