"""A force's own rows of incidents, and tables that are counted already."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.archives import Part, read_ends, unpack
from sbwork.read.incidents.columns import (
    STATE_ROWS,
    Table,
    find_columns,
    find_count,
    find_months,
    find_references,
    names_count,
    rank_header,
)
from sbwork.read.incidents.months import read_dates, read_month
from sbwork.read.incidents.opening import open_table
from sbwork.read.incidents.pivots import lay_out_counts
from sbwork.read.incidents.police_uk import is_street_header, read_street_files
from sbwork.read.incidents.tallies import (
    Batch,
    PointNeed,
    Reading,
    explain_row,
    fetch_tally,
    open_store,
    read_point,
)
from sbwork.read.places.coordinates import ALLOWED
from sbwork.specs.cohort import IncidentSource
from sbwork.specs.errors import InputError, Problem, quote
from sbwork.specs.masks import describe_cell

__all__ = ["choose_format", "read_saved_street_files", "read_tables"]

_AS_PUBLISHED = re.compile(r"\d{4}-\d{2}")
_NO_PLACE = (
    r"#?n/?a!?|#?null|none|nan|nil|unk(?:nown)?|not (?:known|recorded|stated|available|given)"
    r"|not applicable|un(?:specified|allocated|defined)|missing|\(?blank\)?|tbc|0+|[-–—.?_*]+"
    r"|[ewns]9{8}"
)
_ROUNDED = r"^-?\d(?:\.\d{0,4})?[eE]"
_EDGE = 16_384
_MOST_PLACES_APART = 200
_MOST_EXAMPLES = 3
_FEWEST_ALIKE = 20


def choose_format(source: IncidentSource, parts: list[Part]) -> str:
    """Find which format a source is in: ``"police-uk"``, ``"rows"`` or ``"counts"``."""
    if source.format != "auto":
        return source.format
    if any(part.labels[2] for part in parts):
        return "police-uk"
    with unpack(parts[0]) as part, _describe_table(part, source) as table:
        style = _find_style(table, source)
    street = style == "rows" and is_street_header(table.header) and not source.columns
    if street and any(names_count(_read_head(part)[0]) for part in parts[1:]):
        return style
    return "police-uk" if street else style


def _find_style(table: Table, source: IncidentSource) -> str:
    """Find whether the rows of a table are incidents or counts: ``"rows"`` or ``"counts"``."""
    return "counts" if "count" in source.columns or table.months or find_count(table) else "rows"


def read_tables(
    parts: list[Part],
    source: IncidentSource,
    style: str,
    points: PointNeed,
    names: Collection[str] = (),
) -> Reading:
    """Count a force's own CSV or Excel files: a row an incident, or counts (see `lay_out_counts`).

    Columns with common names are found, that of the place by the `names` of sites in it, folded.

    Raises
    ------
    InputError
        A column is missing, a date or a count is none (the rows are named), a count stands
        twice, or the file is empty or not a table.
    """
    reading = Reading(style)
    with open_store() as store:
        for part in parts:
            with unpack(part) as file:
                _read_one(store, file, source, style, points, names, reading)
        _refuse_copies(store, reading)
        reading.tally = fetch_tally(store)
    reading.batches = _join_feeds(reading.batches, source.path)
    return reading


def _join_feeds(batches: list[Batch], shown: str) -> list[Batch]:
    """Take files of different months, such as one a month, for one series."""
    files: dict[str, set[str]] = {}
    for batch in batches:
        files.setdefault(batch.shown, set()).update(batch.months)
    if sum(map(len, files.values())) > len(set().union(*files.values())):
        return batches
    return [replace(batch, feed=batch.feed.replace(batch.shown, shown, 1)) for batch in batches]


def _refuse_copies(store: Any, reading: Reading) -> None:
    """Refuse two files that agree on every count of the months that both hold."""
    shown = [batch.shown for batch in reading.batches]
    if len(set(shown)) < 2:
        return
    store.execute("CREATE TEMP TABLE files (batch INTEGER, file INTEGER)")
    files = list(dict.fromkeys(shown))
    store.executemany(
        "INSERT INTO files VALUES (?, ?)", [[n, files.index(name)] for n, name in enumerate(shown)]
    )
    copies = store.execute(
        """
        WITH months AS (
            SELECT file, month, sum(n) AS n, bit_xor(hash(lsoa, called, kind, n)) AS content
            FROM (
                SELECT file, month, lsoa, called, kind, sum(n) AS n
                FROM tally JOIN files USING (batch) WHERE n > 0 GROUP BY ALL
            ) GROUP BY ALL
        )
        SELECT a.file, b.file, min(month), max(month) FROM months a JOIN months b USING (month)
        WHERE a.file < b.file GROUP BY ALL
        HAVING bool_and(a.n = b.n AND a.content = b.content) AND sum(a.n) >= $fewest
        ORDER BY ALL
        """,
        {"fewest": _FEWEST_ALIKE},
    ).fetchall()
    problems = [
        Problem(
            files[copy],
            "",
            f"it holds the same counts as {files[first]} in {start} to {end}, and they would be "
            "counted twice",
            "Leave these months out of one of the two",
        )
        for first, copy, start, end in copies
    ]
    if problems:
        raise InputError(problems)


def read_saved_street_files(
    sources: Sequence[tuple[IncidentSource, list[Part]]], points: PointNeed
) -> list[Reading]:
    """Count street files, also those that a spreadsheet program saved in its own way.

    Such a program writes workbooks, semicolons or UTF-16, and turns months to dates. `sources`
    are as the cohort names them, each with its files.
    """
    notes: list[list[Check]] = [[] for _ in sources]
    with TemporaryDirectory(prefix="sbwork-") as folder:
        restored = [
            (
                source.path,
                [
                    part
                    if part.labels[2] not in {"", "street"}
                    else _restore(part, source, Path(folder) / f"{n}-{m}.csv", own)
                    for m, part in enumerate(parts)
                ],
            )
            for n, ((source, parts), own) in enumerate(zip(sources, notes, strict=True))
        ]
        readings = read_street_files(restored, points)
    for reading, own in zip(readings, notes, strict=True):
        reading.quality += own
    return readings


def _read_head(part: Part) -> list[list[str]]:
    """Read the first two lines of a CSV file."""
    head = read_ends(part, _EDGE)[0].decode("utf-8-sig", "replace").splitlines()[:2]
    return list(csv.reader(head or [""])) or [[]]


def _restore(part: Part, source: IncidentSource, target: Path, notes: list[Check]) -> Part:
    """Write a street file as data.police.uk does, unless it is so already, or none."""
    header, *first = _read_head(part)
    at = header.index("Month") if "Month" in header else -1
    if at >= 0 and all(_AS_PUBLISHED.fullmatch("".join(row[at : at + 1])) for row in first):
        return part
    with unpack(part) as file, _describe_table(file, source) as table:
        if not is_street_header(table.header):
            return part
        at = table.header.index("Month")
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(table.header)
            for row in table.read_rows():
                row[at : at + 1] = [read_month(text) or text for text in row[at : at + 1]]
                writer.writerow(row)
        note = f"{part.shown}: written anew as data.police.uk does, with months as YYYY-MM"
        check = "street files that a spreadsheet program had saved"
        notes += [*table.notes, Check(CheckKind.READ, check, 1.0, note)]
    return Part(part.shown, target)


def _read_one(
    store: Any,
    part: Part,
    source: IncidentSource,
    style: str,
    points: PointNeed,
    names: Collection[str],
    reading: Reading,
) -> None:
    import duckdb

    with (
        _describe_table(part, source) as described,
        TemporaryDirectory(prefix="sbwork-") as folder,
    ):
        if source.format == "auto":
            # Files of one folder may differ.
            style = _find_style(described, source)
        table = replace(described, months=described.months if style == "counts" else {})
        table = replace(table, where=find_columns(table, source, style, names))
        if style == "counts":
            table = lay_out_counts(table, Path(folder) / "counts.csv")
        reading.quality += table.notes
        try:
            _load_raw(store, table, style, points)
        except duckdb.Error as error:
            line, found = explain_row(str(error))
            raise InputError(Problem(part.shown, line, found, "Export the file again")) from None
        reading.quality += _check_values(store, table, style)
        _tabulate(store, table, style, reading)


@contextmanager
def _describe_table(part: Part, source: IncidentSource) -> Iterator[Table]:
    """Open a file, and read its header."""
    rank = partial(rank_header, given=source.columns.values())
    with open_table(part, rank, source.sheets) as opened:
        yield Table(**vars(opened), months=find_months(opened.header, part.shown))


def _load_raw(store: Any, table: Table, style: str, points: PointNeed) -> None:
    place = {name: f"c{number}" for number, name in enumerate(table.header)}
    text = {key: f"nullif(trim({place[column]}), '')" for key, column in table.where.items()}
    for key in {"lsoa", "site"} & set(text):
        text[key] = f"nullif(regexp_replace({text[key]}, '^(?:{_NO_PLACE})$', '', 'i'), '')"
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(table.header)))
    rows = f"""
        read_csv($path, auto_detect = false, header = true, skip = $skip, delim = $delimiter,
                 quote = '"', escape = '"', columns = {{{columns}}})
    """
    given = {"path": str(table.path), "delimiter": table.delimiter, "skip": table.skip}
    lsoa = text.get("lsoa", "NULL::VARCHAR")
    lsoa = (
        f"CASE WHEN regexp_full_match({lsoa}, '[a-z]\\d{{8}}') THEN upper({lsoa}) ELSE {lsoa} END"
    )
    across, up = text.get("longitude", "NULL"), text.get("latitude", "NULL")
    x_text, y_text = (
        f"CASE WHEN NOT regexp_matches({t}, '{_ROUNDED}') THEN {t} END" for t in (across, up)
    )
    needed, x, y, located = read_point(x_text, y_text, lsoa, points)
    kept = f"{located} AND {'true' if points.boxes or points.unplaced else 'false'}"
    strange = f"CASE WHEN {needed} AND px IS NULL AND {up} IS NOT NULL THEN {across} END"
    bad, summed = "NULL", "count(*)"
    references = [place[name] for name in find_references(table)] if style == "rows" else []
    filled = " AND ".join(f"nullif(trim({name}), '') IS NOT NULL" for name in references)
    ids = f"list(hash({', '.join(place.values())})) FILTER ({filled})" if references else "NULL"
    if style == "counts":
        whole = rf"regexp_full_match({text['count']}, '[^,]*|\d{{1,3}}(,\d{{3}})+(\.\d*)?')"
        plain = f"CASE WHEN {whole} THEN replace({text['count']}, ',', '') END"
        number = f"TRY_CAST({plain} AS DOUBLE)"
        fault = f"coalesce({number}, -1) < 0 OR isinf({number})"
        bad = f"CASE WHEN {fault} THEN coalesce({text['count']}, '') END"
        summed = f"sum({number})"
    when = f"regexp_replace({text['month']}, '[ T][0-9]{{1,2}}:[0-9]{{2}}.*$', '')"
    store.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE raw AS
        SELECT {when} AS written, coalesce({text["crime_type"]}, '') AS kind,
               coalesce({lsoa}, '') AS lsoa, coalesce({text.get("site", "NULL")}, '') AS called,
               CASE WHEN {kept} THEN px END AS x, CASE WHEN {kept} THEN py END AS y,
               {located} AS located, {strange} AS strange, {bad} AS bad,
               {summed}::DOUBLE AS n, count(*) AS rows, {ids} AS ids
        FROM (
            SELECT *, CASE WHEN {needed} THEN {x} END AS px, CASE WHEN {needed} THEN {y} END AS py
            FROM {rows}
        )
        GROUP BY ALL
        """,  # noqa: S608 - built from positions, never from text of the file
        given,
    )
    if references:
        names = ", ".join(references)
        query = f"SELECT count(DISTINCT ({names})) FROM {rows} WHERE {filled}"  # noqa: S608
        _count_once(store, lambda: store.execute(query, given).fetchone()[0])
    store.execute("ALTER TABLE raw DROP COLUMN ids")


def _count_once(store: Any, count_references: Callable[[], int]) -> None:
    """Count rows alike in every column once, unless most share what is taken for a reference."""
    ids = np.sort(np.asarray(store.execute("SELECT unnest(ids) AS id FROM raw").fetchnumpy()["id"]))
    distinct = 1 + np.count_nonzero(ids[1:] != ids[:-1])
    if distinct < len(ids) and 2 * count_references() > distinct:
        store.execute("UPDATE raw SET n = rows - len(ids) + len(list_distinct(ids)) WHERE len(ids)")


def _check_values(store: Any, table: Table, style: str) -> list[Check]:
    """Read the months that the rows say, and refuse what is no month or no count."""
    written = dict(store.execute("SELECT written, sum(rows) FROM raw GROUP BY written").fetchall())
    dated = {text: float(rows) for text, rows in written.items() if text is not None}
    months, notes, doubt = read_dates(dated, table.shown, table.first_day)
    problems: list[Problem] = []
    wrong = {text for text, month in months.items() if not month}
    if wrong:
        hint = "Dates are written 2017-07-31 or 31/07/2017, months 2017-07 or July 2017"
        american = [t for t in wrong if re.fullmatch(r"\d{1,2}/(1[3-9]|2\d|3[01])/\d{2,4}", t)]
        if american:
            hint += "; these look as if the month came before the day"
        problems += _name_rows(table, "month", wrong, "is not a date", hint)
        if not problems:
            found = f"{describe_cell(min(wrong))} is not a date"
            problems.append(Problem(table.shown, f"column '{table.where['month']}'", found, hint))
    elif doubt:
        place = f"column '{quote(table.where['month'])}'"
        problems.append(Problem(table.shown, place, doubt, "Export them anew as 2017-07-31"))
    if style == "counts":
        bad = {r[0] for r in store.execute("SELECT DISTINCT bad FROM raw").fetchall()} - {None}
        if bad:
            hint = f"A count is a number of 0 or more; write 0 where there was none; {STATE_ROWS}"
            problems += _name_rows(table, "count", bad, "is not a count", hint)
    unread, read = store.execute(
        "SELECT coalesce(sum(n) FILTER (strange <> ''), 0), coalesce(sum(n) FILTER (located), 0)"
        " FROM raw"
    ).fetchone()
    if unread > read:
        odd = {row[0] for row in store.execute("SELECT DISTINCT strange FROM raw").fetchall()}
        problems += _name_rows(table, "longitude", odd, "is no coordinate", ALLOWED)
    if problems:
        raise InputError(problems)
    if not written:
        found = "there is a header and no row below it"
        raise InputError(Problem(table.shown, "", found, "Export the file again"))
    store.execute("CREATE OR REPLACE TEMP TABLE written_months (written VARCHAR, month VARCHAR)")
    if months:
        store.executemany("INSERT INTO written_months VALUES (?, ?)", list(months.items()))
    return notes


def _tabulate(store: Any, table: Table, style: str, reading: Reading) -> None:
    lost, dated = store.execute(
        "SELECT coalesce(sum(rows) FILTER (written IS NULL), 0)::DOUBLE,"
        " coalesce(sum(rows) FILTER (written IS NOT NULL), 0)::DOUBLE FROM raw"
    ).fetchone()
    if lost:
        note = f"{table.shown}: left out"
        reading.quality.append(Check(CheckKind.LEFT_OUT, "rows without a date", lost, note))
    dates = Check(CheckKind.JOIN, "dates", dated, table.shown, lost)
    reading.quality.append(dates)
    if style == "rows":
        ((again,),) = store.execute("SELECT sum(rows - n) FROM raw").fetchall()
        if again:
            note = f"{table.shown}: alike in every column, reference too, and counted once"
            check = Check(CheckKind.LEFT_OUT, "rows that repeat an incident", again, note)
            reading.quality.append(check)
    if style == "counts" and not table.unique:
        _refuse_repeated_counts(store, table)
    places = _list_places(store, table, style, reading)
    first = len(reading.batches)
    apart = "lsoa || '|' || called" if len(places) > 1 else "''"
    query = f"SELECT {apart}, month, sum(rows)::BIGINT"
    query += " FROM raw JOIN written_months USING (written) GROUP BY ALL ORDER BY ALL"
    found = store.execute(query).fetchall()
    for place in places:
        months = dict.fromkeys(table.months.values(), 0)
        months |= {month: rows for key, month, rows in found if key == place}
        called = place.strip("|")
        feed = f"{table.shown}, {called}" if called else table.shown
        reading.batches.append(Batch(table.shown, feed, months, counted=style == "counts"))
    rank = f"dense_rank() OVER (ORDER BY {apart})" if len(places) > 1 else "1"
    store.execute(
        f"""
        INSERT INTO tally BY NAME
        SELECT {first} - 1 + {rank} AS batch,
               lsoa, called, kind, month, x, y, located, n
        FROM raw JOIN written_months USING (written)
        """  # noqa: S608 - a number, and one of two expressions of this module
    )


def _refuse_repeated_counts(store: Any, table: Table) -> None:
    twice = store.execute(
        """
        SELECT kind, month FROM raw JOIN written_months USING (written)
        WHERE x IS NULL AND lsoa || called <> ''
        GROUP BY kind, month, called, lsoa HAVING sum(rows) > 1 ORDER BY ALL LIMIT 5
        """
    ).fetchall()
    if twice:
        shown = ", ".join(dict.fromkeys(f"{quote(kind)} in {month}" for kind, month in twice))
        found = f"more than one count in '{table.where['count']}' for one place: {shown}"
        allowed = f"Give one count a place, type and month; {STATE_ROWS}"
        raise InputError(Problem(table.shown, "", found, allowed))


def _list_places(store: Any, table: Table, style: str, reading: Reading) -> list[str]:
    """List the places whose months are covered apart from each other.

    A table that states its zeros covers, of each place, the months that it has a row for. A
    table that states none was most likely made by counting rows, so that what it lacks is zero.
    """
    if style != "counts" or table.months:
        return [""]
    if not store.execute("SELECT count(*) FROM raw WHERE n = 0").fetchone()[0]:
        note = f"{table.shown} states no zeros; what it lacks in a month that it holds is counted 0"
        reading.quality.append(Check(CheckKind.DOUBT, "table without zeros", 1.0, note))
        return [""]
    places = [
        row[0]
        for row in store.execute(
            "SELECT DISTINCT lsoa || '|' || called FROM raw WHERE written IS NOT NULL ORDER BY 1"
        ).fetchall()
    ]
    holes = store.execute(
        """
        WITH held AS (
            SELECT DISTINCT lsoa, called, kind, month
            FROM raw JOIN written_months USING (written)
        ), full_grid AS (
            SELECT * FROM (SELECT DISTINCT lsoa, called, month FROM held)
            CROSS JOIN (SELECT DISTINCT kind FROM held)
        )
        SELECT kind, month
        FROM full_grid ANTI JOIN held USING (lsoa, called, kind, month) ORDER BY ALL LIMIT 6
        """
    ).fetchall()
    if holes:
        shown = "; ".join(dict.fromkeys(f"{quote(kind)} in {month}" for kind, month in holes[:3]))
        found = f"the table states zeros, but a place has no row for {shown}"
        allowed = "Add the rows, with 0 where there was none"
        raise InputError(Problem(table.shown, "", found, allowed))
    return places if len(places) <= _MOST_PLACES_APART else [""]


def _name_rows(table: Table, key: str, wrong: set[str], verdict: str, hint: str) -> list[Problem]:
    column = table.where[key]
    at = table.header.index(column)
    problems: list[Problem] = []
    with table.path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter=table.delimiter), start=1):
            if number <= table.skip + 1 or len(row) <= at:
                continue
            value = row[at].strip()
            plain = re.sub(r"[ T]\d{1,2}:\d{2}.*$", "", value) if key == "month" else value
            if plain in wrong:
                place = f"{table.name_row(number)}, column '{column}'"
                what = describe_cell(value) if value else "the cell is blank, which"
                problems.append(Problem(table.shown, place, f"{what} {verdict}", hint))
            if len(problems) == _MOST_EXAMPLES:
                break
    return problems
