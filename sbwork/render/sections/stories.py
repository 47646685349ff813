"""Sections on the kinds of evidence, and on what people said."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.render import tables
from sbwork.render.sections.blocks import Section

__all__ = ["present_kinds", "present_stories"]


def present_kinds(evaluation: Evaluation) -> Section:
    """Show what there is of each of the three kinds of evidence."""
    blocks: list[Any] = [
        tables.tabulate_kinds(evaluation.findings, evaluation.cohort, evaluation.instrument)
    ]
    if evaluation.cohort.engagement:
        blocks.append(tables.tabulate_engagement(evaluation.cohort))
    return Section(blocks)


def present_stories(evaluation: Evaluation) -> Section:
    """Show what residents and staff said."""
    cohort = evaluation.cohort
    rows = [
        {
            "theme": story.theme,
            "text": story.text,
            "told_by": f"{story.told_by} (invented)" if story.invented else story.told_by,
        }
        for story in cohort.stories
    ]
    blocks: list[Any] = []
    if rows:
        blocks.append(tables.tabulate_stories(pd.DataFrame(rows)))
    if evaluation.responses is not None and len(evaluation.responses.stories):
        told = evaluation.responses.stories
        counted = told.groupby(["question", "text"], sort=False).size().reset_index(name="times")
        counted = counted.sort_values("times", ascending=False, kind="stable")
        blocks.append(
            f"Residents gave {len(told)} answers in their own words. E-mail addresses, phone "
            "numbers, postcodes and links are masked as the file is read."
        )
        blocks.append(tables.tabulate_answers(counted.head(20), cohort))
    return Section(blocks or ["No stories were given."])
