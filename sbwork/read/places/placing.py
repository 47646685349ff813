"""Which site and which area each counted incident belongs to."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.places.boundaries import Boundaries, locate_points
from sbwork.read.places.coordinates import (
    ALLOWED,
    DEGREES,
    NATIONAL_GRID,
    SWAPPED_GRID,
    SYSTEMS,
    convert_points,
    describe_range,
    recognise_systems,
)
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
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names
from sbwork.specs.masks import mask_name
from sbwork.specs.periods import number_month

__all__ = ["NOTABLE_SHARE", "Places", "find_recorded", "place_rows", "read_places"]

NOTABLE_SHARE = 0.1
"""Who records less of a place's incidents, or a part that has less of them, is left aside."""

_CERTAIN = 1e-3
_SPILL_OVER = 0.05
_MANY_NAMES = 50
FEWEST_HITS = 10
"""Rows that must lie in a site or an area for the order of their coordinates to be certain."""

_NEWEST_OF_2011 = {"E010": "E01033768", "W010": "W01001958"}
_GEOPORTAL = "ONS publishes it as 'LSOA (2011) to LSOA (2021) Exact Fit Lookup'"

Note = tuple[int, Check]
Column = npt.NDArray[np.int32]
Positions = npt.NDArray[np.intp]


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
    boundaries, polygons = read_area_boundaries(cohort), read_site_polygons(cohort)
    return Places(
        place_sites(cohort, lookup),
        lookup,
        boundaries,
        polygons,
        read_change(cohort),
        notes=[(-1, note) for each in (boundaries, *polygons.values()) for note in each.notes],
    )


def place_rows(
    tally: pd.DataFrame,
    names: Mapping[str, str],
    feeds: Sequence[str],
    files: Sequence[str],
    cohort: Cohort,
    places: Places,
) -> pd.DataFrame:
    """Say of counted incidents in which site and area they are.

    `tally` has, beside the columns of a tally, ``source``, ``feed`` and ``file`` (positions);
    `names` is what the files call an LSOA, by its code; `files` what a message calls them;
    `places` gets the areas, and what came to light.

    Returns
    -------
    pandas.DataFrame
        ``source``, ``feed``, ``site``, ``area`` (positions; -1 for none), ``lsoa``, ``kind``
        (categories), ``month`` (12 x year + month - 1), ``located`` (has coordinates),
        ``pointed`` (placed by them), ``lost`` (nothing says where they were), ``n`` and ``again``
        (see `sbwork.read.incidents.tallies.fetch_tally`).

    Raises
    ------
    InputError
        LSOAs of 2011 and 2021 are mixed and no table joins them; a site holds part of an area
        that can't be told apart; sites overlap; no LSOA of a site is known; coordinates are in no
        known system; no row of a source, or none of all, lies in a place that is known.
    """
    rows = _place_points(tally, files, cohort, places)
    codes = rows["lsoa"].cat.categories
    met = rows["lsoa"].cat.codes.unique()
    known = {code: names.get(code, "") for code in codes[met] if code}
    for code, name in zip(places.boundaries.codes, places.boundaries.names, strict=True):
        known[code] = known.get(code) or name
    units = _join_years(rows, feeds, cohort, places, set(known))
    _check_sites(cohort, places, known, units)
    counts = rows.groupby("lsoa", observed=True)["n"].sum()
    site_of, area_of = _group_areas(cohort, places, known, units, counts)
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
    kept = ["source", "feed", "lsoa", "kind", "located", "pointed", "n", "again"]
    placed = rows[kept].assign(
        site=_take_first(site, called_site, polygon),
        area=_take_first(area, called_area),
        month=numbers[rows["month"].cat.codes.to_numpy()],
    )
    outlined = bool(places.boundaries.codes) or places.polygons.keys() == cohort.sites.keys()
    nowhere = (placed["site"] < 0) & (placed["area"] < 0) & (placed["lsoa"] == "")
    placed["lost"] = nowhere & ~(placed["located"] & outlined)
    if cohort.sites:
        _refuse_unplaced(rows, placed, cohort, places)
    _note_silent_sites(placed, cohort, places, known)
    return placed


def _take_first(*columns: Column) -> Column:
    """Take of each row the first position that is one."""
    taken = columns[0]
    for column in columns[1:]:
        taken = np.where(taken >= 0, taken, column)
    return taken


def _place_points(
    tally: pd.DataFrame, files: Sequence[str], cohort: Cohort, places: Places
) -> pd.DataFrame:
    """Give rows with coordinates the LSOA and the polygon that they lie in."""
    polygon = np.full(len(tally), -1, np.int32)
    pointed = np.zeros(len(tally), np.bool_)
    rows = tally.assign(polygon=polygon, pointed=pointed)
    with_point = np.flatnonzero(np.isfinite(tally["x"].to_numpy()))
    if not with_point.size:
        return rows
    x, y, n, file, source = (
        tally[name].to_numpy()[with_point] for name in ("x", "y", "n", "file", "source")
    )
    # What a reader kept back lies in Great Britain as longitude and latitude, far from the sites.
    located = np.bincount(tally["file"], tally["n"] * tally["located"], len(files))
    others = np.maximum(located - np.bincount(file, n, len(files)), 0.0)
    system = recognise_systems(x, y, n, file, files, others)[file]
    inside, area = _find_places(x, y, system, cohort, places)
    system, inside, area = _turn_grids(
        x, y, n, system, (file, source), inside, area, cohort, places
    )
    _note_systems(system, n, file, source, files, places)
    polygon[with_point] = inside
    elsewhere = np.ones(x.size, np.bool_)
    for number in np.unique(system):
        elsewhere &= ~((system == number) & SYSTEMS[number].contains(x, y))
    located_rows = tally["located"].to_numpy(copy=True)
    located_rows[with_point[elsewhere]] = False
    unplaced = (tally["lsoa"] == "").to_numpy()[with_point] & (area >= 0)
    pointed[with_point] = unplaced
    lsoa = tally["lsoa"].astype("str").to_numpy(dtype=object, copy=True)
    lsoa[with_point[unplaced]] = np.array(places.boundaries.codes, dtype=object)[area[unplaced]]
    codes, found_codes = pd.factorize(lsoa)
    placed: Any = pd.Categorical.from_codes(codes, pd.Index(found_codes, dtype="str"))
    return rows.assign(lsoa=placed, polygon=polygon, pointed=pointed, located=located_rows)


def _turn_grids(
    x: Array,
    y: Array,
    n: Array,
    system: Positions,
    groups: tuple[Column, Column],
    inside: Column,
    area: Positions,
    cohort: Cohort,
    places: Places,
) -> tuple[Positions, Column, Positions]:
    """Exchange eastings and northings where only the other order has rows in a site or an area.

    Both orders are in the range of Great Britain, so only places can tell: those of a file, or
    of a whole source.
    """
    hits = n * ((inside >= 0) | (area >= 0))
    missed = [np.bincount(group, hits)[group] == 0 for group in groups]
    turned = np.flatnonzero((system == NATIONAL_GRID) & np.logical_or(*missed))
    if not turned.size:
        return system, inside, area
    other = np.full(turned.size, SWAPPED_GRID)
    found = _find_places(x[turned], y[turned], other, cohort, places)
    hits = n[turned] * ((found[0] >= 0) | (found[1] >= 0))
    certain = np.zeros(turned.size, np.bool_)
    for group, empty in zip(groups, missed, strict=True):
        own = group[turned]
        certain |= empty[turned] & (np.bincount(own, hits)[own] >= FEWEST_HITS)
    turned = turned[certain]
    system[turned] = SWAPPED_GRID
    inside[turned], area[turned] = (each[certain] for each in found)
    return system, inside, area


def _find_places(
    x: Array, y: Array, system: Positions, cohort: Cohort, places: Places
) -> tuple[Column, Positions]:
    """Find the polygon of a site and the area of the boundaries that each point lies in."""
    points = pd.DataFrame({"x": x, "y": y, "system": system})
    group = points.groupby(["x", "y", "system"], sort=False).ngroup().to_numpy()
    _, first = np.unique(group, return_index=True)
    x, y, system = x[first], y[first], system[first]
    longitude, latitude = x.copy(), y.copy()
    for number in np.unique(system):
        chosen = system == number
        longitude[chosen], latitude[chosen] = convert_points(x[chosen], y[chosen], SYSTEMS[number])
    polygon = _find_polygons(places, cohort, longitude, latitude)
    area = locate_points(places.boundaries.shapes, longitude, latitude)
    return polygon[group], area[group]


def _note_systems(
    system: Positions,
    n: Array,
    file: Column,
    source: Column,
    files: Sequence[str],
    places: Places,
) -> None:
    """Note which files of a source were converted, and from what."""
    for one in np.unique(source):
        for number in np.unique(system[(source == one) & (system != DEGREES)]):
            chosen = (source == one) & (system == number)
            named = [files[position] for position in np.unique(file[chosen])]
            note = f"{list_names(named, 3)}: taken for {SYSTEMS[number].title}, and converted"
            kind = CheckKind.READ if number == NATIONAL_GRID else CheckKind.DOUBT
            line = Check(
                kind, "rows whose coordinates were converted", float(n[chosen].sum()), note
            )
            places.notes.append((int(one), line))


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
    _refuse_mixed_years(rows, feeds, cohort, places, present)
    if change is None:
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


def _refuse_mixed_years(
    rows: pd.DataFrame, feeds: Sequence[str], cohort: Cohort, places: Places, present: set[str]
) -> None:
    """Refuse LSOAs of 2021 that stand in some months only, where a site or its comparison has them.

    Without a table the codes that only 2021 has are known by their numbers. Their share of the
    months that have them says how many incidents the other months should hold; when none is
    there and chance explains that less than once in a thousand, the months are of 2011. Such rows
    elsewhere, as spill-over from another force is, are noted.
    """
    joined = places.change.new_only if places.change else frozenset()
    new = sorted(code for code in present - joined if _is_from_2021(code))
    if not new:
        return
    placed = rows[rows["lsoa"] != ""]
    by_code = placed.groupby(["feed", "lsoa", "month"], observed=True)["n"].sum().reset_index()
    by_code = by_code[by_code["n"] > 0]
    problems = []
    for number, feed in enumerate(feeds):
        own = by_code[by_code["feed"] == number]
        fresh = own[own["lsoa"].isin(new)]
        with_new = sorted({str(month) for month in fresh["month"]})
        without = sorted({str(month) for month in own["month"]} - set(with_new))
        expected = fresh["n"].sum() / max(len(with_new), 1) * len(without)
        if math.exp(-expected) >= _CERTAIN:
            continue
        touched = _find_touched(own, by_code, fresh, len(without), cohort, places)
        said = f"LSOAs of 2021 stand in {_name_span(with_new)}, but {_name_span(without)} use "
        said += "those of 2011"
        if touched:
            which = "; ".join(f"{name}: {list_names(codes, 12)}" for name, codes in touched.items())
            found = f"{said}; counting them together would take moved boundaries for change"
            allowed = (
                "Name the table that joins them under 'geography: lsoa_change:'. It must hold "
            )
            problems.append(
                Problem(feed, "column 'LSOA code'", found, f"{allowed}{which}. {_GEOPORTAL}")
            )
        else:
            codes = sorted({str(code) for code in fresh["lsoa"]})
            note = f"{feed}: {said}, in no site and in no area like them: {list_names(codes, 6)}"
            line = Check(CheckKind.READ, "rows in LSOAs of 2021", float(fresh["n"].sum()), note)
            places.notes.append((-1, line))
    if problems:
        raise InputError(problems)


def _find_touched(
    own: pd.DataFrame,
    everyone: pd.DataFrame,
    fresh: pd.DataFrame,
    n_without: int,
    cohort: Cohort,
    places: Places,
) -> dict[str, list[str]]:
    """List the LSOAs that start or stop with the year 2021, by the site or areas that have them.

    `own` are the counts of one feed by LSOA and month, `fresh` those of LSOAs of 2021.
    """
    later = own["month"].isin(fresh["month"].unique())
    n_later = fresh["month"].nunique()
    before, after = (
        own[part].groupby("lsoa", observed=True)["n"].sum() for part in (~later, later)
    )
    lost = before[~before.index.isin(after.index)]
    gone = set(lost[np.exp(-lost / max(n_without, 1) * n_later) < _CERTAIN].index)
    touched: dict[str, list[str]] = {}
    recorded = False
    for key, codes in places.sites.items():
        inside, of_all = (part["n"][part["lsoa"].isin(codes)].sum() for part in (own, everyone))
        if inside and inside >= NOTABLE_SHARE * of_all:
            recorded = True
            if moved := sorted(codes & (gone | set(fresh["lsoa"]))):
                touched[cohort.title_site(key)] = moved
    sums = own.groupby("lsoa", observed=True)["n"].sum()
    large = sums.index[find_recorded(sums.to_numpy(dtype=float))]
    if (recorded or places.polygons) and (moved := sorted(set(large) & set(fresh["lsoa"]))):
        touched["areas that sites are compared with"] = moved
    return touched


def find_recorded(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Find the areas that a force records as its own, by their incidents.

    An area with less than a twentieth of that in which the middle incident lies has only what
    spills over from the next force.
    """
    ordered = np.sort(sums)
    middle = np.searchsorted(np.cumsum(ordered), ordered.sum() / 2) if ordered.size else 0
    found: npt.NDArray[np.bool_] = sums >= _SPILL_OVER * ordered[middle : middle + 1].sum()
    return found


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
                    f"These hold such as {list_names(sorted(present)[:2])}",
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
    cohort: Cohort,
    places: Places,
    names: dict[str, str],
    units: dict[str, str],
    counts: pd.Series,
) -> tuple[dict[str, int], dict[str, int]]:
    """List the areas; return the site and the area of each LSOA that has one."""
    keys = list(cohort.sites)
    owner = {code: keys.index(key) for key, codes in places.sites.items() for code in codes}
    position: dict[str, int] = {}
    site_of: dict[str, int] = {}
    area_of: dict[str, int] = {}
    ungrouped: list[str] = []
    group = _choose_group(cohort, places)
    for code in sorted(names):
        unit = units.get(code, code)
        area, name = group(unit, names.get(unit) or names[code], code)
        if not area:
            ungrouped.append(code)
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
        lost = counts[counts.index.isin(ungrouped)].sort_values(ascending=False, kind="stable")
        note = (
            f"{list_names([*map(str, lost.index)] or ungrouped, 6)}: they hold {lost.sum():,.0f} "
        )
        note += "rows, which count for sites but "
        note += "in no area with which sites are compared"
        check = "LSOAs that the lookup does not hold"
        places.notes.append((-1, Check(CheckKind.DOUBT, check, len(ungrouped), note)))
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
        for name in (key, site.title, *site.names, *site.wards, *site.authorities)
        if name
    }
    position = {area: number for number, area in enumerate(places.areas)}
    placed: dict[tuple[int, str], tuple[int, int]] = {}
    problems = []
    met = {(source, cohort.identify_site(name)) for source, name, _, _ in called}
    listed = Counter(source for source, *_ in called)
    for source, name, count, alone in called:
        key = cohort.identify_site(name)
        near = "" if key else find_nearest(name, spoken)
        # In a list of all wards many a name is like that of a site, and is no slip.
        other = (source, spoken.get(near, "")) in met and listed[source] > _MANY_NAMES
        if near and not other and re.sub(r"\D", "", near) == re.sub(r"\D", "", name):
            shown = cohort.incidents[source].path
            found = f"a name much like a site's ({count:,.0f} incidents) is no site of this cohort"
            allowed = f"Add it to the names of the site if it is meant: {list_names(list(spoken))}"
            problems.append(Problem(shown, "column of sites", found, allowed, near))
        if alone and name not in position:
            position[name] = len(position)
            places.areas.append(name)
            places.names.append(cohort.title_site(key) if key else mask_name(name))
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


def _refuse_unplaced(
    rows: pd.DataFrame, placed: pd.DataFrame, cohort: Cohort, places: Places
) -> None:
    """Refuse a source of which no row lies in any place, and files of which none lies in a site."""
    known = (placed["site"] >= 0) | (placed["area"] >= 0)
    problems = []
    for source in range(len(cohort.incidents)):
        part = rows[rows["source"] == source]
        count = float(part["n"].sum())
        if not count or known[part.index].any():
            continue
        points = part[part["x"].notna()]
        found = f"none of its {count:,.0f} rows lies in a place that is known"
        allowed = "Give their LSOA codes, or coordinates and the boundaries to place them in"
        if len(points):
            found += f" ({describe_range(points['x'].to_numpy(), points['y'].to_numpy())})"
            allowed = f"See that boundaries and coordinates are of one part of Britain. {ALLOWED}"
        elif part["located"].any():
            found += ": they have coordinates, and there are no boundaries around them"
            allowed = "Name these under 'geography: boundaries:', or 'polygon:' of each site"
        problems.append(Problem(cohort.incidents[source].path, "", found, allowed))
    total = float(placed["n"].sum())
    if total and not problems and not (placed["site"] >= 0).any():
        silent = [key for key in cohort.sites if key in places.polygons]
        if silent:
            found = f"none of the {total:,.0f} rows of the incident files lies in any site"
            allowed = f"See that the outlines of the sites are right: {list_names(silent)}"
            problems.append(Problem("cohort.yml", "key 'sites'", found, allowed))
    if problems:
        raise InputError(problems)


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
