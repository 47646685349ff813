"""Which site and which area each counted incident belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sbwork.cohort import Cohort
from sbwork.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.places.boundaries import Boundaries, convert_grid, locate_points
from sbwork.places.geography import (
    AreaChange,
    name_msoa,
    place_sites,
    read_area_boundaries,
    read_change,
    read_lookup,
    read_site_polygons,
)

__all__ = ["Places", "place_rows", "read_places"]

_CERTAIN = 1e-3
_NEWEST_OF_2011 = {"E010": "E01033768", "W010": "W01001958"}
_GEOPORTAL = "ONS publishes it as 'LSOA (2011) to LSOA (2021) Exact Fit Lookup'"

Note = tuple[int, str, float, str]


@dataclass
class Places:
    """The sites and areas of a cohort, and what came to light while rows were placed in them.

    Attributes
    ----------
    sites : dict of str to frozenset of str
        The LSOAs of each site.
    lookup : pandas.DataFrame
        See `sbwork.places.geography.read_lookup`.
    boundaries : Boundaries
        Of LSOAs; may be empty.
    polygons : dict of str to Boundaries
        The sites given as polygons.
    change : AreaChange or None
        From 2011 to 2021.
    areas, names : list of str
        The code and name of each area, once rows are placed.
    notes : list of tuple
        Source (-1 for all), check, count and note.
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


def place_rows(store: Any, cohort: Cohort, places: Places) -> None:
    """Make the table ``placed`` from ``tally`` and ``batches``.

    Its columns are ``source``, ``feed_number``, ``site``, ``area`` (positions; -1 for none),
    ``lsoa``, ``kind``, ``month`` (12 x year + month - 1), ``located`` (has coordinates),
    ``pointed`` (placed by them) and ``n``.

    Raises
    ------
    InputError
        LSOAs of 2011 and 2021 are mixed and no table joins them; a site holds part of an area
        that can't be told apart; sites overlap; no LSOA of a site is known.
    """
    _place_points(store, cohort, places)
    names = dict(
        store.execute("SELECT lsoa, max(name) FROM pointed WHERE lsoa <> '' GROUP BY 1").fetchall()
    )
    for code, name in zip(places.boundaries.codes, places.boundaries.names, strict=True):
        names[code] = names.get(code) or name
    units = _join_years(store, cohort, places, set(names))
    _check_sites(cohort, places, names, units)
    _group_areas(store, cohort, places, names, units)
    store.execute(
        """
        CREATE TEMP TABLE placed AS
        SELECT source, coalesce(dim_lsoa.site, dim_called.site, polygon, -1) AS site,
               coalesce(dim_lsoa.area, dim_called.area, -1) AS area, pointed.lsoa AS lsoa, kind,
               feed_number, dim_month.number AS month, located, was_pointed AS pointed, n
        FROM pointed
        JOIN (
            SELECT DISTINCT month, left(month, 4)::INTEGER * 12 + right(month, 2)::INTEGER - 1
            FROM pointed
        ) AS dim_month(month, number) USING (month)
        LEFT JOIN dim_lsoa USING (lsoa)
        LEFT JOIN dim_called USING (source, called)
        """
    )
    _refuse_contested(store, cohort)
    _name_silent_sites(store, cohort, places, names)


def _place_points(store: Any, cohort: Cohort, places: Places) -> None:
    keys = list(cohort.sites)
    found = store.execute(
        "SELECT DISTINCT x, y, grid FROM tally JOIN batches USING (batch) "
        "WHERE x IS NOT NULL AND y IS NOT NULL"
    ).fetchnumpy()
    x, y = (np.asarray(found[column], dtype=np.float64) for column in ("x", "y"))
    grid = np.asarray(found["grid"], dtype=np.bool_)
    longitude, latitude = x.copy(), y.copy()
    if grid.any():
        longitude[grid], latitude[grid] = convert_grid(x[grid], y[grid])
    area = locate_points(places.boundaries, longitude, latitude)
    codes = np.array([*places.boundaries.codes, ""], dtype=object)
    polygon = np.full(x.shape, -1)
    for key, outline in places.polygons.items():
        inside = locate_points(outline, longitude, latitude) >= 0
        both = inside & (polygon >= 0)
        if both.any():
            other = keys[int(polygon[both][0])]
            raise InputError(_report_overlap(key, other, int(both.sum()), "points"))
        polygon[inside] = keys.index(key)
    if not x.size:
        store.execute(
            """
            CREATE TEMP VIEW pointed AS
            SELECT source, batch, feed_number, lsoa, called, NULL::INTEGER AS polygon, kind,
                   month, name, located, false AS was_pointed, n
            FROM tally JOIN batches USING (batch)
            """
        )
        return
    found_at = {"x": x, "y": y, "grid": grid, "within": codes[area], "polygon": polygon}
    store.register("_points", pd.DataFrame(found_at))
    store.execute("CREATE TEMP TABLE points AS SELECT * FROM _points")
    store.unregister("_points")
    store.execute(
        """
        CREATE TEMP TABLE pointed AS
        SELECT source, batch, feed_number, coalesce(nullif(lsoa, ''), within, '') AS lsoa, called,
               nullif(polygon, -1) AS polygon, kind, month, max(name) AS name, located,
               lsoa = '' AND coalesce(within, '') <> '' AS was_pointed, sum(n) AS n
        FROM tally JOIN batches USING (batch) LEFT JOIN points USING (x, y, grid)
        GROUP BY ALL
        """
    )


def _join_years(store: Any, cohort: Cohort, places: Places, present: set[str]) -> dict[str, str]:
    """Map changed LSOAs to the areas that 2011 and 2021 share, where the two must be joined."""
    wanted = {code for codes in places.sites.values() for code in codes}
    change = places.change
    if change is None:
        _refuse_mixed_years(store, present)
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
    places.notes.append(
        (-1, "LSOAs joined across the 2011 and 2021 boundaries", len(touched), note)
    )
    places.sites = {
        key: frozenset(change.units.get(code, code) for code in codes)
        for key, codes in places.sites.items()
    }
    return change.units


def _refuse_mixed_years(store: Any, present: set[str]) -> None:
    """Refuse a series in which LSOAs of 2021 stand in some months and are missing from others.

    Without a table the codes that only 2021 has are known by their numbers. Their share of the
    months that have them says how many incidents the other months should hold; when none is
    there and chance explains that less than once in a thousand, the months are of 2011.
    """
    new = sorted(code for code in present if _is_from_2021(code))
    if not new:
        return
    rows = store.execute(
        """
        SELECT feed, month, coalesce(sum(n) FILTER (list_contains($new, lsoa)), 0)
        FROM pointed JOIN batches USING (source, batch) WHERE lsoa <> '' GROUP BY ALL ORDER BY ALL
        """,
        {"new": new},
    ).fetchall()
    problems = []
    for feed in sorted({feed for feed, _, _ in rows}):
        with_new = {month: n for f, month, n in rows if f == feed and n}
        without = [month for f, month, n in rows if f == feed and not n]
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
        places.notes.append((-1, "LSOAs of a site without any incident", len(unseen), note))
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
    store: Any, cohort: Cohort, places: Places, names: dict[str, str], units: dict[str, str]
) -> None:
    keys = list(cohort.sites)
    owner = {code: keys.index(key) for key, codes in places.sites.items() for code in codes}
    position: dict[str, int] = {}
    rows: list[tuple[str, int | None, int | None]] = []
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
        rows.append((code, owner.get(unit), position.get(area)))
    if ungrouped:
        note = "They count for sites, but stand in no area with which sites are compared"
        places.notes.append((-1, "LSOAs that the lookup does not hold", ungrouped, note))
    _fill(store, "dim_lsoa (lsoa VARCHAR, site INTEGER, area INTEGER)", rows)
    called = store.execute(
        "SELECT source, called, sum(n), bool_and(lsoa = '') FROM pointed WHERE called <> '' "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    _fill(
        store,
        "dim_called (source INTEGER, called VARCHAR, site INTEGER, area INTEGER)",
        _name_called(called, cohort, places, position),
    )


def _name_called(
    called: list[tuple[int, str, float, bool]],
    cohort: Cohort,
    places: Places,
    position: dict[str, int],
) -> list[tuple[int, str, int | None, int | None]]:
    """Match what the files call a site; what is no site is an area, and a slip is refused."""
    keys = list(cohort.sites)
    spoken = {
        name: key
        for key, site in cohort.sites.items()
        for name in (key, site.title, *site.names)
        if name
    }
    rows: list[tuple[int, str, int | None, int | None]] = []
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
        rows.append(
            (source, name, keys.index(key) if key else None, position[name] if alone else None)
        )
    if problems:
        raise InputError(problems)
    return rows


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


def _refuse_contested(store: Any, cohort: Cohort) -> None:
    if not any(site.polygon for site in cohort.sites.values()):
        return
    row = store.execute(
        """
        SELECT p.polygon, d.site, sum(n) FROM pointed p JOIN dim_lsoa d USING (lsoa)
        WHERE p.polygon <> d.site GROUP BY ALL ORDER BY 3 DESC LIMIT 1
        """
    ).fetchone()
    if row:
        keys = list(cohort.sites)
        raise InputError(_report_overlap(keys[row[0]], keys[row[1]], int(row[2]), "incidents"))


def _name_silent_sites(store: Any, cohort: Cohort, places: Places, names: dict[str, str]) -> None:
    """Tell sites where nothing happened from sites that the files do not speak of."""
    seen = {row[0] for row in store.execute("SELECT DISTINCT site FROM placed").fetchall()}
    for number, key in enumerate(cohort.sites):
        if number in seen:
            continue
        title = cohort.title_site(key)
        if key in places.polygons or (places.sites[key] and names):
            places.notes.append((-1, "site without any incident", 1, f"{title}: counted as 0"))
        else:
            places.absent.append(key)
            note = f"{title}: no file names it, so its counts are missing"
            places.notes.append((-1, "site that the files do not name", 1, note))


def _report_overlap(one: str, other: str, count: int, what: str) -> Problem:
    found = f"'{one}' and '{other}' overlap: {count:,} {what} lie in both"
    return Problem("cohort.yml", "key 'sites'", found, "An incident may count for one site only")


def _fill(store: Any, table: str, rows: list[Any]) -> None:
    name, _, columns = table.partition(" ")
    store.execute(f"CREATE TEMP TABLE {name} {columns}")
    if rows:
        values = [list(column) for column in zip(*rows, strict=True)]
        places = ", ".join(f"unnest(${number + 1})" for number in range(len(values)))
        store.execute(f"INSERT INTO {name} SELECT {places}", values)
