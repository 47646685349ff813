"""Differences between counts, against Wheeler and Ratcliffe's published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats.rates import (
    estimate_total_net_effect,
    estimate_wdd,
    estimate_wdq,
)

AS_PRINTED = 5e-9
TREATED, CONTROL = (207, 110), (308, 318)
DISPLACED, DISPLACED_CONTROL = (178, 157), (150, 140)

counts = st.integers(1, 3000).map(float)


def test_the_paper():
    wdd = estimate_wdd(TREATED, CONTROL, DISPLACED, DISPLACED_CONTROL)
    assert wdd.estimate == -118
    assert wdd.se**2 == pytest.approx(1568)
    assert wdd.statistic == pytest.approx(-2.98, abs=5e-3)
    assert (wdd.ci_low, wdd.ci_high) == pytest.approx((-196, -40), abs=0.5)


def test_the_paper_with_weights_for_areas():
    weights = (1.2, 0.9, 1.5, 1.6)
    wdd = estimate_wdd(TREATED, CONTROL, DISPLACED, DISPLACED_CONTROL, area_weights=weights)
    assert wdd.estimate == pytest.approx(-99.69444444, abs=AS_PRINTED)
    assert wdd.se == pytest.approx(35.4280755, abs=5e-8)


def test_weights_for_time():
    wdd = estimate_wdd((80, 20), (100, 50), time_weights=(2, 1))
    assert wdd.estimate == -20
    assert wdd.se == pytest.approx(math.sqrt(115))


def test_the_readme_of_the_package():
    wdd = estimate_wdd((20, 10), (20, 20))
    assert wdd.estimate == -10
    assert wdd.se == pytest.approx(8.3666, abs=5e-5)
    ends = (-10 - 1.6448536 * wdd.se, -10 + 1.6448536 * wdd.se)  # it prints 90% intervals
    assert ends == pytest.approx((-23.762, 3.762), abs=5e-4)


def test_nothing_anywhere_is_said():
    wdd = estimate_wdd((0, 0), (0, 0))
    assert math.isnan(wdd.estimate)
    assert "No incident" in wdd.note


@given(t0=counts, t1=counts, c0=counts, c1=counts, dispersion=st.floats(1, 9))
def test_dispersion_widens_by_its_root(t0, t1, c0, c1, dispersion):
    plain = estimate_wdd((t0, t1), (c0, c1))
    wide = estimate_wdd((t0, t1), (c0, c1), dispersion=dispersion)
    assert wide.estimate == plain.estimate == (t1 - t0) - (c1 - c0)
    assert wide.se == pytest.approx(plain.se * math.sqrt(dispersion))


def test_wdq_by_hand():
    shares = [110 / 318 - 207 / 308, 157 / 318 - 178 / 308]
    assert estimate_wdq(TREATED, CONTROL, DISPLACED).estimate == pytest.approx(
        shares[1] / shares[0]
    )


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        ((100, 120), (100, 150), "did not fall"),
        ((100, 100), (100, 150), "did not fall"),
        ((100, 90), (100, 50), "beside its control"),
        ((100, 50), (0, 50), "count of 0"),
        ((100, 50), (50, 0), "count of 0"),
    ],
)
def test_wdq_is_given_only_where_it_has_a_meaning(treated, control, said):
    quotient = estimate_wdq(treated, control, (50, 50))
    assert math.isnan(quotient.estimate)
    assert said in quotient.note


def test_total_net_effect_by_hand():
    growth = 318 / 308
    expected = (207 * growth - 110) + (178 * growth - 157)
    found = estimate_total_net_effect(TREATED, CONTROL, DISPLACED)
    assert found.estimate == pytest.approx(expected)
    assert math.isnan(estimate_total_net_effect((5, 5), (0, 9)).estimate)
    assert math.isnan(estimate_total_net_effect((0, 0), (9, 9)).estimate)


def test_the_standard_error_of_the_net_effect_is_the_spread_of_simulated_ones():
    rng = np.random.default_rng(20180601)
    means = np.array([400, 300, 500, 450, 200, 220])
    t0, t1, c0, c1, d0, d1 = rng.poisson(means, size=(20_000, 6)).T
    spread = np.std((t0 + d0) * c1 / c0 - t1 - d1)
    found = estimate_total_net_effect((400, 300), (500, 450), (200, 220))
    assert found.se == pytest.approx(spread, rel=0.03)
