"""How the report opens, and what it can't show."""

from __future__ import annotations

from sbwork.evaluation import Evaluation
from sbwork.read.places.outlines import find_contacts
from sbwork.render import narrative
from sbwork.render.sections.blocks import Bullets, Section

__all__ = ["present_limits", "present_summary"]


def present_summary(evaluation: Evaluation) -> Section:
    """Open the report: a few points in plain English, what kind of data this is first."""
    first, *points = narrative.summarise_cohort(
        evaluation.cohort, evaluation.findings, evaluation.evidence, evaluation.instrument
    )
    return Section([first, Bullets(tuple(points))] if points else [first])


def present_limits(evaluation: Evaluation) -> Section:
    """List what these results can't show."""
    cohort, outlines = evaluation.cohort, evaluation.outlines
    contacts = find_contacts(outlines, cohort) if outlines is not None else ()
    points = narrative.list_limits(
        cohort, evaluation.findings, evaluation.evidence, contacts, evaluation.incomparable
    )
    return Section(["These results cannot show:", Bullets(tuple(points))])
