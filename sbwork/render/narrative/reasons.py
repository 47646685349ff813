"""Why numbers are missing, in words, from their typed reasons."""

from __future__ import annotations

import pandas as pd

from sbwork.stats import Reason
from sbwork.stats.formats import format_list

__all__ = ["describe_missing", "describe_reason"]

_WORDS = {
    Reason.NO_CONTROL: "no control site is named",
    Reason.NO_PERIODS: "no periods before and after are given",
    Reason.NO_MONTHS: "no month can be compared",
    Reason.NO_ANSWERS: "nobody answered",
    Reason.OUTSIDE_FILES: "the files do not cover these months",
    Reason.ZERO_COUNT: "a count of zero leaves no ratio",
    Reason.TOO_FEW_MONTHS: "there are too few months",
    Reason.TOO_FEW_AREAS: "there are too few areas",
    Reason.TOO_FEW_PEOPLE: "too few people answered",
    Reason.TOO_FEW_PAIRS: "there are too few pairs",
    Reason.TOO_FEW_ITEMS: "the scale has too few items",
    Reason.PAIR_MISSING: "a pair has no number",
    Reason.NO_VARIATION: "nothing varies that precision could be judged by",
    Reason.NOT_ESTIMABLE: "the data settle on no single answer",
    Reason.NOT_STATED: "it is not stated",
    Reason.NOT_APPLICABLE: "it does not apply here",
    Reason.NOT_ALIKE: "site and control were not alike before the start",
    Reason.TOO_MANY_MONTHS: "more months would be needed than can be asked for",
    Reason.SITE_MIX: "where the answers came from shifted between the waves",
    Reason.SMALL_GROUP: "the group is too small to be shown",
    Reason.SMALL_COUNT: "the count is too small to be shown",
}


def describe_reason(reason: str) -> str:
    """Say in words why a number is missing.

    Parameters
    ----------
    reason : str
        A value of `sbwork.stats.Reason`, as in the column ``reason`` of the findings.

    Returns
    -------
    str
        A clause without a capital or a full stop.

    Examples
    --------
    >>> describe_reason("no_control")
    'no control site is named'
    """
    return _WORDS[Reason(reason)]


def describe_missing(rows: pd.DataFrame) -> str:
    """Say why the numbers of some findings are missing, the most common reason first.

    Parameters
    ----------
    rows : pandas.DataFrame
        Findings; those with a number are not counted.

    Returns
    -------
    str
        Clauses, with how many findings each is about where there are several; empty where every
        finding has a number or none of the missing ones has a reason.

    Examples
    --------
    >>> rows = pd.DataFrame({"estimate": [1.0, float("nan")], "reason": ["", "zero_count"]})
    >>> describe_missing(rows)
    'a count of zero leaves no ratio'
    """
    reasons = rows.loc[rows["estimate"].isna() & (rows["reason"] != ""), "reason"]
    counts = reasons.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    if len(counts) == 1:
        return describe_reason(str(counts.index[0]))
    return format_list([f"{describe_reason(str(why))} ({n})" for why, n in counts.items()])
