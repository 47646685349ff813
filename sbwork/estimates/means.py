"""Means compared: between two waves, and between the changes of two sites.

Every comparison here is a sum of cell means times coefficients: (-1, 1) is a difference,
(-1, 1, 1, -1) a difference in differences. In a saturated model weighted least squares gives back
the weighted cell means, and the variance of such a sum is the sum of the cells' own, so one
function serves them all. `sbwork.estimates.cells` says what that variance is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sbwork.estimates.cells import Cell
from sbwork.estimates.estimate import Estimate
from sbwork.estimates.noncentral import invert_noncentral_t

__all__ = [
    "complete_estimate",
    "compute_pooled_spread",
    "estimate_contrast",
    "estimate_difference_in_differences",
    "estimate_hedges_g",
    "estimate_mean",
    "estimate_mean_difference",
    "estimate_standardised_contrast",
    "estimate_student_difference",
]

_DID = (1.0, -1.0, -1.0, 1.0)
_TOO_FEW = "Fewer than two people gave a score in one of the groups."
_TOO_UNEVEN = "The weights are so uneven that hardly one person counts in each group."
_NO_SPREAD = "Everybody in the groups gave the same score, so chance can not be gauged."
_FIXED = "The population shares fix this figure, so chance among people can not be gauged."


def estimate_mean(cell: Cell, level: float = 0.95) -> Estimate:
    """Estimate a mean with its t interval.

    Parameters
    ----------
    cell : Cell
        From `summarise_cell`.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"mean"``, in points of the scale.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> estimate_mean(summarise_cell([1.0, 2.0, 3.0])).estimate
    2.0
    """
    contrast = estimate_contrast([cell], [1.0], estimator="mean", level=level)
    alone = "Nobody gave a score." if cell.n == 0 else "Only one person gave a score."
    return Estimate(
        "mean",
        cell.mean,
        contrast.ci_low,
        contrast.ci_high,
        level,
        se=contrast.se,
        df=contrast.df,
        n=cell.n,
        unit="points",
        note=alone if cell.n < 2 else contrast.note,
    )


def estimate_contrast(
    cells: Sequence[Cell],
    coefficients: Sequence[float],
    *,
    estimator: str,
    level: float = 0.95,
) -> Estimate:
    """Estimate a sum of coefficients times cell means, by weighted least squares.

    The standard error is linearised, and with equal weights the same as HC2. The
    degrees of freedom are Welch and Satterthwaite's, so that a small or restless cell counts
    for what it is; with equal cells of equal spread they are n minus the number of cells. Kish's
    effective numbers of people stand in for n where there are weights.

    Parameters
    ----------
    cells : sequence of Cell
        The cells compared.
    coefficients : sequence of float
        One a cell.
    estimator : str
        What the result is called.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        In points of the scale; `n` is the unweighted number of people.

    Raises
    ------
    ValueError
        There are not as many coefficients as cells.

    References
    ----------
    MacKinnon, J. G., & White, H. (1985). Some heteroskedasticity-consistent covariance matrix
    estimators with improved finite sample properties. Journal of Econometrics, 29, 305-325.
    Welch, B. L. (1947). The generalization of "Student's" problem when several different
    population variances are involved. Biometrika, 34, 28-35.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> before, after = summarise_cell([1.0, 2.0, 3.0]), summarise_cell([2.0, 3.0, 4.0])
    >>> estimate_contrast([before, after], [-1, 1], estimator="change").df
    4.0
    """
    c = _check_coefficients(cells, coefficients)
    if any(cell.n < 2 for cell in cells):
        return Estimate(estimator, n=_count(cells), unit="points", note=_TOO_FEW)
    estimate = float(c @ np.array([cell.mean for cell in cells]))
    parts = c**2 * np.array([cell.mean_variance for cell in cells])
    variance = float(parts.sum())
    freedom = np.array([cell.n_effective - 1 for cell in cells])
    if not (freedom > 0).all():
        return Estimate(estimator, estimate, n=_count(cells), unit="points", note=_TOO_UNEVEN)
    if variance <= 0:
        note = _explain_certainty(cells)
        return Estimate(estimator, estimate, se=0.0, n=_count(cells), unit="points", note=note)
    df = variance**2 / float(np.sum(parts**2 / freedom))
    return complete_estimate(estimator, estimate, math.sqrt(variance), df, level, _count(cells))


def estimate_mean_difference(before: Cell, after: Cell, level: float = 0.95) -> Estimate:
    """Estimate after minus before with Welch's t-test.

    Parameters
    ----------
    before, after : Cell
        The two waves of one site, answered by different people.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"mean_difference"``, in points, with t, degrees of freedom and two-sided p.

    References
    ----------
    Welch, B. L. (1947). Biometrika, 34, 28-35.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> before, after = summarise_cell([1.0, 2.0, 3.0]), summarise_cell([4.0, 6.0, 8.0])
    >>> round(estimate_mean_difference(before, after).statistic, 4)
    3.0984
    """
    return estimate_contrast([before, after], [-1.0, 1.0], estimator="mean_difference", level=level)


def estimate_student_difference(before: Cell, after: Cell, level: float = 0.95) -> Estimate:
    """Estimate after minus before with Student's t-test, which takes the spreads as equal.

    Parameters
    ----------
    before, after : Cell
        The two waves of one site, answered by different people.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"mean_difference_student"``, in points, with t, degrees of freedom and two-sided p.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> before, after = summarise_cell([1.0, 2.0, 3.0]), summarise_cell([4.0, 6.0, 8.0])
    >>> estimate_student_difference(before, after).df
    4.0
    """
    name, cells = "mean_difference_student", [before, after]
    if min(before.n, after.n) < 2:
        return Estimate(name, n=_count(cells), unit="points", note=_TOO_FEW)
    difference = after.mean - before.mean
    spread, df, factor = _pool(cells, np.array([-1.0, 1.0]))
    if spread * factor <= 0:
        note = _explain_certainty(cells)
        return Estimate(name, difference, se=0.0, n=_count(cells), unit="points", note=note)
    return complete_estimate(name, difference, spread * factor, df, level, _count(cells))


def estimate_difference_in_differences(
    treated_before: Cell,
    treated_after: Cell,
    control_before: Cell,
    control_after: Cell,
    level: float = 0.95,
) -> Estimate:
    """Estimate by how much the change of one site differs from that of its control.

    Parameters
    ----------
    treated_before, treated_after, control_before, control_after : Cell
        The four cells.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"difference_in_differences"``, in points: weighted least squares on wave, site and their
        product, with a linearised standard error, which is HC2 where weights are equal. The
        interval takes people for independent and knows nothing of chance shocks to a whole area:
        see `precision.compute_tau_star`.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> cells = [summarise_cell([x, x + 1.0, x + 2.0]) for x in (1.0, 3.0, 2.0, 2.5)]
    >>> round(estimate_difference_in_differences(*cells).estimate, 4)
    1.5
    """
    return estimate_contrast(
        [treated_after, treated_before, control_after, control_before],
        _DID,
        estimator="difference_in_differences",
        level=level,
    )


def estimate_hedges_g(before: Cell, after: Cell, level: float = 0.95) -> Estimate:
    """Estimate after minus before in standard deviations (Hedges g).

    Parameters
    ----------
    before, after : Cell
        The two waves of one site.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"hedges_g"``; see `estimate_standardised_contrast`.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> before, after = summarise_cell([1.0, 2.0, 3.0]), summarise_cell([2.0, 3.0, 4.0])
    >>> round(estimate_hedges_g(before, after).estimate, 3)
    0.798
    """
    return estimate_standardised_contrast(
        [before, after], [-1.0, 1.0], estimator="hedges_g", level=level
    )


def estimate_standardised_contrast(
    cells: Sequence[Cell],
    coefficients: Sequence[float],
    *,
    estimator: str,
    level: float = 0.95,
) -> Estimate:
    """Estimate a contrast of cell means in pooled standard deviations, with Hedges' correction.

    The interval inverts the noncentral t distribution. Both the estimate and the ends of the
    interval are multiplied by the exact correction J = G(df/2) / (sqrt(df/2) G((df-1)/2)). With
    weights, the variance of each cell's mean over that of its scores stands in for 1 / n, so that
    the weights and their raking count in the interval.

    Parameters
    ----------
    cells : sequence of Cell
        The cells compared.
    coefficients : sequence of float
        One a cell.
    estimator : str
        What the result is called.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        In standard deviations (``"sd"``); `n` is the unweighted number of people.

    Raises
    ------
    ValueError
        There are not as many coefficients as cells.

    References
    ----------
    Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size. Journal of
    Educational Statistics, 6, 107-128.
    Steiger, J. H. (2004). Beyond the F test. Psychological Methods, 9, 164-182.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> cells = [summarise_cell([x, x + 1.0, x + 2.0]) for x in (1.0, 3.0)]
    >>> g = estimate_standardised_contrast(cells, [-1, 1], estimator="hedges_g")
    >>> g.ci_low < g.estimate < g.ci_high
    True
    """
    c = _check_coefficients(cells, coefficients)
    if any(cell.n < 2 for cell in cells):
        return Estimate(estimator, n=_count(cells), unit="sd", note=_TOO_FEW)
    spread, df, factor = _pool(cells, c)
    if spread * factor <= 0:
        return Estimate(estimator, n=_count(cells), unit="sd", note=_explain_certainty(cells))
    if df <= 1:
        return Estimate(estimator, n=_count(cells), unit="sd", note=_TOO_UNEVEN)
    t = float(c @ np.array([cell.mean for cell in cells])) / (spread * factor)
    scale = _correct_small_samples(df) * factor
    low, high = (invert_noncentral_t(t, df, tail) for tail in ((1 + level) / 2, (1 - level) / 2))
    return Estimate(
        estimator,
        t * scale,
        low * scale,
        high * scale,
        level,
        df=df,
        n=_count(cells),
        unit="sd",
    )


def compute_pooled_spread(cells: Sequence[Cell]) -> float:
    """Compute the standard deviation within cells, pooled, in points; NaN below two people.

    Examples
    --------
    >>> from sbwork.estimates.cells import summarise_cell
    >>> compute_pooled_spread([summarise_cell([1.0, 2.0, 3.0]), summarise_cell([5.0, 6.0, 7.0])])
    1.0
    """
    if any(cell.n < 2 for cell in cells):
        return math.nan
    return _pool(cells, np.ones(len(cells)))[0]


def complete_estimate(
    estimator: str, estimate: float, se: float, df: float, level: float, n: float
) -> Estimate:
    """Add t, its two-sided p and its interval to a number of points with a standard error.

    Examples
    --------
    >>> round(complete_estimate("mean_difference", 1.0, 0.5, 10.0, 0.95, n=12.0).p_value, 4)
    0.0734
    """
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, (1 + level) / 2)) * se
    t = estimate / se
    return Estimate(
        estimator,
        estimate,
        estimate - half,
        estimate + half,
        level,
        p_value=2 * float(stdtr(df, -abs(t))),
        se=se,
        statistic=t,
        df=df,
        n=n,
        unit="points",
    )


def _check_coefficients(
    cells: Sequence[Cell], coefficients: Sequence[float]
) -> NDArray[np.float64]:
    c = np.asarray(coefficients, dtype=np.float64)
    if c.shape != (len(cells),):
        raise ValueError("there must be one coefficient a cell")
    return c


def _count(cells: Sequence[Cell]) -> float:
    return float(sum(cell.n for cell in cells))


def _pool(cells: Sequence[Cell], coefficients: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the pooled standard deviation, its degrees of freedom, and sqrt(sum c^2 / n).

    In place of 1 / n stands the variance of a mean in units of the variance of the scores, which
    is 1 / n where weights are equal.
    """
    n = np.array([cell.n_effective for cell in cells])
    variance = np.array([cell.variance for cell in cells])
    df = float(np.sum(n - 1))
    if df <= 0:
        return math.sqrt(float(variance.mean())), df, math.sqrt(float(np.sum(coefficients**2 / n)))
    spread = math.sqrt(float(np.sum((n - 1) * variance)) / df)
    own = np.array(
        [
            1 / cell.n if v <= 0 else cell.mean_variance / v
            for cell, v in zip(cells, variance, strict=True)
        ]
    )
    return spread, df, math.sqrt(float(np.sum(coefficients**2 * own)))


def _explain_certainty(cells: Sequence[Cell]) -> str:
    return _FIXED if any(cell.variance > 0 for cell in cells) else _NO_SPREAD


def _correct_small_samples(df: float) -> float:
    return math.exp(math.lgamma(df / 2) - math.log(math.sqrt(df / 2)) - math.lgamma((df - 1) / 2))
