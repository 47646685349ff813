"""Means compared: between two waves, and between the changes of two sites.

Every comparison here is a sum of cell means times coefficients: (-1, 1) is a difference,
(-1, 1, 1, -1) a difference in differences. In a saturated model weighted least squares gives back
the weighted cell means, and the variance of such a sum is the sum of the cells' own, so one
function serves them all. `sbwork.stats.cells` says what that variance is. People who are in two
of the cells are given as `Link`: then the covariance of the two means counts too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbwork.stats.cells import Cell, Link
from sbwork.stats.estimate import Estimate, Flag, Reason, complete_estimate

_NOBODY = "Nobody gave a score."
_ALONE = "Only one person gave a score."
_TOO_FEW = "Fewer than two people gave a score in one of the groups."
_TOO_UNEVEN = "The weights are so uneven that hardly one person counts in each group."
_NO_SPREAD = "Everybody in the groups gave the same score, so chance cannot be gauged."
_FIXED = "The population shares fix this figure, so chance among people cannot be gauged."
_ALIKE = "Everybody's score moved by the same, so chance among people cannot be gauged."
_ROUNDING = 1e-18


def estimate_mean(cell: Cell, level: float = 0.95) -> Estimate:
    """Estimate a mean with its t interval: ``"mean"``, in points of the scale."""
    if cell.n < 2:
        known: dict[str, Any] = {"n": cell.n, "unit": "points"}
        if cell.n == 0:
            return Estimate("mean", note=_NOBODY, reason=Reason.NO_ANSWERS, **known)
        return Estimate("mean", cell.mean, note=_ALONE, flags=(Flag.NO_INTERVAL,), **known)
    mean = estimate_contrast([cell], [1.0], estimator="mean", level=level)
    return replace(mean, estimate=cell.mean, p_value=math.nan, statistic=math.nan)


def estimate_contrast(
    cells: Sequence[Cell],
    coefficients: Sequence[float],
    *,
    estimator: str,
    links: Sequence[Link] = (),
    level: float = 0.95,
) -> Estimate:
    """Estimate a sum of coefficients times cell means, by weighted least squares.

    The standard error is linearised, and with equal weights the same as HC2. The degrees of freedom
    are Welch and Satterthwaite's, so that a small or restless cell counts for what it is; with
    equal cells of equal spread they are n minus the number of cells. Kish's effective numbers of
    people stand in for n where there are weights. People in two cells form a group of their own,
    beside those who are only in the one or the other: where all are in both, a site's change has
    the error and the degrees of freedom of a paired t-test.

    Source: MacKinnon, J. G., & White, H. (1985). Journal of Econometrics, 29, 305-325. Welch, B. L.
    (1947). Biometrika, 34, 28-35.
    """
    c = _check_coefficients(cells, coefficients)
    if any(cell.n < 2 for cell in cells):
        return _refuse_few(estimator, cells, "points")
    estimate = float(c @ np.array([cell.mean for cell in cells]))
    if not all(cell.n_effective > 1 for cell in cells):
        return _give_no_interval(estimator, estimate, cells, _TOO_UNEVEN)
    parts, freedom = _split_variance(cells, c, links)
    variance = float(parts.sum())
    if variance <= _ROUNDING * float(c**2 @ np.array([cell.mean_variance for cell in cells])):
        note = _explain_certainty(cells, linked=bool(links))
        return replace(_give_no_interval(estimator, estimate, cells, note), se=0.0)
    if c.tolist() == [-1.0, 1.0] and not links and all(cell.answers is not None for cell in cells):
        return _test_by_welch(estimator, cells[0], cells[1], math.sqrt(variance), level)
    df = variance**2 / float(np.sum(parts**2 / freedom))
    se = math.sqrt(variance)
    return complete_estimate(estimator, estimate, se, df, level, n=_count(cells), unit="points")


def estimate_student_contrast(
    cells: Sequence[Cell],
    coefficients: Sequence[float],
    *,
    estimator: str,
) -> Estimate:
    """Estimate a sum of coefficients times cell means, taking the spreads as equal."""
    c = _check_coefficients(cells, coefficients)
    if any(cell.n < 2 for cell in cells):
        return _refuse_few(estimator, cells, "points")
    estimate = float(c @ np.array([cell.mean for cell in cells]))
    spread, df, factor = _pool(cells, c)
    if spread * factor <= 0:
        note = _explain_certainty(cells)
        return replace(_give_no_interval(estimator, estimate, cells, note), se=0.0)
    se = spread * factor
    return complete_estimate(estimator, estimate, se, df, n=_count(cells), unit="points")


def estimate_standardised_contrast(
    cells: Sequence[Cell],
    coefficients: Sequence[float],
    *,
    estimator: str,
    links: Sequence[Link] = (),
    clustered: Estimate | None = None,
) -> Estimate:
    """Estimate a contrast of cell means in pooled standard deviations, with Hedges' correction.

    The interval inverts the noncentral t distribution. Both the estimate and the ends of the
    interval are multiplied by the exact correction J = G(df/2) / (sqrt(df/2) G((df-1)/2)). With
    weights, the variance of each cell's mean over that of its scores stands in for 1 / n, so that
    the weights and their raking count in the interval. The standard deviation is always that of the
    scores; where people are in two cells, the correlation of their scores narrows the interval
    (Algina & Keselman 2003). Where people come in clusters, `clustered` is the contrast in points
    with an error that allows for it, and the interval is its own in these units.

    Returns in standard deviations (``"sd"``); `n` is the unweighted number of answers.

    Source: Algina, J., & Keselman, H. J. (2003). Educational and Psychological Measurement, 63,
    537-553. Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128. Steiger, J. H.
    (2004). Psychological Methods, 9, 164-182.
    """
    c = _check_coefficients(cells, coefficients)
    if any(cell.n < 2 for cell in cells):
        return _refuse_few(estimator, cells, "sd")
    spread, df, factor = _pool(cells, c, links)
    missing = partial(Estimate, estimator, n=_count(cells), unit="sd")
    if spread * factor <= 0:
        note = _explain_certainty(cells, linked=bool(links))
        return missing(note=note, reason=Reason.NO_VARIATION)
    if df <= 1:
        return missing(note=_TOO_UNEVEN, reason=Reason.NOT_ESTIMABLE)
    if clustered is not None:
        unit = _correct_small_samples(df) / spread
        return Estimate(
            estimator,
            clustered.estimate * unit,
            clustered.ci_low * unit,
            clustered.ci_high * unit,
            df=clustered.df,
            n=clustered.n,
            unit="sd",
            note=clustered.note,
            flags=clustered.flags,
        )
    t = float(c @ np.array([cell.mean for cell in cells])) / (spread * factor)
    scale = _correct_small_samples(df) * factor
    low, high = (invert_noncentral_t(t, df, tail) * scale for tail in (0.975, 0.025))
    return Estimate(estimator, t * scale, low, high, df=df, n=_count(cells), unit="sd")


def compute_pooled_spread(cells: Sequence[Cell]) -> float:
    """Compute the standard deviation within cells, pooled, in points; NaN below two people."""
    if any(cell.n < 2 for cell in cells):
        return math.nan
    return _pool(cells, np.ones(len(cells)))[0]


def compute_overlap(
    cells: Sequence[Cell], coefficients: Sequence[float], links: Sequence[Link]
) -> float:
    """Compute what people in two cells add to the variance of a contrast.

    In squared standard deviations of the scores: -2 r / n for a change of n people whose scores
    correlate by r.
    """
    total = 0.0
    for link in links:
        one, other = (cells[link.first], cells[link.second])
        if one.variance > 0 and other.variance > 0:
            shared = float(np.sum(one.influence[link.rows[0]] * other.influence[link.rows[1]]))
            spread = math.sqrt(one.variance * other.variance)
            total += 2 * coefficients[link.first] * coefficients[link.second] * shared / spread
    return total


def _test_by_welch(estimator: str, before: Cell, after: Cell, se: float, level: float) -> Estimate:
    """Compare two unweighted cells by pingouin's t, df and p; it rounds its intervals."""
    from pingouin import ttest

    found = ttest(after.answers, before.answers, correction=True).iloc[0]
    n, df = _count([before, after]), float(found["dof"])
    rise = after.mean - before.mean
    test = complete_estimate(estimator, rise, se, df, level, n=n, unit="points")
    return replace(test, statistic=float(found["T"]), p_value=float(found["p_val"]))


def _check_coefficients(
    cells: Sequence[Cell], coefficients: Sequence[float]
) -> NDArray[np.float64]:
    c = np.asarray(coefficients, dtype=np.float64)
    if c.shape != (len(cells),):
        raise ValueError("there must be one coefficient a cell")
    return c


def _count(cells: Sequence[Cell]) -> float:
    return float(sum(cell.n for cell in cells))


def _refuse_few(estimator: str, cells: Sequence[Cell], unit: str) -> Estimate:
    nobody = any(cell.n == 0 for cell in cells)
    reason = Reason.NO_ANSWERS if nobody else Reason.TOO_FEW_PEOPLE
    return Estimate(estimator, n=_count(cells), unit=unit, note=_TOO_FEW, reason=reason)


def _give_no_interval(
    estimator: str, estimate: float, cells: Sequence[Cell], note: str
) -> Estimate:
    n, flags = _count(cells), (Flag.NO_INTERVAL,)
    return Estimate(estimator, estimate, n=n, unit="points", note=note, flags=flags)


def _split_variance(
    cells: Sequence[Cell], coefficients: NDArray[np.float64], links: Sequence[Link]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of a contrast by groups of people, and each group's degrees of freedom.

    A cell is a group, but for the people who are in two cells: they are one group, and those who
    are left in either are two more.
    """
    parts: list[float] = []
    freedom: list[float] = []
    linked = {at for link in links for at in (link.first, link.second)}
    for at, cell in enumerate(cells):
        if at not in linked:
            parts.append(float(coefficients[at]) ** 2 * cell.mean_variance)
            freedom.append(cell.n_effective - 1)
    for link in links:
        together, shares = np.zeros(len(link.rows[0])), []
        for at, rows in zip((link.first, link.second), link.rows, strict=True):
            cell, c = cells[at], float(coefficients[at])
            own = cell.influence[rows]
            together += c * own
            share = link.n / cell.n
            shares.append((cell.n_effective - 1) * share)
            parts.append(c**2 * max(cell.mean_variance - float(np.square(own).sum()), 0.0))
            freedom.append((cell.n_effective - 1) * (1 - share))
        parts.append(float(np.square(together).sum()))
        freedom.append(min(shares))
    # People without a score matter where weights are raked, and have no freedom of their own.
    floor = min((df for df in freedom if df > 0), default=1.0)
    return np.array(parts), np.array([df if df > 0 else floor for df in freedom])


def _pool(
    cells: Sequence[Cell], coefficients: NDArray[np.float64], links: Sequence[Link] = ()
) -> tuple[float, float, float]:
    """Return the pooled standard deviation, the degrees of freedom, and sqrt(sum c^2 / n).

    In place of 1 / n is the variance of a mean in units of the variance of the scores, which is
    1 / n where weights are equal.
    """
    n = np.array([cell.n_effective for cell in cells])
    variance = np.array([cell.variance for cell in cells])
    df = float(np.sum(n - 1))
    if df <= 0:
        return math.sqrt(float(variance.mean())), df, math.sqrt(float(np.sum(coefficients**2 / n)))
    spread = math.sqrt(float(np.sum((n - 1) * variance)) / df)
    own = np.array([c.mean_variance / c.variance if c.variance > 0 else 1 / c.n for c in cells])
    alone = float(np.sum(coefficients**2 * own))
    squared = alone + compute_overlap(cells, coefficients.tolist(), links)
    factor = math.sqrt(squared) if squared > _ROUNDING * alone else 0.0
    # Somebody in two cells is one person: the larger of the two numbers is counted once.
    df -= sum(_count_twice(cells, link) for link in links)
    return spread, df, factor


def _count_twice(cells: Sequence[Cell], link: Link) -> float:
    """Count the degrees of freedom that people in two cells would have in both."""
    return max(
        (cells[at].n_effective - 1) * link.n / cells[at].n for at in (link.first, link.second)
    )


def _explain_certainty(cells: Sequence[Cell], *, linked: bool = False) -> str:
    if not any(cell.variance > 0 for cell in cells):
        return _NO_SPREAD
    return _ALIKE if linked and any(cell.mean_variance > 0 for cell in cells) else _FIXED


def _correct_small_samples(df: float) -> float:
    return math.exp(math.lgamma(df / 2) - math.log(math.sqrt(df / 2)) - math.lgamma((df - 1) / 2))


def invert_noncentral_t(t: float, df: float, probability: float) -> float:
    """Find the noncentrality at which a t this large or smaller has the given probability.

    The search starts from the normal approximation and widens; far out in the tails, where scipy's
    distribution function returns NaN, that approximation stands in. Its own inverse, nctdtrinc, is
    right to six digits only.

    Source: Steiger, J. H. (2004). Psychological Methods, 9, 164-182.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr, ndtr, ndtri

    if t < 0:
        return -invert_noncentral_t(-t, df, 1 - probability)
    spread = math.sqrt(1 + t * t / (2 * df))

    def miss(noncentrality: float) -> float:
        reached = float(nctdtr(df, noncentrality, t))
        if math.isnan(reached):
            reached = float(ndtr((t - noncentrality) / spread))
        return reached - probability

    guess = t - float(ndtri(probability)) * spread
    width = 0.5 * spread
    while miss(guess - width) * miss(guess + width) > 0:
        width *= 2
    return float(brentq(miss, guess - width, guess + width, xtol=1e-10))
