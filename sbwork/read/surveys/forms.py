"""Microsoft Forms and Google Forms: one header row of whole questions, answers as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sbwork.read.surveys.tables import Grid, RawTable, build_table
from sbwork.read.workbooks import find_header

_MICROSOFT = (
    "id",
    "start time|startzeit|heure de début|hora de inicio|begintijd",
    "completion time|fertigstellungszeit|heure de fin|hora de finalización|tijd van voltooien",
)
_GOOGLE = {"timestamp", "zeitstempel", "horodateur", "marca temporal", "tijdstempel"}
_ROW_OF_GRID = re.compile(r"\[([^\[\]]+)\]\s*$")


def is_forms(head: Sequence[Sequence[str]]) -> bool:
    """Return whether the first rows of a file are those of Microsoft Forms or Google Forms."""
    if not head:
        return False
    row = [" ".join(cell.split()).casefold() for cell in head[find_header(head)]]
    microsoft = all(set(names.split("|")) & set(row) for names in _MICROSOFT)
    return microsoft or (bool(row) and row[0] in _GOOGLE)


def read_forms(grid: Grid) -> RawTable:
    """Read an export of Microsoft Forms or Google Forms, which hold finished answers only.

    A column is called by its whole question; a row of a grid, ``question [row]``, may also be
    called by the row alone.
    """
    head = grid.list_head()
    header = find_header(head)
    names = [" ".join(cell.split()) for cell in head[header]]
    rows = (_ROW_OF_GRID.search(name) for name in names)
    aliases = [(match[1].strip(),) if match else () for match in rows]
    table = build_table(grid, "forms", header + 1, names, names, aliases)
    record = next((i for i, name in enumerate(names) if name.casefold() == "id"), None)
    return replace(table, record=record)
