"""Tables of what people said and did: stories, answers, the engagement log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import (
    format_count,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_answers", "tabulate_engagement", "tabulate_stories"]


def tabulate_stories(stories: pd.DataFrame) -> GT:
    """Lay out what people said: columns theme, text, told_by and kind."""
    rows = [
        {"Theme": row["theme"], "What was said": row["text"], "Said by": row["told_by"]}
        for _, row in stories.iterrows()
    ]
    return lay_out(
        rows,
        name="stories",
        title="What residents and staff said",
        stub="Theme",
        text=["What was said", "Said by"],
    )


def tabulate_answers(counted: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out what residents wrote, the commonest first: columns question, text and times."""
    rows = [
        {
            "What residents wrote": row["text"],
            "Question": row["question"],
            "Times": str(row["times"]),
        }
        for _, row in counted.iterrows()
    ]
    return lay_out(
        rows,
        name="answers",
        title="In residents' own words",
        subtitle="Invented data" if cohort.data_status == "invented" else "",
        stub="What residents wrote",
        group="Question",
    )


def tabulate_engagement(cohort: Cohort) -> GT:
    """Lay out the engagement log."""
    rows = [
        {
            "Date": event.date,
            "Event": event.event,
            "Where": cohort.title_site(event.site) if event.site else "",
            "Attendance": "" if event.attendance is None else format_count(event.attendance),
            "Ideas": "" if event.ideas is None else format_count(event.ideas),
            "Money (£)": "" if event.money is None else format_count(event.money),
        }
        for event in cohort.engagement
    ]
    return lay_out(
        rows, name="engagement", title="Engagement log", stub="Date", text=["Event", "Where"]
    )
