"""How a comparison holds up, in plain sentences: before the start, other models, all choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sbwork.render.narrative.reasons import describe_missing, describe_reason
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    format_count,
    format_interval,
    format_list,
    format_number,
    format_share,
)

__all__ = [
    "describe_event_study",
    "describe_robustness",
    "describe_shares",
    "describe_specifications",
    "explain_missing",
]

_ALPHA = 0.05
_MODELS = {
    "the quasi-Poisson panel model": ("quasi-Poisson model", {"panel_quasipoisson": ""}),
    "the interrupted time series": (
        "interrupted time series",
        {"its_level": "in level ", "its_slope": "in slope "},
    ),
}


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
        *_describe_before(rows),
        *_describe_models(rows),
        *_describe_drift(rows),
        *_describe_curve(findings),
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
        With the summary rows of `sbwork.compare.panels.vary_specifications`.

    Returns
    -------
    list of str
        One sentence a pair and outcome for which there is a number.
    """
    sentences = []
    for outcome in cohort.list_outcomes():
        for pair in cohort.pairs:
            place = {"section": "specification", "outcome": outcome, "site": pair.intervention}
            median, same, outside = (
                find_row(findings, **place, estimator=f"specification_{name}")
                for name in ("median", "same_sign", "excludes_one")
            )
            if median is None or same is None or outside is None or math.isnan(median["estimate"]):
                continue
            way = "below 1" if median["estimate"] < 1 else "above 1"
            sentences.append(
                f"{cohort.title_pair(pair.intervention)}, {cohort.title_outcome(outcome)}: of "
                f"{format_count(median['n'])} ways to compare, {format_share(same['estimate'])} "
                f"put the ratio {way}, and {format_share(outside['estimate'])} have an interval "
                "clear of no change."
            )
    return sentences


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


def _describe_before(rows: pd.DataFrame) -> list[str]:
    every = rows[rows["estimator"] == "pre_trend"]
    known = every[every["estimate"].notna()]
    if known.empty:
        why = describe_missing(every)
        return [f"How the two moved before the start can't be said{f': {why}' if why else ''}."]
    apart = int((known["p_value"] < _ALPHA).sum())
    if apart:
        which = "the one comparison" if len(known) == 1 else f"{apart} of {len(known)} comparisons"
        said = (
            f"In {which} the two already moved differently before the start, so there the control "
            "site is a poor guide to what would have happened anyway."
        )
    else:
        which = f"In none of the {len(known)} comparisons did the two"
        if len(known) == 1:
            which = "In the one comparison the two did not"
        said = (
            f"{which} clearly move differently before the start; that is not proof that they moved "
            "alike, because few months show little."
        )
    return [said, *_explain_rest(every, "trend before the start")]


def _describe_models(rows: pd.DataFrame) -> list[str]:
    parts, rest = [], []
    for title, (what, estimators) in _MODELS.items():
        counts = []
        for estimator, where in estimators.items():
            every = rows[rows["estimator"] == estimator]
            known = every[every["estimate"].notna()]
            if len(known):
                none = 0 if estimator == "its_slope" else 1
                outside = int(((known["ci_low"] > none) | (known["ci_high"] < none)).sum())
                counts.append(f"{where}in {outside or 'none'} of {len(known)}")
        if counts:
            parts.append(f"by {title} {format_list(counts)}")
        first = rows[rows["estimator"] == next(iter(estimators))]
        rest += _explain_rest(first, what) if counts or len(first) else []
    if not parts:
        return ["No panel model of a single pair gives a number.", *rest]
    return [
        "The area differs from its control site beyond chance (95% interval clear of no change) "
        f"{'; '.join(parts)}.",
        *rest,
    ]


def _describe_drift(rows: pd.DataFrame) -> list[str]:
    every = rows[rows["estimator"] == "sensitivity_mbar"]
    known = every[every["estimate"].notna()]
    if known.empty:
        return _explain_rest(every, "drift that would undo it")
    clear = known[known["estimate"] > 0].sort_values("estimate")
    said = (
        "Judged by quarters and set against the last quarter before the start alone, a stricter "
        "test than the panel model's, "
    )
    if clear.empty:
        which = f"in all {len(known)} comparisons" if len(known) > 1 else ""
        said += f"the interval takes in no change {which}".rstrip() + " even without any drift."
    else:
        ends = list(dict.fromkeys(_write_multiple(row) for _, row in clear.iterrows()))
        span = ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"
        many = f"in {len(clear)} of {len(known)} comparisons" if len(known) > 1 else ""
        said += (
            f"the interval is clear of no change {many}".rstrip()
            + f"; it takes in no change once the two may have moved apart anyway, from each "
            f"quarter to the next, by {span} times the largest step seen before the start."
        )
    return [
        said,
        "True results have a low number too, where nothing drifts: the note below the table says "
        "how often.",
        *_explain_rest(every, "drift that would undo it"),
    ]


def _write_multiple(row: pd.Series[Any]) -> str:
    above = "more than " if has_flag(row, Flag.ABOVE_SEARCHED) else ""
    return f"{above}{format_number(row['estimate'])}"


def _explain_rest(rows: pd.DataFrame, what: str) -> list[str]:
    """Say how many comparisons have no such number, and why."""
    missing = rows[rows["estimate"].isna()]
    if missing.empty:
        return []
    why = describe_missing(missing)
    of = "1 comparison has" if len(missing) == 1 else f"{len(missing)} comparisons have"
    return [f"{of} no {what}{f': {why}' if why else ''}."]


def _describe_curve(findings: pd.DataFrame) -> list[str]:
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
        f"When {_name_varied(findings)} varied ({ways} ways a comparison), {format_list(parts)}."
    ]


def _name_varied(findings: pd.DataFrame) -> str:
    """Name what differs between the specifications of any one comparison."""
    rows = select_findings(findings, section="specification")
    rows = rows[rows["estimate"].notna() & (rows["period"] != "summary")]
    columns = {"period": "months", "comparison": "control sites", "estimator": "models"}
    counts = rows.groupby(["outcome", "site"])[list(columns)].nunique()
    named = [name for column, name in columns.items() if (counts[column] > 1).any()]
    return f"{format_list(named)} are" if named else "nothing is"


def _span(shares: Sequence[float]) -> str:
    ends = [format_share(end) for end in (min(shares), max(shares))]
    return ends[0] if ends[0] == ends[1] else f"from {ends[0]} to {ends[1]}"
