"""Incident counts compared: each site with itself, each pair, and all pairs together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.compare.panel import (
    MAIN,
    NOTHING_READ,
    Panel,
    Window,
    describe_gaps,
    explain_no_months,
    flag_months,
    lies_within,
    list_windows,
    match_months,
)
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal, add_note
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

__all__ = ["compare_counts", "relate_ratios", "tabulate_reported"]

SECTION = "counts"

WINDOW_ESTIMATORS = ("window_months", "rirr", "wdd", "wdd_corrected", "incidents_avoided")
"""Those estimates of a pair that are repeated in the other windows."""

_SIDES = ("before", "after")
_ENOUGH_PAIRS = 4
_FEW_PAIRS_NOTE = (
    "With so few pairs it is known only roughly how much they differ, so this interval may be much "
    "too wide or too narrow."
)
_PRIOR_NOTE = (
    "Pairs may differ in truth: the spread between them has a half-normal prior with scale 0.5 on "
    "the log scale. This is a posterior, so it has no p value."
)
_FEW_WITH_PRIOR_NOTE = "With so few pairs the width of the interval rests largely on the prior."
_SINGLE_MONTHS_NOTE = (
    "A pair with a single month on each side enters as if it were more precise than it is."
)
_NO_CONTROL = Refusal(
    Reason.NO_CONTROL,
    "No control site is given, so the change can't be set beside another area's.",
)
_NO_PERIODS = Refusal(
    Reason.NO_PERIODS, "No periods before and after are given, so nothing is compared."
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
        refused = _NO_PERIODS.name("percentage_change", unit="percent")
        return tabulate_findings(
            Finding(SECTION, outcome, site, refused, "", MAIN)
            for outcome in cohort.outcomes
            for site in cohort.sites
        )
    windows = list_windows(cohort.periods)
    frames = [
        tabulate_findings(
            _compare_outcome(
                Panel(incidents, outcome, cohort.compared_months), cohort, windows, outcome
            )
        )
        for outcome in _list_outcomes(incidents, cohort)
    ]
    return combine_findings(frames)


@dataclass(frozen=True)
class _Compared:
    """One pair in one window: its estimates, and what pooling needs of it."""

    pair: Pair
    estimates: list[Estimate]
    counts: PairCounts | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def rirr(self) -> Estimate | None:
        """The ratio of the pair, where it has a standard error."""
        known = (e for e in self.estimates if e.estimator == "rirr" and not math.isnan(e.se))
        return next(known, None)


def _compare_outcome(
    panel: Panel, cohort: Cohort, windows: Sequence[Window], outcome: str
) -> Iterator[Finding]:
    yield from _compare_sites(panel, cohort, windows[0], outcome)
    for window in windows:
        main = window.period == MAIN
        compared = [_compare_pair(panel, cohort, pair, window) for pair in cohort.pairs]
        for found in compared:
            site, control = found.pair.intervention, found.pair.control or ""
            for estimate in found.estimates:
                yield Finding(SECTION, outcome, site, estimate, control, window.period)
        usable = [found for found in compared if found.rirr]
        controlled = [site for pair in cohort.pairs if pair.control for site in pair.sites]
        if len(cohort.pairs) > 1 and (usable or main):
            for estimate in _pool_pairs(usable, len(cohort.pairs), main=main):
                if controlled and not any(found.counts for found in compared):
                    refused = explain_no_months(panel, cohort, controlled, window)
                    estimate = refused.name(estimate.estimator, unit=estimate.unit)
                yield Finding(SECTION, outcome, "all", estimate, "", window.period)


def _compare_sites(panel: Panel, cohort: Cohort, window: Window, outcome: str) -> Iterator[Finding]:
    for site, spec in cohort.sites.items():
        partners = next((pair.sites for pair in cohort.pairs if site in pair.sites), (site,))
        covered = panel.find_covered(partners)
        matched, note = match_months(window, covered), describe_gaps(window, covered, panel.months)
        found: list[tuple[str, Estimate]] = []
        if not min(matched.lengths):
            refused = explain_no_months(panel, cohort, partners, window)
            found += [(side, refused.name("count", unit="incidents")) for side in _SIDES]
            found.append((MAIN, refused.name("percentage_change", unit="percent")))
        else:
            flags = flag_months(window, matched)
            counts = _count(panel, site, matched)
            for side, count, length in zip(_SIDES, counts.sums, matched.lengths, strict=True):
                found.append((side, Estimate("count", count, n=count, unit="incidents")))
                if spec.population:
                    found.append((side, _compute_rate(count, spec.population, length)))
            found.append((MAIN, estimate_site_change(counts, weighted=panel.weighted)))
            found = [(period, add_note(each, note, *flags)) for period, each in found]
        for period, estimate in found:
            yield Finding(SECTION, outcome, site, estimate, "", period)


def _count(panel: Panel, site: str, window: Window) -> MonthlyCounts:
    return MonthlyCounts(*(panel.take([site], side)[:, 0] for side in window.sides))


def _compute_rate(count: float, population: int, months: int) -> Estimate:
    length = "1 month" if months == 1 else f"{months} months"
    note = f"Incidents per 1,000 residents in {length}."
    return Estimate(
        "rate_per_1000", 1000 * count / population, n=count, unit="incidents", note=note
    )


def _compare_pair(panel: Panel, cohort: Cohort, pair: Pair, window: Window) -> _Compared:
    main = window.period == MAIN
    if pair.control is None:
        return _Compared(pair, _NO_CONTROL.name_each(PAIR_ESTIMATORS) if main else [])
    covered = panel.find_covered(pair.sites)
    matched, note = match_months(window, covered), describe_gaps(window, covered, panel.months)
    refused = None
    if not main and not lies_within(window, covered):
        refused = _explain_reach(panel, covered, window)
    elif not min(matched.lengths):
        refused = explain_no_months(panel, cohort, pair.sites, window)
    if refused:
        names = {"window_months": "count", **(PAIR_ESTIMATORS if main else {})}
        return _Compared(pair, refused.name_each(names))
    flags = flag_months(window, matched)
    months = Estimate("window_months", float(min(matched.lengths)), unit="count")
    moved, moved_control = (
        _count(panel, site, matched) if site else None
        for site in (pair.displacement, pair.displacement_control)
    )
    counts = PairCounts(
        _count(panel, pair.intervention, matched),
        _count(panel, pair.control, matched),
        moved,
        moved_control,
        weighted=panel.weighted,
    )
    estimates = [
        add_note(estimate, note, *flags)
        for estimate in (months, *counts.estimate())
        if main or estimate.estimator in WINDOW_ESTIMATORS
    ]
    return _Compared(pair, estimates, counts, flags)


def _pool_pairs(compared: Sequence[_Compared], n_pairs: int, *, main: bool) -> list[Estimate]:
    ratios = [found.rirr for found in compared if found.rirr]
    controls = [str(found.pair.control) for found in compared]
    logs = [math.log(ratio.estimate) for ratio in ratios]
    covariance = relate_ratios(
        ratios, [found.counts for found in compared if found.counts], controls
    )
    left_out, note = n_pairs - len(ratios), ""
    flags = dict.fromkeys(flag for found in compared for flag in found.flags)
    if left_out:
        note = f"{left_out} of {n_pairs} pairs {'is' if left_out == 1 else 'are'} left out: "
        note += "no RIRR could be computed."
        flags[Flag.PAIRS_LEFT_OUT] = None
    if Flag.SINGLE_MONTH in flags:
        note = f"{note} {_SINGLE_MONTHS_NOTE}".strip()
    if len(set(controls)) < len(controls):
        flags[Flag.SHARED_CONTROL] = None
    led = pool_with_prior(logs, covariance)
    random = pool_log_ratios(logs, covariance, estimator="rirr_pooled")
    fixed = pool_log_ratios(logs, covariance, model="fixed", estimator="rirr_pooled_fixed")
    moments = pool_log_ratios(
        logs, covariance, model="dersimonian-laird", adjust=False, estimator="rirr_pooled_dl"
    )
    if len(ratios) > 1:
        led = add_note(led, _PRIOR_NOTE)
        random = add_note(random, "Pairs may differ in truth (random effects).", Flag.DESCRIPTION)
        fixed = add_note(fixed, "Takes one and the same change for all pairs.", Flag.DESCRIPTION)
        moments = add_note(moments, "With few pairs this interval is too narrow.", Flag.DESCRIPTION)
        if len(ratios) < _ENOUGH_PAIRS:
            led = add_note(led, _FEW_WITH_PRIOR_NOTE, Flag.FEW_PAIRS)
            random = add_note(random, _FEW_PAIRS_NOTE, Flag.FEW_PAIRS)
    pooled = [led, random, fixed]
    if main:
        spread = estimate_heterogeneity(logs, covariance)
        pooled += [moments, spread.q, spread.i2, spread.tau2]
    return [add_note(estimate, note, *flags) for estimate in pooled]


def relate_ratios(
    ratios: Sequence[Estimate], counts: Sequence[PairCounts], controls: Sequence[object]
) -> npt.NDArray[np.float64]:
    """Lay out the covariance of the log ratios: pairs with the same control share its noise.

    Where one of two pairs is compared on fewer months than the other, they share the noise of the
    larger count only: cov(ln A, ln B) = 1 / B for Poisson counts A, and B that A is a part of.
    """
    covariance = np.diag([ratio.se**2 for ratio in ratios])
    for i, one in enumerate(counts):
        for j, other in enumerate(counts[:i]):
            if controls[i] == controls[j]:
                sums = zip(one.control.sums, other.control.sums, strict=True)
                shared = sum(1 / max(pair) for pair in sums)
                shared *= math.sqrt(one.factor[0] * other.factor[0])
                covariance[i, j] = covariance[j, i] = shared
    return covariance


def _explain_reach(panel: Panel, covered: Collection[str], window: Window) -> Refusal:
    if not panel.months:
        return NOTHING_READ
    needs = f"This window needs {window.before[0]} to {window.after[-1]}"
    if lies_within(window, panel.months) and covered:
        reach = f"there are counts of all its sites from {min(covered)} to {max(covered)}."
        return Refusal(Reason.NO_MONTHS, f"{needs}; {reach}")
    reach = f"the files hold {panel.months[0]} to {panel.months[-1]}."
    return Refusal(Reason.OUTSIDE_FILES, f"{needs}; {reach}")


def _list_outcomes(incidents: Incidents, cohort: Cohort) -> list[str]:
    found = list(dict.fromkeys(incidents.sites["outcome"]))
    return [o for o in cohort.outcomes if o in found] + [
        o for o in found if o not in cohort.outcomes
    ]


def tabulate_reported(cohort: Cohort) -> pd.DataFrame:
    """Lay out figures that somebody gave as findings of section ``"reported"``: level 1, unchecked.

    The outcome is the figure's title; the note gives its source.
    """
    findings = tabulate_findings(
        Finding(
            "reported",
            figure.title,
            figure.site,
            Estimate(
                "reported_change_percent",
                figure.change_percent,
                unit="percent",
                note=f"Source: {figure.reported_by.rstrip('.')}. No counts were given, so it "
                "cannot be checked and has no interval.",
                flags=(Flag.UNCHECKED,),
            ),
            period=figure.period,
        )
        for figure in cohort.reported_figures
    )
    return findings.assign(evidence_level=1.0)
