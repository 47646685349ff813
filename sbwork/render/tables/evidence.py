"""Tables of evidence: sites, kinds of evidence, headings and checklists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import (
    format_change,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_checklist", "tabulate_headings", "tabulate_kinds", "tabulate_pairs"]

_KINDS = {
    "functional": "Functional: crime, incidents, statistics",
    "internal quality": "Internal quality: culture, skills, management",
    "interactional": "Interactional: what the community asks for and says",
}


def tabulate_pairs(cohort: Cohort) -> GT:
    """Lay out the sites, their roles, and why each control site was chosen."""
    rows = []
    for pair in cohort.pairs:
        for role, site in (
            ("Intervention", pair.intervention),
            ("Control", pair.control),
            ("Displacement", pair.displacement),
            ("Displacement control", pair.displacement_control),
        ):
            if site:
                spec = cohort.sites[site]
                reason = pair.control_reason if role == "Control" else ""
                if role == "Control" and not reason:
                    reason = "No reason is given in cohort.yml."
                rows.append(
                    {
                        "Site": cohort.title_site(site),
                        "Role": role,
                        "Small areas (LSOAs)": str(len(spec.lsoas)) if spec.lsoas else "",
                        "Why it was chosen": reason,
                    }
                )
    return lay_out(
        rows,
        name="pairs",
        title="The sites",
        stub="Site",
        text=["Role", "Why it was chosen"],
    )


def tabulate_kinds(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument | None) -> GT:
    """Lay out the three kinds of evidence, and what this cohort has of each."""
    held: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for key, outcome in cohort.outcomes.items():
        if len(select_findings(findings, section="counts", outcome=key)):
            held[outcome.kind].append(f"{outcome.title} (counted from incident rows)")
    for figure in cohort.reported_figures:
        held[figure.kind].append(
            f"{figure.title} {format_change(figure.change_percent)} ({figure.reported_by})"
        )
    if instrument is not None:
        measured = set(select_findings(findings, section="scales")["outcome"])
        titles = [instrument.title_scale(key) for key in instrument.scales if key in measured]
        if titles:
            held["interactional"].append(f"Residents' scales: {', '.join(titles)}")
    for story in cohort.stories:
        held[story.kind].append(f"Story: {story.theme}")
    if cohort.engagement:
        held["interactional"].append(f"Engagement log: {len(cohort.engagement)} events")
    rows = [
        {"Kind": _KINDS[kind], "What there is": "; ".join(what) or "Nothing was given."}
        for kind, what in held.items()
    ]
    return lay_out(
        rows,
        name="kinds",
        title="Three kinds of evidence",
        stub="Kind",
        text=["What there is"],
        notes=["The three kinds follow Waters (1996) and Fisher and Ritchie (2015)."],
    )


def tabulate_headings(headings: Sequence[tuple[str, str]]) -> GT:
    """Lay out the five EMMIE headings and what this report holds under each."""
    rows = [{"Heading": heading, "What this report holds": held} for heading, held in headings]
    return lay_out(
        rows,
        name="headings",
        title="Under the five EMMIE headings",
        stub="Heading",
        text=["What this report holds"],
        notes=["No EMMIE score is awarded: that takes a review of many studies."],
    )


def tabulate_checklist(items: Sequence[tuple[str, str]]) -> GT:
    """Lay out the TREND checklist: each item, and where it is reported or that it is not."""
    rows = [{"Item": item, "Where": where} for item, where in items]
    return lay_out(rows, name="trend", title="TREND checklist", stub="Item", text=["Where"])
