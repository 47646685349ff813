"""What the results can't show, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from sbwork.grade.evidence import Evidence
from sbwork.read.places.outlines import Contact
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import format_list, lower_title

__all__ = ["list_limits"]


def list_limits(
    cohort: Cohort,
    findings: pd.DataFrame,
    evidence: Evidence,
    contacts: Sequence[Contact] = (),
    incomparable: Sequence[str] = (),
) -> list[str]:
    """List what these results can't show, each with its reason.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame
        Every finding of the report.
    evidence : Evidence
        As `grade_evidence` returns it.
    contacts : sequence of Contact
        Controls that touch, from `sbwork.read.places.outlines.find_contacts`.
    incomparable : sequence of str, default ()
        Which months of the periods the files hold in a way that can't be compared, and why.

    Returns
    -------
    list of str
        One sentence a limit.
    """
    limits = []
    if cohort.data_status == "invented":
        limits.append(
            "Anything about a real place: the rows behind this report are invented, and so are "
            "the sample sizes, the months and every interval."
        )
    if not any(pair.control for pair in cohort.pairs):
        limits.append(
            "Whether the change would have come anyway: there is no control site to set it beside."
        )
    elif evidence.level < 4 and not cohort.rehearsal:
        how = {
            "chosen": "the areas were chosen, not drawn by lot",
            "drawn": "the areas were drawn, but their control sites were chosen",
            "quasi-random": "the areas were assigned nearly at random, but they are few",
            "randomised": "the areas were drawn by lot, but they are few",
        }[cohort.how_assigned]
        limits.append(
            f"That the work was the reason: {how}, and something else may have differed between "
            "an area and its control site."
        )
    if contacts:
        names = format_list(
            list(dict.fromkeys(cohort.title_site(found.control) for found in contacts))
        )
        limits.append(
            "How much of a difference is spill-over: crime or benefit that moved across a border "
            "counts on both sides of the comparison. Controls that touch an area that it may have "
            f"come from: {names}."
        )
    if cohort.reported_figures and not cohort.incidents:
        limits.append(
            "How large the change was: the figures came without counts, dates or a source that can "
            "be checked, so no interval can be given."
        )
    if cohort.incidents and cohort.periods is None:
        limits.append(
            "How crime and ASB changed: cohort.yml does not say which months are before and after."
        )
    limits += _list_uncompared(cohort, findings)
    limits += [f"The whole of the periods. {note}." for note in incomparable]
    if not cohort.surveys:
        limits.append("What residents think: no survey was given.")
    if cohort.rehearsal:
        limits.append("Anything about a project: none ran here. This is a test of the method.")
    ranks = select_findings(findings, section="placebo", estimator="placebo_p")
    if cohort.incidents and cohort.pairs and cohort.periods and ranks["estimate"].isna().all():
        limits.append(
            "How often places where nothing happened change as much: the files hold too few "
            "comparable areas to tell."
        )
    return limits


def _list_uncompared(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Name the pairs and outcomes of which no change could be computed, by the reason."""
    if cohort.periods is None:
        return []
    alike: dict[str, list[str]] = {}
    for outcome in cohort.list_outcomes():
        for pair in cohort.pairs:
            row = find_row(
                findings, section="counts", outcome=outcome, site=pair.intervention,
                estimator="percentage_change", period="change",
            )  # fmt: skip
            if row is not None and math.isnan(row["estimate"]):
                title = f"{lower_title(cohort.title_outcome(outcome))} changed in "
                title += cohort.title_site(pair.intervention)
                alike.setdefault(str(row["note"]), []).append(title)
    return [f"How {format_list(titles)}. {note}" for note, titles in alike.items()]
