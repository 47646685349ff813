"""How alike two places are in their monthly counts: level, trend, season and mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

_FEWEST_FOR_TREND = 6
_FEWEST_FOR_SEASON = 12
_SMALLEST_SPREAD = 1e-9  # below it, places differ by nothing but rounding


@dataclass(frozen=True, slots=True)
class Profile:
    """What places are compared on, one row a place.

    matrix: The features; NaN where a place has none.
    features: Their names, such as ``"level"`` or ``"season (sine)"``.
    groups: The aspect that each belongs to; every aspect counts the same in the distance.
    """

    matrix: Matrix
    features: tuple[str, ...]
    groups: tuple[str, ...]


def describe_series(counts: ArrayLike, times: ArrayLike) -> Profile:
    """Describe each place's monthly counts by level, trend and season."""
    y, t = np.asarray(counts, dtype=float), np.asarray(times, dtype=float)
    mean = y.mean(axis=0)
    mean = np.where(mean > 0, mean, np.nan)
    values, names = [np.log(mean)], ["level"]
    terms = [np.ones_like(t)]
    if len(t) >= _FEWEST_FOR_TREND:
        terms.append(t - t.mean())
        names.append("trend")
    if len(t) >= _FEWEST_FOR_SEASON:
        terms += [np.sin(2 * np.pi * t / 12), np.cos(2 * np.pi * t / 12)]
        names += ["season (sine)", "season (cosine)"]
    index = np.where(np.isfinite(mean), y / mean, 0.0)
    fitted = np.linalg.lstsq(np.column_stack(terms), index, rcond=None)[0]
    values += list(np.where(np.isfinite(mean), fitted[1:], np.nan))
    groups = tuple(name.split(" ")[0] for name in names)
    return Profile(np.column_stack(values), tuple(names), groups)


def measure_distance(
    values: ArrayLike, target: ArrayLike, scale: ArrayLike, groups: tuple[str, ...]
) -> tuple[Matrix, Matrix]:
    """Measure how far places are from a target, every aspect counting the same.

    ``d = sqrt(mean over aspects of (mean over its features of z^2))`` with z the standardised
    difference, so that an aspect with many features does not drown one with few.
    """
    spread = np.asarray(scale, dtype=float)
    spread = np.where(spread > _SMALLEST_SPREAD, spread, np.nan)
    z = (np.asarray(values, dtype=float) - np.asarray(target, dtype=float)) / spread
    squares = []
    for group in dict.fromkeys(groups):
        members = [k for k, name in enumerate(groups) if name == group and np.isfinite(spread[k])]
        if members:
            squares.append((z[:, members] ** 2).mean(axis=1))
    if not squares:
        return np.full(z.shape[0], np.nan), z
    return np.sqrt(np.mean(squares, axis=0)), z
