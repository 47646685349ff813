from __future__ import annotations

import pytest

from sbwork import narrative
from sbwork.evidence import find_forbidden_words


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
