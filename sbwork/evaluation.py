"""One cohort taken from its files to its graded findings, a step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sbwork.compare.accuracy import compare_accuracy
from sbwork.compare.adjustment import adjust_counts
from sbwork.compare.choice import assess_choice
from sbwork.compare.counts import compare_counts, tabulate_reported
from sbwork.compare.placebo import Placebo, compare_placebos
from sbwork.compare.robustness import analyse_panel, assess_comparability, vary_specifications
from sbwork.compare.surveys import compare_scales
from sbwork.grade.comparability import compute_requirements
from sbwork.grade.disclosure import suppress_findings, suppress_responses
from sbwork.grade.evidence import Evidence, grade_evidence, set_levels
from sbwork.read.checks import CheckKind, find_losses
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.places.outlines import SiteOutlines, outline_sites
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
    """All that is known of one cohort; what it has no files for is None.

    Attributes
    ----------
    cohort : Cohort
        What was evaluated.
    instrument : Instrument or None
        The questionnaire.
    incidents : Incidents or None
        Counts by site and month.
    responses : Responses or None
        Answers, with no personal data and no small group, weighted as cohort.yml has it.
    scores : pandas.DataFrame or None
        Scale scores, one row a questionnaire.
    placebo : Placebo or None
        The same comparison where nothing was done.
    findings : pandas.DataFrame
        Every number, small groups already hidden, with its level of evidence.
    evidence : Evidence
        The level, and why.
    outlines : SiteOutlines or None
        Where the sites lie, where boundaries are given.
    """

    cohort: Cohort
    instrument: Instrument | None
    incidents: Incidents | None
    responses: Responses | None
    scores: pd.DataFrame | None
    placebo: Placebo | None
    findings: pd.DataFrame
    evidence: Evidence
    outlines: SiteOutlines | None = None

    @property
    def incomparable(self) -> tuple[str, ...]:
        """What the incident files hold of the compared months and can't be compared, and why."""
        return self._list_notes(CheckKind.NOT_COMPARABLE)

    @property
    def uneven(self) -> tuple[str, ...]:
        """What the incident files lack in one period more than in the other."""
        return self._list_notes(CheckKind.UNEVEN)

    def _list_notes(self, kind: CheckKind) -> tuple[str, ...]:
        if self.incidents is None:
            return ()
        quality = self.incidents.quality
        return tuple(quality.loc[quality["kind"] == kind, "note"])


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

    findings = suppress_findings(adjust_counts(combine_findings(compared), cohort), cohort)
    findings = combine_findings(
        [findings, compare_accuracy(findings, cohort), compute_requirements(cohort, findings)]
    )
    if responses and scores is not None:
        responses, scores = suppress_responses(responses, scores, findings, cohort)
    evidence = grade_evidence(cohort, findings)
    findings = _set_status(set_levels(findings, evidence), cohort)
    return Evaluation(
        cohort=cohort,
        instrument=instrument,
        incidents=incidents,
        responses=responses,
        scores=scores,
        placebo=placebo,
        findings=findings,
        evidence=evidence,
        outlines=outline_sites(cohort),
    )


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
    return [
        compare_scales(scores, cohort, instrument),
        score_coverage(responses.answers, instrument, cohort.weighting),
        scale_reliability(responses.answers, instrument, seed=cohort.seed),
    ]


def _set_status(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Fill whether each number is real, invented or reported, and whether work was done."""
    status = pd.Series(cohort.data_status, index=findings.index, dtype="str")
    return findings.assign(
        data_status=status.mask(findings["section"] == "reported", "reported"),
        rehearsal=cohort.rehearsal,
    )
