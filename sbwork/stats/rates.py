"""Changes in incident counts: within one site, and of a site beside its control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sbwork.stats.estimate import Estimate, Flag, Reason

Change: TypeAlias = tuple[float, float]
"""A count before and a count after."""


def estimate_dispersion(*cells: npt.ArrayLike) -> Estimate:
    """Estimate how much more months vary than Poisson counts would.

    Returns ``"dispersion"``, a ratio: the sum over cells of (months - 1) s²/mean, divided by `df` =
    sum of (months - 1). On cells of equal length it is the Pearson dispersion of the quasi-Poisson
    GLM with one mean a cell. Unfloored: see `correct_dispersion`. A cell in which nothing happened
    says nothing about spread and is left out, with its months.

    Source: Wilson, D. B. (2022). The relative incident rate ratio effect size for count-based
    impact evaluations. Journal of Quantitative Criminology 38, 323-341. McCullagh, P., & Nelder, J.
    A. (1989). Generalized Linear Models, 2nd ed., section 6.2.
    """
    pearson, df, months = 0.0, 0, 0
    for cell in cells:
        counts = np.asarray(cell, dtype=float)
        months = max(months, counts.size)
        mean = float(counts.mean()) if counts.size else 0.0
        if mean > 0:
            pearson += float(((counts - mean) ** 2).sum()) / mean
            df += counts.size - 1
    if months < 2:
        note = "A single month on each side cannot show how much the months vary among themselves."
        return Estimate("dispersion", unit="ratio", note=note, reason=Reason.TOO_FEW_MONTHS)
    if df == 0:
        note = "No incident in any month."
        return Estimate("dispersion", unit="ratio", note=note, reason=Reason.ZERO_COUNT)
    return Estimate("dispersion", pearson / df, df=float(df), unit="ratio")


def correct_dispersion(dispersion: Estimate, *, floor: bool = True) -> Change:
    """Return the factor and the degrees of freedom that a variance is corrected with."""
    if math.isnan(dispersion.estimate) or (not floor and dispersion.estimate < 1e-9):
        return 1.0, math.inf
    return max(1.0, dispersion.estimate) if floor else dispersion.estimate, dispersion.df


def reject_ratios(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    parts: Sequence[npt.NDArray[np.intp]],
    log_ratios: npt.ArrayLike,
    *,
    floor: bool = True,
    alpha: float = 0.05,
) -> npt.NDArray[np.bool_]:
    """Say of many ratios at once whether the interval of each leaves out no change."""
    from scipy import stats

    sides = [np.asarray(side, dtype=float) for side in (before, after)]
    sums = [side.sum(axis=0) for side in sides]
    inverse = sum(1 / np.maximum(total, 1e-9) for total in sums)
    spread, df = np.zeros(sides[0].shape[1]), np.zeros(sides[0].shape[1])
    for side in sides:
        mean = side.mean(axis=0)
        spread += ((side - mean) ** 2).sum(axis=0) / np.where(mean > 0, mean, 1.0)
        df += np.where(mean > 0, len(side) - 1, 0)
    freedom = sum(df[part] for part in parts)
    excess = sum(spread[part] for part in parts) / np.maximum(freedom, 1)
    factor = np.where(freedom > 0, np.maximum(excess, float(floor)), 1.0)
    error = np.sqrt(factor * sum(inverse[part] for part in parts))
    limit = stats.t.ppf(1 - alpha / 2, np.where(freedom > 0, freedom, np.inf))
    known = np.all([total[part] > 0 for total in sums for part in parts], axis=0)
    rejected: npt.NDArray[np.bool_] = np.abs(np.asarray(log_ratios)) > limit * error
    return rejected[known]


def estimate_percentage_change(
    before: float,
    after: float,
    *,
    months: Change = (1, 1),
    dispersion: float = 1.0,
    df: float = math.inf,
    ci_level: float = 0.95,
) -> Estimate:
    """Estimate the percentage change of a count, 100 (after / before - 1).

    Returns ``"percentage_change"`` in percent; `se` and `statistic` are of the log ratio, whose
    variance is dispersion x (1/before + 1/after). With nothing before it is undefined. With nothing
    after it is -100 without an interval.
    """
    name, unit, total = "percentage_change", "percent", before + after
    if before == 0:
        found = "nothing was recorded in either period" if after == 0 else "none before"
        note = f"A percentage change is undefined: {found}."
        return Estimate(name, unit=unit, n=total, note=note, reason=Reason.ZERO_COUNT)
    if after == 0:
        note = "None after: the change is −100%, and no interval can be given."
        return Estimate(name, -100.0, unit=unit, n=total, note=note, flags=(Flag.NO_INTERVAL,))
    log_ratio = math.log(after / months[1]) - math.log(before / months[0])
    se = math.sqrt(dispersion * (1 / before + 1 / after))
    plain = _estimate_ratio(name, log_ratio, se, df, ci_level)
    return replace(
        plain,
        estimate=100 * (after * months[0] / (before * months[1]) - 1),
        ci_low=100 * (plain.ci_low - 1),
        ci_high=100 * (plain.ci_high - 1),
        unit=unit,
        n=total,
    )


def estimate_rirr(
    treated: Change,
    control: Change,
    *,
    months: Change = (1, 1),
    dispersion: float = 1.0,
    df: float = math.inf,
    ci_level: float = 0.95,
    estimator: str = "rirr",
) -> Estimate:
    """Estimate the relative incidence rate ratio of a site beside its control.

    Source: Wilson, D. B. (2022). The relative incident rate ratio effect size for count-based
    impact evaluations. Journal of Quantitative Criminology 38, 323-341.
    """
    total = float(sum(treated) + sum(control))
    cells = {
        "before in the site": treated[0],
        "after in the site": treated[1],
        "before in the control site": control[0],
        "after in the control site": control[1],
    }
    empty = [cell for cell, count in cells.items() if count == 0]
    if empty:
        note = f"No incident {' nor '.join(empty)}: a ratio that rests on a count of 0 is undefined"
        note += ". The WDD is defined all the same."
        return Estimate(estimator, unit="ratio", n=total, note=note, reason=Reason.ZERO_COUNT)
    lengths = math.log(months[0] / months[1])
    log_treated = math.log(treated[1] / treated[0]) + lengths
    log_control = math.log(control[1] / control[0]) + lengths
    se = math.sqrt(dispersion * sum(1 / count for count in cells.values()))
    ratio = _estimate_ratio(estimator, log_treated - log_control, se, df, ci_level)
    return replace(ratio, n=total)


def estimate_relative_effect_size(rirr: Estimate) -> Estimate:
    """Turn an RIRR over: Welsh and Farrington's relative effect size, 1 / RIRR.

    Returns ``"relative_effect_size"``; above 1 the site fell beside its control, so it points the
    other way from the RIRR.

    Source: Welsh, B. C., & Farrington, D. P. (2009). Public area CCTV and crime prevention: an
    updated systematic review and meta-analysis. Justice Quarterly 26(4), 716-745.
    """
    name = "relative_effect_size"
    if math.isnan(rirr.estimate):
        return replace(rirr, estimator=name)
    return replace(
        rirr,
        estimator=name,
        estimate=1 / rirr.estimate,
        ci_low=1 / rirr.ci_high,
        ci_high=1 / rirr.ci_low,
        statistic=-rirr.statistic,
        note=f"1 / RIRR: above 1, the site fell beside its control. {rirr.note}".strip(),
    )


def estimate_incidents_avoided(after: float, rirr: Estimate) -> Estimate:
    """Estimate how many incidents fewer than expected from the control's change there were.

    Returns ``"incidents_avoided"``: the expected count T0 x C1/C0 less the count found, which is T1
    (1/RIRR - 1). The interval is that of the RIRR put into the same formula, with the count found
    taken as given. Negative where there were more than expected.
    """
    name = "incidents_avoided"
    if math.isnan(rirr.estimate):
        return Estimate(name, unit="incidents", note=rirr.note, reason=rirr.reason)
    low, middle, high = (
        after * (1 / ratio - 1) for ratio in (rirr.ci_high, rirr.estimate, rirr.ci_low)
    )
    note = (
        "The count expected from the control site's change, less the count found; the interval "
        f"is the RIRR's, put into the same sum. Negative: more than expected. {rirr.note}"
    ).strip()
    return Estimate(
        name,
        middle,
        ci_low=low,
        ci_high=high,
        ci_level=rirr.ci_level,
        p_value=rirr.p_value,
        df=rirr.df,
        n=rirr.n,
        unit="incidents",
        note=note,
        flags=rirr.flags,
    )


def estimate_smallest_detectable_rirr(
    counts: Sequence[float], *, dispersion: float = 1.0, power: float = 0.8, ci_level: float = 0.95
) -> Estimate:
    """Estimate the smallest fall that these counts could have shown.

    Returns ``"smallest_detectable_rirr"``: exp(-(z.975 + z.80) sqrt(dispersion x sum 1/n)). A true
    RIRR nearer to 1 would be missed more than one time in five.
    """
    from scipy.special import ndtri

    name = "smallest_detectable_rirr"
    if min(counts) <= 0:
        note = "One of the counts is 0, so the precision of a ratio cannot be worked out."
        return Estimate(name, unit="ratio", note=note, reason=Reason.ZERO_COUNT)
    se = math.sqrt(dispersion * sum(1 / count for count in counts))
    z = float(ndtri(0.5 + ci_level / 2) + ndtri(power))
    note = f"A true fall smaller than this would be missed more often than {1 - power:.0%}."
    return Estimate(name, math.exp(-z * se), se=se, unit="ratio", n=float(sum(counts)), note=note)


def _estimate_ratio(
    estimator: str, log_ratio: float, se: float, df: float, ci_level: float
) -> Estimate:
    statistic = log_ratio / se
    margin = find_critical_value(df, ci_level) * se
    return Estimate(
        estimator,
        math.exp(log_ratio),
        ci_low=math.exp(log_ratio - margin),
        ci_high=math.exp(log_ratio + margin),
        ci_level=ci_level,
        p_value=find_p_value(statistic, df),
        se=se,
        statistic=statistic,
        df=df,
        unit="ratio",
    )


def find_critical_value(df: float, ci_level: float = 0.95) -> float:
    """Return the two-sided critical value of t; of the normal where `df` is infinite."""
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + ci_level / 2
    return float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail))


def find_p_value(statistic: float, df: float) -> float:
    """Return the two-sided p of a t statistic; of a z statistic where `df` is infinite."""
    from scipy.special import ndtr, stdtr

    tail = -abs(statistic)
    return float(2 * (ndtr(tail) if math.isinf(df) else stdtr(df, tail)))
