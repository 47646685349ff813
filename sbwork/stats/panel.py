"""Several sites by several months: one ratio for the sites and months where work was done."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sbwork.stats.estimate import Estimate, Flag, Reason, Refusal
from sbwork.stats.regression import estimate_coefficient, fit_counts, fit_nb2

_MANY_SITES = 10
_NARROW = (
    "With few sites and an effect for every month, this model takes counts to vary less than "
    "they do, so its interval is too narrow; prefer the quasi-Poisson model."
)

_NO_COUNTS = Refusal(
    Reason.NOT_APPLICABLE,
    "Not computed: the negative binomial is a model of counts, and these are sums of weights.",
)


def estimate_panel(
    counts: ArrayLike,
    treated: ArrayLike,
    times: ArrayLike,
    *,
    model: Literal["quasipoisson", "nb2"] = "quasipoisson",
    trend: bool = False,
    weighted: bool = False,
) -> Estimate:
    """Estimate how treated sites changed against the others, with site and month effects.

    ``log mean = site + month + beta x (treated and after)``; populations that stay the same are
    taken up by the site effects. `counts` are months by sites; `times` are months since the start:
    below 0 before it. A month that is NaN in any site is left out. The variance is in proportion to
    the mean (quasi-Poisson), or negative binomial, which does not fit sums of weights (`weighted`).
    With `trend`, a straight line for the treated sites carries forward what drifted before.

    Source: Cameron, A. C. & Trivedi, P. K. (2013). Regression Analysis of Count Data, 2nd ed., ch.
    9.
    """
    estimator = f"panel_{model}" + ("_trend" if trend else "")
    y, t = np.asarray(counts, dtype=float), np.asarray(times, dtype=float)
    arm = np.asarray(treated, dtype=bool)
    if y.ndim != 2 or y.shape != (len(t), len(arm)) or arm.all() or not arm.any():
        raise ValueError("counts must be months by sites, with sites in both arms")
    kept = np.isfinite(y).all(axis=1)
    y, t = y[kept], t[kept]
    n = float(y.sum())
    refused = _NO_COUNTS if weighted and model == "nb2" else _refuse_panel(y, t, arm)
    if refused:
        return refused.name(estimator, n=n, unit="ratio")
    known = y.sum(axis=1) > 0  # a month without any incident says nothing of a ratio
    y, t = y[known], t[known]
    months, sites = y.shape
    site = np.tile(np.eye(sites), (months, 1))
    month = np.repeat(np.eye(months)[:, 1:], sites, axis=0)
    worked = np.outer(t >= 0, arm).ravel().astype(float)
    columns = [worked[:, None], site, month]
    if trend:
        columns.insert(1, np.outer(t - t.mean(), arm).ravel()[:, None])
    fit = fit_nb2 if model == "nb2" else fit_counts
    fitted = fit(y.ravel(), np.hstack(columns))
    found = estimate_coefficient(fitted, 0, estimator, floor=not weighted, n=n)
    if model == "nb2" and sites < _MANY_SITES and not found.reason:
        found = replace(found, note=_NARROW, flags=(Flag.TOO_NARROW,))
    return found


def _refuse_panel(y: np.ndarray, t: np.ndarray, arm: np.ndarray) -> Refusal | None:
    for name, side in (("before", t < 0), ("after", t >= 0)):
        if not side.any():
            return Refusal(
                Reason.NO_MONTHS,
                f"Not computed: no month {name} the start has counts for every site.",
            )
        for who, sites in (("the site", arm), ("the control", ~arm)):
            if y[np.ix_(side, sites)].sum() == 0:
                return Refusal(
                    Reason.ZERO_COUNT,
                    f"Not computed: {who} had no incident {name} the start: there is no ratio.",
                )
    if len(t) == 2 and len(arm) == 2:
        return Refusal(
            Reason.TOO_FEW_MONTHS,
            "Not computed: one month on each side and two sites leave nothing to judge "
            "precision by.",
        )
    return None
