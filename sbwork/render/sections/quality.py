"""The section on what was read and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.read.checks import CheckKind
from sbwork.read.places.outlines import find_contacts
from sbwork.render import narrative, tables
from sbwork.render.sections.blocks import Section

__all__ = ["present_quality"]


def present_quality(evaluation: Evaluation) -> Section:
    """Show what was read, what was left out, and why."""
    blocks: list[Any] = []
    if evaluation.incidents is not None:
        if evaluation.incidents.missing_months:
            missing = ", ".join(evaluation.incidents.missing_months)
            blocks.append(f"Months that no file covers (missing, not zero): {missing}.")
        quality = _drop_idle_checks(evaluation.incidents.quality)
        blocks.append(tables.tabulate_checks(quality, "incident-quality", "Incident files"))
        blocks += _tell_contacts(evaluation)
    if evaluation.responses is not None:
        quality = _drop_idle_checks(evaluation.responses.quality)
        blocks.append(tables.tabulate_checks(quality, "survey-quality", "Survey files"))
        blocks += list(_present_nonresponse(evaluation))
        blocks += list(_present_weights(evaluation))
        blocks.append(tables.tabulate_dropped(evaluation.responses.dropped))
    return Section(
        blocks or ["No file was read: every figure in this report is one that people reported."]
    )


def _tell_contacts(evaluation: Evaluation) -> list[str]:
    outlines, cohort = evaluation.outlines, evaluation.cohort
    contacts = find_contacts(outlines, cohort) if outlines is not None else ()
    told = narrative.describe_contacts(cohort, outlines, contacts)
    return [f"Borders of the control sites. {told}"] if told else []


def _present_nonresponse(evaluation: Evaluation) -> Iterator[Any]:
    responses, instrument = evaluation.responses, evaluation.instrument
    if responses is not None and instrument is not None and len(responses.nonresponse):
        yield tables.tabulate_nonresponse(responses.nonresponse, instrument, evaluation.cohort)


def _present_weights(evaluation: Evaluation) -> Iterator[Any]:
    cohort, findings = evaluation.cohort, evaluation.findings
    told = narrative.describe_weights(findings, cohort)
    if told:
        yield told
        yield tables.tabulate_weights(findings, cohort)
        if cohort.weighting.targets:
            yield tables.tabulate_shares(findings, cohort)


def _drop_idle_checks(quality: pd.DataFrame) -> pd.DataFrame:
    """Leave out checks that found nothing to leave out."""
    idle = (quality["kind"] == CheckKind.LEFT_OUT) & (quality["count"] == 0)
    return quality[~idle]
