"""Synthetic control: a weighted mixture of areas that follows the site before the start."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

_SUM_WEIGHT = 1e4
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
    """Describe each place's monthly counts (months by places) by level, trend and season.

    ``level`` is the log of the monthly mean, ``trend`` the least-squares slope as a share of the
    mean (with 6 months or more), ``season`` the size of the yearly sine and cosine (with 12 months
    or more). A place without any incident is NaN throughout.
    """
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


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """A mixture of donors, and how closely it follows the site before and after.

    weights: None negative; they sum to 1.
    path: The mixture, on the site's scale.
    rmspe_before: Root mean squared gap between site and mixture, as a share of the site's mean.
    ratio: The same after, divided by that before; NaN where the fit before is perfect.
    change: (site / mixture after) / (site / mixture before), of sums; NaN where a sum is 0.
    """

    weights: Matrix
    path: Matrix
    rmspe_before: float
    ratio: float
    change: float


def fit_synthetic_control(
    series: ArrayLike, donors: ArrayLike, times: ArrayLike
) -> SyntheticControl:
    """Fit the mixture of donors nearest to a site in the months before the start.

    `series` is by month and `donors` months by donors, without gaps; `times` are months since the
    start. Every series is divided by its own mean before the start, so places of unlike size can be
    mixed; weights are none negative, sum to 1, and minimise the squared gap before.

    Source: Abadie, A., Diamond, A. & Hainmueller, J. (2010). J. Am. Stat. Assoc. 105(490), 493-505.
    Ferman, B. & Pinto, C. (2021). Quantitative Economics 12(4), 1197-1221 (level differences taken
    out).
    """
    from scipy.optimize import nnls

    y, pool = np.asarray(series, dtype=float), np.asarray(donors, dtype=float)
    before = np.asarray(times, dtype=float) < 0
    size = float(y[before].mean())
    index = pool / pool[before].mean(axis=0)
    design = np.vstack([index[before], np.full((1, index.shape[1]), _SUM_WEIGHT)])
    weights = nnls(design, np.append(y[before] / size, _SUM_WEIGHT))[0]
    weights = weights / weights.sum()
    path = index @ weights
    gap = (y / size - path) ** 2
    fit, miss = (math.sqrt(float(gap[side].mean())) for side in (before, ~before))
    sums = [float(part[side].sum()) for part in (y, path * size) for side in (before, ~before)]
    return SyntheticControl(
        weights=weights,
        path=path * size,
        rmspe_before=fit,
        ratio=miss / fit if fit > 1e-9 else math.nan,
        change=(sums[1] / sums[3]) / (sums[0] / sums[2]) if min(sums) > 0 else math.nan,
    )


def fit_synthetic_controls(
    counts: ArrayLike, times: ArrayLike, nearest: ArrayLike
) -> list[SyntheticControl]:
    """Fit one synthetic control a place, each from the donors nearest to it."""
    y = np.asarray(counts, dtype=float)
    donors = np.asarray(nearest, dtype=int)
    return [
        fit_synthetic_control(y[:, place], y[:, chosen], times)
        for place, chosen in enumerate(donors)
    ]


def choose_donors(counts: ArrayLike, times: ArrayLike, most: int) -> NDArray[np.intp]:
    """Choose each place's nearest others in level, trend and season; never the first place."""
    profile = describe_series(counts, times)
    spread = profile.matrix.std(axis=0, ddof=1)
    chosen = np.empty((profile.matrix.shape[0], most), dtype=np.intp)
    for place, target in enumerate(profile.matrix):
        distance, _ = measure_distance(profile.matrix, target, spread, profile.groups)
        distance[[0, place]] = np.inf
        chosen[place] = np.argsort(distance, kind="stable")[:most]
    return chosen
