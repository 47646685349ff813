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

NOT_REPORTED = "Not reported"


class Heading(StrEnum):
    """The headings of the report, as its notebook has them."""

    SUMMARY = "Summary"
    CHANGES = "What changed"
    COUNTS = "How sure one can be: crime and ASB"
    ROBUSTNESS = "Does it hold up?"
    SCALES = "What residents answered"
    POTENCY = "Area potency"
    SAMPLE = "Who answered"
    MECHANISM = "What may have carried the change"
    RELIABILITY = "How well the survey measures"
    KINDS = "Three kinds of evidence"
    STORIES = "Stories as data"
    EVIDENCE = "How strong the evidence is"
    LIMITS = "What can't be concluded"
    QUALITY = "Data quality"
    METHODS = "Methods and provenance"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was computed of a cohort: a number that is missing is no fact."""

    cohort: Cohort
    known: pd.DataFrame

    def has(self, *estimators: str, **where: str) -> bool:
        """Return whether any of the estimators has a value; of none named, any number at all."""
        rows = select_findings(self.known, **where)
        return bool(rows["estimator"].isin(estimators).any() if estimators else len(rows))

    def compares(self, *sections: str) -> bool:
        """Return whether an area was set beside its control site in one of the sections."""
        return any(list_compared(self.known, self.cohort, section) for section in sections)


Condition = Callable[[_Facts], object]


@dataclass(frozen=True, slots=True)
class TrendItem:
    """One item of the TREND checklist, in this project's words."""

    number: int
    topic: str
    item: str


TREND_ITEMS = tuple(
    TrendItem(number, *text)
    for number, text in enumerate(
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

_CONDITIONS: dict[str, Condition] = {
    "any number": lambda f: f.has(),
    "sites compared": lambda f: f.compares("counts", "scales"),
    "counts compared": lambda f: f.compares("counts"),
    "scales compared": lambda f: f.compares("scales"),
    "counts or scales": lambda f: f.has(section="counts") or f.has(section="scales"),
    "change of a pair": lambda f: f.cohort.pairs and f.has("percentage_change", section="counts"),
    "means": lambda f: f.has("mean", section="scales"),
    "means before": lambda f: f.has("mean", section="scales", period="before"),
    "confirmatory scale": lambda f: any(
        f.has(section="scales", outcome=scale) for scale in f.cohort.confirmatory_scales
    ),
    "pairs": lambda f: f.cohort.pairs,
    "summary": lambda f: f.cohort.summary,
    "engagement": lambda f: f.cohort.engagement,
    "periods": lambda f: f.cohort.periods,
    "reasons": lambda f: any(pair.control and pair.control_reason for pair in f.cohort.pairs),
    "reliability": lambda f: f.has("alpha", "omega_total"),
    "detectable": lambda f: f.has("smallest_detectable_difference"),
    "shock": lambda f: f.has("tau_star"),
    "scored": lambda f: f.has("n_scored"),
    "flow": lambda f: f.has("n_answered", section="sample"),
    "balance": lambda f: f.has("standardised_difference", section="sample"),
    "blanks": lambda f: f.has("difference_in_differences_fiml", "mean_fiml", section="sample"),
    "clusters": lambda f: f.has("n_clusters", section="sample"),
    "rank": lambda f: f.has("placebo_p"),
    "before the start": lambda f: f.has("pre_level_ratio", "pre_trend"),
    "other models": lambda f: f.has("specification_median", "panel_quasipoisson"),
    "displacement": lambda f: any(
        f.has("wdd", site=pair.intervention) for pair in f.cohort.pairs if pair.displacement
    ),
}

_PLACES: tuple[tuple[int, Heading, str, str], ...] = (
    (1, Heading.SUMMARY, "what was found, and the level of evidence", "any number"),
    (1, Heading.EVIDENCE, "how sites were assigned", "sites compared"),
    (3, Heading.EVIDENCE, "the sites", "pairs"),
    (4, Heading.EVIDENCE, "what was done", "summary"),
    (4, Heading.KINDS, "engagement log", "engagement"),
    (5, Heading.EVIDENCE, "what was declared confirmatory", "confirmatory scale"),
    (6, Heading.METHODS, "how each number was made", "counts or scales"),
    (6, Heading.RELIABILITY, "alpha and omega", "reliability"),
    (7, Heading.SCALES, "smallest detectable difference; not planned beforehand", "detectable"),
    (8, Heading.EVIDENCE, "why each control site was chosen", "reasons"),
    (10, Heading.COUNTS, "rank among areas where nothing was done", "rank"),
    (10, Heading.SCALES, "the shock to whole areas that erases it", "shock"),
    (10, Heading.SAMPLE, "people of one cluster counted together", "clusters"),
    (11, Heading.METHODS, "how each number was made", "counts or scales"),
    (11, Heading.SAMPLE, "missing answers, three ways", "blanks"),
    (12, Heading.SAMPLE, "from invited to analysed", "flow"),
    (12, Heading.QUALITY, "survey files", "scored"),
    (13, Heading.EVIDENCE, "the periods", "periods"),
    (14, Heading.CHANGES, "counts before", "change of a pair"),
    (14, Heading.SCALES, "mean scores before", "means before"),
    (15, Heading.ROBUSTNESS, "before the start", "before the start"),
    (15, Heading.SAMPLE, "standardised differences", "balance"),
    (16, Heading.SCALES, "n, before and after", "means"),
    (17, Heading.CHANGES, "percentage change", "change of a pair"),
    (17, Heading.COUNTS, "each area against its control site", "counts compared"),
    (17, Heading.SCALES, "difference in differences", "scales compared"),
    (18, Heading.ROBUSTNESS, "other windows, controls and models", "other models"),
    (18, Heading.EVIDENCE, "what was declared confirmatory", "confirmatory scale"),
    (18, Heading.COUNTS, "rank among areas where nothing was done", "rank"),
    (19, Heading.COUNTS, "weighted displacement difference", "displacement"),
    (20, Heading.EVIDENCE, "the level of evidence and why", "any number"),
    (20, Heading.LIMITS, "the list", "any number"),
)
"""Where the report has an item: its number, the heading, what to look for, the condition."""


def trend_checklist(cohort: Cohort, findings: pd.DataFrame) -> list[tuple[str, str]]:
    """List the 22 TREND items in order, each with where the report has it, or `NOT_REPORTED`.

    Where: headings of the report, each with what to look for in brackets. A heading is named only
    where the number or the text that it is named for is there.
    """
    facts = _Facts(cohort, findings[findings["estimate"].notna()])
    found: dict[int, list[str]] = {}
    for number, heading, detail, condition in _PLACES:
        if _CONDITIONS[condition](facts):
            found.setdefault(number, []).append(f"{heading} ({detail})")
    return [
        (f"{item.number}. {item.item}", "; ".join(found.get(item.number, [NOT_REPORTED])))
        for item in TREND_ITEMS
    ]


def list_emmie(cohort: Cohort, findings: pd.DataFrame) -> list[tuple[str, str]]:
    """List the five EMMIE headings in order, each with what the report has, or `NOT_REPORTED`."""
    facts = _Facts(cohort, findings[findings["estimate"].notna()])
    parts = (_describe_effect, _describe_mechanism, _describe_moderators, _describe_work)
    return [
        (heading, describe(facts) or NOT_REPORTED)
        for (heading, _), describe in zip(EMMIE_HEADINGS, (*parts, _describe_costs), strict=True)
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

_EFFECTS: tuple[tuple[str, Condition], ...] = (
    ("incident counts beside control sites", lambda f: f.compares("counts")),
    (
        "incident counts before and after, without a control site",
        lambda f: not f.compares("counts") and f.has("percentage_change", section="counts"),
    ),
    ("residents' scales beside control sites", lambda f: f.compares("scales")),
    (
        "residents' scales by wave and site",
        lambda f: not f.compares("scales") and f.has("mean", section="scales"),
    ),
    ("the same comparison where nothing was done", lambda f: f.has("placebo_p")),
    (
        "figures as reported by others, which cannot be checked",
        lambda f: f.has(section="reported"),
    ),
)


def _describe_effect(facts: _Facts) -> str:
    text = "; ".join(words for words, applies in _EFFECTS if applies(facts))
    return f"{_start_sentence(text)}." if text else ""


def _describe_mechanism(facts: _Facts) -> str:
    bearing = ["residents' scales"] if facts.has(section="scales") else []
    bearing += ["stories"] if facts.cohort.stories else []
    text = " and ".join(bearing)
    steps = "a path through them was followed" if facts.has(section="mechanism") else ""
    steps = steps or "its steps were not tested"
    return f"{_start_sentence(text)} bear on it; {steps}." if text else ""


def _describe_moderators(facts: _Facts) -> str:
    compared = [
        pairs
        for section in ("counts", "scales")
        for pairs in list_compared(facts.known, facts.cohort, section).values()
    ]
    if any(len(pairs) > 1 for pairs in compared):
        return "Each pair of sites is shown by itself; what made them differ was not tested."
    return ""


def _describe_work(facts: _Facts) -> str:
    if facts.cohort.rehearsal:
        return "Nothing was done in any site: this is a rehearsal."
    events = len(facts.cohort.engagement)
    return f"The engagement log lists {events} event{'s' * (events != 1)}." if events else ""


def _describe_costs(facts: _Facts) -> str:
    priced = [event for event in facts.cohort.engagement if event.money is not None]
    return "Money in the engagement log; no costs were set against benefits." if priced else ""


def _start_sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
