"""Tables of the weights: population shares beside the answers' own, before and after weighting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sbwork.render.tables.layout import describe_value, lay_out
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import MISSING, format_count, format_number, format_share

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_shares", "tabulate_weights"]

_MOST_ROWS = 60
_WAVES = {"before": "Before", "after": "After"}
_COLUMNS = ("n", "Unweighted", "Weighted")
_HIDDEN = "hidden"


def tabulate_weights(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out what weighting costs: people, Kish's effective number, and the largest weight."""
    chosen = select_findings(findings, section="weights", outcome="weight")
    rows: list[dict[str, str]] = []
    for (site, wave), values in chosen.groupby(["site", "period"], sort=False):
        effective = find_row(values, estimator="n_eff")
        largest = find_row(values, estimator="largest_weight")
        rows.append(
            {
                "Site": cohort.title_site(str(site)),
                "Wave": _WAVES.get(str(wave), str(wave)),
                "n": _write_n(effective),
                "Effective n (Kish)": describe_value(effective, format_count),
                "Largest weight": _write(largest, format_number),
            }
        )
    return lay_out(
        rows,
        name="weights",
        title="What weighting costs in precision",
        subtitle="n: people who answered; a weight of 1 is the average",
        stub="Wave",
        group="Site",
        notes=chosen["note"],
    )


def tabulate_shares(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out each category's share of the population and of the answers, before and after.

    By site; where that would be more than 60 rows, the smallest and largest share of any site.
    """
    chosen = select_findings(findings, section="weights")
    chosen = chosen[chosen["outcome"] != "weight"]
    waves = [wave for wave in _WAVES if (chosen["period"] == wave).any()]
    notes = chosen["note"]
    by_site = len(chosen[["site", "outcome"]].drop_duplicates()) <= _MOST_ROWS
    sites = list(dict.fromkeys(chosen["site"])) if by_site else [""]
    rows: list[dict[str, str]] = []
    for site in sites:
        here = chosen[chosen["site"] == site] if site else chosen
        for outcome, values in here.groupby("outcome", sort=False):
            variable, _, category = str(outcome).partition("/")
            row = {
                "Category": f"{variable.replace('_', ' ')}: {category}",
                "Population": _write_range(values, "target_share"),
            }
            if site:
                row["Site"] = cohort.title_site(site)
            for wave in waves:
                told = values[values["period"] == wave]
                row[f"{wave} n"] = _write_range(told, "share_before", count=True)
                row[f"{wave} Unweighted"] = _write_range(told, "share_before")
                row[f"{wave} Weighted"] = _write_range(told, "share_after")
            rows.append(row)
    return lay_out(
        rows,
        name="weight-targets",
        title="The mix of people, before and after weighting",
        subtitle="" if by_site else "Smallest and largest share of any site",
        stub="Category",
        group="Site" if by_site else "",
        spanners={f"Wave {wave}": [f"{wave} {column}" for column in _COLUMNS] for wave in waves},
        labels={f"{wave} {column}": column for wave in waves for column in _COLUMNS},
        notes=[*notes, "n: people in the category; never weighted."],
    )


def _write_n(row: pd.Series | None) -> str:
    if row is not None and has_flag(row, Flag.N_HIDDEN):
        return _HIDDEN
    return describe_value(row, format_count, "n")


def _write(row: pd.Series | None, write: object) -> str:
    if row is not None and row["reason"] == Reason.SMALL_GROUP:
        return _HIDDEN
    return describe_value(row, write)


def _write_range(values: pd.DataFrame, estimator: str, *, count: bool = False) -> str:
    """Write a share or a number of people; its ends where there are several sites."""
    rows = values[values["estimator"] == estimator]
    shown = rows["n" if count else "estimate"].dropna()
    if shown.empty:
        hidden = any(has_flag(row, Flag.N_HIDDEN) for _, row in rows.iterrows())
        hidden |= bool((rows["reason"] == Reason.SMALL_GROUP).any())
        return _HIDDEN if hidden else MISSING
    write = format_count if count else format_share
    low, high = write(float(shown.min())), write(float(shown.max()))
    return low if low == high else f"{low} to {high}"
