"""What a report of a programme should hold: the EMMIE headings and the TREND items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from sbwork.grade.comparability import list_compared
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings

__all__ = [
    "EMMIE_HEADINGS",
    "NOT_REPORTED",
    "TREND_ITEMS",
    "Heading",
    "TrendItem",
    "list_emmie",
    "trend_checklist",
]

EMMIE_HEADINGS = (
    ("Effect", "Which way and how far did outcomes move, and how sure is that?"),
    ("Mechanism", "By what steps could the programme have brought that movement?"),
    ("Moderators", "For whom, where and under which conditions was it larger or smaller?"),
    ("Implementation", "What was done in fact, by whom, how often, and what stood in the way?"),
    ("Economics", "What did it take in time and money, beside what came of it?"),
)
"""Headings of Johnson, Tilley and Bowers (2015), Journal of Experimental Criminology 11, with a
question each. The report stands under them; no EMMIE score is awarded."""

NOT_REPORTED = "Not reported"


class Heading(StrEnum):
    """The headings of the report, as its notebook has them."""

    SUMMARY = "Summary"
    CHANGES = "What changed"
    COUNTS = "How sure one can be: crime and ASB"
    ROBUSTNESS = "Does it hold up?"
    SCALES = "What residents answered"
    RELIABILITY = "How well the survey measures"
    KINDS = "Three kinds of evidence"
    STORIES = "Stories as data"
    EVIDENCE = "How strong the evidence is"
    LIMITS = "What can't be concluded"
    QUALITY = "Data quality"
    METHODS = "Methods and provenance"


@dataclass(frozen=True, slots=True)
class TrendItem:
    """One item of the TREND checklist.

    Attributes
    ----------
    number : int
        1 to 22, as published.
    topic : str
        Part of a paper that it belongs to.
    item : str
        What is to be reported, in this project's words.
    """

    number: int
    topic: str
    item: str


TREND_ITEMS = tuple(
    TrendItem(number, topic, item)
    for number, (topic, item) in enumerate(
        (
            ("Title and abstract", "How sites were assigned, and a summary with its design"),
            ("Introduction", "Why the programme was tried, and the theory behind it"),
            ("Methods", "Who could take part, how they were found, and where"),
            ("Methods", "What was done, by whom, where, how often and for how long"),
            ("Methods", "Aims and hypotheses"),
            ("Methods", "Outcomes, how each was measured, and how well"),
            ("Methods", "How the sample size was settled"),
            ("Methods", "How units were assigned, and what was done against selection"),
            ("Methods", "Who knew which site was which (blinding)"),
            ("Methods", "Unit of analysis, and how it relates to the unit assigned"),
            ("Methods", "Statistical methods, missing data, software"),
            ("Results", "How many took part at each stage, and how many were lost"),
            ("Results", "Dates of recruitment and follow-up"),
            ("Results", "What people and sites were like at the start"),
            ("Results", "Whether the groups were alike at the start"),
            ("Results", "How many were analysed in each group"),
            ("Results", "Each outcome's estimate with its interval, null results included"),
            ("Results", "Other analyses, and which were planned"),
            ("Results", "Harm and unintended consequences"),
            ("Discussion", "What the results mean, and what could bias them"),
            ("Discussion", "How far the results hold elsewhere"),
            ("Discussion", "The results beside other evidence"),
        ),
        start=1,
    )
)
"""Des Jarlais, Lyles and Crepaz (2004), American Journal of Public Health 94, 361-366."""


def list_emmie(cohort: Cohort, findings: pd.DataFrame) -> list[tuple[str, str]]:
    """Say what the report holds under each EMMIE heading.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Everything that was computed; a section whose numbers are all missing does not count.

    Returns
    -------
    list of tuple of str
        The five headings of `EMMIE_HEADINGS` in order, each with what there is, or
        ``"Not reported"``.

    Examples
    --------
    >>> from sbwork.stats.findings import combine_findings
    >>> list_emmie(Cohort(name="pilot"), combine_findings([]))[0]
    ('Effect', 'Not reported')
    """
    facts = _gather_facts(cohort, findings)
    held = (_hold_effect, _hold_mechanism, _hold_moderators, _hold_work, _hold_costs)
    return [
        (heading, hold(facts) or NOT_REPORTED)
        for (heading, _), hold in zip(EMMIE_HEADINGS, held, strict=True)
    ]


def trend_checklist(cohort: Cohort, findings: pd.DataFrame) -> list[tuple[str, str]]:
    """Say where the report holds each item of the TREND checklist, or that it does not.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Everything that was computed; a section whose numbers are all missing does not count.

    Returns
    -------
    list of tuple of str
        The 22 items of `TREND_ITEMS` in order, each with its number and where it is reported, or
        ``"Not reported"``: headings of the report (`Heading`), each with what to look for in
        brackets, and a semicolon between them. A heading is named only where the number or the
        text that it is named for is there; a number that is missing is not.

    Examples
    --------
    >>> from sbwork.stats.findings import combine_findings
    >>> trend_checklist(Cohort(name="pilot", summary="A pilot."), combine_findings([]))[3][1]
    'How strong the evidence is (what was done)'
    """
    facts = _gather_facts(cohort, findings)
    return [
        (
            f"{item.number}. {item.item}",
            "; ".join(
                f"{heading} ({detail})"
                for heading, detail, holds in _PLACES.get(item.number, ())
                if holds(facts)
            )
            or NOT_REPORTED,
        )
        for item in TREND_ITEMS
    ]


@dataclass(frozen=True, slots=True)
class _Facts:
    cohort: Cohort
    known: pd.DataFrame

    def has(self, *estimators: str, **where: str) -> bool:
        """Whether any of the estimators has a value; of none named, any number at all."""
        rows = select_findings(self.known, **where)
        return bool(rows["estimator"].isin(estimators).any() if estimators else len(rows))

    @property
    def compares_counts(self) -> bool:
        """Whether an area's counts were set beside its control site's."""
        return bool(list_compared(self.known, self.cohort, "counts"))

    @property
    def compares_scales(self) -> bool:
        """Whether an area's scales were set beside its control site's."""
        return bool(list_compared(self.known, self.cohort, "scales"))

    @property
    def has_confirmatory(self) -> bool:
        """Whether a scale declared confirmatory has any number."""
        rows = select_findings(self.known, section="scales")
        return bool(rows["outcome"].isin(self.cohort.confirmatory).any())


def _gather_facts(cohort: Cohort, findings: pd.DataFrame) -> _Facts:
    return _Facts(cohort, findings[findings["estimate"].notna()])


def _hold_effect(facts: _Facts) -> str:
    parts = []
    if facts.compares_counts:
        parts.append("incident counts beside control sites")
    elif facts.has("percentage_change", section="counts"):
        parts.append("incident counts before and after, without a control site")
    if facts.compares_scales:
        parts.append("residents' scales beside control sites")
    elif facts.has("mean", section="scales"):
        parts.append("residents' scales by wave and site")
    if facts.has("placebo_p"):
        parts.append("the same comparison where nothing was done")
    if facts.has(section="reported"):
        parts.append("figures as reported by others, which cannot be checked")
    text = "; ".join(parts)
    return f"{_start_sentence(text)}." if text else ""


def _hold_mechanism(facts: _Facts) -> str:
    bearing = ["residents' scales"] if facts.has(section="scales") else []
    bearing += ["stories"] if facts.cohort.stories else []
    text = " and ".join(bearing)
    return f"{_start_sentence(text)} bear on it; its steps were not tested." if text else ""


def _hold_moderators(facts: _Facts) -> str:
    compared = [
        pairs
        for section in ("counts", "scales")
        for pairs in list_compared(facts.known, facts.cohort, section).values()
    ]
    if any(len(pairs) > 1 for pairs in compared):
        return "Each pair of sites is shown by itself; what made them differ was not tested."
    return ""


def _hold_work(facts: _Facts) -> str:
    if facts.cohort.rehearsal:
        return "Nothing was done in any site: this is a rehearsal."
    events = len(facts.cohort.engagement)
    return f"The engagement log lists {events} event{'s' * (events != 1)}." if events else ""


def _hold_costs(facts: _Facts) -> str:
    priced = [event for event in facts.cohort.engagement if event.money is not None]
    return "Money in the engagement log; no costs were set against benefits." if priced else ""


def _start_sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_Place = tuple[Heading, str, Callable[[_Facts], object]]

_PLACES: dict[int, tuple[_Place, ...]] = {
    1: (
        (Heading.SUMMARY, "what was found, and the level of evidence", lambda f: f.has()),
        (
            Heading.EVIDENCE,
            "how sites were assigned",
            lambda f: f.compares_counts or f.compares_scales,
        ),
    ),
    3: ((Heading.EVIDENCE, "the sites", lambda f: f.cohort.pairs),),
    4: (
        (Heading.EVIDENCE, "what was done", lambda f: f.cohort.summary),
        (Heading.KINDS, "engagement log", lambda f: f.cohort.engagement),
    ),
    5: ((Heading.EVIDENCE, "what was declared confirmatory", lambda f: f.has_confirmatory),),
    6: (
        (
            Heading.METHODS,
            "how each number was made",
            lambda f: f.has(section="counts") or f.has(section="scales"),
        ),
        (Heading.RELIABILITY, "alpha and omega", lambda f: f.has("alpha", "omega_total")),
    ),
    7: (
        (
            Heading.SCALES,
            "smallest detectable difference; not planned beforehand",
            lambda f: f.has("smallest_detectable_difference"),
        ),
    ),
    8: (
        (
            Heading.EVIDENCE,
            "why each control site was chosen",
            lambda f: any(pair.control and pair.control_reason for pair in f.cohort.pairs),
        ),
    ),
    10: (
        (Heading.COUNTS, "rank among areas where nothing was done", lambda f: f.has("placebo_p")),
        (Heading.SCALES, "the shock to whole areas that erases it", lambda f: f.has("tau_star")),
    ),
    11: (
        (
            Heading.METHODS,
            "how each number was made",
            lambda f: f.has(section="counts") or f.has(section="scales"),
        ),
    ),
    12: ((Heading.QUALITY, "survey files", lambda f: f.has("n_scored")),),
    13: ((Heading.EVIDENCE, "the periods", lambda f: f.cohort.periods),),
    14: (
        (
            Heading.CHANGES,
            "counts before",
            lambda f: f.cohort.pairs and f.has("percentage_change", section="counts"),
        ),
        (
            Heading.SCALES,
            "mean scores before",
            lambda f: f.has("mean", section="scales", period="before"),
        ),
    ),
    15: (
        (
            Heading.ROBUSTNESS,
            "before the start",
            lambda f: f.has("pre_level_ratio", "pre_trend"),
        ),
    ),
    16: ((Heading.SCALES, "n, before and after", lambda f: f.has("mean", section="scales")),),
    17: (
        (
            Heading.CHANGES,
            "percentage change",
            lambda f: f.cohort.pairs and f.has("percentage_change", section="counts"),
        ),
        (Heading.COUNTS, "each area against its control site", lambda f: f.compares_counts),
        (Heading.SCALES, "difference in differences", lambda f: f.compares_scales),
    ),
    18: (
        (
            Heading.ROBUSTNESS,
            "other windows, controls and models",
            lambda f: f.has("specification_median", "panel_quasipoisson"),
        ),
        (Heading.EVIDENCE, "what was declared confirmatory", lambda f: f.has_confirmatory),
        (Heading.COUNTS, "rank among areas where nothing was done", lambda f: f.has("placebo_p")),
    ),
    19: (
        (
            Heading.COUNTS,
            "weighted displacement difference",
            lambda f: any(
                f.has("wdd", site=pair.intervention) for pair in f.cohort.pairs if pair.displacement
            ),
        ),
    ),
    20: (
        (Heading.EVIDENCE, "the level of evidence and why", lambda f: f.has()),
        (Heading.LIMITS, "the list", lambda f: f.has()),
    ),
}
"""Where each item stands: the heading, what to look for under it, and whether it is there."""
