"""What a report of a programme should hold: the EMMIE headings and the TREND items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from sbwork.cohort import Cohort

__all__ = [
    "EMMIE_HEADINGS",
    "NOT_REPORTED",
    "TREND_ITEMS",
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
    findings : pandas.DataFrame, columns `results.RESULT_COLUMNS`
        Everything that was computed; a section whose numbers are all missing does not count.

    Returns
    -------
    list of tuple of str
        The five headings of `EMMIE_HEADINGS` in order, each with what there is, or
        ``"Not reported"``.

    Examples
    --------
    >>> from sbwork.results import combine_findings
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
    findings : pandas.DataFrame, columns `results.RESULT_COLUMNS`
        Everything that was computed; a section whose numbers are all missing does not count.

    Returns
    -------
    list of tuple of str
        The 22 items of `TREND_ITEMS` in order, each with its number and the part of the report
        that holds it, or ``"Not reported"``.

    Examples
    --------
    >>> from sbwork.results import combine_findings
    >>> trend_checklist(Cohort(name="pilot", summary="A pilot."), combine_findings([]))[1]
    ('2. Why the programme was tried, and the theory behind it', 'Summary of the cohort')
    """
    facts = _gather_facts(cohort, findings)
    return [
        (
            f"{item.number}. {item.item}",
            _PLACES[item.number](facts) if item.number in _PLACES else NOT_REPORTED,
        )
        for item in TREND_ITEMS
    ]


@dataclass(frozen=True, slots=True)
class _Facts:
    cohort: Cohort
    sections: frozenset[str]
    estimators: frozenset[str]


def _gather_facts(cohort: Cohort, findings: pd.DataFrame) -> _Facts:
    known = findings[findings["estimate"].notna()]
    return _Facts(
        cohort,
        sections=frozenset(known["section"].astype(str)),
        estimators=frozenset(known["estimator"].astype(str)),
    )


def _hold_effect(facts: _Facts) -> str:
    parts = []
    if "counts" in facts.sections:
        parts.append("incident counts beside control sites" if _is_paired(facts) else "counts")
    if "scales" in facts.sections:
        parts.append("residents' scales by wave and site")
    if "placebo" in facts.sections:
        parts.append("the same comparison where nothing was done")
    if "reported" in facts.sections:
        parts.append("figures as reported by others, which can not be checked")
    text = "; ".join(parts)
    return f"{_start_sentence(text)}." if text else ""


def _hold_mechanism(facts: _Facts) -> str:
    if "mechanism" in facts.sections:
        return "A model of the steps between residents' scales and outcomes."
    bearing = ["residents' scales"] if "scales" in facts.sections else []
    bearing += ["stories"] if facts.cohort.stories else []
    text = " and ".join(bearing)
    return f"{_start_sentence(text)} bear on it; its steps were not tested." if text else ""


def _hold_moderators(facts: _Facts) -> str:
    if len(facts.cohort.pairs) > 1 and facts.sections & {"counts", "scales"}:
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


def _is_paired(facts: _Facts) -> bool:
    return any(pair.control for pair in facts.cohort.pairs)


def _find_part(has: Callable[[_Facts], object], where: str) -> Callable[[_Facts], str]:
    return lambda facts: where if has(facts) else NOT_REPORTED


_PLACES: dict[int, Callable[[_Facts], str]] = {
    1: _find_part(lambda f: f.sections, "Title, first paragraph and level of evidence"),
    2: _find_part(lambda f: f.cohort.summary, "Summary of the cohort"),
    3: _find_part(lambda f: f.cohort.sites, "Sites and periods"),
    4: _find_part(lambda f: f.cohort.engagement, "Engagement log"),
    5: _find_part(lambda f: f.cohort.confirmatory, "Scales declared confirmatory"),
    6: _find_part(lambda f: f.sections & {"counts", "reliability"}, "Counts; reliability"),
    7: _find_part(
        lambda f: "smallest_detectable_difference" in f.estimators,
        "Smallest detectable difference (not planned beforehand)",
    ),
    8: _find_part(
        lambda f: any(pair.control_reason for pair in f.cohort.pairs), "Why controls were chosen"
    ),
    10: _find_part(lambda f: "tau_star" in f.estimators, "Residents' scales: areas and people"),
    11: _find_part(lambda f: f.sections - {"reported"}, "Methods and provenance"),
    12: _find_part(
        lambda f: f.estimators & {"attrition_share", "n_scored"}, "Data quality; attrition"
    ),
    13: _find_part(lambda f: f.cohort.periods, "Sites and periods"),
    14: _find_part(lambda f: "mean" in f.estimators, "Residents' scales, wave before"),
    15: _find_part(
        lambda f: f.estimators & {"pre_level_ratio", "pre_trend"}, "Level and trend beforehand"
    ),
    16: _find_part(lambda f: "n" in f.estimators, "Residents' scales: n by site and wave"),
    17: _find_part(lambda f: f.sections & {"counts", "scales"}, "Counts; residents' scales"),
    18: _find_part(
        lambda f: f.cohort.confirmatory or "placebo" in f.sections,
        "Confirmatory and other scales; placebo distribution",
    ),
    19: _find_part(
        lambda f: any(pair.displacement for pair in f.cohort.pairs), "Displacement areas"
    ),
    20: _find_part(lambda f: f.sections, "Level of evidence and what can not be concluded"),
    22: _find_part(lambda f: f.cohort.references, "References"),
}
