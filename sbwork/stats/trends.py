"""A site's monthly counts beside its control's: level, trend, month by month, and a break.

`treated` and `control` are incidents a month of the two sites; a month that is NaN in either is
left out. `times` are months since the start: below 0 before it, 0 in the first month after it.
`weighted` numbers are sums of weights rather than counts: their dispersion may be below 1, and
there is no interval where it can't be judged.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import (
    Estimate,
    Flag,
    Reason,
    Refusal,
    add_note,
    complete_estimate,
    find_p_value,
)
from sbwork.stats.regression import compute_newey_west, estimate_coefficient, fit_shares

Vector = NDArray[np.float64]

FEWEST_TREND_MONTHS = 6
"""Months before the start below which no trend is estimated."""

_FEWEST_EACH_SIDE = 8
_FEWEST_FOR_SEASONS = 24
_LAG = 2
_LEAST_DISPERSION = 1e-9


def estimate_level_ratio(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    exposure: tuple[float, float] = (1.0, 1.0),
    weighted: bool = False,
) -> Estimate:
    """Estimate the ratio of the site's incidents to its control's: ``"pre_level_ratio"``.

    ``R = (sum T / population T) / (sum C / population C)``, with variance ``phi (1 / sum T + 1 /
    sum C)`` on the log scale; phi is the Pearson dispersion of the site's monthly share, with
    Student's t on months - 1 degrees of freedom. `exposure` are the two populations.
    """
    name = "pre_level_ratio"
    y, c = _pair_months(treated, control)
    refused = _refuse_empty(y, c)
    if refused:
        return refused.name(name, unit="ratio")
    scale, n = exposure[1] / exposure[0], float(y.sum() + c.sum())
    if len(y) == 1:
        return _estimate_one_month(float(y[0]), float(c[0]), scale, weighted=weighted)
    y, c = _drop_silent(y, c)
    fit = fit_shares(y, y + c, np.ones((len(y), 1)))
    found = estimate_coefficient(fit, 0, name, floor=not weighted, n=n)
    if found.reason:
        return found
    statistic = math.log(scale) / found.se + found.statistic
    return replace(
        found,
        estimate=found.estimate * scale,
        ci_low=found.ci_low * scale,
        ci_high=found.ci_high * scale,
        statistic=statistic,
        p_value=find_p_value(statistic, found.df),
    )


def estimate_pre_trend(
    treated: ArrayLike, control: ArrayLike, times: ArrayLike, *, weighted: bool = False
) -> Estimate:
    """Estimate how fast the site drifted away from its control before the start: ``"pre_trend"``.

    In percent a month: the slope of treated x time in the quasi-Poisson model with site and month
    effects, fitted as a logistic model of the site's share of each month's incidents. A slope that
    differs from 0 by chance alone is no proof that the two were parallel: read the interval, not
    the p value.

    Source: Roth, J. (2022). AER: Insights 4(3), 305-322.
    """
    y, c, t = _pair_months(treated, control, times)
    n = float(y.sum() + c.sum())
    refused = _refuse_short(len(y)) or _refuse_empty(y, c)
    if refused:
        return refused.name("pre_trend", n=n, unit="percent")
    y, c, t = _drop_silent(y, c, t)
    fit = fit_shares(y, y + c, np.column_stack([np.ones_like(t), t - t.mean()]))
    found = estimate_coefficient(fit, 1, "pre_trend", unit="percent", floor=not weighted, n=n)
    return found if found.reason else replace(found, note=_word_trend(found))


def estimate_event_study(
    treated: ArrayLike, control: ArrayLike, times: ArrayLike, *, weighted: bool = False
) -> list[Estimate]:
    """Estimate each month of the site against its control and the months before: ``"event_study"``.

    The coefficient of treated x this month in the Poisson model with site and month effects. A
    month after the start is set against all months before it; a month before the start is set
    against the other months before it, so that no single month is the yardstick. The dispersion is
    that of the site's share over the months before. Intervals are not adjusted for being many.
    """
    y, c, t = (np.asarray(part, dtype=float) for part in (treated, control, times))
    before = np.isfinite(y) & np.isfinite(c) & (t < 0)
    phi, df = _measure_dispersion(y[before], c[before], weighted=weighted)
    found = []
    for month in range(len(t)):
        base = before & (np.arange(len(t)) != month)
        cells = (y[month], c[month], float(y[base].sum()), float(c[base].sum()))
        found.append(_estimate_month(cells, int(base.sum()), phi, df))
    return found


def estimate_interrupted_series(
    treated: ArrayLike, control: ArrayLike, times: ArrayLike, *, weighted: bool = False
) -> tuple[Estimate, Estimate]:
    """Estimate a controlled interrupted time series: a break in level and a break in slope.

    Log of site over control = a + b time + level x after + slope x after x time, with one yearly
    sine and cosine where there are 24 months or more, fitted as a logistic model of the site's
    share: what the two sites share, seasons among it, drops out. Standard errors are the larger of
    the model's own, with its dispersion, and of Newey and West's, so months may hang together.
    ``"its_level"`` is the site against what its own and its control's course before would give at
    the start, ``"its_slope"`` the change of the monthly trend.

    Newey and West's alone are too small in short series: with two Poisson series of 20 incidents a
    month, 12 months on either side and no break, a nominal 5% interval for the level leaves out no
    difference in 16% of simulated pairs, the larger of the two in 3%. Where months hang together
    (autoregressive .4, log SD .15, 60 incidents a month) it is 18% and 7% with 12 months a side,
    16% and 12% with 24, and the interval for the slope leaves out no difference in 15%: then both
    are still too narrow (``tests/studies/sim_series.py``).

    Source: Lopez Bernal, J., Cummins, S. & Gasparrini, A. (2018). Int. J. Epidemiology 47(6),
    2082-2093.
    """
    y, c, t = _pair_months(treated, control, times)
    terms = (("its_level", "ratio"), ("its_slope", "percent"))
    n = float(y.sum() + c.sum())
    refused = _refuse_sides(t) or _refuse_empty(y, c)
    if refused:
        level, slope = (refused.name(name, n=n, unit=unit) for name, unit in terms)
        return level, slope
    y, c, t = _drop_silent(y, c, t)
    after = (t >= 0).astype(float)
    columns = [np.ones_like(t), t, after, after * t]
    seasons = len(t) >= _FEWEST_FOR_SEASONS
    if seasons:
        columns += [np.sin(2 * np.pi * t / 12), np.cos(2 * np.pi * t / 12)]
    fit = fit_shares(y, y + c, np.column_stack(columns))
    wider = np.full(len(columns), math.nan)
    if not fit.problem:
        own = np.diag(fit.unscaled) * fit.find_scale(floor=not weighted)[0]
        wider = np.maximum(own, np.diag(compute_newey_west(fit, _LAG)))
    note = "Fewer than 24 months, so seasons that differ between the sites are not allowed for."
    breaks = []
    for column, (name, unit) in enumerate(terms, start=2):
        found = estimate_coefficient(fit, column, name, unit=unit, variance=wider[column], n=n)
        given = seasons or found.reason
        breaks.append(found if given else add_note(found, note, Flag.NO_SEASONS))
    return breaks[0], breaks[1]


def _pair_months(*series: ArrayLike) -> tuple[Vector, ...]:
    arrays = [np.asarray(part, dtype=float) for part in series]
    if len({part.shape for part in arrays}) > 1 or arrays[0].ndim != 1:
        raise ValueError("the series must be one-dimensional and of the same length")
    known = np.isfinite(arrays[0]) & np.isfinite(arrays[1])
    return tuple(part[known] for part in arrays)


def _drop_silent(y: Vector, c: Vector, *more: Vector) -> tuple[Vector, ...]:
    """Drop months with no incident in either site, which have no ratio."""
    known = y + c > 0
    return tuple(part[known] for part in (y, c, *more))


def _refuse_short(months: int) -> Refusal | None:
    if months >= FEWEST_TREND_MONTHS:
        return None
    had = {0: "no month", 1: "only one month"}.get(months, f"only {months} months")
    return Refusal(
        Reason.TOO_FEW_MONTHS if months else Reason.NO_MONTHS,
        f"Not computed: {had} before the start with counts for both sites, and a trend needs at "
        f"least {FEWEST_TREND_MONTHS}.",
    )


def _refuse_sides(t: Vector) -> Refusal | None:
    counts = int((t < 0).sum()), int((t >= 0).sum())
    if min(counts) >= _FEWEST_EACH_SIDE:
        return None
    return Refusal(
        Reason.TOO_FEW_MONTHS,
        f"Not computed: months with counts for both sites are {counts[0]} before and {counts[1]} "
        f"after; an interrupted time series needs at least {_FEWEST_EACH_SIDE} on each side.",
    )


def _refuse_empty(y: Vector, c: Vector) -> Refusal | None:
    if not len(y):
        return Refusal(Reason.NO_MONTHS, "Not computed: no month has counts for both sites.")
    if y.sum() and c.sum():
        return None
    who = "the site" if y.sum() == 0 else "the control site"
    return Refusal(
        Reason.ZERO_COUNT,
        f"Not computed: {who} had no incident in these months, so there is no ratio.",
    )


def _estimate_one_month(y: float, c: float, scale: float, *, weighted: bool) -> Estimate:
    name, ratio = "pre_level_ratio", y / c * scale
    known: dict[str, Any] = {"n": y + c, "unit": "ratio"}
    if weighted:
        note = "One month only: sums of weights have no interval without months to compare."
        flags = (Flag.SINGLE_MONTH, Flag.NO_INTERVAL)
        return Estimate(name, ratio, note=note, flags=flags, **known)
    note = (
        "One month only: the interval takes counts to vary by chance alone, so it is too narrow if "
        "they vary more."
    )
    se, flags = math.sqrt(1 / y + 1 / c), (Flag.SINGLE_MONTH, Flag.TOO_NARROW)
    found = complete_estimate(
        name, math.log(ratio), se, turn=math.exp, note=note, flags=flags, **known
    )
    return replace(found, estimate=ratio)


def _word_trend(trend: Estimate) -> str:
    if trend.p_value < 1 - trend.ci_level:
        return "Before the start the site and its control already moved differently."
    return (
        "No clear difference in trend before the start. That is not proof that the two were "
        f"parallel: anything from {trend.ci_low:+.1f}% to {trend.ci_high:+.1f}% a month fits "
        "these counts."
    )


def _measure_dispersion(y: Vector, c: Vector, *, weighted: bool) -> tuple[float, float]:
    """Measure the dispersion of the site's share; NaN where weights leave nothing to judge by."""
    nothing = (math.nan, math.nan) if weighted else (1.0, math.inf)
    y, c = _drop_silent(y, c)
    df = len(y) - 1
    if df < 1 or y.sum() == 0 or c.sum() == 0:
        return nothing
    share = y.sum() / (y + c).sum()
    expected = (y + c) * share
    phi = float(np.sum((y - expected) ** 2 / (expected * (1 - share)))) / df
    if weighted:
        return (phi, float(df)) if phi > _LEAST_DISPERSION else nothing
    return max(1.0, phi), float(df)


def _estimate_month(cells: tuple[float, ...], base_months: int, phi: float, df: float) -> Estimate:
    name = "event_study"
    known: dict[str, Any] = {"n": float(np.nansum(cells[:2])), "unit": "ratio"}
    refused = _refuse_month(cells, base_months)
    if refused:
        return refused.name(name, **known)
    log = math.log(cells[0] / cells[1]) - math.log(cells[2] / cells[3])
    if math.isnan(phi):
        note = "No interval: there are too few months before to judge how much weights vary."
        return Estimate(name, math.exp(log), note=note, flags=(Flag.NO_INTERVAL,), **known)
    se = math.sqrt(phi * sum(1 / cell for cell in cells))
    found = complete_estimate(name, log, se, df, turn=math.exp, **known)
    if math.isfinite(df):
        return found
    note = "The interval takes counts to vary by chance alone, so it may be too narrow."
    return add_note(found, note, Flag.TOO_NARROW)


def _refuse_month(cells: tuple[float, ...], base_months: int) -> Refusal | None:
    if not all(map(math.isfinite, cells)):
        note = "Not computed: the files do not cover this month for both sites."
        return Refusal(Reason.OUTSIDE_FILES, note)
    if base_months < 1:
        note = "Not computed: there is no other month before the start to set it against."
        return Refusal(Reason.NO_MONTHS, note)
    if min(cells) == 0:
        note = "Not computed: a count of zero here, or in the months before, leaves no ratio."
        return Refusal(Reason.ZERO_COUNT, note)
    return None
