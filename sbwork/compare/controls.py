"""Control sites: areas like the site before the start, mixtures of them, and what they can show."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.areas import (
    AreaPool,
    check_place,
    find_adjacent_areas,
    gather_areas,
    keep_peopled,
    list_months_before,
    sum_populations,
    take_series,
)
from sbwork.compare.panel import LENGTHS, list_windows
from sbwork.read.incidents import Incidents
from sbwork.read.places.geography import site_populations
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, tabulate_findings
from sbwork.stats.rates import (
    correct_dispersion,
    estimate_dispersion,
    estimate_smallest_detectable_rirr,
)
from sbwork.stats.synthetic import (
    SyntheticControl,
    choose_donors,
    describe_series,
    fit_synthetic_controls,
    measure_distance,
)

__all__ = [
    "BALANCE_COLUMNS",
    "LARGEST_DIFFERENCE",
    "RANKING_COLUMNS",
    "ControlSearch",
    "compare_synthetic",
    "find_controls",
    "plan_counts",
]

Matrix = NDArray[np.float64]

RANKING_COLUMNS = ("rank", "area", "name", "distance", "incidents", "population")
"""The columns of a ranking, in order."""

BALANCE_COLUMNS = (
    "area",
    "outcome",
    "feature",
    "site_value",
    "control_value",
    "standardised_difference",
)
"""The columns of a balance table, in order."""

LARGEST_DIFFERENCE = 0.25
"""Standardised difference above which two areas are called unlike (Stuart 2010)."""

_FEWEST_AREAS = 19
_MOST_DONORS = 20

_NO_AREAS = "no area of the archive is left to compare with"
_NO_NEIGHBOURS = "No boundaries are given, so areas next to the site could not be ruled out."


@dataclass(frozen=True)
class ControlSearch:
    """Areas ranked by their likeness to a site before the start.

    Attributes
    ----------
    ranking : pandas.DataFrame
        Columns `RANKING_COLUMNS`, most alike first: every area that could serve. ``distance`` is
        in standard deviations, ``incidents`` the months' total over all outcomes.
    balance : pandas.DataFrame
        Columns `BALANCE_COLUMNS` for the first areas of the ranking. Values are incidents a
        month (level), percent a month (trend), percent of the mean (season), a share (mix) or
        people (population); differences are in standard deviations of the areas.
    left_out : pandas.DataFrame
        Columns ``reason`` and ``areas`` (how many): why others could not serve.
    months : tuple of str
        The months before the start that were compared.
    findings : pandas.DataFrame
        Section ``"controls"``: ``areas_compared``; ``control_distance`` of the first areas
        (period ``"rank 1"`` …); and ``standardised_difference`` of each of their features
        (period the feature's name), in ``sd``.
    """

    ranking: pd.DataFrame
    balance: pd.DataFrame
    left_out: pd.DataFrame
    months: tuple[str, ...]
    findings: pd.DataFrame


def find_controls(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    *,
    number: int = 10,
    neighbours: Collection[str] | None = None,
    populations: Mapping[str, float] | None = None,
) -> ControlSearch:
    """Rank the areas of the archive by their likeness to a site before the start.

    Compared are, for each outcome, level, trend (with 6 months or more) and season (with 12 or
    more); the mix of outcomes; and population where it is known. Every aspect counts the same.
    Areas that overlap a site of the cohort or touch this one are never ranked.

    Parameters
    ----------
    incidents : Incidents
        Counts by site and by area, outcome and month.
    cohort : Cohort
        The evaluation; without periods all months are compared.
    site : str
        The key of a site, or of an area that may become one.
    number : int, default 10
        How many of the first areas the balance table and the findings show.
    neighbours : collection of str, optional
        Keys of the areas next to the site; by default from `find_adjacent_areas`.
    populations : mapping of str to float, optional
        Residents of each area; by default from `sum_populations`.

    Returns
    -------
    ControlSearch

    Raises
    ------
    InputError
        No such site or area.

    References
    ----------
    Stuart, E. A. (2010). Matching methods for causal inference: a review and a look forward.
    Statistical Science 25(1), 1-21.

    Examples
    --------
    >>> from sbwork.specs.cohort import list_months
    >>> months = list_months("2016-01", "2016-12")
    >>> rows = [(area, area, "", "asb", month, level + k % 3)
    ...         for area, level in (("a", 10.0), ("b", 11.0), ("c", 60.0), ("d", 30.0))
    ...         for k, month in enumerate(months)]
    >>> areas = pd.DataFrame(rows, columns=["area", "name", "site", "outcome", "month", "count"])
    >>> cohort = Cohort.model_validate({"name": "pilot", "outcomes": {
    ...     "asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}})
    >>> incidents = Incidents(pd.DataFrame(), areas, months, (), pd.DataFrame())
    >>> find_controls(incidents, cohort, "a").ranking["area"].tolist()
    ['b', 'd', 'c']
    """
    months = list_months_before(incidents, cohort, site)
    touching = find_adjacent_areas(cohort, site) if neighbours is None else frozenset(neighbours)
    people = sum_populations(cohort) if populations is None else populations
    pool, left_out = gather_areas(incidents, cohort, site, months, touching)
    if not len(pool.keys) or not months:
        reason = Reason.TOO_FEW_AREAS if months else Reason.NO_MONTHS
        words = _NO_AREAS if months else "no month before the start has counts"
        missing = Estimate(
            "areas_compared", unit="count", note=f"Not computed: {words}.", reason=reason
        )
        return ControlSearch(
            pd.DataFrame(columns=list(RANKING_COLUMNS)),
            pd.DataFrame(columns=list(BALANCE_COLUMNS)),
            left_out,
            months,
            tabulate_findings([Finding("controls", "all", site, missing)]),
        )
    own = site_populations(cohort).get(site, math.nan)
    own = people.get(site, math.nan) if math.isnan(own) else own
    residents = np.array([own, *(people.get(key, math.nan) for key in pool.keys)])
    pool, left_out, residents = keep_peopled(pool, left_out, residents)
    values, features, groups = _describe_pool(pool, residents)
    spread = values.std(axis=0, ddof=1)
    distance, z = measure_distance(values[1:], values[0], spread, tuple(g for g in groups))
    order = np.argsort(distance, kind="stable")
    ranking = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "area": [pool.keys[k] for k in order],
            "name": [pool.names[k] for k in order],
            "distance": distance[order],
            "incidents": pool.counts[:, :, 1:].sum(axis=(0, 1))[order],
            "population": residents[1:][order],
        }
    )
    shown = order[:number]
    balance = _tabulate_balance(pool, values, features, z, shown)
    findings = _find_balance(site, ranking.head(number), balance, len(order), touching is None)
    if np.isnan(residents).any():
        words = "Not computed: no population is given for the site and every area."
        missing = Estimate(
            "standardised_difference", unit="sd", note=words, reason=Reason.NOT_STATED
        )
        findings.append(Finding("controls", "all", site, missing, period="population"))
    return ControlSearch(ranking, balance, left_out, months, tabulate_findings(findings))


def compare_synthetic(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    *,
    donors: int = _MOST_DONORS,
    neighbours: Collection[str] | None = None,
) -> pd.DataFrame:
    """Set a site against a mixture of areas, and its fit against every other area's.

    For each outcome the site, and every comparable area in its place, is set against the
    mixture of its own nearest areas that follows it best before the start. The ratio of the
    root mean squared gap after to that before is ranked among all of them.

    Parameters
    ----------
    incidents : Incidents
        Counts by site and by area, outcome and month.
    cohort : Cohort
        The evaluation, with periods. Comparable areas lie within ``cohort.placebo.size_ratio``
        of the site's incidents before.
    site : str
        The key of the site.
    donors : int, default 20
        At most so many areas in a mixture, and never more than there are months before.
    neighbours : collection of str, optional
        As for `find_controls`.

    Returns
    -------
    pandas.DataFrame
        Section ``"controls"``, per outcome: ``synthetic_change`` (ratio: the site after over
        before, against its mixture's), ``synthetic_rmspe_ratio`` (its p the rank among the
        areas, missing below 19 of them), ``synthetic_pre_rmspe`` (share of the site's mean) and
        a ``synthetic_weight`` for every area in the mixture.

    Raises
    ------
    InputError
        No such site or area.

    References
    ----------
    Abadie, A., Diamond, A. & Hainmueller, J. (2010). Synthetic control methods for comparative
    case studies. J. Am. Stat. Assoc. 105(490), 493-505.
    """
    check_place(incidents, cohort, site)
    touching = find_adjacent_areas(cohort, site) if neighbours is None else frozenset(neighbours)
    found: list[Finding] = []
    for outcome in cohort.outcomes:
        for estimate, area in _mix_outcome(incidents, cohort, site, outcome, touching, donors):
            found.append(Finding("controls", outcome, site, estimate, area, "change"))
    return tabulate_findings(found)


def plan_counts(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    *,
    control: str = "",
    lengths: Sequence[int] = LENGTHS,
    numbers: Sequence[int] = (1, 2, 4, 8),
    power: float = 0.8,
) -> pd.DataFrame:
    """Work out the smallest fall that a site could show, before anyone spends money.

    Parameters
    ----------
    incidents : Incidents
        Counts by site and by area, outcome and month.
    cohort : Cohort
        The evaluation; with periods only months before the start are used.
    site : str
        The key of a site, or of an area that may become one.
    control : str, optional
        The key of a site or area whose level the controls have; as large as the site when left
        out.
    lengths : sequence of int
        Months before, and as many after.
    numbers : sequence of int
        How many such controls are taken together.
    power : float, default 0.8
        How often a true fall of that size would be found.

    Returns
    -------
    pandas.DataFrame
        Section ``"plan"``, estimator ``smallest_detectable_change`` in ``percent`` (-30: a fall
        of 30% or more would be found), `period` such as ``"12+12"``, `comparison` such as
        ``"4 controls"``, `n` the incidents expected in all.

    Raises
    ------
    InputError
        No such site or area.

    Examples
    --------
    >>> from sbwork.specs.cohort import list_months
    >>> months = list_months("2016-01", "2016-12")
    >>> areas = pd.DataFrame(
    ...     [("a", "a", "", "asb", month, 20.0) for month in months],
    ...     columns=["area", "name", "site", "outcome", "month", "count"])
    >>> cohort = Cohort.model_validate({"name": "pilot", "outcomes": {
    ...     "asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}})
    >>> incidents = Incidents(pd.DataFrame(), areas, months, (), pd.DataFrame())
    >>> plan = plan_counts(incidents, cohort, "a", lengths=[12], numbers=[1])
    >>> round(float(plan.loc[0, "estimate"]), 2)
    -30.35
    """
    months = list_months_before(incidents, cohort, site)
    if control:
        check_place(incidents, cohort, control)
    found = []
    for outcome in cohort.outcomes:
        own = take_series(incidents, cohort, site, outcome, months)
        other = take_series(incidents, cohort, control or site, outcome, months)
        for length in lengths:
            for number in numbers:
                estimate = _plan_one(own, other, length, number, power)
                label = "1 control" if number == 1 else f"{number} controls"
                found.append(Finding("plan", outcome, site, estimate, label, f"{length}+{length}"))
    return tabulate_findings(found)


def _describe_pool(
    pool: AreaPool, residents: Matrix
) -> tuple[Matrix, list[tuple[str, str]], list[str]]:
    """Describe site and areas: values (places x features), (outcome, feature) names, aspects."""
    columns, features, groups = [], [], []
    for k, outcome in enumerate(pool.outcomes):
        profile = describe_series(pool.counts[:, k, :], pool.times)
        columns += list(profile.matrix.T)
        features += [(outcome, feature) for feature in profile.features]
        groups += list(profile.groups)
    totals = pool.counts.sum(axis=0)
    for k, outcome in enumerate(pool.outcomes[:-1]):
        columns.append(totals[k] / totals.sum(axis=0))
        features.append((outcome, "mix"))
        groups.append("mix")
    if not np.isnan(residents).any():
        columns.append(np.log(residents))
        features.append(("all", "population"))
        groups.append("population")
    return np.column_stack(columns), features, groups


def _tabulate_balance(
    pool: AreaPool,
    values: Matrix,
    features: list[tuple[str, str]],
    z: Matrix,
    shown: NDArray[np.intp],
) -> pd.DataFrame:
    rows = []
    for place in shown:
        for k, (outcome, feature) in enumerate(features):
            ends = [_show_feature(feature, float(values[row, k])) for row in (0, place + 1)]
            rows.append((pool.keys[place], outcome, feature, *ends, float(z[place, k])))
    return pd.DataFrame(rows, columns=list(BALANCE_COLUMNS))


def _show_feature(feature: str, value: float) -> float:
    if feature in ("level", "population"):
        return math.exp(value)
    return value if feature == "mix" else 100 * value


def _find_balance(
    site: str, ranking: pd.DataFrame, balance: pd.DataFrame, areas: int, unbounded: bool
) -> list[Finding]:
    compared = Estimate(
        "areas_compared",
        float(areas),
        unit="count",
        note=_NO_NEIGHBOURS if unbounded else "",
        flags=(Flag.NO_BOUNDARIES,) if unbounded else (),
    )
    found = [Finding("controls", "all", site, compared)]
    for rank, area, distance in ranking[["rank", "area", "distance"]].itertuples(index=False):
        estimate = _give_or_miss("control_distance", float(distance), "the areas do not differ")
        found.append(Finding("controls", "all", site, estimate, str(area), f"rank {rank}"))
    for row in balance.itertuples(index=False):
        difference = float(row.standardised_difference)  # type: ignore[arg-type]
        estimate = _give_or_miss(
            "standardised_difference", difference, "the areas do not differ in this"
        )
        if abs(difference) > LARGEST_DIFFERENCE:
            words = "Unlike: more than a quarter of a standard deviation apart."
            estimate = replace(estimate, note=words, flags=(Flag.UNLIKE,))
        found.append(
            Finding("controls", str(row.outcome), site, estimate, str(row.area), str(row.feature))
        )
    return found


def _give_or_miss(name: str, distance: float, why: str) -> Estimate:
    if math.isnan(distance):
        words = f"Not computed: {why} at all."
        return Estimate(name, unit="sd", note=words, reason=Reason.NO_VARIATION)
    return Estimate(name, distance, unit="sd")


def _mix_outcome(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    outcome: str,
    touching: Collection[str] | None,
    donors: int,
) -> list[tuple[Estimate, str]]:
    if cohort.periods is None:
        return _miss_synthetic(Reason.NO_PERIODS, "no periods are given")
    window = list_windows(cohort.periods, ())[0]
    single = cohort.model_copy(update={"outcomes": {outcome: cohort.outcomes[outcome]}})
    pool, _ = gather_areas(incidents, single, site, window.months, touching)
    counts = pool.counts[:, 0, :] if pool.keys else np.empty((0, 1))
    before = np.arange(len(window.months)) < len(window.before)
    if np.isnan(counts[:, 0]).any() or not len(counts):
        if not pool.keys:
            return _miss_synthetic(Reason.TOO_FEW_AREAS, _NO_AREAS)
        words = "the files do not cover every month of both periods"
        return _miss_synthetic(Reason.OUTSIDE_FILES, words)
    if len(window.before) < 6 or counts[before, 0].sum() == 0:
        short = Reason.TOO_FEW_MONTHS if len(window.before) < 6 else Reason.ZERO_COUNT
        return _miss_synthetic(short, "a mixture needs 6 months before, with incidents")
    sizes = counts[before].sum(axis=0)
    ratio = cohort.placebo.size_ratio
    alike = (sizes >= sizes[0] / ratio) & (sizes <= sizes[0] * ratio)
    chosen = np.flatnonzero(alike)
    if len(chosen) < 4:
        words = "fewer than three areas are as large as the site"
        return _miss_synthetic(Reason.TOO_FEW_AREAS, words)
    counts = counts[:, chosen]
    keys = ["", *pool.keys]
    most = min(donors, len(window.before), len(chosen) - 2)
    nearest = choose_donors(counts[before], pool.times[before], most)
    fits = fit_synthetic_controls(counts, np.where(before, -1.0, 1.0), nearest)
    return _find_synthetic(fits, [keys[chosen[k]] for k in nearest[0]], touching is None)


def _find_synthetic(
    fits: list[SyntheticControl], donors: list[str], unbounded: bool
) -> list[tuple[Estimate, str]]:
    own, others = fits[0], np.array([fit.ratio for fit in fits[1:]])
    n = float(len(others))
    p, note = math.nan, _NO_NEIGHBOURS if unbounded else ""
    flags = [Flag.NO_BOUNDARIES] if unbounded else []
    if len(others) >= _FEWEST_AREAS:
        # an area that fits perfectly before counts as one with a larger ratio: the careful side
        p = (1 + int((~(others < own.ratio)).sum())) / (len(others) + 1)
    else:
        flags.append(Flag.FEW_AREAS)
        note = f"Too few areas ({len(others)}) to rank: at least {_FEWEST_AREAS} are needed. {note}"
    change = Estimate(
        "synthetic_change",
        own.change,
        unit="ratio",
        n=n,
        note="No interval: see the rank of the RMSPE ratio."
        if math.isfinite(own.change)
        else "Not computed: no incident in one of the periods.",
        reason="" if math.isfinite(own.change) else Reason.ZERO_COUNT,
        flags=(Flag.NO_INTERVAL,) if math.isfinite(own.change) else (),
    )
    if math.isnan(own.ratio):
        note = "Not computed: the mixture follows the site without any gap before."
        rank = Estimate(
            "synthetic_rmspe_ratio", unit="ratio", n=n, note=note, reason=Reason.NO_VARIATION
        )
    else:
        rank = Estimate(
            "synthetic_rmspe_ratio",
            own.ratio,
            p_value=p,
            unit="ratio",
            n=n,
            note=note.strip(),
            flags=tuple(flags),
        )
    fit = Estimate("synthetic_pre_rmspe", own.rmspe_before, unit="share", n=n)
    rows = [(change, ""), (rank, ""), (fit, "")]
    rows += [
        (Estimate("synthetic_weight", float(weight), unit="share"), area)
        for area, weight in sorted(
            zip(donors, own.weights, strict=True), key=lambda row: -float(row[1])
        )
        if weight > 0
    ]
    return rows


def _miss_synthetic(reason: Reason, words: str) -> list[tuple[Estimate, str]]:
    units = {
        "synthetic_change": "ratio",
        "synthetic_rmspe_ratio": "ratio",
        "synthetic_pre_rmspe": "share",
    }
    note = f"Not computed: {words}."
    return [
        (Estimate(name, unit=unit, note=note, reason=reason), "") for name, unit in units.items()
    ]


def _plan_one(own: Matrix, other: Matrix, length: int, number: int, power: float) -> Estimate:
    name = "smallest_detectable_change"
    if not len(own) or np.isnan(other).any() or not len(other):
        words = "Not computed: no month before the start has counts to plan from."
        return Estimate(name, unit="percent", note=words, reason=Reason.NO_MONTHS)
    factor, df = correct_dispersion(estimate_dispersion(own, other))
    cells = [length * own.mean()] * 2 + [length * number * other.mean()] * 2
    found = estimate_smallest_detectable_rirr(cells, dispersion=factor, power=power)
    if math.isnan(found.estimate):
        note = f"Not computed: {found.note}"
        return Estimate(name, unit="percent", note=note, reason=found.reason)
    note = f"{found.note} Places also drift by themselves, which is not counted in here."
    if math.isinf(df):
        note += " Only one month to judge by, so counts are taken to vary by chance alone."
    change = 100 * (found.estimate - 1)
    flags = (Flag.SINGLE_MONTH,) if math.isinf(df) else ()
    return Estimate(name, change, se=found.se, unit="percent", n=found.n, note=note, flags=flags)
