"""Invariance of scales across sites and waves, held against lavaan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import REFERENCE, make_cohort, make_instrument, read_reference

from sbwork.compare.invariance import assess_invariance, mark_invariance
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import combine_findings, find_row, has_flag, select_findings

FIT, ERROR = 1e-3, 1e-2
MEASURES = {"chi_square": "chisq", "cfi": "cfi", "rmsea": "rmsea", "srmr": "srmr"}

EXPECTED = read_reference("invariance")
COHORT = make_cohort([("a", "c")])
TESTS = (
    pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv", index_col="school").add(5).reset_index()
)
MADE = pd.read_csv(REFERENCE / "invariance.csv")


def name_places(site: Any, wave: Any, items: pd.DataFrame, person: Any = "") -> pd.DataFrame:
    places = pd.DataFrame({"site": site, "wave": wave, "person": person, "weight": 1.0})
    return pd.concat([places, items.reset_index(drop=True)], axis=1)


def read_tests() -> pd.DataFrame:
    """The schools as sites, odd and even rows as waves."""
    site = np.where(TESTS["school"] == "Pasteur", "a", "c")
    wave = np.where(np.arange(1, len(TESTS) + 1) % 2 == 1, "before", "after")
    return name_places(site, wave, TESTS.drop(columns="school"))


def read_made() -> pd.DataFrame:
    places = MADE["group"].str.split(" ")
    return name_places(places.str[0], places.str[1], MADE.drop(columns="group"))


def assess(
    answers: pd.DataFrame, cohort: Cohort = COHORT, most: int = 30, **scales: list[str]
) -> pd.DataFrame:
    return assess_invariance(answers, cohort, make_instrument(scales, most=most))


def find(findings: pd.DataFrame, **where: str) -> pd.Series:
    row = find_row(findings, **where)
    assert row is not None, where
    return row


def check_step(findings: pd.DataFrame, scale: str, step: str, expected: dict[str, float]) -> None:
    for estimator, name in MEASURES.items():
        row = find(findings, outcome=scale, comparison=step, estimator=estimator)
        assert row["estimate"] == pytest.approx(expected[name], abs=FIT), (step, estimator)
    row = find(findings, outcome=scale, comparison=step, estimator="rmsea")
    assert row["ci_low"] == pytest.approx(expected["rmsea.ci.lower"], abs=FIT)
    assert row["ci_high"] == pytest.approx(expected["rmsea.ci.upper"], abs=FIT)
    row = find(findings, outcome=scale, comparison=step, estimator="chi_square")
    assert row["df"] == expected["df"]
    if expected["df"]:
        assert row["p_value"] == pytest.approx(expected["pvalue"], rel=ERROR, abs=1e-7)


def test_steps_equal_lavaan() -> None:
    found = assess(
        read_tests(),
        visual=["x1", "x2", "x3"],
        four=["x1", "x2", "x3", "x4"],
        textual=["x4", "x5", "x6"],
    )
    for scale in ("visual", "four"):
        for step in ("configural", "metric", "scalar"):
            check_step(found, scale, step, EXPECTED[scale][step])
    check_step(found, "textual", "scalar", EXPECTED["textual"])
    change = find(found, outcome="visual", comparison="scalar", estimator="chi_square_difference")
    both = EXPECTED["visual"]
    assert change["estimate"] == pytest.approx(
        both["scalar"]["chisq"] - both["metric"]["chisq"], abs=FIT
    )
    assert change["df"] == 6


def test_latent_means_equal_lavaan() -> None:
    found = assess(read_tests(), textual=["x4", "x5", "x6"])
    row = find(found, estimator="latent_difference_in_differences", site="all")
    assert row["estimate"] == pytest.approx(EXPECTED["textual"]["est"], abs=1e-4)
    assert row["se"] == pytest.approx(EXPECTED["textual"]["se"], rel=ERROR)
    assert has_flag(find(found, estimator="invariance"), Flag.INVARIANT)


def test_one_question_answered_otherwise_is_freed() -> None:
    found = assess(read_made(), trust=["q1", "q2", "q3", "q4"], most=5)
    verdict = find(found, estimator="invariance")
    assert verdict["estimate"] == 2
    assert has_flag(verdict, Flag.PARTLY_INVARIANT)
    check_step(found, "trust", "scalar", EXPECTED["made"]["scalar"])
    check_step(found, "trust", "partial", EXPECTED["made_partial"])
    freed = select_findings(found, estimator="intercept_spread")
    assert freed["outcome"].tolist() == ["trust/q3"]
    assert freed["estimate"].iloc[0] == pytest.approx(0.7, abs=0.25)
    row = find(found, estimator="latent_difference_in_differences", site="all")
    assert row["estimate"] == pytest.approx(EXPECTED["made_partial"]["est"], abs=2e-4)
    assert row["se"] == pytest.approx(EXPECTED["made_partial"]["se"], rel=ERROR)


def test_linked_people_are_two_factors_with_correlated_residuals() -> None:
    site = np.where(TESTS["school"] == "Pasteur", "a", "c")
    person = [f"p{row}" for row in range(len(TESTS))]
    names = {f"x{j}": f"q{j}" for j in (1, 2, 3)} | {f"x{j + 3}": f"q{j}" for j in (1, 2, 3)}
    waves = [
        name_places(site, wave, TESTS[columns].rename(columns=names), person)
        for wave, columns in (("before", ["x1", "x2", "x3"]), ("after", ["x4", "x5", "x6"]))
    ]
    found = assess(pd.concat(waves, ignore_index=True), trust=["q1", "q2", "q3"])
    check_step(found, "trust", "metric", EXPECTED["linked_metric"])
    check_step(found, "trust", "scalar", EXPECTED["linked_scalar"])
    assert has_flag(find(found, estimator="invariance"), Flag.LINKED)


def test_small_sites_are_left_out_and_named() -> None:
    answers = read_made()
    few = answers[answers["site"].eq("c") & answers["wave"].eq("after")].index[29:]
    found = assess(answers.drop(few), trust=["q1", "q2", "q3", "q4"], most=5)
    verdict = find(found, estimator="invariance")
    assert "c after" in verdict["note"]
    assert verdict["n"] == 450
    row = find(found, estimator="latent_difference_in_differences", site="all")
    assert row["reason"] == Reason.TOO_FEW_PEOPLE


def spoil(kind: str) -> pd.DataFrame:
    answers = read_made()
    inside = answers["site"].eq("a") & answers["wave"].eq("after")
    if kind == "constant everywhere":
        return answers.assign(q1=3.0)
    if kind == "constant in one place":
        return answers.assign(q1=answers["q1"].mask(inside, 3.0))
    if kind == "twice the same question":
        return answers.assign(q1=answers["q2"], q3=answers["q2"], q4=answers["q2"])
    if kind == "hardly answered":
        some = np.random.default_rng(1).random((len(answers), 4)) < 0.95
        items = ["q1", "q2", "q3", "q4"]
        return answers.assign(**{q: answers[q].mask(some[:, j]) for j, q in enumerate(items)})
    if kind == "nobody counts":
        return answers.assign(weight=0.0)
    if kind == "three people":
        return answers.groupby(["site", "wave"]).head(3)
    return answers[answers["wave"] == "before"] if kind == "one wave" else answers[inside]


@pytest.mark.parametrize(
    "kind",
    [
        "constant everywhere",
        "constant in one place",
        "twice the same question",
        "hardly answered",
        "nobody counts",
        "three people",
        "one wave",
        "one place",
    ],
)
def test_bad_answers_give_a_reason_or_numbers(kind: str) -> None:
    found = assess(spoil(kind), trust=["q1", "q2", "q3", "q4"], most=5)
    assert not found.empty
    missing = found["estimate"].isna()
    assert found.loc[missing, "reason"].ne("").all()
    assert found.loc[missing, "note"].ne("").all()
    if kind == "one wave":
        assert find(found, estimator="invariance")["estimate"] == 3
    else:
        assert find(found, estimator="invariance")["reason"] != "" or kind == "hardly answered"


@pytest.mark.parametrize("items", [["q1"], ["q1", "q2"]])
def test_short_scales_cannot_be_tested(items: list[str]) -> None:
    found = assess(read_made(), trust=items, most=5)
    assert set(found["reason"]) == {Reason.TOO_FEW_ITEMS}


def test_comparisons_of_means_bear_the_verdict() -> None:
    from sbwork.compare.surveys import compare_scales
    from sbwork.score import score_scales

    instrument = make_instrument({"trust": ["q1", "q2", "q3", "q4"]})
    answers = read_made()
    scales = compare_scales(score_scales(answers, instrument), COHORT, instrument)
    marked = mark_invariance(
        combine_findings([scales, assess_invariance(answers, COHORT, instrument)])
    )
    row = find(marked, section="scales", estimator="difference_in_differences", site="all")
    assert has_flag(row, Flag.PARTLY_INVARIANT)
    assert not has_flag(find(marked, section="scales", estimator="n"), Flag.PARTLY_INVARIANT)
