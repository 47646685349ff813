"""The section on the level of evidence and the sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sbwork.evaluation import Evaluation
from sbwork.grade.checklists import list_emmie
from sbwork.grade.evidence import LARGEST_DRIFT
from sbwork.read.places.outlines import SiteOutlines, find_contacts
from sbwork.render import figures, narrative, tables
from sbwork.render.pictures import Picture, compose_picture
from sbwork.render.sections.blocks import Bullets, Section
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import (
    format_list,
    format_months,
    format_number,
    format_share,
    lower_title,
)

__all__ = ["present_evidence"]

_REQUIREMENTS = (
    "Months and rates are those with which the 95% interval of the level or the trend would lie "
    "within its limits in four cases of five, if the two sites differ as they did but do not drift "
    "apart, and counts go on varying as they do. The limits are a ratio of {ratio} either way, "
    "and a drift of {drift} a year; an interval that is merely wide enough to hold no difference "
    "does not pass."
)


def present_evidence(evaluation: Evaluation) -> Section:
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
        blocks.append(tables.tabulate_pairs(cohort))
    if cohort.pairs and evaluation.outlines is not None:
        blocks += _picture_map(cohort, evaluation.outlines)
    blocks.append(tables.tabulate_headings(list_emmie(cohort, evaluation.findings)))
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
        titles += [instrument.title_scale(scale) for scale in cohort.confirmatory]
    if titles:
        yield (
            f"Declared confirmatory in cohort.yml: {format_list(list(map(lower_title, titles)))}. "
            "Every other comparison is exploratory."
        )


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
