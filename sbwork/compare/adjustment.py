"""The p values of incident counts, adjusted for how many comparisons were made at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sbwork.compare.panel import MAIN
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings
from sbwork.stats.multiplicity import adjust_family

__all__ = ["adjust_counts"]

_ALL = "all"


@dataclass(frozen=True)
class _Question:
    """One p value, asked of each pair or of all pairs together, for every outcome."""

    section: str
    estimator: str
    pooled: bool
    smallest: str = ""

    def find(self, findings: pd.DataFrame, estimator: str) -> pd.Series:
        """Mark the rows of the cohort's own periods that bear `estimator`."""
        return (
            (findings["section"] == self.section)
            & (findings["estimator"] == estimator)
            & (findings["period"] == MAIN)
            & ((findings["site"] == _ALL) == self.pooled)
        )


_QUESTIONS = (
    _Question("counts", "rirr", pooled=False),
    _Question("placebo", "placebo_p", pooled=False, smallest="placebo_smallest_p"),
    _Question("placebo", "placebo_p", pooled=True, smallest="placebo_smallest_p"),
)


def adjust_counts(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Adjust the p values of incident counts, and bound how small they could have become.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Findings of all sections, small groups not hidden yet.
    cohort : Cohort
        ``confirmatory_counts`` names the outcomes that were declared beforehand.

    Returns
    -------
    pandas.DataFrame
        A copy with ``p_adjusted`` filled on ``rirr`` of section ``"counts"`` and on ``placebo_p``
        of section ``"placebo"``, over the cohort's own periods. The families are ``rirr`` of all
        pairs and outcomes, ``placebo_p`` of all pairs and outcomes, and ``placebo_p`` of all pairs
        together (site ``"all"``) over outcomes. Each is split in two: Holm within the confirmatory
        outcomes, whose rows are flagged ``confirmatory``, Benjamini and Hochberg over the rest. A
        p value that is missing is in no family.

        Each ``placebo_smallest_p`` is followed by a new finding,
        ``placebo_smallest_p_adjusted``: what the adjusted p would have been with the smallest
        placebo p that was possible here and 1 in the rest of the family. That is the number of
        tests in the family (its `n`) times that p, at most 1. Holm's adjusted p can't be smaller;
        Benjamini and Hochberg's can, if others of the family are small too.

    References
    ----------
    Holm, S. (1979). Scandinavian Journal of Statistics 6, 65-70.
    Benjamini, Y., & Hochberg, Y. (1995). Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> rows = [
    ...     Finding("counts", outcome, "north", Estimate("rirr", 0.8, p_value=p), "south", "change")
    ...     for outcome, p in (("asb", 0.01), ("burglary", 0.04), ("robbery", 0.03))
    ... ]
    >>> plan = Cohort(name="pilot", outcomes={
    ...     name: {"title": name, "crime_types": [name]} for name in ("asb", "burglary", "robbery")
    ... }, confirmatory_counts=["burglary"])
    >>> adjust_counts(tabulate_findings(rows), plan)["p_adjusted"].tolist()
    [0.02, 0.04, 0.03]
    """
    findings = findings.reset_index(drop=True)
    declared = findings["outcome"].isin(cohort.confirmatory_counts)
    adjusted, flags = findings["p_adjusted"].copy(), findings["flags"].copy()
    bounds: dict[int, Finding] = {}
    for question in _QUESTIONS:
        asked = question.find(findings, question.estimator) & findings["p_value"].notna()
        bounded = question.find(findings, question.smallest)
        flags = flags.mask((asked | bounded) & declared, flags + f" {Flag.CONFIRMATORY}")
        adjusted[asked] = adjust_family(findings.loc[asked, "p_value"], declared[asked])
        for confirmatory in (True, False):
            own = declared == confirmatory
            n_tests = int((asked & own).sum())
            for place, row in findings.assign(flags=flags)[bounded & own].iterrows():
                bounds[int(str(place))] = _bound(row, n_tests, confirmatory=confirmatory)
    whole = findings.assign(p_adjusted=adjusted, flags=flags.str.strip())
    return combine_findings(_insert(whole, bounds))


def _bound(row: pd.Series[Any], n_tests: int, *, confirmatory: bool) -> Finding:
    method = "Holm" if confirmatory else "Benjamini and Hochberg"
    note, smallest = str(row["note"]), math.nan
    if pd.notna(row["estimate"]):
        smallest = min(1.0, n_tests * row["estimate"])
        note = (
            f"The smallest p that was possible, adjusted by {method} in a family of {n_tests} with "
            "no other small p in it."
        )
    estimate = Estimate(
        f"{row['estimator']}_adjusted",
        smallest,
        n=float(n_tests),
        unit="p",
        note=note,
        reason=Reason(row["reason"]) if row["reason"] else "",
        flags=tuple(Flag(flag) for flag in str(row["flags"]).split()),
    )
    return Finding(
        str(row["section"]),
        str(row["outcome"]),
        str(row["site"]),
        estimate,
        str(row["comparison"]),
        str(row["period"]),
    )


def _insert(findings: pd.DataFrame, after: dict[int, Finding]) -> Iterator[pd.DataFrame]:
    """Cut the frame after each row that is followed by a new finding."""
    start = 0
    for place in sorted(after):
        yield findings.iloc[start : place + 1]
        yield tabulate_findings([after[place]])
        start = place + 1
    yield findings.iloc[start:]
