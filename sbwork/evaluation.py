"""One cohort taken from its files to its graded findings, a step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sbwork.compare.accuracy import compare_accuracy
from sbwork.compare.adjustment import adjust_counts
from sbwork.compare.choice import assess_choice
from sbwork.compare.counts import compare_counts, tabulate_reported
from sbwork.compare.invariance import assess_invariance, mark_invariance
from sbwork.compare.mechanism import compare_mechanism
from sbwork.compare.placebo import Placebo, compare_placebos
from sbwork.compare.robustness import analyse_panel, assess_comparability, vary_specifications
from sbwork.compare.sample import compare_sample
from sbwork.compare.surveys import compare_scales
from sbwork.grade.comparability import compute_requirements
from sbwork.grade.disclosure import Ledger, list_held_back, suppress_findings
from sbwork.grade.evidence import Evidence, grade_evidence, set_levels
from sbwork.grade.publishable import (
    Publishable,
    enter_incidents,
    enter_responses,
    publish_incidents,
    publish_responses,
)
from sbwork.grade.releases import read_releases
from sbwork.read.checks import find_losses
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.places.outlines import outline_sites
from sbwork.read.surveys import Responses, read_responses
from sbwork.score import scale_reliability, score_coverage, score_scales
from sbwork.score.weights.targets import weigh_responses
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument, read_instrument
from sbwork.stats.findings import combine_findings

__all__ = ["Evaluation", "evaluate_cohort"]


@dataclass(frozen=True)
class Evaluation:
    """All that is known of one cohort: what was read, and what may be shown of it.

    Attributes
    ----------
    publishable : Publishable
        All that pictures, tables and sentences are made from, small groups already hidden; its
        ``cohort``, ``instrument``, ``findings`` and ``evidence`` are attributes here as well.
    incidents : Incidents or None
        Counts by site and month, as read.
    responses : Responses or None
        Answers, with no personal data, weighted as cohort.yml has it.
    scores : pandas.DataFrame or None
        Scale scores, one row a questionnaire.
    placebo : Placebo or None
        The same comparison where nothing was done.
    """

    publishable: Publishable
    incidents: Incidents | None
    responses: Responses | None
    scores: pd.DataFrame | None
    placebo: Placebo | None

    @property
    def cohort(self) -> Cohort:
        """What was evaluated."""
        return self.publishable.cohort

    @property
    def instrument(self) -> Instrument | None:
        """The questionnaire."""
        return self.publishable.instrument

    @property
    def findings(self) -> pd.DataFrame:
        """Every number, small groups already hidden, with its level of evidence."""
        return self.publishable.findings

    @property
    def evidence(self) -> Evidence:
        """The level, and why."""
        return self.publishable.evidence


def evaluate_cohort(
    name: str | Path, data: str | Path = "data", *, seed: int | None = None
) -> Evaluation:
    """Read, score, compare and grade one cohort.

    Parameters
    ----------
    name : str or Path
        The cohort's name.
    data : str or Path, default "data"
        The folder that holds ``cohorts/`` and ``instruments/``.
    seed : int, optional
        Where every random step starts from; the cohort's own by default.

    Returns
    -------
    Evaluation
        Ready to be shown.

    Raises
    ------
    InputError
        A file can't be used, or a join loses more than was accepted; every problem is listed.
    """
    cohort = read_cohort(name, data)
    if seed is not None:
        cohort = cohort.model_copy(update={"seed": seed})
    instrument = read_instrument(cohort.instrument, data) if cohort.instrument else None
    incidents = read_incidents(cohort) if cohort.incidents else None
    responses = read_responses(cohort, instrument) if cohort.surveys and instrument else None
    read = [found for found in (incidents, responses) if found]
    losses = [p for found in read for p in find_losses(found.quality, cohort.accepted_losses)]
    if losses:
        raise InputError(losses)

    weights = scores = None
    if responses and instrument:
        responses, weights = weigh_responses(responses, cohort)
        scores = score_scales(responses.answers, instrument)

    placebo = compare_placebos(incidents, cohort) if incidents else None
    compared = [tabulate_reported(cohort)]
    if incidents and placebo:
        compared += _compare_incidents(incidents, placebo, cohort)
    if responses and instrument and weights is not None and scores is not None:
        compared += [weights, *_compare_answers(responses, scores, cohort, instrument)]

    releases = read_releases(cohort.folder)
    book = Ledger(earlier=[release.people for release in releases])
    months = Ledger(earlier=[release.incidents for release in releases])
    if responses and instrument and scores is not None:
        enter_responses(book, responses, scores, instrument, cohort)
    if incidents:
        enter_incidents(months, incidents, cohort)
    compared_rows = mark_invariance(adjust_counts(combine_findings(compared), cohort))
    findings = suppress_findings(compared_rows, cohort, book, months, releases)
    findings = combine_findings(
        [findings, compare_accuracy(findings, cohort), compute_requirements(cohort, findings)]
    )
    evidence = grade_evidence(cohort, findings)
    publishable = Publishable(
        cohort=cohort,
        instrument=instrument,
        findings=_set_status(set_levels(findings, evidence), cohort),
        evidence=evidence,
        incidents=(
            publish_incidents(months, incidents, placebo, cohort) if incidents and placebo else None
        ),
        answers=(
            publish_responses(book, responses, scores, instrument, cohort)
            if responses and instrument and scores is not None
            else None
        ),
        outlines=outline_sites(cohort),
        cells={
            "people": book.lay_out(cohort.smallest_group),
            "incidents": months.lay_out(cohort.smallest_count),
        },
        held_back=list_held_back(findings, book, cohort) if releases else pd.DataFrame(),
        given_away=(
            *(" ".join(filter(None, cell)) for cell in book.list_given_away(cohort.smallest_group)),
            *(" ".join(filter(None, c)) for c in months.list_given_away(cohort.smallest_count)),
        ),
    )
    return Evaluation(publishable, incidents, responses, scores, placebo)


def _compare_incidents(
    incidents: Incidents, placebo: Placebo, cohort: Cohort
) -> list[pd.DataFrame]:
    return [
        compare_counts(incidents, cohort),
        assess_comparability(incidents, cohort),
        placebo.findings,
        assess_choice(incidents, cohort),
        analyse_panel(incidents, cohort),
        vary_specifications(incidents, cohort),
    ]


def _compare_answers(
    responses: Responses, scores: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> list[pd.DataFrame]:
    scales = compare_scales(scores, cohort, instrument)
    return [
        scales,
        compare_sample(responses.answers, scores, scales, cohort, instrument),
        compare_mechanism(responses.answers, scores, cohort, instrument),
        score_coverage(responses.answers, instrument, cohort.weighting),
        scale_reliability(
            responses.answers[responses.answers["weight"] > 0], instrument, seed=cohort.seed
        ),
        assess_invariance(responses.answers, cohort, instrument),
    ]


def _set_status(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Fill whether each number is real, invented or reported, and whether work was done."""
    status = pd.Series(cohort.data_status, index=findings.index, dtype="str")
    return findings.assign(
        data_status=status.mask(findings["section"] == "reported", "reported"),
        rehearsal=cohort.rehearsal,
    )
