"""How far site and control would have to drift apart by themselves to undo a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason, Refusal, find_critical_value
from sbwork.stats.magnitudes import PeriodStudy, RelativeMagnitudes
from sbwork.stats.regression import fit_shares

Vector = NDArray[np.float64]

LARGEST_MULTIPLE = 5.0
"""The multiple at which the search for a breakdown value stops."""

_QUARTER = 3
_FEWEST_IN_QUARTER = 2
_LEAST_DISPERSION = 1e-9


@dataclass(frozen=True, slots=True)
class DriftBounds:
    """What drift of a given size would leave of a result, and how much drift would undo it.

    breakdown: ``sensitivity_mbar``: the drift at which the interval first takes in no change, as a
        multiple of the largest step from quarter to quarter before the start; 0 where it does so
        without any drift, `LARGEST_MULTIPLE` with ``Flag.ABOVE_SEARCHED`` where it does not do so
        up to there.
    bounds: ``trend_break_bound``, one for each multiple asked for: the mean ratio over the quarters
        after, set against the last quarter before, with the interval that allows for that much
        drift.
    multiples: The multiples, in the order of `bounds`.
    """

    breakdown: Estimate
    bounds: tuple[Estimate, ...]
    multiples: tuple[float, ...]


def bound_drift(
    treated: ArrayLike,
    control: ArrayLike,
    times: ArrayLike,
    *,
    multiples: Sequence[float] = (0.5, 1.0, 2.0),
    weighted: bool = False,
) -> DriftBounds:
    """Bound the site's mean ratio under drift as large as that seen before the start.

    An event study by quarter of log(T / C) against the last quarter before the start: the
    quasi-binomial model of the site's share of each month's incidents, with an effect for each
    quarter. Its mean over the quarters after is bounded under relative magnitudes: with no work
    done, log(T / C) would have moved from one quarter to the next by no more than M times its
    largest step before, whose own uncertainty the interval allows for. `times` are months since the
    start.

    Quarters are counted back from the last month before the start and on from the first after it;
    one with fewer than two months is left out, and over it drift may be longer in proportion. The
    method takes the covariance as known; here it is multiplied by the square of Student's critical
    value over the normal one, with which the interval at M = 0 is Student's.
    ``tests/studies/sim_drift.py`` shows how often it finds a change of a third, or none.

    Source: Rambachan, A. & Roth, J. (2023). Review of Economic Studies 90(5), 2555-2591.
    """
    y, c, t = (np.asarray(part, dtype=float) for part in (treated, control, times))
    known = np.isfinite(y) & np.isfinite(c) & (y + c > 0)
    y, c, t = y[known], c[known], t[known]
    quarter = _cut_quarters(t)
    kept = np.isfinite(quarter)
    y, c, t, quarter = y[kept], c[kept], t[kept], quarter[kept]
    shared: dict[str, Any] = {"n": float(y.sum() + c.sum()), "unit": "ratio"}
    found = _refuse(y, c, quarter) or _study_quarters(y, c, quarter, weighted=weighted)
    if isinstance(found, Refusal):
        missing = found.name("trend_break_bound", **shared)
        breakdown = found.name("sensitivity_mbar", **shared)
        return DriftBounds(breakdown, (missing,) * len(multiples), tuple(multiples))
    study, df = found
    drift = RelativeMagnitudes(study)
    bounds = []
    for multiple in multiples:
        low, high = (math.exp(end) for end in drift.find_interval(multiple))
        note, ratio = _word_bound(multiple, len(study.after)), math.exp(drift.estimate)
        bounds.append(Estimate("trend_break_bound", ratio, low, high, df=df, note=note, **shared))
    value = drift.find_breakdown(LARGEST_MULTIPLE)
    breakdown = Estimate(
        "sensitivity_mbar",
        min(value, LARGEST_MULTIPLE),
        df=df,
        note=_word_breakdown(value),
        flags=(Flag.ABOVE_SEARCHED,) if math.isinf(value) else (),
        **shared,
    )
    return DriftBounds(breakdown, tuple(bounds), tuple(multiples))


def _cut_quarters(t: Vector) -> Vector:
    """Find the middle of each month's quarter, in quarters since the start; NaN if left out."""
    last = t[t < 0].max(initial=-np.inf)
    with np.errstate(invalid="ignore"):
        back = np.where(t < 0, np.floor((last - t) / _QUARTER), np.nan)
    middle = np.where(t < 0, last - 1 - _QUARTER * back, t - t % _QUARTER + 1)
    places, inverse, months = np.unique(middle, return_inverse=True, return_counts=True)
    result: Vector = np.where(months >= _FEWEST_IN_QUARTER, places / _QUARTER, np.nan)[inverse]
    return result


def _refuse(y: Vector, c: Vector, quarter: Vector) -> Refusal | None:
    before, after = (len(np.unique(quarter[side])) for side in (quarter < 0, quarter >= 0))
    if before < 2 or not after:
        return Refusal(
            Reason.TOO_FEW_MONTHS,
            "Not computed: drift is judged from quarter to quarter, which takes at least two "
            f"quarters before the start and one after; there are {before} and {after}.",
        )
    for place in np.unique(quarter):
        inside = quarter == place
        if not (y[inside].sum() and c[inside].sum()):
            return Refusal(
                Reason.ZERO_COUNT,
                "Not computed: in one of the quarters a site had no incident, so it has no ratio.",
            )
    return None


def _study_quarters(
    y: Vector, c: Vector, quarter: Vector, *, weighted: bool
) -> tuple[PeriodStudy, float] | Refusal:
    positions = np.unique(quarter)
    before = int((positions < 0).sum()) - 1
    others = np.delete(positions, before)
    fit = fit_shares(y, y + c, np.column_stack([np.ones_like(y), quarter[:, None] == others]))
    if fit.problem:
        return fit.problem
    scale, df = fit.find_scale(floor=not weighted)
    if not scale > _LEAST_DISPERSION:
        return Refusal(
            Reason.NO_VARIATION,
            "Not computed: months do not vary within quarters, so precision can't be judged.",
        )
    scale *= (find_critical_value(df) / find_critical_value(math.inf)) ** 2
    beta, covariance = fit.coefficients[1:], scale * fit.unscaled[1:, 1:]
    return PeriodStudy(beta[:before], beta[before:], covariance, positions), df


def _word_bound(multiple: float, quarters: int) -> str:
    mean = "The first quarter after" if quarters == 1 else f"Mean of {quarters} quarters after"
    return (
        f"{mean}, against the last one before. Interval if the two had moved apart anyway, from "
        f"each quarter to the next by up to {multiple:g} times the largest step before the start."
    )


def _word_breakdown(value: float) -> str:
    if value == 0:
        return "The interval takes in no change even if the two had not moved apart at all."
    up_to = f"{LARGEST_MULTIPLE:g}" if math.isinf(value) else f"{value:.2f}"
    end = ", which is where the search stops" if math.isinf(value) else ""
    return (
        "The interval leaves out no change as long as the two would have moved apart from each "
        f"quarter to the next by no more than {up_to} times the largest step before the start{end}."
    )
