"""What a report of a programme should hold: the EMMIE headings and the TREND items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from sbwork.cohort import Cohort

__all__ = ["EMMIE_HEADINGS", "NOT_REPORTED", "TREND_ITEMS", "TrendItem", "trend_checklist"]

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


def trend_checklist(cohort: Cohort, findings: pd.DataFrame) -> pd.DataFrame:
    """Say where the report holds each item of the TREND checklist, or that it does not.

    Parameters
    ----------
    cohort : Cohort
        The evaluation.
    findings : pandas.DataFrame, columns `results.RESULT_COLUMNS`
        Everything that was computed; a section whose numbers are all missing does not count.

    Returns
    -------
    pandas.DataFrame, shape (22, 4)
        ``number`` (1 to 22), ``topic``, ``item``, and ``where``: the part of the report, or
        ``"Not reported"``.

    Examples
    --------
    >>> from sbwork.results import combine_findings
    >>> checklist = trend_checklist(Cohort(name="pilot"), combine_findings([]))
    >>> int((checklist["where"] == "Not reported").sum()) > 10
    True
    """
    known = findings[findings["estimate"].notna()]
    facts = _Facts(
        cohort,
        sections=frozenset(known["section"].astype(str)),
        estimators=frozenset(known["estimator"].astype(str)),
    )
    rows = [
        {
            "number": item.number,
            "topic": item.topic,
            "item": item.item,
            "where": _PLACES[item.number](facts) if item.number in _PLACES else NOT_REPORTED,
        }
        for item in TREND_ITEMS
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True)
class _Facts:
    cohort: Cohort
    sections: frozenset[str]
    estimators: frozenset[str]


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
