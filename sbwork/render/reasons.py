"""Why numbers are missing, in words, from their typed reasons."""

from __future__ import annotations

import pandas as pd

from sbwork.stats import Reason
from sbwork.stats.formats import format_list

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
    Reason.TOO_FEW_CLUSTERS: "there are too few clusters",
    Reason.SMALL_GROUP: "a group is too small to be shown, or would follow from it",
    Reason.SMALL_COUNT: "a count is too small to be shown, or would follow from it",
    Reason.RELEASED: "with a report released before it would give a small group away",
}


HIDING = (Reason.SMALL_GROUP, Reason.RELEASED)
"""Why a number of people is hidden."""


def describe_reason(reason: str) -> str:
    """Say in words why a number is missing."""
    return _WORDS[Reason(reason)]


def describe_missing(rows: pd.DataFrame) -> str:
    """Say why the numbers of some findings are missing, the most common reason first."""
    reasons = rows.loc[rows["estimate"].isna() & (rows["reason"] != ""), "reason"]
    counts = reasons.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    if len(counts) == 1:
        return describe_reason(str(counts.index[0]))
    return format_list([f"{describe_reason(str(why))} ({n})" for why, n in counts.items()])


def explain_missing(rows: pd.DataFrame, what: str, fewest: int) -> str:
    """Say why a picture is not drawn: how many numbers there are, and what the rest lacks."""
    counts = rows["estimate"].notna().groupby([rows["outcome"], rows["site"]]).sum()
    known = int(counts.max()) if len(counts) else 0
    if known >= fewest:
        return f"{what} is not drawn: there are numbers on one side of the start only."
    reasons = rows.loc[rows["estimate"].isna() & (rows["reason"] != ""), "reason"]
    why = f" Most often, {describe_reason(reasons.mode().iloc[0])}." if len(reasons) else ""
    had = {0: "no comparison has any", 1: "no comparison has more than one"}.get(
        known, f"no comparison has more than {known}"
    )
    return f"{what} is not drawn: it takes at least {fewest} numbers, and {had}.{why}"
