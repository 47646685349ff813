"""Omega total of a scale, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.score.latent import FactorFit, fit_one_factor, is_regular, refit_one_factor
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.reliability import find_obstacle

_FEWEST_DRAWS = 100
_MOST_LOST = 0.1

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def estimate_omega(
    covariance: ArrayLike,
    n: int,
    *,
    names: Sequence[str] = (),
    resamples: FloatArray | None = None,
) -> Estimate:
    """Estimate omega total: the share of the sum's variance that one common factor explains.

    ``omega = (sum lambda)^2 / ((sum lambda)^2 + sum theta)`` from a one-factor maximum-likelihood
    model with loadings lambda and residual variances theta.

    Returns ``"omega_total"``, without a unit. Missing, with the reason, for fewer than three items
    or ten complete cases, an item that does not vary, or a model that can't be fitted.

    Source: McDonald, R. P. (1999). Test Theory: A Unified Treatment, chapter 6. Kelley, K., &
    Pornprasertmanit, S. (2016). Psychological Methods, 21, 69-92 (the interval).
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    name = "omega_total"
    refused = find_obstacle(matrix, n, names)
    if not refused and len(matrix) < 3:
        refused = Refusal(Reason.TOO_FEW_ITEMS, "A one-factor model needs at least three items.")
    if not refused and not is_regular(matrix):
        note = "One item is a sum of others, so no factor model can be fitted."
        refused = Refusal(Reason.NOT_ESTIMABLE, note)
    if refused:
        return refused.name(name, n=n)
    fit = fit_one_factor(matrix, n)
    if not fit.converged:
        note = "The one-factor model did not converge on an answer."
        return Estimate(name, n=n, note=note, reason=Reason.NOT_ESTIMABLE)
    omega = float(_compute_omega(fit.loadings[:, 0], fit.residual_variances))
    estimate = Estimate(name, omega, n=n)
    if fit.at_bound.any():
        estimate = add_note(estimate, _describe_bounds(fit.at_bound, names), Flag.AT_BOUND)
    return estimate if resamples is None else _add_interval(estimate, fit, resamples)


def resample_covariances(answers: ArrayLike, draws: int, random: np.random.Generator) -> FloatArray:
    """Compute the covariance matrix of `draws` bootstrap samples of the rows.

    Source: Efron, B., & Tibshirani, R. J. (1993). An Introduction to the Bootstrap.
    """
    rows = np.asarray(answers, dtype=np.float64)
    n, k = rows.shape
    covariances = np.zeros((draws, k, k))
    if n < 2:
        return covariances
    centred = np.ascontiguousarray((rows - rows.mean(axis=0)).T)
    for draw in range(draws):
        counts = np.bincount(random.integers(n, size=n), minlength=n)
        weighted = centred * counts
        means = weighted.sum(axis=1) / n
        covariances[draw] = (weighted @ centred.T - n * np.outer(means, means)) / (n - 1)
    return covariances


def _add_interval(estimate: Estimate, fit: FactorFit, resamples: FloatArray) -> Estimate:
    """Refit the model to every resample, starting from the solution that is known."""
    variances = np.diagonal(resamples, axis1=-2, axis2=-1)
    varied = variances.min(axis=-1) > 1e-9 * variances.max(axis=-1)
    loadings, residuals, converged = refit_one_factor(resamples[varied], fit)
    omegas = _compute_omega(loadings, residuals)[converged]
    lost = len(resamples) - len(omegas)
    if len(omegas) < _FEWEST_DRAWS or lost > _MOST_LOST * len(resamples):
        fitted = f"{len(omegas)} of {len(resamples)} bootstrap samples"
        note = f"No interval: the model could be fitted in only {fitted}."
        return add_note(estimate, note, Flag.NO_INTERVAL)
    low, high = np.quantile(omegas, [0.025, 0.975])
    return replace(estimate, ci_low=float(low), ci_high=float(high))


def _compute_omega(loadings: FloatArray, residuals: FloatArray) -> FloatArray:
    common = np.square(loadings.sum(axis=-1))
    return np.asarray(common / (common + residuals.sum(axis=-1)))


def _describe_bounds(at_bound: BoolArray, names: Sequence[str]) -> str:
    named = [
        f"'{names[i]}'" if len(names) == len(at_bound) else f"item {i + 1}"
        for i in map(int, np.flatnonzero(at_bound))
    ]
    return (
        f"The error variance of {', '.join(named)} was held at zero: "
        "the items fit one factor badly."
    )
