"""How many months, or incidents, it takes to show that two sites were alike beforehand."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_MONTHS = 120
"""Months before the start beyond which a history is no longer realistic, nor looked at."""

POWER = 0.8
"""How often the check is to pass when the truth is what it is taken to be."""

Vector = NDArray[np.float64]

_QUANTILES = (np.arange(64) + 0.5) / 64


def compute_pass_probability(
    room: tuple[float, float], se: ArrayLike, df: ArrayLike, *, level: float = 0.95
) -> Vector:
    """Compute how often a whole interval comes to lie within two limits.

    ``P(estimate - t s > lower limit and estimate + t s < upper limit)``, with the estimate normal
    around the truth and t on `df` degrees of freedom. `room` is from the truth down to the lower
    limit and up to the upper one, on the log scale. The estimated s is the true standard error
    times ``sqrt(max(1, X / df))``, X chi-square: dispersion is estimated anew, and never below 1.

    Source: Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680
    (the check is his test, with a 95% interval in place of a 90% one).
    """
    from scipy import special, stats

    true = np.atleast_1d(np.asarray(se, dtype=float))[:, None]
    freedom = np.atleast_1d(np.asarray(df, dtype=float))[:, None]
    finite = np.where(np.isfinite(freedom), freedom, 1.0)
    spread = np.sqrt(np.maximum(1.0, stats.chi2.ppf(_QUANTILES, finite) / finite))
    half = stats.t.ppf((1 + level) / 2, freedom) * np.where(np.isfinite(freedom), spread, 1.0)
    above = special.ndtr(room[1] / true - half)
    below = special.ndtr(half - room[0] / true)
    found: Vector = np.maximum(0.0, above - below).mean(axis=1)
    return found


def sum_information(months: ArrayLike, *, slope: bool) -> Vector:
    """Sum what so many equally informative months say of a slope a month, or of a level.

    One month's variance divided by it is the variance of the estimate.
    """
    number = np.asarray(months, dtype=float)
    found: Vector = number * (number**2 - 1) / 12 if slope else number
    return found


def compute_months_needed(room: tuple[float, float], variance: float, *, slope: bool) -> float:
    """Compute how many months it takes for an interval to lie within two limits; NaN if too many.

    `room` as in `compute_pass_probability`; `variance` is that of one month's log ratio, phi (1 /
    m_T + 1 / m_C), with m incidents a month in either site. A slope a month has months - 2 degrees
    of freedom, a level months - 1.
    """
    lost = 2 if slope else 1
    months = np.arange(lost + 1, MOST_MONTHS + 1)
    se = np.sqrt(variance / sum_information(months, slope=slope))
    enough = compute_pass_probability(room, se, months - lost) >= POWER
    return float(months[enough.argmax()]) if enough.any() else math.nan


def compute_incident_factor(
    room: tuple[float, float],
    variance: float,
    months: float,
    *,
    slope: bool,
) -> float:
    """Compute how many times as many incidents it takes, over the same months.

    The factor is on the incidents of both sites, their over-dispersion staying as it is; NaN where
    so few months leave no degree of freedom. See `compute_months_needed`.
    """
    from scipy import optimize

    df = months - (2 if slope else 1) if slope or months > 1 else math.inf
    if df < 1:
        return math.nan

    def miss(log_se: float) -> float:
        return float(compute_pass_probability(room, math.exp(log_se), df)[0]) - POWER

    middle = math.log(min(room))
    needed = math.exp(optimize.brentq(miss, middle - 8, middle + 3))
    return float(variance / sum_information(months, slope=slope)) / needed**2
