"""Where the sites are: LSOA lists, wards and authorities through a lookup, polygons."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sbwork.read.places.boundaries import Boundaries, read_boundaries
from sbwork.read.places.shapes import refuse_overlaps
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = [
    "AreaChange",
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
    """Return the name of the MSOA that an LSOA lies in: its own without the last letter.

    Examples
    --------
    >>> name_msoa("Leeds 063A")
    'Leeds 063'
    """
    return lsoa_name[:-1] if re.fullmatch(r".+ \d{3}[A-Z]", lsoa_name) else lsoa_name


def read_lookup(cohort: Cohort) -> pd.DataFrame:
    """Read the cohort's lookup of LSOAs.

    Parameters
    ----------
    cohort : Cohort
        ``geography.lookup`` names a CSV file with one row an LSOA; ``geography.lookup_columns``
        says what its columns are called where they are not called as ONS does.

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
    raw = _read_table(cohort.resolve_path(shown), shown)
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
    """List the LSOAs of each site.

    Parameters
    ----------
    cohort : Cohort
        Sites name LSOAs, wards or authorities, by code or by name.
    lookup : pandas.DataFrame, optional
        From `read_lookup`; read when it is needed and not given.

    Returns
    -------
    dict of str to frozenset of str
        For each site its LSOA codes; none for a site given as a polygon or by name alone.

    Raises
    ------
    InputError
        A ward or an authority is not in the lookup or is the name of several; no lookup is
        given for it; two sites share an LSOA.

    Examples
    --------
    >>> place_sites(Cohort(name="pilot", sites={"a1": {"lsoas": ["E01000001"]}}))
    {'a1': frozenset({'E01000001'})}
    """
    problems: list[Problem] = []
    needs_lookup = any(site.wards or site.authorities for site in cohort.sites.values())
    if needs_lookup and not cohort.geography.lookup:
        raise InputError(
            Problem(
                "cohort.yml",
                "key 'sites'",
                "a site is given as a ward or an authority, but there is no lookup",
                "Name one under 'geography: lookup:', with columns such as LSOA11CD, WD21NM "
                "and LAD21NM",
            )
        )
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
    """Read the boundaries of LSOAs that the cohort names; none where it names none.

    Raises
    ------
    InputError
        A file can't be read, or its areas carry no LSOA code.
    """
    files = [(cohort.resolve_path(path), path) for path in cohort.geography.boundaries]
    boundaries = read_boundaries(files)
    if not all(boundaries.codes):
        raise InputError(
            Problem(
                list_names([shown for _, shown in files]),
                "",
                "an area has no LSOA code",
                "Each feature needs a property such as LSOA21CD or LSOA11CD",
            )
        )
    return boundaries


def read_site_polygons(cohort: Cohort) -> dict[str, Boundaries]:
    """Read the polygon of every site that is given as one.

    Raises
    ------
    InputError
        A file can't be read, an outline crosses itself, or two sites share more than the noise
        of drawing; see `sbwork.read.places.shapes.refuse_overlaps`.
    """
    files = {key: site.polygon for key, site in cohort.sites.items() if site.polygon}
    polygons = {
        key: read_boundaries([(cohort.resolve_path(file), file)]) for key, file in files.items()
    }
    refuse_overlaps(polygons, files)
    return polygons


def read_change(cohort: Cohort) -> AreaChange | None:
    """Read the table that leads from LSOAs of 2011 to those of 2021.

    An LSOA that was split, merged or redrawn is counted as the smallest area that both years
    can tell apart: the connected pieces of the table.

    Parameters
    ----------
    cohort : Cohort
        ``geography.lsoa_change`` names ONS's exact-fit lookup, with columns LSOA11CD and
        LSOA21CD.

    Returns
    -------
    AreaChange or None
        None where no table is named.

    Raises
    ------
    InputError
        The file can't be read or has no such columns.
    """
    shown = cohort.geography.lsoa_change
    if not shown:
        return None
    raw = _read_table(cohort.resolve_path(shown), shown)
    names = {re.sub(r"^f_", "", column.lower()): column for column in raw.columns}
    missing = [column for column in ("lsoa11cd", "lsoa21cd") if column not in names]
    if missing:
        found = f"there is no column {list_names([name.upper() for name in missing])}"
        columns = list(raw.columns)
        raise InputError(
            Problem(
                shown,
                "line 1",
                found,
                f"Columns found: {list_names(columns)}",
                find_nearest(missing[0], columns),
            )
        )
    old = raw[names["lsoa11cd"]].str.strip().tolist()
    new = raw[names["lsoa21cd"]].str.strip().tolist()
    return _join_changes([(a, b) for a, b in zip(old, new, strict=True) if a and b])


def site_populations(cohort: Cohort) -> dict[str, float]:
    """Return the residents of each site.

    The site's own ``population`` comes first, then the lookup's column summed over the site's
    LSOAs; NaN where neither is given, or where an LSOA has no figure.

    Examples
    --------
    >>> site_populations(Cohort(name="pilot", sites={"a1": {"population": 5000}}))
    {'a1': 5000.0}
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


def _join_changes(pairs: list[tuple[str, str]]) -> AreaChange:
    parent: dict[str, str] = {}

    def _root(code: str) -> str:
        while parent.setdefault(code, code) != code:
            parent[code] = parent[parent[code]]
            code = parent[code]
        return code

    for old_code, new_code in pairs:
        parent[_root(f"11{old_code}")] = _root(f"21{new_code}")
    pieces: dict[str, tuple[set[str], set[str]]] = {}
    for tagged in parent:
        years = pieces.setdefault(_root(tagged), (set(), set()))
        years[tagged.startswith("21")].add(tagged[2:])
    units: dict[str, str] = {}
    for old_codes, new_codes in pieces.values():
        if old_codes == new_codes and len(old_codes) == 1:
            continue
        whole = old_codes if len(old_codes) == 1 else new_codes
        unit = min(whole) if len(whole) == 1 else "+".join(sorted(old_codes))
        units |= dict.fromkeys(old_codes | new_codes, unit)
    every_old = {old_code for old_code, _ in pairs}
    every_new = {new_code for _, new_code in pairs}
    return AreaChange(units, frozenset(every_old - every_new), frozenset(every_new - every_old))


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
        told = [f"{row[level]} ({row['authority_name']})" for _, row in where.iterrows()]
        problems.append(
            Problem(
                "cohort.yml",
                place,
                f"'{quote(called)}' is the name of {len(several)} {level}s: {list_names(told, 6)}",
                "Give the code instead",
            )
        )
    return set(lookup.index[found].tolist())


def _find_overlaps(placed: dict[str, frozenset[str]]) -> list[Problem]:
    owner: dict[str, str] = {}
    shared: dict[tuple[str, str], list[str]] = {}
    for key, codes in placed.items():
        for code in sorted(codes):
            if code in owner:
                shared.setdefault((owner[code], key), []).append(code)
            else:
                owner[code] = key
    return [
        Problem(
            "cohort.yml",
            "key 'sites'",
            f"'{one}' and '{other}' overlap: both hold {list_names(codes, 5)}",
            "An incident may count for one site only",
        )
        for (one, other), codes in shared.items()
    ]


def _match_columns(raw: pd.DataFrame, given: dict[str, str], shown: str) -> dict[str, str]:
    columns = list(raw.columns)
    problems = [
        Problem(
            shown,
            "line 1",
            f"there is no column '{quote(column)}', which cohort.yml names for the {key}",
            f"Columns found: {list_names(columns)}",
            find_nearest(column, columns),
        )
        for key, column in given.items()
        if column not in columns
    ]
    if problems:
        raise InputError(problems)
    where: dict[str, str] = {}
    for key, pattern in _LOOKUP_PATTERNS.items():
        fits = [c for c in columns if re.fullmatch(pattern, re.sub(r"[^a-z0-9]", "", c.lower()))]
        if fits:
            where[key] = fits[0]
    where |= given
    if "lsoa" not in where:
        raise InputError(
            Problem(
                shown,
                "line 1",
                "no column holds LSOA codes",
                f"One such as LSOA21CD is wanted; found: {list_names(columns)}",
            )
        )
    return where


def _read_table(path: Path, shown: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False)
    except UnicodeDecodeError:
        table = pd.read_csv(path, dtype="str", encoding="cp1252", keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(Problem(shown, "", f"this is not a CSV table ({error})")) from None
    return table.rename(columns=lambda name: str(name).strip())


def _read_numbers(values: Iterable[str], column: str, shown: str) -> list[float]:
    numbers: list[float] = []
    for row, value in enumerate(values, start=2):
        plain = value.replace(",", "").strip()
        try:
            numbers.append(float(plain) if plain else math.nan)
        except ValueError:
            found = f"'{quote(value)}' is not a number"
            raise InputError(Problem(shown, f"row {row}, column '{column}'", found)) from None
    return numbers
