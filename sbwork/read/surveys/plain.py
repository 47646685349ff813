"""Plain tables: one header row, then answers."""

from __future__ import annotations

from collections.abc import Sequence

from sbwork.read.surveys.tables import Grid, RawTable, build_table

__all__ = ["find_header", "read_plain"]


def find_header(head: Sequence[Sequence[str]]) -> int:
    """Return the number of the first row that names most of the columns.

    Titles above a table fill one cell or two, so they are passed over.

    Examples
    --------
    >>> find_header([["Resident survey 2019", "", ""], ["", "", ""], ["site", "q1", "q2"]])
    2
    """
    filled = [sum(bool(cell) for cell in row) for row in head]
    most = max(filled, default=0)
    return next((i for i, count in enumerate(filled) if count > most / 2), 0)


def read_plain(grid: Grid, platform: str) -> RawTable:
    """Take the first full row for the header and the rest for answers.

    Parameters
    ----------
    grid : Grid
        The file's cells.
    platform : str
        ``"csv"`` or ``"excel"``.

    Returns
    -------
    RawTable
        Answers; nothing is marked to be left out.

    Raises
    ------
    InputError
        No row of answers follows the header.
    """
    head = grid.list_head()
    header = find_header(head)
    return build_table(grid, platform, header + 1, head[header])
