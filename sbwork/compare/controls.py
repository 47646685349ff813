"""Control sites: areas like the site before the start, mixtures of them, and what they can show."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.areas import find_adjacent_areas, sum_populations
from sbwork.compare.panel import LENGTHS, MAIN, Panel, list_windows, shift_month
from sbwork.read.incidents import Incidents
from sbwork.read.places.geography import site_populations
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.periods import number_month
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal
from sbwork.stats.findings import Finding, select_findings, tabulate_findings
from sbwork.stats.ranks import SMALLEST_POOL
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
    "trace_mixture",
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

LONGEST_HISTORY = 36
"""Months before the start that likeness looks back over, where the files reach that far."""

_MOST_DONORS = 20
_FEWEST_MONTHS_TO_MIX = 6
_FEWEST_PLACES_TO_MIX = 4
_FEW_UNKNOWN = 0.1
_SYNTHETIC_UNITS = {
    "synthetic_change": "ratio",
    "synthetic_rmspe_ratio": "ratio",
    "synthetic_pre_rmspe": "share",
}
_TRACE_COLUMNS = ("outcome", "month", "period", "site_count", "mixture_count")

_NO_NEIGHBOURS = "No boundaries are given, so areas next to the site could not be ruled out."
_NO_AREAS = Refusal(
    Reason.TOO_FEW_AREAS, "Not computed: no area of the archive is left to compare with."
)
_NO_MONTHS = Refusal(Reason.NO_MONTHS, "Not computed: no month before the start has counts.")
_NO_POPULATION = Refusal(
    Reason.NOT_STATED, "Not computed: no population is given for the site and every area."
)
_NOTHING_TO_PLAN_FROM = Refusal(
    Reason.NO_MONTHS, "Not computed: no month before the start has counts to plan from."
)


@dataclass(frozen=True)
class _Archive:
    """The counts of a cohort's outcomes, and what a site or an area has of them."""

    incidents: Incidents
    cohort: Cohort
    panels: Mapping[str, Panel]

    def take(self, place: str, outcome: str, months: Sequence[str]) -> Matrix:
        """Take one place's counts of one outcome; NaN for months without a count."""
        panel = self.panels[outcome]
        table = panel.sites if place in self.cohort.sites else panel.areas
        series: Matrix = table.reindex(index=list(months), columns=[place]).to_numpy(dtype=float)
        return series[:, 0]

    def check_place(self, place: str) -> None:
        """Refuse a place that is neither a site of the cohort nor an area of the archive."""
        areas = self.incidents.areas
        sites = list(self.cohort.sites)
        known = [*sites, *(areas["area"].unique() if len(areas) else ())]
        if place not in known:
            found = f"'{quote(place)}' is neither a site of the cohort nor an area of the archive"
            allowed = f"Sites: {list_names(sites) or 'none'}"
            raise InputError(Problem("cohort.yml", "", found, allowed, find_nearest(place, known)))

    def list_months_before(self, place: str) -> tuple[str, ...]:
        """List the months before the start in which a place has counts of every outcome.

        At most `LONGEST_HISTORY` of them; of a cohort without periods, the latest.
        """
        self.check_place(place)
        tables = [table for each in self.panels.values() for table in (each.sites, each.areas)]
        months = sorted({month for table in tables for month in table.index})
        counts = [self.take(place, outcome, months) for outcome in self.panels]
        covered = np.isfinite(np.array(counts).reshape(len(counts), len(months))).all(axis=0)
        known = set(np.array(months)[covered]) if counts else set()
        if not known:
            return ()
        last = self.cohort.periods.before.end if self.cohort.periods else max(known)
        first = shift_month(last, 1 - LONGEST_HISTORY)
        return tuple(month for month in list_months(first, last) if month in known)


def _open_archive(incidents: Incidents, cohort: Cohort) -> _Archive:
    panels = {
        outcome: Panel(incidents, outcome, cohort.compared_months) for outcome in cohort.outcomes
    }
    return _Archive(incidents, cohort, panels)


@dataclass(frozen=True, slots=True)
class _Pool:
    """A site and the areas that could be compared with it.

    times: The months, numbered with a step of 1.
    counts: Months by outcomes by places; the site comes first.
    left_out: Columns ``reason`` and ``areas`` (how many).
    """

    keys: list[str]
    names: list[str]
    outcomes: list[str]
    times: Matrix
    counts: Matrix
    left_out: pd.DataFrame


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
    archive = _open_archive(incidents, cohort)
    months = archive.list_months_before(site)
    touching = find_adjacent_areas(cohort, site) if neighbours is None else frozenset(neighbours)
    people = sum_populations(cohort) if populations is None else populations
    pool = _gather_areas(archive, site, list(cohort.outcomes), months, touching)
    if not pool.keys or not months:
        missing = (_NO_AREAS if months else _NO_MONTHS).name("areas_compared", unit="count")
        return ControlSearch(
            pd.DataFrame(columns=list(RANKING_COLUMNS)),
            pd.DataFrame(columns=list(BALANCE_COLUMNS)),
            pool.left_out,
            months,
            tabulate_findings([Finding("controls", "all", site, missing)]),
        )
    own = site_populations(cohort).get(site, math.nan)
    own = people.get(site, math.nan) if math.isnan(own) else own
    residents = np.array([own, *(people.get(key, math.nan) for key in pool.keys)])
    pool, residents = _keep_peopled(pool, residents)
    values, features, groups = _describe_pool(pool, residents)
    spread = values.std(axis=0, ddof=1)
    distance, z = measure_distance(values[1:], values[0], spread, groups)
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
    balance = _tabulate_balance(pool, values, features, z, order[:number])
    findings = _find_balance(site, ranking.head(number), balance, len(order), touching is None)
    if np.isnan(residents).any():
        missing = _NO_POPULATION.name("standardised_difference", unit="sd")
        findings.append(Finding("controls", "all", site, missing, period="population"))
    return ControlSearch(ranking, balance, pool.left_out, months, tabulate_findings(findings))


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
    archive = _open_archive(incidents, cohort)
    archive.check_place(site)
    touching = find_adjacent_areas(cohort, site) if neighbours is None else frozenset(neighbours)
    return tabulate_findings(
        Finding("controls", outcome, site, estimate, area, MAIN)
        for outcome in cohort.outcomes
        for estimate, area in _mix_outcome(archive, site, outcome, touching, donors)
    )


def trace_mixture(incidents: Incidents, cohort: Cohort, mixture: pd.DataFrame) -> pd.DataFrame:
    """Trace a site beside the mixture of areas that follows it, month by month.

    Parameters
    ----------
    incidents, cohort
        What the mixture was made of.
    mixture : pandas.DataFrame
        As `compare_synthetic` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``outcome``, ``month``, ``period`` (before or after), ``site_count`` and
        ``mixture_count`` (incidents a month); no rows for an outcome without a mixture.
    """
    archive = _open_archive(incidents, cohort)
    frames = [pd.DataFrame(columns=list(_TRACE_COLUMNS))]
    weights = select_findings(mixture, estimator="synthetic_weight")
    for key, rows in weights.groupby(["outcome", "site"], sort=False):
        assert cohort.periods is not None  # noqa: S101 - there are no weights without periods
        outcome, site = map(str, key)
        before, after = cohort.periods.before.months, cohort.periods.after.months
        months = (*before, *after)
        size = archive.take(site, outcome, before).mean()
        path = sum(
            weight
            * size
            * archive.take(area, outcome, months)
            / archive.take(area, outcome, before).mean()
            for area, weight in zip(rows["comparison"], rows["estimate"], strict=True)
        )
        frames.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "month": months,
                    "period": ["before"] * len(before) + ["after"] * len(after),
                    "site_count": archive.take(site, outcome, months),
                    "mixture_count": path,
                }
            )
        )
    return pd.concat(frames[1:] or frames, ignore_index=True)


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
    archive = _open_archive(incidents, cohort)
    months = archive.list_months_before(site)
    if control:
        archive.check_place(control)
    found = []
    for outcome in cohort.outcomes:
        own = archive.take(site, outcome, months)
        other = archive.take(control or site, outcome, months)
        for length in lengths:
            for number in numbers:
                estimate = _plan_one(own, other, length, number, power)
                label = "1 control" if number == 1 else f"{number} controls"
                found.append(Finding("plan", outcome, site, estimate, label, f"{length}+{length}"))
    return tabulate_findings(found)


def _gather_areas(
    archive: _Archive,
    site: str,
    outcomes: Sequence[str],
    months: tuple[str, ...],
    touching: Collection[str] | None,
) -> _Pool:
    """Gather the areas with a count in every month, and count by reason those left out."""
    areas = archive.incidents.areas
    places = areas.drop_duplicates("area") if len(areas) else pd.DataFrame(columns=["area", "site"])
    keys = places["area"].astype(str).tolist()
    own = np.stack([archive.take(site, outcome, months) for outcome in outcomes], axis=-1)
    tables = [archive.panels[outcome].areas for outcome in outcomes]
    counts = np.stack(
        [table.reindex(index=list(months), columns=keys).to_numpy(dtype=float) for table in tables],
        axis=1,
    )
    reasons = np.full(len(keys), "", dtype=object)
    if months:
        overlap = (places["site"].fillna("") != "").to_numpy() | (places["area"] == site).to_numpy()
        for reason, applies in (
            (
                "No incident of one of the outcomes",
                (np.nan_to_num(counts).sum(axis=0) == 0).any(axis=0),
            ),
            ("Some months are not covered by the files", np.isnan(counts).any(axis=(0, 1))),
            ("Next to the site", places["area"].isin(touching or ()).to_numpy()),
            ("Overlaps a site of the cohort", overlap),
        ):
            reasons[applies] = reason
    left_out = pd.Series(reasons[reasons != ""], dtype="str").value_counts()
    kept = np.flatnonzero(reasons == "")
    return _Pool(
        keys=[keys[k] for k in kept],
        names=[str(places["name"].iloc[k]) for k in kept],
        outcomes=list(outcomes),
        times=np.array([number_month(month) for month in months], dtype=float),
        counts=np.concatenate([own[:, :, None], counts[:, :, kept]], axis=2),
        left_out=left_out.rename_axis("reason").reset_index(name="areas"),
    )


def _keep_peopled(pool: _Pool, residents: Matrix) -> tuple[_Pool, Matrix]:
    """Leave out the few areas of unknown population, so that the rest can be compared in it.

    All stay where the site's own population is unknown, or that of a tenth of the areas or more.
    """
    known = np.isfinite(residents)
    unknown = int((~known).sum())
    if not known[0] or not 0 < unknown < _FEW_UNKNOWN * len(known):
        return pool, residents
    row = pd.DataFrame({"reason": ["No population is given for it"], "areas": [unknown]})
    kept = np.flatnonzero(known[1:])
    fewer = replace(
        pool,
        keys=[pool.keys[k] for k in kept],
        names=[pool.names[k] for k in kept],
        counts=pool.counts[:, :, known],
        left_out=pd.concat([pool.left_out, row], ignore_index=True),
    )
    return fewer, residents[known]


def _describe_pool(
    pool: _Pool, residents: Matrix
) -> tuple[Matrix, list[tuple[str, str]], tuple[str, ...]]:
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
    return np.column_stack(columns), features, tuple(groups)


def _tabulate_balance(
    pool: _Pool,
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
        estimate = _take_distance("control_distance", float(distance), "do not differ at all")
        found.append(Finding("controls", "all", site, estimate, str(area), f"rank {rank}"))
    for row in balance.to_dict("records"):
        difference = float(row["standardised_difference"])
        estimate = _take_distance(
            "standardised_difference", difference, "do not differ in this at all"
        )
        if abs(difference) > LARGEST_DIFFERENCE:
            note = "Unlike: more than a quarter of a standard deviation apart."
            estimate = replace(estimate, note=note, flags=(Flag.UNLIKE,))
        found.append(
            Finding("controls", row["outcome"], site, estimate, row["area"], row["feature"])
        )
    return found


def _take_distance(name: str, distance: float, why: str) -> Estimate:
    if math.isnan(distance):
        refused = Refusal(Reason.NO_VARIATION, f"Not computed: the areas {why}.")
        return refused.name(name, unit="sd")
    return Estimate(name, distance, unit="sd")


def _mix_outcome(
    archive: _Archive, site: str, outcome: str, touching: Collection[str] | None, donors: int
) -> list[tuple[Estimate, str]]:
    """Mix areas for one outcome: the estimates, each weight with its area."""
    periods = archive.cohort.periods
    if periods is None:
        return _refuse_mixture(Reason.NO_PERIODS, "no periods are given")
    window = list_windows(periods, ())[0]
    pool = _gather_areas(archive, site, [outcome], window.months, touching)
    if not pool.keys:
        return [(each, "") for each in _NO_AREAS.name_each(_SYNTHETIC_UNITS)]
    counts = pool.counts[:, 0, :]
    before = np.arange(len(window.months)) < len(window.before)
    if np.isnan(counts[:, 0]).any():
        return _refuse_mixture(
            Reason.OUTSIDE_FILES, "the files do not cover every month of both periods"
        )
    short = len(window.before) < _FEWEST_MONTHS_TO_MIX
    if short or counts[before, 0].sum() == 0:
        return _refuse_mixture(
            Reason.TOO_FEW_MONTHS if short else Reason.ZERO_COUNT,
            "a mixture needs 6 months before, with incidents",
        )
    sizes, ratio = counts[before].sum(axis=0), archive.cohort.placebo.size_ratio
    chosen = np.flatnonzero((sizes >= sizes[0] / ratio) & (sizes <= sizes[0] * ratio))
    if len(chosen) < _FEWEST_PLACES_TO_MIX:
        return _refuse_mixture(
            Reason.TOO_FEW_AREAS, "fewer than three areas are as large as the site"
        )
    counts = counts[:, chosen]
    keys = ["", *pool.keys]
    most = min(donors, len(window.before), len(chosen) - 2)
    nearest = choose_donors(counts[before], pool.times[before], most)
    fits = fit_synthetic_controls(counts, np.where(before, -1.0, 1.0), nearest)
    return _find_synthetic(fits, [keys[chosen[k]] for k in nearest[0]], touching is None)


def _refuse_mixture(reason: Reason, why: str) -> list[tuple[Estimate, str]]:
    refused = Refusal(reason, f"Not computed: {why}.")
    return [(each, "") for each in refused.name_each(_SYNTHETIC_UNITS)]


def _find_synthetic(
    fits: list[SyntheticControl], donors: list[str], unbounded: bool
) -> list[tuple[Estimate, str]]:
    own, others = fits[0], np.array([fit.ratio for fit in fits[1:]])
    n = float(len(others))
    p, note = math.nan, _NO_NEIGHBOURS if unbounded else ""
    flags = [Flag.NO_BOUNDARIES] if unbounded else []
    if len(others) >= SMALLEST_POOL:
        # an area that fits perfectly before counts as one with a larger ratio: the careful side
        p = (1 + int((~(others < own.ratio)).sum())) / (len(others) + 1)
    else:
        flags.append(Flag.FEW_AREAS)
        note = f"Too few areas ({len(others)}) to rank: at least {SMALLEST_POOL} are needed. {note}"
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


def _plan_one(own: Matrix, other: Matrix, length: int, number: int, power: float) -> Estimate:
    name = "smallest_detectable_change"
    if not len(own) or np.isnan(other).any() or not len(other):
        return _NOTHING_TO_PLAN_FROM.name(name, unit="percent")
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
