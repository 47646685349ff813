"""What answers are weighted to, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Table
from sbwork.render.intervals import HIDDEN, describe_value
from sbwork.render.reasons import HIDING
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import MISSING, format_count, format_list, format_number, format_share

_MOST_ROWS = 60
_WAVES = {"before": "Before", "after": "After"}
_COLUMNS = ("n", "Unweighted", "Weighted")


def show_weights(evaluation: Publishable) -> Iterator[Any]:
    """Say what the answers are weighted to, with its tables."""
    cohort, findings = evaluation.cohort, evaluation.findings
    told = describe_weights(findings, cohort)
    if told:
        yield told
        yield tabulate_weights(findings, cohort)
        if cohort.weighting.targets:
            yield tabulate_shares(findings, cohort)


def describe_weights(findings: pd.DataFrame, cohort: Cohort) -> str:
    """Say what the answers were weighted to, and what it costs; empty where they were not."""
    rows = select_findings(findings, section="weights", outcome="weight")
    effective = select_findings(rows, estimator="n_eff").dropna(subset=["estimate"])
    largest = select_findings(rows, estimator="largest_weight")
    if effective.empty:
        return ""
    if cohort.weighting.targets:
        columns = format_list([name.replace("_", " ") for name in cohort.weighting.targets])
        parts = [
            f"The people who answered need not be a small copy of the population, so each site's "
            f"answers in each wave are weighted until their mix of {columns} is the population's."
        ]
    else:
        parts = ["Answers are weighted as the survey's own file has it."]
    known = bool(effective["n"].notna().all())
    people = f"{format_count(effective['n'].sum())} people" if known else "these people"
    worth = format_count(effective["estimate"].sum())
    parts.append(
        f"Weighting costs precision: {people} tell as much as {worth} would who all count "
        "alike (Kish's effective number). The intervals of weighted figures allow for it."
    )
    if largest["estimate"].notna().all():
        most = format_number(float(largest["estimate"].max()), 1)
        parts.append(f"Nobody counts for more than {most} times the average person.")
    if any(has_flag(row, Flag.TARGETS_MISSED) for _, row in effective.iterrows()):
        parts.append("The limits set on the weights keep some shares from their targets.")
    return " ".join(parts)


def tabulate_weights(findings: pd.DataFrame, cohort: Cohort) -> Table:
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
    return Table(
        rows,
        name="weights",
        title="What weighting costs in precision",
        subtitle="n: people who answered; a weight of 1 is the average",
        stub="Wave",
        group="Site",
        notes=chosen["note"],
    )


def tabulate_shares(findings: pd.DataFrame, cohort: Cohort) -> Table:
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
    return Table(
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
        return HIDDEN
    return describe_value(row, format_count, "n")


def _write(row: pd.Series | None, write: object) -> str:
    if row is not None and row["reason"] in HIDING:
        return HIDDEN
    return describe_value(row, write)


def _write_range(values: pd.DataFrame, estimator: str, *, count: bool = False) -> str:
    """Write a share or a number of people; its ends where there are several sites."""
    rows = values[values["estimator"] == estimator]
    shown = rows["n" if count else "estimate"].dropna()
    if shown.empty:
        hidden = any(has_flag(row, Flag.N_HIDDEN) for _, row in rows.iterrows())
        hidden |= bool(rows["reason"].isin(HIDING).any())
        return HIDDEN if hidden else MISSING
    write = format_count if count else format_share
    low, high = write(float(shown.min())), write(float(shown.max()))
    return low if low == high else f"{low} to {high}"
