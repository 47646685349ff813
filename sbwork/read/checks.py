"""The lines of a data-quality table: what was read, joined, left out, missing or in doubt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from sbwork.specs.cohort import Join
from sbwork.specs.errors import Problem
from sbwork.specs.masks import mask_name, mask_text

__all__ = [
    "CHECK_COLUMNS",
    "FEWEST_LOST",
    "JOINS",
    "Check",
    "CheckKind",
    "find_losses",
    "tabulate_lines",
]

CHECK_COLUMNS = ("source", "kind", "check", "count", "note", "lost")
"""The columns of every data-quality frame, in order."""

FEWEST_LOST = 5
"""A join that loses fewer than these is never stopped at, however large their share."""

JOINS: Mapping[Join, tuple[str, str, float]] = {
    "dates": ("rows to dates", "rows have no date", 0.2),
    "places": ("rows to places", "rows have no area code or coordinates to place them by", 0.2),
    "places_change": (
        "rows to places, before and after",
        "rows may be missing from one period alone: {}",
        0.1,
    ),
    "sites": ("rows to sites", "rows lie in no site", 1.0),
    "lookup": ("area codes to lookup", "area codes are not in the lookup", 0.5),
    "crime_types": ("crime types to outcomes", "rows have a crime type that is not known", 0.2),
    "periods": ("rows to the periods", "rows are of other months", math.inf),
    "months": ("months to files", "months of the periods are in no file", 0.5),
    "survey_sites": ("answers to sites", "answers have no site", 0.2),
    "survey_waves": ("answers to waves", "answers have no wave", 0.2),
    "items": ("answers to options", "people gave no answer to the item {}", 0.95),
    "answers": ("rows to answers used", "rows of the file are not used", 0.8),
    "weights": ("weights to answers", "answers have a weight of 0", 0.2),
    "people": (
        "people to waves",
        "people of the smaller wave are not found in the other one by their id",
        0.5,
    ),
}
"""Every join: what is joined, what it means to be lost, and the share lost that stops it."""


class CheckKind(StrEnum):
    """What a line is about, as data; its words are for people."""

    ROWS_READ = "rows_read"
    READ = "read"
    JOIN = "join"
    USED = "used"
    LINKED = "linked"
    LEFT_OUT = "left_out"
    UNKNOWN_TYPE = "unknown_type"
    MISSING = "missing"
    NOT_COMPARABLE = "not_comparable"
    OUTSIDE_PERIODS = "outside_periods"
    DOUBT = "doubt"
    UNEVEN = "uneven"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a data-quality table.

    Attributes
    ----------
    kind : CheckKind
        ``"rows_read"`` (how many rows, or incidents, a file holds), ``"used"`` (how many
        questionnaires enter the evaluation), ``"linked"`` (how many people answered both waves),
        ``"read"`` (anything else on what was read and how it was used), ``"join"`` (how much of
        one thing was found in another; `check` is a key of `JOINS`), ``"left_out"`` (rows or
        files that are not used), ``"unknown_type"`` (incidents whose crime type is not known),
        ``"missing"`` (what no file holds), ``"not_comparable"`` (months of the periods that are
        left out), ``"outside_periods"`` (other months that are left out), ``"doubt"`` (used all
        the same, and worth a look) or ``"uneven"`` (the same, and it may pass for a change, so that
        the summary says it).
    check : str
        In a few words.
    count : float
        How many; NaN where nothing is counted. Of a join, how many were matched.
    note : str
        What else to know.
    lost : float
        Of a join, how many were not matched; NaN otherwise.
    """

    kind: CheckKind
    check: str
    count: float
    note: str = ""
    lost: float = math.nan


def tabulate_lines(lines: Iterable[tuple[str, Check]]) -> pd.DataFrame:
    """Lay out the lines of a data-quality table, with files' names masked that look personal.

    Parameters
    ----------
    lines : iterable of tuple of str and Check
        What each line is about (a file, or ``"all files"``), and the line.

    Returns
    -------
    pandas.DataFrame, shape (n_lines, len(CHECK_COLUMNS))
        ``count`` and ``lost`` are float64, the rest text.

    Examples
    --------
    >>> lines = [("a.csv", Check(CheckKind.ROWS_READ, "rows read", 12))]
    >>> tabulate_lines(lines).loc[0, ["source", "kind", "check"]].tolist()
    ['a.csv', 'rows_read', 'rows read']
    """
    rows = [
        (mask_name(source), str(line.kind), line.check, line.count, mask_text(line.note), line.lost)
        for source, line in lines
    ]
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS)).astype(
        {name: "float64" if name in {"count", "lost"} else "str" for name in CHECK_COLUMNS}
    )


def find_losses(quality: pd.DataFrame, accepted: Mapping[Join, float]) -> Iterator[Problem]:
    """Find the joins that lose so much that somebody must say whether it is meant.

    Parameters
    ----------
    quality : pandas.DataFrame
        In the columns `CHECK_COLUMNS`.
    accepted : mapping of str to float
        The largest share that may be lost in a join, as ``accepted_losses`` of the cohort has it.

    Yields
    ------
    Problem
        One a join of a file, whose share lost is that of `JOINS` or more, and more than accepted.

    Examples
    --------
    >>> line = Check(CheckKind.JOIN, "dates", 60, lost=40)
    >>> [str(problem) for problem in find_losses(tabulate_lines([("a.csv", line)]), {})]
    ["a.csv: 40 of 100 rows have no date (40%). Is that meant? If not, mend the file; if so, write \
'accepted_losses: {dates: 0.4}' into cohort.yml."]
    >>> list(find_losses(tabulate_lines([("a.csv", line)]), {"dates": 0.4}))
    []
    """
    for _, row in quality[quality["kind"] == CheckKind.JOIN].iterrows():
        join, lost = row["check"], row["lost"]
        total = row["count"] + lost
        _, meaning, limit = JOINS[join]
        if lost < FEWEST_LOST or lost < limit * total or lost <= accepted.get(join, -1) * total:
            continue
        share = math.ceil(100 * lost / total) / 100
        found = f"{lost:,.0f} of {total:,.0f} {meaning.format(row['note'])} ({lost / total:.0%})"
        allowed = "Is that meant? If not, mend the file; if so, write "
        allowed += f"'accepted_losses: {{{join}: {share:g}}}' into cohort.yml"
        yield Problem(row["source"], "", found, allowed)
