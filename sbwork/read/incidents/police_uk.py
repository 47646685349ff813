"""Street files in the layout of data.police.uk."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.encodings import OLDER
from sbwork.read.incidents.archives import Part, read_ends, read_through, serve_members, unpack
from sbwork.read.incidents.repeats import (
    CELL,
    drop_copies,
    drop_repeats,
    find_repeats,
    gather_repeats,
)
from sbwork.read.incidents.tallies import (
    Batch,
    PointNeed,
    Reading,
    explain_row,
    fetch_tally,
    open_store,
    read_point,
)
from sbwork.read.places.coordinates import DEGREES, SYSTEMS
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = ["CRIME_TYPES", "is_street_column", "is_street_header", "read_street_files"]

CRIME_TYPES = (
    "All crime",
    "Anti-social behaviour",
    "Bicycle theft",
    "Burglary",
    "Criminal damage and arson",
    "Drugs",
    "Other crime",
    "Other theft",
    "Possession of weapons",
    "Public disorder and weapons",
    "Public order",
    "Robbery",
    "Shoplifting",
    "Theft from the person",
    "Vehicle crime",
    "Violence and sexual offences",
    "Violent crime",
)
"""Every crime type that data.police.uk publishes or has published (2010-12 to today)."""

_NEEDED = ("Month", "Crime type")
_KNOWN = (
    "Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude", "Easting",
    "Northing", "Location", "LSOA code", "LSOA name", "Crime type", "Last outcome category",
    "Context",
)  # fmt: skip
_OTHER_KINDS = {"outcomes": "outcomes", "stop": "stop and search", "search": "stop and search"}
_EDGE = 16_384
_ROWS_LOOKED_AT = 50
_BUFFER = 8_000_000


@dataclass(frozen=True)
class _Layout:
    header: tuple[str, ...]
    force: str
    empty: bool


@dataclass(frozen=True)
class _File:
    part: Part
    layout: _Layout
    source: int


def is_street_header(header: list[str]) -> bool:
    """Say whether these are the columns of a street file."""
    return set(_NEEDED) <= set(header) and bool(
        {"Reported by", "Falls within", "LSOA code"} & set(header)
    )


def is_street_column(name: str) -> bool:
    """Say whether a street file has a column of this name."""
    return name in _KNOWN


def read_street_files(
    sources: Sequence[tuple[str, list[Part]]], points: PointNeed
) -> list[Reading]:
    """Count the street files of some sources; those of other kinds are skipped and counted.

    A crime counts once: a month that two files hold alike, rows alike in every column that share
    a Crime ID, and one Crime ID and crime type in files of two forces. Rows without a Crime ID,
    such as anti-social behaviour, are separate incidents even if they are alike.

    Parameters
    ----------
    sources : sequence of (str, list of Part)
        What a message calls each source, and its files.
    points : PointNeed
        Which coordinates to keep.

    Raises
    ------
    InputError
        A file is empty, cut short, lacks a column, holds a row that can't be read or a month
        other than its name says, or no street file is there; or two files hold the same month of
        a force and differ.
    """
    readings = []
    files: list[_File] = []
    for source, (shown, parts) in enumerate(sources):
        readings.append(Reading())
        layouts = _survey_parts(parts, readings[-1])
        if not layouts:
            found = "there is no street file in it"
            allowed = "Street files have the columns 'Month' and 'Crime type'"
            raise InputError(Problem(shown, "", found, allowed))
        files += [_File(part, layout, source) for part, layout in layouts.items()]
    tally, names, batches = _count_files(files, points, readings)
    for source, reading in enumerate(readings):
        own = [number for number, file in enumerate(files) if file.source == source]
        reading.names, reading.batches = names, [batches[number] for number in own]
        rows = tally[tally["batch"].between(own[0], own[-1])] if len(readings) > 1 else tally
        reading.tally = rows.assign(batch=rows["batch"].to_numpy() - np.int32(own[0]))
    return readings


def _survey_parts(parts: list[Part], reading: Reading) -> dict[Part, _Layout]:
    """Read the ends of every file: which are street files, with which columns, and whole."""
    layouts: dict[Part, _Layout] = {}
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    for part in parts:
        kind = part.labels[2]
        if kind and kind != "street":
            skipped[_OTHER_KINDS.get(kind, kind)] += 1
            continue
        head, tail = read_ends(part, _EDGE)
        header, rows = _split_head(head, part)
        if "Outcome type" in header:
            skipped["outcomes"] += 1
            continue
        if not kind and not set(_NEEDED) & set(header):
            skipped["another kind"] += 1
            continue
        faults = _check_header(header, part) or _check_tail(tail, len(header), part)
        problems += faults
        if faults:
            continue
        layout = _lay_out(part, header, rows)
        layouts[part] = layout
        if layout.empty:
            note = f"{part.shown} holds a header and no rows; its month counts as missing"
            reading.quality.append(Check(CheckKind.MISSING, "file without rows", 1.0, note))
        elif tail and not tail.endswith(b"\n"):
            note = (
                f"the last line of {part.shown} has no line end, as if the file had been cut "
                "there; its rows were counted"
            )
            reading.quality.append(Check(CheckKind.DOUBT, "file that may be cut short", 1.0, note))
    if problems:
        raise InputError(problems)
    for kind, count in sorted(skipped.items()):
        reading.quality.append(Check(CheckKind.LEFT_OUT, f"files skipped ({kind})", float(count)))
    return layouts


def _split_head(head: bytes, part: Part) -> tuple[list[str], list[list[str]]]:
    if not head.strip():
        raise InputError(Problem(part.shown, "", "the file is empty", "Download it again"))
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < _EDGE else "ignore")
    except UnicodeDecodeError:
        text = head.decode("cp1252", errors="replace")
    reader = csv.reader(io.StringIO(text.replace("\0", ""), newline=""))
    header, *rows = islice(reader, 1 + _ROWS_LOOKED_AT)
    if len(head) >= _EDGE and len(rows) < _ROWS_LOOKED_AT:
        del rows[-1:]
    return [name.strip() for name in header], rows


def _check_header(header: list[str], part: Part) -> list[Problem]:
    problems = [
        Problem(
            part.shown,
            "line 1",
            f"there is no column '{needed}'",
            f"Columns found: {list_names(header)}",
            find_nearest(needed, [name for name in header if name not in _KNOWN]),
        )
        for needed in _NEEDED
        if needed not in header
    ]
    if problems:
        return problems
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        return [Problem(part.shown, "line 1", f"columns that stand twice: {list_names(twice)}")]
    places = ({"LSOA code"}, {"Longitude", "Latitude"}, {"Easting", "Northing"})
    for strange in (name for name in header if name not in _KNOWN):
        meant = find_nearest(strange, [name for name in _KNOWN if name not in header])
        if meant in {"LSOA code", "LSOA name", "Longitude", "Latitude"}:
            found = f"there is no column '{meant}', but one called '{quote(strange)}'"
            problems.append(Problem(part.shown, "line 1", found, "Give it its own name back"))
    if not problems and not any(place <= set(header) for place in places):
        found = "no column says where an incident was"
        allowed = "One of 'LSOA code', 'Longitude' with 'Latitude', 'Easting' with 'Northing'"
        problems.append(Problem(part.shown, "line 1", found, allowed))
    return problems


def _check_tail(tail: bytes, width: int, part: Part) -> list[Problem]:
    if not tail or tail.endswith((b"\n", b"\r")):
        return []
    last = tail.rpartition(b"\n")[2].decode("utf-8", errors="replace")
    fields = next(csv.reader([last]), [])
    if len(fields) >= width:
        return []
    found = f"the file is cut short: its last line has {len(fields)} of {width} columns"
    return [Problem(part.shown, "last line", found, "Download or export it again")]


def _lay_out(part: Part, header: list[str], rows: list[list[str]]) -> _Layout:
    full = [row for row in rows if len(row) == len(header)]
    named = full[0][header.index("Reported by")] if full and "Reported by" in header else ""
    force = part.labels[1] or _name_force(named) or part.shown
    return _Layout(tuple(header), force, empty=not rows)


def _name_force(reported_by: str) -> str:
    """Turn 'Northumbria Police' into 'northumbria', as data.police.uk names its files."""
    plain = re.sub(r"\b(police|constabulary|service( of)?)\b", "", reported_by.lower())
    plain = plain.replace("&", " and ")
    name = "-".join(re.findall(r"[a-z]+", plain))
    return {"british-transport": "btp", "metropolitan": "metropolitan"}.get(name, name)


def _count_files(
    files: Sequence[_File], points: PointNeed, readings: Sequence[Reading]
) -> tuple[pd.DataFrame, dict[str, str], list[Batch]]:
    """Count all files; return the tally, the names of LSOAs, and what each file holds."""
    parts = [file.part for file in files]
    feeds, shown = [file.layout.force for file in files], [part.shown for part in parts]
    with open_store() as store:
        if any(part.member is not None for part in parts):
            store.register_filesystem(serve_members(parts))
        _query_files(store, files, range(len(files)), points, "tally")
        _check_months(store, parts)
        repeats = [*drop_copies(store, feeds, shown)]
        batches = _describe_batches(store, files)
        if again := find_repeats(store):
            _query_files(store, files, again, points, "rows")
            repeats += drop_repeats(store, feeds, shown)
        for source, line in gather_repeats(repeats, [file.source for file in files]):
            readings[source].quality.append(line)
        names = store.execute(
            "SELECT lsoa, arg_min(name, (batch, name)) FROM tally"
            " WHERE lsoa <> '' AND name <> '' GROUP BY lsoa"
        ).fetchall()
        return fetch_tally(store), dict(names), batches


def _query_files(
    store: Any, files: Sequence[_File], chosen: Iterable[int], points: PointNeed, table: str
) -> None:
    """Fill a table from the chosen files, those with the same columns in one query."""
    import duckdb

    by_header: dict[tuple[str, ...], list[int]] = {}
    for number in chosen:
        by_header.setdefault(files[number].layout.header, []).append(number)
    for header, numbers in by_header.items():
        query = _write_query(header, points, table)
        paths = {
            str(part.path) if part.member is None else f"member://{number}.csv": part
            for number in numbers
            for part in [files[number].part]
        }
        try:
            store.execute(query, {"files": list(paths), "numbers": numbers})
        except duckdb.Error as error:
            if "Traceback" in str(error):
                for part in paths.values():
                    read_through(part)
            if not re.search("unicode|invalid state", str(error)):
                raise _explain_error(str(error), paths) from None
            for number in numbers:
                _count_irregular(store, files[number].part, number, query)


def _count_irregular(store: Any, part: Part, number: int, query: str) -> None:
    """Count one file, with its line ends made alike and its text UTF-8 where that lets it pass."""
    import duckdb

    with unpack(part) as file, TemporaryDirectory(prefix="sbwork-") as folder:
        try:
            store.execute(query, {"files": [str(file.path)], "numbers": [number]})
            return
        except duckdb.Error as error:
            refusal = _explain_error(str(error), {str(file.path): part})
        mended = Path(folder) / "mended.csv"
        with (
            file.path.open(encoding="utf-8", errors=OLDER) as text,
            mended.open("w", encoding="utf-8", newline="\n") as target,
        ):
            shutil.copyfileobj(text, target)
        try:
            store.execute(query, {"files": [str(mended)], "numbers": [number]})
        except duckdb.Error:
            raise refusal from None


def _write_query(header: tuple[str, ...], points: PointNeed, table: str) -> str:
    """Write the query that counts files with these columns into the tally, or into ``rows``.

    The latter counts the rows whose Crime ID is among the repeated ones, together where they are
    alike in every column. What is the same throughout a text is no id but stands for none. Columns
    are named by their positions, so that no text of a file gets into the query.
    """
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    where = {name: f"c{number}" for number, name in enumerate(header)}
    lsoa, name = where.get("LSOA code", "NULL"), where.get("LSOA name", "NULL")
    x = where.get("Longitude") or where.get("Easting") or "NULL"
    y = where.get("Latitude") or where.get("Northing") or "NULL"
    needed, x, y, located = read_point(x, y, lsoa, points)
    keep = [f"{lsoa} IS NULL"] if points.unplaced or points.boxes else []
    if points.boxes:
        # Beside what may lie in a site: what is no longitude and latitude, to be recognised.
        (west, east), (south, north) = SYSTEMS[DEGREES].x, SYSTEMS[DEGREES].y
        keep.append(f"NOT ({_lie_within(west, south, east, north)})")
        keep += [_lie_within(*box) for box in points.boxes]
    px, py = (f"CASE WHEN located AND ({' OR '.join(keep)}) THEN {p} END" for p in ("px", "py"))
    if not keep:
        px = py = "NULL::DOUBLE"
    crime = where.get("Crime ID", "NULL::VARCHAR")
    identity, content, chosen = f"hash({crime})", "NULL", ""
    counted = "lsoa, kind, month, located, x, y, min(name) AS name, list(id) AS ids"
    if table == "rows":
        digits = "|".join(f"{digit}[^{digit}]|[^{digit}]{digit}" for digit in range(1, 10))
        identity = f"CASE WHEN regexp_matches({crime}, '{digits}') THEN hash({crime}) END"
        content = f"hash({', '.join(f'c{number}' for number in range(len(header)))})"
        counted = f"any_value(id) AS id, any_value({CELL}) AS cell"
        # Not before the rows are counted: their texts would be put into the table of the join.
        chosen = "HAVING any_value(id) IN (FROM repeated)"
    return f"""
        INSERT INTO {table} BY NAME
        SELECT $numbers[file_index::BIGINT + 1] AS batch, * EXCLUDE (file_index, content)
        FROM (
            SELECT file_index, content, {counted}, count(*) AS n
            FROM (
                SELECT file_index, {lsoa}::VARCHAR AS lsoa, {where["Crime type"]} AS kind,
                       {where["Month"]} AS month, {name} AS name, {located} AS located,
                       {px} AS x, {py} AS y, {identity} AS id, {content} AS content
                FROM (
                    SELECT *, file_index, CASE WHEN {needed} THEN {x} END AS px,
                           CASE WHEN {needed} THEN {y} END AS py
                    FROM read_csv($files, auto_detect = false, header = true, delim = ',',
                                  quote = '"', escape = '"', buffer_size = {_BUFFER},
                                  columns = {{{columns}}})
                )
            )
            GROUP BY ALL {chosen}
        )
    """  # noqa: S608 - positions and numbers


def _lie_within(west: float, south: float, east: float, north: float) -> str:
    return f"(px BETWEEN {west!r} AND {east!r} AND py BETWEEN {south!r} AND {north!r})"


def _explain_error(message: str, files: Mapping[str, Part]) -> InputError:
    named = [part.shown for file, part in files.items() if file in message]
    named += [part.shown for part in files.values()]
    line, found = explain_row(message)
    if "nicode" in message or "utf-8" in message.lower():
        found = "the text is not UTF-8"
    elif "quote" in message and "Expected Number of Columns" not in message:
        found = "a quotation mark is opened and never closed, or closed too early"
    allowed = "Download or export the file again"
    return InputError(Problem(named[0], line, found, allowed))


def _check_months(store: Any, parts: Sequence[Part]) -> None:
    problems = []
    for number, found in sorted(_list_months(store).items()):
        part = parts[number]
        strange = [m for m in found if not re.fullmatch(r"(19|20)\d\d-(0[1-9]|1[0-2])", m)]
        named = part.labels[0]
        if strange:
            what = f"{sum(found[m] for m in strange):,} rows whose month is none"
            allowed = "Months are written YYYY-MM"
            problems.append(Problem(part.shown, "column 'Month'", what, allowed))
        elif named and set(found) - {named}:
            other = sorted(set(found) - {named})
            what = f"the name says {named}, but there are rows of {list_names(other)}"
            problems.append(Problem(part.shown, "column 'Month'", what, "Download it again"))
    if problems:
        raise InputError(problems)


def _describe_batches(store: Any, files: Sequence[_File]) -> list[Batch]:
    months = _list_months(store)
    return [
        Batch(file.part.shown, file.layout.force, months.get(number, {}))
        for number, file in enumerate(files)
    ]


def _list_months(store: Any) -> dict[int, dict[str, int]]:
    """List the months of each file, with their rows."""
    months: dict[int, dict[str, int]] = {}
    query = "SELECT batch, coalesce(month, ''), sum(n)::BIGINT FROM tally GROUP BY ALL ORDER BY ALL"
    for number, month, rows in store.execute(query).fetchall():
        months.setdefault(number, {})[month] = rows
    return months
