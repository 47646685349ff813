"""What leads: never a fixed effect, never the mean of one pair."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from sbwork.grade.headlines import find_headline
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, tabulate_findings


def ratio(
    section: str, estimator: str, site: str, value: float = 0.8, outcome: str = "asb"
) -> Finding:
    if math.isnan(value):
        missing = Estimate(estimator, note="Why.", reason=Reason.TOO_FEW_AREAS)
        return Finding(section, outcome, site, missing, "", "change")
    found = Estimate(estimator, value, value / 1.2, value * 1.2, unit="ratio")
    return Finding(section, outcome, site, found, "", "change")


def build(*findings: Finding) -> pd.DataFrame:
    pooled = [ratio("counts", name, "all", 0.7) for name in ("rirr_pooled_fixed", "rirr_pooled")]
    return tabulate_findings([*pooled, *findings])


TWO = [ratio("counts", "rirr", site) for site in "ab"]


def test_two_pairs_with_placebo_areas_are_led_by_these():
    found = find_headline(
        build(
            *TWO,
            ratio("counts", "rirr_pooled_bayes", "all", 0.75),
            ratio("placebo", "rirr_placebo", "a"),
            ratio("placebo", "rirr_placebo", "all", 0.77),
            ratio("placebo", "placebo_p", "all", 0.04),
        ),
        "asb",
    )
    assert found is not None
    assert (found.site, found.basis, found.ratio["estimate"]) == ("all", "placebo", 0.77)
    assert found.rank is not None
    assert found.rank["estimate"] == 0.04


def test_two_pairs_without_placebo_areas_are_led_by_random_effects():
    nan = float("nan")
    found = find_headline(
        build(
            *TWO,
            ratio("counts", "rirr_pooled_bayes", "all", 0.75),
            ratio("placebo", "rirr_placebo", "all", nan),
            ratio("placebo", "placebo_p", "all", nan),
        ),
        "asb",
    )
    assert found is not None
    assert (found.basis, found.ratio["estimator"]) == ("random effects", "rirr_pooled_bayes")
    assert found.rank is None


def test_fixed_effects_never_lead():
    assert find_headline(build(*TWO), "asb") is None


@pytest.mark.parametrize("placed", [True, False])
def test_one_computed_pair_leads_by_itself(placed):
    nan = float("nan")
    rows = [
        ratio("counts", "rirr", "a", 0.6),
        ratio("counts", "rirr", "b", nan),
        ratio("placebo", "rirr_placebo", "a", 0.6 if placed else nan),
        ratio("placebo", "rirr_placebo", "all", nan),
    ]
    found = find_headline(build(*rows), "asb")
    assert found is not None
    assert (found.site, found.basis) == ("a", "placebo" if placed else "pair")


def test_a_lone_site_is_led_by_its_rank_among_areas():
    rows = [
        ratio("counts", "rirr", "a", float("nan")),
        ratio("placebo", "rirr_placebo", "a", 0.9),
        ratio("placebo", "placebo_p", "a", 0.5),
    ]
    found = find_headline(build(*rows), "asb")
    assert found is not None
    assert (found.site, found.basis, found.excludes_no_change) == ("a", "placebo", False)


def test_another_outcome_or_window_is_not_taken():
    rows = [Finding("counts", "asb", "a", Estimate("rirr", 0.5, 0.4, 0.6), "b", "6+6")]
    assert find_headline(tabulate_findings(rows), "asb") is None
    assert find_headline(build(*TWO), "crime") is None


def test_confirmatory_outcomes_come_first_and_harm_last():
    outcome = {"title": "X", "crime_types": ["Burglary"]}
    cohort = Cohort.model_validate(
        {"name": "pilot", "outcomes": {"one": outcome, "two": outcome},
         "confirmatory_counts": ["two"], "harm_weights": "weights.csv"}
    )  # fmt: skip
    assert cohort.list_outcomes() == ("two", "one", "harm")
