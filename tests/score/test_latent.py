"""Factor models against lavaan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import REFERENCE, read_reference

from sbwork.score.latent import (
    FactorFit,
    fit_factors,
    fit_one_factor,
    is_regular,
    refit_one_factor,
)

LAVAAN = 1e-8
LAVAAN_BOUNDED = 1e-6

LAVAAN_SAYS = read_reference("reliability")
TESTS = pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv").drop(columns="school")
THREE = np.kron(np.eye(3), np.ones((3, 1)))


def check_fit(fit: FactorFit, expected: dict[str, Any], tolerance: float) -> None:
    assert fit.converged
    assert fit.chi_square == pytest.approx(expected["chisq"], abs=tolerance * 100)
    assert fit.df == expected["df"]
    assert fit.cfi == pytest.approx(expected["cfi"], abs=tolerance)
    assert fit.srmr == pytest.approx(expected["srmr"], abs=tolerance)
    if fit.df:
        assert fit.p_value == pytest.approx(expected["pvalue"], abs=tolerance)
        assert fit.tli == pytest.approx(expected["tli"], abs=tolerance)
        assert fit.rmsea == pytest.approx(expected["rmsea"], abs=tolerance)


@pytest.mark.parametrize("scale", ["visual", "textual", "six", "all"])
def test_one_factor(scale: str) -> None:
    expected = LAVAAN_SAYS["one_factor"][scale]
    fit = fit_one_factor(TESTS[expected["items"]].cov().to_numpy(), 301)
    assert fit.loadings[:, 0] == pytest.approx(expected["loadings"], abs=LAVAAN)
    assert fit.loading_errors[:, 0] == pytest.approx(expected["errors"], abs=LAVAAN)
    assert fit.residual_variances == pytest.approx(expected["residuals"], abs=LAVAAN)
    check_fit(fit, expected["fit"], LAVAAN)


def test_three_factors() -> None:
    expected = LAVAAN_SAYS["three_factors"]
    fit = fit_factors(TESTS.cov().to_numpy(), 301, THREE)
    assert fit.loadings[THREE > 0] == pytest.approx(expected["loadings"], abs=LAVAAN)
    assert fit.loading_errors[THREE > 0] == pytest.approx(expected["errors"], abs=LAVAAN)
    assert fit.correlations == pytest.approx(np.array(expected["correlations"]), abs=LAVAAN)
    assert fit.residual_variances == pytest.approx(expected["residuals"], abs=LAVAAN)
    check_fit(fit, expected["fit"], LAVAAN)
    assert not fit.loadings[THREE == 0].any()
    published = (fit.chi_square, fit.df, fit.cfi, fit.rmsea, fit.srmr)
    assert tuple(round(value, 3) for value in published) == (85.306, 24, 0.931, 0.092, 0.065)


def test_heywood_case_is_fixed_at_zero() -> None:
    expected = LAVAAN_SAYS["heywood"]
    fit = fit_one_factor(TESTS[expected["items"]].cov().to_numpy(), 301)
    assert fit.at_bound.tolist() == [False, False, False, True]
    assert fit.residual_variances[3] == 0
    assert fit.loadings[:, 0] == pytest.approx(expected["loadings"], abs=LAVAAN_BOUNDED)
    check_fit(fit, expected["fit"], LAVAAN_BOUNDED)


@st.composite
def one_factor_models(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    k = draw(st.integers(3, 8))
    loadings = draw(st.lists(st.floats(0.3, 0.95), min_size=k, max_size=k))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=k, max_size=k))
    scales = draw(st.lists(st.floats(0.1, 10), min_size=k, max_size=k))
    free = np.array(loadings) * np.array(signs)
    matrix = np.outer(free, free) + np.diag(1 - free**2)
    return free * np.array(scales), matrix * np.outer(scales, scales)


@settings(max_examples=60)
@given(one_factor_models())
def test_recovers_the_model_that_made_the_matrix(model: tuple[np.ndarray, np.ndarray]) -> None:
    loadings, matrix = model
    fit = fit_one_factor(matrix * 200 / 199, 200)
    assert fit.converged
    sign = 1 if fit.loadings[:, 0] @ loadings > 0 else -1
    assert fit.loadings[:, 0] * sign == pytest.approx(loadings, rel=1e-5, abs=1e-6)
    assert fit.chi_square == pytest.approx(0, abs=1e-6)


@settings(max_examples=40)
@given(one_factor_models(), st.integers(0, 2**32 - 1))
def test_fits_noise_at_a_point_where_nothing_near_is_better(
    model: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = random.multivariate_normal(np.zeros(len(model[0])), model[1], size=40)
    covariance = np.cov(rows, rowvar=False)
    fit = fit_one_factor(covariance, 40)
    if not fit.converged:
        return
    sample = covariance * 39 / 40

    def discrepancy(loadings: np.ndarray, residuals: np.ndarray) -> float:
        implied = np.outer(loadings, loadings) + np.diag(residuals)
        trace = np.trace(sample @ np.linalg.inv(implied))
        return float(np.linalg.slogdet(implied)[1] + trace)

    best = discrepancy(fit.loadings[:, 0], fit.residual_variances)
    sd = np.sqrt(np.diag(sample))
    for _ in range(5):
        loadings = fit.loadings[:, 0] + 1e-3 * sd * random.normal(size=len(sd))
        noise = 1e-3 * sd**2 * random.normal(size=len(sd))
        residuals = np.maximum(fit.residual_variances + noise, 0)
        assert discrepancy(loadings, residuals) >= best - 1e-9


def test_many_at_once_equal_one_by_one() -> None:
    items = TESTS[["x1", "x2", "x3", "x4"]].to_numpy()
    whole = fit_one_factor(np.cov(items, rowvar=False), 301)
    halves = np.stack([np.cov(items[start::3], rowvar=False) for start in range(3)])
    loadings, residuals, converged = refit_one_factor(halves, whole)
    assert converged.all()
    for index, half in enumerate(halves):
        alone = fit_one_factor(half, 10**9)
        assert loadings[index] == pytest.approx(alone.loadings[:, 0], abs=1e-5)
        assert residuals[index] == pytest.approx(alone.residual_variances, abs=1e-5)


@pytest.mark.parametrize(
    ("matrix", "pattern", "said"),
    [
        (np.eye(2) + 0.5, np.ones((2, 1)), "4 parameters can't be found from 3 moments"),
        (np.ones((3, 3)), np.ones((3, 1)), "singular"),
        (np.ones((2, 3)), np.ones((2, 1)), "square"),
        (np.eye(3), np.ones((2, 1)), "pattern"),
    ],
)
def test_refuses_what_has_no_solution(matrix: np.ndarray, pattern: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit_factors(matrix, 50, pattern)
    assert not is_regular(np.ones((3, 3)))
