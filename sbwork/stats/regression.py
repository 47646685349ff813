"""Regressions of counts and shares: Poisson, binomial and negative binomial (NB2).

statsmodels fits the first two. NB2 is fitted here, since statsmodels' by Newton's method ends in
NaN on data that R's ``MASS::glm.nb`` fits.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Reason, Refusal, complete_estimate

Vector = NDArray[np.float64]

_MOST_STEPS = 60
_TOLERANCE = 1e-10
_SMALLEST_MEAN = 1e-6
_LEAST_VARIANCE = 1e-12

_ALIASED = Refusal(
    Reason.NOT_ESTIMABLE,
    "Not computed: the months at hand can't tell the terms of the model apart, so it has no "
    "single answer.",
)
_SEPARATION = Refusal(
    Reason.ZERO_COUNT,
    "Not computed: some group of months has no incident at all, so the model's ratio runs off "
    "to zero or infinity.",
)
_UNSETTLED = Refusal(
    Reason.NOT_ESTIMABLE,
    "Not computed: the model's steps did not settle on an answer.",
)
_NO_THETA = Refusal(
    Reason.NO_VARIATION,
    "Not computed: once the model's terms are taken out, no variation beyond chance is left for "
    "the negative binomial model to fit. Where there are few sites that says little; read the "
    "quasi-Poisson model.",
)
_TOO_FEW = Refusal(
    Reason.TOO_FEW_MONTHS,
    "Not computed: as many terms as months, so nothing is left to judge precision by.",
)
_NO_SPREAD = Refusal(
    Reason.NO_VARIATION,
    "Not computed: the months do not vary at all, so precision can't be judged.",
)


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """A fitted model, or the reason why there is none.

    coefficients: on the log scale (counts) or the logit scale (shares).
    unscaled: inverse of the information matrix at dispersion 1.
    fitted: expected counts, or shares.
    dispersion: Pearson chi-square divided by `df`; NaN where `df` is 0.
    df: rows less coefficients.
    theta: NB2 only: variance = mean + mean^2 / theta; NaN elsewhere.
    results: what statsmodels knows of the fit; None for NB2.
    """

    coefficients: Vector
    unscaled: Vector
    fitted: Vector
    dispersion: float = math.nan
    df: float = math.nan
    theta: float = math.nan
    results: Any = None
    problem: Refusal | None = None

    def find_scale(self, *, floor: bool = True) -> tuple[float, float]:
        """Find the factor on the unscaled covariance, and the degrees of freedom with it.

        With `floor` a dispersion below 1 counts as 1; sums of weights have no Poisson variance to
        fall back on. The factor is 1 for NB2, whose variance is modelled, with the normal as the
        reference; NaN where nothing is left to judge it by.
        """
        if math.isfinite(self.theta):
            return 1.0, math.inf
        if not self.df > 0:
            return math.nan, self.df
        return max(1.0, self.dispersion) if floor else self.dispersion, self.df


def fit_counts(counts: ArrayLike, design: ArrayLike) -> RegressionFit:
    """Fit a log-linear Poisson model of counts.

    A problem is reported where two terms can't be separated, where a coefficient runs off to
    infinity (separation), or where the steps don't settle.

    Source: McCullagh, P. & Nelder, J. A. (1989). Generalized Linear Models, 2nd ed., chapter 6.
    """
    from statsmodels.genmod.families import Poisson

    return _fit_glm(np.asarray(counts, dtype=float), design, Poisson(), most=math.inf)


def fit_shares(successes: ArrayLike, trials: ArrayLike, design: ArrayLike) -> RegressionFit:
    """Fit a logistic model of the shares of successes in trials, all of them above 0.

    With two sites and an effect for every month, the Poisson model of the counts and the logistic
    model of the site's share of each month's total give the same coefficients, the same standard
    errors and the same Pearson dispersion; this one needs no month effects.
    """
    from statsmodels.genmod.families import Binomial

    y, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    return _fit_glm(y / n, design, Binomial(), most=1.0, var_weights=n)


def _fit_glm(
    y: Vector, design: ArrayLike, family: Any, *, most: float, var_weights: Vector | None = None
) -> RegressionFit:
    """Fit a model of means between 0 and `most`; at either end there is separation."""
    from statsmodels.genmod.generalized_linear_model import GLM

    x = np.asarray(design, dtype=float)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return _report_problem(_ALIASED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separation is found below, and reported
        model = GLM(y, x, family=family, var_weights=var_weights)
        # scale="X2" would divide by 0 where the counts do not vary
        found = model.fit(tol_criterion="params", tol=_TOLERANCE, maxiter=_MOST_STEPS)
    if not min(found.mu.min(), most - found.mu.max()) >= _SMALLEST_MEAN:
        return _report_problem(_SEPARATION)
    if not found.converged:
        return _report_problem(_UNSETTLED)
    df = float(found.df_resid)
    dispersion = float(found.pearson_chi2) / df if df > 0 else math.nan
    unscaled = found.normalized_cov_params
    return RegressionFit(found.params, unscaled, found.mu, dispersion, df, results=found)


def fit_nb2(counts: ArrayLike, design: ArrayLike) -> RegressionFit:
    """Fit a negative binomial (NB2) model with its size theta by maximum likelihood.

    Coefficients given theta and theta given the means are found in turn, as R's ``MASS::glm.nb``
    does; standard errors take theta as known, as its summary does. A problem is reported where the
    counts vary about their means no more than a Poisson model expects.

    Source: Venables, W. N. & Ripley, B. D. (2002). Modern Applied Statistics with S, section 7.4.
    """
    y, x = np.asarray(counts, dtype=float), np.asarray(design, dtype=float)
    fit = fit_counts(y, x)
    if fit.problem:
        return fit
    if not fit.df > 0:
        return _report_problem(_TOO_FEW)
    mean, theta, deviance = fit.fitted, math.inf, math.inf
    for _ in range(_MOST_STEPS):
        found = _maximise_theta(y, mean)
        if not math.isfinite(found):
            return _report_problem(_NO_THETA)
        beta, mean = _fit_given_theta(y, x, found)
        if not mean.min() >= _SMALLEST_MEAN:
            return _report_problem(_SEPARATION)
        last, deviance = deviance, _sum_deviance(y, mean, found)
        settled = abs(found - theta) <= 1e-9 * found and abs(deviance - last) <= 1e-9 * (
            abs(deviance) + 0.1
        )
        theta = found
        if settled:
            half = np.linalg.inv(
                np.linalg.qr(x * np.sqrt(mean / (1 + mean / theta))[:, None], mode="r")
            )
            return RegressionFit(beta, half @ half.T, mean, df=fit.df, theta=theta)
    return _report_problem(_UNSETTLED)


def compute_newey_west(fit: RegressionFit, lag: int) -> Vector:
    """Compute the Newey-West covariance of a fit whose rows are months in order of time.

    Bartlett weights over `lag` months, no pre-whitening, times n / (n - k): R's
    ``sandwich::NeweyWest(fit, lag = lag, prewhite = FALSE, adjust = TRUE)``.

    Source: Newey, W. K. & West, K. D. (1987). Econometrica 55(3), 703-708.
    """
    from statsmodels.stats.sandwich_covariance import cov_hac

    covariance: Vector = cov_hac(fit.results, nlags=lag, use_correction=True)
    return covariance


def estimate_coefficient(
    fit: RegressionFit,
    column: int,
    estimator: str,
    *,
    unit: str = "ratio",
    variance: float | None = None,
    floor: bool = True,
    n: float = math.nan,
) -> Estimate:
    """Turn one coefficient into an estimate: ``exp(b)``, or 100 (exp(b) - 1) as ``"percent"``.

    Without a `variance`, that of the model is multiplied by the Pearson dispersion, by default
    never below 1, and referred to Student's t (quasi-likelihood); NB2 fits to the normal.
    """
    known: dict[str, Any] = {"n": n, "unit": unit}
    if fit.problem:
        return fit.problem.name(estimator, **known)
    df = fit.df
    if variance is None:
        scale, df = fit.find_scale(floor=floor)
        if math.isnan(scale):
            return _TOO_FEW.name(estimator, **known)
        variance = float(fit.unscaled[column, column]) * scale
    if not variance > _LEAST_VARIANCE:
        return _NO_SPREAD.name(estimator, **known)

    def turn(log: float) -> float:
        return math.exp(log) if unit == "ratio" else 100 * (math.exp(log) - 1)

    log, se = float(fit.coefficients[column]), math.sqrt(variance)
    return complete_estimate(estimator, log, se, df, turn=turn, **known)


def _report_problem(problem: Refusal) -> RegressionFit:
    empty = np.empty(0)
    return RegressionFit(empty, empty, empty, problem=problem)


def _fit_given_theta(y: Vector, x: Vector, theta: float) -> tuple[Vector, Vector]:
    """Fit coefficients and means by iteratively reweighted least squares."""
    eta, deviance = np.log(y + 0.1), math.inf
    for _ in range(_MOST_STEPS):
        mean = np.exp(eta)
        root = np.sqrt(mean / (1 + mean / theta))
        working = eta + (y - mean) / mean
        beta = np.linalg.lstsq(x * root[:, None], working * root, rcond=None)[0]
        eta = np.clip(x @ beta, -40, 40)
        mean = np.exp(eta)
        last, deviance = deviance, _sum_deviance(y, mean, theta)
        if abs(deviance - last) <= 1e-12 * (abs(deviance) + 0.1):
            break
    return np.asarray(beta), np.asarray(mean)


def _sum_deviance(y: Vector, mean: Vector, theta: float) -> float:
    part = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / mean), 0.0)
    return float(2 * np.sum(part - (y + theta) * np.log((y + theta) / (mean + theta))))


def _maximise_theta(y: Vector, mean: Vector) -> float:
    """Find theta by maximum likelihood given the means; infinity where none is finite."""
    from scipy import optimize, special

    if np.sum((y - mean) ** 2 - y) <= 0:
        return math.inf

    def slope(log_theta: float) -> float:
        t = math.exp(log_theta)
        terms = special.digamma(y + t) - special.digamma(t) + np.log(t / (t + mean))
        return float(np.sum(terms + (mean - y) / (t + mean)))

    low, high = -12.0, 12.0
    if slope(low) <= 0 or slope(high) >= 0:
        return math.inf
    return math.exp(float(optimize.brentq(slope, low, high, xtol=1e-13, rtol=1e-14)))
