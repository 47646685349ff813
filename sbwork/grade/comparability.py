"""Were site and control alike before the start, and what would it take to show that they were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sbwork.specs.cohort import HARM, Cohort, Pair
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, find_row, has_flag, select_findings, tabulate_findings
from sbwork.stats.formats import format_count, format_number
from sbwork.stats.history import (
    MOST_MONTHS,
    compute_incident_factor,
    compute_months_needed,
    sum_information,
)

__all__ = [
    "LARGEST_DRIFT",
    "compute_requirements",
    "count_own_controls",
    "describe_requirements",
    "list_compared",
]

LARGEST_DRIFT = 10.0
"""Largest drift before the start, in percent a year, that counts as parallel.

The windows usually lie a year apart, so a drift of this size would move the comparison by as much
as a modest programme might. The whole 95% interval of the drift must lie within it, in either
direction: an interval that is merely wide enough to hold zero does not pass.
"""

SECTION = "evidence"

Check = Literal["pre_level_ratio", "pre_trend"]

_CHECKS: dict[Check, str] = {"pre_level_ratio": "level", "pre_trend": "trend"}
_HEADLINES = {"counts": "rirr", "scales": "difference_in_differences"}
_NEEDED = {"months_needed": "months", "incidents_needed": "incidents"}


def list_compared(findings: pd.DataFrame, cohort: Cohort, section: str) -> dict[str, list[Pair]]:
    """List the outcomes that were compared, each with the pairs whose comparison was computed.

    Of counts, a pair is compared where its RIRR over the cohort's own periods has a value; of
    scales, where its difference in differences has one.
    """
    rows = select_findings(
        findings, section=section, estimator=_HEADLINES[section], period="change"
    )
    known = rows[rows["estimate"].notna()]
    compared: dict[str, list[Pair]] = {}
    for outcome in dict.fromkeys(known["outcome"]):
        own = known[known["outcome"] == outcome]
        found = set(zip(own["site"], own["comparison"], strict=True))
        pairs = [pair for pair in cohort.pairs if (pair.intervention, pair.control) in found]
        if pairs:
            compared[outcome] = pairs
    return compared


def count_own_controls(pairs: Sequence[Pair]) -> int:
    """Count pairs with a control of their own: those that share one count once."""
    return len({pair.control for pair in pairs})


def compute_requirements(cohort: Cohort, findings: pd.DataFrame) -> pd.DataFrame:
    """Compute what it would take to show that each site and its control were alike beforehand.

    Section ``"evidence"``. Of every outcome that was compared, site ``"all"``, period ``"change"``:
    ``pairs_with_own_control``, those computed, with pairs that share a control counted once. Of
    every pair, compared outcome of the counts and check that is not passed, `period` being the
    check: ``months_known`` and ``incidents_known``, the months with counts of both sites that it
    rests on, and incidents a month in both together; ``months_needed``, months that would pass it
    with as many incidents a month; ``incidents_needed``, incidents a month in both sites together
    that would pass it over ``months_known`` months.

    "Would pass" is in 80% of cases (`history.POWER`) where the two did not drift (trend), or differ
    as they did (level), and where counts go on varying as they do. The variance of one month's log
    ratio comes from the check's own standard error; where a trend could not be estimated, from the
    counts of the months before and the dispersion behind the RIRR: phi (1 / m_T + 1 / m_C) with m
    incidents a month, and the slope of M months has this variance divided by M (M^2 - 1) / 12.
    """
    found: list[Finding] = []
    for section in _HEADLINES:
        for outcome, pairs in list_compared(findings, cohort, section).items():
            own = Estimate(
                "pairs_with_own_control",
                float(count_own_controls(pairs)),
                n=float(len(pairs)),
                unit="count",
            )
            found.append(Finding(SECTION, outcome, "all", own, "", "change"))
            if section != "counts":
                continue
            for pair in pairs:
                for check in _list_failed(findings, cohort, pair, outcome):
                    found += [
                        Finding(SECTION, outcome, pair.intervention, e, str(pair.control), check)
                        for e in _require(findings, cohort, pair, outcome, check)
                    ]
    return tabulate_findings(found)


def describe_requirements(
    findings: pd.DataFrame, cohort: Cohort, compared: dict[str, list[Pair]]
) -> list[str]:
    """Describe in a sentence each what is not shown to be alike, and what would show it."""
    return [
        f"{cohort.title_site(pair.intervention)} and its control site shown to be alike in "
        f"{_CHECKS[check]} beforehand ({cohort.title_outcome(outcome)})"
        f"{_describe_requirement(findings, pair, outcome, check)}."
        for pair in cohort.pairs
        for outcome, pairs in compared.items()
        if pair in pairs
        for check in _list_failed(findings, cohort, pair, outcome)
    ]


@dataclass(frozen=True, slots=True)
class _History:
    """What a check rests on: months, incidents a month in both sites, one month's variance."""

    months: float
    incidents: float
    variance: float


def _find_limits(cohort: Cohort, check: Check) -> tuple[float, float]:
    """Return the logarithms between which the check's interval must lie."""
    if check == "pre_trend":
        share = LARGEST_DRIFT / 100
        return math.log(1 - share) / 12, math.log(1 + share) / 12
    return -math.log(cohort.placebo.size_ratio), math.log(cohort.placebo.size_ratio)


def _find_check(
    findings: pd.DataFrame, pair: Pair, outcome: str, check: Check
) -> pd.Series[Any] | None:
    return find_row(
        findings, section="panel", outcome=outcome, site=pair.intervention,
        comparison=str(pair.control), estimator=check,
    )  # fmt: skip


def _list_failed(
    findings: pd.DataFrame, cohort: Cohort, pair: Pair, outcome: str
) -> Iterator[Check]:
    for check in _CHECKS:
        row = _find_check(findings, pair, outcome, check)
        low, high = _find_limits(cohort, check)
        if row is None or not (
            _take_log(row, "ci_low") >= low and _take_log(row, "ci_high") <= high
        ):
            yield check


def _take_log(row: pd.Series[Any], column: str) -> float:
    value = float(row[column])
    ratio = 1 + value / 100 if row["estimator"] == "pre_trend" else value
    return math.log(ratio) if ratio > 0 else math.nan


def _require(
    findings: pd.DataFrame, cohort: Cohort, pair: Pair, outcome: str, check: Check
) -> list[Estimate]:
    """Compute what there is and what is needed for one check to pass."""
    slope = check == "pre_trend"
    row = _find_check(findings, pair, outcome, check)
    history = _take_history(row, slope=slope) if row is not None else None
    if history is None and slope:
        history = _count_history(findings, pair, outcome)
    if history is None or (row is None and not slope):
        return _leave_out(
            {"months_known": "months", "incidents_known": "incidents", **_NEEDED},
            Reason.TOO_FEW_MONTHS,
            "Not computed: the counts before the start do not show how much they vary.",
        )
    low, high = _find_limits(cohort, check)
    truth = 0.0 if slope or row is None else _take_log(row, "estimate")
    n = history.months * history.incidents
    known = [
        Estimate("months_known", history.months, n=n, unit="months"),
        Estimate("incidents_known", history.incidents, n=n, unit="incidents"),
    ]
    drifts = slope and row is not None and (row["ci_low"] > 0 or row["ci_high"] < 0)
    if drifts or not low < truth < high:
        how = (
            "they moved differently before the start"
            if slope
            else "their ratio lies outside the limits"
        )
        note = f"Another control site is needed, not more months: {how}."
        return [*known, *_leave_out(_NEEDED, Reason.NOT_ALIKE, note)]
    room = (truth - low, high - truth)
    months = compute_months_needed(room, history.variance, slope=slope)
    factor = compute_incident_factor(room, history.variance, history.months, slope=slope)
    supposed = "did not drift apart" if slope else "differ as they did"
    note = f"Passes in 80% of cases if the two {supposed} and counts go on varying as they do."
    flags: tuple[Flag, ...] = ()
    if history.months == 1:
        note += " A single month can't show how they vary: chance alone is supposed, too little."
        flags = (Flag.SINGLE_MONTH,)
    needed = {"months_needed": months, "incidents_needed": factor * history.incidents}
    if math.isnan(months):
        del needed["months_needed"]
        known += _leave_out(
            {"months_needed": "months"},
            Reason.TOO_MANY_MONTHS,
            f"Even {MOST_MONTHS} months with so few incidents would be too few.",
            flags,
        )
    if math.isnan(factor):
        del needed["incidents_needed"]
        known += _leave_out(
            {"incidents_needed": "incidents"},
            Reason.TOO_FEW_MONTHS,
            "So few months leave nothing to judge the variation of counts by.",
        )
    return known + [
        Estimate(name, value, unit=_NEEDED[name], note=note, flags=flags)
        for name, value in needed.items()
    ]


def _take_history(row: pd.Series[Any], *, slope: bool) -> _History | None:
    """Take what a computed check rests on from its standard error, n and degrees of freedom."""
    if not row["se"] > 0:
        return None
    months = row["df"] + (2 if slope else 1) if math.isfinite(row["df"]) else 1.0
    variance = row["se"] ** 2 * float(sum_information(months, slope=slope))
    return _History(months, row["n"] / months, variance)


def _count_history(findings: pd.DataFrame, pair: Pair, outcome: str) -> _History | None:
    """Take months, incidents and variance from the counts and the dispersion behind the RIRR."""
    place = {"section": "counts", "outcome": outcome}
    own = {"site": pair.intervention, "comparison": str(pair.control), "period": "change"}
    rirr, length = (
        find_row(findings, **place, **own, estimator=name) for name in ("rirr", "window_months")
    )
    counts = [
        find_row(findings, **place, site=str(site), estimator="count", period=period)
        for site in (pair.intervention, pair.control)
        for period in ("before", "after")
    ]
    if rirr is None or length is None or not rirr["se"] > 0 or not length["estimate"] > 0:
        return None
    numbers = [row["estimate"] if row is not None else math.nan for row in counts]
    if not all(number > 0 for number in numbers):
        return None
    months = float(length["estimate"])
    dispersion = rirr["se"] ** 2 / sum(1 / number for number in numbers)
    before = numbers[0], numbers[2]
    variance = dispersion * months * sum(1 / number for number in before)
    return _History(months, sum(before) / months, variance)


def _leave_out(
    names: dict[str, str], reason: Reason, note: str, flags: tuple[Flag, ...] = ()
) -> list[Estimate]:
    return [
        Estimate(name, unit=unit, note=note, reason=reason, flags=flags)
        for name, unit in names.items()
    ]


def _describe_requirement(findings: pd.DataFrame, pair: Pair, outcome: str, check: Check) -> str:
    """Say how many months or incidents one check needs; nothing where that is not known."""
    rows = {
        name: find_row(
            findings, section=SECTION, outcome=outcome, site=pair.intervention,
            comparison=str(pair.control), period=check, estimator=name,
        )
        for name in ("months_known", "incidents_known", *_NEEDED)
    }  # fmt: skip
    found = {name: row for name, row in rows.items() if row is not None}
    if len(found) < len(rows) or math.isnan(found["months_known"]["estimate"]):
        return ""
    months, rate = (found[name]["estimate"] for name in ("months_known", "incidents_known"))
    needed, more = (found[name]["estimate"] for name in _NEEDED)
    if found["months_needed"]["reason"] == Reason.NOT_ALIKE:
        row = _find_check(findings, pair, outcome, check)
        how = "the two already moved differently, so"
        if check == "pre_level_ratio" and row is not None:
            how = f"at a ratio of {format_number(row['estimate'])}"
        return f": {how} that takes another control site, not more months"
    if needed <= months:
        return (
            f": the {_count_months(months)} there are would be enough for two sites that move "
            "alike, so that takes a control site that moves more alike"
        )
    single = has_flag(found["months_needed"], Flag.SINGLE_MONTH)
    about = "at least" if single else "about"
    what = "points of harm" if outcome == HARM else "incidents"
    told = f": with {_write_rate(rate)} {what} a month in both sites together, as now, "
    if math.isnan(needed):
        told += "no realistic number of months would be enough"
    else:
        where = "of counts before the start" if check == "pre_trend" else "in the period before"
        there = "there is 1" if months == 1 else f"there are {format_count(months)}"
        told += f"it takes {about} {_count_months(needed)} {where} ({there})"
    if math.isnan(more):
        return told
    return f"{told}; with {_count_months(months)}, {about} {_write_rate(more)} a month"


def _count_months(months: float) -> str:
    return "1 month" if months == 1 else f"{format_count(months)} months"


def _write_rate(rate: float) -> str:
    return format_number(rate, 0 if rate >= 10 else 1)
