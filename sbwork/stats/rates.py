"""Changes in incident counts: of one site, of a site beside its control, and next to both.

Every count is taken to vary by `dispersion` times as much as a Poisson count; `df` are the degrees
of freedom of the t distribution that goes with it, infinite where none are lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sbwork.stats.estimate import Estimate, Flag, Reason, complete_estimate

Change: TypeAlias = tuple[float, float]
"""A count before and a count after."""

_NONE: Change = (0.0, 0.0)


def estimate_dispersion(*cells: npt.ArrayLike) -> Estimate:
    """Estimate how much more the months of each cell vary than Poisson counts would.

    The ratio ``"dispersion"`` is the sum over cells of (months - 1) s²/mean over that of (months -
    1), without a floor: the Pearson dispersion of the quasi-Poisson GLM with one mean a cell. A
    cell in which nothing happened says nothing about spread and is left out.

    Source: Wilson, D. B. (2022). Journal of Quantitative Criminology 38, 323-341. McCullagh, P., &
    Nelder, J. A. (1989). Generalized Linear Models, 2nd ed., section 6.2.
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


def correct_dispersion(dispersion: Estimate, *, floor: bool = True) -> tuple[float, float]:
    """Return the factor and the degrees of freedom that a variance is corrected with.

    The factor is never below 1, but for sums of weights (no `floor`), which have no Poisson
    variance to fall back on. Without a dispersion it is (1, infinity), the plain Poisson case.
    """
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
) -> npt.NDArray[np.bool_]:
    """Say of many ratios at once whether the interval of each leaves out no change.

    `before` and `after` are months by areas; `parts` are the positions of the areas that make each
    ratio: the site, and its control if it has one. Ratios with a count of 0 are left out. This
    repeats `estimate_rirr` in arrays, since a model object for each of a million placebo pairs
    would take hours.
    """
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
    limit = stats.t.ppf(0.975, np.where(freedom > 0, freedom, np.inf))
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
) -> Estimate:
    """Estimate the percentage change of a count: ``"percentage_change"``.

    Where the periods differ in `months`, rates a month are compared. `se` and `statistic` are of
    the log ratio, whose variance is dispersion x (1/before + 1/after).
    """
    name = "percentage_change"
    known: dict[str, Any] = {"unit": "percent", "n": before + after}
    if before == 0:
        found = "nothing was recorded in either period" if after == 0 else "none before"
        note = f"A percentage change is undefined: {found}."
        return Estimate(name, note=note, reason=Reason.ZERO_COUNT, **known)
    if after == 0:
        note = "None after: the change is −100%, and no interval can be given."
        return Estimate(name, -100.0, note=note, flags=(Flag.NO_INTERVAL,), **known)
    log_ratio = math.log(after / months[1]) - math.log(before / months[0])
    se = math.sqrt(dispersion * (1 / before + 1 / after))
    turn = lambda log: 100 * (math.exp(log) - 1)  # noqa: E731
    change = complete_estimate(name, log_ratio, se, df, turn=turn, **known)
    return replace(change, estimate=100 * (after * months[0] / (before * months[1]) - 1))


def estimate_rirr(
    treated: Change,
    control: Change,
    *,
    dispersion: float = 1.0,
    df: float = math.inf,
    estimator: str = "rirr",
) -> Estimate:
    """Estimate the relative incidence rate ratio of a site beside its control.

    exp L with L = ln(T1/T0) - ln(C1/C0) and variance dispersion x (1/T0 + 1/T1 + 1/C0 + 1/C1).
    Below 1 the site fell beside its control. The same periods hold for both sites, so that their
    lengths cancel.

    Source: Wilson, D. B. (2022). Journal of Quantitative Criminology 38, 323-341.
    """
    known: dict[str, Any] = {"unit": "ratio", "n": float(sum(treated) + sum(control))}
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
        return Estimate(estimator, note=note, reason=Reason.ZERO_COUNT, **known)
    log_ratio = math.log(treated[1] / treated[0]) - math.log(control[1] / control[0])
    se = math.sqrt(dispersion * sum(1 / count for count in cells.values()))
    return complete_estimate(estimator, log_ratio, se, df, turn=math.exp, **known)


def estimate_relative_effect_size(rirr: Estimate) -> Estimate:
    """Turn an RIRR over: Welsh and Farrington's relative effect size, 1 / RIRR.

    Source: Welsh, B. C., & Farrington, D. P. (2009). Justice Quarterly 26(4), 716-745.
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

    The expected count T0 x C1/C0 less the count found, T1: that is T1 (1/RIRR - 1), with the
    interval of the RIRR put into the same formula.
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
    avoided = replace(rirr, estimator=name, estimate=middle, ci_low=low, ci_high=high, note=note)
    return replace(avoided, se=math.nan, statistic=math.nan, unit="incidents")


def estimate_smallest_detectable_rirr(
    counts: Sequence[float], *, dispersion: float = 1.0, power: float = 0.8
) -> Estimate:
    """Estimate the smallest fall that four counts would have shown as often as `power`.

    exp(-(z.975 + z.power) sqrt(dispersion x sum 1/n)).
    """
    from scipy.special import ndtri

    name = "smallest_detectable_rirr"
    if min(counts) <= 0:
        note = "One of the counts is 0, so the precision of a ratio cannot be worked out."
        return Estimate(name, unit="ratio", note=note, reason=Reason.ZERO_COUNT)
    se = math.sqrt(dispersion * sum(1 / count for count in counts))
    ratio = math.exp(-float(ndtri(0.975) + ndtri(power)) * se)
    note = f"A true fall smaller than this would be missed more often than {1 - power:.0%}."
    return Estimate(name, ratio, se=se, unit="ratio", n=float(sum(counts)), note=note)


def estimate_wdd(
    treated: Change,
    control: Change,
    displacement: Change = _NONE,
    displacement_control: Change = _NONE,
    *,
    area_weights: tuple[float, float, float, float] = (1, 1, 1, 1),
    time_weights: Change = (1, 1),
    dispersion: float = 1.0,
    df: float = math.inf,
    estimator: str = "wdd",
) -> Estimate:
    """Estimate the weighted displacement difference, in incidents.

    Change in the site - change in its control + change in the area that incidents may have moved to
    - change in that one's control, each count divided by the size of its area and the length of its
    period. Its variance is dispersion x sum of n / weight².

    Source: Wheeler, A. P., & Ratcliffe, J. H. (2018). Crime Science 7, 11.
    """
    change, variance = 0.0, 0.0
    areas = (treated, control, displacement, displacement_control)
    for sign, area, weight in zip((1, -1, 1, -1), areas, area_weights, strict=True):
        for direction, count, length in zip((-1, 1), area, time_weights, strict=True):
            change += sign * direction * count / (weight * length)
            variance += count / (weight * length) ** 2
    known: dict[str, Any] = {"unit": "incidents", "n": float(sum(sum(area) for area in areas))}
    if variance == 0:
        note = "No incident in any area."
        return Estimate(estimator, note=note, reason=Reason.ZERO_COUNT, **known)
    return complete_estimate(estimator, change, math.sqrt(dispersion * variance), df, **known)


def estimate_wdq(treated: Change, control: Change, displacement: Change) -> Estimate:
    """Estimate the weighted displacement quotient, where it has a meaning: ``"wdq"``.

    (D1/C1 - D0/C0) / (T1/C1 - T0/C0). Above 0, the displacement area shared in the fall (above 1,
    more than the site itself); below 0, incidents may have moved there (below -1, more than the
    site lost). Missing unless the site fell, and fell beside its control: without a success there
    is nothing to displace. It has no valid interval.

    Source: Bowers, K. J., & Johnson, S. D. (2003). Journal of Quantitative Criminology 19, 275-301.
    """
    known: dict[str, Any] = {
        "unit": "ratio",
        "n": float(sum(treated) + sum(control) + sum(displacement)),
    }
    missing = partial(Estimate, "wdq", reason=Reason.NOT_APPLICABLE, **known)
    if 0 in control:
        note = "The control site has a count of 0, so shares of it are undefined."
        return missing(note=note, reason=Reason.ZERO_COUNT)
    if treated[1] >= treated[0]:
        note = "The site's count did not fall, so there is nothing that could have moved."
        return missing(note=note)
    moved, fell = (area[1] / control[1] - area[0] / control[0] for area in (displacement, treated))
    if fell >= 0:
        note = "The site did not fall beside its control, so there is nothing to have moved."
        return missing(note=note)
    note = (
        "No valid interval exists for this quotient: judge by the WDD's. Above 0, the "
        "displacement area fell too; below 0, incidents may have moved there."
    )
    return Estimate("wdq", moved / fell, note=note, flags=(Flag.NO_INTERVAL,), **known)


def estimate_total_net_effect(
    treated: Change,
    control: Change,
    displacement: Change = _NONE,
    *,
    dispersion: float = 1.0,
    df: float = math.inf,
) -> Estimate:
    """Estimate the incidents fewer than expected, in the site and the displacement area together.

    [T0 C1/C0 - T1] + [D0 C1/C0 - D1], with an interval by the delta method.

    Source: Guerette, R. T. (2009). Analyzing Crime Displacement and Diffusion. Problem-Oriented
    Guides for Police, tool guide 10.
    """
    name = "total_net_effect"
    known: dict[str, Any] = {
        "unit": "incidents",
        "n": float(sum(treated) + sum(control) + sum(displacement)),
    }
    if control[0] == 0:
        note = "The control site had none before, so no count can be expected from its change."
        return Estimate(name, note=note, reason=Reason.ZERO_COUNT, **known)
    before, after = treated[0] + displacement[0], treated[1] + displacement[1]
    growth = control[1] / control[0]
    variance = (
        growth**2 * before
        + after
        + before**2 * (control[1] / control[0] ** 2 + growth**2 / control[0])
    )
    if variance == 0:
        note = "No incident in the site."
        return Estimate(name, note=note, reason=Reason.ZERO_COUNT, **known)
    note = "Positive: fewer than the control site's change would lead one to expect."
    effect, se = before * growth - after, math.sqrt(dispersion * variance)
    return complete_estimate(name, effect, se, df, note=note, **known)
