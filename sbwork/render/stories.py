"""What people said and did: stories, answers in their own words, the engagement log."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Section, Table
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import format_count


def present_stories(evaluation: Publishable) -> Section:
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
        blocks.append(tabulate_stories(pd.DataFrame(rows)))
    answers = evaluation.answers
    if answers is not None and answers.n_stories != 0:
        number = "Few" if math.isnan(answers.n_stories) else format_count(answers.n_stories)
        blocks.append(
            f"{number} answers were given in residents' own words. E-mail addresses, phone "
            "numbers, postcodes and links are masked as the file is read."
            + f" Where fewer than {cohort.smallest_group} residents answered a question, "
            "their words are not shown." * answers.few_stories
        )
        if len(answers.stories):
            blocks.append(tabulate_answers(answers.stories.head(20), cohort))
    return Section(blocks or ["No stories were given."])


def tabulate_stories(stories: pd.DataFrame) -> Table:
    """Lay out what people said: columns theme, text, told_by and kind."""
    rows = [
        {"Theme": row["theme"], "What was said": row["text"], "Said by": row["told_by"]}
        for _, row in stories.iterrows()
    ]
    return Table(
        rows,
        name="stories",
        title="What residents and staff said",
        stub="Theme",
        text=["What was said", "Said by"],
    )


def tabulate_answers(counted: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out what residents wrote, the commonest first: columns question and text."""
    rows = [
        {
            "What residents wrote": row["text"],
            "Question": row["question"],
        }
        for _, row in counted.iterrows()
    ]
    return Table(
        rows,
        name="answers",
        title="In residents' own words",
        subtitle="Invented data" if cohort.data_status == "invented" else "",
        stub="What residents wrote",
        group="Question",
    )


def tabulate_engagement(cohort: Cohort) -> Table:
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
    return Table(
        rows, name="engagement", title="Engagement log", stub="Date", text=["Event", "Where"]
    )
