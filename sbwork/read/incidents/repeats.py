"""Crimes that files hold more than once: a month in two files, a Crime ID in several rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.specs.errors import InputError, Problem

__all__ = ["CELL", "Repeat", "drop_copies", "drop_repeats", "find_repeats", "gather_repeats"]

_COPY = ("months in two files", "Counted once, as places, crime types and Crime IDs are the same")
_ALIKE = ("rows that repeat a crime", "Alike in every column, Crime ID too, and counted once")
_SHARED = ("crimes in files of two forces", "One Crime ID and crime type, and counted once")
_MOST_FILES = 4
_HALF = 1 << 63
_BLANK = "hash(NULL::VARCHAR)"
CELL = "hash(lsoa, kind, month, located, x, y)"


@dataclass(frozen=True)
class Repeat:
    """How many months or rows of a file were not counted again: the file's number, and why."""

    batch: int
    why: tuple[str, str]
    count: float
    where: str


def drop_copies(store: Any, feeds: Sequence[str], shown: Sequence[str]) -> Iterator[Repeat]:
    """Drop a month of a force that an earlier file holds too, with the same incidents.

    They are the same if places, crime types and Crime IDs are; outcomes may have come in since.

    Raises
    ------
    InputError
        Two files hold the same month of a force, and differ in these.
    """
    found = store.execute("SELECT DISTINCT batch, month FROM tally ORDER BY ALL").fetchall()
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for batch, month in found:
        holders[feeds[batch], month].append(batch)
    pairs = [(month, held[0], n) for (_, month), held in holders.items() for n in held[1:]]
    if not pairs:
        return
    store.register("pairs", pd.DataFrame(pairs, columns=["month", "first", "batch"]))
    problems = [
        Problem(
            shown[batch],
            "",
            f"{month} of '{feeds[batch]}' is in {shown[first]} already, and the two differ in "
            f"place, crime type or Crime ID: {here:,.0f} rows are only in this file, {there:,.0f} "
            "only in the other",
            "Every month of a force may be given once; remove one of the files",
        )
        for month, first, batch, here, there in store.execute(_COMPARE).fetchall()
    ]
    if problems:
        raise InputError(problems)
    store.execute(
        "DELETE FROM tally USING pairs"
        " WHERE tally.batch = pairs.batch AND tally.month = pairs.month"
    )
    for month, first, batch in pairs:
        yield Repeat(batch, _COPY, 1.0, f"{month} of '{feeds[batch]}' in {shown[first]} already")


def find_repeats(store: Any) -> list[int]:
    """Put the Crime IDs that several rows have into a table of hashes, and list their files."""
    ids = np.asarray(store.execute("SELECT unnest(ids) AS id FROM tally").fetchnumpy()["id"])
    ((blank,),) = store.execute(f"SELECT {_BLANK}").fetchall()
    high = ids > _HALF
    with ThreadPoolExecutor() as pool:
        twice = np.concatenate(list(pool.map(_list_twice, (ids[high], ids[~high]))))
    twice = twice[twice != blank]
    if not twice.size:
        return []
    store.register("twice", pd.DataFrame({"id": twice}))
    store.execute("CREATE TEMP TABLE repeated AS SELECT DISTINCT id FROM twice")
    found = store.execute(
        "SELECT DISTINCT batch FROM (SELECT batch, unnest(ids) AS id FROM tally)"
        " SEMI JOIN repeated USING (id) ORDER BY 1"
    ).fetchall()
    return [batch for (batch,) in found]


def _list_twice(ids: Any) -> Any:
    ids.sort()
    return ids[1:][ids[1:] == ids[:-1]]


def drop_repeats(store: Any, feeds: Sequence[str], shown: Sequence[str]) -> Iterator[Repeat]:
    """Count a crime once: rows of a file alike in every column, a crime in files of two forces.

    Of two forces the one with the most rows in the LSOA keeps it. Other rows that share a Crime
    ID are counted, and marked in the column ``again`` of the tally.
    """
    numbers = {"batch": np.arange(len(feeds)), "feed": pd.factorize(np.array(feeds))[0]}
    store.register("feeds", pd.DataFrame(numbers))
    store.execute("ALTER TABLE tally DROP COLUMN ids")
    store.execute(_CELLS)
    store.execute(_JUDGE)
    store.execute(_MEND)
    store.execute("DELETE FROM tally WHERE n = 0")
    for batch, alike, shared in store.execute(
        "SELECT batch, sum(alike), sum(shared) FROM judged GROUP BY batch ORDER BY batch"
    ).fetchall():
        for why, count in ((_ALIKE, alike), (_SHARED, shared)):
            if count:
                yield Repeat(batch, why, float(count), f"{shown[batch]} ({count:,.0f})")


def gather_repeats(
    repeats: Iterable[Repeat], sources: Sequence[int]
) -> Iterator[tuple[int, Check]]:
    """Make one line of all files of a source; `sources` gives the source of each file."""
    alike: dict[tuple[int, tuple[str, str]], list[Repeat]] = defaultdict(list)
    for repeat in repeats:
        alike[sources[repeat.batch], repeat.why].append(repeat)
    for (source, (check, reason)), group in alike.items():
        files = ", ".join(repeat.where for repeat in group[:_MOST_FILES])
        left = len(group) - _MOST_FILES
        more = f" and {left} more" if left > 0 else ""
        total = sum(repeat.count for repeat in group)
        yield source, Check(CheckKind.LEFT_OUT, check, total, f"{reason}: {files}{more}")


_COMPARE = f"""
    WITH cells AS (
        SELECT batch, month, coalesce(lsoa, '') AS lsoa, coalesce(kind, '') AS kind, located,
               sum(n) AS n, list_filter(flatten(list(ids)), lambda i: i <> {_BLANK}) AS ids
        FROM tally
        SEMI JOIN (SELECT first AS batch, month FROM pairs UNION SELECT batch, month FROM pairs)
        USING (batch, month) GROUP BY ALL
    ), named AS (
        SELECT batch, month FROM cells GROUP BY ALL HAVING sum(len(ids)) > 0
    ), sides AS (
        SELECT p.month, p.first, p.batch, c.lsoa, c.kind, c.located,
               coalesce(sum(n) FILTER (c.batch = p.batch), 0) AS here,
               coalesce(sum(n) FILTER (c.batch = p.first), 0) AS there,
               list_sort(coalesce(flatten(list(ids) FILTER (c.batch = p.batch)), [])) AS mine,
               list_sort(coalesce(flatten(list(ids) FILTER (c.batch = p.first)), [])) AS theirs,
               (p.batch, p.month) IN (FROM named) AND (p.first, p.month) IN (FROM named) AS known
        FROM pairs AS p JOIN cells AS c ON c.month = p.month AND c.batch IN (p.first, p.batch)
        GROUP BY ALL
    ), unlike AS (
        SELECT *, CASE WHEN known
                  THEN len(list_intersect(mine, theirs))
                       + least(here - len(mine), there - len(theirs))
                  ELSE least(here, there) END AS common
        FROM sides WHERE here <> there OR (known AND mine <> theirs)
    )
    SELECT month, first, batch, sum(here - common), sum(there - common)
    FROM unlike GROUP BY ALL ORDER BY batch, month
"""  # noqa: S608 - an expression of this module

_CELLS = f"""
    CREATE TEMP TABLE cells AS
    SELECT row, batch, cell, feed, hash(kind) AS kind,
           row_number() OVER (ORDER BY month, batch, lsoa, kind, located, x, y) AS place,
           row_number() OVER (ORDER BY size DESC, month, batch) AS rank
    FROM (
        SELECT *, rowid AS row, {CELL} AS cell,
               CASE WHEN lsoa <> '' THEN sum(n) OVER (PARTITION BY lsoa, feed) END AS size
        FROM tally JOIN feeds USING (batch)
    )
"""  # noqa: S608 - an expression of this module

_JUDGE = """
    CREATE TEMP TABLE judged AS
    WITH placed AS (
        SELECT id, n, place, feed, kind, rank FROM rows JOIN cells USING (batch, cell)
    ), keepers AS (
        SELECT id, kind, arg_min(feed, rank) AS keeper
        FROM placed GROUP BY ALL HAVING min(feed) <> max(feed)
    ), kept AS (
        SELECT id, n, place, feed = coalesce(keeper, feed) AS own
        FROM placed LEFT JOIN keepers USING (id, kind)
    ), firsts AS (
        SELECT place, count(*) AS first
        FROM (SELECT min(place) AS place FROM kept WHERE own GROUP BY id) GROUP BY place
    ), summed AS (
        SELECT place, coalesce(sum(n - 1) FILTER (own), 0) AS alike,
               coalesce(sum(n) FILTER (NOT own), 0) AS shared, count_if(own) AS stay
        FROM kept GROUP BY place
    )
    SELECT batch, row, alike, shared, stay - coalesce(first, 0) AS again
    FROM summed LEFT JOIN firsts USING (place) JOIN cells USING (place)
"""

_MEND = """
    UPDATE tally SET n = n - alike - shared, again = judged.again
    FROM judged WHERE tally.rowid = judged.row
"""
