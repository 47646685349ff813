"""Tables for planning: areas that could be controls, their balance, what could be detected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import (
    format_change,
    format_count,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_balance", "tabulate_candidates", "tabulate_detectable", "title_feature"]

_FEATURES = {
    "level": "incidents a month",
    "trend": "trend, % a month",
    "season": "seasonal swing, % of the mean",
    "mix": "share of all incidents",
    "population": "residents",
}


def title_feature(cohort: Cohort, outcome: str, feature: str) -> str:
    """Return what readers call one feature in which areas are compared."""
    words = _FEATURES.get(feature) or feature.replace("_", " ")
    if outcome == "all":
        return words[:1].upper() + words[1:]
    return f"{cohort.title_outcome(outcome)}: {words}"


def tabulate_candidates(cohort: Cohort, ranking: pd.DataFrame, number: int = 10) -> GT:
    """Lay out the areas most like a site: columns of `sbwork.compare.controls.RANKING_COLUMNS`."""
    shown = ranking.head(number)
    rows = [
        {
            "Rank": format_count(row["rank"]),
            "Area": str(row["name"] or row["area"]),
            "Distance (SD)": format_number(row["distance"]),
            "Incidents before": format_count(row["incidents"]),
            "Residents": format_count(row["population"]),
        }
        for _, row in shown.iterrows()
    ]
    if shown["population"].isna().all():
        for row in rows:
            del row["Residents"]
    return lay_out(
        rows,
        name="candidates",
        title="Areas most like the site before the start",
        subtitle=f"The first {len(shown)} of {len(ranking)}",
        stub="Area",
        notes=[
            "Distance: how far the area lies from the site over all that is compared, in standard "
            "deviations of the areas; 0 is the same."
        ],
    )


def tabulate_balance(cohort: Cohort, balance: pd.DataFrame, number: int = 3) -> GT:
    """Lay out site and areas side by side: columns of `sbwork.compare.controls.BALANCE_COLUMNS`."""
    areas = list(dict.fromkeys(balance["area"]))[:number]
    features = balance.drop_duplicates(["outcome", "feature"])
    rows = []
    for _, first in features.iterrows():
        feature = first["feature"]
        row = {
            "Compared": title_feature(cohort, first["outcome"], feature),
            "Site": _write_value(feature, first["site_value"]),
        }
        for number_of, area in enumerate(areas):
            found = balance[
                (balance["area"] == area)
                & (balance["outcome"] == first["outcome"])
                & (balance["feature"] == feature)
            ].iloc[0]
            difference = found["standardised_difference"]
            row[f"area-{number_of}"] = (
                f"{_write_value(feature, found['control_value'])}\n({format_number(difference)} SD)"
            )
        rows.append(row)
    return lay_out(
        rows,
        name="balance",
        title="How like the site the first areas are",
        stub="Compared",
        labels={f"area-{number_of}": area for number_of, area in enumerate(areas)},
        notes=[
            "Below each value: the difference from the site in standard deviations of the areas. "
            "More than 0.25 either way is called unlike (Stuart 2010)."
        ],
    )


def tabulate_detectable(cohort: Cohort, plan: pd.DataFrame) -> GT:
    """Lay out the smallest fall that would be found, as `sbwork.compare.controls` plans it."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    numbers = list(dict.fromkeys(plan["comparison"]))
    for (outcome, window), part in plan.groupby(["outcome", "period"], sort=False):
        row = {
            "Outcome": cohort.title_outcome(str(outcome)),
            "Months before and after": str(window).replace("+", " + "),
        }
        for number in numbers:
            found = part[part["comparison"] == number].iloc[0]
            row[number] = format_change(found["estimate"])
            if math.isnan(found["estimate"]) or found["note"] not in notes:
                notes.append(found["note"])
        rows.append(row)
    return lay_out(
        rows,
        name="detectable",
        title="The smallest fall that would be found",
        subtitle="Relative to the controls, at p = .05",
        stub="Months before and after",
        group="Outcome",
        notes=notes,
    )


def _write_value(feature: str, value: float) -> str:
    if feature == "mix":
        return format_share(value)
    if feature == "population":
        return format_count(value)
    return format_number(value, 1)
