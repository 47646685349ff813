"""How far site and control would have to drift apart by themselves to undo a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.estimates.estimate import Estimate
from sbwork.estimates.regression import RegressionFit, estimate_coefficient, fit_shares

__all__ = ["DriftBounds", "bound_drift"]

Vector = NDArray[np.float64]

_QUARTER = 3


@dataclass(frozen=True, slots=True)
class DriftBounds:
    """What drift of a given size would leave of a result, and how much drift would undo it.

    Attributes
    ----------
    breakdown : Estimate
        ``sensitivity_mbar``: the drift at which the interval first takes in no change, as a
        multiple of the largest drift seen before the start; 0 where it does so without any.
    bounds : tuple of Estimate
        ``trend_break_bound``, one for each multiple asked for: the site's ratio with its
        interval widened by that much drift.
    multiples : tuple of float
        The multiples, in the order of `bounds`.
    largest_step : float
        Largest quarter-on-quarter change of log(site / control) before the start; NaN where
        there are not two whole quarters.
    """

    breakdown: Estimate
    bounds: tuple[Estimate, ...]
    multiples: tuple[float, ...]
    largest_step: float


def bound_drift(
    treated: ArrayLike,
    control: ArrayLike,
    times: ArrayLike,
    *,
    multiples: Sequence[float] = (0.5, 1.0, 2.0),
    level: float = 0.95,
) -> DriftBounds:
    """Bound the site's ratio under drift as large as that seen before the start.

    The months before are cut into quarters, counted back from the start, and ``s`` is the
    largest change of log(T / C) from one whole quarter to the next. Suppose that, with no work
    done, log(T / C) had drifted between the windows by at most ``M s`` a quarter on average.
    Over the ``d`` quarters between the middles of the two windows that is ``M s d``, and the
    interval widens by as much at either end. The breakdown value is
    ``(|beta| - t se) / (s d)``, never below 0.

    Parameters
    ----------
    treated, control : array_like, shape (n_months,)
        Incidents a month; a month that is NaN in either is left out.
    times : array_like, shape (n_months,)
        Months since the start: below 0 before it, 0 in the first month after it.
    multiples : sequence of float
        The values of M to show.
    level : float, default 0.95
        Level of the interval at M = 0, from the quasi-Poisson model with site and month effects.

    Returns
    -------
    DriftBounds
        Missing, with the reason, below two whole quarters before the start, or where a quarter
        has no incident in one of the sites.

    Notes
    -----
    This follows the relative-magnitudes bound of Rambachan and Roth in spirit, not to the
    letter: quarters stand for periods, the mean of the months before is the yardstick instead
    of the last period, and ``s`` is put in as it was seen. Chance alone makes ``s`` larger the
    fewer the incidents, which errs on the careful side.

    References
    ----------
    Rambachan, A. & Roth, J. (2023). A more credible approach to parallel trends. Review of
    Economic Studies 90(5), 2555-2591.

    Examples
    --------
    >>> bounds = bound_drift([60, 62, 58, 61, 63, 60] + [30] * 6, [80] * 12, range(-6, 6))
    >>> round(bounds.breakdown.estimate, 1)
    10.4
    """
    y, c, t = (np.asarray(part, dtype=float) for part in (treated, control, times))
    known = np.isfinite(y) & np.isfinite(c)
    y, c, t = y[known], c[known], t[known]
    n = float(y.sum() + c.sum())
    step, reason = _find_largest_step(y, c, t)
    if not reason and not (t >= 0).any():
        reason = "Not computed: no month after the start has counts for both sites."
    if not reason:
        found = estimate_coefficient(_fit_change(y, c, t), 1, "trend_break_bound", level=level, n=n)
        reason = found.note
    if reason:
        missing = Estimate("trend_break_bound", ci_level=level, n=n, unit="ratio", note=reason)
        breakdown = Estimate("sensitivity_mbar", ci_level=level, n=n, unit="ratio", note=reason)
        return DriftBounds(breakdown, (missing,) * len(multiples), tuple(multiples), step)
    drift = step * (float(t[t >= 0].mean()) - float(t[t < 0].mean())) / _QUARTER
    log = math.log(found.estimate)
    half = math.log(found.ci_high) - log
    bounds = tuple(_widen(found, multiple, multiple * drift) for multiple in multiples)
    spare = (abs(log) - half) / drift
    breakdown = Estimate(
        "sensitivity_mbar",
        estimate=max(0.0, spare),
        ci_level=level,
        n=n,
        unit="ratio",
        note=_word_breakdown(spare),
    )
    return DriftBounds(breakdown, bounds, tuple(multiples), step)


def _find_largest_step(y: Vector, c: Vector, t: Vector) -> tuple[float, str]:
    quarter = np.floor(t / _QUARTER)
    logs: dict[int, float] = {}
    for number in np.unique(quarter[t < 0]):
        inside = quarter == number
        if inside.sum() < _QUARTER:
            continue
        if y[inside].sum() == 0 or c[inside].sum() == 0:
            return math.nan, (
                "Not computed: in a quarter before the start one of the sites had no incident."
            )
        logs[int(number)] = math.log(y[inside].sum() / c[inside].sum())
    steps = [abs(logs[q + 1] - logs[q]) for q in logs if q + 1 in logs]
    if not steps:
        return math.nan, (
            "Not computed: drift is judged from quarter to quarter, and there are not two whole "
            "quarters in a row before the start."
        )
    if max(steps) == 0:
        return 0.0, "Not computed: no drift at all was seen before the start to measure by."
    return max(steps), ""


def _fit_change(y: Vector, c: Vector, t: Vector) -> RegressionFit:
    heard = y + c > 0
    after = (t[heard] >= 0).astype(float)
    return fit_shares(y[heard], (y + c)[heard], np.column_stack([np.ones_like(after), after]))


def _widen(found: Estimate, multiple: float, drift: float) -> Estimate:
    return Estimate(
        "trend_break_bound",
        estimate=found.estimate,
        ci_low=found.ci_low * math.exp(-drift),
        ci_high=found.ci_high * math.exp(drift),
        ci_level=found.ci_level,
        n=found.n,
        unit="ratio",
        note=f"Interval if the two had drifted apart anyway, each quarter by {multiple:g} times "
        "the largest quarter-on-quarter change seen before the start.",
    )


def _word_breakdown(spare: float) -> str:
    if spare <= 0:
        return "The interval takes in no change even if the two had not drifted apart at all."
    return (
        f"The interval leaves out no change as long as the two would not have drifted apart by "
        f"more than {spare:.2f} times the largest quarter-on-quarter change seen before the start."
    )
