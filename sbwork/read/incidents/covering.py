"""Which months are whole: for a feed and its outcomes, and for a place where several record."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from sbwork.read.incidents.continuity import Gap

__all__ = ["cover_places", "mark_published"]

_OVERLAP = 3

Flags = npt.NDArray[np.bool_]


def mark_published(
    gaps: Collection[Gap],
    feeds: Sequence[str],
    outcomes: Sequence[str],
    span: Sequence[str],
    covered: Flags,
) -> Flags:
    """Lay out which feed covers which outcome in which month.

    Parameters
    ----------
    gaps : collection of Gap
        From `check_continuity`.
    feeds, outcomes, span : sequence of str
        The axes of the result: feeds, keys of outcomes and months.
    covered : ndarray of bool, shape (n_feeds, n_span)
        Which feed has a file for which month.

    Returns
    -------
    ndarray of bool, shape (n_feeds, n_outcomes, n_span)

    Examples
    --------
    >>> gap = Gap("durham", "drugs", ("2011-08",), "")
    >>> covered = np.ones((1, 2), dtype=np.bool_)
    >>> mark_published([gap], ["durham"], ["drugs"], ["2011-08", "2011-09"], covered).tolist()
    [[[False, True]]]
    """
    published = np.repeat(covered[:, None, :], len(outcomes), axis=1)
    position = {month: number for number, month in enumerate(span)}
    for gap in gaps:
        for month in gap.months:
            if month in position:
                published[feeds.index(gap.feed), outcomes.index(gap.outcome), position[month]] = (
                    False
                )
    return published


def cover_places(main: Flags, published: Flags, covered: Flags) -> Flags:
    """Tell in which months a place's count is whole, by those who record there.

    A month counts if some main feed of the place covers it and none is lacking that records
    beside it. So where a force stops publishing, what the transport police still record there
    does not pass for the whole. Feeds that follow each other, such as one file a year, share
    fewer than three months, and need not all be there.

    Parameters
    ----------
    main : ndarray of bool, shape (n_places, n_outcomes, n_feeds)
        Which feeds hold a notable part of a place's incidents.
    published : ndarray of bool, shape (n_feeds, n_outcomes, n_span)
        From `mark_published`.
    covered : ndarray of bool, shape (n_feeds, n_span)
        Which feed has a file for which month.

    Returns
    -------
    ndarray of bool, shape (n_places, n_outcomes, n_span)

    Examples
    --------
    >>> covered = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=np.bool_)
    >>> main = np.array([[[1, 1]], [[1, 0]], [[0, 1]]], dtype=np.bool_)
    >>> cover_places(main, covered[:, None, :], covered)[:, 0].astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    """
    # Outcome first, so that the products run as matrices of places by months.
    by_outcome = main.transpose(1, 0, 2).astype(np.float32)
    some = by_outcome @ published.transpose(1, 0, 2).astype(np.float32)
    whole: Flags = np.asarray(some > 0, dtype=np.bool_).transpose(1, 0, 2).copy()
    lengths = covered.sum(axis=1)
    shared = covered.astype(np.intp) @ covered.T.astype(np.intp)
    needed = np.minimum(_OVERLAP, np.minimum(lengths[:, None], lengths[None, :]))
    beside = (shared >= needed) & (needed > 0)
    for place, outcome in np.argwhere(main.sum(axis=2) > 1):
        feeds = np.flatnonzero(main[place, outcome])
        there = published[feeds, outcome]
        joined = beside[np.ix_(feeds, feeds)].astype(np.intp)
        lacking = ~there & (joined @ there.astype(np.intp) > 0)
        whole[place, outcome] &= ~lacking.any(axis=0)
    return whole
