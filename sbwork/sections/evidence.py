"""The section on the level of evidence and the sites."""

from __future__ import annotations

from typing import Any

from sbwork import figures, narrative, tables
from sbwork.checklists import list_emmie
from sbwork.cohort import Cohort
from sbwork.evaluation import Evaluation
from sbwork.outlines import SiteOutlines, find_contacts
from sbwork.pictures import Picture, compose_picture
from sbwork.sections.blocks import Bullets, Section

__all__ = ["present_evidence"]


def present_evidence(evaluation: Evaluation) -> Section:
    """Show the level of evidence and why, and what would be needed for the next."""
    evidence, cohort = evaluation.evidence, evaluation.cohort
    blocks: list[Any] = [
        f"Level {evidence.level} of 5 on the Maryland Scientific Methods Scale.",
        Bullets(tuple(evidence.reasons)),
    ]
    if evidence.missing:
        blocks += ["What the next level would need:", Bullets(tuple(evidence.missing))]
    if cohort.pairs:
        blocks.append(tables.tabulate_pairs(cohort))
    if cohort.pairs and evaluation.outlines is not None:
        blocks += _picture_map(cohort, evaluation.outlines)
    blocks.append(tables.tabulate_headings(list_emmie(cohort, evaluation.findings)))
    return Section(blocks)


def _picture_map(cohort: Cohort, outlines: SiteOutlines) -> list[Picture]:
    named = {site for pair in cohort.pairs for site in pair.sites}
    if not named & set(outlines.sites):
        return []
    contacts = find_contacts(outlines, cohort)
    key = (
        "Where the sites lie, north up. Blue, slanted lines: intervention. Orange, dots: control. "
        "Purple, crosses: displacement. Green, slanted the other way: its own control. Grey: other "
        "areas."
    )
    return [
        compose_picture(
            cohort,
            "map",
            lambda figure: figures.draw_map(figure.subplots(), outlines, cohort),
            size=(8.4, 6.4),
            alt=narrative.describe_map(cohort, outlines, contacts),
            caption=f"{key} {narrative.name_contacts(cohort, contacts)}".strip(),
        )
    ]
