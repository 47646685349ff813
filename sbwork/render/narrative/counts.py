"""Counts in plain sentences: changes, months, placebos, reported figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag
from sbwork.stats.formats import (
    describe_p,
    format_change,
    format_count,
    format_interval,
    format_list,
    lower_title,
)

__all__ = [
    "describe_change",
    "describe_changes",
    "describe_counts",
    "describe_monthly_counts",
    "describe_placebo",
    "describe_reported",
]


def describe_changes(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    """Say how each area changed beside its control site."""
    parts = [_compare_pair(cohort, findings, outcome, pair) for pair in cohort.pairs]
    told = "; ".join(part for part in parts if part)
    return f"{cohort.title_outcome(outcome)}: {told}." if told else ""


def describe_change(
    cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair, site: str | None
) -> str:
    """Write how much a site of a pair changed, and over which months where the pair has fewer.

    Empty where its change is not known.
    """
    find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
    change = find(site=site or "", estimator="percentage_change")
    months = find(site=pair.intervention, estimator="window_months")
    if change is None or math.isnan(change["estimate"]):
        return ""
    text = format_change(change["estimate"])
    fewer = months is not None and has_flag(months, Flag.FEWER_MONTHS)
    return f"{text} over all months" if fewer and not has_flag(change, Flag.FEWER_MONTHS) else text


def describe_counts(
    cohort: Cohort,
    findings: pd.DataFrame,
    outcome: str,
    sites: Sequence[str],
    waves: Sequence[str],
) -> str:
    """Say each site's count in the chosen periods and, over both, its change."""
    parts = []
    for site in sites:
        place = {"section": "counts", "outcome": outcome, "site": site}
        counts = {
            wave: find_row(findings, **place, estimator="count", period=wave) for wave in waves
        }
        told = ", ".join(
            f"{format_count(row['estimate'])} {wave}"
            for wave, row in counts.items()
            if row is not None
        )
        change = find_row(findings, **place, estimator="percentage_change", period="change")
        if len(counts) > 1 and change is not None:
            interval = format_interval(change["ci_low"], change["ci_high"], 0, percent=True)
            told += f": {format_change(change['estimate'])} (95% interval {interval})"
        parts.append(f"{cohort.title_site(site)} {told}")
    return f"{cohort.title_outcome(outcome)}. {'; '.join(parts)}."


def describe_reported(cohort: Cohort) -> str:
    """Say what figures were reported, and by whom."""
    figures = format_list(
        [f"{f.title} {format_change(f.change_percent)}" for f in cohort.reported_figures]
    )
    sources = format_list(sorted({figure.reported_by for figure in cohort.reported_figures}))
    return f"These figures are as reported ({sources}): {figures}."


def describe_monthly_counts(
    cohort: Cohort, counts: pd.DataFrame, sites: Sequence[str], outcome: str
) -> str:
    """Say what range the monthly counts of each site lie in."""
    parts = []
    for site in dict.fromkeys(sites):
        chosen = counts[(counts["site"] == site) & (counts["outcome"] == outcome)]["count"]
        if chosen.notna().any():
            parts.append(
                f"{cohort.title_site(site)} between {format_count(chosen.min())} and "
                f"{format_count(chosen.max())} a month"
            )
    return f"Monthly counts of {lower_title(cohort.title_outcome(outcome))}: {format_list(parts)}."


def describe_placebo(cohort: Cohort, findings: pd.DataFrame, outcome: str, site: str) -> str:
    """Say where one pair stands among comparable places in which nothing was done."""
    place = {"section": "placebo", "outcome": outcome, "site": site}
    p = find_row(findings, **place, estimator="placebo_p")
    low = find_row(findings, **place, estimator="placebo_low")
    high = find_row(findings, **place, estimator="placebo_high")
    title = cohort.title_pair(site)
    if p is None or math.isnan(p["estimate"]) or low is None or high is None:
        note = f" {p['note']}" if p is not None else ""
        return f"{title}, {cohort.title_outcome(outcome)}: no placebo rank is available.{note}"
    middle = format_interval(low["estimate"], high["estimate"], 0, percent=True)
    to_each = " relative to each other" if _has_control(cohort, site) else ""
    return (
        f"{title}, {cohort.title_outcome(outcome)}: among comparable places where nothing was "
        f"done, the middle 95% changed by {middle}{to_each}; "
        f"{describe_p(p['estimate'], 'rank p')}."
    )


def _has_control(cohort: Cohort, site: str) -> bool:
    return any(pair.control for pair in cohort.pairs if pair.intervention == site)


def _compare_pair(cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair) -> str:
    area, control = (
        describe_change(cohort, findings, outcome, pair, site)
        for site in (pair.intervention, pair.control)
    )
    if not area:
        return ""
    beside = f" beside {control} in its control site" if control else ""
    return f"{cohort.title_site(pair.intervention)} {area}{beside}"
