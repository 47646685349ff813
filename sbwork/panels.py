"""Models over the monthly panel of sites: is the control like its site, do they part."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.cohort import Cohort, Pair, list_months
from sbwork.estimates import Estimate
from sbwork.estimates.trends import estimate_level_ratio, estimate_pre_trend
from sbwork.incidents import Incidents
from sbwork.results import Finding, tabulate_findings

__all__ = ["LONGEST_HISTORY", "assess_comparability"]

Vector = NDArray[np.float64]

LONGEST_HISTORY = 36
"""Months before the start that a trend looks back over, where the files reach that far."""

_NO_PERIODS = "Not computed: no periods are given, so there is no before and after."
_NO_CONTROL = "Not computed: no control site is named for this site."


def assess_comparability(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Assess whether each control was like its site before the start: in level and in trend.

    Parameters
    ----------
    incidents : Incidents
        Counts by site, outcome and month.
    cohort : Cohort
        The evaluation: its pairs, outcomes and periods.

    Returns
    -------
    pandas.DataFrame, shape (2 x n_pairs x n_outcomes, len(RESULT_COLUMNS))
        Section ``"panel"``, period ``"before"``, one row of each a pair and outcome:
        ``pre_level_ratio`` (site over control in the months before; rates where both
        populations are known, else counts) and ``pre_trend`` (percent a month, over the
        `LONGEST_HISTORY` months before the start as far as the files reach). Whatever can't be
        computed is missing, with the reason.

    Examples
    --------
    >>> months = list_months("2016-01", "2017-12")
    >>> rows = [(site, "asb", month, count)
    ...         for site, count in (("a", 10.0), ("b", 20.0)) for month in months]
    >>> sites = pd.DataFrame(rows, columns=["site", "outcome", "month", "count"])
    >>> cohort = Cohort.model_validate({
    ...     "name": "pilot", "sites": {"a": {}, "b": {}},
    ...     "pairs": [{"intervention": "a", "control": "b"}],
    ...     "periods": {"before": {"start": "2016-01", "end": "2016-12"},
    ...                 "after": {"start": "2017-01", "end": "2017-12"}},
    ...     "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}})
    >>> incidents = Incidents(sites, pd.DataFrame(), months, (), pd.DataFrame())
    >>> assess_comparability(incidents, cohort)["estimate"].round(6).tolist()
    [0.5, 0.0]
    """
    found = []
    for outcome in cohort.outcomes:
        wide = _widen(incidents, outcome)
        for pair in cohort.pairs:
            for estimate in _assess_pair(wide, pair, cohort):
                found.append(
                    Finding(
                        "panel", outcome, pair.intervention, estimate, pair.control or "", "before"
                    )
                )
    return tabulate_findings(found)


def _assess_pair(wide: pd.DataFrame, pair: Pair, cohort: Cohort) -> tuple[Estimate, Estimate]:
    reason = _NO_CONTROL if not pair.control else "" if cohort.periods else _NO_PERIODS
    if reason or cohort.periods is None or pair.control is None:
        return (
            Estimate("pre_level_ratio", unit="ratio", note=reason),
            Estimate("pre_trend", unit="percent", note=reason),
        )
    before = cohort.periods.before
    treated, control = _take_pair(wide, pair, before.months)
    populations = [cohort.sites[site].population for site in (pair.intervention, pair.control)]
    if all(populations):
        exposure = (float(populations[0] or 1), float(populations[1] or 1))
        words = "Incidents per head in the site, divided by those in its control."
    else:
        exposure = (1.0, 1.0)
        words = (
            "Incidents in the site, divided by those in its control. No population is given for "
            "both, so the size of the places is not allowed for."
        )
    ratio = estimate_level_ratio(treated, control, exposure=exposure)
    ratio = ratio if math.isnan(ratio.estimate) else _add_note(ratio, words)
    history = _list_history(before.end)
    trend = estimate_pre_trend(*_take_pair(wide, pair, history), range(-len(history), 0))
    return _mark_gaps(ratio, treated + control), trend


def _widen(incidents: Incidents, outcome: str) -> pd.DataFrame:
    """Lay one outcome's counts out with a row a month and a column a site."""
    rows = incidents.sites[incidents.sites["outcome"] == outcome]
    counts: pd.DataFrame = rows.set_index(["month", "site"])["count"].unstack("site")  # noqa: PD010
    return counts


def _take_pair(wide: pd.DataFrame, pair: Pair, months: tuple[str, ...]) -> tuple[Vector, Vector]:
    """Take a pair's counts for the months asked for; NaN where there are none."""
    columns = wide.reindex(index=list(months), columns=[pair.intervention, pair.control])
    values = columns.to_numpy(dtype=float)
    return values[:, 0], values[:, 1]


def _list_history(end: str) -> tuple[str, ...]:
    number = int(end[:4]) * 12 + int(end[5:]) - LONGEST_HISTORY
    return list_months(f"{number // 12:04d}-{number % 12 + 1:02d}", end)


def _mark_gaps(estimate: Estimate, total: Vector) -> Estimate:
    missing = int(np.isnan(total).sum())
    if not missing or math.isnan(estimate.estimate):
        return estimate
    months = "1 month is" if missing == 1 else f"{missing} months are"
    return _add_note(estimate, f"{months} left out: the files do not cover them.")


def _add_note(estimate: Estimate, words: str) -> Estimate:
    return replace(estimate, note=f"{estimate.note} {words}".strip())
