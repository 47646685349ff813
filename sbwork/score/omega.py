"""Omega total of a scale, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.score.latent.model import Likelihood, Model
from sbwork.score.latent.moments import Moments
from sbwork.score.latent.solver import minimise
from sbwork.score.latent.starts import guess_parameters
from sbwork.score.latent.table import build_table
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.reliability import find_obstacle

_FEWEST_DRAWS = 100
_MOST_LOST = 0.1

_SMALLEST_EIGENVALUE = 1e-10
_LEAST_START = 0.05
_REFIT_TOLERANCE = 1e-7

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _OneFactor:
    """One factor fitted to d correlation matrices: loadings, residual variances >= 0 (d, k)."""

    loadings: FloatArray
    residuals: FloatArray
    converged: BoolArray

    def compute_omega(self, sd: FloatArray) -> FloatArray:
        """Compute omega total, given the items' standard deviations (d, k)."""
        common = np.square((self.loadings * sd).sum(axis=-1))
        return np.asarray(common / (common + (self.residuals * sd**2).sum(axis=-1)))


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
    if not refused and not _is_regular(matrix):
        note = "One item is a sum of others, so no factor model can be fitted."
        refused = Refusal(Reason.NOT_ESTIMABLE, note)
    if refused:
        return refused.name(name, n=n)
    fit, sd = _fit_one_factor(matrix[None])
    if not fit.converged[0]:
        note = "The one-factor model did not converge on an answer."
        return Estimate(name, n=n, note=note, reason=Reason.NOT_ESTIMABLE)
    estimate = Estimate(name, float(fit.compute_omega(sd)[0]), n=n)
    at_bound = fit.residuals[0] <= 0
    if at_bound.any():
        estimate = add_note(estimate, _describe_bounds(at_bound, names), Flag.AT_BOUND)
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


@cache
def _build_one_factor(n_items: int) -> Model:
    """Build one factor with variance 1 behind all items."""
    items = " + ".join(f"NA*i{item}" for item in range(n_items))
    return Model.from_table(build_table(f"f =~ {items}; f ~~ 1*f", 1, (), (), means=False), 1)


def _fit_one_factor(
    covariances: FloatArray, near: _OneFactor | None = None
) -> tuple[_OneFactor, FloatArray]:
    """Fit one factor to the correlations of (d, k, k); return it with standard deviations (d, k).

    Source: Jöreskog, K. G. (1967). Psychometrika, 32, 443-482.
    """
    k = covariances.shape[-1]
    sd = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    samples = covariances / (sd[:, :, None] * sd[:, None, :])
    moments = Moments.from_complete(np.zeros(samples.shape[:2]), samples, 1.0)
    likelihood = Likelihood.from_moments(_build_one_factor(k), [moments])
    lower = np.repeat([-np.inf, 0.0], k)
    if near is None:
        start = guess_parameters(likelihood.model.table, likelihood.moments)
        solution = minimise(likelihood, start, lower=lower)
    else:
        residuals = np.maximum(near.residuals[0], _LEAST_START)
        start = np.concatenate([near.loadings[0], residuals])
        solution = minimise(likelihood, start, lower=lower, tolerance=_REFIT_TOLERANCE)
    loadings, residuals = np.split(solution.parameters, 2, axis=1)
    return _OneFactor(loadings, residuals, solution.converged), sd


def _is_regular(covariance: FloatArray) -> bool:
    """Tell whether a covariance matrix can be inverted: no item is a sum of others."""
    sd = np.sqrt(np.diag(covariance))
    smallest = np.linalg.eigvalsh(covariance / np.outer(sd, sd))[0]
    return bool(smallest > _SMALLEST_EIGENVALUE)


def _add_interval(estimate: Estimate, fit: _OneFactor, resamples: FloatArray) -> Estimate:
    """Refit the model to every resample, starting from the solution that is known."""
    variances = np.diagonal(resamples, axis1=-2, axis2=-1)
    varied = variances.min(axis=-1) > 1e-9 * variances.max(axis=-1)
    refit, sd = _fit_one_factor(resamples[varied], fit)
    omegas = refit.compute_omega(sd)[refit.converged]
    lost = len(resamples) - len(omegas)
    if len(omegas) < _FEWEST_DRAWS or lost > _MOST_LOST * len(resamples):
        fitted = f"{len(omegas)} of {len(resamples)} bootstrap samples"
        note = f"No interval: the model could be fitted in only {fitted}."
        return add_note(estimate, note, Flag.NO_INTERVAL)
    low, high = np.quantile(omegas, [0.025, 0.975])
    return replace(estimate, ci_low=float(low), ci_high=float(high))


def _describe_bounds(at_bound: BoolArray, names: Sequence[str]) -> str:
    named = [
        f"'{names[i]}'" if len(names) == len(at_bound) else f"item {i + 1}"
        for i in map(int, np.flatnonzero(at_bound))
    ]
    return (
        f"The error variance of {', '.join(named)} was held at zero: "
        "the items fit one factor badly."
    )
