"""Months of an incident file that seem to have been delivered in part."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

__all__ = ["FAR_BELOW", "find_partial_months"]

FAR_BELOW = 0.5
"""A month is partly delivered if it holds less than this share of the months on either side."""

_SPREADS = 5.0
_CHANCE_OF_A_MONTH = 1e-5
_NEIGHBOURS = 6
_FARTHEST = 12
_FEWEST_NEIGHBOURS = 4

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def find_partial_months(counts: npt.ArrayLike, times: npt.ArrayLike) -> dict[int, float]:
    """Find months that hold far fewer incidents than the months around them.

    A month is flagged if it lies below half of the median of the (up to six) months before it
    and below half of the median of those after it, as far as there are any within a year; if that
    is more than five times the usual spread of a month about such medians (1.4826 times the
    median absolute deviation of the log ratios); and if a Poisson count of that median would be
    as low less than once in 100,000. A lasting fall is not flagged, because the months after it
    are as low. Flagged months are set aside and the rest is judged again until nothing is added.

    Parameters
    ----------
    counts : array_like, shape (n_months,)
        Incidents a month.
    times : array_like, shape (n_months,)
        The months, numbered with a step of 1 a month; gaps are allowed.

    Returns
    -------
    dict of int to float
        Position of each flagged month, and its share of the lower of the two medians. Empty
        where a month has fewer than four neighbours.

    Notes
    -----
    In 4,500 simulated series of 169 months without any such month (seasons of 30%, drift, months
    that vary by a log SD of .05 to .15 beyond Poisson, a fall by a third in April 2020) 3 months
    of 760,500 were flagged, all at 20 incidents a month, none at 5, 100, 1,000 or 20,000. Of
    months cut to a tenth all were found from 100 a month on and half or more at 20; of months cut
    to a third 11 to 87%, the more the steadier the series; months cut to a half are not found
    (``tests/benchmarks/sim_partial.py``, 300 series a row, seed 20180601).

    Examples
    --------
    >>> find_partial_months([100, 110, 100, 10, 105, 100, 99], range(7))
    {3: 0.1}
    """
    values = np.asarray(counts, dtype=np.float64)
    months = np.asarray(times, dtype=np.float64)
    flagged: dict[int, float] = {}
    while True:
        whole = np.array([n not in flagged for n in range(values.size)], dtype=np.bool_)
        lower = np.array([_find_level(n, months, values, whole) for n in range(values.size)])
        ratios = np.log((values + 0.5) / (lower + 0.5))
        known = ratios[whole & np.isfinite(ratios)]
        if not known.size:
            return flagged
        spread = 1.4826 * float(np.median(np.abs(known - np.median(known))))
        limit = min(math.log(FAR_BELOW), -_SPREADS * spread)
        found = {
            n: float(values[n] / lower[n])
            for n in np.flatnonzero(ratios < limit).tolist()
            if n not in flagged and float(pdtr(values[n], lower[n])) < _CHANCE_OF_A_MONTH
        }
        if not found:
            return dict(sorted(flagged.items()))
        flagged |= found


def _find_level(at: int, times: Array, values: Array, whole: Flags) -> float:
    """Take the lower of the medians of the months before and after; NaN where they are few."""
    away = times - times[at]
    near = np.flatnonzero(whole & (away != 0) & (np.abs(away) <= _FARTHEST))
    parts = (near[away[near] < 0][-_NEIGHBOURS:], near[away[near] > 0][:_NEIGHBOURS])
    if sum(part.size for part in parts) < _FEWEST_NEIGHBOURS:
        return math.nan
    return min(float(np.median(values[part])) for part in parts if part.size)
