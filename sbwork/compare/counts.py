"""Incident counts compared: each site with itself, each pair, and all pairs together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.compare.windows import (
    MAIN,
    Window,
    describe_gaps,
    lies_within,
    list_windows,
    match_months,
)
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import HARM, Cohort, Pair
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import add_note
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings
from sbwork.stats.pairs import (
    PAIR_ESTIMATORS,
    MonthlyCounts,
    PairCounts,
    estimate_site_change,
)
from sbwork.stats.pooling import (
    estimate_heterogeneity,
    pool_log_ratios,
    pool_with_prior,
)
from sbwork.stats.rates import Change

__all__ = ["compare_counts"]

SECTION = "counts"

WINDOW_ESTIMATORS = ("rirr", "wdd", "wdd_corrected", "incidents_avoided")
"""Those estimates of a pair that are repeated in the other windows."""


_FEW_MONTHS = 3

_FEW_PAIRS = 4
_FEW_PAIRS_SAID = (
    "With so few pairs it is known only roughly how much they differ, so this interval may be much "
    "too wide or too narrow."
)

_PRIOR_SAID = (
    "Pairs may differ in truth: the spread between them has a half-normal prior with scale 0.5 on "
    "the log scale. This is a posterior, so it has no p value."
)
_FEW_WITH_PRIOR_SAID = "With so few pairs the width of the interval rests largely on the prior."

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
        - All pairs (site ``"all"``): ``rirr_pooled_bayes`` (random effects with a half-normal
          prior on the spread between pairs, see `estimates.pooling.pool_with_prior`);
          ``rirr_pooled`` (random effects by REML, with the wider of the Knapp-Hartung and the
          normal interval), ``rirr_pooled_dl`` (DerSimonian-Laird, normal interval) and
          ``rirr_pooled_fixed``, which are flagged as descriptions and lead nowhere;
          ``heterogeneity_q``, ``heterogeneity_i2`` and ``heterogeneity_tau2``. In the other
          windows the first, second and fourth. With fewer than two pairs that have a ratio all
          are missing: one pair is not pooled.

        Flags: ``fewer_months`` (some months of the periods could not be compared),
        ``few_months`` (so many that fewer than three are left on a side), ``single_month`` (one
        month on each side), ``unequal_seasons`` (other calendar months before than after), on
        every row of the sites and pairs concerned and on those that pool such a pair;
        ``shared_control`` (pooled pairs that have the same control), ``pairs_left_out`` (a pair
        without a ratio), ``few_pairs``, ``description``.

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
        return _refuse(cohort)
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
class _Gap:
    """Why a comparison can't be made, as data and in words."""

    reason: Reason
    note: str


@dataclass(frozen=True)
class _Ratio:
    """What pooling needs of one pair."""

    rirr: Estimate
    factor: float
    control: str
    control_sums: Change
    flags: tuple[Flag, ...]


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
            gap = _explain_no_months(series, cohort, partners, window)
            for period in ("before", "after"):
                lost = _leave_out(gap, {"count": "incidents"})[0]
                yield Finding(SECTION, outcome, site, lost, "", period)
            empty = _leave_out(gap, {"percentage_change": "percent"})[0]
            yield Finding(SECTION, outcome, site, empty, "", MAIN)
            continue
        flags = _flag_months(window, matched)
        counts = series.count(site, matched)
        for period, count, length in zip(
            ("before", "after"), counts.sums, matched.lengths, strict=True
        ):
            counted = [Estimate("count", count, n=count, unit="incidents")]
            if spec.population:
                counted.append(_rate(count, spec.population, length))
            for estimate in counted:
                marked = add_note(estimate, note, *flags)
                yield Finding(SECTION, outcome, site, marked, "", period)
        change = estimate_site_change(counts, weighted=series.weighted)
        yield Finding(SECTION, outcome, site, add_note(change, note, *flags), "", MAIN)


def _rate(count: float, population: int, months: int) -> Estimate:
    length = "1 month" if months == 1 else f"{months} months"
    note = f"Incidents per 1,000 residents in {length}."
    return Estimate(
        "rate_per_1000", 1000 * count / population, n=count, unit="incidents", note=note
    )


def _flag_months(window: Window, matched: Window) -> tuple[Flag, ...]:
    """Say as data what `describe_gaps` says in words, and whether single months are compared."""
    fewer = matched.lengths != window.lengths
    holds = {
        Flag.FEWER_MONTHS: fewer,
        Flag.FEW_MONTHS: fewer and min(matched.lengths) < _FEW_MONTHS,
        Flag.SINGLE_MONTH: max(matched.lengths) == 1,
        Flag.UNEQUAL_SEASONS: not matched.same_seasons,
    }
    return tuple(flag for flag, is_so in holds.items() if is_so)


def _compare_pair(series: _Series, cohort: Cohort, pair: Pair, window: Window) -> _Compared:
    main = window.period == MAIN
    if pair.control is None:
        note = "No control site is given, so the change can't be set beside another area's."
        return _Compared(_leave_out(_Gap(Reason.NO_CONTROL, note)) if main else [])
    covered = series.list_covered(pair.sites)
    matched, note = match_months(window, covered), describe_gaps(window, covered)
    gap = None
    if not min(matched.lengths):
        gap = _explain_no_months(series, cohort, pair.sites, window)
    if not main and not lies_within(window, covered):
        gap = _explain_reach(series, covered, window)
    if gap:
        lost = _leave_out(gap, {"window_months": "count", **(PAIR_ESTIMATORS if main else {})})
        return _Compared(lost)
    flags = _flag_months(window, matched)
    months = Estimate("window_months", float(min(matched.lengths)), unit="count")
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
        add_note(estimate, note, *flags)
        for estimate in (months, *counts.estimate())
        if main or estimate.estimator in ("window_months", *WINDOW_ESTIMATORS)
    ]
    ratio = _Ratio(estimates[1], counts.factor[0], pair.control, counts.control.sums, flags)
    known = not math.isnan(ratio.rirr.se)
    return _Compared(estimates, ratio if known else None)


def _pool_pairs(ratios: Sequence[_Ratio], n_pairs: int, *, main: bool) -> list[Estimate]:
    logs = [math.log(ratio.rirr.estimate) for ratio in ratios]
    covariance = _relate_pairs(ratios)
    left_out = n_pairs - len(ratios)
    said = ""
    if left_out:
        said = f"{left_out} of {n_pairs} pairs {'is' if left_out == 1 else 'are'} left out: "
        said += "no RIRR could be computed."
    flags = {flag: None for ratio in ratios for flag in ratio.flags}
    if Flag.SINGLE_MONTH in flags:
        said = f"{said} {_SINGLE_MONTHS}".strip()
    if left_out:
        flags[Flag.PAIRS_LEFT_OUT] = None
    if len({ratio.control for ratio in ratios}) < len(ratios):
        flags[Flag.SHARED_CONTROL] = None
    led = pool_with_prior(logs, covariance)
    random = pool_log_ratios(logs, covariance, estimator="rirr_pooled")
    fixed = pool_log_ratios(logs, covariance, model="fixed", estimator="rirr_pooled_fixed")
    if len(ratios) > 1:
        led = add_note(led, _PRIOR_SAID)
        random = add_note(random, "Pairs may differ in truth (random effects).", Flag.DESCRIPTION)
        if len(ratios) < _FEW_PAIRS:
            led = add_note(led, _FEW_WITH_PRIOR_SAID, Flag.FEW_PAIRS)
            random = add_note(random, _FEW_PAIRS_SAID, Flag.FEW_PAIRS)
        fixed = add_note(fixed, "Takes one and the same change for all pairs.", Flag.DESCRIPTION)
    pooled = [led, random, fixed]
    if main:
        moments = pool_log_ratios(
            logs,
            covariance,
            model="dersimonian-laird",
            adjust=False,
            estimator="rirr_pooled_dl",
        )
        if len(ratios) > 1:
            said_of_it = "With few pairs this interval is too narrow."
            moments = add_note(moments, said_of_it, Flag.DESCRIPTION)
        spread = estimate_heterogeneity(logs, covariance)
        pooled += [moments, spread.q, spread.i2, spread.tau2]
    return [add_note(estimate, said, *flags) for estimate in pooled]


def _relate_pairs(ratios: Sequence[_Ratio]) -> npt.NDArray[np.float64]:
    """Lay out the covariance of the log ratios: pairs with the same control share its noise.

    Where one of two pairs is compared on fewer months than the other, they share the noise of the
    larger count only: cov(ln A, ln B) = 1 / B for Poisson counts A, and B that A is a part of.
    """
    covariance = np.diag([ratio.rirr.se**2 for ratio in ratios])
    for i, one in enumerate(ratios):
        for j, other in enumerate(ratios[:i]):
            if one.control == other.control:
                sums = zip(one.control_sums, other.control_sums, strict=True)
                shared = sum(1 / max(counts) for counts in sums)
                shared *= math.sqrt(one.factor * other.factor)
                covariance[i, j] = covariance[j, i] = shared
    return covariance


def _leave_out(gap: _Gap, names: Mapping[str, str] = PAIR_ESTIMATORS) -> list[Estimate]:
    return [
        Estimate(name, unit=unit, note=gap.note, reason=gap.reason) for name, unit in names.items()
    ]


def _explain_no_months(
    series: _Series, cohort: Cohort, sites: Sequence[str], window: Window
) -> _Gap:
    if not series.span:
        return _Gap(Reason.NO_MONTHS, "No month of incidents was read.")
    first, last = series.span[0], series.span[-1]
    held = [
        f"{name} ({side[0]} to {side[-1]})"
        for name, side in (("before", window.before), ("after", window.after))
        if not any(month in series.span for month in side)
    ]
    if held:
        note = f"The files hold {first} to {last}, and no month of the period {' or '.join(held)}."
        return _Gap(Reason.OUTSIDE_FILES, note)
    lacking = []
    for name, side in (("before", window.before), ("after", window.after)):
        silent = [
            cohort.title_site(site) for site in sites if not series.list_covered([site]) & set(side)
        ]
        if silent:
            lacking.append(f"of {' and '.join(silent)} in the period {name} ({_span(side)})")
    if lacking:
        return _Gap(Reason.NO_MONTHS, f"There is no count {', nor '.join(lacking)}.")
    note = "No calendar month is there on both sides for all the sites compared."
    return _Gap(Reason.NO_MONTHS, note)


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _explain_reach(series: _Series, covered: Collection[str], window: Window) -> _Gap:
    if not series.span:
        return _Gap(Reason.NO_MONTHS, "No month of incidents was read.")
    needs = f"This window needs {window.before[0]} to {window.after[-1]}"
    if lies_within(window, series.span) and covered:
        reach = f"there are counts of all its sites from {min(covered)} to {max(covered)}."
        return _Gap(Reason.NO_MONTHS, f"{needs}; {reach}")
    reach = f"the files hold {series.span[0]} to {series.span[-1]}."
    return _Gap(Reason.OUTSIDE_FILES, f"{needs}; {reach}")


def _list_outcomes(incidents: Incidents, cohort: Cohort) -> list[str]:
    found = list(dict.fromkeys(incidents.sites["outcome"]))
    return [o for o in cohort.outcomes if o in found] + [
        o for o in found if o not in cohort.outcomes
    ]


def _refuse(cohort: Cohort) -> pd.DataFrame:
    note = "No periods before and after are given, so nothing is compared."
    empty = _leave_out(_Gap(Reason.NO_PERIODS, note), {"percentage_change": "percent"})[0]
    return tabulate_findings(
        Finding(SECTION, outcome, site, empty, "", MAIN)
        for outcome in cohort.outcomes
        for site in cohort.sites
    )
