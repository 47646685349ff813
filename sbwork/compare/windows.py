"""The months that are compared: the cohort's own periods, and shorter and longer ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sbwork.specs.cohort import Periods, list_months
from sbwork.specs.periods import name_month, number_month

__all__ = [
    "LENGTHS",
    "MAIN",
    "Window",
    "describe_gaps",
    "lies_within",
    "list_windows",
    "match_months",
    "shift_month",
    "shift_window",
]

MAIN = "change"
"""What the window of the cohort's own periods is called in the column ``period``."""

LENGTHS = (6, 12, 18, 24)
"""Months before and after in the other windows, called ``"6+6"`` and so on."""


@dataclass(frozen=True, slots=True)
class Window:
    """Months before set against months after.

    Attributes
    ----------
    period : str
        ``"change"`` for the cohort's own periods, else such as ``"12+12"``.
    before, after : tuple of str
        Months written YYYY-MM, sorted.
    same_seasons : bool
        Both sides hold the same calendar months.
    """

    period: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    same_seasons: bool = True

    @property
    def months(self) -> tuple[str, ...]:
        """All months of the window, sorted."""
        return self.before + self.after

    @property
    def lengths(self) -> tuple[int, int]:
        """Number of months before and after."""
        return len(self.before), len(self.after)


def list_windows(periods: Periods, lengths: Sequence[int] = LENGTHS) -> tuple[Window, ...]:
    """List the windows that are compared, the cohort's own first.

    Parameters
    ----------
    periods : Periods
        The cohort's periods.
    lengths : sequence of int, default (6, 12, 18, 24)
        Months on each side of the other windows; one that equals the cohort's own is left out.

    Returns
    -------
    tuple of Window
        After: the first months of the cohort's period after. Before: for whole years, the last
        months before the transition; for other lengths, the latest run of the same calendar
        months that ends by then, so that seasons are not taken for change.

    Examples
    --------
    >>> own = Periods.model_validate(
    ...     {"before": {"start": "2015-10", "end": "2016-09"},
    ...      "after": {"start": "2016-10", "end": "2017-09"}})
    >>> [(w.period, w.before[0], w.before[-1]) for w in list_windows(own)[:2]]
    [('change', '2015-10', '2016-09'), ('6+6', '2015-10', '2016-03')]
    """
    before, after = periods.before.months, periods.after.months
    same = sorted(m[5:] for m in before) == sorted(m[5:] for m in after)
    main = Window(MAIN, before, after, same)
    windows = [main]
    for length in lengths:
        later = list_months(after[0], shift_month(after[0], length - 1))
        if length % 12 == 0:
            earlier = list_months(shift_month(before[-1], 1 - length), before[-1])
        else:
            back = 12
            while shift_month(later[-1], -back) > before[-1]:
                back += 12
            earlier = tuple(shift_month(month, -back) for month in later)
        if (earlier, later) != (before, after):
            windows.append(Window(f"{length}+{length}", earlier, later))
    return tuple(windows)


def match_months(window: Window, covered: Collection[str]) -> Window:
    """Keep the months of a window that can be compared.

    Parameters
    ----------
    window : Window
        The window as it was meant.
    covered : collection of str
        The months for which every compared site has a count.

    Returns
    -------
    Window
        The months that are covered. Where the window held the same calendar months on both
        sides it still does: a month missing on one side is left out on the other too, the one
        farthest from the start where the calendar month stands there more than once.

    Examples
    --------
    >>> window = Window("change", ("2016-01", "2016-02"), ("2017-01", "2017-02"))
    >>> match_months(window, {"2016-01", "2016-02", "2017-02"}).before
    ('2016-02',)
    """
    before = [month for month in window.before if month in covered]
    after = [month for month in window.after if month in covered]
    if window.same_seasons:
        shared = Counter(m[5:] for m in before) & Counter(m[5:] for m in after)
        before = sorted(_keep(reversed(before), shared))
        after = _keep(after, shared)
    return Window(window.period, tuple(before), tuple(after), window.same_seasons)


def lies_within(window: Window, covered: Collection[str]) -> bool:
    """Say whether a window lies between the first and the last month that is covered.

    Parameters
    ----------
    window : Window
        The window.
    covered : collection of str
        The months for which every compared site has a count.

    Examples
    --------
    >>> window = Window("1+1", ("2016-01",), ("2017-01",))
    >>> lies_within(window, {"2015-12", "2016-12"}), lies_within(window, {"2015-12", "2017-01"})
    (False, True)
    """
    if not covered:
        return False
    return min(covered) <= window.before[0] and window.after[-1] <= max(covered)


def describe_gaps(window: Window, covered: Collection[str]) -> str:
    """Say in plain words which months of a window are left out, and whether too few are left.

    Parameters
    ----------
    window : Window
        The window as it was meant.
    covered : collection of str
        The months for which every compared site has a count.

    Returns
    -------
    str
        A sentence or two; empty when nothing is left out and the seasons are the same.

    Examples
    --------
    >>> window = Window("change", list_months("2016-01", "2016-04"),
    ...                 list_months("2017-01", "2017-04"))
    >>> describe_gaps(window, set(window.months) - {"2017-01"})
    'Compared on 3 of 4 months on each side: 2017-01 is missing from the data.'
    """
    said: list[str] = []
    matched = match_months(window, covered)
    left = matched.lengths
    if not matched.same_seasons:
        said.append("The two periods hold different calendar months: seasons may look like change.")
    if left != window.lengths:
        gone = [month for month in window.months if month not in covered]
        verb = "is" if len(gone) == 1 else "are"
        counts = f"{left[0]} of {window.lengths[0]} months on each side"
        if window.lengths[0] != window.lengths[1] or left[0] != left[1]:
            counts = f"{left[0]} of {window.lengths[0]} months before and {left[1]} of "
            counts += f"{window.lengths[1]} after"
        said.append(f"Compared on {counts}: {_join(gone)} {verb} missing from the data.")
        if min(left) < 3:
            said.append("Fewer than 3 months are left on a side: far too few to judge by.")
    return " ".join(said)


def shift_month(month: str, by: int) -> str:
    """Move a month by a number of months.

    Examples
    --------
    >>> shift_month("2017-01", -1)
    '2016-12'
    """
    return name_month(number_month(month) + by)


def shift_window(window: Window, by: int) -> Window:
    """Move both sides of a window by a number of months.

    Examples
    --------
    >>> shift_window(Window("change", ("2016-01",), ("2017-01",)), -12).after
    ('2016-01',)
    """
    before = tuple(shift_month(month, by) for month in window.before)
    after = tuple(shift_month(month, by) for month in window.after)
    return Window(window.period, before, after, window.same_seasons)


def _keep(months: Iterable[str], shared: Counter[str]) -> list[str]:
    room = Counter(shared)
    kept = []
    for month in months:
        if room[month[5:]] > 0:
            room[month[5:]] -= 1
            kept.append(month)
    return kept


def _join(months: Sequence[str]) -> str:
    if len(months) > 6:
        return f"{', '.join(months[:5])} and {len(months) - 5} more"
    return months[0] if len(months) == 1 else f"{', '.join(months[:-1])} and {months[-1]}"
