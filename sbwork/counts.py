"""Incident counts compared: each site with itself, each pair, and all pairs together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.cohort import HARM, Cohort, Pair
from sbwork.estimates import Estimate
from sbwork.estimates.pairs import (
    PAIR_ESTIMATORS,
    MonthlyCounts,
    PairCounts,
    add_note,
    estimate_site_change,
)
from sbwork.estimates.pooling import estimate_heterogeneity, pool_log_ratios
from sbwork.estimates.rates import Change
from sbwork.incidents import Incidents
from sbwork.results import Finding, combine_findings, tabulate_findings
from sbwork.windows import (
    MAIN,
    Window,
    describe_gaps,
    lies_within,
    list_windows,
    match_months,
)

__all__ = ["compare_counts"]

SECTION = "counts"

WINDOW_ESTIMATORS = ("rirr", "wdd", "wdd_corrected", "incidents_avoided")
"""Those estimates of a pair that are repeated in the other windows."""


_FEW_PAIRS = 4
_FEW_PAIRS_SAID = (
    "With so few pairs it is known only roughly how much they differ, so this interval is very "
    "wide: judge the pairs together by their rank among placebo pairs."
)

_SINGLE_MONTHS = (
    "A pair with a single month on each side enters as if it were more precise than it is."
)


def compare_counts(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Compare incident counts before and after, between sites.

    Parameters
    ----------
    incidents : Incidents
        Counts by site, outcome and month; those of areas are not used.
    cohort : Cohort
        Names the sites, the pairs and the periods.

    Returns
    -------
    pandas.DataFrame
        Findings of section ``"counts"``. Period ``"change"`` is the cohort's own window,
        ``"6+6"``, ``"12+12"`` and so on are the others (one that equals the cohort's own is not
        repeated).

        - Each site: ``count`` and, where its population is known, ``rate_per_1000`` for periods
          ``"before"`` and ``"after"``; ``percentage_change``, its interval widened by the site's
          own over-dispersion.
        - Each pair (site = intervention, comparison = control): ``window_months`` (months on a
          side that could be compared), ``rirr`` (corrected for over-dispersion, t interval),
          ``rirr_poisson``, ``dispersion``, ``relative_effect_size``, ``incidents_avoided``,
          ``smallest_detectable_rirr``, ``wdd`` (as published, Poisson), ``wdd_corrected`` (its
          variance times the dispersion), ``wdq``, ``total_net_effect`` and
          ``rirr_wdd_agreement`` (1 when RIRR and WDD say the same, else 0, in words in the note).
        - All pairs (site ``"all"``): ``rirr_pooled`` (random effects by REML, with the
          wider of the Knapp-Hartung and the normal interval), ``rirr_pooled_dl``
          (DerSimonian-Laird, normal interval), ``rirr_pooled_fixed``, ``heterogeneity_q``,
          ``heterogeneity_i2`` and ``heterogeneity_tau2``.

        Sites of a pair are counted on the same months: a calendar month that one of them lacks
        on one side is left out everywhere, and the note says so. A site in several pairs is
        counted on the months of the first. What can't be computed is missing, with the reason.

    Raises
    ------
    ValueError
        `incidents.sites` lacks a column.
    """
    missing = {"site", "outcome", "month", "count"} - set(incidents.sites.columns)
    if missing:
        raise ValueError(f"incidents.sites lacks {sorted(missing)}")
    if cohort.periods is None:
        return _refuse(cohort, "No periods before and after are given, so nothing is compared.")
    windows = list_windows(cohort.periods)
    frames = [
        tabulate_findings(_compare_outcome(_Series(incidents, outcome), cohort, windows, outcome))
        for outcome in _list_outcomes(incidents, cohort)
    ]
    return combine_findings(frames)


class _Series:
    """The monthly counts of every site for one outcome."""

    def __init__(self, incidents: Incidents, outcome: str) -> None:
        rows = incidents.sites[incidents.sites["outcome"] == outcome]
        wide = rows.pivot(index="month", columns="site", values="count")  # noqa: PD010 - refuses twins
        self.frame = wide.astype("float64")
        self.span = incidents.months
        whole = self.frame.to_numpy()
        self.weighted = outcome == HARM or bool((whole[np.isfinite(whole)] % 1 != 0).any())

    def list_covered(self, sites: Sequence[str]) -> set[str]:
        """List the months in which each of `sites` has a count."""
        known = self.frame.reindex(columns=list(sites)).notna().all(axis=1)
        return set(known.index[known])

    def count(self, site: str, window: Window) -> MonthlyCounts:
        """Take the months of one site."""
        whole = self.frame[site]
        sides = (whole.reindex(list(side)) for side in (window.before, window.after))
        return MonthlyCounts(*(side.to_numpy(dtype=float) for side in sides))


@dataclass(frozen=True)
class _Ratio:
    """What pooling needs of one pair."""

    rirr: Estimate
    factor: float
    control: str
    control_sums: Change
    single_month: bool


@dataclass(frozen=True)
class _Compared:
    """All that was found of one pair in one window."""

    estimates: list[Estimate]
    ratio: _Ratio | None = None


def _compare_outcome(
    series: _Series, cohort: Cohort, windows: Sequence[Window], outcome: str
) -> Iterator[Finding]:
    yield from _compare_sites(series, cohort, windows[0], outcome)
    for window in windows:
        ratios: list[_Ratio] = []
        for pair in cohort.pairs:
            compared = _compare_pair(series, cohort, pair, window)
            for estimate in compared.estimates:
                yield Finding(
                    SECTION, outcome, pair.intervention, estimate, pair.control or "", window.period
                )
            ratios += [compared.ratio] if compared.ratio else []
        if len(cohort.pairs) > 1 and (ratios or window.period == MAIN):
            for estimate in _pool_pairs(ratios, len(cohort.pairs), main=window.period == MAIN):
                yield Finding(SECTION, outcome, "all", estimate, "", window.period)


def _compare_sites(
    series: _Series, cohort: Cohort, window: Window, outcome: str
) -> Iterator[Finding]:
    for site, spec in cohort.sites.items():
        partners = next((pair.sites for pair in cohort.pairs if site in pair.sites), (site,))
        covered = series.list_covered(partners)
        matched, note = match_months(window, covered), describe_gaps(window, covered)
        if not min(matched.lengths):
            reason = _explain_no_months(series, cohort, partners, window)
            empty = Estimate("percentage_change", unit="percent", note=reason)
            for period in ("before", "after"):
                lost = Estimate("count", unit="incidents", note=reason)
                yield Finding(SECTION, outcome, site, lost, "", period)
            yield Finding(SECTION, outcome, site, empty, "", MAIN)
            continue
        counts = series.count(site, matched)
        for period, count, length in zip(
            ("before", "after"), counts.sums, matched.lengths, strict=True
        ):
            counted = Estimate("count", count, n=count, unit="incidents", note=note)
            yield Finding(SECTION, outcome, site, counted, "", period)
            if spec.population:
                yield Finding(
                    SECTION,
                    outcome,
                    site,
                    _rate(count, spec.population, length, note),
                    "",
                    period,
                )
        change = estimate_site_change(counts, weighted=series.weighted)
        yield Finding(SECTION, outcome, site, add_note(change, note), "", MAIN)


def _rate(count: float, population: int, months: int, note: str) -> Estimate:
    length = "1 month" if months == 1 else f"{months} months"
    said = f"Incidents per 1,000 residents in {length}."
    return Estimate(
        "rate_per_1000",
        1000 * count / population,
        n=count,
        unit="incidents",
        note=f"{said} {note}".strip(),
    )


def _compare_pair(series: _Series, cohort: Cohort, pair: Pair, window: Window) -> _Compared:
    main = window.period == MAIN
    if pair.control is None:
        reason = "No control site is given, so the change can't be set beside another area's."
        return _Compared(_leave_out(reason) if main else [])
    covered = series.list_covered(pair.sites)
    matched, note = match_months(window, covered), describe_gaps(window, covered)
    reason = ""
    if not min(matched.lengths):
        reason = _explain_no_months(series, cohort, pair.sites, window)
    if not main and not lies_within(window, covered):
        reason = _explain_reach(series, covered, window)
    if reason:
        months = Estimate("window_months", unit="count", note=reason)
        return _Compared([months, *(_leave_out(reason) if main else [])])
    months = Estimate("window_months", float(min(matched.lengths)), unit="count", note=note)
    moved, moved_control = (
        series.count(site, matched) if site else None
        for site in (pair.displacement, pair.displacement_control)
    )
    counts = PairCounts(
        series.count(pair.intervention, matched),
        series.count(pair.control, matched),
        moved,
        moved_control,
        weighted=series.weighted,
    )
    estimates = [
        add_note(estimate, note)
        for estimate in counts.estimate()
        if main or estimate.estimator in WINDOW_ESTIMATORS
    ]
    single = math.isnan(counts.dispersion.estimate)
    ratio = _Ratio(estimates[0], counts.factor[0], pair.control, counts.control.sums, single)
    known = not math.isnan(ratio.rirr.se)
    return _Compared([months, *estimates], ratio if known else None)


def _pool_pairs(ratios: Sequence[_Ratio], n_pairs: int, *, main: bool) -> list[Estimate]:
    logs = [math.log(ratio.rirr.estimate) for ratio in ratios]
    covariance = _relate_pairs(ratios)
    left_out = n_pairs - len(ratios)
    said = ""
    if left_out:
        said = f"{left_out} of {n_pairs} pairs {'is' if left_out == 1 else 'are'} left out: "
        said += "no RIRR could be computed."
    if any(ratio.single_month for ratio in ratios):
        said = f"{said} {_SINGLE_MONTHS}".strip()
    random = pool_log_ratios(logs, covariance, estimator="rirr_pooled")
    fixed = pool_log_ratios(logs, covariance, model="fixed", estimator="rirr_pooled_fixed")
    if len(ratios) > 1:
        random = add_note(random, "Pairs may differ in truth (random effects).")
        if len(ratios) < _FEW_PAIRS:
            random = add_note(random, _FEW_PAIRS_SAID)
        fixed = add_note(fixed, "Takes one and the same change for all pairs.")
    pooled = [random, fixed]
    if main:
        moments = pool_log_ratios(
            logs,
            covariance,
            model="dersimonian-laird",
            adjust=False,
            estimator="rirr_pooled_dl",
        )
        if len(ratios) > 1:
            moments = add_note(moments, "With few pairs this interval is too narrow.")
        spread = estimate_heterogeneity(logs, covariance)
        pooled += [moments, spread.q, spread.i2, spread.tau2]
    return [add_note(estimate, said) for estimate in pooled]


def _relate_pairs(ratios: Sequence[_Ratio]) -> npt.NDArray[np.float64]:
    """Lay out the covariance of the log ratios: pairs with the same control share its noise."""
    covariance = np.diag([ratio.rirr.se**2 for ratio in ratios])
    for i, one in enumerate(ratios):
        for j, other in enumerate(ratios[:i]):
            if one.control == other.control:
                shared = sum(1 / count for count in one.control_sums)
                shared *= math.sqrt(one.factor * other.factor)
                covariance[i, j] = covariance[j, i] = shared
    return covariance


def _leave_out(reason: str) -> list[Estimate]:
    return [Estimate(name, unit=unit, note=reason) for name, unit in PAIR_ESTIMATORS.items()]


def _explain_no_months(
    series: _Series, cohort: Cohort, sites: Sequence[str], window: Window
) -> str:
    if not series.span:
        return "No month of incidents was read."
    first, last = series.span[0], series.span[-1]
    held = [
        f"{name} ({side[0]} to {side[-1]})"
        for name, side in (("before", window.before), ("after", window.after))
        if not any(month in series.span for month in side)
    ]
    if held:
        return f"The files hold {first} to {last}, and no month of the period {' or '.join(held)}."
    lacking = []
    for name, side in (("before", window.before), ("after", window.after)):
        silent = [
            cohort.title_site(site) for site in sites if not series.list_covered([site]) & set(side)
        ]
        if silent:
            lacking.append(f"of {' and '.join(silent)} in the period {name} ({_span(side)})")
    if lacking:
        return f"There is no count {', nor '.join(lacking)}."
    return "No calendar month is there on both sides for all the sites compared."


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _explain_reach(series: _Series, covered: Collection[str], window: Window) -> str:
    if not series.span:
        return "No month of incidents was read."
    needs = f"This window needs {window.before[0]} to {window.after[-1]}"
    if lies_within(window, series.span) and covered:
        return f"{needs}; there are counts of all its sites from {min(covered)} to {max(covered)}."
    return f"{needs}; the files hold {series.span[0]} to {series.span[-1]}."


def _list_outcomes(incidents: Incidents, cohort: Cohort) -> list[str]:
    found = list(dict.fromkeys(incidents.sites["outcome"]))
    return [o for o in cohort.outcomes if o in found] + [
        o for o in found if o not in cohort.outcomes
    ]


def _refuse(cohort: Cohort, reason: str) -> pd.DataFrame:
    empty = Estimate("percentage_change", unit="percent", note=reason)
    return tabulate_findings(
        Finding(SECTION, outcome, site, empty, "", MAIN)
        for outcome in cohort.outcomes
        for site in cohort.sites
    )
