"""The month-by-place table that every comparison of counts rests on, and the months compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import HARM, Cohort
from sbwork.specs.periods import LENGTHS, MAIN, Window, list_windows, shift_month
from sbwork.stats import Flag, Reason
from sbwork.stats.estimate import Refusal

__all__ = [
    "LENGTHS",
    "MAIN",
    "NOTHING_READ",
    "Panel",
    "Window",
    "describe_gaps",
    "explain_no_months",
    "find_covered",
    "flag_months",
    "lies_within",
    "list_windows",
    "match_months",
    "shift_month",
    "shift_window",
    "sum_months",
]

NOTHING_READ = Refusal(Reason.NO_MONTHS, "No month of incidents was read.")

_FEW_MONTHS = 3
_MONTHS_NAMED = 6

Floats = NDArray[np.float64]


class Panel:
    """The monthly counts of one outcome: a row a month, a column a place; NaN for no count.

    months: The months that the files cover.
    sites, areas: The table of the sites, and that of all areas of the archive.
    weighted: The counts of the compared months (of all, where none are given) are sums of weights
        rather than whole numbers.
    """

    def __init__(self, incidents: Incidents, outcome: str, compared: Collection[str] = ()) -> None:
        self.months = incidents.months
        self.sites = _lay_out(incidents.sites, outcome, "site")
        inside = self.sites.index.isin(compared or self.sites.index)
        values = self.sites.to_numpy()[inside]
        self.weighted = outcome == HARM or bool((values[np.isfinite(values)] % 1 != 0).any())
        self._areas, self._outcome = incidents.areas, outcome

    @cached_property
    def areas(self) -> pd.DataFrame:
        """All areas of the archive."""
        return _lay_out(self._areas, self._outcome, "area")

    @cached_property
    def free_areas(self) -> pd.DataFrame:
        """The areas that sites may be compared with (see `sbwork.read.incidents.Incidents`)."""
        return self._take_areas("comparable", True)

    def take_areas_in(self, site: str) -> pd.DataFrame:
        """Take the areas that overlap a site."""
        return self._take_areas("site", site)

    def _take_areas(self, column: str, value: object) -> pd.DataFrame:
        if not len(self._areas):
            return self.areas
        places = self._areas.drop_duplicates("area")
        inside = set(places.loc[places[column] == value, "area"])
        return self.areas.loc[:, [area in inside for area in self.areas.columns]]

    def find_covered(self, sites: Sequence[str]) -> set[str]:
        """Find the months in which every one of these sites has a count."""
        return find_covered(self.sites.reindex(columns=list(sites)))

    def take_site(self, site: str) -> pd.Series:
        """Take one site by month; all missing where it has no counts."""
        return self.sites.reindex(columns=[site])[site]

    def take(self, sites: Sequence[str], months: Sequence[str]) -> Floats:
        """Take sites and months, as an array of months by sites."""
        return self.sites.reindex(index=list(months), columns=list(sites)).to_numpy(dtype=float)


def _lay_out(rows: pd.DataFrame, outcome: str, by: str) -> pd.DataFrame:
    chosen = rows[rows["outcome"] == outcome] if len(rows) else rows
    if not len(chosen):
        return pd.DataFrame(dtype="float64")
    wide = chosen.pivot(index="month", columns=by, values="count")  # noqa: PD010 - refuses twins
    return wide.astype("float64")


def find_covered(table: pd.DataFrame) -> set[str]:
    """Find the months in which every column of a table has a count."""
    known = table.notna().all(axis=1)
    return set(known.index[known])


def sum_months(table: pd.DataFrame, months: Sequence[str]) -> Floats:
    """Sum these months of each column; NaN where one is missing."""
    sums: Floats = table.reindex(index=list(months)).to_numpy(dtype=float).sum(axis=0)
    return sums


def match_months(window: Window, covered: Collection[str]) -> Window:
    """Keep the months of a window that are covered, and the same seasons on both sides.

    Where the window had the same calendar months on both sides it still has: a month missing on
    one side is left out on the other too, the one farthest from the start where the calendar month
    is there more than once.
    """
    before = [month for month in window.before if month in covered]
    after = [month for month in window.after if month in covered]
    if window.same_seasons:
        shared = Counter(m[5:] for m in before) & Counter(m[5:] for m in after)
        before = sorted(_keep_seasons(reversed(before), shared))
        after = _keep_seasons(after, shared)
    return Window(window.period, tuple(before), tuple(after), window.same_seasons)


def _keep_seasons(months: Iterable[str], wanted: Counter[str]) -> list[str]:
    left = Counter(wanted)
    kept = []
    for month in months:
        if left[month[5:]] > 0:
            left[month[5:]] -= 1
            kept.append(month)
    return kept


def lies_within(window: Window, covered: Collection[str]) -> bool:
    """Return whether the first and the last month of a window are covered."""
    return window.before[0] in covered and window.after[-1] in covered


def flag_months(window: Window, matched: Window) -> tuple[Flag, ...]:
    """Return as flags what `describe_gaps` describes, and whether single months are compared."""
    fewer = matched.lengths != window.lengths
    flags = {
        Flag.FEWER_MONTHS: fewer,
        Flag.FEW_MONTHS: fewer and min(matched.lengths) < _FEW_MONTHS,
        Flag.SINGLE_MONTH: max(matched.lengths) == 1,
        Flag.UNEQUAL_SEASONS: not matched.same_seasons,
    }
    return tuple(flag for flag, applies in flags.items() if applies)


def describe_gaps(window: Window, covered: Collection[str], filed: Collection[str]) -> str:
    """Describe the months of a window that are left out; empty where none are.

    Of a month that is not `covered` but `filed` there are files, which can't be compared.
    """
    sentences: list[str] = []
    matched = match_months(window, covered)
    left = matched.lengths
    if not matched.same_seasons:
        sentences.append(
            "The two periods hold different calendar months: seasons may look like change."
        )
    if left != window.lengths:
        gone = [month for month in window.months if month not in covered]
        kinds = {
            "missing from the data": [month for month in gone if month not in filed],
            "set aside": [month for month in gone if month in filed],
        }
        said = "; ".join(
            f"{_join_months(months)} {'is' if len(months) == 1 else 'are'} {what}"
            for what, months in kinds.items()
            if months
        )
        counts = f"{left[0]} of {window.lengths[0]} months on each side"
        if window.lengths[0] != window.lengths[1] or left[0] != left[1]:
            counts = f"{left[0]} of {window.lengths[0]} months before and {left[1]} of "
            counts += f"{window.lengths[1]} after"
        sentences.append(f"Compared on {counts}: {said}.")
        if min(left) < _FEW_MONTHS:
            sentences.append("Fewer than 3 months are left on a side: far too few to judge by.")
    return " ".join(sentences)


def explain_no_months(
    panel: Panel, cohort: Cohort, sites: Sequence[str], window: Window
) -> Refusal:
    """Explain why a window has no calendar month on both sides for all of these sites."""
    if not panel.months:
        return NOTHING_READ
    sides = list(zip(("before", "after"), window.sides, strict=True))
    unread = [
        f"{name} ({months[0]} to {months[-1]})"
        for name, months in sides
        if not set(months) & set(panel.months)
    ]
    if unread:
        note = f"The files hold {panel.months[0]} to {panel.months[-1]}, and no month of the "
        return Refusal(Reason.OUTSIDE_FILES, f"{note}period {' or '.join(unread)}.")
    lacking = []
    for name, months in sides:
        silent = [site for site in sites if not panel.find_covered([site]) & set(months)]
        if silent:
            titles = " and ".join(cohort.title_site(site) for site in silent)
            span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
            lacking.append(f"of {titles} in the period {name} ({span})")
    note = "No calendar month is there on both sides for all the sites compared."
    if lacking:
        note = f"There is no count {', nor '.join(lacking)}."
    return Refusal(Reason.NO_MONTHS, note)


def _join_months(months: Sequence[str]) -> str:
    if len(months) > _MONTHS_NAMED:
        return f"{', '.join(months[:5])} and {len(months) - 5} more"
    return months[0] if len(months) == 1 else f"{', '.join(months[:-1])} and {months[-1]}"


def shift_window(window: Window, by: int) -> Window:
    """Move both sides of a window by a number of months."""
    before, after = (tuple(shift_month(month, by) for month in side) for side in window.sides)
    return Window(window.period, before, after, window.same_seasons)
