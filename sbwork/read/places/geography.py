"""Where the sites are: LSOA lists, wards and authorities through a lookup, polygons."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sbwork.read.places.boundaries import Boundaries, read_boundaries
from sbwork.read.places.shapes import refuse_overlaps
from sbwork.read.tables import read_small_table
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.masks import describe_cell

__all__ = [
    "AreaChange",
    "find_missing_columns",
    "name_msoa",
    "place_sites",
    "read_area_boundaries",
    "read_change",
    "read_lookup",
    "read_site_polygons",
    "site_populations",
]

_LOOKUP_PATTERNS = {
    "lsoa": r"lsoa(\d\d)?(cd|code)",
    "name": r"lsoa(\d\d)?(nm|name)",
    "msoa": r"msoa(\d\d)?(nm|name)?",
    "ward": r"(wd|ward)(\d\d)?(cd|code)",
    "ward_name": r"(wd|ward)(\d\d)?(nm|name)",
    "authority": r"(lad|ltla|la|localauthority)(\d\d)?(cd|code)",
    "authority_name": r"(lad|ltla|la|localauthority)(\d\d)?(nm|name)",
}


@dataclass(frozen=True)
class AreaChange:
    """How the LSOAs of 2011 became those of 2021.

    Attributes
    ----------
    units : dict of str to str
        For each code of either year that changed, the smallest area that both years can tell
        apart, called after the one code that stands for all of it where there is one.
    old_only, new_only : frozenset of str
        The codes that only 2011 has, and those that only 2021 has.
    """

    units: dict[str, str]
    old_only: frozenset[str]
    new_only: frozenset[str]


def name_msoa(lsoa_name: str) -> str:
    """Return the name of the MSOA that an LSOA lies in: its own without the last letter."""
    return lsoa_name[:-1] if re.fullmatch(r".+ \d{3}[A-Z]", lsoa_name) else lsoa_name


def read_lookup(cohort: Cohort) -> pd.DataFrame:
    """Read the cohort's lookup of LSOAs: CSV or Excel, one row an LSOA.

    Returns
    -------
    pandas.DataFrame, indexed by LSOA code
        Columns ``name``, ``msoa`` (its name), ``ward``, ``ward_name``, ``authority``,
        ``authority_name`` (text, empty where the file has no such column) and ``population``
        (float64, NaN likewise). No rows without a lookup.

    Raises
    ------
    InputError
        The file can't be read, a column is missing, or an LSOA stands twice in different places.
    """
    columns = ["name", "msoa", "ward", "ward_name", "authority", "authority_name"]
    if not cohort.geography.lookup:
        empty = pd.DataFrame(columns=columns, index=pd.Index([], name="lsoa"), dtype="str")
        return empty.assign(population=pd.Series([], dtype="float64"))
    shown = cohort.geography.lookup
    raw = read_small_table(cohort.resolve_path(shown), shown)
    given = {str(key): column for key, column in cohort.geography.lookup_columns.items()}
    where = _match_columns(raw, given, shown)
    table = pd.DataFrame(
        {key: raw[where[key]].str.strip() if key in where else "" for key in ["lsoa", *columns]}
    )
    table["population"] = math.nan
    if "population" in where:
        table["population"] = _read_numbers(raw[where["population"]], where["population"], shown)
    for code, name in (("ward", "ward_name"), ("authority", "authority_name")):
        if code not in where:
            table[code] = table[name]
        if name not in where:
            table[name] = table[code]
    table = table[table["lsoa"] != ""].drop_duplicates()
    twice = table["lsoa"][table["lsoa"].duplicated()].unique().tolist()
    if twice:
        found = f"LSOAs that stand in more than one place: {list_names(twice, 5)}"
        allowed = "The lookup has one row an LSOA; use ONS's best-fit lookup"
        raise InputError(Problem(shown, f"column '{where['lsoa']}'", found, allowed))
    return table.set_index("lsoa")


def place_sites(cohort: Cohort, lookup: pd.DataFrame | None = None) -> dict[str, frozenset[str]]:
    """List the LSOAs of each site; none for a site given as a polygon or by name alone.

    The lookup is read when it is needed and not given.

    Raises
    ------
    InputError
        A ward or an authority is not in the lookup or is the name of several; no lookup is
        given for it; two sites share an LSOA.
    """
    problems: list[Problem] = []
    needs_lookup = any(site.wards or site.authorities for site in cohort.sites.values())
    if needs_lookup and not cohort.geography.lookup:
        found = "a site is given as a ward or an authority, but there is no lookup"
        allowed = "Name one under 'geography: lookup:', with columns such as LSOA11CD, WD21NM "
        allowed += "and LAD21NM"
        raise InputError(Problem("cohort.yml", "key 'sites'", found, allowed))
    if needs_lookup and lookup is None:
        lookup = read_lookup(cohort)
    placed: dict[str, frozenset[str]] = {}
    for key, site in cohort.sites.items():
        codes = set(site.lsoas)
        for level, wanted in (("ward", site.wards), ("authority", site.authorities)):
            for called in wanted:
                assert lookup is not None  # noqa: S101 - read above whenever a ward is named
                codes |= _find_members(lookup, level, called, key, cohort, problems)
        placed[key] = frozenset(codes)
    problems += _find_overlaps(placed)
    if problems:
        raise InputError(problems)
    return placed


def read_area_boundaries(cohort: Cohort) -> Boundaries:
    """Read the boundaries of LSOAs that the cohort names; none where it names none."""
    files = [(cohort.resolve_path(path), path) for path in cohort.geography.boundaries]
    boundaries = read_boundaries(files)
    if not all(boundaries.codes):
        shown = list_names([shown for _, shown in files])
        allowed = "Each feature needs a property such as LSOA21CD or LSOA11CD"
        raise InputError(Problem(shown, "", "an area has no LSOA code", allowed))
    return boundaries


def read_site_polygons(cohort: Cohort) -> dict[str, Boundaries]:
    """Read the polygon of every site that is given as one, and refuse those that overlap."""
    files = {key: site.polygon for key, site in cohort.sites.items() if site.polygon}
    polygons = {
        key: read_boundaries([(cohort.resolve_path(file), file)]) for key, file in files.items()
    }
    refuse_overlaps({key: polygon.rings for key, polygon in polygons.items()}, files)
    return polygons


def read_change(cohort: Cohort) -> AreaChange | None:
    """Read the table that leads from LSOAs of 2011 to those of 2021: ONS's exact-fit lookup.

    An LSOA that was split, merged or redrawn is counted as the smallest area that both years
    can tell apart: the connected pieces of the table. None where no table is named.
    """
    shown = cohort.geography.lsoa_change
    if not shown:
        return None
    raw = read_small_table(cohort.resolve_path(shown), shown)
    names = {re.sub(r"^f_", "", column.lower()): column for column in raw.columns}
    missing = [column for column in ("lsoa11cd", "lsoa21cd") if column not in names]
    if missing:
        found = f"there is no column {list_names([name.upper() for name in missing])}"
        columns = list(raw.columns)
        allowed, near = f"Columns found: {list_names(columns)}", find_nearest(missing[0], columns)
        raise InputError(Problem(shown, "line 1", found, allowed, near))
    pairs = pd.DataFrame(
        {"old": raw[names["lsoa11cd"]].str.strip(), "new": raw[names["lsoa21cd"]].str.strip()}
    )
    return _join_changes(pairs[(pairs != "").all(axis=1)].reset_index(drop=True))


def site_populations(cohort: Cohort) -> dict[str, float]:
    """Return the residents of each site.

    The site's own ``population`` comes first, then the lookup's column summed over the site's
    LSOAs; NaN where neither is given, or where an LSOA has no figure.
    """
    lookup = read_lookup(cohort)
    placed = place_sites(cohort, lookup)
    known = lookup["population"].dropna()
    populations: dict[str, float] = {}
    for key, site in cohort.sites.items():
        codes = placed[key]
        if site.population is not None:
            populations[key] = float(site.population)
        elif codes and codes <= set(known.index):
            populations[key] = float(known.loc[sorted(codes)].sum())
        else:
            populations[key] = math.nan
    return populations


def _join_changes(pairs: pd.DataFrame) -> AreaChange:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    (old, old_codes), (new, new_codes) = (pd.factorize(pairs[year]) for year in ("old", "new"))
    size = len(old_codes) + len(new_codes)
    links = coo_array((np.ones(len(pairs)), (old, new + len(old_codes))), (size, size))
    piece = connected_components(links, directed=False)[1]
    units: dict[str, str] = {}
    for _, rows in pairs.groupby(piece[old]):
        before, after = sorted(set(rows["old"])), sorted(set(rows["new"]))
        if before == after and len(before) == 1:
            continue
        whole = before if len(before) == 1 else after
        unit = whole[0] if len(whole) == 1 else "+".join(before)
        units |= dict.fromkeys([*before, *after], unit)
    every_old, every_new = frozenset(old_codes), frozenset(new_codes)
    return AreaChange(units, every_old - every_new, every_new - every_old)


def _find_members(
    lookup: pd.DataFrame,
    level: str,
    called: str,
    key: str,
    cohort: Cohort,
    problems: list[Problem],
) -> set[str]:
    codes, names = lookup[level], lookup[f"{level}_name"]
    found = (codes == called) | (names.str.casefold() == called.casefold())
    several = sorted(codes[found].unique().tolist())
    place = f"key 'sites.{key}'"
    if not several:
        problems.append(
            Problem(
                "cohort.yml",
                place,
                f"the {level} '{quote(called)}' is not in the lookup {cohort.geography.lookup}",
                nearest=find_nearest(called, [n for n in names.unique().tolist() if n]),
            )
        )
    elif len(several) > 1:
        where = lookup[found].drop_duplicates(level)
        named = [f"{row[level]} ({row['authority_name']})" for _, row in where.iterrows()]
        problems.append(
            Problem(
                "cohort.yml",
                place,
                f"'{quote(called)}' is the name of {len(several)} {level}s: {list_names(named, 6)}",
                "Give the code instead",
            )
        )
    return set(lookup.index[found].tolist())


def _find_overlaps(placed: dict[str, frozenset[str]]) -> list[Problem]:
    owner: dict[str, str] = {}
    shared: dict[tuple[str, str], list[str]] = {}
    for key, codes in placed.items():
        for code in sorted(codes):
            first = owner.setdefault(code, key)
            if first != key:
                shared.setdefault((first, key), []).append(code)
    return [
        Problem(
            "cohort.yml",
            "key 'sites'",
            f"'{one}' and '{other}' overlap: both hold {list_names(codes, 5)}",
            "An incident may count for one site only",
        )
        for (one, other), codes in shared.items()
    ]


def find_missing_columns(
    given: Mapping[str, str], header: Sequence[str], shown: str
) -> list[Problem]:
    """Find the columns that cohort.yml names and a table (as a message calls it) lacks."""
    return [
        Problem(
            shown,
            "line 1",
            f"there is no column '{quote(column)}', which cohort.yml names for the {key}",
            f"Columns found: {list_names(header)}",
            find_nearest(column, header),
        )
        for key, column in given.items()
        if column not in header
    ]


def _match_columns(raw: pd.DataFrame, given: dict[str, str], shown: str) -> dict[str, str]:
    columns = list(raw.columns)
    problems = find_missing_columns(given, columns, shown)
    if problems:
        raise InputError(problems)
    where: dict[str, str] = {}
    for key, pattern in _LOOKUP_PATTERNS.items():
        fits = [c for c in columns if re.fullmatch(pattern, re.sub(r"[^a-z0-9]", "", c.lower()))]
        if fits:
            where[key] = fits[0]
    where |= given
    if "lsoa" not in where:
        allowed = f"One such as LSOA21CD is wanted; found: {list_names(columns)}"
        raise InputError(Problem(shown, "line 1", "no column holds LSOA codes", allowed))
    return where


def _read_numbers(values: pd.Series, column: str, shown: str) -> pd.Series:
    plain = values.str.replace(",", "").str.strip()
    numbers = pd.to_numeric(plain, errors="coerce")
    wrong = np.flatnonzero(numbers.isna() & ~plain.str.lower().isin(["", "nan"]))
    if wrong.size:
        found = f"{describe_cell(str(values.iloc[wrong[0]]))} is not a number"
        place = f"row {values.index[wrong[0]]}, column '{column}'"
        raise InputError(Problem(shown, place, found))
    return numbers
