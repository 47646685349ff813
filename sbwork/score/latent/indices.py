"""How well a model fits: tests, indices, information criteria."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.model import Likelihood
from sbwork.score.latent.moments import Moments

FloatArray = NDArray[np.float64]

_LOG_2PI = math.log(2 * math.pi)
_INTERVAL = (0.95, 0.05)
_LARGEST_CHI_SQUARE = 1e9


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The likelihoods that a model's is compared with.

    saturated, baseline: Log-likelihood of unrestricted moments, and of no covariances (but for
        those of covariates); that of the covariates is taken out of both.
    covariates: The log-likelihood of the covariates.
    moments: How many moments there are to explain.
    baseline_df: How many covariances the baseline model sets to 0.
    """

    saturated: float
    baseline: float
    covariates: float
    moments: int
    baseline_df: int


def measure_yardstick(likelihood: Likelihood) -> Yardstick:
    """Compute what a model of these samples is compared with.

    Source: Bentler, P. M. (1990). Psychological Bulletin, 107, 238-246.
    """
    table = likelihood.model.table
    p, k = len(table.observed), len(table.covariates)
    inner = [table.observed.index(name) for name in table.covariates]
    outer = [place for place in range(p) if place not in inner]
    saturated = baseline = covariates = 0.0
    for sample in likelihood.moments:
        block = sample.covariance[0][np.ix_(inner, inner)]
        own = -sample.n / 2 * (k * (_LOG_2PI + 1) + float(np.linalg.slogdet(block)[1]))
        covariates += own
        saturated += sum_likelihood(sample, sample.mean[0], sample.covariance[0]) - own
        variance = sample.list_margins()[1]
        answered = sample.shares @ sample.seen
        each = -sample.n / 2 * answered * (_LOG_2PI + 1 + np.log(variance))
        baseline += float(each[outer].sum())
    groups = len(likelihood.moments)
    moments = p * (p + 1) // 2 - k * (k + 1) // 2 + ((p - k) if table.has_means else 0)
    pairs = p * (p - 1) // 2 - k * (k - 1) // 2
    return Yardstick(saturated, baseline, covariates, groups * moments, groups * pairs)


def sum_likelihood(sample: Moments, mean: FloatArray, covariance: FloatArray) -> float:
    """Compute the log-likelihood of a sample, given mean (p,) and covariance (p, p)."""
    seen = sample.seen
    both = seen[:, :, None] & seen[:, None, :]
    padded = np.where(both, covariance, np.eye(seen.shape[1]))
    away = (sample.means[0] - mean) * seen
    scatter = sample.covariances[0] + away[:, :, None] * away[:, None, :]
    distance = np.sum(scatter * np.linalg.inv(padded), axis=(1, 2))
    each = seen.sum(axis=1) * _LOG_2PI + np.linalg.slogdet(padded)[1] + distance
    return float(-sample.n / 2 * (sample.shares @ each))


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A chi-square, its degrees of freedom, and by how much it is too large for each."""

    value: float
    df: float
    factor: float = 1.0

    @property
    def excess(self) -> float:
        """What is above the value expected of a true model."""
        return self.value - self.factor * self.df if self.df else self.value


def compute_cfi(model: ChiSquare, baseline: ChiSquare) -> float:
    """Compute the comparative fit index."""
    most = max(model.excess, baseline.excess, 0.0)
    return 1 - max(model.excess, 0.0) / most if most > 0 and model.df else 1.0


def compute_tli(model: ChiSquare, baseline: ChiSquare) -> float:
    """Compute the Tucker-Lewis index."""
    most = baseline.excess * model.df
    return 1 - model.excess * baseline.df / most if most else 1.0


def compute_rmsea(model: ChiSquare, n: float, groups: int) -> tuple[float, float, float]:
    """Compute the root mean square error of approximation with its 90% interval.

    Source: Steiger, J. H., & Lind, J. C. (1980). Browne, M. W., & Cudeck, R. (1993).
    """
    if model.df == 0:
        return 0.0, 0.0, 0.0
    from scipy.optimize import brentq
    from scipy.special import chndtr

    chi, df = model.value / model.factor, model.df

    def find(level: float) -> float:
        def miss(noncentrality: float) -> float:
            return float(chndtr(chi, df, noncentrality)) - level

        if miss(0.0) < 0:
            return 0.0
        high = max(chi, df, 10.0)
        while miss(high) > 0 and high < _LARGEST_CHI_SQUARE:
            high *= 2
        return float(brentq(miss, 0.0, high, xtol=1e-10)) if miss(high) < 0 else math.nan

    def scale(noncentrality: float) -> float:
        return math.sqrt(groups * model.factor * max(noncentrality, 0.0) / (df * n))

    low, high = (scale(find(level)) for level in _INTERVAL)
    return scale(chi - df), low, high


def compute_srmr(likelihood: Likelihood, parameters: FloatArray) -> float:
    """Compute the standardised root mean square residual of one solution (q,).

    Source: Bentler, P. M. (1995). EQS Structural Equations Program Manual.
    """
    values = likelihood.expand(parameters[None])
    total = 0.0
    for group, sample in zip(likelihood.model.groups, likelihood.moments, strict=True):
        system, p = group.solve(values), group.n_observed
        scale = np.sqrt(np.diag(sample.covariance[0]))
        off = (sample.covariance[0] - system.covariance[0, :p, :p]) / np.outer(scale, scale)
        residuals = off[np.tril_indices(p)]
        if likelihood.model.table.has_means:
            shifted = (sample.mean[0] - system.means[0, :p]) / scale
            residuals = np.concatenate([residuals, shifted])
        total += sample.n / likelihood.n * math.sqrt(float(np.square(residuals).mean()))
    return total
