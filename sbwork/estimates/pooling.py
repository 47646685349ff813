"""Estimates of several pairs pooled, and how much they differ among themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sbwork.estimates.estimate import Estimate
from sbwork.estimates.rates import find_critical_value, find_p_value

__all__ = ["Heterogeneity", "PoolingModel", "estimate_heterogeneity", "pool_log_ratios"]

Array = npt.NDArray[np.float64]
PoolingModel = Literal["fixed", "dersimonian-laird", "reml"]


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How much the pairs' estimates differ beyond what chance within pairs explains.

    Attributes
    ----------
    q : Estimate
        ``"heterogeneity_q"``: Cochran's Q with its chi-square p and degrees of freedom.
    i2 : Estimate
        ``"heterogeneity_i2"``: share of the variation that is not chance, 0 to 1.
    tau2 : Estimate
        ``"heterogeneity_tau2"``: variance between pairs of the log ratio.
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
    ci_level: float = 0.95,
    estimator: str = "rirr_pooled",
) -> Estimate:
    """Pool log ratios of several pairs.

    Parameters
    ----------
    log_ratios : array-like of float, shape (n_pairs,)
        The logs of the ratios.
    covariance : array-like of float, shape (n_pairs,) or (n_pairs, n_pairs)
        Their sampling variances, or the whole covariance matrix where pairs share a control.
    model : {"fixed", "dersimonian-laird", "reml"}, default "reml"
        One common ratio, or a distribution of ratios with variance tau² estimated by moments or
        by restricted maximum likelihood.
    adjust : bool, default True
        For the last two: the interval of Hartung, Knapp, Sidik and Jonkman, with t on
        n_pairs - 1 degrees of freedom, unless the normal interval is the wider one, as it is
        where pairs agree by luck. A normal interval alone is too narrow with the few pairs that
        an evaluation has; this one is very wide with two or three.
    ci_level : float, default .95
        Level of the interval.
    estimator : str, default "rirr_pooled"
        The name that the estimate bears.

    Returns
    -------
    Estimate
        The pooled ratio; `se` and `statistic` are of its log, `n` is the number of pairs.

    References
    ----------
    DerSimonian, R., & Laird, N. (1986). Controlled Clinical Trials 7, 177-188.
    Viechtbauer, W. (2005). Journal of Educational and Behavioral Statistics 30, 261-293 (REML).
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine 22, 2693-2710.
    Jackson, D., Law, M., Rücker, G., & Schwarzer, G. (2017). The Hartung-Knapp modification for
    random-effects meta-analysis: a useful refinement but are there any residual concerns?
    Statistics in Medicine 36, 3923-3934 (the wider of the two).

    Examples
    --------
    >>> pooled = pool_log_ratios([-0.2, -0.4], [0.04, 0.04], model="fixed")
    >>> round(pooled.estimate, 4), round(pooled.se, 4)
    (0.7408, 0.1414)
    """
    y, v = _check_input(log_ratios, covariance)
    if y.size < 2:
        note = "Fewer than two pairs have a ratio, so there is nothing to pool."
        return Estimate(estimator, unit="ratio", n=float(y.size), note=note)
    tau2 = 0.0 if model == "fixed" else _find_tau2(y, v, model)
    middle, variance, q = _weigh(y, v, tau2)
    df, se = math.inf, math.sqrt(variance)
    margin = find_critical_value(df, ci_level) * se
    if model != "fixed" and adjust:
        adjusted = math.sqrt(variance * q / (y.size - 1))
        wider = find_critical_value(y.size - 1, ci_level) * adjusted
        if wider > margin:
            df, se, margin = y.size - 1.0, adjusted, wider
    return Estimate(
        estimator,
        math.exp(middle),
        ci_low=math.exp(middle - margin),
        ci_high=math.exp(middle + margin),
        ci_level=ci_level,
        p_value=find_p_value(middle / se, df),
        se=se,
        statistic=middle / se,
        df=df,
        n=float(y.size),
        unit="ratio",
    )


def estimate_heterogeneity(
    log_ratios: npt.ArrayLike, covariance: npt.ArrayLike, *, model: PoolingModel = "reml"
) -> Heterogeneity:
    """Estimate how much several pairs differ beyond chance.

    Parameters
    ----------
    log_ratios, covariance, model
        As in `pool_log_ratios`; `model` says how tau² is estimated.

    Returns
    -------
    Heterogeneity
        Q, I² (tau² as a share of tau² and the typical sampling variance) and tau².

    References
    ----------
    Higgins, J. P. T., & Thompson, S. G. (2002). Statistics in Medicine 21, 1539-1558.

    Examples
    --------
    >>> spread = estimate_heterogeneity([-0.2, -0.9], [0.04, 0.04])
    >>> round(spread.q.estimate, 4), round(spread.tau2.estimate, 4)
    (6.125, 0.205)
    """
    from scipy.special import chdtrc

    y, v = _check_input(log_ratios, covariance)
    names = ("heterogeneity_q", "heterogeneity_i2", "heterogeneity_tau2")
    n, df = float(y.size), y.size - 1.0
    if y.size < 2:
        note = "Fewer than two pairs have a ratio, so they can not differ."
        empty = (Estimate(name, unit="ratio", n=n, note=note) for name in names)
        return Heterogeneity(*empty)
    q = _weigh(y, v, 0.0)[2]
    tau2 = 0.0 if model == "fixed" else _find_tau2(y, v, model)
    typical = df / float(np.trace(_project(v)))
    note = "With few pairs this is known only roughly." if y.size < 10 else ""
    return Heterogeneity(
        q=Estimate(
            names[0],
            q,
            p_value=float(chdtrc(df, q)),
            statistic=q,
            df=df,
            n=n,
            unit="ratio",
            note=note,
        ),
        i2=Estimate(names[1], tau2 / (tau2 + typical), n=n, unit="share", note=note),
        tau2=Estimate(names[2], tau2, n=n, unit="ratio", note=note),
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
