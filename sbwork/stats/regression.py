"""Generalised linear models of counts and shares: Poisson, binomial, negative binomial (NB2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Reason
from sbwork.stats.rates import find_critical_value, find_p_value

Vector = NDArray[np.float64]

_MOST_STEPS = 60
_TOLERANCE = 1e-12
_SMALLEST_MEAN = 1e-6
_LEAST_VARIANCE = 1e-12


class Refusal(NamedTuple):
    """Why a number can't be computed, as data and in words."""

    reason: Reason
    note: str

    def name(self, estimator: str, **known: Any) -> Estimate:
        """Return the missing estimate of this name; `known` is what else there is to say of it."""
        return Estimate(estimator, note=self.note, reason=self.reason, **known)


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """A fitted model, or the reason why there is none.

    coefficients: On the log scale (counts) or the logit scale (shares); empty where `problem` is
        set.
    unscaled: Inverse of the information matrix at dispersion 1.
    scores: Each row's contribution to the estimating equations; they sum to 0.
    fitted: Expected counts.
    dispersion: Pearson chi-square divided by `df`; NaN where `df` is 0.
    df: Rows less coefficients.
    theta: NB2 only: variance = mean + mean^2 / theta; NaN elsewhere.
    problem: Why the model could not be fitted.
    """

    coefficients: Vector
    unscaled: Vector
    scores: Vector
    fitted: Vector
    dispersion: float = math.nan
    df: float = math.nan
    theta: float = math.nan
    problem: Refusal | None = None

    def find_scale(self, *, floor: bool = True) -> tuple[float, float]:
        """Find the factor on the unscaled covariance, and the degrees of freedom with it."""
        if math.isfinite(self.theta):
            return 1.0, math.inf
        if not self.df > 0:
            return math.nan, self.df
        return max(1.0, self.dispersion) if floor else self.dispersion, self.df


def fit_counts(
    counts: ArrayLike, design: ArrayLike, *, offset: ArrayLike = 0.0, theta: float = math.inf
) -> RegressionFit:
    """Fit a log-linear model by iteratively reweighted least squares.

    Source: McCullagh, P. & Nelder, J. A. (1989). Generalized Linear Models, 2nd ed., chapter 6.
    """
    y = np.asarray(counts, dtype=float)
    x = np.asarray(design, dtype=float)
    known = np.broadcast_to(np.asarray(offset, dtype=float), y.shape)
    refused = _refuse_design(x)
    if refused:
        return _report_problem(refused)
    eta = np.log(y + 0.1)
    deviance = math.inf
    for _ in range(_MOST_STEPS):
        mean = np.exp(eta)
        weight = mean / (1 + mean / theta)
        beta = _solve_weighted(x, weight, eta - known + (y - mean) / mean)
        if beta is None:
            return _report_problem(_SEPARATION)
        eta = np.clip(x @ beta + known, -40, 40)
        mean = np.exp(eta)
        last, deviance = deviance, _sum_deviance(y, mean, theta)
        if abs(deviance - last) <= _TOLERANCE * (abs(deviance) + 0.1):
            break
    else:
        return _report_problem(_SEPARATION if mean.min() < _SMALLEST_MEAN else _UNSETTLED)
    if mean.min() < _SMALLEST_MEAN:
        return _report_problem(_SEPARATION)
    variance = mean * (1 + mean / theta)
    return _finish_fit(x, beta, mean**2 / variance, mean, variance, (y - mean) * mean / variance, y)


def fit_shares(successes: ArrayLike, trials: ArrayLike, design: ArrayLike) -> RegressionFit:
    """Fit a logistic model of shares by iteratively reweighted least squares.

    With two sites and an effect for every month, the Poisson model of the counts and the logistic
    model of the site's share of each month's total give the same coefficients, the same standard
    errors and the same Pearson dispersion; this one needs no month effects.
    """
    y, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    x = np.asarray(design, dtype=float)
    refused = _refuse_design(x)
    if refused:
        return _report_problem(refused)
    share = (y + 0.5) / (n + 1)
    eta = np.log(share / (1 - share))
    deviance = math.inf
    for _ in range(_MOST_STEPS):
        share = 1 / (1 + np.exp(-eta))
        weight = n * share * (1 - share)
        beta = _solve_weighted(x, weight, eta + (y - n * share) / weight)
        if beta is None:
            return _report_problem(_SEPARATION)
        eta = np.clip(x @ beta, -30, 30)
        share = 1 / (1 + np.exp(-eta))
        last = deviance
        deviance = _sum_deviance(y, n * share) + _sum_deviance(n - y, n * (1 - share))
        if abs(deviance - last) <= _TOLERANCE * (abs(deviance) + 0.1):
            break
    else:
        edge = min(share.min(), (1 - share).min())
        return _report_problem(_SEPARATION if edge < _SMALLEST_MEAN else _UNSETTLED)
    if min(share.min(), (1 - share).min()) < _SMALLEST_MEAN:
        return _report_problem(_SEPARATION)
    variance = n * share * (1 - share)
    return _finish_fit(x, beta, variance, n * share, variance, y - n * share, y)


def fit_nb2(counts: ArrayLike, design: ArrayLike, *, offset: ArrayLike = 0.0) -> RegressionFit:
    """Fit a negative binomial (NB2) model with its size theta by maximum likelihood.

    Coefficients given theta and theta given the means are found in turn, as R's ``MASS::glm.nb``
    does; standard errors take theta as known, as its summary does.

    Source: Venables, W. N. & Ripley, B. D. (2002). Modern Applied Statistics with S, section 7.4.
    """
    y = np.asarray(counts, dtype=float)
    fit = fit_counts(y, design, offset=offset)
    if fit.problem:
        return fit
    if not fit.df > 0:
        return _report_problem(_TOO_FEW)
    theta, deviance = math.inf, math.inf
    for _ in range(_MOST_STEPS):
        found = _maximise_theta(y, fit.fitted)
        if not math.isfinite(found):
            return _report_problem(_NO_THETA)
        fit = fit_counts(y, design, offset=offset, theta=found)
        if fit.problem:
            return fit
        last, deviance = deviance, _sum_deviance(y, fit.fitted, found)
        settled = abs(found - theta) <= 1e-9 * found and abs(deviance - last) <= 1e-9 * (
            abs(deviance) + 0.1
        )
        theta = found
        if settled:
            return replace(fit, theta=theta)
    return _report_problem(_UNSETTLED)


def compute_newey_west(fit: RegressionFit, lag: int) -> Vector:
    """Compute the Newey-West covariance of a fit whose rows are in order of time.

    Bartlett weights, no pre-whitening, times n / (n - k): R's ``sandwich::NeweyWest(fit, lag = lag,
    prewhite = FALSE, adjust = TRUE)``.

    Source: Newey, W. K. & West, K. D. (1987). Econometrica 55(3), 703-708.
    """
    rows, columns = fit.scores.shape
    meat = fit.scores.T @ fit.scores
    for step in range(1, lag + 1):
        cross = fit.scores[step:].T @ fit.scores[:-step]
        meat += (1 - step / (lag + 1)) * (cross + cross.T)
    result: Vector = fit.unscaled @ meat @ fit.unscaled * rows / (rows - columns)
    return result


def estimate_coefficient(
    fit: RegressionFit,
    column: int,
    estimator: str,
    *,
    unit: Literal["ratio", "percent"] = "ratio",
    covariance: Vector | None = None,
    floor: bool = True,
    level: float = 0.95,
    n: float = math.nan,
    note: str = "",
) -> Estimate:
    """Turn one coefficient into an estimate with its interval.

    Without `covariance`, the unscaled covariance is multiplied by the Pearson dispersion, by
    default never below 1, and referred to Student's t (quasi-likelihood); NB2 fits, whose variance
    is modelled, are referred to the normal with no multiplier.
    """
    known = {"ci_level": level, "n": n, "unit": unit}
    if fit.problem:
        return fit.problem.name(estimator, **known)
    if covariance is None:
        scale, df = fit.find_scale(floor=floor)
        if math.isnan(scale):
            return _TOO_FEW.name(estimator, **known)
        variance = float(fit.unscaled[column, column]) * scale
    else:
        df, variance = fit.df, float(covariance[column, column])
    if not variance > _LEAST_VARIANCE:
        return _NO_SPREAD.name(estimator, **known)
    log, se = float(fit.coefficients[column]), math.sqrt(variance)
    half = find_critical_value(df, level) * se
    ends = [math.exp(value) for value in (log, log - half, log + half)]
    if unit == "percent":
        ends = [100 * (value - 1) for value in ends]
    return Estimate(
        estimator,
        estimate=ends[0],
        ci_low=ends[1],
        ci_high=ends[2],
        ci_level=level,
        p_value=find_p_value(log / se, df),
        se=se,
        statistic=log / se,
        df=df,
        n=n,
        unit=unit,
        note=note,
    )


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


def _refuse_design(x: Vector) -> Refusal | None:
    return _ALIASED if np.linalg.matrix_rank(x) < x.shape[1] else None


def _report_problem(problem: Refusal) -> RegressionFit:
    empty = np.empty(0)
    return RegressionFit(empty, empty, empty, empty, problem=problem)


def _solve_weighted(x: Vector, weight: Vector, working: Vector) -> Vector | None:
    root = np.sqrt(weight)
    if not (np.isfinite(root).all() and np.isfinite(working).all()):
        return None
    beta = np.linalg.lstsq(x * root[:, None], working * root, rcond=None)[0]
    return beta.astype(np.float64) if np.isfinite(beta).all() else None


def _sum_deviance(y: Vector, mean: Vector, theta: float = math.inf) -> float:
    positive = np.where(y > 0, y, 1.0)
    part = np.where(y > 0, y * np.log(positive / mean), 0.0)
    if math.isinf(theta):
        return float(2 * np.sum(part - (y - mean)))
    return float(2 * np.sum(part - (y + theta) * np.log((y + theta) / (mean + theta))))


def _finish_fit(
    x: Vector,
    beta: Vector,
    weight: Vector,
    mean: Vector,
    variance: Vector,
    residual: Vector,
    y: Vector,
) -> RegressionFit:
    half = np.linalg.inv(np.linalg.qr(x * np.sqrt(weight)[:, None], mode="r"))
    df = float(len(y) - x.shape[1])
    pearson = float(np.sum((y - mean) ** 2 / variance))
    return RegressionFit(
        coefficients=beta,
        unscaled=half @ half.T,
        scores=x * residual[:, None],
        fitted=mean,
        dispersion=pearson / df if df > 0 else math.nan,
        df=df,
    )


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
