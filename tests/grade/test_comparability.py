"""What it would take to show that two sites were alike: computed, said, and kept."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from made_by_hand import ASB, make_cohort, make_incidents, pick

from sbwork.compare.counts import compare_counts
from sbwork.compare.robustness import assess_comparability
from sbwork.grade.comparability import compute_requirements, describe_requirements, list_compared
from sbwork.grade.evidence import grade_evidence
from sbwork.specs.cohort import Pair, list_months
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, combine_findings, select_findings, tabulate_findings
from sbwork.stats.formats import format_count, format_number
from sbwork.stats.history import compute_months_needed
from sbwork.stats.trends import estimate_pre_trend

PERIODS = {
    "before": {"start": "2019-01", "end": "2019-12"},
    "after": {"start": "2020-01", "end": "2020-12"},
}
REASONED = {"intervention": "a", "control": "c", "control_reason": "The nearest alike."}
COHORT = make_cohort([REASONED], titles={"a": "Ash", "c": "Cedar"}, periods=PERIODS, outcomes=ASB)
RIRR = Finding("counts", "asb", "a", Estimate("rirr", 0.9, se=0.1), "c", "change")
ALIKE = Estimate("pre_level_ratio", 1.0, 0.9, 1.1, se=0.05, df=11.0, n=480.0, unit="ratio")
FLAT = Estimate("pre_trend", 0.0, -6.0, 6.4, se=0.026, df=10.0, n=480.0, unit="percent")


def require(*estimates, cohort=COHORT, extra=()):
    checks = [Finding("panel", "asb", "a", estimate, "c", "before") for estimate in estimates]
    findings = tabulate_findings([RIRR, *checks, *extra])
    return combine_findings([findings, compute_requirements(cohort, findings)])


def say(findings, cohort=COHORT):
    return describe_requirements(findings, cohort, list_compared(findings, cohort, "counts"))


def read(findings, check="pre_trend"):
    rows = select_findings(findings, section="evidence", period=check)
    return rows.set_index("estimator")


def test_months_and_incidents_are_said_as_they_are_found():
    findings = require(ALIKE, FLAT)
    (said,) = say(findings)
    rows = read(findings)["estimate"]
    assert rows["months_known"] == 12
    assert rows["incidents_known"] == 40
    assert 12 < rows["months_needed"] < 120
    for number in rows:
        assert re.search(rf"\b{format_count(number)}\b", said)
    assert said.startswith("Ash and its control site shown to be alike in trend beforehand (ASB)")
    assert said in grade_evidence(COHORT, findings).missing


def test_what_passes_needs_nothing():
    findings = require(ALIKE, replace(FLAT, ci_low=-0.2, ci_high=0.3))
    assert say(findings) == []
    evidence = findings[findings["section"] == "evidence"]
    assert set(evidence["estimator"]) == {"pairs_with_own_control"}
    assert grade_evidence(COHORT, findings).level == 3


@pytest.mark.parametrize(
    ("ratio", "trend", "check", "said"),
    [
        (
            replace(ALIKE, estimate=1.86, ci_low=1.2, ci_high=2.9),
            FLAT,
            "pre_level_ratio",
            "at a ratio of 1.86 that takes another control site, not more months",
        ),
        (
            ALIKE,
            replace(FLAT, estimate=3.0, ci_low=0.5, ci_high=5.5),
            "pre_trend",
            "already moved differently",
        ),
    ],
)
def test_sites_that_are_not_alike_take_another_control(ratio, trend, check, said):
    findings = require(ratio, trend)
    needed = read(findings, check).loc["months_needed"]
    assert needed["reason"] == "not_alike"
    assert math.isnan(needed["estimate"])
    assert said in say(findings)[0]


def test_a_ratio_near_the_limit_needs_more_than_one_in_the_middle():
    needed = [
        read(
            require(replace(ALIKE, estimate=ratio, ci_low=0.6, ci_high=2), FLAT), "pre_level_ratio"
        ).loc["months_needed", "estimate"]
        for ratio in (1.0, 1.2, 1.3)
    ]
    assert needed == sorted(needed)
    assert needed[0] < needed[2]


def test_months_enough_for_sites_that_move_alike_are_not_asked_for_again():
    off = replace(FLAT, estimate=0.6, ci_low=-0.1, ci_high=1.3, se=0.002, df=70.0, n=7000.0)
    findings = require(ALIKE, off)
    (said,) = say(findings)
    assert read(findings).loc["months_needed", "estimate"] <= 72
    assert "the 72 months there are would be enough for two sites that move alike" in said


def test_beyond_any_realistic_history_the_incidents_are_given():
    rare = replace(FLAT, ci_low=-30, ci_high=40, se=0.15, n=24.0)
    findings = require(ALIKE, rare)
    rows = read(findings)
    assert rows.loc["months_needed", "reason"] == "too_many_months"
    (said,) = say(findings)
    assert "no realistic number of months would be enough" in said
    assert f"about {format_count(rows.loc['incidents_needed', 'estimate'])} a month" in said


def test_a_single_month_is_planned_from_its_counts():
    """No trend can be estimated: se = sqrt(1/40 + 1/60) of the log ratio of a month."""
    short = Estimate("pre_trend", note="Few.", reason=Reason.TOO_FEW_MONTHS, unit="percent")
    sums = {"a": (40.0, 50.0), "c": (60.0, 30.0)}
    counted = [
        Finding("counts", "asb", site, Estimate("count", value), "", period)
        for site, values in sums.items()
        for period, value in zip(("before", "after"), values, strict=True)
    ]
    se = math.sqrt(1 / 40 + 1 / 50 + 1 / 60 + 1 / 30)
    paired = [
        Finding("counts", "asb", "a", estimate, "c", "change")
        for estimate in (Estimate("rirr", 2.5, se=se), Estimate("window_months", 1.0))
    ]
    checks = [Finding("panel", "asb", "a", e, "c", "before") for e in (ALIKE, short)]
    findings = tabulate_findings([*paired, *counted, *checks])
    findings = combine_findings([findings, compute_requirements(COHORT, findings)])
    rows = read(findings)
    assert rows["estimate"]["incidents_known"] == 100
    drift = (-math.log(0.9) / 12, math.log(1.1) / 12)
    needed = compute_months_needed(drift, 1 / 40 + 1 / 60, slope=True)
    assert rows["estimate"]["months_needed"] == needed
    assert rows.loc["incidents_needed", "reason"] == "too_few_months"
    assert "single_month" in rows.loc["months_needed", "flags"]
    takes = f"it takes at least {needed:.0f} months of counts before the start (there is 1)."
    assert takes in say(findings)[0]


def test_without_a_check_nothing_is_planned_but_the_lack_is_said():
    findings = require()
    assert (read(findings)["reason"] == "too_few_months").all()
    assert [text.count(":") for text in say(findings)] == [0, 0]


def test_only_outcomes_and_pairs_that_were_compared_are_asked_about():
    lost = Estimate("rirr", note="A count is 0.", reason=Reason.ZERO_COUNT)
    findings = require(ALIKE, FLAT, extra=[Finding("counts", "harm", "a", lost, "c", "change")])
    assert [*list_compared(findings, COHORT, "counts")] == ["asb"]
    assert len(say(findings)) == 1
    other = Finding("counts", "asb", "a", Estimate("rirr", 0.9), "c", "6+6")
    assert list_compared(tabulate_findings([other]), COHORT, "counts") == {}
    assert list_compared(findings, COHORT, "counts")["asb"] == [Pair(**REASONED)]


def test_hidden_counts_are_not_given_back():
    hidden = Estimate("pre_trend", note="Hidden: fewer than 5 incidents.", reason="small_count")
    findings = require(ALIKE, hidden)
    assert read(findings)["estimate"].isna().all()


def draw_incidents(rng, months, mean):
    span = list_months("2010-01", "2020-12")[-(months + 12) :]
    return make_incidents(span, {site: rng.poisson(mean, len(span)) for site in ("a", "c")})


def grade_drawn(rng, months, mean):
    incidents = draw_incidents(rng, months, mean)
    found = combine_findings(
        [compare_counts(incidents, COHORT), assess_comparability(incidents, COHORT)]
    )
    findings = combine_findings([found, compute_requirements(COHORT, found)])
    return findings, grade_evidence(COHORT, findings).level


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_identical_sites_reach_3_with_as_many_months_as_the_report_asked_for(seed):
    """A year of 60 incidents a month is too short; what it asks for does for most cohorts."""
    rng = np.random.default_rng(seed)
    findings, level = grade_drawn(rng, 12, 60)
    assert level == 2
    needed = int(read(findings).loc["months_needed", "estimate"])
    levels = [grade_drawn(rng, needed, 60)[1] for _ in range(12)]
    assert levels.count(3) >= 6


def test_the_trend_looks_at_as_many_months_as_may_be_asked_for():
    rng = np.random.default_rng(4)
    incidents = draw_incidents(rng, 100, 60)
    findings = assess_comparability(incidents, COHORT)
    trend = pick(findings, "pre_trend", "a")
    wide = incidents.sites.pivot(index="month", columns="site", values="count").iloc[:100]
    own = estimate_pre_trend(wide["a"], wide["c"], range(100))
    assert trend["estimate"] == pytest.approx(own.estimate)
    assert trend["df"] == 98


def test_every_number_of_the_sentences_stands_in_the_findings(durham_1, west_yorkshire):
    for evaluation in (durham_1, west_yorkshire):
        rows = evaluation.findings[evaluation.findings["section"].isin(["evidence", "panel"])]
        written = {
            write
            for value in rows["estimate"].dropna()
            for write in (format_count(value), format_number(value, 1), format_number(value, 2))
        }
        titles = [*evaluation.cohort.sites] + [s.title for s in evaluation.cohort.sites.values()]
        for text in evaluation.evidence.missing:
            for title in titles:
                text = text.replace(title, "")
            for number in re.findall(r"\d[\d,.]*\d|\d", text):
                assert number in written, text
