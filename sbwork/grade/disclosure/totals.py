"""Totals from which a hidden part can be worked out, alone or set against one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Place", "Total", "find_determined", "find_telling_totals"]

_NULL = 1e-9

Place = tuple[str, str]
Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Total:
    """A figure over several cells: how many people, and which cells."""

    count: float
    cells: frozenset[Place]


def find_telling_totals(
    totals: Mapping[Place, Total], secret: Mapping[Place, float], small: int
) -> set[Place]:
    """Find totals from which hidden cells follow, alone or set against one another.

    Parameters
    ----------
    totals : mapping of (str, str) to Total
        The totals that would be shown, by site and period.
    secret : mapping of (str, str) to float
        The hidden cells, and how many people each holds.
    small : int
        The smallest number of people that may be shown.

    Returns
    -------
    set of (str, str)
        Those to hide as well, so that the rest lets no hidden cell be worked out and leaves no
        hidden cells together with 1 to `small` - 1 people.

    Examples
    --------
    >>> hidden = {("a", "before"): 4.0}
    >>> whole = Total(44.0, frozenset([("a", "before"), ("b", "before")]))
    >>> find_telling_totals({("all", "before"): whole}, hidden, 10)
    {('all', 'before')}
    """
    shown = {key: total for key, total in totals.items() if total.cells & set(secret)}
    telling: set[Place] = set()
    while shown:
        exposed = _find_small_remainders(shown, secret, small) or _find_solved(shown, secret)
        if not exposed:
            break
        worst = min(exposed, key=lambda key: (shown[key].count, key))
        telling.add(worst)
        del shown[worst]
    return telling


def _find_small_remainders(
    shown: Mapping[Place, Total], secret: Mapping[Place, float], small: int
) -> set[Place]:
    left = {key: total.cells & set(secret) for key, total in shown.items()}
    exposed = set()
    for key, cells in left.items():
        others = [frozenset[Place](), *(c for k, c in left.items() if k != key and c < cells)]
        for inner in others:
            remainder = sum(secret[cell] for cell in cells - inner)
            if 1 <= remainder < small:
                exposed.add(key)
    return exposed


def _find_solved(shown: Mapping[Place, Total], secret: Mapping[Place, float]) -> set[Place]:
    cells = list(secret)
    system = np.array([[float(cell in total.cells) for cell in cells] for total in shown.values()])
    solved = {cells[i] for i in np.flatnonzero(find_determined(system))}
    return {key for key, total in shown.items() if total.cells & solved}


def find_determined(system: Vector) -> Flags:
    """Say which unknowns of a linear system have one value only.

    Parameters
    ----------
    system : numpy.ndarray, shape (n_equations, n_unknowns)
        The coefficients.

    Examples
    --------
    >>> find_determined(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
    [False, False, True]
    """
    _, singular, rows = np.linalg.svd(system, full_matrices=True)
    rank = int((singular > _NULL * max(1.0, singular.max(initial=0))).sum())
    free: Flags = (np.abs(rows[rank:]) > _NULL).any(axis=0)
    return ~free
