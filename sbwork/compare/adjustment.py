"""The p values of incident counts, adjusted for how many comparisons were made at once."""

from __future__ import annotations

import pandas as pd

from sbwork.compare.panel import MAIN
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import combine_findings
from sbwork.stats.multiplicity import adjust_family

__all__ = ["adjust_counts"]

_FAMILIES = (
    ("counts", "rirr", "", False),
    ("placebo", "placebo_p", "placebo_smallest_p", False),
    ("placebo", "placebo_p", "placebo_smallest_p", True),
)
"""Section, the p value, the smallest that it could have been, and whether of all pairs together."""


def adjust_counts(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Adjust the p values of incident counts, and bound how small they could have become.

    Over the cohort's own periods the families are ``rirr`` of all pairs and outcomes, ``placebo_p``
    of all pairs and outcomes, and ``placebo_p`` of all pairs together (site ``"all"``) over
    outcomes. Each is split in two: Holm within the outcomes declared in ``confirmatory_counts``,
    whose rows are flagged ``confirmatory``, Benjamini and Hochberg over the rest. A missing p value
    is in no family.

    Each ``placebo_smallest_p`` is followed by a new finding, ``placebo_smallest_p_adjusted``: the
    number of tests in the family (its `n`) times that p, at most 1. Holm's adjusted p can't be
    smaller; Benjamini and Hochberg's can, if others of the family are small too.

    Sources: Holm, S. (1979). Scandinavian Journal of Statistics 6, 65-70. Benjamini, Y., &
    Hochberg, Y. (1995). Journal of the Royal Statistical Society B 57, 289-300.
    """
    adjusted = findings.reset_index(drop=True)
    declared = adjusted["outcome"].isin(cohort.confirmatory_counts)
    bounds = []
    for section, tested, smallest, together in _FAMILIES:
        family = (adjusted["section"] == section) & (adjusted["period"] == MAIN)
        family &= (adjusted["site"] == "all") == together
        asked = family & (adjusted["estimator"] == tested) & adjusted["p_value"].notna()
        bounded = family & (adjusted["estimator"] == smallest)
        flagged = (adjusted["flags"] + f" {Flag.CONFIRMATORY}").str.strip()
        adjusted["flags"] = adjusted["flags"].mask((asked | bounded) & declared, flagged)
        adjusted.loc[asked, "p_adjusted"] = adjust_family(
            adjusted.loc[asked, "p_value"], declared[asked]
        )
        for method, part in (("Holm", declared), ("Benjamini and Hochberg", ~declared)):
            n_tests = int((asked & part).sum())
            bounds.append(_bound_smallest(adjusted[bounded & part], n_tests, method))
    return combine_findings([pd.concat([adjusted, *bounds]).sort_index(kind="stable")])


def _bound_smallest(rows: pd.DataFrame, n_tests: int, method: str) -> pd.DataFrame:
    """Return the smallest p values that were possible, adjusted, to follow those that are not."""
    note = (
        f"The smallest p that was possible, adjusted by {method} in a family of {n_tests} with no "
        "other small p in it."
    )
    return rows.assign(
        estimator=rows["estimator"] + "_adjusted",
        estimate=(n_tests * rows["estimate"]).clip(upper=1.0),
        n=float(n_tests),
        note=rows["note"].where(rows["estimate"].isna(), note),
    )
