"""Pooling over pairs, against metafor."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbwork.estimates.pooling import estimate_heterogeneity, pool_log_ratios

CLOSED_FORM = 1e-9
ITERATED = 1e-6
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "rates.json").read_text())
POOLED = REFERENCE["pooled"]


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize(
    ("key", "model", "adjust", "tolerance"),
    [
        ("fixed", "fixed", False, CLOSED_FORM),
        ("dl", "dersimonian-laird", False, CLOSED_FORM),
        ("reml", "reml", False, ITERATED),
        ("knapp_hartung", "reml", True, ITERATED),
    ],
)
def test_pooling_is_metafors(name, key, model, adjust, tolerance):
    case, expected = POOLED[name], POOLED[name][key]
    if adjust:
        expected = max(expected, case["reml"], key=lambda fit: fit["high"] - fit["low"])
    pooled = pool_log_ratios(case["log_ratios"], case["variances"], model=model, adjust=adjust)
    assert math.log(pooled.estimate) == pytest.approx(expected["log"], rel=tolerance)
    assert pooled.se == pytest.approx(expected["se"], rel=tolerance)
    assert pooled.p_value == pytest.approx(expected["p"], rel=tolerance)
    assert math.log(pooled.ci_low) == pytest.approx(expected["low"], rel=tolerance)
    assert math.log(pooled.ci_high) == pytest.approx(expected["high"], rel=tolerance)


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize(("key", "model"), [("dl", "dersimonian-laird"), ("reml", "reml")])
def test_heterogeneity_is_metafors(name, key, model):
    case, expected = POOLED[name], POOLED[name][key]
    spread = estimate_heterogeneity(case["log_ratios"], case["variances"], model=model)
    assert spread.q.estimate == pytest.approx(expected["q"], rel=CLOSED_FORM)
    assert spread.q.p_value == pytest.approx(expected["q_p"], rel=CLOSED_FORM)
    assert spread.tau2.estimate == pytest.approx(expected["tau2"], rel=ITERATED, abs=1e-10)
    assert spread.i2.estimate == pytest.approx(expected["i2"], rel=ITERATED, abs=1e-10)


def test_pairs_that_share_a_control_are_metafors_rma_mv():
    case = REFERENCE["shared"]
    y, v = np.array(case["log_ratios"]), np.array(case["covariance"])
    fixed = pool_log_ratios(y, v, model="fixed")
    assert math.log(fixed.estimate) == pytest.approx(case["fixed_log"], rel=CLOSED_FORM)
    assert fixed.se == pytest.approx(case["fixed_se"], rel=CLOSED_FORM)
    random = pool_log_ratios(y, v, adjust=False)
    assert math.log(random.estimate) == pytest.approx(case["log"], rel=1e-5)
    assert random.se == pytest.approx(case["se"], rel=1e-5)
    spread = estimate_heterogeneity(y, v)
    assert spread.tau2.estimate == pytest.approx(case["tau2"], rel=1e-4)
    assert spread.q.estimate == pytest.approx(case["q"], rel=CLOSED_FORM)


def test_sharing_a_control_widens_the_interval():
    y, v = [-0.2, -0.2], np.array([[0.04, 0.0], [0.0, 0.04]])
    shared = v + np.array([[0.0, 0.02], [0.02, 0.0]])
    apart, together = (pool_log_ratios(y, c, model="fixed") for c in (v, shared))
    assert together.se > apart.se


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_pairs_are_not_pooled(n):
    pooled = pool_log_ratios([0.1] * n, [0.1] * n)
    assert math.isnan(pooled.estimate)
    assert "nothing to pool" in pooled.note
    assert math.isnan(estimate_heterogeneity([0.1] * n, [0.1] * n).tau2.estimate)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="2 log ratios"):
        pool_log_ratios([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match="finite"):
        pool_log_ratios([0.1, math.nan], [0.1, 0.1])


@settings(deadline=None)
@given(
    y=st.lists(st.floats(-2, 2), min_size=2, max_size=8),
    variance=st.floats(0.001, 1),
    shift=st.floats(-1, 1),
)
def test_equal_variances_pool_to_the_mean_and_shift_with_it(y, variance, shift):
    v = [variance] * len(y)
    pooled = pool_log_ratios(y, v)
    moved = pool_log_ratios([value + shift for value in y], v)
    assert math.log(pooled.estimate) == pytest.approx(float(np.mean(y)), abs=1e-9)
    assert moved.se == pytest.approx(pooled.se, rel=1e-5)
    assert pooled.ci_high / pooled.ci_low > math.exp(3.9 * math.sqrt(variance / len(y)))
