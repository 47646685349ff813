"""Models over the monthly panel of sites: is the control like its site, do they part."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.windows import (
    MAIN,
    Window,
    describe_gaps,
    lies_within,
    list_windows,
    match_months,
    shift_month,
)
from sbwork.read.incidents import Incidents
from sbwork.read.places.geography import site_populations
from sbwork.specs.cohort import HARM, Cohort, Pair, list_months
from sbwork.specs.periods import number_month
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal
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

__all__ = [
    "LONGEST_HISTORY",
    "analyse_panel",
    "assess_comparability",
    "vary_specifications",
]

Vector = NDArray[np.float64]
_Model = Literal["quasipoisson", "nb2"]

LONGEST_HISTORY = 36
"""Months before the start that are shown one by one, where the files reach that far."""

_MODELS = {
    "rirr": "rate ratio with a correction for over-dispersion",
    "panel_quasipoisson": "quasi-Poisson with site and month effects",
    "panel_nb2": "negative binomial with site and month effects",
    "panel_quasipoisson_trend": "quasi-Poisson, drift before the start carried forward",
    "its_level": "controlled interrupted time series, break in level",
}

_PANEL_UNITS = {
    "panel_quasipoisson": "ratio",
    "panel_nb2": "ratio",
    "sensitivity_mbar": "ratio",
    "trend_break_bound": "ratio",
    "its_level": "ratio",
    "its_slope": "percent",
    "event_study": "ratio",
}

_PAIR = (True, False)
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
        populations are known, else counts) and ``pre_trend`` (percent a month, over as many of
        the `history.MOST_MONTHS` months before the start as the files hold). Whatever can't be
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
    people = site_populations(cohort)
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        wide = _widen(incidents, outcome, cohort)
        for pair in cohort.pairs:
            found += [
                Finding("panel", outcome, pair.intervention, estimate, pair.control or "", "before")
                for estimate in _assess_pair(wide, pair, cohort, people, weighted=outcome == HARM)
            ]
    return tabulate_findings(found)


def analyse_panel(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Fit the panel models of each pair, and of all pairs together.

    Parameters
    ----------
    incidents : Incidents
        Counts by site, outcome and month.
    cohort : Cohort
        The evaluation: its pairs, outcomes and periods.

    Returns
    -------
    pandas.DataFrame
        Section ``"panel"``. A row a pair and outcome of ``panel_quasipoisson``, ``panel_nb2``
        (ratios; also for site ``"all"`` where there are two pairs or more), ``its_level``
        (ratio), ``its_slope`` (percent a month) and ``sensitivity_mbar``; three rows of
        ``trend_break_bound``; and one of ``event_study`` for each month of the history and of
        the period after, whose `period` is the month counted from the start (``"-1"`` is the
        last month before it, ``"0"`` the first after).

    See Also
    --------
    sbwork.stats.panel.estimate_panel, sbwork.stats.trends.estimate_event_study,
    sbwork.stats.trends.estimate_interrupted_series, sbwork.stats.sensitivity.bound_drift

    Examples
    --------
    >>> months = list_months("2016-01", "2017-12")
    >>> counts = {"a": [30.0, 20.0] * 6 + [15.0] * 12, "b": [20.0] * 24}
    >>> sites = pd.DataFrame(
    ...     [(site, "asb", *row) for site in counts
    ...      for row in zip(months, counts[site], strict=True)],
    ...     columns=["site", "outcome", "month", "count"])
    >>> cohort = Cohort.model_validate({
    ...     "name": "pilot", "sites": {"a": {}, "b": {}},
    ...     "pairs": [{"intervention": "a", "control": "b"}],
    ...     "periods": {"before": {"start": "2016-01", "end": "2016-12"},
    ...                 "after": {"start": "2017-01", "end": "2017-12"}},
    ...     "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}})
    >>> incidents = Incidents(sites, pd.DataFrame(), months, (), pd.DataFrame())
    >>> found = analyse_panel(incidents, cohort).set_index("estimator")["estimate"]
    >>> round(float(found["panel_quasipoisson"]), 4)
    0.6
    """
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        wide = _widen(incidents, outcome, cohort)
        for pair in cohort.pairs:
            found += [
                Finding("panel", outcome, pair.intervention, estimate, pair.control or "", period)
                for period, estimate in _analyse_pair(wide, pair, cohort, weighted=outcome == HARM)
            ]
        found += [
            Finding("panel", outcome, "all", estimate, "all", period)
            for period, estimate in _analyse_all(wide, cohort, weighted=outcome == HARM)
        ]
    return tabulate_findings(found)


def vary_specifications(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Compute each pair's ratio over all windows, controls and models that can be defended.

    Windows: those of `sbwork.compare.windows.list_windows`. Controls: the pair's own, all control
    sites of the cohort taken together, and all areas of the archive outside every site whose
    incidents in the months before lie within ``cohort.placebo.size_ratio`` of the site's, taken
    together.
    Models: RIRR, quasi-Poisson and NB2 panel, the panel with drift carried forward, and the
    interrupted time series.

    Parameters
    ----------
    incidents : Incidents
        Counts by site, by area, outcome and month.
    cohort : Cohort
        The evaluation: its pairs, outcomes and periods.

    Returns
    -------
    pandas.DataFrame
        Section ``"specification"``. One row a specification: `estimator` is the model,
        `period` the window (``"change"`` is the cohort's own), `comparison` the control (a
        site's key, ``"all controls"`` or ``"comparable areas"``), `note` the specification in
        words. A window that the files do not cover is one row a control, with estimator
        ``"specification"``, missing with the reason. Then, with period ``"summary"``:
        ``specification_median`` (ratio), ``specification_same_sign`` (share of specifications on
        the median's side of 1) and ``specification_excludes_one`` (share whose interval leaves
        out 1), with `n` the number of specifications.

    References
    ----------
    Simonsohn, U., Simmons, J. P. & Nelson, L. D. (2020). Specification curve analysis. Nature
    Human Behaviour 4, 1208-1214.

    Examples
    --------
    >>> months = list_months("2016-01", "2017-12")
    >>> counts = {"a": [30.0, 20.0] * 6 + [15.0] * 12, "b": [20.0] * 24}
    >>> sites = pd.DataFrame(
    ...     [(site, "asb", *row) for site in counts
    ...      for row in zip(months, counts[site], strict=True)],
    ...     columns=["site", "outcome", "month", "count"])
    >>> cohort = Cohort.model_validate({
    ...     "name": "pilot", "sites": {"a": {}, "b": {}},
    ...     "pairs": [{"intervention": "a", "control": "b"}],
    ...     "periods": {"before": {"start": "2016-01", "end": "2016-12"},
    ...                 "after": {"start": "2017-01", "end": "2017-12"}},
    ...     "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}})
    >>> incidents = Incidents(sites, pd.DataFrame(), months, (), pd.DataFrame())
    >>> curve = vary_specifications(incidents, cohort).set_index("estimator")
    >>> round(float(curve.loc["specification_median", "estimate"]), 4)
    0.6
    """
    found: list[Finding] = []
    for outcome in cohort.list_outcomes():
        wide = _widen(incidents, outcome, cohort)
        for pair in cohort.pairs:
            rows = _vary_pair(wide, incidents, outcome, pair, cohort)
            rows += [("", "summary", e) for e in _summarise([e for _, _, e in rows])]
            found += [
                Finding("specification", outcome, pair.intervention, estimate, control, period)
                for control, period, estimate in rows
            ]
    return tabulate_findings(found)


def _assess_pair(
    wide: pd.DataFrame, pair: Pair, cohort: Cohort, people: dict[str, float], *, weighted: bool
) -> tuple[Estimate, Estimate]:
    if pair.control is None or cohort.periods is None:
        refused = _NO_PERIODS if pair.control else _NO_CONTROL
        return (
            refused.name("pre_level_ratio", unit="ratio"),
            refused.name("pre_trend", unit="percent"),
        )
    before = cohort.periods.before
    treated, control = _take_pair(wide, pair, before.months)
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
    if weighted:
        words = words.replace("Incidents", "Harm", 1)
    ratio = estimate_level_ratio(treated, control, exposure=exposure, weighted=weighted)
    history = list_months(shift_month(before.end, 1 - MOST_MONTHS), before.end)
    series = _take_pair(wide, pair, history)
    trend = estimate_pre_trend(*series, range(-len(history), 0), weighted=weighted)
    return _remark(ratio, words, flags), trend


def _analyse_pair(
    wide: pd.DataFrame, pair: Pair, cohort: Cohort, *, weighted: bool
) -> list[tuple[str, Estimate]]:
    if pair.control is None or cohort.periods is None:
        refused = _NO_PERIODS if pair.control else _NO_CONTROL
        return [("", refused.name(name, unit=unit)) for name, unit in _PANEL_UNITS.items()]
    main = list_windows(cohort.periods)[0]
    covered = _find_covered(wide[[pair.intervention, pair.control]])
    matched = match_months(main, covered)
    start = cohort.periods.after.start
    times = _count_from(start, matched.months)
    treated, control = _take_pair(wide, pair, matched.months)
    rows = [
        (
            main.period,
            estimate_panel(
                np.column_stack([treated, control]), _PAIR, times, model=model, weighted=weighted
            ),
        )
        for model in get_args(_Model)
    ]
    drift = bound_drift(treated, control, times, weighted=weighted)
    rows.append((main.period, drift.breakdown))
    rows += [
        (f"drift x {multiple:g}", bound)
        for multiple, bound in zip(drift.multiples, drift.bounds, strict=True)
    ]
    own = _take_pair(wide, pair, main.months)
    rows += [
        (main.period, found)
        for found in estimate_interrupted_series(
            *own, _count_from(start, main.months), weighted=weighted
        )
    ]
    rows = [(period, _remark_gaps(found, main, covered)) for period, found in rows]
    end = cohort.periods.before.end
    history = list_months(shift_month(end, 1 - LONGEST_HISTORY), end)
    months = (*(month for month in history if month in wide.index), *main.after)
    numbers = _count_from(start, months)
    study = estimate_event_study(*_take_pair(wide, pair, months), numbers, weighted=weighted)
    return rows + [(f"{number:g}", found) for number, found in zip(numbers, study, strict=True)]


def _analyse_all(
    wide: pd.DataFrame, cohort: Cohort, *, weighted: bool
) -> list[tuple[str, Estimate]]:
    pairs = [pair for pair in cohort.pairs if pair.control]
    if len(pairs) < 2 or cohort.periods is None:
        return []
    treated = [pair.intervention for pair in pairs]
    sites = treated + sorted({pair.control for pair in pairs if pair.control})
    main = list_windows(cohort.periods)[0]
    covered = _find_covered(wide[sites])
    matched = match_months(main, covered)
    counts = wide.reindex(index=list(matched.months), columns=sites).to_numpy(dtype=float)
    arm = [site in treated for site in sites]
    times = _count_from(cohort.periods.after.start, matched.months)
    rows = [
        estimate_panel(counts, arm, times, model=model, weighted=weighted)
        for model in get_args(_Model)
    ]
    return [(main.period, _remark_gaps(found, main, covered)) for found in rows]


def _vary_pair(
    wide: pd.DataFrame, incidents: Incidents, outcome: str, pair: Pair, cohort: Cohort
) -> list[tuple[str, str, Estimate]]:
    periods = cohort.periods
    if periods is None:
        return [("", "", _NO_PERIODS.name("specification", unit="ratio"))]
    controls = _gather_controls(wide, incidents, outcome, pair, cohort)
    if not controls:
        return [("", "", _NO_CONTROL.name("specification", unit="ratio"))]
    rows: list[tuple[str, str, Estimate]] = []
    for window in list_windows(periods):
        for control, series in controls.items():
            both = pd.concat([wide[pair.intervention], series], axis=1)
            covered = _find_covered(both)
            matched, gaps = match_months(window, covered), describe_gaps(window, covered)
            words = f"{_describe_window(window)}; control: {cohort.title_site(control)}"
            refused = None
            if window.period != MAIN and not lies_within(window, covered):
                refused = _NOT_REACHED
            elif _lacks_many(window, matched):
                refused = _TOO_FEW
            if refused:
                missing = refused.name("specification", unit="ratio")
                missing = replace(missing, note=f"{missing.note} {words}. {gaps}".strip())
                rows.append((control, window.period, missing))
                continue
            counts = both.reindex(list(matched.months)).to_numpy(dtype=float)
            times = _count_from(periods.after.start, matched.months)
            flags = _flag_gaps(window, matched)
            rows += [
                (
                    control,
                    window.period,
                    _describe(found, f"{words}; {_MODELS[found.estimator]}. {gaps}".strip(), flags),
                )
                for found in _fit_models(counts, times, weighted=outcome == HARM)
            ]
    return rows


def _fit_models(counts: Vector, times: Vector, *, weighted: bool) -> list[Estimate]:
    """Fit every model to one window and one control; counts are months by (site, control)."""
    after = times >= 0
    site, control = (
        MonthlyCounts(counts[~after, column], counts[after, column]) for column in (0, 1)
    )
    found = [
        PairCounts(site, control, weighted=weighted).estimate_rirr(),
        estimate_panel(counts, _PAIR, times, weighted=weighted),
    ]
    if not weighted:
        found.append(estimate_panel(counts, _PAIR, times, model="nb2"))
    if min(site.lengths) >= FEWEST_TREND_MONTHS:
        found.append(estimate_panel(counts, _PAIR, times, trend=True, weighted=weighted))
        series = estimate_interrupted_series(counts[:, 0], counts[:, 1], times, weighted=weighted)
        found.append(series[0])
    return found


def _gather_controls(
    wide: pd.DataFrame, incidents: Incidents, outcome: str, pair: Pair, cohort: Cohort
) -> dict[str, pd.Series]:
    """Gather the series that the site can be set against; empty where there is none."""
    controls: dict[str, pd.Series] = {}
    if pair.control:
        controls[pair.control] = wide[pair.control]
    named = sorted({p.control for p in cohort.pairs if p.control})
    if len(named) > 1:
        controls["all controls"] = wide[named].sum(axis=1, skipna=False)
    areas = incidents.areas
    if cohort.periods is None or not len(areas):
        return controls
    outside = areas[(areas["outcome"] == outcome) & (areas["site"].fillna("") == "")]
    table = outside.pivot_table(
        index="month", columns="area", values="count", sort=False, dropna=False
    )
    ratio = cohort.placebo.size_ratio
    # An area that lacks a month would take it from all the areas that it is added to.
    own = wide[pair.intervention].reindex(list(list_windows(cohort.periods)[0].months)).dropna()
    table = table.loc[:, table.reindex(own.index).notna().all()]
    before = [month for month in own.index if month <= cohort.periods.before.end]
    size, sizes = float(own[before].sum()), table.reindex(before).sum()
    alike = table.loc[:, (sizes >= size / ratio) & (sizes <= size * ratio)]
    if alike.shape[1]:
        controls["comparable areas"] = alike.sum(axis=1, skipna=False)
    return controls


def _lacks_many(window: Window, matched: Window) -> bool:
    """Say whether so many months are left out that the window is no longer what it is called."""
    return any(
        left < _SHARE_OF_A_WINDOW * meant
        for left, meant in zip(matched.lengths, window.lengths, strict=True)
    )


def _describe_window(window: Window) -> str:
    before, after = window.lengths
    own = " (the cohort's own periods)" if window.period == "change" else ""
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
    names = {
        "specification_median": "ratio",
        "specification_same_sign": "share",
        "specification_excludes_one": "share",
    }
    if not known:
        refused = Refusal(Reason.NOT_ESTIMABLE, "Not computed: no specification gave a number.")
        return [refused.name(name, n=n, unit=unit) for name, unit in names.items()]
    logs = np.log([found.estimate for found in known])
    middle = float(np.median(logs))
    outside = [found.ci_low > 1 or found.ci_high < 1 for found in known]
    left = len(curve) - len(known)
    note = f"Specifications with a number: {len(known)}. Without one: {left}."
    values = (math.exp(middle), float(np.mean(logs * middle > 0)), float(np.mean(outside)))
    return [
        Estimate(name, value, n=n, unit=unit, note=note)
        for (name, unit), value in zip(names.items(), values, strict=True)
    ]


def _widen(incidents: Incidents, outcome: str, cohort: Cohort) -> pd.DataFrame:
    """Lay one outcome's counts out: a row a month, a column each site of the cohort."""
    rows = incidents.sites[incidents.sites["outcome"] == outcome]
    counts: pd.DataFrame = rows.set_index(["month", "site"])["count"].unstack("site")  # noqa: PD010
    return counts.reindex(columns=list(cohort.sites))


def _take_pair(wide: pd.DataFrame, pair: Pair, months: tuple[str, ...]) -> tuple[Vector, Vector]:
    """Take a pair's counts for the months asked for; NaN where there are none."""
    columns = wide.reindex(index=list(months), columns=[pair.intervention, pair.control])
    values = columns.to_numpy(dtype=float)
    return values[:, 0], values[:, 1]


def _find_covered(columns: pd.DataFrame) -> set[str]:
    """Find the months in which every one of the columns has a count."""
    known = columns.notna().all(axis=1)
    return set(known.index[known])


def _count_from(start: str, months: tuple[str, ...]) -> Vector:
    """Count months from `start`, which is 0."""
    numbers = [number_month(month) for month in (start, *months)]
    return np.array(numbers[1:], dtype=float) - numbers[0]


def _remark_gaps(found: Estimate, window: Window, covered: set[str]) -> Estimate:
    flags = _flag_gaps(window, match_months(window, covered))
    return _remark(found, describe_gaps(window, covered), flags)


def _flag_gaps(window: Window, matched: Window) -> list[Flag]:
    flags = [] if matched.lengths == window.lengths else [Flag.FEWER_MONTHS]
    return [*flags, *([] if matched.same_seasons else [Flag.UNEQUAL_SEASONS])]


def _remark(found: Estimate, words: str, flags: Iterable[Flag]) -> Estimate:
    """Add words and flags to an estimate that there is; a missing one keeps its reason alone."""
    if math.isnan(found.estimate):
        return found
    note = f"{found.note} {words}".strip()
    return replace(found, note=note, flags=(*found.flags, *flags))
