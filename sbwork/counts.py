"""Incident counts compared: each site with itself, each pair, and all pairs together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.cohort import Cohort, Pair
from sbwork.estimates import Estimate
from sbwork.estimates.displacement import estimate_total_net_effect, estimate_wdd, estimate_wdq
from sbwork.estimates.pooling import estimate_heterogeneity, pool_log_ratios
from sbwork.estimates.rates import (
    Change,
    correct_dispersion,
    estimate_dispersion,
    estimate_incidents_avoided,
    estimate_percentage_change,
    estimate_relative_effect_size,
    estimate_rirr,
    estimate_smallest_detectable_rirr,
)
from sbwork.incidents import Incidents
from sbwork.results import Finding, combine_findings, tabulate_findings
from sbwork.windows import MAIN, Window, describe_gaps, list_windows, match_months

__all__ = ["compare_counts"]

SECTION = "counts"

PAIR_ESTIMATORS = {
    "rirr": "ratio",
    "rirr_poisson": "ratio",
    "dispersion": "ratio",
    "relative_effect_size": "ratio",
    "incidents_avoided": "incidents",
    "smallest_detectable_rirr": "ratio",
    "wdd": "incidents",
    "wdd_corrected": "incidents",
    "wdq": "ratio",
    "total_net_effect": "incidents",
    "rirr_wdd_agreement": "count",
}
"""What is estimated for a pair in the main window, with its unit."""

WINDOW_ESTIMATORS = ("rirr", "wdd", "wdd_corrected", "incidents_avoided")
"""Those of them that are repeated in the other windows."""

_NOTABLE_EXCESS = 1.05

_SINGLE_MONTH = (
    "With one month on each side, counts are taken to vary like Poisson counts; real ones vary "
    "more, so this interval is too narrow."
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
        - All pairs (site ``"all"``): ``rirr_pooled`` (random effects by REML, Knapp-Hartung
          interval), ``rirr_pooled_dl`` (DerSimonian-Laird, normal interval),
          ``rirr_pooled_fixed``, ``heterogeneity_q``, ``heterogeneity_i2`` and
          ``heterogeneity_tau2``.

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
        self.weighted = bool((whole[np.isfinite(whole)] % 1 != 0).any())

    def list_covered(self, sites: Sequence[str]) -> set[str]:
        """List the months in which each of `sites` has a count."""
        known = self.frame.reindex(columns=list(sites)).notna().all(axis=1)
        return set(known.index[known])

    def take(self, site: str, months: Sequence[str]) -> npt.NDArray[np.float64]:
        """Take the counts of one site in `months`."""
        return self.frame[site].reindex(list(months)).to_numpy(dtype=float)


@dataclass(frozen=True)
class _Cells:
    """Monthly counts of one area, before and after."""

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    @property
    def sums(self) -> Change:
        return float(self.before.sum()), float(self.after.sum())


@dataclass(frozen=True)
class _Ratio:
    """What pooling needs of one pair."""

    rirr: Estimate
    factor: float
    control: str
    control_sums: Change


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
            compared = _compare_pair(series, pair, window)
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
            reason = _explain_no_months(series, window)
            empty = Estimate("percentage_change", unit="percent", note=reason)
            for period in ("before", "after"):
                lost = Estimate("count", unit="incidents", note=reason)
                yield Finding(SECTION, outcome, site, lost, "", period)
            yield Finding(SECTION, outcome, site, empty, "", MAIN)
            continue
        cells = _Cells(series.take(site, matched.before), series.take(site, matched.after))
        for period, count, length in zip(
            ("before", "after"), cells.sums, matched.lengths, strict=True
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
        yield Finding(SECTION, outcome, site, _change_site(cells, matched, note), "", MAIN)


def _rate(count: float, population: int, months: int, note: str) -> Estimate:
    length = "1 month" if months == 1 else f"{months} months"
    said = f"Incidents per 1,000 residents in {length}."
    return Estimate(
        "rate_per_1000",
        1000 * count / population,
        n=count,
        unit="incidents",
        note=_join(said, note),
    )


def _change_site(cells: _Cells, window: Window, note: str) -> Estimate:
    dispersion = estimate_dispersion(cells.before, cells.after)
    factor, df = correct_dispersion(dispersion)
    change = estimate_percentage_change(
        *cells.sums, months=window.lengths, dispersion=factor, df=df
    )
    if window.lengths[0] != window.lengths[1]:
        note = _join(note, "Counts a month are compared, since the periods differ in length.")
    if math.isnan(dispersion.estimate) and not math.isnan(change.ci_low):
        note = _join(note, _SINGLE_MONTH)
    return replace(change, note=_join(change.note, note))


def _compare_pair(series: _Series, pair: Pair, window: Window) -> _Compared:
    main = window.period == MAIN
    if pair.control is None:
        reason = "No control site is given, so the change can't be set beside another area's."
        return _Compared(_leave_out(reason) if main else [])
    covered = series.list_covered(pair.sites)
    matched, note = match_months(window, covered), describe_gaps(window, covered)
    reason = _explain_no_months(series, window) if not min(matched.lengths) else ""
    if not main and not _reaches(series, window):
        reason = _explain_reach(series, window)
    if reason:
        months = Estimate("window_months", unit="count", note=reason)
        return _Compared([months, *(_leave_out(reason) if main else [])])
    months = Estimate("window_months", float(min(matched.lengths)), unit="count", note=note)
    cells = {
        role: _Cells(series.take(site, matched.before), series.take(site, matched.after))
        for role, site in (
            ("treated", pair.intervention),
            ("control", pair.control),
            ("displacement", pair.displacement),
            ("displacement_control", pair.displacement_control),
        )
        if site
    }
    dispersion = estimate_dispersion(
        *(cells[role].before for role in ("treated", "control")),
        *(cells[role].after for role in ("treated", "control")),
    )
    estimates = [
        _add_note(estimate, note)
        for estimate in _estimate_pair(cells, matched, dispersion, weighted=series.weighted)
        if main or estimate.estimator in WINDOW_ESTIMATORS
    ]
    ratio = _Ratio(
        estimates[0], correct_dispersion(dispersion)[0], pair.control, cells["control"].sums
    )
    known = not math.isnan(ratio.rirr.estimate)
    return _Compared([months, *estimates], ratio if known else None)


def _estimate_pair(
    cells: dict[str, _Cells], window: Window, dispersion: Estimate, *, weighted: bool
) -> list[Estimate]:
    treated, control = cells["treated"].sums, cells["control"].sums
    factor, df = correct_dispersion(dispersion)
    lengths = window.lengths
    rirr = estimate_rirr(treated, control, months=lengths, dispersion=factor, df=df)
    poisson = estimate_rirr(treated, control, months=lengths, estimator="rirr_poisson")
    smallest = estimate_smallest_detectable_rirr([*treated, *control], dispersion=factor)
    single = math.isnan(dispersion.estimate)
    if single:
        rirr, smallest = _add_note(rirr, _SINGLE_MONTH), _add_note(smallest, _SINGLE_MONTH)
    if weighted:
        poisson = Estimate("rirr_poisson", unit="ratio", note=_NOT_COUNTS)
    elif dispersion.estimate >= _NOTABLE_EXCESS:
        poisson = _add_note(poisson, _describe_excess(dispersion))
    return [
        rirr,
        poisson,
        _describe_dispersion(dispersion),
        estimate_relative_effect_size(rirr),
        estimate_incidents_avoided(treated[1], rirr),
        smallest,
        *_estimate_differences(cells, window, rirr, dispersion, weighted=weighted),
    ]


def _estimate_differences(
    cells: dict[str, _Cells],
    window: Window,
    rirr: Estimate,
    dispersion: Estimate,
    *,
    weighted: bool,
) -> list[Estimate]:
    sums = {role: cell.sums for role, cell in cells.items()}
    treated, control = sums["treated"], sums["control"]
    displacement = sums.get("displacement", (0.0, 0.0))
    own_control = sums.get("displacement_control", (0.0, 0.0))
    before, after = window.lengths
    factor, df = correct_dispersion(dispersion)
    times = (before / after, 1.0)
    areas = (treated, control, displacement, own_control)
    plain = estimate_wdd(*areas, time_weights=times)
    corrected = estimate_wdd(
        *areas, time_weights=times, dispersion=factor, df=df, estimator="wdd_corrected"
    )
    if before != after:
        said = "Counts before are scaled to the length of the period after."
        plain, corrected = _add_note(plain, said), _add_note(corrected, said)
    if weighted:
        plain = Estimate("wdd", plain.estimate, unit="incidents", note=_NOT_COUNTS)
    elif dispersion.estimate >= _NOTABLE_EXCESS:
        plain = _add_note(plain, _describe_excess(dispersion))
    if math.isnan(dispersion.estimate):
        corrected = _add_note(corrected, _SINGLE_MONTH)
    if "displacement" in cells and "displacement_control" not in cells:
        plain = _add_note(plain, "The displacement area has no control of its own here.")
    scaled = {role: (pair[0] * after / before, pair[1]) for role, pair in sums.items()}
    if "displacement" in cells:
        quotient = estimate_wdq(scaled["treated"], scaled["control"], scaled["displacement"])
    else:
        quotient = Estimate("wdq", unit="ratio", note="No displacement area is given.")
    net = estimate_total_net_effect(treated, control, displacement, dispersion=factor, df=df)
    alone = estimate_wdd(treated, control, time_weights=times, dispersion=factor, df=df)
    return [plain, corrected, quotient, net, _compare_verdicts(rirr, alone)]


_NOT_COUNTS = (
    "These are weighted sums, not counts, so Poisson variance does not hold: use the corrected "
    "estimate."
)


def _compare_verdicts(rirr: Estimate, wdd: Estimate) -> Estimate:
    """Say in words whether the ratio and the difference tell the same story."""
    name = "rirr_wdd_agreement"
    if math.isnan(rirr.estimate) or math.isnan(wdd.estimate):
        note = "They can't be compared: " + (rirr.note or wdd.note)
        return Estimate(name, unit="count", note=note)
    clear = [rirr.ci_high < 1 or rirr.ci_low > 1, wdd.ci_high < 0 or wdd.ci_low > 0]
    signs = [np.sign(math.log(rirr.estimate)), np.sign(wdd.estimate)]
    words = {-1: "fell", 0: "stayed level", 1: "rose"}
    if signs[0] != signs[1]:
        note = (
            f"They disagree: by the ratio (RIRR) the site {words[int(signs[0])]} beside its "
            f"control, by the difference (WDD) it {words[int(signs[1])]}. The site and its control "
            "started from different counts; RIRR takes equal percentage changes for no difference, "
            "WDD equal changes in number. Neither should be shown alone."
        )
        return Estimate(name, 0.0, unit="count", note=note)
    if clear[0] != clear[1]:
        which = ("ratio (RIRR)", "difference (WDD)")
        yes, no = which if clear[0] else which[::-1]
        note = (
            f"They disagree: the interval of the {yes} leaves out no change, that of the {no} "
            "does not. A result that rests on the choice between them is not settled."
        )
        return Estimate(name, 0.0, unit="count", note=note)
    told = "a change beyond the interval" if clear[0] else "no change beyond what chance allows"
    return Estimate(name, 1.0, unit="count", note=f"RIRR and WDD agree: both show {told}.")


def _pool_pairs(ratios: Sequence[_Ratio], n_pairs: int, *, main: bool) -> list[Estimate]:
    logs = [math.log(ratio.rirr.estimate) for ratio in ratios]
    covariance = _relate_pairs(ratios)
    left_out = n_pairs - len(ratios)
    said = ""
    if left_out:
        said = f"{left_out} of {n_pairs} pairs {'is' if left_out == 1 else 'are'} left out: "
        said += "no RIRR could be computed."
    random = pool_log_ratios(logs, covariance, estimator="rirr_pooled")
    fixed = pool_log_ratios(logs, covariance, model="fixed", estimator="rirr_pooled_fixed")
    if len(ratios) > 1:
        random = _add_note(
            random, "Random effects: pairs may differ in truth. Judge the pairs together by this."
        )
        fixed = _add_note(fixed, "Takes one and the same change for all pairs.")
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
            moments = _add_note(moments, "With few pairs this interval is too narrow.")
        spread = estimate_heterogeneity(logs, covariance)
        pooled += [moments, spread.q, spread.i2, spread.tau2]
    return [_add_note(estimate, said) for estimate in pooled]


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


def _describe_dispersion(dispersion: Estimate) -> Estimate:
    if math.isnan(dispersion.estimate):
        return dispersion
    if dispersion.estimate < 1:
        return _add_note(dispersion, "Months varied less than chance alone would; 1 is used.")
    return _add_note(dispersion, "How many times as much the months vary as Poisson counts would.")


def _describe_excess(dispersion: Estimate) -> str:
    return (
        f"Months vary {dispersion.estimate:.1f} times as much as Poisson counts would, so this "
        "interval is too narrow."
    )


def _explain_no_months(series: _Series, window: Window) -> str:
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
    return "No calendar month is there on both sides for all the sites compared."


def _reaches(series: _Series, window: Window) -> bool:
    span = series.span
    return bool(span) and window.before[0] >= span[0] and window.after[-1] <= span[-1]


def _explain_reach(series: _Series, window: Window) -> str:
    if not series.span:
        return "No month of incidents was read."
    return (
        f"This window needs {window.before[0]} to {window.after[-1]}; the files hold "
        f"{series.span[0]} to {series.span[-1]}."
    )


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


def _add_note(estimate: Estimate, note: str) -> Estimate:
    return replace(estimate, note=_join(estimate.note, note))


def _join(*notes: str) -> str:
    return " ".join(note for note in notes if note)
