"""The section on the level of evidence and the sites."""

from __future__ import annotations

from typing import Any

from sbwork import tables
from sbwork.checklists import list_emmie
from sbwork.evaluation import Evaluation
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
    blocks.append(tables.tabulate_headings(list_emmie(cohort, evaluation.findings)))
    return Section(blocks)
