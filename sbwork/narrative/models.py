"""How a comparison holds up, in plain sentences: before the start, other models, all choices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from sbwork.cohort import Cohort
from sbwork.formats import (
    format_count,
    format_interval,
    format_list,
    format_number,
    format_share,
)
from sbwork.results import find_row, select_findings

__all__ = [
    "describe_event_study",
    "describe_robustness",
    "describe_shares",
    "describe_specifications",
    "explain_missing",
]

_ALPHA = 0.05


def describe_robustness(cohort: Cohort, findings: pd.DataFrame) -> str:
    """Say in one paragraph whether the comparisons of counts hold up.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame
        Every finding of the report.

    Returns
    -------
    str
        One paragraph of plain English.
    """
    rows = select_findings(findings, section="panel")
    rows = rows[rows["site"] != "all"]
    sentences = [
        "A result is worth more if it does not hang on one way of counting. So the same "
        "comparison is asked in other ways: were the area and its control site alike, and moving "
        "alike, before the start; do other models agree; how much drift of their own would undo "
        "the result; and does it stay when other months, control sites or models are chosen?",
        *_tell_before(rows),
        *_tell_models(rows),
        *_tell_drift(rows),
        *_tell_curve(findings),
    ]
    return " ".join(sentences)


def describe_event_study(cohort: Cohort, rows: pd.DataFrame, outcome: str, site: str) -> str:
    """Say how the site stood to its control in the months before and after the start."""
    known = rows[rows["estimate"].notna()]
    months = known["period"].astype(float)
    parts = []
    for when, side in (("before", months < 0), ("after", months >= 0)):
        part = known[side]
        if part.empty:
            continue
        outside = int(((part["ci_low"] > 1) | (part["ci_high"] < 1)).sum())
        ends = format_interval(part["estimate"].min(), part["estimate"].max())
        parts.append(
            f"{len(part)} months {when}, ratios from {ends}, {outside} of them with an interval "
            "clear of no difference"
        )
    title = f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}"
    return f"{title}: {'; '.join(parts)}."


def describe_specifications(
    cohort: Cohort, rows: pd.DataFrame, outcome: str, site: str, headline: float
) -> str:
    """Say over what range the ratio runs when windows, controls and models are varied."""
    ends = format_interval(rows["estimate"].min(), rows["estimate"].max())
    own = f"; this report's own is {format_number(headline)}" if not math.isnan(headline) else ""
    below = int((rows["estimate"] < 1).sum())
    clear = int(((rows["ci_low"] > 1) | (rows["ci_high"] < 1)).sum())
    return (
        f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}: {len(rows)} specifications "
        f"with ratios from {ends}, the middle one {format_number(rows['estimate'].median())}{own}; "
        f"{below} of them below 1, {clear} with an interval clear of no change."
    )


def describe_shares(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say, a pair and outcome at a time, what share of the specifications agree.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame
        With the summary rows of `sbwork.panels.vary_specifications`.

    Returns
    -------
    list of str
        One sentence a pair and outcome for which there is a number.
    """
    told = []
    for outcome in cohort.outcomes:
        for pair in cohort.pairs:
            place = {"section": "specification", "outcome": outcome, "site": pair.intervention}
            median, same, outside = (
                find_row(findings, **place, estimator=f"specification_{name}")
                for name in ("median", "same_sign", "excludes_one")
            )
            if median is None or same is None or outside is None or math.isnan(median["estimate"]):
                continue
            way = "below 1" if median["estimate"] < 1 else "above 1"
            told.append(
                f"{cohort.title_pair(pair.intervention)}, {cohort.title_outcome(outcome)}: of "
                f"{format_count(median['n'])} ways to compare, {format_share(same['estimate'])} "
                f"put the ratio {way}, and {format_share(outside['estimate'])} have an interval "
                "clear of no change."
            )
    return told


def explain_missing(rows: pd.DataFrame, what: str, fewest: int) -> str:
    """Say why a picture is not drawn: how many numbers there are, and what the rest lacks."""
    counts = rows["estimate"].notna().groupby([rows["outcome"], rows["site"]]).sum()
    known = int(counts.max()) if len(counts) else 0
    if known >= fewest:
        return f"{what} is not drawn: there are numbers on one side of the start only."
    reasons = rows.loc[rows["estimate"].isna(), "note"].str.extract(
        r"^(?:Not computed: )?(.+?[.])(?:\s|$)", expand=False
    )
    common = reasons.value_counts()
    why = f" Most often: {common.index[0]}" if len(common) else ""
    had = {0: "no comparison has any", 1: "no comparison has more than one"}.get(
        known, f"no comparison has more than {known}"
    )
    return f"{what} is not drawn: it takes at least {fewest} numbers, and {had}.{why}"


def _tell_before(rows: pd.DataFrame) -> list[str]:
    trends = rows[(rows["estimator"] == "pre_trend") & rows["estimate"].notna()]
    if trends.empty:
        return ["How the two moved before the start can't be said: the files hold too few months."]
    apart, every = int((trends["p_value"] < _ALPHA).sum()), len(trends)
    if apart:
        which = "the one comparison" if every == 1 else f"{apart} of {every} comparisons"
        return [
            f"In {which} the two were already moving apart before the start, so part of what "
            "followed may be more of the same."
        ]
    which = f"In none of the {every} comparisons were the two"
    if every == 1:
        which = "In the one comparison the two were not"
    return [
        f"{which} clearly moving apart before the start; that is not proof that they moved alike, "
        "because few months tell little."
    ]


def _tell_models(rows: pd.DataFrame) -> list[str]:
    parts = []
    for estimator, title in (
        ("panel_quasipoisson", "by the quasi-Poisson panel model"),
        ("its_level", "by the interrupted time series"),
    ):
        known = rows[(rows["estimator"] == estimator) & rows["estimate"].notna()]
        if len(known):
            outside = int(((known["ci_low"] > 1) | (known["ci_high"] < 1)).sum())
            parts.append(f"{title} in {outside or 'none'} of {len(known)}")
    if not parts:
        return ["No panel model can be fitted to so few months."]
    return [
        "The area differs from its control site beyond chance (95% interval clear of no change) "
        f"{format_list(parts)}."
    ]


def _tell_drift(rows: pd.DataFrame) -> list[str]:
    bounds = rows[(rows["estimator"] == "sensitivity_mbar") & rows["estimate"].notna()]
    clear = bounds[bounds["estimate"] > 0]
    if clear.empty:
        return []
    weak = int((clear["estimate"] < 1).sum())
    which = f"{weak or 'none'} of the {len(clear)}"
    if len(clear) == 1:
        which = "the one comparison"
    enough = "would not be enough" if len(clear) == 1 and not weak else "would be enough"
    return [
        f"In {which} where the panel model's interval is clear of no change, drift no larger than "
        f"that already seen before the start {enough} to undo it."
    ]


def _tell_curve(findings: pd.DataFrame) -> list[str]:
    rows = select_findings(findings, section="specification", period="summary")
    parts: list[str] = []
    for estimator, words in (
        ("specification_same_sign", "of the specifications point the same way"),
        ("specification_excludes_one", "have an interval clear of no change"),
    ):
        shares = rows.loc[rows["estimator"] == estimator, "estimate"].dropna()
        if len(shares):
            parts.append(f"{_span(shares.tolist())} {words}")
    if not parts:
        return []
    counts = sorted({int(n) for n in rows.loc[rows["estimate"].notna(), "n"]})
    ways = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [
        f"When months, controls and models are varied ({ways} ways a comparison), "
        f"{format_list(parts)}."
    ]


def _span(shares: Sequence[float]) -> str:
    ends = [format_share(end) for end in (min(shares), max(shares))]
    return ends[0] if ends[0] == ends[1] else f"from {ends[0]} to {ends[1]}"
