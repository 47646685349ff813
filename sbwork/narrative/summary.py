"""What was found, in one paragraph, and what can't be concluded."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial

import pandas as pd

from sbwork.cohort import Cohort
from sbwork.evidence import Evidence
from sbwork.formats import (
    format_change,
    format_interval,
    format_list,
    format_months,
    format_number,
    format_p,
    lower_title,
)
from sbwork.instrument import Instrument
from sbwork.narrative.counts import describe_reported
from sbwork.outlines import Contact
from sbwork.results import find_row, select_findings
from sbwork.tables import find_pooled

__all__ = ["list_limits", "summarise_cohort"]

_ALPHA = 0.05


def summarise_cohort(
    cohort: Cohort,
    findings: pd.DataFrame,
    evidence: Evidence,
    instrument: Instrument | None = None,
) -> str:
    """Say in one paragraph what was found and how sure one can be.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame
        Every finding of the report.
    evidence : Evidence
        As `grade_evidence` returns it.
    instrument : Instrument, optional
        For the titles of the scales.

    Returns
    -------
    str
        One paragraph of plain English.
    """
    sentences = [
        *_tell_status(cohort),
        *_tell_reported(cohort),
        *_tell_counts(cohort, findings),
        *_tell_placebos(cohort, findings),
        *_tell_scales(cohort, findings, instrument),
        *_tell_level(cohort, evidence),
    ]
    return " ".join(sentences)


def list_limits(
    cohort: Cohort,
    findings: pd.DataFrame,
    evidence: Evidence,
    contacts: Sequence[Contact] = (),
    incomparable: Sequence[str] = (),
) -> list[str]:
    """List what these results can't show, each with its reason.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame
        Every finding of the report.
    evidence : Evidence
        As `grade_evidence` returns it.
    contacts : sequence of Contact
        Controls that touch, from `sbwork.outlines.find_contacts`.
    incomparable : sequence of str, default ()
        Which months of the periods the files hold in a way that can't be compared, and why.

    Returns
    -------
    list of str
        One sentence a limit.
    """
    limits = []
    if cohort.data_status == "invented":
        limits.append(
            "Nothing about any real place: the rows behind this report are invented, and so are "
            "the sample sizes, the months and every interval."
        )
    if not any(pair.control for pair in cohort.pairs):
        limits.append(
            "Whether the change would have come anyway: there is no control site to set it beside."
        )
    elif evidence.level < 4:
        limits.append(
            "That the work was the reason: the areas were chosen, not drawn by lot, and something "
            "else may have differed between an area and its control site."
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
    limits += _tell_uncompared(cohort, findings)
    limits += [f"The whole of the periods. {note}." for note in incomparable]
    if not cohort.surveys:
        limits.append("What residents think: no survey was given.")
    if cohort.rehearsal:
        limits.append("Anything about a project: none ran here. This is a test of the method.")
    if cohort.incidents and select_findings(findings, section="placebo").empty:
        limits.append(
            "How often places where nothing happened change as much: the files hold no other areas."
        )
    return limits


def _tell_uncompared(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Name the pairs and outcomes of which no change could be computed, by the reason."""
    if cohort.periods is None:
        return []
    alike: dict[str, list[str]] = {}
    for outcome in cohort.outcomes:
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


def _tell_status(cohort: Cohort) -> list[str]:
    if cohort.data_status == "invented":
        return [
            "The rows behind this report are invented so that they give back published figures: "
            "read it to see what such a report shows, not to learn about a place."
        ]
    if cohort.rehearsal:
        return [
            "No project ran in these areas: this is a rehearsal on real data, and an honest report "
            "should find nothing out of the ordinary."
        ]
    return []


def _tell_reported(cohort: Cohort) -> list[str]:
    if not cohort.reported_figures:
        return []
    return [
        describe_reported(cohort),
        "They came without counts, dates or a control site, so they can't be checked and no "
        "interval can be put around them.",
    ]


def _tell_counts(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    told = [text for o in cohort.outcomes if (text := _tell_outcome(cohort, findings, o))]
    if not told:
        return []
    when = ""
    if cohort.periods:
        before, after = cohort.periods.before, cohort.periods.after
        when = (
            f"Comparing {format_months(after.start, after.end)} with "
            f"{format_months(before.start, before.end)}, "
        )
    sentences = [f"{when}{'; '.join(told)}.", *_tell_shorter(cohort, findings)]
    pooled = [text for o in cohort.outcomes if (text := _tell_pooled(cohort, findings, o))]
    if pooled:
        sentences.append(f"Taken together and set against the control sites, {'; '.join(pooled)}.")
    return sentences


def _tell_shorter(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say which comparisons rest on fewer months than the periods have."""
    rows = select_findings(findings, section="counts", estimator="percentage_change")
    rows = rows[(rows["period"] == "change") & rows["estimate"].notna()]
    alike: dict[str, list[str]] = {}
    for pair in cohort.pairs:
        own = rows[rows["site"] == pair.intervention]
        for outcome, note in zip(own["outcome"], own["note"], strict=True):
            found = re.search(r"[Cc]ompared on (.+? missing from the data)", note)
            if found:
                title = lower_title(cohort.title_outcome(str(outcome)))
                alike.setdefault(found[1], []).append(
                    f"{title} in {cohort.title_site(pair.intervention)}"
                )
    told = "; ".join(f"{format_list(titles)} on {months}" for months, titles in alike.items())
    return [f"Not all of these months could be compared: {told}."] if told else []


def _tell_outcome(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    find = partial(
        find_row, findings, section="counts", outcome=outcome, estimator="percentage_change",
        period="change",
    )  # fmt: skip
    parts = []
    for pair in cohort.pairs:
        area, control = find(site=pair.intervention), find(site=pair.control or "")
        if area is None or math.isnan(area["estimate"]):
            continue
        told = f"{format_change(area['estimate'])} in {cohort.title_site(pair.intervention)}"
        if control is not None and not math.isnan(control["estimate"]):
            told += f" (its control site {format_change(control['estimate'])})"
        parts.append(told)
    title = lower_title(cohort.title_outcome(outcome))
    return f"{title} changed by {format_list(parts)}" if parts else ""


def _tell_pooled(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    row = find_pooled(findings, outcome)
    if row is None or math.isnan(row["estimate"]) or len(cohort.pairs) < 2:
        return ""
    ends = [100 * (row[end] - 1) for end in ("ci_low", "ci_high")]
    interval = format_interval(ends[0], ends[1], 0, percent=True)
    change = format_change(100 * (row["estimate"] - 1))
    sure = ", which takes in no change" if ends[0] <= 0 <= ends[1] else ""
    title = lower_title(cohort.title_outcome(outcome))
    return f"{title} moved by {change} (95% interval {interval}{sure})"


def _tell_placebos(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    rows = select_findings(findings, section="placebo", estimator="placebo_p").dropna(
        subset="estimate"
    )
    rows = rows[rows["site"] != "all"]
    if rows.empty:
        return []
    unusual = int((rows["estimate"] < _ALPHA).sum())
    smallest = format_p(float(rows["estimate"].min()))
    expected = format_number(_ALPHA * len(rows), 1)
    ratios = select_findings(findings, section="counts", estimator="rirr", period="change")
    passing = int((ratios["p_value"] < _ALPHA).sum())
    sentences = [
        f"Taken alone, {passing} of {len(ratios)} comparisons of an area with its control site "
        "would pass the usual test (p < .05)."
    ]
    if unusual == 0:
        sentences.append(
            "Set among comparable places where nothing was done, none of them is out of the "
            f"ordinary (smallest rank p = {smallest})."
        )
    else:
        sentences.append(
            f"Set among comparable places where nothing was done, {unusual} of {len(rows)} lies in "
            f"the outermost 5% (smallest rank p = {smallest}); chance alone would put about "
            f"{expected} there."
        )
    return sentences


def _tell_scales(
    cohort: Cohort, findings: pd.DataFrame, instrument: Instrument | None
) -> list[str]:
    if instrument is None or select_findings(findings, section="scales").empty:
        return []
    scale = next(iter(cohort.confirmatory or tuple(instrument.scales)))
    title = lower_title(instrument.title_scale(scale))
    own = find_row(
        findings, section="scales", outcome=scale, site="intervention",
        estimator="mean_difference",
    )  # fmt: skip
    did = find_row(
        findings, section="scales", outcome=scale, site="all",
        estimator="difference_in_differences",
    )  # fmt: skip
    sentences = []
    if own is not None and not math.isnan(own["estimate"]):
        way = "rose" if own["estimate"] > 0 else "fell"
        sentences.append(
            f"Residents' {title} {way} by {format_number(abs(own['estimate']))} points in the "
            f"intervention areas (95% interval {format_interval(own['ci_low'], own['ci_high'])}; "
            f"p = {format_p(own['p_value'])})."
        )
    if did is not None and not math.isnan(did["estimate"]):
        way = "more" if did["estimate"] > 0 else "less"
        includes_zero = did["ci_low"] <= 0 <= did["ci_high"]
        sure = ", which takes in no difference" if includes_zero else ""
        sentences.append(
            f"That is {format_number(abs(did['estimate']))} points {way} than in the control sites "
            f"(95% interval {format_interval(did['ci_low'], did['ci_high'])}{sure})."
        )
    return sentences


def _tell_level(cohort: Cohort, evidence: Evidence) -> list[str]:
    if evidence.level < 1 or set(evidence.sections) == {"description"}:
        return ["There is no change to grade yet: what is still missing is listed below."]
    level = f"This is evidence of level {evidence.level} on a scale from 1 (weakest) to 5"
    if cohort.rehearsal:
        return [f"{level} by its design, and there is no work here to credit."]
    if evidence.level < 3:
        return [
            f"{level}: these things changed alongside the work, and this design can't say that "
            "the work was the reason."
        ]
    return [f"{level}."]
