"""The weights in plain sentences."""

from __future__ import annotations

import pandas as pd

from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import has_flag, select_findings
from sbwork.stats.formats import format_count, format_list, format_number

__all__ = ["describe_weights"]


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
