"""Rows without a place: more of them in one period than in the other pass for a change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.counting import Coverage, OutcomeKinds
from sbwork.read.places.placing import NOTABLE_SHARE
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import list_names
from sbwork.specs.periods import number_month

__all__ = ["SMALLEST_SHIFT", "compare_losses"]

SMALLEST_SHIFT = 0.02
"""Rows lost in one period beyond the share of the other, as a share of its rows, that are named.

Counts of the period are too low by about as much. Below this it is lost in the interval of any
count that a site has. From a tenth on (`sbwork.read.checks.JOINS`), as much as the programmes that
are evaluated are hoped to achieve, nothing is computed unless the cohort accepts it.
"""

_CHANCE = 3.29
_BARE = "without a place"
_POINTED = "with coordinates but no area code (outlines under 'geography: boundaries' place them)"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Loss:
    """Rows that lack something: among whom, their shares before and after, and what is too many."""

    among: str
    outcome: str
    what: str
    shares: Array
    excess: float
    base: float

    @property
    def share(self) -> float:
        """The rows lost in one period beyond the share of the other, as a share of its rows."""
        return self.excess / self.base

    def describe(self) -> str:
        """Describe it in a sentence without its full stop."""
        when = ("before", "after")[int(np.argmax(self.shares))]
        return (
            f"{self.outcome}, {self.among}: rows {self.what} are {self.shares[0]:.0%} of all "
            f"before and {self.shares[1]:.0%} after, so that counts {when} may be too low"
        )


def compare_losses(
    placed: pd.DataFrame, cohort: Cohort, outcomes: OutcomeKinds, coverage: Coverage
) -> Iterator[Check]:
    """Compare the share of rows without a place before and after, by who records in each site."""
    worst: dict[tuple[int, ...], _Loss] = {}
    for key, loss in _list_losses(placed, cohort, outcomes, coverage):
        if loss.share >= SMALLEST_SHIFT and (key not in worst or loss.share > worst[key].share):
            worst[key] = loss
    for loss in worst.values():
        check = "rows without a place in one period"
        yield Check(CheckKind.UNEVEN, check, loss.excess, loss.describe())
    if worst:
        most = max(worst.values(), key=lambda loss: loss.share)
        kept, said = most.base - most.excess, most.describe()
        yield Check(CheckKind.JOIN, "places_change", kept, said, lost=most.excess)


def _list_losses(
    placed: pd.DataFrame, cohort: Cohort, outcomes: OutcomeKinds, coverage: Coverage
) -> Iterator[tuple[tuple[int, ...], _Loss]]:
    """List what is lost beyond chance in one period, of each outcome and those who record a site.

    Rows that have coordinates, with no outlines to place them in, may all be of one site, so they
    are set against the count of each by itself.
    """
    if cohort.periods is None:
        return
    period = np.full(len(placed), -1)
    for side, window in enumerate((cohort.periods.before, cohort.periods.after)):
        period[placed["month"].isin([number_month(month) for month in window.months])] = side
    kinds = placed["kind"].cat
    for number, outcome in enumerate(outcomes.keys):
        wanted = np.zeros((len(outcomes.held), len(kinds.categories)), np.bool_)
        for source, kind, position in outcomes.weights:
            wanted[source, kinds.categories.get_loc(kind)] |= position == number
        chosen = np.flatnonzero((period >= 0) & wanted[placed["source"], kinds.codes])
        rows = placed.iloc[chosen].assign(period=period[chosen])
        for site, key in enumerate(cohort.sites):
            own = rows[rows["site"] == site]
            by_feed = own.groupby("feed")["n"].sum()
            feeds = by_feed.index[by_feed >= NOTABLE_SHARE * by_feed.sum()].tolist()
            there = rows[rows["feed"].isin(feeds)]
            lost, pointed = there["lost"], there["lost"] & there["located"]
            every, inside = _sum_periods(there), _sum_periods(own)
            title = cohort.title_outcome(outcome)
            named = list_names([coverage.feeds[feed] for feed in feeds], 3)
            shares, excess, side = _find_excess(_sum_periods(there[lost]), every)
            if excess:
                yield (*feeds,), _Loss(named, title, _BARE, shares, excess, every[side])
            shares, excess, side = _find_excess(_sum_periods(there[pointed]), every)
            if excess:
                base = inside[side] + excess
                yield (
                    (-1, site),
                    _Loss(cohort.title_site(key), title, _POINTED, shares, excess, base),
                )


def _sum_periods(rows: pd.DataFrame) -> Array:
    sums: Array = np.bincount(rows["period"], rows["n"], 2).astype(np.float64)
    return sums


def _find_excess(lost: Array, every: Array) -> tuple[Array, float, int]:
    """Find the shares lost, and the rows lost in the worse period beyond the other's share.

    None where chance explains them more often than once in a thousand (two proportions).
    """
    if not every.all() or not lost.any():
        return lost, 0.0, 0
    shares = lost / every
    side = int(np.argmax(shares))
    both = lost.sum() / every.sum()
    spread = math.sqrt(both * (1 - both) * (1 / every).sum())
    gap = float(shares[side] - shares[1 - side])
    excess = round(gap * float(every[side]), 6)
    return shares, excess if gap > _CHANCE * spread else 0.0, side
