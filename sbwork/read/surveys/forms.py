"""Microsoft Forms and Google Forms: one header row of whole questions, answers as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sbwork.read.surveys.plain import find_header
from sbwork.read.surveys.tables import Grid, RawTable, build_table

__all__ = ["is_forms", "read_forms"]

_MICROSOFT = (
    {"id"},
    {"start time", "startzeit", "heure de début", "hora de inicio", "begintijd"},
    {
        "completion time",
        "fertigstellungszeit",
        "heure de fin",
        "hora de finalización",
        "tijd van voltooien",
    },
)
_GOOGLE = {"timestamp", "zeitstempel", "horodateur", "marca temporal", "tijdstempel"}
_ROW_OF_GRID = re.compile(r"\[([^\[\]]+)\]\s*$")


def is_forms(head: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first rows of a file are those of Microsoft Forms or Google Forms.

    Examples
    --------
    >>> is_forms([["ID", "Start time", "Completion time", "Email", "Name", "I trust them"]])
    True
    >>> is_forms([["Timestamp", "Which area do you live in?"]])
    True
    >>> is_forms([["id", "q1", "q2"]])
    False
    """
    if not head:
        return False
    row = [" ".join(cell.split()).casefold() for cell in head[find_header(head)]]
    named = set(row)
    return all(names & named for names in _MICROSOFT) or (bool(row) and row[0] in _GOOGLE)


def read_forms(grid: Grid) -> RawTable:
    """Read an export of Microsoft Forms or Google Forms.

    A column is called by its whole question; a row of a grid, ``question [row]``, may also be
    called by the row alone.

    Parameters
    ----------
    grid : Grid
        The file's cells.

    Returns
    -------
    RawTable
        Answers; forms hand in finished answers only, so nothing is marked to be left out.

    Raises
    ------
    InputError
        No row of answers follows the header.
    """
    head = grid.list_head()
    header = find_header(head)
    names = [" ".join(cell.split()) for cell in head[header]]
    rows = (_ROW_OF_GRID.search(name) for name in names)
    aliases = [(match[1].strip(),) if match else () for match in rows]
    table = build_table(grid, "forms", header + 1, names, names, aliases)
    record = next((i for i, name in enumerate(names) if name.casefold() == "id"), None)
    return replace(table, record=record)
