"""The tally: incidents counted by place, type and month, as every incident reader leaves it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from sbwork.read.checks import Check

__all__ = [
    "Batch",
    "PointNeed",
    "Reading",
    "explain_row",
    "fetch_tally",
    "join_levels",
    "join_tallies",
    "list_levels",
    "open_store",
    "read_point",
]

_LEVELS = " > "
_TEXTS = ("lsoa", "called", "kind", "month")
_COLUMNS = {"batch": "INTEGER", "lsoa": "VARCHAR", "called": "VARCHAR", "kind": "VARCHAR",
            "month": "VARCHAR", "x": "DOUBLE", "y": "DOUBLE", "located": "BOOLEAN",
            "n": "DOUBLE", "again": "DOUBLE DEFAULT 0"}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """One file that was counted.

    Attributes
    ----------
    shown : str
        What a message calls the file.
    feed : str
        Who recorded it: the force, or the file itself where no force is named. Months that one
        feed covers say nothing about another's.
    months : dict of str to int
        The months in it, with the rows of each.
    counted : bool
        Whether its rows are counts made by others, so that a month may stand with a zero.
    """

    shown: str
    feed: str
    months: dict[str, int] = field(default_factory=dict)
    counted: bool = False


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


@dataclass
class Reading:
    """What one reader did with one source.

    Attributes
    ----------
    style : str
        ``"police-uk"``, whose files contain every crime type; ``"rows"`` or ``"counts"``, of which
        an outcome that never occurs may simply not have been recorded.
    batches : list of Batch
        The files counted, in the order of the tally's column ``batch``.
    quality : list of Check
        What was left out, and why.
    tally : pandas.DataFrame
        The counts; see `fetch_tally`.
    names : dict of str to str
        What the files call an LSOA, by its code.
    """

    style: str = "police-uk"
    batches: list[Batch] = field(default_factory=list)
    quality: list[Check] = field(default_factory=list)
    tally: pd.DataFrame = field(default_factory=pd.DataFrame)
    names: dict[str, str] = field(default_factory=dict)


def join_levels(kind: str, part: str) -> str:
    """Join a crime type and the part of it that a row counts; see `list_levels`."""
    return f"{kind}{_LEVELS}{part}" if kind and part and part != kind else kind or part


def list_levels(kind: str) -> list[str]:
    """List the names under which a crime type may be counted: its own, those of its levels.

    Examples
    --------
    >>> list_levels("Burglary > Domestic burglary")
    ['Burglary > Domestic burglary', 'Burglary', 'Domestic burglary']
    """
    levels = kind.split(_LEVELS)
    return list(dict.fromkeys([kind, *levels]))


def open_store() -> Any:
    """Open a DuckDB database in memory, with a table ``tally``.

    It installs and loads nothing from outside, and is limited to 350 MB; past that it spills to
    its temporary folder.
    """
    import duckdb

    store = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "memory_limit": "350MB",
            "temp_directory": str(Path(tempfile.gettempdir()) / f"sbwork-spill-{os.getpid()}"),
        }
    )
    store.execute("SET enable_progress_bar = false")
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    store.execute(f"CREATE TEMP TABLE tally ({columns}, name VARCHAR, ids UBIGINT[])")
    store.execute("CREATE TEMP TABLE rows (batch INTEGER, id UBIGINT, cell UBIGINT, n BIGINT)")
    return store


def explain_row(message: str) -> tuple[str, str]:
    """Say from DuckDB's message in which line a CSV file can't be read, and why."""
    place = re.search(r"CSV Error on Line: (\d+)", message)
    widths = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    found = "the row can't be read"
    if widths:
        found = f"the row has {widths[2]} columns where the header has {widths[1]}"
    return f"line {place[1]}" if place else "", found


def read_point(x: str, y: str, lsoa: str, points: PointNeed) -> tuple[str, str, str, str]:
    """Write the SQL that reads the coordinates of a row from two columns of text.

    Returns
    -------
    tuple of str
        Which rows need them; the two numbers; and, of these under the names px and py, whether
        they are a place: 0, 0 is none. A comma is a thousands separator before three digits, a
        decimal point before others.
    """

    def _read(text: str) -> str:
        whole = rf"regexp_full_match(trim({text}), '-?\d{{1,3}}(,\d{{3}})+(\.\d*)?')"
        plain = f"replace({text}, ',', CASE WHEN {whole} THEN '' ELSE '.' END)"
        return f"coalesce(TRY_CAST({text} AS DOUBLE), TRY_CAST({plain} AS DOUBLE))"

    located = "coalesce(isfinite(px) AND isfinite(py) AND (px <> 0 OR py <> 0), false)"
    needed = "true" if points.boxes else f"{lsoa} IS NULL"
    return needed, _read(x), _read(y), located


def fetch_tally(store: Any, table: str = "tally") -> pd.DataFrame:
    """Fetch a table laid out as ``tally``: counts, one row a place, type and month of a batch.

    Returns
    -------
    pandas.DataFrame
        ``batch`` (int32, position among the batches); ``lsoa``, ``called`` (what the file calls
        the site), ``kind`` and ``month`` (YYYY-MM), categories that are empty text where the
        file gives none; ``x`` and ``y`` (float64, NaN but where they are needed to place the
        rows); ``located`` (bool, whether it has coordinates that could place it); ``n`` and, of
        these, ``again`` (those whose Crime ID an earlier row has as well; both float64).
    """
    chosen = dict(zip(_COLUMNS, _COLUMNS, strict=True))
    for name in _TEXTS:
        # Numbers for texts, made by the database: a third of the time of fetching the texts.
        texts = f"SELECT coalesce({name}, '') FROM {table} UNION SELECT '' ORDER BY 1"  # noqa: S608
        store.execute(f"CREATE OR REPLACE TYPE {name}_text AS ENUM ({texts})")
        chosen[name] = f"coalesce({name}, '')::{name}_text AS {name}"
    tally: pd.DataFrame = store.execute(f"SELECT {', '.join(chosen.values())} FROM {table}").df()  # noqa: S608
    for name in _TEXTS:
        tally[name] = tally[name].cat.as_unordered()
    return tally


def join_tallies(tallies: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tallies below each other; their categories are put together, in order of turning up."""
    if len(tallies) == 1:
        return tallies[0]
    return pd.DataFrame(
        {
            name: union_categoricals([tally[name] for tally in tallies])
            if name in _TEXTS
            else np.concatenate([tally[name].to_numpy() for tally in tallies])
            for name in tallies[0].columns
        }
    )
