"""Cells of people that are linked by sums: which to hide so that no small one can be worked out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Beliefs",
    "Moments",
    "bound_means",
    "bound_table",
    "hide_cells",
    "merge_small_cells",
    "suppress_table",
]

_NEAR = 1e-6
_TANGENTS = 17
_SHARE_OF_SCALE = 0.25
"""How wide the bounds of a hidden mean must stay, as a share of the scale."""
_ROUNDS = 12
"""How often the cheapest pattern is looked for before any that is safe is taken."""
_AT_ONCE = 60
"""How many faults are then mended before others are looked for."""
_NODES = 100

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]
Cut = tuple[Vector, float]
"""What hiding each cell adds, and how much is needed."""


@dataclass(frozen=True)
class Beliefs:
    """What a reader takes for granted beside the sums, as from an earlier report; a value a cell.

    low, high: The least and the greatest number that a reader thinks possible.
    open_low, open_high: Between which the number must stay open; NaN where it need not.
    patterns: Which cells to hide, tried first.
    """

    low: Vector
    high: Vector
    open_low: Vector
    open_high: Vector
    patterns: tuple[Flags, ...] = ()

    def choose(self, cells: NDArray[np.intp]) -> Beliefs:
        """Return those of some cells."""
        return Beliefs(
            self.low[cells],
            self.high[cells],
            self.open_low[cells],
            self.open_high[cells],
            tuple(pattern[cells] for pattern in self.patterns),
        )


@dataclass(frozen=True)
class Moments:
    """What is known of the scores in each cell: sums of a scale that runs from `low` to `high`.

    `sums` and `squares` have a value a cell, NaN where a cell has no scores of its own; cells of
    other kinds stand in the same sums of `relations` only with cells of their kind.
    """

    sums: Vector
    squares: Vector
    low: Vector
    high: Vector


def hide_cells(
    counts: ArrayLike,
    relations: ArrayLike,
    smallest: int = 10,
    *,
    people: ArrayLike | None = None,
    unpublished: ArrayLike | None = None,
    cost: ArrayLike | None = None,
    moments: Moments | None = None,
    beliefs: Beliefs | None = None,
) -> Flags:
    """Choose the cells to hide, so that every number of people below `smallest` stays open.

    Hidden are the cells with 1 to `smallest` - 1 people, and the least costly others, until what is
    shown, with the sums that tie the cells, leaves every such cell free to hold any number from 1
    to `smallest` - 1, and its mean free within a quarter of the scale.

    Parameters
    ----------
    counts : array_like of float, shape (n_cells,)
        People, or incidents, in each cell and each total.
    relations : array_like of float, shape (n_relations, n_cells)
        Sums known to be zero: 1 for the parts, -1 for their total.
    smallest : int, default 10
        The smallest number that may be shown; 0 is always shown.
    people : array_like of bool, shape (n_cells,), optional
        Cells that count people, all by default; others, such as a sum of scores, may be hidden to
        protect them and need no protection.
    unpublished : array_like of bool, shape (n_cells,), optional
        Cells that are never shown, whatever they hold.
    cost : array_like of float, shape (n_cells,), optional
        What hiding a cell costs; by default the logarithm of its number.
    moments : Moments, optional
        Sums of scores; without them only numbers are protected.
    beliefs : Beliefs, optional
        What a reader knows from elsewhere, and what has to stay open for that reason.

    Returns
    -------
    ndarray of bool, shape (n_cells,)
        The cells to hide.

    Raises
    ------
    ValueError
        The counts don't obey the relations.

    Notes
    -----
    An integer programme proposes the cheapest pattern; a linear programme a hidden cell finds the
    bounds that a reader could work out; where they are too narrow, the duals give a cut that every
    safe pattern obeys, and the programme is solved again.

    References
    ----------
    Fischetti, M., & Salazar, J. J. (2001). Solving the cell suppression problem on tabular data
    with linear constraints. Management Science, 47(7), 1008-1027.

    Examples
    --------
    >>> hide_cells([6, 30, 34, 70], [[1, 1, 1, -1]]).tolist()
    [True, True, False, False]
    """
    values = np.asarray(counts, dtype=np.float64)
    if not values.size:
        return np.zeros(0, np.bool_)
    links = _list_distinct(np.asarray(relations, np.float64).reshape(-1, len(values)))
    if np.abs(links @ values).max(initial=0.0) > _NEAR:
        raise ValueError("the counts don't add up as the relations say")
    small = (values >= 1) & (values < smallest)
    counted = np.ones(len(values), np.bool_)
    if people is not None:
        counted &= np.asarray(people, dtype=np.bool_)
    small &= counted
    secret = np.zeros(len(values), np.bool_)
    if unpublished is not None:
        secret |= np.asarray(unpublished, dtype=np.bool_)
    weight = np.log2(values + 2) if cost is None else np.asarray(cost, dtype=np.float64)
    if beliefs is None:
        none = np.full(len(values), np.nan)
        beliefs = Beliefs(none * 0, none, none, none)
    known = beliefs.low == beliefs.high
    beliefs = Beliefs(
        np.where(np.isnan(beliefs.low), 0.0, beliefs.low),
        beliefs.high,
        np.fmin(beliefs.open_low, np.where(small & ~known, 1.0, np.nan)),
        np.fmax(beliefs.open_high, np.where(small & ~known, smallest - 1.0, np.nan)),
        beliefs.patterns,
    )
    hidden = secret | small | ~np.isnan(beliefs.open_low)
    for inside, rows in _list_linked(_mark_spots(links), np.ones_like(small)):
        if hidden[inside].any() and not np.isnan(beliefs.open_low[inside]).all():
            hidden[inside] = _hide_linked(
                values[inside],
                links[np.ix_(rows, inside)],
                small[inside],
                counted[inside],
                secret[inside],
                weight[inside],
                smallest,
                _choose_moments(moments, inside),
                beliefs.choose(inside),
            )
    return hidden


def _list_distinct(rows: Vector) -> Vector:
    """Return the distinct rows in ascending order, as ``numpy.unique`` does, but by few numbers."""
    width = rows.shape[1]

    def _place(row: Vector) -> list[tuple[float, float]]:
        at = np.flatnonzero(row)
        return [
            *zip((np.sign(row[at]) * (width - at)).tolist(), row[at].tolist(), strict=True),
            (0.0, 0.0),
        ]

    distinct = {tuple(_place(row)): row for row in rows}
    return np.array([distinct[key] for key in sorted(distinct)]).reshape(-1, width)


def _choose_moments(moments: Moments | None, inside: NDArray[np.intp]) -> Moments | None:
    if moments is None:
        return None
    return Moments(
        moments.sums[inside], moments.squares[inside], moments.low[inside], moments.high[inside]
    )


def _hide_linked(
    values: Vector,
    links: Vector,
    small: Flags,
    people: Flags,
    secret: Flags,
    cost: Vector,
    smallest: int,
    moments: Moments | None,
    beliefs: Beliefs,
) -> Flags:
    from scipy.sparse import csr_array

    cuts: list[Cut] = []
    tables: list[tuple[NDArray[np.intp], Vector]] = []
    roof = _roof(values, smallest)
    beliefs = replace(beliefs, high=np.fmin(beliefs.high, roof + 0 * values))
    beliefs = _limit_openness(values, links, beliefs)
    forced = hidden = small | secret | ~np.isnan(beliefs.open_low)

    sums, spots = csr_array(links), _mark_spots(links)
    find_remainders = _prepare_remainders(values, links, people, smallest)

    def _find_faults(away: Flags, near: Flags | None = None) -> Iterator[Cut]:
        yield from find_remainders(away)
        yield from _audit(values, sums, spots, away, beliefs, tables, near)

    for pattern in beliefs.patterns:
        if next(_find_faults(pattern | forced), None) is None:
            return pattern | forced
    for turn in itertools.count():
        fresh = list(itertools.islice(_find_faults(hidden), None if turn < _ROUNDS else _AT_ONCE))
        if not fresh:
            break
        cuts += fresh
        hidden = _propose(forced, cost, cuts) if turn < _ROUNDS else _cover(hidden, cost, fresh)
    # What one cell less tells of others, it tells of those that hidden cells tie it to.
    tied = np.zeros((len(values), len(values)), np.bool_)
    for inside, _ in _list_linked(spots, hidden):
        tied[np.ix_(inside, inside)] = True
    for cell in sorted(np.flatnonzero(hidden & ~forced), key=lambda at: -cost[at]):
        hidden[cell] = False
        hidden[cell] = next(_find_faults(hidden, tied[cell]), None) is not None
    if moments is not None:
        for cell in np.flatnonzero(small & ~np.isnan(moments.sums)):
            _open_mean(values, links, hidden, cost, moments, int(cell))
    return hidden


def _open_mean(
    values: Vector, links: Vector, hidden: Flags, cost: Vector, moments: Moments, cell: int
) -> None:
    """Hide more cells, in place, until the mean of one hidden cell is open.

    Hiding more never narrows another bound, so the first cell that is enough is taken, the
    cheapest where none is.
    """
    need = _SHARE_OF_SCALE * (moments.high[cell] - moments.low[cell]) - _NEAR

    def _width(away: Flags) -> float:
        low, high = bound_means(values, links, away, moments, cell)
        return high - low

    while not hidden.all() and _width(hidden) < need:
        beside = np.abs(links[np.any(links[:, hidden] != 0, axis=1)]).sum(axis=0) > 0
        choice = [int(at) for at in np.argsort(cost, kind="stable") if beside[at] & ~hidden[at]]
        if not choice:
            return
        for at in choice:
            trial = hidden.copy()
            trial[at] = True
            if _width(trial) >= need:
                break
        else:
            at = choice[0]
        hidden[at] = True


def _propose(forced: Flags, cost: Vector, cuts: Sequence[Cut]) -> Flags:
    """Return the cheapest pattern that obeys every cut; a cheap one where that takes long."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    found = milp(
        np.where(forced, 0.0, cost),
        constraints=LinearConstraint(
            np.array([cut for cut, _ in cuts]), lb=np.array([need for _, need in cuts])
        ),
        integrality=np.ones(len(cost), dtype=np.int64),
        bounds=Bounds(forced.astype(np.float64), np.ones(len(cost))),
        options={"mip_rel_gap": 0.05, "node_limit": _NODES, "presolve": False},
    )
    return _cover(forced, cost, cuts) if found.x is None else np.asarray(found.x > 0.5)


def _cover(hidden: Flags, cost: Vector, cuts: Sequence[Cut]) -> Flags:
    """Hide more cells, the cheapest for what they add first, until every cut is obeyed."""
    chosen = hidden.copy()
    for cut, need in cuts:
        while (lack := need - cut[chosen].sum()) > 0 and (cut[~chosen] > 0).any():
            gain = np.where(chosen, 0.0, np.minimum(cut, lack) / cost)
            chosen[np.argmax(gain)] = True
    return chosen


def _audit(
    values: Vector,
    sums: Any,
    spots: Any,
    hidden: Flags,
    beliefs: Beliefs,
    tables: list[tuple[NDArray[np.intp], Vector]],
    near: Flags | None,
) -> Iterator[Cut]:
    """Yield a cut for each bound of a cell that a reader could narrow too far.

    `tables` are others that obey the sums, where they differ; those found now are added. Only the
    cells in `near` are looked at, where they are given.
    """
    low, high = beliefs.low, beliefs.high
    widest = {1.0: values.copy(), -1.0: values.copy()}
    for cells, table in tables:
        if (near is None or near[cells[0]]) and hidden[cells].all():
            _widen(widest, cells, table)
    for cells, rows in _list_linked(spots, hidden if near is None else hidden & near):
        asked = cells[~np.isnan(beliefs.open_low[cells])]
        programme: _Programme | None = None
        for cell in asked:
            for sign, end in ((1.0, beliefs.open_high[cell]), (-1.0, beliefs.open_low[cell])):
                need = sign * (end - values[cell])
                enough = need - _NEAR
                if need <= _NEAR or sign * (widest[sign][cell] - values[cell]) >= enough:
                    continue
                if programme is None:
                    lines = sums[rows]
                    programme = _Programme(lines[:, cells], values[cells], low[cells], high[cells])
                aim = np.zeros(len(values))
                aim[cell] = -sign
                table, prices = programme.solve(aim[cells])
                if sign * table[cells == cell][0] >= enough + sign * values[cell]:
                    moved = table != values[cells]
                    tables.append((cells[moved], table[moved]))
                    _widen(widest, *tables[-1])
                    continue
                reduced = aim - lines.T @ prices
                up, down = np.maximum(-reduced, 0), np.maximum(reduced, 0)
                cut = np.minimum(up * (high - values) + down * (values - low), need)
                cut[hidden & (cut < _NEAR)] = 0.0
                yield cut, enough


def _widen(widest: dict[float, Vector], cells: NDArray[np.intp], table: Vector) -> None:
    """Note how far up and down some cells can go."""
    widest[1.0][cells] = np.maximum(widest[1.0][cells], table)
    widest[-1.0][cells] = np.minimum(widest[-1.0][cells], table)


def _limit_openness(values: Vector, links: Vector, beliefs: Beliefs) -> Beliefs:
    """Ask of no cell to be more open than it is where everything is hidden that is not known."""
    low, high = beliefs.low, beliefs.high
    ends = np.array([beliefs.open_low, beliefs.open_high])
    if not ((low > 0) | (low == high)).any():
        return beliefs
    for cells, rows in _list_linked(_mark_spots(links), low < high):
        programme = _Programme(links[np.ix_(rows, cells)], values[cells], low[cells], high[cells])
        for cell in cells[~np.isnan(ends[0][cells])]:
            aim = (cells == cell).astype(np.float64)
            ends[0][cell] = max(ends[0][cell], programme.solve(aim)[0] @ aim)
            ends[1][cell] = min(ends[1][cell], programme.solve(-aim)[0] @ aim)
    ends[:, low == high] = np.nan
    return replace(beliefs, open_low=ends[0], open_high=ends[1])


def _mark_spots(links: Vector) -> Any:
    """Return which cells stand in which sums, column by column."""
    from scipy.sparse import csc_array

    return csc_array((links != 0).astype(np.int8))


def _list_linked(spots: Any, marked: Flags) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the marked cells that sums tie to one another, and those sums."""
    from scipy.sparse.csgraph import connected_components

    cells = np.flatnonzero(marked)
    touched = spots[:, cells]
    count, label = connected_components(touched.T @ touched, directed=False)
    owner = np.full(spots.shape[0], -1)
    owner[touched.indices] = label[np.repeat(np.arange(len(cells)), np.diff(touched.indptr))]
    for number in range(count):
        yield cells[label == number], np.flatnonzero(owner == number)


def _prepare_remainders(
    values: Vector, links: Vector, people: Flags, smallest: int
) -> Callable[[Flags], Iterator[Cut]]:
    """Return what finds sums, or differences of two, that leave a few hidden people together."""
    from scipy.sparse import csr_array

    counted = np.flatnonzero(~((links != 0) & ~people).any(axis=1))
    parts = csr_array((links[counted] > 0).astype(np.float64))
    totals = csr_array((links[counted] < 0).astype(np.float64))

    def _find_remainders(hidden: Flags) -> Iterator[Cut]:
        away = hidden.astype(np.float64)
        behind, inside = np.asarray(totals @ away), np.asarray(parts @ away)
        known = np.flatnonzero((behind == 0) & (inside > 0))
        left = csr_array(parts[known] * away)
        size, held = left.sum(axis=1), left @ values
        # A difference is known where all hidden parts of the one sum are parts of the other.
        within = ((left @ left.T).toarray() == size) & (size < size[:, None])
        apart = np.where(within, held[:, None] - held, 0.0)
        few = ((held >= 1) & (held < smallest)) | ((apart >= 1) & (apart < smallest)).any(axis=1)
        for number in counted[known[few]]:
            cut = (links[number] != 0) & ~hidden
            yield cut.astype(np.float64), 1.0

    return _find_remainders


def _roof(values: Vector, smallest: int) -> float:
    """Return more people than a reader would believe any hidden cell to hold."""
    return float(2 * np.abs(values).max(initial=0.0) + 10.0 * smallest)


class _Programme:
    """All tables whose sums are those of `values`, for one aim after the other.

    Each aim starts from the solution of the one before, which is mostly near.
    """

    def __init__(self, links: Any, values: Vector, low: Vector, high: Vector) -> None:
        import highspy
        from scipy.sparse import csc_array

        sparse = csc_array(links)
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = links.shape
        model.col_cost_ = np.zeros(links.shape[1])
        model.col_lower_, model.col_upper_ = low, high
        model.row_lower_ = model.row_upper_ = links @ values
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = sparse.indptr, sparse.indices
        model.a_matrix_.value_ = sparse.data
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        self._solver.passModel(model)
        self._columns = np.arange(links.shape[1], dtype=np.int32)

    def solve(self, aim: Vector) -> tuple[Vector, Vector]:
        """Find the table with the least sum of `aim`, and what each sum costs it."""
        self._solver.changeColsCost(len(aim), self._columns, aim)
        self._solver.run()
        found = self._solver.getSolution()
        return np.array(found.col_value), np.array(found.row_dual)


def bound_table(
    matrix: Vector, rest: Vector, fixed: Mapping[int, float], smallest: int
) -> Vector | None:
    """Return the bounds of every cell of a table, shape (n_cells, 2), where `matrix` @ it = `rest`.

    Some cells are `fixed`, none is below 0; None where no such table exists.
    """
    from scipy.optimize import linprog

    roof = _roof(np.append(rest, list(fixed.values())), smallest)
    limits = [(fixed.get(at, 0.0), fixed.get(at, roof)) for at in range(matrix.shape[1])]
    bounds = np.array(limits)
    for at, aim in enumerate(np.eye(len(limits))):
        for end, sign in enumerate((1.0, -1.0) if at not in fixed or not at else ()):
            found = linprog(sign * aim, A_eq=matrix, b_eq=rest, bounds=limits, method="highs")
            if not found.success:
                return None
            bounds[at, end] = sign * float(found.fun or 0.0)
    return np.round(bounds, 6)


def bound_means(
    counts: ArrayLike, relations: ArrayLike, hidden: ArrayLike, moments: Moments, cell: int
) -> tuple[float, float]:
    """Return the least and the greatest mean of one hidden cell, as a reader could work it out.

    Of a shown cell a reader knows the number, the mean and the standard deviation; of a hidden one
    only the ends of the scale. The number being open, the bounds come from a linear-fractional
    programme (Charnes and Cooper 1962); squares enter by tangents, so that the bounds are never
    narrower than the true ones.
    """
    from scipy.optimize import linprog

    values = np.asarray(counts, dtype=np.float64)
    kind = ~np.isnan(moments.sums)
    links = np.asarray(relations, dtype=np.float64).reshape(-1, len(values))
    away = np.asarray(hidden, dtype=np.bool_)
    size = len(values)
    scored = np.flatnonzero(kind)
    place = {int(number): index for index, number in enumerate(scored)}
    width = size + 2 * len(scored) + 1
    scale = width - 1
    first, second = size, size + len(scored)
    same: list[Vector] = []
    below: list[Vector] = []

    def _row(*terms: tuple[int, float]) -> Vector:
        row = np.zeros(width)
        for at, value in terms:
            row[at] += value
        return row

    for link in links:
        parts = np.flatnonzero(link)
        same.append(_row(*((int(at), link[at]) for at in parts)))
        if kind[parts].all():
            same += [
                _row(*((start + place[int(at)], link[at]) for at in parts))
                for start in (first, second)
            ]
    for at in np.flatnonzero(~away):
        same.append(_row((int(at), 1.0), (scale, -values[at])))
    for at in np.flatnonzero(away):
        below.append(_row((int(at), 1.0), (scale, -_roof(values, 10))))
    for number in scored:
        one, two = first + place[int(number)], second + place[int(number)]
        low, high = moments.low[number], moments.high[number]
        if not away[number]:
            same.append(_row((one, 1.0), (scale, -moments.sums[number])))
            same.append(_row((two, 1.0), (scale, -moments.squares[number])))
            continue
        below.append(_row((int(number), low), (one, -1.0)))
        below.append(_row((one, 1.0), (int(number), -high)))
        below.append(_row((two, 1.0), (one, -(low + high)), (int(number), low * high)))
        for point in np.linspace(low, high, _TANGENTS):
            below.append(_row((two, -1.0), (one, 2 * point), (int(number), -(point**2))))
    same.append(_row((cell, 1.0)))
    ends = []
    aim = _row((first + place[cell], 1.0))
    # Measured from the lower end, every sum and square is at least 0, as linprog's bounds want.
    free = [(0, None)] * size + [(None, None)] * (2 * len(scored)) + [(0, None)]
    for sign in (1.0, -1.0):
        found = linprog(
            sign * aim,
            A_ub=np.array(below) if below else None,
            b_ub=np.zeros(len(below)) if below else None,
            A_eq=np.array(same),
            b_eq=np.array([0.0] * (len(same) - 1) + [1.0]),
            bounds=free,
            method="highs",
        )
        end = moments.low[cell] if sign > 0 else moments.high[cell]
        ends.append(float(found.x @ aim) if found.success and found.x is not None else end)
    return float(ends[0]), float(ends[1])


def suppress_table(
    counts: pd.DataFrame, smallest_group: int = 10, total: str = "Total"
) -> pd.DataFrame:
    """Add totals to a cross-table of people, and hide its small cells so that they stay hidden.

    A cell of 0 is shown. ValueError where a count is negative, missing or not whole, or `total` is
    a name already.

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
    values = full.ravel()
    hidden = hide_cells(values, _list_lines(full.shape), smallest_group)
    shown = np.where(hidden, np.nan, values).reshape(full.shape)
    return pd.DataFrame(
        shown, index=[*counts.index, total], columns=[*counts.columns, total], dtype="float64"
    )


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
