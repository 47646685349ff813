"""What was read, what was left out, and why."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.read.checks import CheckKind
from sbwork.render.blocks import Section, Table
from sbwork.render.intervals import HIDDEN
from sbwork.render.maps import explain_borders
from sbwork.render.reasons import describe_reason
from sbwork.render.weights import show_weights
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.formats import format_count

_KINDS = {
    "dont_know": "Don't know",
    "prefer_not_to_say": "Prefer not to say",
    "blank": "Left blank",
}


def present_quality(evaluation: Publishable) -> Section:
    """Show what was read, what was left out, and why."""
    blocks: list[Any] = []
    if evaluation.incidents is not None:
        if evaluation.incidents.missing_months:
            missing = ", ".join(evaluation.incidents.missing_months)
            blocks.append(f"Months that no file covers (missing, not zero): {missing}.")
        quality = _drop_idle_checks(evaluation.incidents.quality)
        blocks.append(tabulate_checks(quality, "incident-quality", "Incident files"))
        blocks += explain_borders(evaluation)
    if evaluation.answers is not None:
        quality = _drop_idle_checks(evaluation.answers.quality)
        blocks.append(tabulate_checks(quality, "survey-quality", "Survey files"))
        left_out = evaluation.answers.nonresponse
        if len(left_out) and evaluation.instrument is not None:
            blocks.append(tabulate_nonresponse(left_out, evaluation.instrument, evaluation.cohort))
        blocks += list(show_weights(evaluation))
        blocks.append(tabulate_dropped(evaluation.answers.dropped))
    if len(evaluation.hidden):
        blocks.append(tabulate_hidden(evaluation.hidden))
    figures = " Every figure in this report is one that people reported."
    return Section(
        blocks or ["No file was read." + figures * bool(evaluation.cohort.reported_figures)]
    )


def tabulate_hidden(hidden: pd.DataFrame) -> Table:
    """Lay out how many numbers are hidden and why: columns section, reason and count."""
    rows = [
        {
            "Part": section,
            "Why": describe_reason(reason),
            "Numbers hidden": format_count(count),
        }
        for section, reason, count in hidden.itertuples(index=False)
    ]
    return Table(
        rows,
        name="hidden",
        title="What is hidden, and why",
        stub="Part",
        text=["Why"],
    )


def _drop_idle_checks(quality: pd.DataFrame) -> pd.DataFrame:
    """Leave out checks that found nothing to leave out, and the joins that `check` shows."""
    idle = (quality["kind"] == CheckKind.LEFT_OUT) & (quality["count"] == 0)
    idle |= quality["kind"] == CheckKind.JOIN
    return quality[~idle]


def tabulate_checks(quality: pd.DataFrame, name: str, title: str) -> Table:
    """Lay out what was read and what was left out, with the reason."""
    rows = [
        {
            "File": row["source"],
            "What": row["check"],
            "Count": "" if math.isnan(row["count"]) else format_count(row["count"]),
            "Note": row["note"],
        }
        for _, row in quality.iterrows()
    ]
    return Table(rows, name=name, title=title, stub="What", group="File", text=["Note"])


def tabulate_dropped(dropped: pd.DataFrame) -> Table:
    """Lay out the columns dropped as the files were read: columns source, column and reason."""
    rows = [
        {"File": str(source), "Why": str(reason), "Columns dropped": ", ".join(columns)}
        for (source, reason), columns in dropped.groupby(["source", "reason"], sort=False)["column"]
    ]
    return Table(
        rows or [{"File": "", "Why": "Nothing was dropped", "Columns dropped": ""}],
        name="dropped",
        title="Columns dropped as the files were read",
        stub="Why",
        group="File",
        text=["Columns dropped"],
    )


def tabulate_nonresponse(
    nonresponse: pd.DataFrame, instrument: Instrument, cohort: Cohort
) -> Table:
    """Lay out how often each item has no answer, and why; small counts stay hidden."""
    rows = [
        {
            "Item": instrument.items[item].text or item if item in instrument.items else "Total",
            **{
                _KINDS.get(str(kind), str(kind)): HIDDEN
                if math.isnan(count)
                else format_count(count)
                for kind, count in row.items()
            },
        }
        for item, row in ((str(index), held) for index, held in nonresponse.iterrows())
    ]
    return Table(
        rows,
        name="nonresponse",
        title="Questions left without an answer, and why",
        stub="Item",
        notes=[
            f"Hidden: fewer than {cohort.smallest_group} people, or a number that would give such "
            "a one back. Such answers are never scored."
        ],
    )
