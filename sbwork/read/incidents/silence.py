"""Months in which a place has no rows, though chance would give it some."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

__all__ = ["find_silent_months"]

_BY_CHANCE = 1e-6
_STRAY = 0.05
_NEIGHBOURS = 12
_FEWEST = 3
_MANY = 10
_NORMAL_QUARTILE = 0.6745

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def find_silent_months(counts: Array, known: Flags) -> Flags:
    """Find the months in which series have no rows, though chance would give them some.

    A run of months with no row (or no more than 5% of what is usual) is silent if so few of its
    rows and those of the (up to 12) months before, or after where those have fewer, fall into it
    less than once in a million: the exact test of two Poisson rates, with rows counted in lumps
    as large as the over-dispersion of the months around. Fewer than three months on a side are
    judged with the other side. So at a level of 20 a month one empty month is enough, at 5 it
    takes five, and at 1 or less a zero of two years is a zero. Silent months are set aside and
    the rest is judged again until nothing is added.

    Parameters
    ----------
    counts : ndarray, shape (n_series, n_months)
        Rows a month.
    known : ndarray of bool, shape (n_series, n_months)
        The months that files cover; the others are passed over.

    Returns
    -------
    ndarray of bool, shape (n_series, n_months)
    """
    values = np.where(known, counts, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = (values**2).sum(axis=1) / values.sum(axis=1)
        quiet = known & (values <= np.floor(_STRAY * usual)[:, None])
    silent = np.zeros(values.shape, dtype=np.bool_)
    # No level is above the largest count, so that few series can be silent at all.
    most = values.max(axis=1, initial=0.0) * quiet.sum(axis=1)
    few = np.flatnonzero(most > -np.log(_BY_CHANCE))
    patterns, pattern = np.unique(known[few], axis=0, return_inverse=True)
    for number, months in enumerate(patterns):
        rows, at = few[pattern.ravel() == number], np.flatnonzero(months)
        runs = _Runs(values[np.ix_(rows, at)], quiet[np.ix_(rows, at)])
        # Over-dispersion only makes a run likelier, so most series need no closer look.
        for row in rows[np.unique(runs.rows[runs.judge() < _BY_CHANCE])]:
            left = at
            while True:
                runs = _Runs(values[row][None, left], quiet[row][None, left])
                certain = runs.judge(runs.measure_dispersion()) < _BY_CHANCE
                if not certain.any():
                    break
                spans = zip(runs.starts[certain], runs.ends[certain], strict=True)
                found = np.concatenate([left[start:end] for start, end in spans])
                silent[row, found] = True
                left = np.setdiff1d(left, found)
    return silent


class _Runs:
    """The runs of quiet months of some series, and the months before and after each."""

    def __init__(self, values: Array, quiet: Flags) -> None:
        edges = np.diff(np.pad(quiet, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        self.values = values
        self.rows, self.starts = np.nonzero(edges == 1)
        self.ends = np.nonzero(edges == -1)[1]
        self.first = np.maximum(self.starts - _NEIGHBOURS, 0)
        self.last = np.minimum(self.ends + _NEIGHBOURS, values.shape[1])

    def judge(self, factor: Any = 1.0) -> Array:
        """Compute how likely so few rows in a run are, at an over-dispersion."""
        sums = np.pad(np.cumsum(self.values, axis=1), ((0, 0), (1, 0)))
        first, start, end, last = (
            sums[self.rows, at] for at in (self.first, self.starts, self.ends, self.last)
        )
        counts = np.array([start - first, last - end])
        months = np.array([self.starts - self.first, self.last - self.ends])
        few = months.min(axis=0) < _FEWEST
        with np.errstate(divide="ignore", invalid="ignore"):
            lower = np.argmin(np.where(months > 0, counts / months, np.inf), axis=0)
        side = np.arange(lower.size)
        rest = np.where(few, counts.sum(axis=0), counts[lower, side])
        width = np.where(few, months.sum(axis=0), months[lower, side])
        share = width / np.maximum(width + self.ends - self.starts, 1)
        chance: Array = betainc(np.maximum(rest, 1e-9) / factor, (end - start) / factor + 1, share)
        return np.where(rest > 0, chance, 1.0)

    def measure_dispersion(self) -> Array:
        """Estimate variance over mean of the months around each run.

        From successive differences, so that drift does not count; large ones are cut down, so
        that another gap does not either.
        """
        factors = np.ones(self.rows.size)
        for number, row in enumerate(self.rows):
            before = self.values[row, self.first[number] : self.starts[number]]
            after = self.values[row, self.ends[number] : self.last[number]]
            steps = np.abs(np.concatenate([np.diff(before), np.diff(after)]))
            mean = float(np.concatenate([before, after]).mean()) if steps.size else 0.0
            if mean:
                typical = float(np.median(steps)) / _NORMAL_QUARTILE
                steps = np.minimum(steps, 2 * typical) if mean >= _MANY else steps
                factors[number] = max(1.0, float(np.mean(steps**2)) / 2 / mean)
        return factors
