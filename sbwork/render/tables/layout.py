"""How every table is laid out, with header cells that screen readers can follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.stats.formats import (
    MISSING,
    format_interval,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["describe_interval", "describe_value", "lay_out"]

_NOTHING = "Nothing was given that could be shown here."


def lay_out(
    rows: Sequence[Mapping[str, str]],
    *,
    name: str,
    title: str,
    subtitle: str = "",
    stub: str = "",
    group: str = "",
    spanners: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, str] | None = None,
    text: Sequence[str] = (),
    notes: Iterable[str] = (),
) -> GT:
    """Lay rows of finished text out as one table, with header cells that screen readers follow.

    Parameters
    ----------
    rows : sequence of mapping
        One mapping of column to text a row; every row has the same keys. Where there is none,
        the table says so.
    name : str
        The table's id, unique in its page.
    title, subtitle : str
        What stands above it.
    stub, group : str
        The columns that name the rows and the groups of rows.
    spanners : mapping of str to sequence of str, optional
        Headings that span several columns.
    labels : mapping of str to str, optional
        What to print for a column in place of its key; repeats are allowed.
    text : sequence of str
        Columns of words, set left; the rest are numbers, set right.
    notes : iterable of str
        What stands below it; repeats are printed once.

    Returns
    -------
    great_tables.GT
        The table; its library escapes all text.
    """
    from great_tables import GT

    if not rows:
        rows, group, spanners, labels, text = [{stub or "Result": _NOTHING}], "", {}, {}, ()
    frame = pd.DataFrame(rows)
    table = GT(frame, rowname_col=stub or None, groupname_col=group or None, id=f"table-{name}")
    table = table.tab_header(title, subtitle or None)
    if stub:
        table = table.tab_stubhead(stub)
    for heading, columns in (spanners or {}).items():
        table = table.tab_spanner(heading, list(columns))
    if labels:
        table = table.cols_label(dict(labels))
    numbers = [column for column in frame.columns if column not in {stub, group, *text}]
    if numbers:
        table = table.cols_align("right", numbers)
    if text:
        table = table.cols_align("left", list(text))
    for note in dict.fromkeys(note for note in notes if note):
        table = table.tab_source_note(note)
    return table.opt_css(
        f"#table-{name} td {{ white-space: pre-line; }}\n"
        f"#table-{name} td.gt_right {{ white-space: pre; }}"
    )


def describe_interval(row: pd.Series[Any] | None, digits: int = 2) -> str:
    """Write a finding's interval; what is not there is said to be missing."""
    return MISSING if row is None else format_interval(row["ci_low"], row["ci_high"], digits)


def describe_value(row: pd.Series[Any] | None, write: Any, column: str = "estimate") -> str:
    """Write one column of a finding with `write`, a function of `sbwork.stats.formats`."""
    return MISSING if row is None else str(write(row[column]))
