"""The areas of an archive that could stand beside a site: which, how many people, what counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.panel import shift_month
from sbwork.read.incidents import Incidents
from sbwork.read.places.boundaries import find_neighbours
from sbwork.read.places.geography import (
    name_msoa,
    place_sites,
    read_area_boundaries,
    read_lookup,
)
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.stats.findings import select_findings

__all__ = [
    "AreaPool",
    "check_place",
    "find_adjacent_areas",
    "gather_areas",
    "group_lsoas",
    "keep_peopled",
    "list_months_before",
    "mix_series",
    "sum_populations",
    "take_series",
    "trace_mixture",
]

Matrix = NDArray[np.float64]

LONGEST_HISTORY = 36
"""Months before the start that likeness looks back over, where the files reach that far."""


@dataclass(frozen=True, slots=True)
class AreaPool:
    """A site and the areas that could stand beside it.

    Attributes
    ----------
    keys, names : list of str, length n_areas
        The areas.
    outcomes : list of str
        The outcomes, in the order of `counts`.
    times : ndarray, shape (n_months,)
        The months, numbered with a step of 1.
    counts : ndarray, shape (n_months, n_outcomes, 1 + n_areas)
        Incidents; the site comes first.
    """

    keys: list[str]
    names: list[str]
    outcomes: list[str]
    times: Matrix
    counts: Matrix


def mix_series(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    outcome: str,
    weights: Mapping[str, float],
    months: Sequence[str],
    before: Sequence[str],
) -> Matrix:
    """Mix the areas' counts as `sbwork.compare.controls.compare_synthetic` weighs them.

    Parameters
    ----------
    incidents, cohort, site, outcome
        As for `take_series`.
    weights : mapping of str to float
        The weight of each area, from the rows ``synthetic_weight``.
    months : sequence of str
        The months wanted.
    before : sequence of str
        The months before the start, to which every series is scaled.

    Returns
    -------
    ndarray, shape (n_months,)
        The mixture, on the site's scale.
    """
    size = take_series(incidents, cohort, site, outcome, before).mean()
    path = np.zeros(len(months))
    for area, weight in weights.items():
        level = take_series(incidents, cohort, area, outcome, before).mean()
        path += weight * size * take_series(incidents, cohort, area, outcome, months) / level
    return path


def trace_mixture(incidents: Incidents, cohort: Cohort, mixture: pd.DataFrame) -> pd.DataFrame:
    """Trace a site beside the mixture of areas that follows it, month by month.

    Parameters
    ----------
    incidents, cohort
        What the mixture was made of.
    mixture : pandas.DataFrame
        As `sbwork.compare.controls.compare_synthetic` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``outcome``, ``month``, ``period`` (before or after), ``site_count`` and
        ``mixture_count`` (incidents a month); no rows for an outcome without a mixture.
    """
    frames = []
    weights = select_findings(mixture, estimator="synthetic_weight")
    for (outcome, site), rows in weights.groupby(["outcome", "site"], sort=False):
        assert cohort.periods is not None  # noqa: S101 - there are no weights without periods
        before, after = cohort.periods.before.months, cohort.periods.after.months
        months = (*before, *after)
        place = (incidents, cohort, str(site), str(outcome))
        share = dict(zip(rows["comparison"], rows["estimate"], strict=True))
        frames.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "month": months,
                    "period": ["before"] * len(before) + ["after"] * len(after),
                    "site_count": take_series(*place, months),
                    "mixture_count": mix_series(*place, share, months, before),
                }
            )
        )
    columns = ["outcome", "month", "period", "site_count", "mixture_count"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def find_adjacent_areas(cohort: Cohort, site: str) -> frozenset[str] | None:
    """Find the areas that touch a site; None where no boundaries are given.

    Parameters
    ----------
    cohort : Cohort
        Its ``geography.boundaries`` hold the outlines of LSOAs; areas are grouped from them as
        ``placebo.group_by`` says.
    site : str
        The key of a site, or of an area.

    Returns
    -------
    frozenset of str or None
        Keys of areas that hold an LSOA which touches one of the site's.
    """
    boundaries = read_area_boundaries(cohort)
    if not boundaries.codes:
        return None
    names = dict(zip(boundaries.codes, boundaries.names, strict=True))
    grouped = group_lsoas(cohort, names)
    inside = place_sites(cohort)[site] if site in cohort.sites else frozenset()
    inside = inside or frozenset(code for code, area in grouped.items() if area == site)
    if not inside & set(names):
        return None
    touching = find_neighbours(boundaries)
    near = {other for code in inside & set(names) for other in touching[code]} - inside
    return frozenset(grouped[code] for code in near if grouped[code]) - {site}


def sum_populations(cohort: Cohort) -> dict[str, float]:
    """Sum the residents of each area from the lookup; areas without a full figure are left out."""
    lookup = read_lookup(cohort)
    if lookup["population"].isna().all():
        return {}
    names = {str(code): str(name) for code, name in lookup["name"].items()}
    grouped = group_lsoas(cohort, names)
    people = pd.DataFrame(
        {"area": list(grouped.values()), "people": lookup["population"].to_numpy()}
    )
    sums = people.groupby("area")["people"].agg(lambda part: part.sum(skipna=False))
    return {str(area): float(total) for area, total in sums.dropna().items() if area}


def group_lsoas(cohort: Cohort, names: Mapping[str, str]) -> dict[str, str]:
    """Name the area of each LSOA, as `sbwork.read.incidents` groups them."""
    level = cohort.placebo.group_by
    if level == "lsoa":
        return {code: code for code in names}
    lookup = read_lookup(cohort)
    if level in ("ward", "authority") and not lookup.empty:
        known = lookup[level].to_dict()
        return {code: str(known.get(code, "")) for code in names}
    told = lookup["msoa"].to_dict()
    areas = {code: told.get(code) or name_msoa(name) or code for code, name in names.items()}
    if level == "authority":
        areas = {code: area.rpartition(" ")[0] or area for code, area in areas.items()}
    return areas


def check_place(incidents: Incidents, cohort: Cohort, place: str) -> None:
    """Refuse a place that is neither a site of the cohort nor an area of the archive.

    Raises
    ------
    InputError
        With the nearest right name.
    """
    areas = incidents.areas["area"].unique().tolist() if len(incidents.areas) else []
    known = [*cohort.sites, *areas]
    if place not in known:
        found = f"'{quote(place)}' is neither a site of the cohort nor an area of the archive"
        allowed = f"Sites: {list_names(list(cohort.sites)) or 'none'}"
        raise InputError(Problem("cohort.yml", "", found, allowed, find_nearest(place, known)))


def _take_rows(incidents: Incidents, cohort: Cohort, place: str) -> pd.DataFrame:
    if place in cohort.sites:
        return incidents.sites[incidents.sites["site"] == place]
    return incidents.areas[incidents.areas["area"] == place]


def take_series(
    incidents: Incidents, cohort: Cohort, place: str, outcome: str, months: Sequence[str]
) -> Matrix:
    """Take one place's counts of one outcome; NaN for months without a count.

    Returns
    -------
    ndarray, shape (n_months,)
    """
    rows = _take_rows(incidents, cohort, place)
    rows = rows[rows["outcome"] == outcome]
    return rows.set_index("month")["count"].reindex(list(months)).to_numpy(dtype=float)


def list_months_before(incidents: Incidents, cohort: Cohort, site: str) -> tuple[str, ...]:
    """List the months before the start in which a site or area has counts of every outcome.

    At most `LONGEST_HISTORY` of them; of a cohort without periods, the latest.

    Raises
    ------
    InputError
        No such site or area.
    """
    check_place(incidents, cohort, site)
    rows = _take_rows(incidents, cohort, site)
    rows = rows[rows["outcome"].isin(list(cohort.outcomes)) & rows["count"].notna()]
    covered = rows["month"].value_counts()
    known = set(covered.index[covered == len(cohort.outcomes)])
    if not known:
        return ()
    last = cohort.periods.before.end if cohort.periods else max(known)
    first = shift_month(last, 1 - LONGEST_HISTORY)
    return tuple(month for month in list_months(first, last) if month in known)


def gather_areas(
    incidents: Incidents,
    cohort: Cohort,
    site: str,
    months: tuple[str, ...],
    touching: Collection[str] | None,
) -> tuple[AreaPool, pd.DataFrame]:
    """Gather the areas that could stand beside a site, and say why others could not.

    Parameters
    ----------
    incidents, cohort, site
        As for `sbwork.compare.controls.find_controls`.
    months : tuple of str
        The months in which every area needs a count.
    touching : collection of str or None
        Areas next to the site.

    Returns
    -------
    tuple of AreaPool and pandas.DataFrame
        The pool; and ``reason`` and ``areas`` (how many) of those left out.
    """
    outcomes = list(cohort.outcomes)
    own = np.stack([take_series(incidents, cohort, site, o, months) for o in outcomes], axis=-1)
    areas = incidents.areas
    places = areas.drop_duplicates("area").set_index("area") if len(areas) else pd.DataFrame()
    keys = [str(key) for key in places.index]
    wide = {
        outcome: areas[areas["outcome"] == outcome]
        .pivot_table(index="month", columns="area", values="count", aggfunc="first", dropna=False)
        .reindex(index=list(months), columns=keys)
        .to_numpy(dtype=float)
        for outcome in outcomes
        if keys
    }
    counts = np.stack(list(wide.values()), axis=1) if wide else np.empty((len(months), 0, 0))
    reasons = np.array([""] * len(keys), dtype=object)
    if keys and months:
        overlap = (places["site"].fillna("") != "").to_numpy() | (np.array(keys) == site)
        silent = (np.nan_to_num(counts).sum(axis=0) == 0).any(axis=0)
        next_to = np.array([key in (touching or ()) for key in keys])
        for reason, rows in (
            ("No incident of one of the outcomes", silent),
            ("Some months are not covered by the files", np.isnan(counts).any(axis=(0, 1))),
            ("Next to the site", next_to),
            ("Overlaps a site of the cohort", overlap),
        ):
            reasons[rows] = reason
    kept = np.flatnonzero(reasons == "")
    left = pd.Series(reasons[reasons != ""], dtype="str").value_counts()
    pool = AreaPool(
        keys=[keys[k] for k in kept],
        names=[str(places["name"].iloc[k]) for k in kept],
        outcomes=outcomes,
        times=_number_months(months),
        counts=np.concatenate([own[:, :, None], counts[:, :, kept]], axis=2)
        if keys
        else own[:, :, None],
    )
    return pool, left.rename_axis("reason").reset_index(name="areas")


def keep_peopled(
    pool: AreaPool, left_out: pd.DataFrame, residents: Matrix
) -> tuple[AreaPool, pd.DataFrame, Matrix]:
    """Leave out the few areas of unknown population, so that the rest can be compared in it.

    Parameters
    ----------
    pool, left_out
        As `gather_areas` returns them.
    residents : ndarray, shape (1 + n_areas,)
        Residents of the site and of each area; NaN where they are not known.

    Returns
    -------
    tuple of AreaPool, pandas.DataFrame and ndarray
        The same without those areas; as they were where the site's own population is unknown or
        that of a tenth of the areas or more.
    """
    known = np.isfinite(residents)
    unknown = int((~known).sum())
    if not known[0] or not 0 < unknown < 0.1 * len(known):
        return pool, left_out, residents
    kept = np.flatnonzero(known[1:])
    fewer = replace(
        pool,
        keys=[pool.keys[k] for k in kept],
        names=[pool.names[k] for k in kept],
        counts=pool.counts[:, :, known],
    )
    row = pd.DataFrame({"reason": ["No population is given for it"], "areas": [unknown]})
    return fewer, pd.concat([left_out, row], ignore_index=True), residents[known]


def _number_months(months: Sequence[str]) -> Matrix:
    return np.array([int(month[:4]) * 12 + int(month[5:]) for month in months], dtype=float)
