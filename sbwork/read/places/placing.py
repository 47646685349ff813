"""Which site and which area each counted incident belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.places.boundaries import Boundaries, convert_grid, locate_points
from sbwork.read.places.geography import (
    AreaChange,
    name_msoa,
    place_sites,
    read_area_boundaries,
    read_change,
    read_lookup,
    read_site_polygons,
)
from sbwork.read.places.shapes import Array, form_shape
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.periods import number_month

__all__ = ["Places", "place_rows", "read_places"]

_CERTAIN = 1e-3
_NEWEST_OF_2011 = {"E010": "E01033768", "W010": "W01001958"}
_GEOPORTAL = "ONS publishes it as 'LSOA (2011) to LSOA (2021) Exact Fit Lookup'"

Note = tuple[int, Check]
Column = npt.NDArray[np.int32]


@dataclass
class Places:
    """The sites and areas of a cohort, and what came to light while rows were placed in them.

    Attributes
    ----------
    sites : dict of str to frozenset of str
        The LSOAs of each site.
    lookup, boundaries, polygons, change
        As `sbwork.read.places.geography` reads them; `polygons` by site.
    areas, names : list of str
        The code and name of each area, once rows are placed.
    owners : dict of int to int
        The site that an area shares an LSOA with, by their positions, once rows are placed.
    notes : list of tuple
        Source (-1 for all), and a line for the table of data quality.
    absent : list of str
        Sites of which no file says anything, so that their counts are not known.
    """

    sites: dict[str, frozenset[str]]
    lookup: pd.DataFrame
    boundaries: Boundaries
    polygons: dict[str, Boundaries]
    change: AreaChange | None
    areas: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    owners: dict[int, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def read_places(cohort: Cohort) -> Places:
    """Read everything that says where a cohort's sites and areas are.

    Raises
    ------
    InputError
        A file of the geography can't be used, or sites overlap.
    """
    lookup = read_lookup(cohort)
    group_by = cohort.placebo.group_by
    if group_by == "ward" and lookup.empty and "placebo" in cohort.model_fields_set:
        found = "areas are to be wards, but there is no lookup from LSOA to ward"
        allowed = "Name one under 'geography: lookup:', or group by lsoa or msoa"
        raise InputError(Problem("cohort.yml", "key 'placebo.group_by'", found, allowed))
    return Places(
        place_sites(cohort, lookup),
        lookup,
        read_area_boundaries(cohort),
        read_site_polygons(cohort),
        read_change(cohort),
    )


def place_rows(
    tally: pd.DataFrame,
    names: Mapping[str, str],
    feeds: Sequence[str],
    cohort: Cohort,
    places: Places,
) -> pd.DataFrame:
    """Say of counted incidents in which site and area they are.

    `tally` has, beside the columns of a tally, ``source`` and ``feed`` (positions) and ``grid``
    (whether coordinates are of the national grid); `names` is what the files call an LSOA, by its
    code; `places` gets the areas, and what came to light.

    Returns
    -------
    pandas.DataFrame
        ``source``, ``feed``, ``site``, ``area`` (positions; -1 for none), ``lsoa``, ``kind``
        (categories), ``month`` (12 x year + month - 1), ``located`` (has coordinates),
        ``pointed`` (placed by them) and ``n``.

    Raises
    ------
    InputError
        LSOAs of 2011 and 2021 are mixed and no table joins them; a site holds part of an area
        that can't be told apart; sites overlap; no LSOA of a site is known.
    """
    rows = _place_points(tally, cohort, places)
    codes = rows["lsoa"].cat.categories
    met = rows["lsoa"].cat.codes.unique()
    known = {code: names.get(code, "") for code in codes[met] if code}
    for code, name in zip(places.boundaries.codes, places.boundaries.names, strict=True):
        known[code] = known.get(code) or name
    units = _join_years(rows, feeds, cohort, places, set(known))
    _check_sites(cohort, places, known, units)
    site_of, area_of = _group_areas(cohort, places, known, units)
    by_lsoa = rows["lsoa"].cat.codes.to_numpy()
    site, area = (
        np.array([found.get(code, -1) for code in codes], np.int32)[by_lsoa]
        for found in (site_of, area_of)
    )
    called_site, called_area = _place_called(rows, cohort, places)
    _refuse_contested(rows, site, cohort)
    polygon = rows["polygon"].to_numpy()
    months = rows["month"].cat.categories
    numbers = np.array([number_month(month) if month else -1 for month in months], np.int32)
    kept = ["source", "feed", "lsoa", "kind", "located", "pointed", "n"]
    placed = rows[kept].assign(
        site=_take_first(site, called_site, polygon),
        area=_take_first(area, called_area),
        month=numbers[rows["month"].cat.codes.to_numpy()],
    )
    _note_silent_sites(placed, cohort, places, known)
    return placed


def _take_first(*columns: Column) -> Column:
    """Take of each row the first position that is one."""
    taken = columns[0]
    for column in columns[1:]:
        taken = np.where(taken >= 0, taken, column)
    return taken


def _place_points(tally: pd.DataFrame, cohort: Cohort, places: Places) -> pd.DataFrame:
    """Give rows with coordinates the LSOA and the polygon that they lie in."""
    polygon = np.full(len(tally), -1, np.int32)
    pointed = np.zeros(len(tally), np.bool_)
    rows = tally.assign(polygon=polygon, pointed=pointed)
    with_point = np.flatnonzero(tally["x"].notna().to_numpy() & tally["y"].notna().to_numpy())
    if not with_point.size:
        return rows
    wanted = tally.loc[with_point, ["x", "y", "grid"]]
    group = wanted.groupby(["x", "y", "grid"], sort=False).ngroup().to_numpy()
    _, first = np.unique(group, return_index=True)
    x, y, grid = (wanted[name].to_numpy()[first] for name in ("x", "y", "grid"))
    longitude, latitude = x.copy(), y.copy()
    if grid.any():
        longitude[grid], latitude[grid] = convert_grid(x[grid], y[grid])
    polygon[with_point] = _find_polygons(places, cohort, longitude, latitude)[group]
    area = locate_points(places.boundaries.shapes, longitude, latitude)[group]
    unplaced = (tally["lsoa"] == "").to_numpy()[with_point] & (area >= 0)
    pointed[with_point] = unplaced
    lsoa = tally["lsoa"].astype("str").to_numpy(dtype=object, copy=True)
    lsoa[with_point[unplaced]] = np.array(places.boundaries.codes, dtype=object)[area[unplaced]]
    codes, found = pd.factorize(lsoa)
    placed: Any = pd.Categorical.from_codes(codes, pd.Index(found, dtype="str"))
    return rows.assign(lsoa=placed, polygon=polygon, pointed=pointed)


def _find_polygons(places: Places, cohort: Cohort, longitude: Array, latitude: Array) -> Column:
    """Find the site in whose polygon each point lies; none may lie inside two."""
    import shapely

    keys = list(cohort.sites)
    within = np.full(longitude.shape, -1, np.int32)
    for key, outline in places.polygons.items():
        shape = form_shape(outline.rings)
        inside = locate_points(np.array([shape]), longitude, latitude) == 0
        both = inside & (within >= 0)
        # A point on a border that two sites share is the first one's.
        both[both] = shapely.contains_xy(shape, longitude[both], latitude[both])
        if both.any():
            other = keys[int(within[both][0])]
            raise InputError(_report_overlap(key, other, int(both.sum()), "points"))
        within[inside & (within < 0)] = keys.index(key)
    return within


def _join_years(
    rows: pd.DataFrame, feeds: Sequence[str], cohort: Cohort, places: Places, present: set[str]
) -> dict[str, str]:
    """Map changed LSOAs to the areas that 2011 and 2021 share, where the two must be joined."""
    wanted = {code for codes in places.sites.values() for code in codes}
    change = places.change
    if change is None:
        _refuse_mixed_years(rows, feeds, present)
        return {}
    mixed = bool(present & change.old_only) and bool(present & change.new_only)
    if not mixed and not any(code in change.units and code not in present for code in wanted):
        return {}
    problems = []
    members: dict[str, set[str]] = {}
    for code, unit in change.units.items():
        members.setdefault(unit, set()).add(code)
    for key, codes in places.sites.items():
        for unit in sorted({change.units[code] for code in codes if code in change.units}):
            whole = members[unit]
            old, new = whole - change.new_only, whole - change.old_only
            if not (old <= codes or new <= codes):
                lacking = sorted((new if codes & change.new_only else old) - codes)
                problems.append(
                    Problem(
                        "cohort.yml",
                        f"key 'sites.{key}'",
                        f"the site holds {list_names(sorted(codes & whole), 4)} but not "
                        f"{list_names(lacking, 4)}; between 2011 and 2021 the boundaries moved, "
                        "and the two can't be told apart in all months",
                        "Add the others to the site, or leave all of them out",
                    )
                )
    if problems:
        raise InputError(problems)
    touched = sorted(code for code in present if code in change.units)
    note = (
        "LSOAs of 2011 and 2021 were joined to the smallest areas that both can tell apart: "
        f"{list_names(touched, 6)}"
    )
    check = "LSOAs joined across the 2011 and 2021 boundaries"
    places.notes.append((-1, Check(CheckKind.READ, check, len(touched), note)))
    places.sites = {
        key: frozenset(change.units.get(code, code) for code in codes)
        for key, codes in places.sites.items()
    }
    return change.units


def _refuse_mixed_years(rows: pd.DataFrame, feeds: Sequence[str], present: set[str]) -> None:
    """Refuse a series in which LSOAs of 2021 stand in some months and are missing from others.

    Without a table the codes that only 2021 has are known by their numbers. Their share of the
    months that have them says how many incidents the other months should hold; when none is
    there and chance explains that less than once in a thousand, the months are of 2011.
    """
    new = sorted(code for code in present if _is_from_2021(code))
    if not new:
        return
    placed = rows[rows["lsoa"] != ""]
    fresh = placed["n"].where(placed["lsoa"].isin(new), 0.0)
    counts = fresh.groupby([placed["feed"], placed["month"]], observed=True).sum()
    problems = []
    for number, feed in enumerate(feeds):
        by_month = counts[counts.index.get_level_values("feed") == number].droplevel("feed")
        with_new = {str(month): n for month, n in by_month.items() if n}
        without = [str(month) for month, n in by_month.items() if not n]
        if not with_new or not without:
            continue
        expected = sum(with_new.values()) / len(with_new) * len(without)
        if math.exp(-expected) < _CERTAIN:
            problems.append(
                Problem(
                    feed,
                    "column 'LSOA code'",
                    f"LSOAs of 2021 ({list_names(new, 3)}) stand in {_name_span(with_new)}, but "
                    f"{_name_span(without)} use those of 2011; counting them together would "
                    "take moved boundaries for change",
                    f"Name the table that joins them under 'geography: lsoa_change:'. {_GEOPORTAL}",
                )
            )
    if problems:
        raise InputError(problems)


def _is_from_2021(code: str) -> bool:
    newest = _NEWEST_OF_2011.get(code[:4])
    return newest is not None and len(code) == len(newest) and newest < code and code[4:].isdigit()


def _name_span(months: Iterable[str]) -> str:
    ordered = sorted(months)
    if len(ordered) == 1:
        return ordered[0]
    return f"{len(ordered)} months from {ordered[0]} to {ordered[-1]}"


def _check_sites(
    cohort: Cohort, places: Places, names: dict[str, str], units: dict[str, str]
) -> None:
    present = {units.get(code, code) for code in names}
    has_codes = bool(present)
    elsewhere = set(places.lookup.index) | set(places.boundaries.codes)
    problems = []
    for key, codes in places.sites.items():
        unseen = sorted(codes - present)
        unknown = [code for code in unseen if code not in elsewhere]
        if not unseen or not has_codes:
            continue
        near = _find_nearest_code(unknown[0], present) if unknown else ""
        if len(unknown) == len(codes):
            problems.append(
                Problem(
                    "cohort.yml",
                    f"key 'sites.{key}'",
                    f"none of its LSOAs is in the incident files: {list_names(unknown, 5)}",
                    "",
                    near,
                )
            )
            continue
        note = f"{cohort.title_site(key)}: {list_names(unseen, 5)}"
        if unknown:
            hint = f"; the nearest code there is {near}" if near else ""
            note += f"{hint}; look for a slip of the pen"
        check = "LSOAs of a site without any incident"
        places.notes.append((-1, Check(CheckKind.DOUBT, check, len(unseen), note)))
    if problems:
        raise InputError(problems)


def _find_nearest_code(code: str, known: Iterable[str]) -> str:
    """Return the known code that differs in the fewest places, at most two of them."""

    def _count_differences(other: str) -> int:
        return sum(a != b for a, b in zip(code, other, strict=True))

    alike = [other for other in known if len(other) == len(code)]
    nearest = min(sorted(alike), key=_count_differences, default="")
    return nearest if nearest and _count_differences(nearest) <= 2 else ""


def _group_areas(
    cohort: Cohort, places: Places, names: dict[str, str], units: dict[str, str]
) -> tuple[dict[str, int], dict[str, int]]:
    """List the areas; return the site and the area of each LSOA that has one."""
    keys = list(cohort.sites)
    owner = {code: keys.index(key) for key, codes in places.sites.items() for code in codes}
    position: dict[str, int] = {}
    site_of: dict[str, int] = {}
    area_of: dict[str, int] = {}
    ungrouped = 0
    group = _choose_group(cohort, places)
    for code in sorted(names):
        unit = units.get(code, code)
        area, name = group(unit, names.get(unit) or names[code], code)
        if not area:
            ungrouped += 1
        elif area not in position:
            position[area] = len(position)
            places.areas.append(area)
            places.names.append(name or area)
        if unit in owner:
            site_of[code] = owner[unit]
        if area in position:
            area_of[code] = position[area]
            if unit in owner:
                places.owners[position[area]] = owner[unit]
    if ungrouped:
        note = "They count for sites, but stand in no area with which sites are compared"
        check = "LSOAs that the lookup does not hold"
        places.notes.append((-1, Check(CheckKind.DOUBT, check, ungrouped, note)))
    return site_of, area_of


def _place_called(rows: pd.DataFrame, cohort: Cohort, places: Places) -> tuple[Column, Column]:
    """Place rows by what their file calls the place."""
    nowhere = np.full(len(rows), -1, np.int32)
    called = rows[rows["called"] != ""]
    if called.empty:
        return nowhere, nowhere
    alone = called.assign(alone=called["lsoa"] == "")
    summed = alone.groupby(["source", "called"], observed=True).agg({"n": "sum", "alone": "all"})
    found = [(*key, n, bool(a)) for key, n, a in summed.itertuples()]
    by_name = _name_called(sorted(found), cohort, places)
    site, area = nowhere, nowhere.copy()
    pairs = zip(called["source"], called["called"], strict=True)
    site[called.index], area[called.index] = np.array([by_name[pair] for pair in pairs]).T
    return site, area


def _name_called(
    called: list[tuple[int, str, float, bool]],
    cohort: Cohort,
    places: Places,
) -> dict[tuple[int, str], tuple[int, int]]:
    """Match what the files call a site; what is no site is an area, and a slip is refused."""
    keys = list(cohort.sites)
    spoken = {
        name: key
        for key, site in cohort.sites.items()
        for name in (key, site.title, *site.names)
        if name
    }
    position = {area: number for number, area in enumerate(places.areas)}
    placed: dict[tuple[int, str], tuple[int, int]] = {}
    problems = []
    for source, name, count, alone in called:
        key = cohort.identify_site(name)
        near = "" if key else find_nearest(name, spoken)
        if near and re.sub(r"\D", "", near) == re.sub(r"\D", "", name):
            shown = cohort.incidents[source].path
            found = f"'{quote(name)}' ({count:,.0f} incidents) is no site of this cohort"
            allowed = f"Add it to the names of the site if it is meant: {list_names(list(spoken))}"
            problems.append(Problem(shown, "column of sites", found, allowed, near))
        if alone and name not in position:
            position[name] = len(position)
            places.areas.append(name)
            places.names.append(cohort.title_site(key) if key else name)
        placed[source, name] = (keys.index(key) if key else -1, position[name] if alone else -1)
    if problems:
        raise InputError(problems)
    return placed


def _choose_group(cohort: Cohort, places: Places) -> Any:
    level = cohort.placebo.group_by
    if level in {"ward", "authority"} and not places.lookup.empty:
        codes = places.lookup[level].to_dict()
        titles = places.lookup[f"{level}_name"].to_dict()

        def _look_up(unit: str, name: str, code: str) -> tuple[str, str]:
            known = unit if unit in codes else code
            return codes.get(known, ""), titles.get(known, "")

        return _look_up

    def _go_by_name(unit: str, name: str, code: str) -> tuple[str, str]:
        if level == "lsoa" or not name:
            return unit, name
        msoa = name_msoa(name)
        if level == "authority":
            msoa = re.sub(r" \d{3}$", "", msoa)
        return msoa, msoa

    return _go_by_name


def _refuse_contested(rows: pd.DataFrame, site: Column, cohort: Cohort) -> None:
    """Refuse incidents that one site has by its LSOA and another by its polygon."""
    polygon = rows["polygon"].to_numpy()
    both = (polygon >= 0) & (site >= 0) & (polygon != site)
    if both.any():
        keys = list(cohort.sites)
        shared = rows["n"][both].groupby([polygon[both], site[both]]).sum()
        one, other = shared.idxmax()
        found = _report_overlap(keys[one], keys[other], int(shared.max()), "incidents")
        raise InputError(found)


def _note_silent_sites(
    placed: pd.DataFrame, cohort: Cohort, places: Places, names: dict[str, str]
) -> None:
    """Note sites where nothing happened, and sites that the files do not mention."""
    seen = set(placed["site"].unique())
    for number, key in enumerate(cohort.sites):
        if number in seen:
            continue
        title = cohort.title_site(key)
        if key in places.polygons or (places.sites[key] and names):
            line = Check(CheckKind.DOUBT, "site without any incident", 1, f"{title}: counted as 0")
            places.notes.append((-1, line))
        else:
            places.absent.append(key)
            note = f"{title}: no file names it, so its counts are missing"
            line = Check(CheckKind.MISSING, "site that the files do not name", 1, note)
            places.notes.append((-1, line))


def _report_overlap(one: str, other: str, count: int, what: str) -> Problem:
    found = f"'{one}' and '{other}' overlap: {count:,} {what} lie in both"
    return Problem("cohort.yml", "key 'sites'", found, "An incident may count for one site only")
