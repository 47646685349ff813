"""Ratios, their dispersion and displacement, against published values and R's glm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.stats import Estimate
from sbwork.stats.rates import (
    correct_dispersion,
    estimate_dispersion,
    estimate_incidents_avoided,
    estimate_percentage_change,
    estimate_relative_effect_size,
    estimate_rirr,
    estimate_smallest_detectable_rirr,
    estimate_total_net_effect,
    estimate_wdd,
    estimate_wdq,
)

EXACT = 1e-9
FITTED = 1e-6
LOOSE_GLM = (
    4e-6  # the printed 3.4402054 is R's glm stopped at its default 1e-8; converged 3.4401936
)
REFERENCE = read_reference("rates")
PANELS = REFERENCE["panels"]
TREATED, CONTROL = (207, 110), (308, 318)
DISPLACED, DISPLACED_CONTROL = (178, 157), (150, 140)
"""Wheeler and Ratcliffe's published example."""

NAMES = {
    "phi": "estimate", "df": "df", "se": "se", "p": "p_value", "low": "ci_low", "high": "ci_high"
}  # fmt: skip

counts = st.integers(1, 5000).map(float)
months = st.lists(st.integers(0, 200).map(float), min_size=2, max_size=24)


def read_cells(name: str) -> list[np.ndarray]:
    return [np.array(PANELS[name]["cells"][cell], dtype=float) for cell in ("t0", "t1", "c0", "c1")]


def test_rirr_is_the_published_example():
    rirr = estimate_rirr((50, 30), (60, 55))
    assert rirr.estimate == pytest.approx(0.6545455, abs=5e-8)
    assert math.log(rirr.estimate) == pytest.approx(-0.4238142, abs=5e-8)
    assert rirr.se == pytest.approx(0.2969542, abs=5e-8)
    assert (rirr.ci_low, rirr.ci_high) == pytest.approx((0.3657, 1.1714), abs=5e-5)
    assert rirr.p_value == pytest.approx(0.15352, abs=5e-6)
    assert rirr.n == 195


def test_over_dispersion_is_the_published_example():
    cells = read_cells("methods")
    dispersion = estimate_dispersion(*cells)
    assert dispersion.estimate == pytest.approx(3.4402054, rel=LOOSE_GLM)
    assert dispersion.df == 44
    t0, t1, c0, c1 = (cell.sum() for cell in cells)
    rirr = estimate_rirr((t0, t1), (c0, c1), dispersion=dispersion.estimate, df=dispersion.df)
    assert rirr.se == pytest.approx(0.230836778, abs=FITTED)
    assert (rirr.ci_low, rirr.ci_high) == pytest.approx((0.449588, 1.139989), abs=5e-7)
    assert rirr.p_value == pytest.approx(0.155, abs=5e-4)
    assert estimate_rirr((t0, t1), (c0, c1)).p_value == pytest.approx(0.007, abs=5e-4)


def check(found: Estimate, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert getattr(found, NAMES[name]) == pytest.approx(value, rel=FITTED)


@pytest.mark.parametrize("name", PANELS)
def test_the_glms_of_r_agree(name):
    cells, expected = read_cells(name), PANELS[name]
    t0, t1, c0, c1 = (cell.sum() for cell in cells)
    dispersion = estimate_dispersion(*cells)
    check(dispersion, {"phi": expected["phi"], "df": expected["df"]})
    plain = estimate_rirr((t0, t1), (c0, c1))
    assert math.log(plain.estimate) == pytest.approx(expected["poisson"]["log"], rel=FITTED)
    check(plain, {key: expected["poisson"][key] for key in ("se", "p")})
    quasi = estimate_rirr((t0, t1), (c0, c1), dispersion=expected["phi"], df=expected["df"])
    check(quasi, {key: expected["quasi"][key] for key in ("se", "p")})
    check(quasi, dict(zip(("low", "high"), expected["interval"], strict=True)))
    site, months = expected["site"], (cells[0].size, cells[1].size)
    change = estimate_percentage_change(
        t0, t1, months=months, dispersion=site["phi"], df=site["df"]
    )
    assert change.estimate == pytest.approx(100 * math.expm1(site["log"]), rel=FITTED)
    check(change, {key: site[key] for key in ("se", "p")})


def test_the_dispersion_that_a_variance_is_corrected_with():
    calm = estimate_dispersion(*read_cells("calm"))
    assert calm.estimate < 1
    assert correct_dispersion(calm) == (1.0, calm.df)
    assert correct_dispersion(calm, floor=False)[0] == calm.estimate
    month = estimate_dispersion([5.0], [7.0], [3.0], [9.0])
    assert math.isnan(month.estimate)
    assert "single month" in month.note
    assert correct_dispersion(month) == (1.0, math.inf)
    # a cell without incidents says nothing about spread
    assert estimate_dispersion([4, 6], [0, 0]).estimate == estimate_dispersion([4, 6]).estimate
    assert math.isnan(estimate_dispersion([0, 0], [0, 0]).estimate)


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        ((0, 3), (5, 5), "before in the site"),
        ((3, 0), (5, 5), "after in the site"),
        ((3, 3), (0, 5), "before in the control"),
        ((3, 3), (5, 0), "after in the control"),
        ((0, 0), (0, 0), "before in the site nor after in the site nor before in the control"),
    ],
)
def test_no_ratio_comes_from_a_zero_cell(treated, control, said):
    rirr = estimate_rirr(treated, control)
    assert math.isnan(rirr.estimate)
    assert said in rirr.note
    for follows in (
        estimate_relative_effect_size(rirr),
        estimate_incidents_avoided(treated[1], rirr),
        estimate_smallest_detectable_rirr([*treated, *control]),
    ):
        assert math.isnan(follows.estimate)
        assert follows.note


def test_percentage_change_from_nothing_is_undefined():
    assert math.isnan(estimate_percentage_change(0, 7).estimate)
    assert "either period" in estimate_percentage_change(0, 0).note
    gone = estimate_percentage_change(7, 0)
    assert gone.estimate == -100
    assert math.isnan(gone.ci_low)


def test_incidents_avoided_follow_the_control():
    rirr = estimate_rirr((50, 30), (60, 55))
    avoided = estimate_incidents_avoided(30, rirr)
    assert avoided.estimate == pytest.approx(50 * 55 / 60 - 30, abs=EXACT)
    assert avoided.ci_low == pytest.approx(30 / rirr.ci_high - 30, abs=EXACT)
    assert avoided.ci_high == pytest.approx(30 / rirr.ci_low - 30, abs=EXACT)


def test_smallest_detectable_change_is_found_four_times_in_five():
    rng = np.random.default_rng(20180601)
    found = estimate_smallest_detectable_rirr([240.0] * 4, dispersion=2.0)
    expected = math.exp(-(1.959963985 + 0.841621234) * math.sqrt(2 * 4 / 240))
    assert found.estimate == pytest.approx(expected, rel=1e-8)
    ratio = estimate_smallest_detectable_rirr([400.0] * 4).estimate
    treated, *others = rng.poisson([400 * ratio, 400, 400, 400], size=(4000, 4)).T
    se = np.sqrt(1 / treated + sum(1 / other for other in others))
    z = np.log(treated * others[1] / (others[0] * others[2])) / se
    assert np.mean(z < -1.959964) == pytest.approx(0.8, abs=0.04)


@given(t0=counts, t1=counts, c0=counts, c1=counts)
def test_turning_the_sites_round_turns_the_ratio_over(t0, t1, c0, c1):
    one, other = estimate_rirr((t0, t1), (c0, c1)), estimate_rirr((c0, c1), (t0, t1))
    assert one.estimate * other.estimate == pytest.approx(1)
    assert one.p_value == pytest.approx(other.p_value)
    assert estimate_relative_effect_size(one).ci_low == pytest.approx(1 / one.ci_high)


@given(cells=st.lists(months, min_size=1, max_size=4))
def test_dispersion_scales_with_the_counts(cells):
    plain = estimate_dispersion(*cells)
    tripled = estimate_dispersion(*(3 * np.array(cell) for cell in cells))
    if math.isnan(plain.estimate):
        assert math.isnan(tripled.estimate)
    else:
        assert tripled.estimate == pytest.approx(3 * plain.estimate)


@given(before=counts, after=counts, dispersion=st.floats(1, 9), df=st.floats(2, 60))
def test_the_interval_holds_the_estimate(before, after, dispersion, df):
    change: Estimate = estimate_percentage_change(before, after, dispersion=dispersion, df=df)
    assert -100 <= change.ci_low < change.estimate < change.ci_high


@pytest.mark.parametrize(
    ("areas", "options", "estimate", "se"),
    [
        ((TREATED, CONTROL, DISPLACED, DISPLACED_CONTROL), {}, -118, math.sqrt(1568)),
        (
            (TREATED, CONTROL, DISPLACED, DISPLACED_CONTROL),
            {"area_weights": (1.2, 0.9, 1.5, 1.6)},
            -99.69444444,
            35.4280755,
        ),
        (((80, 20), (100, 50)), {"time_weights": (2, 1)}, -20, math.sqrt(115)),
        (((20, 10), (20, 20)), {}, -10, 8.36660),
    ],
)
def test_wdd_is_that_of_the_paper_and_of_the_authors_package(areas, options, estimate, se):
    wdd = estimate_wdd(*areas, **options)
    assert wdd.estimate == pytest.approx(estimate, abs=5e-9)
    assert wdd.se == pytest.approx(se, abs=5e-8 if options else 5e-5)


def test_the_interval_of_wdd_and_where_there_is_none():
    wdd = estimate_wdd(TREATED, CONTROL, DISPLACED, DISPLACED_CONTROL)
    assert wdd.statistic == pytest.approx(-2.98, abs=5e-3)
    assert (wdd.ci_low, wdd.ci_high) == pytest.approx((-196, -40), abs=0.5)
    few = estimate_wdd((20, 10), (20, 20))
    ends = (-10 - 1.6448536 * few.se, -10 + 1.6448536 * few.se)  # the package prints 90% intervals
    assert ends == pytest.approx((-23.762, 3.762), abs=5e-4)
    nothing = estimate_wdd((0, 0), (0, 0))
    assert math.isnan(nothing.estimate)
    assert "No incident" in nothing.note


@given(t0=counts, t1=counts, c0=counts, c1=counts, dispersion=st.floats(1, 9))
def test_dispersion_widens_wdd_by_its_root(t0, t1, c0, c1, dispersion):
    plain = estimate_wdd((t0, t1), (c0, c1))
    wide = estimate_wdd((t0, t1), (c0, c1), dispersion=dispersion)
    assert wide.estimate == plain.estimate == (t1 - t0) - (c1 - c0)
    assert wide.se == pytest.approx(plain.se * math.sqrt(dispersion))


def test_wdq_and_total_net_effect_by_hand():
    shares = [110 / 318 - 207 / 308, 157 / 318 - 178 / 308]
    wdq = estimate_wdq(TREATED, CONTROL, DISPLACED)
    assert wdq.estimate == pytest.approx(shares[1] / shares[0])
    expected = (207 * 318 / 308 - 110) + (178 * 318 / 308 - 157)
    found = estimate_total_net_effect(TREATED, CONTROL, DISPLACED)
    assert found.estimate == pytest.approx(expected)
    assert math.isnan(estimate_total_net_effect((5, 5), (0, 9)).estimate)
    assert math.isnan(estimate_total_net_effect((0, 0), (9, 9)).estimate)


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


def test_the_standard_error_of_the_net_effect_is_the_spread_of_simulated_ones():
    rng = np.random.default_rng(20180601)
    means = np.array([400, 300, 500, 450, 200, 220])
    t0, t1, c0, c1, d0, d1 = rng.poisson(means, size=(20_000, 6)).T
    spread = np.std((t0 + d0) * c1 / c0 - t1 - d1)
    found = estimate_total_net_effect((400, 300), (500, 450), (200, 220))
    assert found.se == pytest.approx(spread, rel=0.03)
