"""Tables and rows of counted people, with small cells hidden or merged so that they stay hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["find_determined", "merge_small_cells", "suppress_table"]

_LARGEST_ATTACK = 400
_NULL = 1e-9

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]


def suppress_table(
    counts: pd.DataFrame, smallest_group: int = 10, total: str = "Total"
) -> pd.DataFrame:
    """Add totals to a cross-table of people, and hide its small cells so that they stay hidden.

    Cells of 1 to `smallest_group` - 1 people are missing in the result, and others with them, until
    no row or column leaves a remainder of as few, no small cell follows from the totals, and none
    is pinned to one value by the fact that nobody can be counted less than zero times. A cell of 0
    is shown. ValueError where a count is negative, missing or not whole, or `total` is a name
    already.

    Source: Hundepool, A., et al. (2012). Statistical Disclosure Control. Wiley, chapter 4.
    """
    plain = counts.to_numpy(dtype=np.float64)
    if not (np.isfinite(plain).all() and (plain >= 0).all() and (plain == np.floor(plain)).all()):
        raise ValueError("counts must be whole numbers, none missing and none below 0")
    if total in counts.index or total in counts.columns:
        raise ValueError(f"'{total}' is already a name in the table")
    full = np.zeros((plain.shape[0] + 1, plain.shape[1] + 1))
    full[:-1, :-1] = plain
    full[-1] = full.sum(axis=0)
    full[:, -1] = full[:, :-1].sum(axis=1)
    lines = _list_lines(full.shape)
    values = full.ravel()
    hidden = (values >= 1) & (values < smallest_group)
    small = hidden.copy()
    while (extra := _choose_secondary(values, hidden, small, lines, smallest_group)) is not None:
        hidden[extra] = True
    shown = np.where(hidden, np.nan, values).reshape(full.shape)
    return pd.DataFrame(
        shown, index=[*counts.index, total], columns=[*counts.columns, total], dtype="float64"
    )


def merge_small_cells(counts: ArrayLike, fewest: int) -> Vector:
    """Merge ordered counts of people until none lies between 1 and `fewest` - 1.

    A small count is added to the next answer towards the middle, a small middle to its larger
    neighbour; all are zero where the total itself is small.
    """
    merged = np.array(counts, dtype=float)
    if merged.sum() < fewest:
        return np.zeros_like(merged)
    middle = (len(merged) - 1) / 2
    while True:
        filled = [at for at, count in enumerate(merged) if count > 0]
        small = [at for at in filled if merged[at] < fewest]
        if not small:
            return merged
        at = max(small, key=lambda index: abs(index - middle))
        place = filled.index(at)
        beside = [filled[i] for i in (place - 1, place + 1) if 0 <= i < len(filled)]
        inward = [other for other in beside if abs(other - middle) < abs(at - middle)]
        into = max(inward or beside, key=lambda index: merged[index])
        merged[into] += merged[at]
        merged[at] = 0.0


def find_determined(system: Vector) -> Flags:
    """Find which unknowns of a linear system (equations by unknowns) have one value only."""
    _, singular, rows = np.linalg.svd(system, full_matrices=True)
    rank = int((singular > _NULL * max(1.0, singular.max(initial=0))).sum())
    free: Flags = (np.abs(rows[rank:]) > _NULL).any(axis=0)
    return ~free


def _list_lines(shape: tuple[int, int]) -> Vector:
    """List the sums that a reader knows to be zero: the cells of a line minus its total."""
    rows, columns = shape
    lines = []
    for row in range(rows):
        line = np.zeros(shape)
        line[row, :-1], line[row, -1] = 1.0, -1.0
        lines.append(line.ravel())
    for column in range(columns):
        line = np.zeros(shape)
        line[:-1, column], line[-1, column] = 1.0, -1.0
        lines.append(line.ravel())
    return np.array(lines)


def _choose_secondary(
    values: Vector, hidden: Flags, small: Flags, lines: Vector, smallest_group: int
) -> int | None:
    """Choose the next cell to hide; None when every small cell is safe."""
    for line in lines:
        parts = (line > 0) & hidden
        if not hidden[line < 0].any() and 1 <= values[parts].sum() < smallest_group:
            return _choose_beside(values, hidden, lines, np.flatnonzero(line), small)
    if not small.any():
        return None
    solved = _find_solved_cells(hidden, lines)
    exposed = np.flatnonzero(solved & small)
    if len(exposed):
        beside = np.flatnonzero((lines[(lines[:, solved] != 0).any(axis=1)] != 0).any(axis=0))
        return _choose_beside(values, hidden, lines, beside, small)
    pinned = next(_find_pinned(values, hidden, small, lines), None)
    if pinned is None:
        return None
    touching = np.flatnonzero(lines[:, pinned])
    beside = np.flatnonzero(np.abs(lines[touching]).sum(axis=0))
    return _choose_beside(values, hidden, lines, beside, small)


def _choose_beside(
    values: Vector, hidden: Flags, lines: Vector, beside: NDArray[np.intp], small: Flags
) -> int | None:
    """Choose among shown cells: the one that leaves fewest small cells exposed, then the least.

    Cells come before totals, and cells with people in them before empty ones.
    """
    within = set(beside.tolist())
    shown = [cell for cell in range(len(values)) if not hidden[cell] and cell in within]
    shown = shown or np.flatnonzero(~hidden).tolist()
    totals = set(np.flatnonzero(lines.min(axis=0) < 0).tolist())

    def rank(cell: int) -> tuple[int, bool, bool, float, int]:
        trial = hidden.copy()
        trial[cell] = True
        left = int((_find_solved_cells(trial, lines) & small).sum())
        people = float(values[cell])
        return left, cell in totals, people == 0, people, cell

    return min(shown, key=rank, default=None)


def _find_solved_cells(hidden: Flags, lines: Vector) -> Flags:
    solved = np.zeros(len(hidden), dtype=bool)
    unknown = np.flatnonzero(hidden)
    solved[unknown] = find_determined(lines[:, unknown])
    return solved


def _find_pinned(
    values: Vector,
    hidden: Flags,
    small: Flags,
    lines: Vector,
) -> Iterator[int]:
    """Yield small cells that have one value only, because no count is below zero."""
    from scipy.optimize import linprog

    unknown = np.flatnonzero(hidden)
    if len(unknown) > _LARGEST_ATTACK:
        return
    known = -lines[:, ~hidden] @ values[~hidden]
    for position in np.flatnonzero(small[unknown]):
        aim = np.zeros(len(unknown))
        aim[position] = 1.0
        ends = [
            linprog(sign * aim, A_eq=lines[:, unknown], b_eq=known, bounds=(0, None)).fun
            for sign in (1, -1)
        ]
        low, high = ends[0], -ends[1] if ends[1] is not None else math.inf
        if low is not None and high - low < 1:
            yield int(unknown[position])
