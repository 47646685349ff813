from __future__ import annotations

import math
from typing import Any

import pytest
from causal_words import find_forbidden_words

from sbwork.grade.evidence import grade_evidence
from sbwork.render.evidence import list_limits
from sbwork.render.reasons import describe_reason, explain_missing
from sbwork.render.robustness import describe_robustness
from sbwork.render.summary import summarise_cohort
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, tabulate_findings


@pytest.fixture(params=["durham_1", "durham_2", "west_yorkshire"])
def evaluation(request):
    return request.getfixturevalue(request.param)


def summarise(evaluation) -> str:
    points = summarise_cohort(
        evaluation.cohort, evaluation.findings, evaluation.evidence, evaluation.instrument
    )
    return " ".join(points)


def test_the_summary_claims_no_more_than_its_level(evaluation):
    summary = summarise(evaluation)
    assert "\n" not in summary
    assert f"evidence of level {evaluation.evidence.level}" in summary
    assert find_forbidden_words(summary, evaluation.evidence.level) == []


def test_no_raw_number_slips_into_prose(evaluation):
    text = summarise(evaluation)
    assert "nan" not in text.lower().split()


def test_durham_1_says_what_is_invented_and_sets_areas_beside_controls(durham_1):
    summary = summarise(durham_1)
    assert summary.startswith("The data behind this report are invented")
    assert "−31% in Area 1 (its control site +5%)" in summary
    assert "−14% in Area 2 (its control site +39%)" in summary
    assert "social capital +0.15 (p = .010)" in summary
    assert "After adjustment none of the 4 is clear of no difference" in summary
    assert summary.index("beyond that in the control sites") < summary.index("p = .010")
    assert "changed alongside the work" in summary


def test_durham_2_says_the_figures_cannot_be_checked(durham_2):
    summary = summarise(durham_2)
    assert "ASB nuisance levels −74%, Motorcycle nuisance −97%" in summary
    assert "can't be checked" in summary


def test_limits_name_what_is_missing(durham_1, durham_2, west_yorkshire):
    def limits(evaluation):
        return " ".join(list_limits(evaluation.cohort, evaluation.findings, evaluation.evidence))

    assert "there is no control site" in limits(durham_2)
    assert "the rows behind this report are invented" in limits(durham_1)
    assert "none ran here" in limits(west_yorkshire)


COHORT = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {"title": "Ash"}, "b": {"title": "Birch"}},
        "pairs": [{"intervention": "a", "control": "b"}],
        "periods": {
            "before": {"start": "2018-01", "end": "2018-12"},
            "after": {"start": "2019-01", "end": "2019-12"},
        },
        "incidents": [{"path": "files"}],
    }
)


def change(outcome: str, value: float, note: str, site: str = "a") -> Finding:
    reason: Any = Reason.ZERO_COUNT if math.isnan(value) else ""
    estimate = Estimate("percentage_change", value, unit="percent", note=note, reason=reason)
    return Finding("counts", outcome, site, estimate, "", "change")


def test_the_summary_says_which_comparisons_rest_on_fewer_months():
    findings = tabulate_findings(
        [
            change("victim_based_crime", 8.0, ""),
            change("victim_based_crime", -9.0, "", "b"),
            change("asb", 3.0, ""),
            *(
                Finding("counts", outcome, "a", Estimate("window_months", months), "b", "change")
                for outcome, months in (("victim_based_crime", 6.0), ("asb", 12.0))
            ),
        ]
    )
    evidence = grade_evidence(COHORT, findings)
    summary = " ".join(summarise_cohort(COHORT, findings, evidence))
    assert (
        "Not all of these months could be compared: victim-based crime in Ash on 6 of 12 months "
        "on each side." in summary
    )


def test_no_change_is_told_where_none_was_computed():
    reason = "There is no count of Ash in the period after (2019-01 to 2019-12)."
    findings = tabulate_findings(
        [
            change("victim_based_crime", float("nan"), reason),
            change("asb", float("nan"), reason),
            Finding("panel", "asb", "a", Estimate("pre_level_ratio", 1.0), "b", "before"),
        ]
    )
    evidence = grade_evidence(COHORT, findings)
    summary = " ".join(summarise_cohort(COHORT, findings, evidence))
    assert "alongside" not in summary
    limits = list_limits(
        COHORT,
        findings,
        evidence,
        incomparable=["drugs of 'durham' in 2011-08: not published then"],
    )
    assert (
        f"How victim-based crime changed in Ash and anti-social behaviour (ASB) changed in Ash. "
        f"{reason}" in limits
    )
    assert "The whole of the periods. drugs of 'durham' in 2011-08: not published then." in limits


def study(months: dict[str, float], site: str = "a") -> list[Finding]:
    return [
        Finding(
            "panel",
            "asb",
            site,
            Estimate("event_study", value)
            if value == value
            else Estimate("event_study", note="Why.", reason=Reason.ZERO_COUNT),
            "b",
            month,
        )
        for month, value in months.items()
    ]


def test_a_picture_of_one_side_is_not_called_short_of_numbers():
    before = {f"{-number}": 1.0 for number in range(1, 9)}
    told = explain_missing(tabulate_findings(study(before)), "The picture", 6)
    assert told == "The picture is not drawn: there are numbers on one side of the start only."
    few = study({"-1": 1.0, "0": 1.0, "1": float("nan")}) + study({"-1": 1.0}, "c")
    told = explain_missing(tabulate_findings(few), "The picture", 6)
    assert "it takes at least 6 numbers, and no comparison has more than 2." in told
    assert told.endswith("Most often, a count of zero leaves no ratio.")


def test_every_reason_has_words():
    for reason in Reason:
        words = describe_reason(reason)
        assert words[0].islower()
        assert not words.endswith(".")


def panel(site: str, estimator: str, value: float, low: float, high: float, **more) -> Finding:
    estimate = Estimate(
        estimator, value, low, high, note="Note." if value != value else "", **more
    )  # a note that says nothing: sentences may not be made from it
    return Finding("panel", "asb", site, estimate, "x", "change")


NAN = float("nan")


def test_level_and_slope_of_the_interrupted_series_are_both_counted():
    rows = [
        panel("a", "its_level", 0.8, 0.5, 1.2, unit="ratio"),
        panel("a", "its_slope", 9.9, 1.1, 19.4, unit="percent"),
        panel("c", "its_level", 0.7, 0.5, 0.9, unit="ratio"),
        panel("c", "its_slope", 0.5, -1.1, 2.4, unit="percent"),
        panel("e", "its_level", NAN, NAN, NAN, reason=Reason.TOO_FEW_MONTHS),
        panel("e", "its_slope", NAN, NAN, NAN, reason=Reason.TOO_FEW_MONTHS),
        panel("a", "panel_quasipoisson", 0.9, 0.7, 1.1, unit="ratio"),
        panel("c", "panel_quasipoisson", 0.9, 0.8, 0.99, unit="ratio"),
        panel("e", "panel_quasipoisson", NAN, NAN, NAN, reason=Reason.ZERO_COUNT),
    ]
    described = describe_robustness(COHORT, tabulate_findings(rows))
    assert (
        "by the quasi-Poisson panel model in 1 of 2; by the interrupted time series in level in "
        "1 of 2 and in slope in 1 of 2." in described
    )
    assert "1 comparison has no quasi-Poisson model: a count of zero leaves no ratio." in (
        described
    )
    assert "1 comparison has no interrupted time series: there are too few months." in described


def test_drift_to_undo_it_is_said_as_found():
    values = {"a": 0.0, "c": 0.31, "e": 5.0}
    rows = [
        panel(
            site, "sensitivity_mbar", value, NAN, NAN,
            flags=(Flag.ABOVE_SEARCHED,) if value == 5 else (),
        )
        for site, value in values.items()
    ]  # fmt: skip
    described = describe_robustness(COHORT, tabulate_findings(rows))
    assert "clear of no change in 2 of 3 comparisons" in described
    assert "by 0.31 to more than 5.00 times the largest step" in described
    none = describe_robustness(COHORT, tabulate_findings(rows[:1]))
    assert "the interval takes in no change even without any drift." in none


def test_one_comparison_is_not_called_comparisons():
    trend = Finding("panel", "asb", "a", Estimate("pre_trend", 0.1, p_value=0.9), "b", "before")
    told = describe_robustness(COHORT, tabulate_findings([trend]))
    assert "In the one comparison the two did not clearly move differently" in told
