"""What a plan can hope for, in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from sbwork.compare.controls import LARGEST_DIFFERENCE, ControlSearch
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    describe_p,
    format_change,
    format_count,
    format_list,
    format_months,
    format_number,
    format_share,
)

__all__ = [
    "describe_balance",
    "describe_candidates",
    "describe_detectable",
    "describe_mixture",
    "list_gaps",
]

_TREND, _SEASON = 6, 12
_WHY_NONE = {
    Reason.TOO_FEW_AREAS: "no area of the archive is left to compare with",
    Reason.NO_MONTHS: "no month before the start has counts",
}


def describe_candidates(cohort: Cohort, search: ControlSearch) -> str:
    """Say how many areas could stand beside the site, and which is most like it."""
    site = cohort.title_site(str(search.findings["site"].iloc[0]))
    left = [f"{row['reason'].lower()}: {row['areas']}" for _, row in search.left_out.iterrows()]
    out = f" Left out: {'; '.join(left)}." if left else ""
    if search.ranking.empty:
        reason = _WHY_NONE[Reason(search.findings["reason"].iloc[0])]
        return f"No area can be ranked beside {site}: {reason}.{out}"
    first = search.ranking.iloc[0]
    return (
        f"{format_count(len(search.ranking))} areas could stand beside {site}, judged by the "
        f"months before the start ({format_months(search.months[0], search.months[-1])}). The "
        f"most alike is {first['name'] or first['area']}, {format_number(first['distance'])} "
        f"standard deviations away.{out}"
    )


def list_gaps(cohort: Cohort, search: ControlSearch) -> list[str]:
    """List what could not be compared, and why."""
    gaps = []
    months = len(search.months)
    had = "1 month before the start is" if months == 1 else f"{months} months before the start are"
    if months < _TREND:
        gaps.append(f"Trends are not compared: {had} in the files, and a trend needs {_TREND}.")
    if months < _SEASON:
        gaps.append(f"Seasons are not compared: {had} in the files, and a season needs {_SEASON}.")
    if search.ranking.empty:
        return gaps
    if search.ranking["population"].isna().any():
        gaps.append("Residents are not compared: no population is given for every area.")
    if has_flag(search.findings.iloc[0], Flag.NO_BOUNDARIES):
        gaps.append("No boundaries are given, so areas next to the site could not be ruled out.")
    return gaps


def describe_balance(search: ControlSearch, labels: Sequence[str]) -> str:
    """Say how far the most similar area lies from the site in each feature."""
    first = search.balance[search.balance["area"] == search.balance["area"].iloc[0]]
    parts = [
        f"{label} {format_number(value)}"
        for label, value in zip(labels, first["standardised_difference"], strict=True)
    ]
    unlike = int((first["standardised_difference"].abs() > LARGEST_DIFFERENCE).sum())
    return (
        f"{first['area'].iloc[0]}, in standard deviations from the site: {'; '.join(parts)}. "
        f"{unlike} of {len(first)} lie more than {format_number(LARGEST_DIFFERENCE)} apart."
    )


def describe_mixture(cohort: Cohort, mixture: pd.DataFrame, outcome: str) -> str:
    """Say how the site did against a mixture of areas, or why there is none."""
    rows = select_findings(mixture, outcome=outcome)
    change, ratio, fit = (
        find_row(rows, estimator=f"synthetic_{name}")
        for name in ("change", "rmspe_ratio", "pre_rmspe")
    )
    title = cohort.title_outcome(outcome)
    if change is None or ratio is None or fit is None or math.isnan(fit["estimate"]):
        reason = str(fit["note"] if fit is not None else "no periods are given.")
        return f"{title}: there is no mixture of areas. {reason}"
    weights = select_findings(rows, estimator="synthetic_weight")
    parts = [
        f"{row['comparison']} ({format_share(row['estimate'])})"
        for _, row in weights.head(3).iterrows()
    ]
    more = f", and {len(weights) - 3} more" if len(weights) > 3 else ""
    moved = f"The site moved by {format_change(100 * (change['estimate'] - 1))} relative to it."
    if change["reason"] == Reason.ZERO_COUNT:
        moved = "One of the periods has no incident, so no change relative to it can be given."
    return (
        f"{title}: mixed from {format_list(parts)}{more}. Before the start the mixture misses the "
        f"site by {format_share(fit['estimate'])} of its mean{_rank_gap(ratio)} {moved}"
    )


def _rank_gap(ratio: pd.Series) -> str:
    """Say how much larger the gap is afterwards, and how seldom other areas have a larger one."""
    if ratio["reason"]:
        return ", so it can't be said how many times as large the gap is after it."
    areas = format_count(ratio["n"])
    rank = f"the rank of that among {areas} areas gives {describe_p(ratio['p_value'])}"
    if has_flag(ratio, Flag.FEW_AREAS):
        rank = f"{areas} areas are too few to rank that among"
    larger = format_number(ratio["estimate"])
    return f"; after it, the gap is {larger} times as large (RMSPE ratio), and {rank}."


def describe_detectable(cohort: Cohort, plan: pd.DataFrame) -> str:
    """Say what the shortest and the longest plan could find."""
    told = []
    for outcome, part in plan.groupby("outcome", sort=False):
        known = part.dropna(subset="estimate")
        title = cohort.title_outcome(str(outcome))
        if known.empty:
            told.append(f"{title}: {part['note'].iloc[0]}")
            continue
        ordered = known.sort_values("estimate", kind="stable")
        ends = [
            f"{format_change(row['estimate'])} with {row['period'].replace('+', ' + ')} months and "
            f"{row['comparison']}"
            for row in (ordered.iloc[0], ordered.iloc[-1])
        ]
        told.append(f"{title}: from {ends[0]} to {ends[1]}.")
    return " ".join(told)
