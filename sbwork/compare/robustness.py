"""Does a comparison of counts hold up: likeness before the start, other models, other choices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.panel import (
    MAIN,
    Panel,
    Window,
    describe_gaps,
    explain_no_months,
    find_covered,
    flag_months,
    lies_within,
    list_windows,
    match_months,
    shift_month,
)
from sbwork.compare.placebo import find_comparable_areas
from sbwork.read.incidents import Incidents
from sbwork.read.places.geography import site_populations
from sbwork.specs.cohort import Cohort, Pair, list_months
from sbwork.specs.periods import number_month
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.findings import Finding, tabulate_findings
from sbwork.stats.history import MOST_MONTHS
from sbwork.stats.pairs import MonthlyCounts, PairCounts
from sbwork.stats.panel import estimate_panel
from sbwork.stats.sensitivity import bound_drift
from sbwork.stats.trends import (
    FEWEST_TREND_MONTHS,
    estimate_event_study,
    estimate_interrupted_series,
    estimate_level_ratio,
    estimate_pre_trend,
)

__all__ = ["analyse_panel", "assess_comparability", "vary_specifications"]

Vector = NDArray[np.float64]

LONGEST_HISTORY = 36
"""Months before the start that are shown one by one, where the files reach that far."""

_COUNT_MODELS: tuple[Literal["quasipoisson", "nb2"], ...] = ("quasipoisson", "nb2")
_MODELS = {
    "rirr": "rate ratio with a correction for over-dispersion",
    "panel_quasipoisson": "quasi-Poisson with site and month effects",
    "panel_nb2": "negative binomial with site and month effects",
    "panel_quasipoisson_trend": "quasi-Poisson, drift before the start carried forward",
    "its_level": "controlled interrupted time series, break in level",
}
_COMPARABILITY_UNITS = {"pre_level_ratio": "ratio", "pre_trend": "percent"}
_PANEL_UNITS = {
    "panel_quasipoisson": "ratio",
    "panel_nb2": "ratio",
    "sensitivity_mbar": "ratio",
    "trend_break_bound": "ratio",
    "its_level": "ratio",
    "its_slope": "percent",
    "event_study": "ratio",
}
_SUMMARY_UNITS = {
    "specification_median": "ratio",
    "specification_same_sign": "share",
    "specification_excludes_one": "share",
}

_TREATED = (True, False)
_SHARE_OF_A_WINDOW = 0.75

_NOT_REACHED = Refusal(
    Reason.OUTSIDE_FILES, "Not computed: the counts of both do not reach over this window."
)
_TOO_FEW = Refusal(
    Reason.TOO_FEW_MONTHS,
    "Not computed: less than three quarters of the months of this window can be compared.",
)
_NO_PERIODS = Refusal(
    Reason.NO_PERIODS, "Not computed: no periods are given, so there is no before and after."
)
_NO_CONTROL = Refusal(Reason.NO_CONTROL, "Not computed: no control site is named for this site.")
_NO_SPECIFICATION = Refusal(Reason.NOT_ESTIMABLE, "Not computed: no specification gave a number.")


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
        Section ``"panel"``, period ``"before"``: ``pre_level_ratio`` (site over control in the
        months before; rates where both populations are known, else counts) and ``pre_trend``
        (percent a month, over at most `history.MOST_MONTHS` months before the start). Whatever
        can't be computed is missing, with the reason.
    """
    people = site_populations(cohort)
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        panel = Panel(incidents, outcome, cohort.compared_months)
        for pair in cohort.pairs:
            found += [
                Finding("panel", outcome, pair.intervention, estimate, pair.control or "", "before")
                for estimate in _assess_pair(panel, pair, cohort, people)
            ]
    return tabulate_findings(found)


def analyse_panel(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Fit the panel models of each pair, and of all pairs together, as section ``"panel"``.

    A row a pair and outcome of ``panel_quasipoisson``, ``panel_nb2`` (ratios; also for site
    ``"all"`` where there are two pairs or more), ``its_level`` (ratio), ``its_slope`` (percent a
    month) and ``sensitivity_mbar``; three rows of ``trend_break_bound``; and one of
    ``event_study`` for each month of the history and of the period after, whose `period` is the
    month counted from the start (``"-1"`` is the last month before it, ``"0"`` the first after).
    """
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        panel = Panel(incidents, outcome, cohort.compared_months)
        for pair in cohort.pairs:
            found += [
                Finding("panel", outcome, pair.intervention, estimate, pair.control or "", period)
                for period, estimate in _analyse_pair(panel, pair, cohort)
            ]
        found += [
            Finding("panel", outcome, "all", estimate, "all", MAIN)
            for estimate in _analyse_all(panel, cohort)
        ]
    return tabulate_findings(found)


def vary_specifications(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Compute each pair's ratio over all windows, controls and models that can be defended.

    Controls: the pair's own, all control sites taken together, and all areas of the archive
    outside every site whose incidents in the months before lie within
    ``cohort.placebo.size_ratio`` of the site's, taken together: those of
    `sbwork.compare.placebo.compare_placebos`, and none where it has none.

    Section ``"specification"``, one row a specification: `estimator` is the model, `period` the
    window, `comparison` the control (a site's key, ``"all controls"`` or ``"comparable areas"``),
    `note` the specification in words. A window that the files do not cover is one row a control,
    with estimator ``"specification"``, missing with the reason. Then, with period ``"summary"``:
    ``specification_median`` (ratio), ``specification_same_sign`` (share on the median's side of
    1) and ``specification_excludes_one`` (share whose interval leaves out 1), `n` specifications.

    Source: Simonsohn, U., Simmons, J. P. & Nelson, L. D. (2020). Nature Human Behaviour 4,
    1208-1214.
    """
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        panel = Panel(incidents, outcome, cohort.compared_months)
        for pair in cohort.pairs:
            rows = list(_vary_pair(panel, pair, cohort))
            rows += [("", "summary", each) for each in _summarise([each for *_, each in rows])]
            found += [
                Finding("specification", outcome, pair.intervention, estimate, control, period)
                for control, period, estimate in rows
            ]
    return tabulate_findings(found)


def _refuse_pair(pair: Pair, cohort: Cohort) -> Refusal | None:
    if not pair.control:
        return _NO_CONTROL
    return None if cohort.periods else _NO_PERIODS


def _assess_pair(
    panel: Panel, pair: Pair, cohort: Cohort, people: dict[str, float]
) -> list[Estimate]:
    refused = _refuse_pair(pair, cohort)
    if refused or pair.control is None or cohort.periods is None:
        return (refused or _NO_CONTROL).name_each(_COMPARABILITY_UNITS)
    before = cohort.periods.before
    treated, control = _take_pair(panel, pair, before.months)
    exposure = (people[pair.intervention], people[pair.control])
    words = "Incidents per head in the site, divided by those in its control."
    flags: list[Flag] = []
    if any(map(math.isnan, exposure)):
        exposure = (1.0, 1.0)
        flags.append(Flag.NO_POPULATION)
        words = (
            "Incidents in the site, divided by those in its control. No population is given for "
            "both, so the size of the places is not allowed for."
        )
    gaps = int(np.isnan(treated + control).sum())
    if gaps:
        words += f" Months left out because the files do not cover them: {gaps}."
        flags.append(Flag.FEWER_MONTHS)
    if panel.weighted:
        words = words.replace("Incidents", "Harm", 1)
    ratio = estimate_level_ratio(treated, control, exposure=exposure, weighted=panel.weighted)
    history = list_months(shift_month(before.end, 1 - MOST_MONTHS), before.end)
    series = _take_pair(panel, pair, history)
    trend = estimate_pre_trend(*series, range(-len(history), 0), weighted=panel.weighted)
    return [_remark(ratio, words, flags), trend]


def _analyse_pair(panel: Panel, pair: Pair, cohort: Cohort) -> list[tuple[str, Estimate]]:
    refused = _refuse_pair(pair, cohort)
    if refused or pair.control is None or cohort.periods is None:
        return [("", each) for each in (refused or _NO_CONTROL).name_each(_PANEL_UNITS)]
    weighted = panel.weighted
    main = list_windows(cohort.periods, ())[0]
    covered = panel.find_covered([pair.intervention, pair.control])
    matched = match_months(main, covered)
    start = cohort.periods.after.start
    times = _count_from(start, matched.months)
    treated, control = _take_pair(panel, pair, matched.months)
    counts = np.column_stack([treated, control])
    drift = bound_drift(treated, control, times, weighted=weighted)
    rows = [
        *(
            (MAIN, estimate_panel(counts, _TREATED, times, model=model, weighted=weighted))
            for model in _COUNT_MODELS
        ),
        (MAIN, drift.breakdown),
        *(
            (f"drift x {multiple:g}", bound)
            for multiple, bound in zip(drift.multiples, drift.bounds, strict=True)
        ),
    ]
    own = _take_pair(panel, pair, main.months)
    broken = estimate_interrupted_series(*own, _count_from(start, main.months), weighted=weighted)
    rows += [(MAIN, found) for found in broken]
    flags, gaps = _flag_gaps(main, matched), describe_gaps(main, covered, panel.months)
    none = None
    if not min(matched.lengths):
        none = explain_no_months(panel, cohort, pair.sites, main)
    rows = [(period, _remark(found, gaps, flags, none)) for period, found in rows]
    end = cohort.periods.before.end
    history = list_months(shift_month(end, 1 - LONGEST_HISTORY), end)
    months = (*(month for month in history if month in panel.sites.index), *main.after)
    numbers = _count_from(start, months)
    study = estimate_event_study(*_take_pair(panel, pair, months), numbers, weighted=weighted)
    study = [_remark(found, "", (), none) for found in study]
    return rows + [(f"{number:g}", found) for number, found in zip(numbers, study, strict=True)]


def _analyse_all(panel: Panel, cohort: Cohort) -> list[Estimate]:
    pairs = [pair for pair in cohort.pairs if pair.control]
    if len(pairs) < 2 or cohort.periods is None:
        return []
    treated = [pair.intervention for pair in pairs]
    sites = treated + sorted({pair.control for pair in pairs if pair.control})
    main = list_windows(cohort.periods, ())[0]
    covered = panel.find_covered(sites)
    matched = match_months(main, covered)
    counts = panel.take(sites, matched.months)
    arm = [site in treated for site in sites]
    times = _count_from(cohort.periods.after.start, matched.months)
    flags, gaps = _flag_gaps(main, matched), describe_gaps(main, covered, panel.months)
    none = None if min(matched.lengths) else explain_no_months(panel, cohort, sites, main)
    fits = [
        estimate_panel(counts, arm, times, model=model, weighted=panel.weighted)
        for model in _COUNT_MODELS
    ]
    return [_remark(found, gaps, flags, none) for found in fits]


def _vary_pair(panel: Panel, pair: Pair, cohort: Cohort) -> Iterator[tuple[str, str, Estimate]]:
    """Yield the control, the window and the estimate of each specification."""
    periods = cohort.periods
    controls = _gather_controls(panel, pair, cohort)
    if periods is None or not controls:
        why = _NO_CONTROL if periods else _NO_PERIODS
        yield "", "", why.name("specification", unit="ratio")
        return
    for window in list_windows(periods):
        for control, series in controls.items():
            both = pd.concat([panel.take_site(pair.intervention), series], axis=1)
            covered = find_covered(both)
            matched, gaps = (
                match_months(window, covered),
                describe_gaps(window, covered, panel.months),
            )
            words = f"{_describe_window(window)}; control: {cohort.title_site(control)}"
            refused = _refuse_window(window, matched, covered)
            if window.period == MAIN and not min(matched.lengths):
                sites = pair.sites if control == pair.control else cohort.compared_sites
                refused = explain_no_months(panel, cohort, sites, window)
            if refused:
                missing = refused.name("specification", unit="ratio")
                yield control, window.period, add_note(missing, f"{words}. {gaps}".strip())
                continue
            counts = both.reindex(list(matched.months)).to_numpy(dtype=float)
            times = _count_from(periods.after.start, matched.months)
            flags = _flag_gaps(window, matched)
            for found in _fit_models(counts, times, weighted=panel.weighted):
                said = f"{words}; {_MODELS[found.estimator]}. {gaps}".strip()
                yield control, window.period, _describe(found, said, flags)


def _refuse_window(window: Window, matched: Window, covered: set[str]) -> Refusal | None:
    if window.period != MAIN and not lies_within(window, covered):
        return _NOT_REACHED
    lengths = zip(matched.lengths, window.lengths, strict=True)
    return _TOO_FEW if any(left < _SHARE_OF_A_WINDOW * meant for left, meant in lengths) else None


def _fit_models(counts: Vector, times: Vector, *, weighted: bool) -> list[Estimate]:
    """Fit every model to one window and one control; counts are months by (site, control)."""
    after = times >= 0
    site, control = (
        MonthlyCounts(counts[~after, column], counts[after, column]) for column in (0, 1)
    )
    found = [
        PairCounts(site, control, weighted=weighted).estimate_rirr(),
        estimate_panel(counts, _TREATED, times, weighted=weighted),
    ]
    if not weighted:
        found.append(estimate_panel(counts, _TREATED, times, model="nb2"))
    if min(site.lengths) >= FEWEST_TREND_MONTHS:
        found.append(estimate_panel(counts, _TREATED, times, trend=True, weighted=weighted))
        series = estimate_interrupted_series(counts[:, 0], counts[:, 1], times, weighted=weighted)
        found.append(series[0])
    return found


def _gather_controls(panel: Panel, pair: Pair, cohort: Cohort) -> dict[str, pd.Series]:
    """Gather the series that the site can be set against; empty where there is none."""
    controls: dict[str, pd.Series] = {}
    if pair.control:
        controls[pair.control] = panel.take_site(pair.control)
    named = sorted({p.control for p in cohort.pairs if p.control})
    if len(named) > 1:
        controls["all controls"] = panel.sites.reindex(columns=named).sum(axis=1, skipna=False)
    alike = panel.free_areas[find_comparable_areas(panel, pair, cohort)]
    if alike.shape[1]:
        controls["comparable areas"] = alike.sum(axis=1, skipna=False)
    return controls


def _describe_window(window: Window) -> str:
    before, after = window.lengths
    own = " (the cohort's own periods)" if window.period == MAIN else ""
    return f"Months before and after: {before} and {after}{own}"


def _describe(found: Estimate, words: str, flags: Iterable[Flag]) -> Estimate:
    """Put the specification in words before what else there is to know of it."""
    if math.isnan(found.estimate):
        return replace(found, note=f"{found.note} {words}")
    return replace(found, note=f"{words} {found.note}".strip(), flags=(*found.flags, *flags))


def _summarise(curve: list[Estimate]) -> list[Estimate]:
    """Sum up a specification curve in three numbers."""
    known = [found for found in curve if not math.isnan(found.estimate)]
    n = float(len(known))
    if not known:
        return _NO_SPECIFICATION.name_each(_SUMMARY_UNITS, n=n)
    logs = np.log([found.estimate for found in known])
    middle = float(np.median(logs))
    outside = [found.ci_low > 1 or found.ci_high < 1 for found in known]
    left = len(curve) - len(known)
    note = f"Specifications with a number: {len(known)}. Without one: {left}."
    values = (math.exp(middle), float(np.mean(logs * middle > 0)), float(np.mean(outside)))
    return [
        Estimate(name, value, n=n, unit=unit, note=note)
        for (name, unit), value in zip(_SUMMARY_UNITS.items(), values, strict=True)
    ]


def _take_pair(panel: Panel, pair: Pair, months: Sequence[str]) -> tuple[Vector, Vector]:
    """Take a pair's counts for the months asked for; NaN where there are none."""
    values = panel.take([pair.intervention, str(pair.control)], months)
    return values[:, 0], values[:, 1]


def _count_from(start: str, months: Sequence[str]) -> Vector:
    """Count months from `start`, which is 0."""
    numbers = [number_month(month) for month in (start, *months)]
    return np.array(numbers[1:], dtype=float) - numbers[0]


def _flag_gaps(window: Window, matched: Window) -> list[Flag]:
    """Flag months left out; a model that rests on a single month has a flag of its own."""
    return [flag for flag in flag_months(window, matched) if flag is not Flag.SINGLE_MONTH]


def _remark(
    found: Estimate, note: str, flags: Iterable[Flag], none: Refusal | None = None
) -> Estimate:
    """Add to an estimate that there is; of a missing one say why, where there are none at all."""
    if not math.isnan(found.estimate):
        return add_note(found, note, *flags)
    return none.name(found.estimator, unit=found.unit) if none else found
