"""Residents' scales in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    describe_p,
    format_count,
    format_interval,
    format_number,
    format_share,
)

__all__ = [
    "describe_answers",
    "describe_attrition",
    "describe_differences",
    "describe_lead",
    "describe_mean_differences",
    "describe_means",
    "describe_spread",
]


def describe_mean_differences(
    cohort: Cohort, findings: pd.DataFrame, scale: str, sites: Sequence[str]
) -> str:
    """Say how much each site's mean of a scale changed, with its interval."""
    parts = []
    for site in sites:
        row = find_row(
            findings, section="scales", outcome=scale, site=site, estimator="mean_difference"
        )
        if row is not None:
            interval = format_interval(row["ci_low"], row["ci_high"])
            parts.append(
                f"{cohort.title_site(site)} {format_number(row['estimate'])} "
                f"(95% interval {interval}; {describe_p(row['p_value'])})"
            )
    return f"Change: {'; '.join(parts)}." if parts else ""


def describe_means(
    cohort: Cohort,
    findings: pd.DataFrame,
    instrument: Instrument,
    scale: str,
    sites: Sequence[str],
    waves: Sequence[str] = ("before", "after"),
) -> str:
    """Say each site's mean of a scale in each wave."""
    parts = []
    rows = select_findings(findings, section="scales", outcome=scale, estimator="mean")
    for site in sites:
        means = {wave: find_row(rows, site=site, period=wave) for wave in waves}
        values = ", ".join(
            f"{format_number(row['estimate'])} {wave}"
            for wave, row in means.items()
            if row is not None
        )
        if values:
            parts.append(f"{cohort.title_site(site)} {values}")
    return f"{instrument.title_scale(scale)}: {'; '.join(parts)}."


def describe_differences(rows: pd.DataFrame, labels: list[str]) -> str:
    """Say each estimate with its interval."""
    parts = [
        f"{label} {format_number(row['estimate'])} "
        f"({format_interval(row['ci_low'], row['ci_high'])})"
        for label, (_, row) in zip(labels, rows.iterrows(), strict=True)
    ]
    return f"In standard deviations: {'; '.join(parts)}."


def describe_attrition(cohort: Cohort, findings: pd.DataFrame) -> str:
    """Say what share of the first wave was lost in each pair; empty where nobody is linked."""
    parts = []
    find = partial(find_row, findings, section="scales", outcome="questionnaire")
    for pair in cohort.pairs:
        area = find(estimator="attrition_share", site=pair.intervention)
        control = find(estimator="attrition_share", site=str(pair.control))
        difference = find(estimator="attrition_difference", site=pair.intervention)
        if area is None:
            continue
        text = f"{_describe_lost(area)} in {cohort.title_site(pair.intervention)}"
        if control is not None:
            text += f", {_describe_lost(control)} in {cohort.title_site(str(pair.control))}"
        if difference is not None and not np.isnan(difference["ci_low"]):
            points = format_number(100 * difference["estimate"], 0)
            ends = format_interval(100 * difference["ci_low"], 100 * difference["ci_high"], 0)
            text += f" ({points} points apart, 95% interval {ends})"
        parts.append(text)
    if not parts:
        return ""
    return (
        f"Lost between the waves, of the people who answered the first: {'; '.join(parts)}. Where "
        "more were lost on one side, a difference between those who stayed may be a difference "
        "between those who left."
    )


def _describe_lost(row: pd.Series[Any]) -> str:
    if row["reason"] == Reason.SMALL_GROUP:
        return "too few to tell"
    share = format_share(row["estimate"])
    return share if np.isnan(row["n"]) else f"{share} of {format_count(row['n'])}"


def describe_lead(findings: pd.DataFrame) -> str:
    """Say which comparison of linked people leads, and why; empty where nobody is linked."""
    rows = select_findings(findings, section="scales", estimator="ancova", period="change")
    if rows.empty:
        return ""
    if any(has_flag(row, Flag.LEADS) for _, row in rows.iterrows()):
        return (
            "The sites were drawn by lot, and everybody in the second wave had answered the first: "
            "so the comparison of people with the same score before leads, and the difference in "
            "differences stands beside it."
        )
    return (
        "Some people answered both waves. The difference in differences leads; the comparison of "
        "people with the same score before stands beside it, as it is fair only where sites were "
        "drawn by lot: elsewhere it takes a gap that was there from the start for a change."
    )


def describe_spread(scores: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> str:
    """Say the median score of each scale by site and wave; small groups are left out."""
    parts = []
    for scale in instrument.scales:
        medians = []
        for (site, wave), group in scores.groupby(["site", "wave"], sort=True)[scale]:
            if group.count() >= cohort.smallest_group:
                median = format_number(group.median())
                medians.append(f"{cohort.title_site(str(site))} {wave} {median}")
        parts.append(f"{instrument.title_scale(scale)}: {', '.join(medians) or 'too few to show'}")
    return f"Median scores. {'; '.join(parts)}."


def describe_answers(
    answers: pd.DataFrame, instrument: Instrument, items: Sequence[str], fewest: int = 1
) -> str:
    """Say what share gave an answer above the middle to each item, and how many answered.

    Shares are weighted where `answers` has a column ``weight``; the numbers of people are not. A
    share of 1 to `fewest` - 1 people, or of all but as many, is left out.
    """
    parts = []
    for item in items:
        codes = [option.code for option in instrument.list_answers(item)]
        given = answers[answers[item].notna()]
        if "weight" in given:
            given = given[given["weight"] > 0]
        if given.empty:
            continue
        above = (given[item] > (min(codes) + max(codes)) / 2).to_numpy()
        weights = given["weight"].to_numpy() if "weight" in given else np.ones(len(given))
        few = [count for count in (above.sum(), (~above).sum()) if 1 <= count < fewest]
        share = "too few to tell" if few else format_share(float(weights @ above / weights.sum()))
        text = instrument.items[item].text or item
        parts.append(f"'{text}' {share} above the middle (n = {format_count(len(given))})")
    return "; ".join(parts) + "."
