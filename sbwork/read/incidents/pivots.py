"""Tables of counts as spreadsheets lay them out: a column a month, labels once, rows of totals."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.columns import REPEAT_LABELS, STATE_ROWS, Table
from sbwork.read.incidents.tallies import join_levels
from sbwork.specs.errors import InputError, Problem, list_names, quote
from sbwork.specs.masks import describe_cell

__all__ = ["lay_out_counts"]

_TOTAL = re.compile(r"(?:(?:grand|sub|overall)[ -]?)?totals?|\(?all\)?|.+ totals?", re.IGNORECASE)
_TOTAL_OF = re.compile(r"(?:total|all)\b.*", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?")
_MOST_EXAMPLES = 3
_FEW_BLANKS = 0.5

Text = npt.NDArray[np.object_]
Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


def lay_out_counts(table: Table, target: Path) -> Table:
    """Write a table of counts anew with a row a place, type and month; unchanged if it is so.

    Labels that are given once, for the rows below as well, are filled in where that is certain.
    Rows of totals are left out, and in a table with a column a month, which writes no zeros, a
    blank cell is 0; all this is noted.

    Raises
    ------
    InputError
        A cell is no count, two rows are of the same place and type, or it is not certain what a
        blank cell means.
    """
    at = {key: table.header.index(name) for key, name in table.where.items()}
    labels = sorted({*(n for key, n in at.items() if key != "count"), *table.places})
    several = table.months or "crime_subtype" in at or len(table.places) > 1
    if not several and not _has_gaps(table, labels):
        return table
    width = len(table.header)
    rows = [row or [""] * width for row in table.read_rows(empty=True)]
    number = np.arange(len(rows)) + table.skip + 2
    if short := [n for n, row in enumerate(rows) if len(row) != width]:
        found = f"the row has {len(rows[short[0]])} columns where the header has {width}"
        place = table.name_row(int(number[short[0]]))
        raise InputError(Problem(table.shown, place, found, "Export the file again"))
    text: Text = np.array([*rows, [""] * width], dtype=object)[:-1]
    columns = [*table.months] or [at["count"]]
    values = _read_values(text[:, columns])
    notes: list[Check] = []

    keep = ~_find_totals(text, columns, at.get("crime_subtype", -1))
    filled, leaf = _fill_labels(table, text[:, labels], values, number, keep)
    text[:, labels] = filled
    whole = values[keep & leaf].sum(axis=0)
    unlabelled = keep & leaf & (text[:, labels] == "").all(axis=1)
    keep &= ~(unlabelled & ((2 * values == whole) | (values == 0)).all(axis=1))
    keep &= leaf
    left_out = int((values[~keep] != 0).any(axis=1).sum())
    text, values, number = text[keep], values[keep], number[keep]
    if left_out:
        note = f"{table.shown}: rows such as 'Grand Total', which sum others"
        notes.append(Check(CheckKind.LEFT_OUT, "rows of totals", left_out, note))

    notes += _check_cells(table, text[:, columns], values, number)
    _refuse_repeated(table, text[:, labels], number)
    if table.months:
        empty = (text[:, columns] == "").all(axis=0)
        table, values = _drop_empty(table, empty, notes), values[:, ~empty]
    kept = {key: text[:, n] for key, n in at.items() if key != "crime_subtype"}
    if "crime_subtype" in at:
        kinds = list(zip(kept["crime_type"], text[:, at["crime_subtype"]], strict=True))
        _refuse_bare_types(table, kinds)
        kept["crime_type"] = np.array([join_levels(*pair) for pair in kinds], object)
    return _write(table, target, kept, values, notes)


def _has_gaps(table: Table, labels: Sequence[int]) -> bool:
    """Say whether a label is blank, or that of a total."""
    met: dict[int, set[str]] = {at: set() for at in labels}
    for row in table.read_rows():
        for at in labels:
            met[at].update(row[at : at + 1])
    return any(not text or _TOTAL.fullmatch(text) for texts in met.values() for text in texts)


def _read_values(text: Text) -> Values:
    """Read counts, NaN where a cell holds none; a blank is 0."""
    read = {
        cell: float(cell.replace(",", "")) if _NUMBER.fullmatch(cell) else np.nan
        for cell in set(text.ravel().tolist())
    } | {"": 0.0}
    return np.array([[read[cell] for cell in row] for row in text.tolist()]).reshape(text.shape)


def _find_totals(text: Text, columns: Sequence[int], subtype: int) -> Flags:
    """Find the rows that a label calls a total, but in a column that holds nothing else."""
    found = np.zeros(len(text), np.bool_)
    for at in set(range(text.shape[1])) - set(columns):
        met = set(text[:, at].tolist()) - {""}
        totals = {cell for cell in met if _TOTAL.fullmatch(cell)}
        if at == subtype:
            totals |= {cell for cell in met if _TOTAL_OF.fullmatch(cell)}
        if totals and totals != met:
            found |= np.array([cell in totals for cell in text[:, at].tolist()])
    return found


def _fill_labels(
    table: Table, labels: Text, values: Values, number: Rows, keep: Flags
) -> tuple[Text, Flags]:
    """Fill in labels that are given once, and find the rows that have them all.

    Rows whose inner labels are blank have the sum of those below them, or nothing. A table that
    repeats its labels from row to row leaves blank what is not known, and is left as it is.
    """
    leaf = np.ones(len(labels), np.bool_)
    size = labels.shape[1]
    blank = (labels == "") & keep[:, None] & (labels != "").any(axis=1)[:, None]
    if not blank.any():
        return labels, leaf
    filled, given, unclear, repeated = labels.copy(), set(), -1, False
    current = [""] * size
    for row in np.flatnonzero(keep & (labels != "").any(axis=1)).tolist():
        there = np.flatnonzero(labels[row] != "")
        first, last = int(there[0]), int(there[-1])
        before, current = current, [*current[:first], *labels[row, first:].tolist()]
        certain = len(there) == last - first + 1 and "" not in current[:first]
        for depth in range(first + 1, min(last + 1, size - 1) + 1):
            if current[:depth] == before[:depth]:
                repeated = True
            certain &= (key := tuple(current[:depth])) not in given
            given.add(key)
        filled[row], leaf[row] = current, last == size - 1
        unclear = row if unclear < 0 and not certain else unclear
    if repeated and blank.any(axis=1).sum() < _FEW_BLANKS * keep.sum():
        return labels, np.ones(len(labels), np.bool_)
    if unclear >= 0:
        raise _refuse_blank(table, int(number[unclear]))
    sums: dict[tuple[str, ...], Any] = defaultdict(float)
    for row in np.flatnonzero(keep & leaf).tolist():
        for depth in range(1, size):
            sums[tuple(filled[row, :depth])] = sums[tuple(filled[row, :depth])] + values[row]
    for row in np.flatnonzero(keep & ~leaf).tolist():
        below = sums[tuple(cell for cell in filled[row] if cell)]
        if values[row].any() and not np.array_equal(values[row], below):
            raise _refuse_blank(table, int(number[row]))
    return filled, leaf


def _refuse_blank(table: Table, number: int) -> InputError:
    found = "some of the labels are blank, and what they mean is not certain"
    return InputError(Problem(table.shown, table.name_row(number), found, REPEAT_LABELS))


def _check_cells(table: Table, text: Text, values: Values, number: Rows) -> list[Check]:
    """Refuse cells that are no count, and note blanks that count 0."""
    headings = [table.header[at] for at in table.months] or [table.where["count"]]
    blank = (text == "") & ~(text == "").all(axis=0)
    zeros = bool((text == "0").any())
    wrong = np.isnan(values) | (blank & (zeros or not table.months))
    hint = "A count is a number of 0 or more; write 0 where there was none"
    problems = []
    for row, column in np.argwhere(wrong)[:_MOST_EXAMPLES].tolist():
        place = f"{table.name_row(int(number[row]))}, column '{quote(headings[column])}'"
        found = f"{describe_cell(text[row, column])} is not a count"
        if not text[row, column]:
            found = "the cell is blank" + (", though the table writes zeros" if zeros else "")
        problems.append(Problem(table.shown, place, found, hint))
    if problems:
        raise InputError(problems)
    if not blank.any():
        return []
    note = f"{table.shown} writes no zeros, as a pivot table does; its blank cells count as 0"
    return [Check(CheckKind.READ, "blank cells counted as 0", float(blank.sum()), note)]


def _refuse_repeated(table: Table, labels: Text, number: Rows) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for key, row in zip(map(tuple, labels.tolist()), number.tolist(), strict=True):
        if (first := seen.setdefault(key, row)) != row:
            found = f"a second row for what {table.name_row(first)} counts"
            allowed = f"Give one count a place, type and month; {STATE_ROWS}"
            raise InputError(Problem(table.shown, table.name_row(row), found, allowed))


def _refuse_bare_types(table: Table, kinds: Sequence[tuple[str, str]]) -> None:
    """Refuse a type that has rows of its own and rows of its parts, which may be the same."""
    split = {kind for kind, part in kinds if part}
    if both := sorted(split & {kind for kind, part in kinds if not part}):
        found = f"'{quote(both[0])}' has rows with a second level of type and rows without one"
        allowed = "Leave out those that sum the others, or give the second level in all"
        raise InputError(Problem(table.shown, "", found, allowed))


def _drop_empty(table: Table, empty: Flags, notes: list[Check]) -> Table:
    """Leave out months without any count, and note columns that are no month of any place."""
    months = list(table.months.items())
    if gone := [month for (_, month), none in zip(months, empty, strict=True) if none]:
        note = f"{table.shown}: {list_names(gone, 12)}; missing, not zero"
        notes.append(Check(CheckKind.MISSING, "months without any count", len(gone), note))
    if sums := [name for name in table.header if _TOTAL.fullmatch(name)]:
        note = f"{table.shown}: {list_names(sums, 5)}"
        notes.append(Check(CheckKind.LEFT_OUT, "columns of totals", len(sums), note))
    held = dict(entry for entry, none in zip(months, empty, strict=True) if not none)
    return replace(table, months=held)


def _write(
    table: Table, target: Path, kept: dict[str, Text], values: Values, notes: list[Check]
) -> Table:
    """Write the rows; of a row with a column a month those of 0 but one, which keeps its place."""
    keys = list(kept)
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        if table.months:
            keys += ["month", "count"]
            writer.writerow(keys)
            months = list(table.months.values())
            some = values > 0
            some[:, 0] = True
            labels = list(zip(*(column.tolist() for column in kept.values()), strict=True))
            cells = zip(*(part.tolist() for part in (*np.nonzero(some), values[some])), strict=True)
            writer.writerows((*labels[row], months[column], n) for row, column, n in cells)
        else:
            writer.writerow(keys)
            writer.writerows(zip(*kept.values(), strict=True))
    written = replace(table, path=target, header=keys, delimiter=",", skip=0, sheets=())
    where = {key: key for key in keys}
    return replace(written, where=where, notes=[*table.notes, *notes], unique=True)
