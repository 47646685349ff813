"""Estimates of several pairs pooled, and how much they differ among themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sbwork.stats.estimate import (
    Estimate,
    Flag,
    Reason,
    add_note,
    complete_estimate,
    find_critical_value,
)

Array = npt.NDArray[np.float64]
PoolingModel = Literal["fixed", "dersimonian-laird", "reml"]

_MANY_PAIRS = 10


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How much the pairs' estimates differ beyond what chance within pairs explains.

    q: ``"heterogeneity_q"``: Cochran's Q with its chi-square p and degrees of freedom.
    i2: ``"heterogeneity_i2"``: share of the variation that is not chance, 0 to 1.
    tau2: ``"heterogeneity_tau2"``: variance between pairs of the log ratio.
    """

    q: Estimate
    i2: Estimate
    tau2: Estimate


def pool_log_ratios(
    log_ratios: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    model: PoolingModel = "reml",
    adjust: bool = True,
    estimator: str = "rirr_pooled",
) -> Estimate:
    """Pool log ratios of several pairs; `covariance` may be their variances alone.

    Random effects are estimated by moments or restricted likelihood, and with `adjust` the interval
    is that of Hartung, Knapp, Sidik and Jonkman unless the normal one is wider, as it is where
    pairs agree by luck. statsmodels' combine_effects has no REML and takes pairs for independent.

    Source: DerSimonian, R., & Laird, N. (1986). Controlled Clinical Trials 7, 177-188. Viechtbauer,
    W. (2005). Journal of Educational and Behavioral Statistics 30, 261-293 (REML). Knapp, G., &
    Hartung, J. (2003). Statistics in Medicine 22, 2693-2710. Jackson, D., Law, M., Rücker, G., &
    Schwarzer, G. (2017). Statistics in Medicine 36, 3923-3934 (the wider of the two).
    """
    y, v = _check_input(log_ratios, covariance)
    if y.size < 2:
        return _refuse_to_pool(estimator, y.size)
    tau2 = 0.0 if model == "fixed" else _find_tau2(y, v, model)
    middle, variance, q = _weigh(y, v, tau2)
    n, df, se = float(y.size), math.inf, math.sqrt(variance)
    if model != "fixed" and adjust:
        adjusted = math.sqrt(variance * q / (n - 1))
        if find_critical_value(n - 1) * adjusted > find_critical_value(df) * se:
            df, se = n - 1, adjusted
    return complete_estimate(estimator, middle, se, df, turn=math.exp, n=n, unit="ratio")


def pool_with_prior(
    log_ratios: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    prior_scale: float = 0.5,
) -> Estimate:
    """Pool log ratios of several pairs, with a prior on how much the pairs may differ.

    With two or three pairs the data hardly say how much pairs differ: a fixed effect takes it for
    nothing, which is too narrow, and the interval of Knapp and Hartung for almost anything, which
    says nothing. Here the standard deviation between pairs, tau, has a half-normal prior: at a
    scale of .5, the true ratios of two pairs differ by a factor of 1.3 or more in half of all
    cohorts, and of 4.7 or more in 5%. The estimate is the posterior median of the mean log ratio
    with its equal-tailed credible interval; `se` is the posterior standard deviation.

    With W = (V + tau² I)^-1, the mean given tau is normal around 1'Wy / 1'W1 with variance 1 /
    1'W1, and p(tau | y) is proportional to p(tau) |W|^1/2 (1'W1)^-1/2 exp(-Q/2), Q the residual sum
    of squares under W. In tau = c sinh(x) this is an even and analytic function of x, so that the
    trapezoid rule finds the integral over tau to about ten digits; the quantiles of the mixture of
    normals are then found by Newton's method, kept within brackets.

    Source: Röver, C., Bender, R., Dias, S., Schmid, C. H., Schmidli, H., Sturtz, S., Weber, S., &
    Friede, T. (2021). Research Synthesis Methods 12, 448-474 (the prior). Röver, C. (2020). Journal
    of Statistical Software 93(6), 1-51 (the marginal posterior). Trefethen, L. N., & Weideman, J.
    A. C. (2014). SIAM Review 56, 385-458.
    """
    name = "rirr_pooled_bayes"
    y, v = _check_input(log_ratios, covariance)
    if not prior_scale > 0:
        raise ValueError("the scale of the prior must be above 0")
    if y.size < 2:
        return _refuse_to_pool(name, y.size)
    weights, means, sds = _integrate_over_tau(y, v, prior_scale)
    middle = float(weights @ means)
    sd = math.sqrt(float(weights @ (sds**2 + (means - middle) ** 2)))
    quantiles = _find_mixture_quantiles(np.array([0.5, 0.025, 0.975]), weights, means, sds)
    median, low, high = map(math.exp, quantiles)
    return Estimate(name, median, low, high, se=sd, n=float(y.size), unit="ratio")


def estimate_heterogeneity(
    log_ratios: npt.ArrayLike, covariance: npt.ArrayLike, *, model: PoolingModel = "reml"
) -> Heterogeneity:
    """Estimate how much several pairs differ beyond chance.

    Source: Higgins, J. P. T., & Thompson, S. G. (2002). Statistics in Medicine 21, 1539-1558.
    """
    from scipy.special import chdtrc

    y, v = _check_input(log_ratios, covariance)
    names = ("heterogeneity_q", "heterogeneity_i2", "heterogeneity_tau2")
    n, df = float(y.size), y.size - 1.0
    if y.size < 2:
        return Heterogeneity(*(_refuse_to_pool(name, y.size) for name in names))
    q = _weigh(y, v, 0.0)[2]
    tau2 = 0.0 if model == "fixed" else _find_tau2(y, v, model)
    typical = df / float(np.trace(_project(v)))
    p_value = float(chdtrc(df, q))
    found = (
        Estimate(names[0], q, p_value=p_value, statistic=q, df=df, n=n, unit="ratio"),
        Estimate(names[1], tau2 / (tau2 + typical), n=n, unit="share"),
        Estimate(names[2], tau2, n=n, unit="ratio"),
    )
    if y.size < _MANY_PAIRS:
        note = "With few pairs this is known only roughly."
        return Heterogeneity(*(add_note(one, note, Flag.FEW_PAIRS) for one in found))
    return Heterogeneity(*found)


def _refuse_to_pool(estimator: str, n_pairs: int) -> Estimate:
    note = "No pair has a ratio, so there is nothing to pool."
    if n_pairs:
        note = "Only one pair has a ratio, and one pair is not pooled."
    return Estimate(
        estimator, unit="ratio", n=float(n_pairs), note=note, reason=Reason.TOO_FEW_PAIRS
    )


def _check_input(log_ratios: npt.ArrayLike, covariance: npt.ArrayLike) -> tuple[Array, Array]:
    y = np.asarray(log_ratios, dtype=float)
    v = np.asarray(covariance, dtype=float)
    v = np.diag(v) if v.ndim == 1 else v
    if v.shape != (y.size, y.size):
        raise ValueError(f"{y.size} log ratios, but a covariance of shape {v.shape}")
    if not (np.isfinite(y).all() and np.isfinite(v).all()):
        raise ValueError("log ratios and covariance must be finite")
    return y, v


def _weigh(y: Array, v: Array, tau2: float) -> tuple[float, float, float]:
    """Return the generalised least squares mean, its variance, and the residual Q."""
    inverse = np.linalg.inv(v + tau2 * np.eye(y.size))
    variance = 1 / float(inverse.sum())
    middle = variance * float(inverse.sum(axis=0) @ y)
    residual = y - middle
    return middle, variance, float(residual @ inverse @ residual)


def _project(v: Array) -> Array:
    inverse = np.linalg.inv(v)
    column = inverse.sum(axis=1)
    return np.asarray(inverse - np.outer(column, column) / inverse.sum())


def _find_tau2(y: Array, v: Array, model: PoolingModel) -> float:
    by_moments = (_weigh(y, v, 0.0)[2] - (y.size - 1)) / float(np.trace(_project(v)))
    if model == "dersimonian-laird":
        return max(0.0, by_moments)
    return _maximise_restricted_likelihood(y, v, max(0.0, by_moments))


def _maximise_restricted_likelihood(y: Array, v: Array, start: float) -> float:
    """Fisher scoring on the restricted likelihood, kept at 0 or above."""
    tau2 = start
    for _ in range(200):
        projection = _project(v + tau2 * np.eye(y.size))
        py = projection @ y
        score = float(py @ py) - float(np.trace(projection))
        step = score / float((projection**2).sum())
        new = max(0.0, tau2 + step)
        if abs(new - tau2) < 1e-12:
            return new
        tau2 = new
    return tau2


def _integrate_over_tau(y: Array, v: Array, scale: float) -> tuple[Array, Array, Array]:
    """Return the posterior of the mean: weights, means and deviations of a mixture of normals."""
    eigenvalues, vectors = np.linalg.eigh(v)
    if eigenvalues[0] <= 0:
        raise ValueError("the covariance must be positive definite")
    shift = float(y.mean())
    ones, rotated = vectors.sum(axis=0), (y - shift) @ vectors
    unit = min(math.sqrt(eigenvalues[0]), scale)
    apart = float(np.linalg.norm(y - shift))
    furthest = 12 * scale + apart
    # The posterior of log tau is narrow where there are many pairs or they defy the prior.
    step = 0.1 / math.sqrt(max(1.0, y.size / 8, apart / (16 * scale)))
    x = np.arange(0.0, math.asinh(furthest / unit) + step, step)
    tau2 = (unit * np.sinh(x)) ** 2
    variances = eigenvalues[:, None] + tau2
    precision, product, square = np.stack([ones**2, ones * rotated, rotated**2]) @ (1 / variances)
    means = product / precision
    log_posterior = -0.5 * (
        np.log(variances).sum(axis=0)
        + np.log(precision)
        + (square - product * means)
        + tau2 / scale**2
    )
    weights = np.exp(log_posterior - log_posterior.max()) * np.cosh(x)
    weights[0] /= 2
    weights /= weights.sum()
    kept = weights > 1e-17
    return weights[kept], means[kept] + shift, 1 / np.sqrt(precision[kept])


def _find_mixture_quantiles(shares: Array, weights: Array, means: Array, sds: Array) -> Array:
    from scipy.special import ndtr, ndtri

    ends = means + ndtri(shares)[:, None] * sds
    low, high = ends.min(axis=1), ends.max(axis=1)
    found = ends @ weights
    for _ in range(100):
        distance = (found[:, None] - means) / sds
        excess = ndtr(distance) @ weights - shares
        low, high = np.where(excess < 0, found, low), np.where(excess > 0, found, high)
        density = np.exp(-0.5 * distance**2) @ (weights / sds) / math.sqrt(2 * math.pi)
        new = found - excess / density
        new = np.where((new >= low) & (new <= high), new, (low + high) / 2)
        if np.abs(new - found).max() < 1e-10 * float(sds.min()):
            return np.asarray(new)
        found = new
    return found
