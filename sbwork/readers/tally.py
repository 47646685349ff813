"""The tally: incidents counted by place, type and month, as every incident reader leaves it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Batch", "Reading", "create_tally", "open_store"]

_COLUMNS = """
    batch INTEGER, lsoa VARCHAR, called VARCHAR, kind VARCHAR, month VARCHAR, name VARCHAR,
    x DOUBLE, y DOUBLE, located BOOLEAN, n DOUBLE
"""


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
    grid : bool
        Whether its coordinates are eastings and northings of the national grid.
    counted : bool
        Whether its rows are counts made by others, so that a month may stand with a zero.
    """

    shown: str
    feed: str
    months: dict[str, int] = field(default_factory=dict)
    grid: bool = False
    counted: bool = False


@dataclass
class Reading:
    """What one reader did with one source.

    Attributes
    ----------
    style : str
        ``"police-uk"``, whose files hold every crime type; ``"rows"`` or ``"counts"``, of which
        an outcome that never occurs may simply not have been recorded.
    batches : list of Batch
        The files counted, in the order of the tally's column ``batch``.
    quality : list of tuple
        What was left out and why: check, count, note.
    """

    style: str = "police-uk"
    batches: list[Batch] = field(default_factory=list)
    quality: list[tuple[str, float, str]] = field(default_factory=list)


def open_store(threads: int | None = None) -> Any:
    """Open a DuckDB database in memory that neither installs nor loads anything from outside.

    Parameters
    ----------
    threads : int, optional
        How many cores it may use; all of them by default.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Limited to 350 MB; past that it spills to its temporary folder.
    """
    import duckdb

    return duckdb.connect(
        config={
            "threads": threads or os.cpu_count() or 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "memory_limit": "350MB",
            "temp_directory": str(Path(tempfile.gettempdir()) / f"sbwork-spill-{os.getpid()}"),
        }
    )


def create_tally(store: Any, name: str) -> None:
    """Create an empty tally in a store.

    One row a place, type and month of a batch: ``lsoa`` and ``called`` (what the file calls the
    site) are empty where the file gives none; ``x`` and ``y`` are kept only where they are
    needed to place the rows; ``located`` says whether rows without an LSOA have coordinates.
    """
    store.execute(f"CREATE OR REPLACE TABLE {name} ({_COLUMNS})")
