"""How strong the evidence is, and the words that it allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from sbwork.grade.comparability import (
    LARGEST_DRIFT,
    count_own_controls,
    describe_requirements,
    list_compared,
)
from sbwork.specs.cohort import Cohort

__all__ = [
    "FEWEST_PAIRS",
    "LARGEST_DRIFT",
    "LEVELS",
    "Evidence",
    "EvidenceLevel",
    "grade_evidence",
    "set_levels",
]

FEWEST_PAIRS = 2
"""Pairs needed for a level above 3: with one site and one control, chance and site are one.

A pair counts where its comparison was computed, and those that share a control count once: what
moves that control by chance moves all of them.
"""

_ASSIGNMENTS = {
    "chosen": "Sites were chosen, not assigned by chance",
    "drawn": "Areas were drawn, but their control sites were chosen",
    "quasi-random": "Sites were assigned quasi-randomly",
    "randomised": "Sites were assigned at random",
}
_COMPARED = ("counts", "scales")
_DESCRIPTIVE = ("choice", "evidence", "reliability", "scores")
_COMPARING = ("panel", "placebo", "specification")
_ONE_SIDE = ("before", "after")
_NO_CHANGE = (
    "event_study",
    "placebo_areas",
    "placebo_pairs",
    "placebo_smallest_p",
    "placebo_time_contrasts",
    "pre_level_ratio",
    "pre_trend",
    "window_months",
)
"""Estimators that tell of the months before, or of the design, and of no change."""


@dataclass(frozen=True, slots=True)
class EvidenceLevel:
    """One step of the Maryland Scientific Methods Scale: 0 (nothing to grade), 1 (weakest) to 5.

    design: What kind of study it is.
    allows: What may be concluded.
    """

    level: int
    name: str
    design: str
    allows: str


LEVELS = (
    EvidenceLevel(
        0, "Nothing to grade", "No figure is given.", "Nothing can be concluded either way."
    ),
    EvidenceLevel(
        1,
        "Before and after only",
        "One point in time, a before and an after without a comparison site, or figures heard "
        "from others.",
        "What changed, not why.",
    ),
    EvidenceLevel(
        2,
        "Compared, comparability not shown",
        "A comparison site that is not shown to be comparable, or adjustment by statistics alone.",
        "Whether things changed differently elsewhere, not why.",
    ),
    EvidenceLevel(
        3,
        "Compared with a comparable site",
        "Before and after, beside a comparison site chosen for a stated reason, alike in level "
        "and in trend beforehand.",
        "A careful statement about the programme, with other explanations named.",
    ),
    EvidenceLevel(
        4,
        "Quasi-random",
        "Several areas, treated or not for a reason that has nothing to do with the outcome.",
        "A statement about the programme, with the reason for the allocation.",
    ),
    EvidenceLevel(
        5,
        "Randomised",
        "Several areas, treated or not by lot.",
        "A statement about the programme.",
    ),
)
"""The Maryland scale (Sherman et al. 1998; Farrington et al. 2002), in this project's words."""


@dataclass(frozen=True)
class Evidence:
    """The level of evidence of a cohort, and why.

    level: The lowest level among the sections that compare sites or waves; figures heard from
        others count only where there is nothing else. 0 where there is nothing to grade.
    reasons: Why it is not lower, and what was found.
    missing: What would be needed for the next level.
    sections: The level of each section of findings that bears evidence.
    rehearsal: Nothing was done in any site: the design is graded, but there is nothing it says.
    """

    level: int
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    sections: Mapping[str, int] = field(default_factory=dict)
    rehearsal: bool = False

    @property
    def facts(self) -> EvidenceLevel:
        """What the level stands for."""
        return LEVELS[self.level]


def grade_evidence(cohort: Cohort, findings: pd.DataFrame) -> Evidence:
    """Grade a cohort's evidence on the Maryland Scientific Methods Scale.

    Parameters
    ----------
    cohort : Cohort
        The design: pairs, why their controls were chosen, how the sites were assigned.
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Everything that was computed. Of section ``"panel"``, ``pre_level_ratio`` and
        ``pre_trend`` per pair and outcome say whether the sites were alike beforehand; with the
        rows of `comparability.compute_requirements`, what is missing says how many months or
        incidents would show it.

    Returns
    -------
    Evidence
        Level, reasons, what is missing for the next level, and the level of each section.

    Notes
    -----
    A control that is not shown to be comparable gives 2. It gives 3 where every pair names a
    written reason for its control and, for every pair and outcome, the interval of the level
    ratio before lies within ``cohort.placebo.size_ratio`` and that of the pre-trend within
    `LARGEST_DRIFT` percent a year. Two waves of a survey show no trend beforehand, so scales
    reach 2 unless sites were assigned by chance. Levels 4 and 5 need sites assigned quasi-randomly
    or at random, written reasons, and for every outcome at least `FEWEST_PAIRS` pairs with a
    control of their own. Pairs and outcomes are those that were compared
    (`comparability.list_compared`): what could not be computed neither helps nor hinders.

    References
    ----------
    Sherman, L. W., et al. (1998). Preventing Crime: What Works, What Doesn't, What's Promising.
    National Institute of Justice. Farrington, D. P., Gottfredson, D. C., Sherman, L. W., & Welsh,
    B. C. (2002). The Maryland Scientific Methods Scale. Evidence-Based Crime Prevention.
    Roth, J. (2022). Pretest with caution. American Economic Review: Insights, 4, 305-322.

    Examples
    --------
    >>> from sbwork.stats.findings import combine_findings
    >>> heard = {"title": "Incidents", "change_percent": -40, "reported_by": "staff"}
    >>> cohort = Cohort(name="pilot", reported_figures=[heard])
    >>> grade_evidence(cohort, combine_findings([])).level
    1
    """
    known = findings[findings["estimate"].notna() & (findings["section"] != "evidence")]
    reasons: list[str] = []
    missing: list[str] = []
    sections: dict[str, int] = {}
    changes = known[~known["estimator"].isin(_NO_CHANGE) & ~known["period"].isin(_ONE_SIDE)]
    changes = changes[~changes["site"].isin({"control", *(p.control for p in cohort.pairs)})]
    compared = [name for name in _COMPARED if (changes["section"] == name).any()]
    if not compared and changes["section"].isin(_COMPARING).any():
        compared = ["counts"]
    for name in compared:
        level, why, lacking = _grade_section(name, cohort, findings)
        sections[name] = level
        reasons += [text for text in why if text not in reasons]
        missing += [text for text in lacking if text not in missing]
    if cohort.reported_figures or (known["section"] == "reported").any():
        sections["reported"] = 1
        reasons.append("Figures reported by others rest on no counts that can be checked: level 1.")
        if not compared:
            missing.append(
                "Counts or answers from before and after, so that figures can be checked."
            )
            missing.append("A comparison site where the programme did not run.")
    if not sections and len(known):
        sections["description"] = 1
        reasons.append(
            "No change of an area is known: the figures describe one side of the start, or control "
            "sites alone."
        )
        missing.append("The same figures from before and after, and from a comparison site.")
    if not sections:
        reasons.append("There is no figure to grade.")
        missing.append("Figures from before and after, and from a comparison site.")
    if compared and cohort.pairs:
        reasons.append(f"{_ASSIGNMENTS[cohort.how_assigned]}.")
    if cohort.rehearsal:
        reasons.insert(
            0,
            "This is a rehearsal: nothing was done in any site. The design is graded, but there is "
            "no intervention for it to speak of.",
        )
    level = min((sections[name] for name in compared), default=max(sections.values(), default=0))
    return Evidence(level, tuple(reasons), tuple(missing), sections, cohort.rehearsal)


def set_levels(findings: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Fill the column ``evidence_level``, row by row.

    A row that compares sites has the level of its section; a row about one site, or about sites
    without their controls, can be no more than before and after: 1. Reported figures are 1.
    Reliability and the making of scores are no evidence on what changed: NaN.
    """
    section = findings["section"]
    compares = (
        (findings["comparison"] != "") | (findings["site"] == "all") | section.isin(_COMPARING)
    )
    counts = evidence.sections.get("counts", evidence.level)
    own = section.map({**dict.fromkeys(_COMPARING, counts), **evidence.sections})
    levels = own.astype("float64").fillna(float(evidence.level))
    levels = levels.where(compares, levels.clip(upper=1.0))
    levels = levels.mask(section == "reported", 1.0).mask(section.isin(_DESCRIPTIVE), math.nan)
    return findings.assign(evidence_level=levels)


def _grade_section(
    section: str, cohort: Cohort, findings: pd.DataFrame
) -> tuple[int, list[str], list[str]]:
    if not any(pair.control for pair in cohort.pairs):
        return (
            1,
            ["There are figures, but no control site to set them beside: level 1."],
            ["A comparison site where the programme did not run."],
        )
    compared = list_compared(findings, cohort, section)
    if not compared and not (section == "counts" and _compares_counts(findings)):
        return (
            1,
            [f"Control sites are named, but no comparison could be made ({section}): level 1."],
            ["Figures from before and after in both sites of a pair."],
        )
    pairs = [pair for pair in cohort.pairs if any(pair in found for found in compared.values())]
    counted = min((count_own_controls(found) for found in compared.values()), default=0)
    lacking = [
        f"A written reason why {cohort.title_site(str(pair.control))} was chosen as control."
        for pair in pairs
        if not pair.control_reason.strip()
    ]
    by_chance = cohort.assignment != "chosen"
    if by_chance and counted >= FEWEST_PAIRS and not lacking:
        level = 5 if cohort.assignment == "randomised" else 4
        reason = (
            f"{_ASSIGNMENTS[cohort.assignment]}, in {counted} pairs with a control site each of "
            f"their own: level {level}."
        )
        return level, [reason], [] if level == 5 else ["Sites assigned at random."]
    more = []
    if by_chance and counted < FEWEST_PAIRS:
        more = [
            f"At least {FEWEST_PAIRS} pairs that can be compared in every outcome, each with a "
            f"control site of its own; there {'is' if counted == 1 else 'are'} {counted or 'none'}."
        ]
    why = ["There is a before and an after beside control sites."]
    if section == "scales":
        why.append("The survey has two waves, so it cannot show a trend beforehand: level 2.")
        lacking.append("Survey waves from before the start, to show a trend beforehand.")
        return 2, why, [*lacking, *more]
    lacking += describe_requirements(findings, cohort, compared)
    if not compared:
        lacking.append("A ratio to the control site: counts above 0 in both sites of a pair.")
    if lacking:
        why.append("Sites and controls are not shown to be comparable: level 2.")
        return 2, why, [*lacking, *more]
    why.append("Each control has a written reason and was alike in level and trend: level 3.")
    return 3, why, more or ["Sites assigned at random, or nearly so, in several pairs."]


def _compares_counts(findings: pd.DataFrame) -> bool:
    """Say whether any number on counts sets a site's change beside its control's."""
    rows = findings[findings["section"].isin(["counts", *_COMPARING])]
    rows = rows[rows["estimate"].notna() & ~rows["estimator"].isin(_NO_CHANGE)]
    return bool(((rows["comparison"] != "") | (rows["site"] == "all")).any())
