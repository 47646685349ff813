"""The level of evidence, its three kinds, and what the results can't show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sbwork.grade.checklists import list_emmie
from sbwork.grade.evidence import LARGEST_DRIFT, Evidence
from sbwork.grade.publishable import Publishable
from sbwork.read.places.outlines import Contact, find_contacts
from sbwork.render.blocks import Bullets, Section, Table
from sbwork.render.maps import picture_map
from sbwork.render.stories import tabulate_engagement
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    format_change,
    format_list,
    format_months,
    format_number,
    format_share,
    lower_title,
)

_REQUIREMENTS = (
    "Months and rates are those with which the 95% interval of the level or the trend would lie "
    "within its limits in four cases of five, if the two sites differ as they did but do not drift "
    "apart, and counts go on varying as they do. The limits are a ratio of {ratio} either way, "
    "and a drift of {drift} a year; an interval that is merely wide enough to hold no difference "
    "does not pass."
)
_ASSIGNED = {
    "chosen": "the areas were chosen, not drawn by lot",
    "drawn": "the areas were drawn, but their control sites were chosen",
    "quasi-random": "the areas were assigned nearly at random, but they are few",
    "randomised": "the areas were drawn by lot, but they are few",
}
_COMPARED = 2
"""The lowest level of a figure that is set beside a control site's."""
_KINDS = {
    "functional": "Functional: crime, incidents, statistics",
    "internal quality": "Internal quality: culture, skills, management",
    "interactional": "Interactional: what the community asks for and says",
}


def present_evidence(evaluation: Publishable) -> Section:
    """Show the level of evidence and why, and what would be needed for the next."""
    evidence, cohort = evaluation.evidence, evaluation.cohort
    blocks: list[Any] = [
        f"Level {evidence.level} of 5 on the Maryland Scientific Methods Scale.",
        Bullets(tuple(evidence.reasons)),
    ]
    if evidence.missing:
        blocks += ["What the next level would need:", Bullets(tuple(evidence.missing))]
    planned = select_findings(evaluation.findings, section="evidence")
    if planned["estimator"].isin(["months_needed", "incidents_needed"]).any():
        blocks.append(
            _REQUIREMENTS.format(
                ratio=format_number(cohort.placebo.size_ratio, 1),
                drift=format_share(LARGEST_DRIFT / 100),
            )
        )
    blocks += list(_describe_design(cohort, evaluation.instrument))
    if cohort.pairs:
        blocks.append(tabulate_pairs(cohort))
    if cohort.pairs and evaluation.outlines is not None:
        blocks += picture_map(cohort, evaluation.outlines)
    blocks.append(tabulate_headings(list_emmie(cohort, evaluation.findings)))
    return Section(blocks)


def _describe_design(cohort: Cohort, instrument: Instrument | None) -> Iterator[str]:
    """Say what was done, when, and what was declared confirmatory."""
    if cohort.summary:
        yield f"What was done, in the words of cohort.yml: {cohort.summary}"
    if cohort.periods is not None:
        before, after = cohort.periods.before, cohort.periods.after
        yield (
            f"The periods: before is {format_months(before.start, before.end)}, after is "
            f"{format_months(after.start, after.end)}."
        )
    titles = [cohort.title_outcome(outcome) for outcome in cohort.confirmatory_counts]
    if instrument is not None:
        titles += [instrument.title_scale(scale) for scale in cohort.confirmatory_scales]
    if titles:
        yield (
            f"Declared confirmatory in cohort.yml: {format_list(list(map(lower_title, titles)))}. "
            "Every other comparison is exploratory."
        )


def present_kinds(evaluation: Publishable) -> Section:
    """Show what there is of each of the three kinds of evidence."""
    blocks: list[Any] = [
        tabulate_kinds(evaluation.findings, evaluation.cohort, evaluation.instrument)
    ]
    if evaluation.cohort.engagement:
        blocks.append(tabulate_engagement(evaluation.cohort))
    return Section(blocks)


def present_limits(evaluation: Publishable) -> Section:
    """List what these results can't show."""
    cohort, outlines = evaluation.cohort, evaluation.outlines
    contacts = find_contacts(outlines, cohort) if outlines is not None else ()
    points = list_limits(
        cohort, evaluation.findings, evaluation.evidence, contacts, evaluation.incomparable
    )
    return Section(["These results cannot show:", Bullets(tuple(points))])


def list_limits(
    cohort: Cohort,
    findings: pd.DataFrame,
    evidence: Evidence,
    contacts: Sequence[Contact] = (),
    incomparable: Sequence[str] = (),
) -> list[str]:
    """List what these results can't show, each with its reason."""
    limits = []
    if cohort.data_status == "invented":
        limits.append(
            "Anything about a real place: the rows behind this report are invented, and so are "
            "the sample sizes, the months and every interval."
        )
    levels = {name: level for name, level in evidence.sections.items() if name != "description"}
    if not levels:
        limits.append("Whether anything changed: no change of an area is known.")
    elif max(levels.values()) < _COMPARED:
        controls = any(pair.control for pair in cohort.pairs)
        why = (
            "no change of a control site can be set beside it"
            if controls
            else "there is no control site to set it beside"
        )
        limits.append(f"Whether the change would have come anyway: {why}.")
    elif evidence.level < 4 and not cohort.rehearsal:
        limits.append(
            f"That the work was the reason: {_ASSIGNED[cohort.how_assigned]}, and something else "
            "may have differed between an area and its control site."
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


def tabulate_pairs(cohort: Cohort) -> Table:
    """Lay out the sites, their roles, and why each control site was chosen."""
    rows = []
    for pair in cohort.pairs:
        why = pair.control_reason or "No reason is given in cohort.yml."
        for role, site, reason in (
            ("Intervention", pair.intervention, ""),
            ("Control", pair.control, why),
            ("Displacement", pair.displacement, ""),
            ("Displacement control", pair.displacement_control, ""),
        ):
            if site:
                rows.append(
                    {
                        "Site": cohort.title_site(site),
                        "Role": role,
                        "Small areas (LSOAs)": str(len(cohort.sites[site].lsoas) or ""),
                        "Why it was chosen": reason,
                    }
                )
    return Table(
        rows, name="pairs", title="The sites", stub="Site", text=["Role", "Why it was chosen"]
    )


def tabulate_kinds(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument | None) -> Table:
    """Lay out the three kinds of evidence, and what this cohort has of each."""
    found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for key, outcome in cohort.outcomes.items():
        if len(select_findings(findings, section="counts", outcome=key)):
            found[outcome.kind].append(f"{outcome.title} (counted from incident rows)")
    for figure in cohort.reported_figures:
        found[figure.kind].append(
            f"{figure.title} {format_change(figure.change_percent)} ({figure.reported_by})"
        )
    if instrument is not None:
        measured = set(select_findings(findings, section="scales")["outcome"])
        titles = [instrument.title_scale(key) for key in instrument.scales if key in measured]
        if titles:
            found["interactional"].append(f"Residents' scales: {', '.join(titles)}")
    for story in cohort.stories:
        found[story.kind].append(f"Story: {story.theme}")
    if cohort.engagement:
        found["interactional"].append(f"Engagement log: {len(cohort.engagement)} events")
    rows = [
        {"Kind": _KINDS[kind], "What there is": "; ".join(what) or "Nothing was given."}
        for kind, what in found.items()
    ]
    return Table(
        rows,
        name="kinds",
        title="Three kinds of evidence",
        stub="Kind",
        text=["What there is"],
        notes=["The three kinds follow Waters (1996) and Fisher and Ritchie (2015)."],
    )


def tabulate_headings(headings: Sequence[tuple[str, str]]) -> Table:
    """Lay out the five EMMIE headings and what this report holds under each."""
    rows = [{"Heading": heading, "What this report holds": words} for heading, words in headings]
    return Table(
        rows,
        name="headings",
        title="Under the five EMMIE headings",
        stub="Heading",
        text=["What this report holds"],
        notes=["No EMMIE score is awarded: that takes a review of many studies."],
    )
