"""Residents' scales in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sbwork.cohort import Cohort
from sbwork.formats import (
    describe_p,
    format_count,
    format_interval,
    format_number,
    format_share,
)
from sbwork.instrument import Instrument
from sbwork.results import find_row, select_findings

__all__ = [
    "describe_answers",
    "describe_differences",
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
        told = ", ".join(
            f"{format_number(row['estimate'])} {wave}"
            for wave, row in means.items()
            if row is not None
        )
        if told:
            parts.append(f"{cohort.title_site(site)} {told}")
    return f"{instrument.title_scale(scale)}: {'; '.join(parts)}."


def describe_differences(rows: pd.DataFrame, labels: list[str]) -> str:
    """Say each estimate with its interval."""
    parts = [
        f"{label} {format_number(row['estimate'])} "
        f"({format_interval(row['ci_low'], row['ci_high'])})"
        for label, (_, row) in zip(labels, rows.iterrows(), strict=True)
    ]
    return "; ".join(parts) + "."


def describe_spread(scores: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> str:
    """Say the median score of each scale by site and wave; small groups are left out."""
    parts = []
    for scale in instrument.scales:
        told = []
        for (site, wave), held in scores.groupby(["site", "wave"], sort=True)[scale]:
            if held.count() >= cohort.smallest_group:
                told.append(f"{cohort.title_site(str(site))} {wave} {format_number(held.median())}")
        parts.append(f"{instrument.title_scale(scale)}: {', '.join(told) or 'too few to show'}")
    return f"Median scores. {'; '.join(parts)}."


def describe_answers(
    answers: pd.DataFrame, instrument: Instrument, items: Sequence[str], fewest: int = 1
) -> str:
    """Say what share gave an answer above the middle to each item, and how many answered.

    Shares are weighted where `answers` has a column ``weight``; the numbers of people are not. A
    share of 1 to `fewest` - 1 people, or of all but as many, is not told.
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
