"""The same estimate where nothing happened: how often areas left alone changed as much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.compare.panel import (
    MAIN,
    Panel,
    Window,
    explain_no_months,
    list_windows,
    match_months,
    shift_month,
    shift_window,
    sum_months,
)
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings
from sbwork.stats.ranks import (
    AMPLE_POOL,
    SMALLEST_POOL,
    MeanRank,
    Rank,
    estimate_placebo_mean,
    estimate_placebo_ratio,
    find_alike,
    find_smallest_p,
    rank_change,
    rank_difference,
    rank_mean,
)
from sbwork.stats.rates import reject_ratios

__all__ = ["DISTRIBUTION_COLUMNS", "Placebo", "compare_placebos", "find_comparable_areas"]

SECTION = "placebo"

MOST_CHANGES = 20_000
"""Placebo changes kept in the distribution of one pair; ranks use all of them."""

DISTRIBUTION_COLUMNS = (
    "outcome",
    "pair",
    "kind",
    "area",
    "comparison",
    "shift",
    "log_rirr",
    "percent_change",
)
"""The columns of the distribution, in order."""

SPACE_ESTIMATORS = {
    "placebo_observed": "percent",
    "placebo_p": "p",
    "placebo_smallest_p": "p",
    "placebo_areas": "count",
    "placebo_pairs": "count",
    "placebo_interval_share": "share",
    "placebo_share_as_large": "share",
    "placebo_low": "percent",
    "placebo_high": "percent",
    "rirr_placebo": "ratio",
}
"""What is found of a pair among areas, with its unit."""

POOLED_ESTIMATORS = {
    "placebo_observed": "percent",
    "placebo_p": "p",
    "placebo_smallest_p": "p",
    "placebo_low": "percent",
    "placebo_high": "percent",
    "rirr_placebo": "ratio",
}
"""What is found of all pairs together."""

_ALPHA = 0.05
_OUT_OF_REACH = " Too few areas are like them for p = .05 to be possible, however large the change."
_NOWHERE = 1e-300  # the size of an area without a usable count: like that of no site

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placebo:
    """Where each pair stands among areas, and times, in which nothing was done.

    Attributes
    ----------
    findings : pandas.DataFrame
        Findings of section ``"placebo"``, period ``"change"``: see `compare_placebos`.
    distribution : pandas.DataFrame
        One row a placebo change: ``outcome``; ``pair`` (the intervention site); ``kind``,
        ``"space"`` or ``"time"``; ``area`` and ``comparison`` (the area in the site's part and
        the one in the control's; empty without control); ``shift`` (months by which the window
        was moved, 0 in space); ``log_rirr``; ``percent_change``, 100 (exp(log_rirr) - 1). At
        most 20,000 rows a pair and outcome, drawn with the cohort's seed.
    """

    findings: pd.DataFrame
    distribution: pd.DataFrame


def compare_placebos(incidents: Incidents, cohort: Cohort) -> Placebo:
    """Place each pair among all like pairs of areas in which nothing was done.

    Parameters
    ----------
    incidents : Incidents
        Counts by site and by area, outcome and month.
    cohort : Cohort
        Names the pairs, the periods, the size ratio of comparable areas and the seed.

    Returns
    -------
    Placebo
        Its findings, for each pair and outcome:

        - ``placebo_observed``: the pair's own relative change, 100 (RIRR - 1), in percent.
        - ``placebo_p``: two-sided randomisation p (see `sbwork.stats.ranks`); missing with
          fewer than 19 areas.
        - ``placebo_smallest_p``: the smallest that this p could have been, had the site changed
          more than anything else (see `sbwork.stats.ranks.find_smallest_p`).
        - ``placebo_areas``, ``placebo_pairs``: areas in use, ordered pairs that they make.
        - ``placebo_interval_share``: share of the placebo changes that the interval of the RIRR
          (of a lone site: of its percentage change) calls a change; it should be 5%.
        - ``placebo_share_as_large``: share of the placebo changes as far from their middle as
          the pair's own.
        - ``placebo_low``, ``placebo_high``: the range that holds the middle 95% of them.
        - ``rirr_placebo``: the RIRR with an interval as wide as the placebo changes are.
        - ``placebo_time_contrasts``, ``placebo_time_share_as_large``: the same pair with the
          window moved to earlier times, wholly before the start.

        Without a control site, the site's own change is placed among the areas' changes. With
        two pairs and more, site ``"all"`` has ``placebo_observed`` (the geometric mean of the
        ratios, less 1), ``placebo_p``, ``placebo_smallest_p``, ``placebo_low``, ``placebo_high``
        and ``rirr_placebo`` of their mean among means of sets of areas laid out like the pairs: a
        shared control stays shared (see `sbwork.stats.ranks.rank_mean`). For this p alone,
        the sites of all pairs are among the areas. All six are missing where a pair could not be
        placed or has fewer than 19 areas.

        Flags: ``few_areas`` where a p of .05 may be, or is, out of reach, or a range is rough;
        ``shared_control`` on what is found of all pairs where a control serves several.

    Notes
    -----
    A comparable area overlaps no site of the cohort, is recorded by a force that records in the
    sites, has every month of the window, and was up to ``cohort.placebo.size_ratio`` times as
    large or as small before, in the same outcome and months; a placebo pair started as unequal as
    the real one. An area with no incident on one side enters with half an incident added on both,
    so that it counts as a large change rather than none.

    References
    ----------
    Abadie, A., Diamond, A., & Hainmueller, J. (2010). Synthetic control methods for comparative
    case studies. Journal of the American Statistical Association 105, 493-505.
    """
    if cohort.periods is None:
        return Placebo(combine_findings([]), _tabulate([]))
    window = list_windows(cohort.periods, ())[0]
    findings: list[Finding] = []
    frames: list[pd.DataFrame] = []
    outcomes = list(dict.fromkeys(incidents.sites["outcome"]))
    for outcome in outcomes:
        panel = Panel(incidents, outcome, cohort.compared_months)
        places = [_Place(outcome, pair, panel, window, cohort) for pair in cohort.pairs]
        ranked: list[_Ranked] = []
        for place in places:
            result = _rank_in_space(place)
            if isinstance(result, Refusal):
                found = result.name_each(SPACE_ESTIMATORS)
            else:
                found = _describe_rank(result, place)
                frames.append(_lay_out(result.rank, place))
                ranked.append(result)
            in_time, changes = _compare_in_time(place)
            frames.append(changes)
            findings += [_find(place, estimate) for estimate in (*found, *in_time)]
        if len(places) > 1:
            pooled = _judge_together(ranked, places)
            findings += [Finding(SECTION, outcome, "all", e, "", MAIN) for e in pooled]
    return Placebo(tabulate_findings(findings), _tabulate(frames))


def find_comparable_areas(panel: Panel, pair: Pair, cohort: Cohort) -> list[str]:
    """Find the comparable areas of a pair's site: see `compare_placebos`.

    None where no set of them is laid out like the pair, so that there is nothing to rank it among.
    """
    if cohort.periods is None:
        return []
    place = _Place("", pair, panel, list_windows(cohort.periods, ())[0], cohort)
    ranked = _rank_in_space(place)
    if isinstance(ranked, Refusal) or not ranked.rank.n_areas:
        return []
    _, starts = _change_each(panel.free_areas, ranked.window)
    alike = find_alike(ranked.counts[0], starts, cohort.placebo.size_ratio)
    return [str(area) for area in panel.free_areas.columns[alike]]


@dataclass(frozen=True)
class _Place:
    """One pair and outcome, with the counts it is placed among (months by areas)."""

    outcome: str
    pair: Pair
    panel: Panel
    window: Window
    cohort: Cohort

    @property
    def compared(self) -> list[str]:
        """The sites whose changes are compared: the site, and its control if there is one."""
        return [site for site in (self.pair.intervention, self.pair.control) if site]

    def match(self, window: Window) -> Window:
        """Keep the months of `window` that all compared sites have."""
        return match_months(window, self.panel.find_covered(self.pair.sites))

    def sum_sites(self, window: Window) -> tuple[Array, Array]:
        """Sum the compared sites before and after."""
        sites = self.panel.sites.reindex(columns=self.compared)
        before, after = (sum_months(sites, side) for side in window.sides)
        return before, after


@dataclass(frozen=True)
class _Ranked:
    """A pair's own log ratio, its counts (site's before and after, control's), and its rank."""

    observed: float
    counts: tuple[float, ...]
    window: Window
    rank: Rank


def _rank_in_space(place: _Place) -> _Ranked | Refusal:
    window = place.match(place.window)
    if not min(window.lengths):
        return explain_no_months(place.panel, place.cohort, place.pair.sites, place.window)
    before, after = place.sum_sites(window)
    if not (before.all() and after.all()):
        note = "One of the counts of the pair is 0, so it has no ratio that could be placed."
        return Refusal(Reason.ZERO_COUNT, note)
    own = np.log(after / before) - math.log(window.lengths[1] / window.lengths[0])
    changes, starts = _change_each(place.panel.free_areas, window)
    ratio, seed = place.cohort.placebo.size_ratio, place.cohort.seed
    counts = tuple(float(count) for count in np.column_stack([before, after]).ravel())
    if place.pair.control is None:
        rank = rank_change(own[0], before[0], changes, starts, ratio)
        return _Ranked(float(own[0]), counts, window, rank)
    rank = rank_difference(
        (own[0], own[1]), (before[0], before[1]), changes, starts, ratio, seed=seed
    )
    return _Ranked(float(own[0] - own[1]), counts, window, rank)


def _change_each(counts: pd.DataFrame, window: Window) -> tuple[Array, Array]:
    """Return the log ratio of each column of months by areas, and its count before."""
    starts, ends = (sum_months(counts, side) for side in window.sides)
    known = np.isfinite(starts) & np.isfinite(ends) & (starts > 0)
    half = np.where(ends == 0, 0.5, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = np.log((ends + half) / (starts + half))
    changes -= math.log(window.lengths[1] / window.lengths[0])
    return np.where(known, changes, 0.0), np.where(known, starts, _NOWHERE)


def _describe_rank(ranked: _Ranked, place: _Place) -> list[Estimate]:
    observed, rank = ranked.observed, ranked.rank
    group = place.cohort.placebo.group_by
    n = float(rank.n_areas)
    said = (
        f"{rank.n_areas} areas ({group}) of like size in which nothing was done, from "
        f"1/{place.cohort.placebo.size_ratio:g} to {place.cohort.placebo.size_ratio:g} times as "
        "many incidents before."
    )
    found = [
        Estimate("placebo_observed", _percent(observed), unit="percent", n=n),
        *_judge(ranked, said, group),
        Estimate("placebo_areas", n, unit="count", n=n, note=said),
        Estimate("placebo_pairs", float(rank.changes.size), unit="count", n=n),
    ]
    if not rank.n_areas:
        known = [estimate.estimator for estimate in found]
        rest = {name: unit for name, unit in SPACE_ESTIMATORS.items() if name not in known}
        refused = Refusal(Reason.TOO_FEW_AREAS, f"No comparable area: {said}")
        return found + refused.name_each(rest, n=0.0)
    low, high = np.quantile(rank.changes, [0.025, 0.975])
    share = f"Share of {rank.changes.size} placebo changes at least as far from their middle."
    spread = "The middle 95% of the placebo changes lie between low and high."
    rough = rank.n_areas < SMALLEST_POOL
    flags = (Flag.FEW_AREAS,) if rough else ()
    if rough:
        spread += " With so few areas this range is rough."
    return [
        *found,
        _count_rejections(place, ranked),
        Estimate("placebo_share_as_large", rank.share, unit="share", n=n, note=share),
        Estimate("placebo_low", _percent(low), unit="percent", n=n, note=spread, flags=flags),
        Estimate("placebo_high", _percent(high), unit="percent", n=n, note=spread, flags=flags),
        estimate_placebo_ratio(observed, rank, ranked.counts),
    ]


def _count_rejections(place: _Place, ranked: _Ranked) -> Estimate:
    """Count how often the interval of a ratio leaves out no change, over the placebo changes."""
    rank, window = ranked.rank, ranked.window
    before, after = (place.panel.free_areas.reindex(list(side)).to_numpy() for side in window.sides)
    parts = [rank.treated, rank.control] if rank.control.size else [rank.treated]
    rejected = reject_ratios(before, after, parts, rank.changes, floor=not place.panel.weighted)
    if not rejected.size:
        note = "In every placebo change one of the counts is 0."
        return Estimate("placebo_interval_share", unit="share", note=note, reason=Reason.ZERO_COUNT)
    return Estimate(
        "placebo_interval_share",
        float(rejected.mean()),
        n=float(rejected.size),
        unit="share",
        note="Share of the placebo changes that the usual interval calls a change; 5% is right.",
    )


def _judge_together(ranked: Sequence[_Ranked], places: Sequence[_Place]) -> list[Estimate]:
    """Place the mean change of all pairs among means of sets of areas laid out like them."""
    missing = len(places) - len(ranked)
    if missing:
        note = f"{missing} of {len(places)} pairs can't be placed, so their mean can't be either."
        return Refusal(Reason.PAIR_MISSING, note).name_each(POOLED_ESTIMATORS)
    fewest = min(pair.rank.n_areas for pair in ranked)
    if fewest < SMALLEST_POOL:
        note = f"A pair has {fewest} comparable areas; at least {SMALLEST_POOL} are needed."
        return Refusal(Reason.TOO_FEW_AREAS, note).name_each(POOLED_ESTIMATORS)
    cohort, sites = places[0].cohort, places[0].panel.sites
    compared = [site for site in dict.fromkeys(cohort.compared_sites) if site in sites]
    everyone = pd.concat([sites[compared], places[0].panel.free_areas], axis="columns")
    measured = [_change_each(everyone, pair.window) for pair in ranked]
    changes, starts = (np.array(rows) for rows in zip(*measured, strict=True))
    layout = [
        (
            compared.index(place.pair.intervention),
            None if place.pair.control is None else compared.index(place.pair.control),
        )
        for place in places
    ]
    rank = rank_mean(changes, starts, layout, cohort.placebo.size_ratio, seed=cohort.seed)
    if math.isnan(rank.p_value):
        note = "There are too few comparable areas for sets of areas laid out like the pairs."
        return Refusal(Reason.TOO_FEW_AREAS, note).name_each(POOLED_ESTIMATORS)
    ratio = estimate_placebo_mean(rank, [pair.counts for pair in ranked], layout)
    controls = [control for _, control in layout if control is not None]
    return _describe_mean(rank, ratio, len(places), shared=len(set(controls)) < len(controls))


def _describe_mean(
    rank: MeanRank, ratio: Estimate, n_pairs: int, *, shared: bool
) -> list[Estimate]:
    flags = (Flag.SHARED_CONTROL,) if shared else ()
    said = f"The mean of {n_pairs} pairs among means of sets of areas laid out like them"
    said += ", with one control for as many sites" if shared else ""
    said += "; for p, the sites and controls of all pairs are among the areas."
    judged = said
    if rank.smallest_p > _ALPHA:
        judged += _OUT_OF_REACH
    values = (rank.observed, rank.low, rank.high)
    observed, low, high = (
        Estimate(name, _percent(value), n=float(n_pairs), unit="percent", note=said, flags=flags)
        for name, value in zip(
            ("placebo_observed", "placebo_low", "placebo_high"), values, strict=True
        )
    )
    p_value, smallest = (
        Estimate(
            name,
            value,
            p_value=value if name == "placebo_p" else math.nan,
            n=float(n_pairs),
            unit="p",
            note=judged,
            flags=(*flags, Flag.FEW_AREAS) if rank.smallest_p > _ALPHA else flags,
        )
        for name, value in (("placebo_p", rank.p_value), ("placebo_smallest_p", rank.smallest_p))
    )
    ratio = replace(
        ratio,
        n=float(n_pairs),
        note=f"The geometric mean of the ratios. {ratio.note}",
        flags=(*flags, *ratio.flags),
    )
    return [observed, p_value, smallest, low, high, ratio]


def _judge(ranked: _Ranked, said: str, group: str) -> tuple[Estimate, Estimate]:
    """Give the p value of a rank, and the smallest that it could have been."""
    rank, n = ranked.rank, float(ranked.rank.n_areas)
    names = ("placebo_p", "placebo_smallest_p")
    if rank.n_areas < SMALLEST_POOL:
        note = f"Too few areas for p = .05 to be possible: at least {SMALLEST_POOL} are needed. "
        note += said
        if group == "lsoa":
            note += " Larger areas may be of the site's size: set placebo.group_by."
        p_value, smallest = (
            Estimate(name, unit="p", n=n, note=note, reason=Reason.TOO_FEW_AREAS) for name in names
        )
        return p_value, smallest
    note = (
        "Two-sided, by randomisation: how often a pair drawn from these areas and the real ones "
        f"changed at least as much. {said}"
    )
    least = find_smallest_p(ranked.observed, rank)
    scarce = rank.control.size > 0 and rank.n_areas < AMPLE_POOL
    flags = (Flag.FEW_AREAS,) if scarce or least > _ALPHA else ()
    if least > _ALPHA:
        note += _OUT_OF_REACH
    elif scarce:
        note += f" With fewer than {AMPLE_POOL} areas even a large change may stay above .05."
    bound = "The smallest p that this rank could have had, had the site changed more than any area."
    return (
        Estimate(
            names[0], rank.p_value, p_value=rank.p_value, unit="p", n=n, note=note, flags=flags
        ),
        Estimate(names[1], least, unit="p", n=n, note=bound, flags=flags),
    )


def _lay_out(rank: Rank, place: _Place) -> pd.DataFrame:
    names = place.panel.free_areas.columns.to_numpy(dtype=object)
    kept = np.arange(rank.changes.size)
    if kept.size > MOST_CHANGES:
        rng = np.random.default_rng(place.cohort.seed)
        kept = np.sort(rng.choice(kept, size=MOST_CHANGES, replace=False))
    comparison = names[rank.control[kept]] if rank.control.size else [""] * kept.size
    return pd.DataFrame(
        {
            "outcome": place.outcome,
            "pair": place.pair.intervention,
            "kind": "space",
            "area": names[rank.treated[kept]],
            "comparison": comparison,
            "shift": 0,
            "log_rirr": rank.changes[kept],
        }
    )


def _compare_in_time(place: _Place) -> tuple[list[Estimate], pd.DataFrame]:
    own = _change_at(place, place.window)
    earlier = [(shift, change) for shift, change in _change_earlier(place) if change is not None]
    names = ("placebo_time_contrasts", "placebo_time_share_as_large")
    n = float(len(earlier))
    if own is None or not earlier:
        note = "The data reach too little back to move the window wholly before the start."
        why = Refusal(Reason.TOO_FEW_MONTHS, note)
        if own is None:
            why = Refusal(Reason.ZERO_COUNT, "The pair itself has no change that could be placed.")
            if not min(place.match(place.window).lengths):
                why = explain_no_months(place.panel, place.cohort, place.pair.sites, place.window)
        count = Estimate(names[0], 0.0, unit="count", n=n, note=why.note)
        return [count, why.name(names[1], unit="share", n=n)], _tabulate([])
    shifts, changes = zip(*earlier, strict=True)
    values = np.array(changes)
    as_large = float(np.mean(np.abs(values) >= abs(own)))
    note = (
        f"The same pair with the window moved {_describe_span(-max(shifts), -min(shifts))} back. "
        "Such windows overlap, so this describes and is no test."
    )
    frame = pd.DataFrame(
        {
            "outcome": place.outcome,
            "pair": place.pair.intervention,
            "kind": "time",
            "area": place.pair.intervention,
            "comparison": place.pair.control or "",
            "shift": list(shifts),
            "log_rirr": values,
        }
    )
    found = [
        Estimate(names[0], n, unit="count", n=n, note=note),
        Estimate(names[1], as_large, unit="share", n=n, note=note),
    ]
    return found, frame


def _describe_span(fewest: int, most: int) -> str:
    return f"{most} months" if fewest == most else f"{fewest} to {most} months"


def _change_earlier(place: _Place) -> Iterator[tuple[int, float | None]]:
    if not len(place.panel.sites):
        return
    first = str(place.panel.sites.index.min())
    last_allowed = place.window.before[-1]
    shift = -1
    while shift_month(place.window.before[0], shift) >= first:
        moved = shift_window(place.window, shift)
        if moved.after[-1] <= last_allowed:
            yield shift, _change_at(place, moved, whole=True)
        shift -= 1


def _change_at(place: _Place, window: Window, *, whole: bool = False) -> float | None:
    matched = place.match(window)
    if not min(matched.lengths) or (whole and matched.lengths != window.lengths):
        return None
    before, after = place.sum_sites(matched)
    if not (before.all() and after.all()):
        return None
    logs = np.log(after / before)
    if place.pair.control is None:
        return float(logs[0]) - math.log(matched.lengths[1] / matched.lengths[0])
    return float(logs[0] - logs[1])


def _find(place: _Place, estimate: Estimate) -> Finding:
    pair = place.pair
    return Finding(SECTION, place.outcome, pair.intervention, estimate, pair.control or "", MAIN)


def _percent(log_ratio: float) -> float:
    return 100 * math.expm1(log_ratio)


def _tabulate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    frame = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    frame = frame.reindex(columns=list(DISTRIBUTION_COLUMNS))
    frame["percent_change"] = 100 * np.expm1(frame["log_rirr"].astype("float64"))
    text = dict.fromkeys(("outcome", "pair", "kind", "area", "comparison"), "str")
    return frame.astype({**text, "shift": "int64", "log_rirr": "float64"})
