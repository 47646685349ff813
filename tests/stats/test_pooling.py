"""Pooling over pairs, against metafor."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import read_reference
from scipy import optimize, stats

from sbwork.stats import Estimate, Reason
from sbwork.stats.pooling import estimate_heterogeneity, pool_log_ratios, pool_with_prior

CLOSED_FORM = 1e-9
ITERATED = 1e-6
INTEGRATED = 1e-9  # against R's integrate() and against Gauss and Legendre
BOUNDED_SUM = 2e-6  # bayesmeta, run with a bound of 1e-5 on the divergence
PUBLISHED_SUM = 1e-3  # bayesmeta's vignette, run with its default bound of .01
STANDARD_ERRORS = 4  # of Monte Carlo, against brms
REFERENCE = read_reference("rates")
POOLED = REFERENCE["pooled"]
PRIOR = read_reference("pooling")["cases"]
ENDS = ("low", "median", "high")


def read_logs(pooled: Estimate) -> np.ndarray:
    return np.log([pooled.ci_low, pooled.estimate, pooled.ci_high])


def integrate_by_panels(y: np.ndarray, v: np.ndarray, scale: float) -> list[float]:
    """Find the quantiles with the inverse of V + tau² I at each tau, by Gauss and Legendre."""
    ends = np.append(0, np.geomspace(1e-3 * scale, 12 * scale, 40))
    nodes, shares = np.polynomial.legendre.leggauss(20)
    halves = np.diff(ends)[:, None] / 2
    tau = (ends[:-1, None] + halves * (1 + nodes)).ravel()
    inverse = np.linalg.inv(v + tau[:, None, None] ** 2 * np.eye(y.size))
    total = inverse.sum(axis=(1, 2))
    middle = inverse.sum(axis=1) @ y / total
    residual = y - middle[:, None]
    misfit = np.einsum("ki,kij,kj->k", residual, inverse, residual)
    log_density = (np.linalg.slogdet(inverse)[1] - np.log(total) - misfit - (tau / scale) ** 2) / 2
    weights = (halves * shares).ravel() * np.exp(log_density - log_density.max())
    weights /= weights.sum()

    def share_below(x: float) -> float:
        return float(weights @ stats.norm.cdf(x, middle, total**-0.5))

    return [
        optimize.brentq(lambda x, p=p: share_below(x) - p, -30, 30, xtol=1e-12)
        for p in (0.025, 0.5, 0.975)
    ]


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


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_pairs_are_not_pooled(n):
    pooled = pool_log_ratios([0.1] * n, [0.1] * n)
    assert math.isnan(pooled.estimate)
    assert math.isnan(estimate_heterogeneity([0.1] * n, [0.1] * n).tau2.estimate)
    for found in (pooled, pool_with_prior([0.1] * n, [0.1] * n)):
        assert math.isnan(found.estimate)
        assert ("one pair is not pooled", "nothing to pool")[n == 0] in found.note
        assert found.reason is Reason.TOO_FEW_PAIRS


@pytest.mark.parametrize(
    ("pool", "logs", "covariance", "said"),
    [
        (pool_log_ratios, [0.1, 0.2], [0.1], "2 log ratios"),
        (pool_log_ratios, [0.1, math.nan], [0.1, 0.1], "finite"),
        (pool_with_prior, [0.1, 0.2], [[0.1, 0.2], [0.2, 0.1]], "positive definite"),
        (partial(pool_with_prior, prior_scale=0), [0.1, 0.2], [0.1, 0.1], "above 0"),
    ],
)
def test_what_is_no_covariance_and_no_scale_is_refused(pool, logs, covariance, said):
    with pytest.raises(ValueError, match=said):
        pool(logs, covariance)


@pytest.mark.parametrize("name", PRIOR)
def test_the_posterior_is_that_of_rs_integrate_bayesmeta_and_brms(name):
    case = PRIOR[name]
    pooled = pool_with_prior(case["log_ratios"], case["covariance"])
    found = read_logs(pooled)
    exact = case["integrated"]
    assert found == pytest.approx([exact[end] for end in ENDS], abs=INTEGRATED)
    assert pooled.se == pytest.approx(exact["sd"], abs=INTEGRATED)
    if case["bayesmeta"]:
        assert found == pytest.approx([case["bayesmeta"][end] for end in ENDS], abs=BOUNDED_SUM)
    for value, end in zip(found, ENDS, strict=True):
        drawn, error = case["brms"]["quantiles"][end], case["brms"]["mcse"][end]
        assert error < 0.006
        assert abs(value - drawn) < STANDARD_ERRORS * error


def test_the_eight_schools_of_bayesmetas_vignette():
    """Rubin (1981), uniform prior on tau: median 8.055861, standard deviation 5.246683."""
    effects = [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16]
    errors = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])
    pooled = pool_with_prior(effects, errors**2, prior_scale=1e6)
    assert math.log(pooled.estimate) == pytest.approx(8.055861, rel=PUBLISHED_SUM)
    assert pooled.se == pytest.approx(5.246683, rel=PUBLISHED_SUM)


@pytest.mark.parametrize("n", [2, 3, 6, 15])
@pytest.mark.parametrize("size", [0.003, 0.2, 1.5])
@pytest.mark.parametrize("scale", [0.02, 0.5])
def test_the_integral_over_tau_is_that_of_gauss_and_legendre(n, size, scale):
    rng = np.random.default_rng(n)
    y = rng.normal(-0.3, math.hypot(scale, size), n)
    v = size**2 * (np.diag(rng.uniform(0.3, 3, n)) + 0.2)
    found = read_logs(pool_with_prior(y, v, prior_scale=scale))
    assert found == pytest.approx(integrate_by_panels(y, v, scale), abs=INTEGRATED)


@given(
    y=st.lists(st.floats(-2, 2), min_size=2, max_size=8),
    variance=st.floats(0.001, 1),
    shift=st.floats(-1, 1),
)
def test_equal_variances_pool_to_the_mean_and_shift_with_it(y, variance, shift):
    v, moved = [variance] * len(y), [value + shift for value in y]
    mean, spread = float(np.mean(y)), math.sqrt(variance / len(y))
    pooled = pool_log_ratios(y, v)
    assert math.log(pooled.estimate) == pytest.approx(mean, abs=1e-9)
    assert pool_log_ratios(moved, v).se == pytest.approx(pooled.se, rel=1e-5)
    assert pooled.ci_high / pooled.ci_low > math.exp(3.9 * spread)
    low, median, high = read_logs(pool_with_prior(y, v))
    assert median == pytest.approx(mean, abs=1e-9)
    assert high - median == pytest.approx(median - low, abs=1e-8)
    assert high - low > 2 * 1.95996 * spread
    found = read_logs(pool_with_prior(moved, v))
    assert found == pytest.approx([low + shift, median + shift, high + shift], abs=1e-8)


@given(
    y=st.lists(st.floats(-2, 2), min_size=2, max_size=6),
    scales=st.tuples(st.floats(0.01, 2), st.floats(0.01, 2)).map(sorted),
)
def test_a_wider_prior_gives_a_wider_interval(y, scales):
    v = [0.03] * len(y)
    narrow, wide = (read_logs(pool_with_prior(y, v, prior_scale=scale)) for scale in scales)
    assert wide[2] - wide[0] >= narrow[2] - narrow[0] - 1e-9


def test_a_prior_near_zero_is_the_fixed_effect():
    y, v = [-0.2, -0.5, 0.1], [0.03, 0.05, 0.04]
    fixed = pool_log_ratios(y, v, model="fixed")
    pooled = pool_with_prior(y, v, prior_scale=1e-6)
    assert read_logs(pooled) == pytest.approx(read_logs(fixed), abs=1e-9)
    assert pooled.se == pytest.approx(fixed.se, abs=1e-9)
    assert math.isnan(pooled.p_value)
    assert math.isnan(pooled.statistic)


def test_the_interval_covers_the_mean_although_pairs_differ():
    """1,500 draws of two and three pairs with tau .5: at least 92% of intervals hold the truth."""
    rng = np.random.default_rng(20180601)
    for n_pairs in (2, 3):
        y = rng.normal(0, math.sqrt(0.03 + 0.5**2), (1500, n_pairs))
        found = np.array([read_logs(pool_with_prior(row, [0.03] * n_pairs)) for row in y])
        assert np.mean((found[:, 0] <= 0) & (found[:, 2] >= 0)) >= 0.92
