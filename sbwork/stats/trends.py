"""A site's monthly counts beside its control's: level, trend, break, and what drift would undo."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason
from sbwork.stats.rates import find_critical_value, find_p_value
from sbwork.stats.regression import (
    Refusal,
    RegressionFit,
    compute_newey_west,
    estimate_coefficient,
    fit_shares,
)

Vector = NDArray[np.float64]

FEWEST_MONTHS = 6
"""Months before the start below which no trend is estimated."""

_ERRORS = "series_errors.csv"
_FEWEST_EACH_SIDE = 8
_FEWEST_FOR_SEASONS = 24
_LEAST_DISPERSION = 1e-9


@dataclass(frozen=True, slots=True)
class SeriesErrors:
    """How often the interrupted series saw a break in simulated pairs that had none.

    incidents_a_month: Expected incidents a month in each site.
    months_a_side: Months before the start, and as many after.
    autocorrelation, log_sd: How much of a month's deviation lasts into the next, and the SD of what
        is new in each, on the log scale; 0 where months vary by chance alone.
    runs: Simulated pairs.
    newey_west: Share that saw a break in level by Newey and West's standard error alone.
    wider, wider_slope: Share that saw a break in level, and in slope, as
        `estimate_interrupted_series` has them.
    """

    incidents_a_month: float
    months_a_side: int
    autocorrelation: float
    log_sd: float
    runs: int
    newey_west: float
    wider: float
    wider_slope: float


def read_series_errors() -> tuple[SeriesErrors, ...]:
    """Read how often the interrupted series saw a break in simulated pairs that had none."""
    text = (files("sbwork.stats") / _ERRORS).read_text(encoding="utf-8")
    return tuple(
        SeriesErrors(
            float(row["incidents_a_month"]),
            int(row["months_a_side"]),
            float(row["autocorrelation"]),
            float(row["log_sd"]),
            int(row["runs"]),
            float(row["newey_west"]),
            float(row["wider"]),
            float(row["wider_slope"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def estimate_level_ratio(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    exposure: tuple[float, float] = (1.0, 1.0),
    weighted: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Estimate the ratio of the site's incidents to its control's.

    ``R = (sum T / population T) / (sum C / population C)``, with variance ``phi (1 / sum T + 1 /
    sum C)`` on the log scale; phi is the Pearson dispersion of the site's monthly share, with
    Student's t on months - 1 degrees of freedom.
    """
    y, c = _pair_months(treated, control)
    refused = _refuse_empty(y, c)
    if refused:
        return refused.name("pre_level_ratio", ci_level=level, unit="ratio")
    scale, n = exposure[1] / exposure[0], float(y.sum() + c.sum())
    if len(y) == 1:
        return _estimate_one_month(float(y[0]), float(c[0]), scale, level, weighted=weighted)
    y, c = _drop_silent(y, c)
    fit = fit_shares(y, y + c, np.ones((len(y), 1)))
    found = estimate_coefficient(fit, 0, "pre_level_ratio", floor=not weighted, level=level, n=n)
    if found.reason:
        return found
    log = math.log(scale) + found.se * found.statistic
    statistic = log / found.se
    return replace(
        found,
        estimate=found.estimate * scale,
        ci_low=found.ci_low * scale,
        ci_high=found.ci_high * scale,
        statistic=statistic,
        p_value=find_p_value(statistic, found.df),
    )


def estimate_pre_trend(
    treated: ArrayLike,
    control: ArrayLike,
    times: ArrayLike,
    *,
    weighted: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Estimate how fast the site drifted away from its control before the start.

    The slope of treated x time in the quasi-Poisson model with site and month effects, fitted as a
    logistic model of the site's share of each month's incidents.

    A slope that differs from 0 by chance alone is no proof that the two were parallel: read the
    interval, not the p value (Roth, J. (2022). AER: Insights 4(3), 305-322).
    """
    y, c, t = _pair_months(treated, control, times)
    n = float(y.sum() + c.sum())
    refused = _refuse_short(len(y)) or _refuse_empty(y, c)
    if refused:
        return refused.name("pre_trend", ci_level=level, n=n, unit="percent")
    y, c, t = _drop_silent(y, c, t)
    fit = fit_shares(y, y + c, np.column_stack([np.ones_like(t), t - t.mean()]))
    found = estimate_coefficient(
        fit, 1, "pre_trend", unit="percent", floor=not weighted, level=level, n=n
    )
    return found if found.reason else replace(found, note=_word_trend(found))


def estimate_event_study(
    treated: ArrayLike,
    control: ArrayLike,
    times: ArrayLike,
    *,
    weighted: bool = False,
    level: float = 0.95,
) -> list[Estimate]:
    """Estimate, month by month, the site against its control and against the months before.

    The coefficient of treated x this month in the Poisson model with site and month effects. A
    month after the start is set against all months before it; a month before the start is set
    against the other months before it, so that no single month is the yardstick. The dispersion is
    that of the site's share over the months before.
    """
    y, c, t = (np.asarray(part, dtype=float) for part in (treated, control, times))
    known = np.isfinite(y) & np.isfinite(c)
    before = known & (t < 0)
    phi, df = _measure_dispersion(y[before], c[before], weighted=weighted)
    found = []
    for month in range(len(t)):
        base = before & (np.arange(len(t)) != month)
        cells = (y[month], c[month], float(y[base].sum()), float(c[base].sum()))
        found.append(_estimate_month(cells, int(base.sum()), phi, df, level))
    return found


def estimate_interrupted_series(
    treated: ArrayLike,
    control: ArrayLike,
    times: ArrayLike,
    *,
    lag: int = 2,
    weighted: bool = False,
    level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """Estimate a controlled interrupted time series: a break in level and a break in slope.

    Log of site over control = a + b time + level x after + slope x after x time, with one yearly
    sine and cosine where there are 24 months or more: the quasi-Poisson model of both series with
    an effect for every month, fitted as a logistic model of the site's share. What the two sites
    share, seasons among it, drops out; the season terms take up what they do not share. Standard
    errors are the larger of the model's own, with its dispersion, and of Newey and West's, so
    months may hang together.

    Newey and West's alone are too small in short series: with two Poisson series of 20 incidents a
    month, 12 months on either side and no break, a nominal 5% interval for the level leaves out no
    difference in 16% of simulated pairs, the larger of the two in 3%. Where months hang together
    (autoregressive .4, log SD .15, 60 incidents a month) it is 18% and 7% with 12 months a side,
    16% and 12% with 24, and the interval for the slope leaves out no difference in 15%: then both
    are still too narrow. `read_series_errors` has the table.

    Source: Lopez Bernal, J., Cummins, S. & Gasparrini, A. (2018). The use of controls in
    interrupted time series studies of public health interventions. Int. J. Epidemiology 47(6),
    2082-2093.
    """
    y, c, t = _pair_months(treated, control, times)
    n = float(y.sum() + c.sum())
    refused = _refuse_sides(t) or _refuse_empty(y, c)
    if refused:
        return (
            refused.name("its_level", ci_level=level, n=n, unit="ratio"),
            refused.name("its_slope", ci_level=level, n=n, unit="percent"),
        )
    y, c, t = _drop_silent(y, c, t)
    after = (t >= 0).astype(float)
    columns = [np.ones_like(t), t, after, after * t]
    seasons = len(t) >= _FEWEST_FOR_SEASONS
    if seasons:
        columns += [np.sin(2 * np.pi * t / 12), np.cos(2 * np.pi * t / 12)]
    fit = fit_shares(y, y + c, np.column_stack(columns))
    covariance = None if fit.problem else _take_wider(fit, lag, floor=not weighted)
    level_break = estimate_coefficient(fit, 2, "its_level", covariance=covariance, level=level, n=n)
    slope_break = estimate_coefficient(
        fit, 3, "its_slope", unit="percent", covariance=covariance, level=level, n=n
    )
    return _mark_seasons(level_break, seasons), _mark_seasons(slope_break, seasons)


def _mark_seasons(found: Estimate, seasons: bool) -> Estimate:
    if seasons or found.reason:
        return found
    note = "Fewer than 24 months, so seasons that differ between the sites are not allowed for."
    return replace(found, note=note, flags=(Flag.NO_SEASONS,))


def _take_wider(fit: RegressionFit, lag: int, *, floor: bool) -> Vector:
    """Take the larger variance of each coefficient: the model's own, or Newey and West's."""
    modelled = fit.unscaled * fit.find_scale(floor=floor)[0]
    variances = np.maximum(np.diag(modelled), np.diag(compute_newey_west(fit, lag)))
    return np.diag(variances)


def _pair_months(*series: ArrayLike) -> tuple[Vector, ...]:
    arrays = [np.asarray(part, dtype=float) for part in series]
    if len({part.shape for part in arrays}) > 1 or arrays[0].ndim != 1:
        raise ValueError("the series must be one-dimensional and of the same length")
    known = np.isfinite(arrays[0]) & np.isfinite(arrays[1])
    return tuple(part[known] for part in arrays)


def _drop_silent(y: Vector, c: Vector, *more: Vector) -> tuple[Vector, ...]:
    """Drop months with no incident in either site: they say nothing about the ratio."""
    heard = y + c > 0
    return tuple(part[heard] for part in (y, c, *more))


def _refuse_short(months: int) -> Refusal | None:
    if months >= FEWEST_MONTHS:
        return None
    had = "only one month" if months == 1 else f"only {months} months"
    return Refusal(
        Reason.TOO_FEW_MONTHS if months else Reason.NO_MONTHS,
        f"Not computed: {had if months else 'no month'} before the start with counts for both "
        f"sites, and a trend needs at least {FEWEST_MONTHS}.",
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
    if y.sum() == 0 or c.sum() == 0:
        who = "the site" if y.sum() == 0 else "the control site"
        return Refusal(
            Reason.ZERO_COUNT,
            f"Not computed: {who} had no incident in these months, so there is no ratio.",
        )
    return None


def _estimate_one_month(
    y: float, c: float, scale: float, level: float, *, weighted: bool
) -> Estimate:
    ratio, n = y / c * scale, y + c
    if weighted:
        return Estimate(
            "pre_level_ratio",
            ratio,
            ci_level=level,
            n=n,
            unit="ratio",
            note="One month only: sums of weights have no interval without months to compare.",
            flags=(Flag.SINGLE_MONTH, Flag.NO_INTERVAL),
        )
    se = math.sqrt(1 / y + 1 / c)
    log = math.log(ratio)
    half = find_critical_value(math.inf, level) * se
    return Estimate(
        "pre_level_ratio",
        estimate=ratio,
        ci_low=math.exp(log - half),
        ci_high=math.exp(log + half),
        ci_level=level,
        p_value=find_p_value(log / se, math.inf),
        se=se,
        statistic=log / se,
        df=math.inf,
        n=n,
        unit="ratio",
        note="One month only: the interval takes counts to vary by chance alone, so it is too "
        "narrow if they vary more.",
        flags=(Flag.SINGLE_MONTH, Flag.TOO_NARROW),
    )


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


def _estimate_month(
    cells: tuple[float, ...], base_months: int, phi: float, df: float, level: float
) -> Estimate:
    known: dict[str, Any] = {
        "ci_level": level,
        "n": float(np.nansum(cells[:2])),
        "unit": "ratio",
    }
    refused = _refuse_month(cells, base_months)
    if refused:
        return refused.name("event_study", **known)
    log = math.log(cells[0] / cells[1]) - math.log(cells[2] / cells[3])
    if math.isnan(phi):
        return Estimate(
            "event_study",
            math.exp(log),
            note="No interval: there are too few months before to judge how much weights vary.",
            flags=(Flag.NO_INTERVAL,),
            **known,
        )
    se = math.sqrt(phi * sum(1 / cell for cell in cells))
    half = find_critical_value(df, level) * se
    note = "The interval takes counts to vary by chance alone, so it may be too narrow."
    plain = math.isinf(df)
    return Estimate(
        "event_study",
        estimate=math.exp(log),
        ci_low=math.exp(log - half),
        ci_high=math.exp(log + half),
        p_value=find_p_value(log / se, df),
        se=se,
        statistic=log / se,
        df=df,
        note=note if plain else "",
        flags=(Flag.TOO_NARROW,) if plain else (),
        **known,
    )


def _refuse_month(cells: tuple[float, ...], base_months: int) -> Refusal | None:
    if not all(map(math.isfinite, cells)):
        return Refusal(
            Reason.OUTSIDE_FILES,
            "Not computed: the files do not cover this month for both sites.",
        )
    if base_months < 1:
        return Refusal(
            Reason.NO_MONTHS,
            "Not computed: there is no other month before the start to set it against.",
        )
    if min(cells) == 0:
        return Refusal(
            Reason.ZERO_COUNT,
            "Not computed: a count of zero here, or in the months before, leaves no ratio.",
        )
    return None
