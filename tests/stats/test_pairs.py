"""One pair's estimates, from monthly counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats import Flag
from sbwork.stats.pairs import (
    PAIR_ESTIMATORS,
    MonthlyCounts,
    PairCounts,
    estimate_site_change,
)

year = st.lists(st.integers(1, 80).map(float), min_size=12, max_size=12).map(np.array)


def make_pair(*cells: np.ndarray, scale: float = 1.0, weighted: bool = False) -> PairCounts:
    t0, t1, c0, c1 = (scale * np.asarray(cell, dtype=float) for cell in cells)
    return PairCounts(MonthlyCounts(t0, t1), MonthlyCounts(c0, c1), weighted=weighted)


def read(pair: PairCounts) -> dict[str, object]:
    return {estimate.estimator: estimate for estimate in pair.estimate()}


@given(t0=year, t1=year, c0=year, c1=year)
def test_every_estimator_is_there_with_its_unit(t0, t1, c0, c1):
    found = make_pair(t0, t1, c0, c1).estimate()
    assert {e.estimator: e.unit for e in found} == PAIR_ESTIMATORS
    assert [e.estimator for e in found] == list(PAIR_ESTIMATORS)


@given(t0=year, t1=year, c0=year, c1=year, scale=st.floats(0.01, 400))
def test_the_unit_of_a_weight_does_not_matter(t0, t1, c0, c1, scale):
    one = read(make_pair(t0, t1, c0, c1, weighted=True))
    other = read(make_pair(t0, t1, c0, c1, scale=scale, weighted=True))
    assert other["rirr"].se == pytest.approx(one["rirr"].se, nan_ok=True)
    assert other["wdd_corrected"].se == pytest.approx(scale * one["wdd_corrected"].se, nan_ok=True)


@pytest.mark.parametrize("cells", [[np.ones(12)] * 4, [[50.0], [30.0], [60.0], [55.0]]])
def test_weighted_sums_without_spread_have_no_precision(cells):
    found = make_pair(*cells, weighted=True).estimate()
    assert "no spread" in found[0].note
    assert all(math.isnan(estimate.ci_low) for estimate in found)
    assert all(math.isnan(estimate.p_value) for estimate in found)


@given(t0=year, t1=year, c0=year, c1=year)
def test_correction_never_narrows_an_interval(t0, t1, c0, c1):
    found = read(make_pair(t0, t1, c0, c1))
    for corrected, plain in (("rirr", "rirr_poisson"), ("wdd_corrected", "wdd")):
        assert found[corrected].ci_low <= found[plain].ci_low
        assert found[corrected].ci_high >= found[plain].ci_high


def test_the_verdict_leaves_the_displacement_area_out():
    flat, few = np.full(12, 20.0), np.full(12, 10.0)
    moved = MonthlyCounts(few, np.full(12, 60.0))
    pair = PairCounts(MonthlyCounts(flat, few), MonthlyCounts(flat, flat), moved)
    found = read(pair)
    assert found["wdd"].estimate > 0
    assert found["rirr_wdd_agreement"].estimate == 1
    assert "no control of its own" in found["wdd"].note


def test_a_site_that_varies_has_a_wider_interval():
    steady = MonthlyCounts(np.full(12, 20.0), np.full(12, 15.0))
    rough = MonthlyCounts(np.tile([0.0, 40.0], 6), np.tile([0.0, 30.0], 6))
    narrow, wide = estimate_site_change(steady), estimate_site_change(rough)
    assert narrow.estimate == wide.estimate == pytest.approx(-25)
    assert wide.ci_high - wide.ci_low > 2 * (narrow.ci_high - narrow.ci_low)
    assert not math.isnan(wide.p_value)


some_months = st.lists(st.integers(0, 3).map(float), min_size=1, max_size=3).map(np.array)


@given(
    cells=st.tuples(*[some_months] * 4),
    moved=st.booleans(),
    weighted=st.booleans(),
)
def test_what_is_missing_has_its_reason_and_what_is_there_has_none(cells, moved, weighted):
    t0, t1, c0, c1 = cells
    before, after = min(t0.size, c0.size), min(t1.size, c1.size)
    site = MonthlyCounts(t0[:before], t1[:after])
    control = MonthlyCounts(c0[:before], c1[:after])
    pair = PairCounts(site, control, control if moved else None, weighted=weighted)
    for estimate in (*pair.estimate(), estimate_site_change(site, weighted=weighted)):
        assert math.isnan(estimate.estimate) == bool(estimate.reason), estimate
        if estimate.estimator == "wdd" and weighted and not estimate.reason:
            assert Flag.NO_INTERVAL in estimate.flags
