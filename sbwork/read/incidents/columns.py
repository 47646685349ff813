"""Which column of a table of incidents is what, and whether one of them counts incidents."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from sbwork.read.incidents.months import read_dates, read_month
from sbwork.read.incidents.opening import Opened
from sbwork.read.incidents.police_uk import is_street_column
from sbwork.read.places.geography import find_missing_columns
from sbwork.specs.cohort import IncidentSource
from sbwork.specs.documents import fold_name
from sbwork.specs.errors import InputError, Problem, list_names, quote

__all__ = [
    "REPEAT_LABELS",
    "STATE_ROWS",
    "Table",
    "find_columns",
    "find_count",
    "find_months",
    "names_count",
    "rank_header",
]

REPEAT_LABELS = "Write the labels into every row; in Excel: PivotTable Design, Report Layout, "
REPEAT_LABELS += "'Show in Tabular Form' and 'Repeat All Item Labels'"
STATE_ROWS = "if a row is one incident, say 'format: rows' in cohort.yml"

_GUESSES = {
    "month": ("month", "date", "incidentdate", "dateofincident", "datereported", "reporteddate",
              "dateoccurred", "occurreddate", "createddate", "datetime", "yearmonth", "monthyear",
              "period"),
    "crime_type": ("majortext", "majorcategory", "crimetype", "type", "offencegroup", "offence",
                   "offencetype", "category", "incidenttype", "outcome", "crimecategory", "group"),
    "crime_subtype": ("minortext", "minorcategory", "crimesubtype", "offencesubgroup",
                      "offencesubtype", "subgroup", "subtype", "subcategory"),
    "lsoa": ("lsoa", "lsoacode", "lsoa11cd", "lsoa21cd", "lsoa11", "lsoa21"),
    "longitude": ("longitude", "lon", "long", "lng", "easting", "eastings", "x", "xcoord",
                  "xcoordinate", "gridx", "grideast", "grideasting"),
    "latitude": ("latitude", "lat", "northing", "northings", "y", "ycoord",
                 "ycoordinate", "gridy", "gridnorth", "gridnorthing"),
    "site": ("site", "area", "sitename", "areaname", "beat", "neighbourhood"),
    "ward": ("ward", "wardname", "wardnm", "wdnm", "wardcode", "wardcd", "wdcd", "areacode",
             "lookupboroughname", "borough", "boroughname", "district", "localauthority",
             "lanm", "ladnm", "lacd", "ladcd"),
}  # fmt: skip

_THINGS = "crime|offence|offense|incident|record|case|event|report|occurrence|asb"
_COUNTING = "count|total|sum|volume|frequency|freq|cnt|qty|quantity"
_NAMES_A_COUNT = re.compile(
    rf"(?:{_COUNTING}|{_THINGS}|value|number|num|nr|no|n|of|the|all|recorded|reported|police|id|s)+"
)
_IS_SURE = re.compile(rf"{_COUNTING}|(?:number|num|nr|no)s?of|^n$|^(?!.*id$).*(?:{_THINGS})s")
_MAY_BE = re.compile(r"(?:number|num|nr|no|value)s?$")
_REFERENCE = re.compile(
    rf"(?:niche|storm|police|unique|(?:{_THINGS})s?)*(?:urn|id|ref|reference|number|num|nr|no)+"
)
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?")

_AGGREGATE = re.compile(r"^(?:(?:sum|count|total) of |X(?=\d))", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]\d{8}")
_YEARS = re.compile(r"(\d{4})[-/](\d{2})")
_ROWS_LOOKED_AT = 2_000
_ROWS_SEARCHED = 50_000
_FEWEST_ROWS = 10
_LARGE = 10_000


@dataclass(frozen=True)
class Table(Opened):
    """A file that is opened, and which of its columns is what.

    Where months are columns, `months` are these by their positions. `unique` says that no two
    rows count the same.
    """

    where: dict[str, str] = field(default_factory=dict)
    months: dict[int, str] = field(default_factory=dict)
    unique: bool = False

    @property
    def places(self) -> list[int]:
        """The positions of all columns that name a place, by their headings."""
        names = {*_GUESSES["site"], *_GUESSES["ward"]}
        return [at for at, name in enumerate(self.header) if _fold_place(name) in names]


def rank_header(names: Sequence[str], given: Collection[str]) -> int:
    """Return how many of these names are `given` ones, or common for what is needed."""
    free = [name for name in names if name not in given]
    months = sum(bool(read_month(name)) for name in free)
    return len(set(given) & set(names)) + len(_guess_columns(free)) + (months > 2)


def find_months(header: Sequence[str], shown: str) -> dict[int, str]:
    """Find the columns that hold the counts of a month, by their positions.

    None where a column of months is there, or fewer than two are.

    Raises
    ------
    InputError
        Two columns are of the same month, or the columns are years that look like months.
    """
    plain = [_AGGREGATE.sub("", name) for name in header]
    months = {at: month for at, name in enumerate(plain) if (month := read_month(name))}
    if len(months) < 2 or "month" in _guess_columns(header):
        return {}
    _, notes, doubt = read_dates({plain[at]: 1.0 for at in months}, shown)
    if doubt or notes:
        found = doubt or "a spreadsheet program has made days of the months in the header"
        raise InputError(Problem(shown, "line 1", found, "Write months as 2017-07 or Jul 2017"))
    pairs = [pair for at in months if (pair := _YEARS.fullmatch(plain[at]))]
    if sum((int(pair[1]) + 1) % 100 == int(pair[2]) for pair in pairs) == len(months):
        found = f"the columns are years, not months: {list_names([header[at] for at in months], 3)}"
        raise InputError(Problem(shown, "line 1", found, "Counts are needed by month"))
    first: dict[str, int] = {}
    for at, month in months.items():
        if (earlier := first.setdefault(month, at)) != at:
            found = f"two columns hold {month}: {list_names([header[earlier], header[at]])}"
            allowed = "Give one column a month, such as 2017-07 or Jul 2017"
            raise InputError(Problem(shown, "line 1", found, allowed))
    return months


def find_columns(
    table: Table, source: IncidentSource, style: str, names: Collection[str] = ()
) -> dict[str, str]:
    """Find which column is what: as the cohort says, else by common names.

    Of several columns that name places, the first is taken that holds one of `names`.

    Raises
    ------
    InputError
        A column that the cohort names is not there, or one that is needed can't be found.
    """
    header, shown = table.header, table.shown
    if "row labels" in {fold_name(name) for name in header if name not in source.columns.values()}:
        found = "a pivot table in compact form, with all its labels in the column 'Row Labels'"
        raise InputError(Problem(shown, table.name_row(table.skip + 1), found, REPEAT_LABELS))
    given = {str(key): column for key, column in source.columns.items()}
    problems = find_missing_columns(given, header, shown)
    if problems:
        raise InputError(problems)
    where = _guess_columns([name for name in header if name not in given.values()]) | given
    located = "lsoa" in where or (style != "counts" and "longitude" in where)
    if "ward" in where and ("site" in where or not located):
        where.setdefault("site", where["ward"])
    where.pop("ward", None)
    if "site" in where and "site" not in given:
        if "lsoa" in where:
            del where["site"]
        elif len(table.places) > 1:
            where["site"] = _choose_place(table, where["site"], names)
    if style != "counts" or "crime_type" in given or "crime_type" not in where:
        subtype = where.pop("crime_subtype", "")
        where |= {} if "crime_type" in where or not subtype else {"crime_type": subtype}
    needed = ["crime_type"]
    if not table.months:
        if style == "counts" and "count" not in where:
            where |= find_count(table, where, stated=True)
        needed = ["month", "crime_type", *(["count"] if style == "counts" else [])]
    problems = [
        Problem(
            shown,
            table.name_row(table.skip + 1),
            f"no column holds the {key.replace('_', ' ')}",
            f"Name it in cohort.yml under 'columns: {key}:'; found: {list_names(header)}",
        )
        for key in needed
        if key not in where
    ]
    if not ({"site", "lsoa"} & set(where) or {"longitude", "latitude"} <= set(where)):
        found = "no column says where an incident was"
        allowed = "Name one in cohort.yml under 'columns: site:', 'lsoa:', or 'longitude:' and "
        allowed += f"'latitude:'; found: {list_names(header)}"
        problems.append(Problem(shown, table.name_row(table.skip + 1), found, allowed))
    if problems:
        raise InputError(problems)
    return where


def find_references(table: Table) -> list[str]:
    """Find the columns whose names say that they hold the number of a crime or an incident."""
    return [name for name in table.header if _REFERENCE.fullmatch(_fold(name))]


def find_count(
    table: Table, where: dict[str, str] | None = None, *, stated: bool = False
) -> dict[str, str]:
    """Find the column that counts incidents: ``{"count": its name}``, or nothing.

    A heading such as 'Number' may stand over counts or over the numbers of a log, so the values
    decide: a table of counts has one row a place, type and month; the numbers of a log differ
    from row to row.

    Parameters
    ----------
    table : Table
        The file.
    where : dict of str to str, optional
        Which columns are known to be something else; by their common names by default.
    stated : bool, default False
        Whether the cohort says that the rows are counts, so that only the column is asked for.

    Raises
    ------
    InputError
        The values don't decide, or more than one column may hold the counts.
    """
    where = _guess_columns(table.header) if where is None else where
    free = [name for name in table.header if name and name not in where.values()]
    sure = [name for name in free if _name_count(name) == "sure"]
    named = sure or [name for name in free if _name_count(name) == "unsure"]
    if stated and len(named) == 1:
        return {"count": named[0]}
    others = [name for name in free if not is_street_column(name)]
    if not named and (stated or not others):
        return {}
    whole = (row for row in table.read_rows() if len(row) == len(table.header))
    rows = list(islice(whole, _ROWS_LOOKED_AT))
    keys = _list_keys(table, where, rows)
    verdicts = {}
    for name in named or others:
        at = table.header.index(name)
        values = [row[at] for row in rows]
        if set(values) == {"1"} and len(rows) == _ROWS_LOOKED_AT:
            values += [row[at] for row in table.read_rows() if at < len(row)]
            keys = [()] * len(values)
        if named:
            verdicts[name] = _judge(values, keys, sure=bool(sure))
        else:
            verdicts[name] = _judge_unnamed(values, keys)
    counts = [name for name, verdict in verdicts.items() if verdict == "counts"]
    unclear = [name for name, verdict in verdicts.items() if verdict == "unclear"]
    if len(counts) == 1 and not (unclear and named):
        return {"count": counts[0]}
    if counts or unclear:
        shown = (counts + unclear)[0]
        found = f"the column '{quote(shown)}' may count incidents, or say something of each"
        if len(counts + unclear) > 1:
            found = f"several columns may count incidents: {list_names(counts + unclear, 5)}"
        allowed = "Say in cohort.yml 'format: rows' if a row is one incident, or 'format: counts' "
        allowed += f"with 'columns: {{count: {quote(shown)}}}' if it says how many there were"
        raise InputError(Problem(table.shown, table.name_row(table.skip + 1), found, allowed))
    return {}


def names_count(header: Sequence[str]) -> bool:
    """Say whether one of these headings is certainly that of a count."""
    free = set(header) - set(_guess_columns(header).values())
    return any(_name_count(name) == "sure" for name in free)


def _choose_place(table: Table, chosen: str, names: Collection[str]) -> str:
    """Choose among the columns that name places the first that holds one of these names.

    Raises
    ------
    InputError
        The places of that name are several, as wards of two boroughs may be.
    """
    columns = sorted(table.places, key=lambda at: table.header[at] != chosen)
    rows = {
        tuple(row[at] for at in columns)
        for row in islice(table.read_rows(), _ROWS_SEARCHED)
        if len(row) == len(table.header)
    }
    cells = [{row[n] for row in rows} for n in range(len(columns))]
    met = [{cell for cell in found if fold_name(cell) in names} for found in cells]
    at = next((n for n, found in enumerate(met) if found), 0)
    coded = [n for n, found in enumerate(cells) if all(map(_CODE.fullmatch, found))]
    for other in coded or range(len(columns)):
        under: dict[str, set[str]] = {}
        for row in rows:
            under.setdefault(row[at], set()).add(row[other])
        several = [name for name in sorted(met[at]) if len(under[name]) > 1]
        if several and sum(len(found) == 1 for found in under.values()) > len(under) / 2:
            name, heading = several[0], table.header[columns[other]]
            found = f"several places are called '{quote(name)}': '{quote(heading)}' has "
            found += list_names(sorted(under[name]), 4)
            allowed = "Name the place in cohort.yml by a column that tells them apart"
            place = f"column '{quote(table.header[columns[at]])}'"
            raise InputError(Problem(table.shown, place, found, allowed))
    return table.header[columns[at]]


def _guess_columns(header: Sequence[str]) -> dict[str, str]:
    folded = {_fold_place(name): name for name in reversed(header)}
    folded |= {_fold(name): name for name in reversed(header)}
    return {
        key: next(folded[guess] for guess in guesses if guess in folded)
        for key, guesses in _GUESSES.items()
        if any(guess in folded for guess in guesses)
    }


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _fold_place(name: str) -> str:
    """Fold a heading, less the year of its codes: WD22NM is that of a ward's name."""
    return re.sub(r"[^a-z]", "", name.lower().removeprefix("refreshed"))


def _name_count(name: str) -> str:
    """Say whether a heading is that of a count: ``"sure"``, ``"unsure"`` or empty."""
    folded = _fold(name)
    if not _NAMES_A_COUNT.fullmatch(folded):
        return ""
    return "sure" if _IS_SURE.search(folded) else "unsure" if _MAY_BE.search(folded) else ""


def _list_keys(table: Table, where: dict[str, str], rows: list[list[str]]) -> list[tuple[str, ...]]:
    """List of each row its place, type and month."""
    places = [table.header.index(name) for key, name in where.items() if key != "month"]
    keys = [tuple(row[at] for at in places) for row in rows]
    if "month" in where:
        at = table.header.index(where["month"])
        months = {text: read_month(text) or text for text in {row[at] for row in rows}}
        keys = [(months[row[at]], *key) for row, key in zip(rows, keys, strict=True)]
    return keys


def _judge(values: Sequence[str], keys: Sequence[tuple[str, ...]], *, sure: bool) -> str:
    """Say of a column headed like a count what it holds: ``"counts"``, ``"rows"`` or unclear."""
    filled = [value for value in values if value]
    numbers = [_read_number(value) for value in filled if _NUMBER.fullmatch(value)]
    size, distinct = len(filled), len(set(filled))
    if not filled:
        return "counts" if sure and values else "rows"
    if set(numbers) == {1.0} and len(numbers) == len(values):
        return "rows"
    if len(numbers) < size / 2:
        if distinct > size / 2 and size >= _FEWEST_ROWS:
            return "rows"
        return "counts" if sure else "unclear"
    once = len(set(keys)) == len(keys)
    in_order = all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))
    dense = max(numbers) - min(numbers) < 2 * size
    apart = distinct == size and (in_order or dense)
    large = distinct == size and min(numbers) >= _LARGE
    if sure:
        return "unclear" if (apart or large) and size >= _FEWEST_ROWS else "counts"
    if apart and size >= _FEWEST_ROWS / 2:
        return "rows"
    if once:
        return "counts" if distinct < 0.9 * size else "unclear"
    return "rows" if distinct >= 0.5 * size and min(numbers) >= size / 10 else "unclear"


def _judge_unnamed(values: Sequence[str], keys: Sequence[tuple[str, ...]]) -> str:
    """Say of any other column whether it may count: ``"unclear"``, or empty."""
    different = set(values)
    if len(values) < _FEWEST_ROWS or len(set(keys)) < len(keys) or "" in different:
        return ""
    if len(different) > 0.9 * len(values) or not all(map(_NUMBER.fullmatch, different)):
        return ""
    if len(different) == 1:
        return "" if different == {"1"} or re.fullmatch("(19|20)..", values[0]) else "unclear"
    # A column that says no more than another, as a year beside its months, counts nothing.
    parts = zip(*keys, strict=True)
    depends = (len(set(zip(part, values, strict=True))) == len(set(part)) for part in parts)
    return "" if any(depends) else "unclear"


def _read_number(text: str) -> float:
    return float(text.replace(",", ""))
