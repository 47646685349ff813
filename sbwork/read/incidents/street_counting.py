"""Street files counted: regular ones from their bytes, any other by DuckDB."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.incidents.archives import Part, open_part, report_broken, use_on_disk
from sbwork.read.incidents.members import list_stream_errors
from sbwork.read.incidents.stores import open_store
from sbwork.read.incidents.street_lines import LineCount, LineCounter, LineLayout
from sbwork.read.incidents.tally import label_codes, make_tally
from sbwork.specs.errors import InputError, Problem

__all__ = ["PointNeed", "count_any_files", "count_regular_files"]

_MOST_WORKERS = 8
_BYTES_TOGETHER = 60_000_000


@dataclass(frozen=True)
class PointNeed:
    """Which coordinates must be kept because rows are placed by them.

    Attributes
    ----------
    unplaced : bool
        Keep those of rows without an LSOA: there are boundaries to place them in.
    boxes : tuple of (west, south, east, north)
        Keep those inside these boxes, in degrees: there are sites given as polygons.
    """

    unplaced: bool = False
    boxes: tuple[tuple[float, float, float, float], ...] = ()


def count_regular_files(
    parts: Sequence[Part], layouts: Sequence[LineLayout | None], names: dict[str, str]
) -> tuple[list[pd.DataFrame], list[int]]:
    """Count the files that are as data.police.uk publishes them, on every core.

    Parameters
    ----------
    parts : sequence of Part
        Street files.
    layouts : sequence of LineLayout or None
        Where the fields of each stand; None leaves a file out.
    names : dict of str to str
        Gets the names of the LSOAs.

    Returns
    -------
    tallies : list of pandas.DataFrame
        Their batches are positions in `parts`.
    rest : list of int
        The files that were not counted, being irregular; see `sbwork.read.incidents.street_lines`.
    """
    waiting = deque(number for number, layout in enumerate(layouts) if layout is not None)
    workers = min(os.cpu_count() or 1, _MOST_WORKERS, len(waiting))

    largest = max((parts[number].size for number in waiting), default=0)

    def _work() -> tuple[LineCounter, dict[int, LineCount]]:
        counter = LineCounter(largest)
        counted: dict[int, LineCount] = {}
        while waiting:
            try:
                number = waiting.popleft()
            except IndexError:
                break
            layout = layouts[number]
            assert layout is not None  # noqa: S101 - only those with one are waiting
            found = _count_lines(counter, number, parts[number], layout)
            if found is not None:
                counted[number] = found
        return counter, counted

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        futures = [pool.submit(_work) for _ in range(workers)]
        try:
            done = [future.result() for future in futures]
        finally:
            waiting.clear()
    firsts: dict[str, tuple[int, str]] = {}
    for counter, _ in done:
        for code, told in counter.names.items():
            firsts[code] = min(told, firsts.get(code, told))
    names.update({code: name for code, (_, name) in firsts.items() if name})
    seen = {number for _, counted in done for number in counted}
    rest = [number for number in range(len(parts)) if number not in seen]
    return [_lay_out(counter, counted) for counter, counted in done if counted], rest


def count_any_files(
    parts: Sequence[Part],
    headers: Sequence[tuple[str, ...]],
    numbers: Sequence[int],
    points: PointNeed,
    names: dict[str, str],
) -> list[pd.DataFrame]:
    """Count files by reading them as CSV, row by row.

    Parameters
    ----------
    parts : sequence of Part
        Street files.
    headers : sequence of tuple of str
        Their columns.
    numbers : sequence of int
        Positions of the files to count.
    points : PointNeed
        Which coordinates to keep.
    names : dict of str to str
        Gets the names of the LSOAs that it does not hold yet.

    Returns
    -------
    list of pandas.DataFrame
        Tallies; their batches are positions in `parts`.

    Raises
    ------
    InputError
        A row can't be read.
    """
    by_header: dict[tuple[str, ...], list[int]] = {}
    for number in numbers:
        by_header.setdefault(headers[number], []).append(number)
    with open_store() as store:
        return [
            tally
            for header, group in by_header.items()
            for tally in _count_alike(store, parts, header, group, points, names)
        ]


def _count_alike(
    store: Any,
    parts: Sequence[Part],
    header: tuple[str, ...],
    numbers: list[int],
    points: PointNeed,
    names: dict[str, str],
) -> list[pd.DataFrame]:
    def _count(positions: list[int], paths: list[Path]) -> pd.DataFrame:
        batches = np.array(numbers)[positions]
        shown = [parts[number].shown for number in batches]
        found = _query_files(store, paths, header, points, shown)
        for code, name in sorted(set(zip(found["lsoa"], found.pop("name"), strict=True))):
            if code and name:
                names.setdefault(code, name)
        found["batch"] = batches[found.pop("file_index")]
        return make_tally(found)

    chosen = [parts[number] for number in numbers]
    return use_on_disk(chosen, _count, together=_BYTES_TOGETHER)


def _count_lines(
    counter: LineCounter, number: int, part: Part, layout: LineLayout
) -> LineCount | None:
    try:
        with open_part(part) as stream:
            return counter.count(number, layout, stream.readinto)
    except list_stream_errors() as error:
        raise report_broken(part, error) from None


def _lay_out(counter: LineCounter, counted: dict[int, LineCount]) -> pd.DataFrame:
    counts = list(counted.values())
    sizes = [len(count.n) for count in counts]
    months = list(dict.fromkeys(count.month for count in counts))
    month = np.repeat([months.index(count.month) for count in counts], sizes)
    lsoa, kind, located, x, y, n = (
        np.concatenate([getattr(count, name) for count in counts])
        for name in ("lsoa", "kind", "located", "x", "y", "n")
    )
    return make_tally(
        {
            "batch": np.repeat(list(counted), sizes),
            "lsoa": label_codes(lsoa, counter.lsoas),
            "kind": label_codes(kind, counter.kinds),
            "month": label_codes(month, months),
            "x": x,
            "y": y,
            "located": located,
            "n": n,
        }
    )


def _query_files(
    store: Any,
    paths: Sequence[Path],
    header: tuple[str, ...],
    points: PointNeed,
    shown: Sequence[str],
) -> dict[str, Any]:
    import duckdb

    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    where = {name: f"c{number}" for number, name in enumerate(header)}
    lsoa = where.get("LSOA code", "NULL::VARCHAR")
    x = where.get("Longitude") or where.get("Easting") or "NULL::VARCHAR"
    y = where.get("Latitude") or where.get("Northing") or "NULL::VARCHAR"
    keep = [f"{lsoa} IS NULL"] if points.unplaced or points.boxes else []
    keep += [
        f"(TRY_CAST({x} AS DOUBLE) BETWEEN {west!r} AND {east!r}"
        f" AND TRY_CAST({y} AS DOUBLE) BETWEEN {south!r} AND {north!r})"
        for west, south, east, north in points.boxes
    ]
    kept = "".join(
        f", CASE WHEN {' OR '.join(keep)} THEN TRY_CAST({column} AS DOUBLE) END AS {name}"
        for name, column in (("x", x), ("y", y))
        if keep
    )
    query = f"""
        SELECT file_index, coalesce({lsoa}, '') AS lsoa,
               coalesce({where["Crime type"]}, '') AS kind,
               coalesce({where["Month"]}, '') AS month,
               coalesce(any_value({where.get("LSOA name", "NULL::VARCHAR")}), '') AS name,
               {lsoa} IS NULL AND {x} IS NOT NULL AS located, count(*) AS n{kept}
        FROM read_csv($paths, auto_detect = false, header = true, delim = ',', quote = '"',
                      escape = '"', columns = {{{columns}}})
        GROUP BY ALL
    """  # noqa: S608 - built from positions and numbers, never from text of the file
    files = [str(path) for path in paths]
    try:
        return dict(store.execute(query, {"paths": files}).fetchnumpy())
    except duckdb.Error as error:
        raise _explain_error(str(error), files, shown) from None


def _explain_error(message: str, paths: Sequence[str], shown: Sequence[str]) -> InputError:
    place = re.search(r"CSV Error on Line: (\d+)", message)
    line = f"line {place[1]}" if place else ""
    named = next((s for p, s in zip(paths, shown, strict=True) if p in message), shown[0])
    widths = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if widths:
        found = f"the row has {widths[2]} columns where the header has {widths[1]}"
    elif "nicode" in message or "utf-8" in message.lower():
        found = "the text is not UTF-8"
    elif "quote" in message:
        found = "a quotation mark is opened and never closed, or closed too early"
    else:
        found = "the row can't be read"
    return InputError(Problem(named, line, found, "Download or export the file again"))
