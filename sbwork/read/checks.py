"""The lines of a data-quality table: what was read, left out, missing or in doubt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

__all__ = ["CHECK_COLUMNS", "Check", "CheckKind", "tabulate_lines"]

CHECK_COLUMNS = ("source", "kind", "check", "count", "note")
"""The columns of every data-quality frame, in order."""


class CheckKind(StrEnum):
    """What a line is about, as data; its words are for people."""

    ROWS_READ = "rows_read"
    READ = "read"
    USED = "used"
    LINKED = "linked"
    LEFT_OUT = "left_out"
    UNKNOWN_TYPE = "unknown_type"
    MISSING = "missing"
    NOT_COMPARABLE = "not_comparable"
    OUTSIDE_PERIODS = "outside_periods"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a data-quality table.

    Attributes
    ----------
    kind : CheckKind
        ``"rows_read"`` (how many rows, or incidents, a file holds), ``"used"`` (how many
        questionnaires enter the evaluation), ``"linked"`` (how many people answered both waves),
        ``"read"`` (anything else on what was read and how it was used), ``"left_out"`` (rows or
        files that are not used), ``"unknown_type"`` (incidents whose crime type is not known),
        ``"missing"`` (what no file holds), ``"not_comparable"`` (months of the periods that are
        left out), ``"outside_periods"`` (other months that are left out) or ``"doubt"`` (used all
        the same, and worth a look).
    check : str
        In a few words.
    count : float
        How many; NaN where nothing is counted.
    note : str
        What else to know.
    """

    kind: CheckKind
    check: str
    count: float
    note: str = ""


def tabulate_lines(lines: Iterable[tuple[str, Check]]) -> pd.DataFrame:
    """Lay out the lines of a data-quality table.

    Parameters
    ----------
    lines : iterable of tuple of str and Check
        What each line is about (a file, or ``"all files"``), and the line.

    Returns
    -------
    pandas.DataFrame, shape (n_lines, len(CHECK_COLUMNS))
        ``count`` is float64, the rest text.

    Examples
    --------
    >>> lines = [("a.csv", Check(CheckKind.ROWS_READ, "rows read", 12))]
    >>> tabulate_lines(lines).loc[0, ["source", "kind", "check"]].tolist()
    ['a.csv', 'rows_read', 'rows read']
    """
    rows = [(source, str(line.kind), line.check, line.count, line.note) for source, line in lines]
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS)).astype(
        {name: "float64" if name == "count" else "str" for name in CHECK_COLUMNS}
    )
