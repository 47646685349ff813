from __future__ import annotations

import pytest

from sbwork import narrative
from sbwork.cohort import Cohort
from sbwork.estimates import Estimate
from sbwork.evidence import find_forbidden_words, grade_evidence
from sbwork.results import Finding, tabulate_findings


@pytest.fixture(params=["durham_1", "durham_2", "west_yorkshire"])
def evaluation(request):
    return request.getfixturevalue(request.param)


def summarise(evaluation) -> str:
    return narrative.summarise_cohort(
        evaluation.cohort, evaluation.findings, evaluation.evidence, evaluation.instrument
    )


def test_the_summary_is_one_paragraph_that_claims_no_more_than_its_level(evaluation):
    summary = summarise(evaluation)
    assert "\n" not in summary
    assert f"evidence of level {evaluation.evidence.level}" in summary
    assert find_forbidden_words(summary, evaluation.evidence.level) == []


def test_no_raw_number_slips_into_prose(evaluation):
    text = summarise(evaluation)
    assert "nan" not in text.lower().split()


def test_durham_1_says_what_is_invented_and_sets_areas_beside_controls(durham_1):
    summary = summarise(durham_1)
    assert summary.startswith("The rows behind this report are invented")
    assert "−31% in Area 1 (its control site +5%)" in summary
    assert "−14% in Area 2 (its control site +39%)" in summary
    assert "p = .010" in summary
    assert "changed alongside the work" in summary


def test_durham_2_says_the_figures_cannot_be_checked(durham_2):
    summary = summarise(durham_2)
    assert "ASB nuisance levels −74%, Motorcycle nuisance −97%" in summary
    assert "can't be checked" in summary


def test_limits_name_what_is_missing(durham_1, durham_2, west_yorkshire):
    def limits(evaluation):
        return " ".join(
            narrative.list_limits(evaluation.cohort, evaluation.findings, evaluation.evidence)
        )

    assert "there is no control site" in limits(durham_2)
    assert "the rows behind this report are invented" in limits(durham_1)
    assert "none ran here" in limits(west_yorkshire)


GAP = "Compared on 6 of 12 months on each side: 2019-07 and 5 more are missing from the data."
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
    estimate = Estimate("percentage_change", value, unit="percent", note=note)
    return Finding("counts", outcome, site, estimate, "", "change")


def test_the_summary_says_which_months_were_left_out():
    findings = tabulate_findings(
        [
            change("victim_based_crime", 8.0, GAP),
            change("victim_based_crime", -9.0, GAP, "b"),
            change("asb", 3.0, ""),
        ]
    )
    summary = narrative.summarise_cohort(COHORT, findings, grade_evidence(COHORT, findings))
    assert (
        "Not all of these months could be compared: victim-based crime in Ash on 6 of 12 months "
        "on each side: 2019-07 and 5 more are missing from the data." in summary
    )
    assert summary.count("missing from the data") == 1


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
    summary = narrative.summarise_cohort(COHORT, findings, evidence)
    assert "alongside" not in summary
    limits = narrative.list_limits(
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
        Finding("panel", "asb", site, Estimate("event_study", value, note="Why."), "b", month)
        for month, value in months.items()
    ]


def test_a_picture_of_one_side_is_not_called_short_of_numbers():
    before = {f"{-number}": 1.0 for number in range(1, 9)}
    told = narrative.explain_missing(tabulate_findings(study(before)), "The picture", 6)
    assert told == "The picture is not drawn: there are numbers on one side of the start only."
    few = study({"-1": 1.0, "0": 1.0, "1": float("nan")}) + study({"-1": 1.0}, "c")
    told = narrative.explain_missing(tabulate_findings(few), "The picture", 6)
    assert "it takes at least 6 numbers, and no comparison has more than 2." in told
    assert told.endswith("Most often: Why.")


def test_one_comparison_is_not_called_comparisons():
    trend = Finding("panel", "asb", "a", Estimate("pre_trend", 0.1, p_value=0.9), "b", "before")
    told = narrative.describe_robustness(COHORT, tabulate_findings([trend]))
    assert "In the one comparison the two were not clearly moving apart" in told
