"""Answers weighted to population shares, and the comparisons that rest on them, against R."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import make_cohort, make_instrument, pick, read_reference

from sbwork.compare.surveys import compare_scales
from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.surveys import Responses
from sbwork.score.weights import rake
from sbwork.score.weights.targets import find_margins, weigh_responses, weight_answers
from sbwork.specs.cohort import Cohort, Weighting
from sbwork.specs.errors import InputError
from sbwork.stats import Flag
from sbwork.stats.cells import compute_kish_n, summarise_cell
from sbwork.stats.means import estimate_mean

SURVEY = 1e-8
"""Against R's survey, whose raking stops at 1e-13."""
SEARCH = 1e-6
"""Against ends of intervals that R finds by a search."""
ONE_SAMPLE = 0.02
"""How far the error of one sample of all cells lies from that of each cell by itself."""

R: dict[str, Any] = read_reference("raked_scales")
TARGETS = {"age": {"young": 0.30, "middle": 0.45, "old": 0.25}, "sex": {"f": 0.51, "m": 0.49}}
INSTRUMENT = make_instrument({"y": ["q"]}, most=7)
SIZES = (
    ("before", "a1", 61, 3, 0.0), ("after", "a1", 57, 7, 0.6), ("before", "a2", 48, 4, 0.2),
    ("after", "a2", 53, 2, 0.5), ("before", "c1", 72, 5, 0.1), ("after", "c1", 49, 9, 0.2),
)  # fmt: skip


def make_wave(wave: str, site: str, n: int, a: int, shift: float) -> pd.DataFrame:
    """Make the people of tests/reference/raked_scales.R by the same rule."""
    i = np.arange(1, n + 1)
    age = np.array(["young", "middle", "old"])[((i + i // (4 + a)) % 7) % 3]
    sex = np.where((i * 5 + i // 9 + a) % 11 > 6, "m", "f")
    full = 1 + ((a * i**2 + 5 * i) % 29) / 9 + shift + 0.8 * (age == "old") + 0.4 * (sex == "m")
    return pd.DataFrame(
        {
            "wave": wave, "site": site, "person": "", "age": age, "sex": sex,
            "weight": 0.5 + ((i * 13) % 17) / 10, "full": full,
            "y": np.where(i % 13 == a, np.nan, full),
        }
    )  # fmt: skip


def plan(**weighting: Any) -> Cohort:
    pairs = [("a1", "c1"), ("a2", "c1")]
    return make_cohort(pairs, weighting=weighting or {"targets": TARGETS})


def compare(answers: pd.DataFrame) -> pd.DataFrame:
    return compare_scales(answers, plan(), INSTRUMENT)


def weight(answers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return weight_answers(answers, plan().weighting)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.concat([make_wave(*size) for size in SIZES], ignore_index=True)


@pytest.fixture(scope="module")
def raked(people: pd.DataFrame) -> pd.DataFrame:
    return weight(people.assign(weight=1.0))[0]


def find(findings: pd.DataFrame, site: str, estimator: str, period: str = "change") -> pd.Series:
    return pick(findings, estimator, site, period)


def assert_agrees(findings: pd.DataFrame, wanted: dict[str, Any]) -> None:
    for site in ("a1", "a2", "c1"):
        for wave in ("before", "after"):
            row = find(findings, site, "mean", wave)
            expected = wanted[f"{site} {wave}"]
            assert row["estimate"] == pytest.approx(expected["estimate"], abs=SURVEY)
            assert row["se"] == pytest.approx(expected["se"], abs=SURVEY)
    for site, estimator, key in (
        ("a1", "mean_difference", "rise"),
        ("a1", "difference_in_differences", "did"),
        ("all", "difference_in_differences", "pooled"),
    ):
        row = find(findings, site, estimator)
        assert row["estimate"] == pytest.approx(wanted[key]["estimate"], abs=SURVEY)
        assert row["se"] == pytest.approx(wanted[key]["se"], abs=SURVEY)


def test_given_weights_agree_with_survey(people: pd.DataFrame) -> None:
    scores = people.assign(y=people["full"])
    assert_agrees(compare_scales(scores, plan(targets={}), INSTRUMENT), R["given"])
    for key, wanted in R["given_one_sample"].items():
        assert R["given"][key]["se"] == pytest.approx(wanted["se"], rel=ONE_SAMPLE)


def test_raked_weights_agree_with_survey(raked: pd.DataFrame) -> None:
    assert raked["weight"].to_numpy() == pytest.approx(R["weights"]["raked"], abs=SURVEY)
    findings = compare(raked)
    assert_agrees(findings, R["raked"])
    for wave in ("before", "after"):
        row = find(findings, "intervention", "mean", wave)
        own = [R["raked"][f"{site} {wave}"] for site in ("a1", "a2")]
        assert row["estimate"] == pytest.approx(np.mean([x["estimate"] for x in own]), abs=SURVEY)
        assert row["se"] == pytest.approx(math.hypot(*(x["se"] for x in own)) / 2, abs=SURVEY)
    g = find(findings, "a1", "did_hedges_g")
    seen = (g["estimate"], g["ci_low"], g["ci_high"])
    assert seen == pytest.approx(R["did_hedges_g"], abs=SEARCH)
    for key, wanted in R["raked_one_sample"].items():
        assert R["raked"][key]["se"] == pytest.approx(wanted["se"], rel=ONE_SAMPLE)


def test_people_of_several_sites_as_one_sample_agree_with_survey(raked: pd.DataFrame) -> None:
    margins = find_margins(raked, plan().weighting)
    assert margins is not None
    for group, members in (("intervention", ["a1", "a2"]), ("control", ["c1"])):
        for wave in ("before", "after"):
            rows = np.flatnonzero(raked["site"].isin(members) & (raked["wave"] == wave))
            chosen = raked.iloc[rows]
            mean = estimate_mean(
                summarise_cell(chosen["y"], chosen["weight"], margins.select(rows))
            )
            wanted = R["raked_groups"][f"{group} {wave}"]
            assert mean.estimate == pytest.approx(wanted["estimate"], abs=SURVEY)
            assert mean.se == pytest.approx(wanted["se"], abs=SURVEY)


def test_raking_of_given_weights_agrees_with_survey(people: pd.DataFrame) -> None:
    answers, _ = weight(people)
    # R keeps the sum of the weights of each cell, and so does raking from a mean of 1.
    assert answers["weight"].to_numpy() == pytest.approx(R["weights"]["raked_given"], abs=SURVEY)
    assert_agrees(compare(answers), R["raked_given"])


def test_every_figure_on_raked_weights_has_the_raked_error(raked: pd.DataFrame) -> None:
    findings = compare(raked)
    naive = compare(raked.drop(columns="base_weight"))
    names = ["mean_difference", "mean_difference_student", "difference_in_differences", "tost"]
    for name in names:
        ours, without = find(findings, "a1", name), find(naive, "a1", name)
        assert ours["estimate"] == without["estimate"]
        assert ours["se"] < 0.99 * without["se"], name
    for name in ("hedges_g", "did_hedges_g"):
        ours, without = find(findings, "a1", name), find(naive, "a1", name)
        assert ours["ci_high"] - ours["ci_low"] < 0.99 * (without["ci_high"] - without["ci_low"])
    did = find(findings, "a1", "difference_in_differences")
    tost = find(findings, "a1", "tost")
    assert tost["se"] / tost["estimate"] == pytest.approx(did["se"] / did["estimate"])


def test_smallest_detectable_difference_rests_on_kishs_n(raked: pd.DataFrame) -> None:
    found = find(compare(raked), "a1", "smallest_detectable_difference")
    sizes = [
        compute_kish_n(cell.loc[cell["y"].notna(), "weight"])
        for (site, _), cell in raked.groupby(["site", "wave"])
        if site in ("a1", "c1")
    ]
    assert found["estimate"] == pytest.approx(
        2.8015852 * math.sqrt(sum(1 / n for n in sizes)), rel=1e-6
    )
    assert found["n"] == sum(raked.loc[raked["site"].isin(["a1", "c1"]), "y"].notna())


def test_what_the_targets_fix_has_no_error(raked: pd.DataFrame) -> None:
    fixed = raked.assign(y=(raked["sex"] == "f") * 1.0)
    findings = compare(fixed)
    row = find(findings, "a1", "difference_in_differences")
    assert row["estimate"] == pytest.approx(0, abs=1e-9)
    assert row["se"] == 0
    assert math.isnan(row["p_value"])
    assert "population shares fix" in row["note"]
    assert "population shares fix" in find(findings, "a1", "did_hedges_g")["note"]


def test_coverage_of_raked_intervals() -> None:
    """95% intervals of a raked mean hold the truth; without the raking they would be too wide."""
    random = np.random.default_rng(5)
    draws, n, covered, plain = 1500, 90, 0, 0
    # 1.5 apart and half the population each: its mean is 3.75.
    for _ in range(draws):
        old = random.random(n) < 0.35
        y = 3 + 1.5 * old + random.normal(0, 0.7, n)
        frame = pd.DataFrame({"age": np.where(old, "old", "young")})
        weights = rake(frame, {"age": {"old": 0.5, "young": 0.5}})
        ours = estimate_mean(summarise_cell(y, weights.weights, weights.list_margins()))
        naive = estimate_mean(summarise_cell(y, weights.weights))
        covered += ours.ci_low <= 3.75 <= ours.ci_high
        plain += naive.ci_low <= 3.75 <= naive.ci_high
    # Three standard errors of a share of 1,500 draws, and the n - 1 of a formula that spends two.
    assert covered / draws == pytest.approx(0.95, abs=0.02)
    assert plain / draws > 0.98


def test_answers_are_weighted_by_site_and_wave(people: pd.DataFrame) -> None:
    before = people.copy(deep=True)
    weighted, found = weight(people)
    pd.testing.assert_frame_equal(people, before)
    assert (weighted["base_weight"] == people["weight"]).all()
    for _, cell in weighted.groupby(["site", "wave"]):
        assert cell["weight"].mean() == pytest.approx(1)
        assert np.average(cell["sex"] == "f", weights=cell["weight"]) == pytest.approx(0.51)
    cell = people[(people["site"] == "c1") & (people["wave"] == "after")]
    rows = found[(found["site"] == "c1") & (found["period"] == "after")]
    rows = rows.set_index(["outcome", "estimator"])
    assert rows.loc[("age/old", "share_before"), "estimate"] == pytest.approx(
        np.average(cell["age"] == "old", weights=cell["weight"])
    )
    assert rows.loc[("age/old", "share_before"), "n"] == (cell["age"] == "old").sum()
    assert rows.loc[("weight", "n_eff"), "estimate"] == pytest.approx(
        compute_kish_n(weighted.loc[cell.index, "weight"])
    )


def test_every_mistake_is_named_at_once_with_its_key(people: pd.DataFrame) -> None:
    targets = {
        "age": {"young": 0.5, "midle": 0.3, "old": 0.2},
        "gender": {"f": 0.5, "m": 0.5},
        "sex": {"f": 0.5, "m": 0.5},
    }
    answers = people.copy()
    answers.loc[answers["site"].eq("c1") & answers["wave"].eq("before"), "sex"] = "f"
    with pytest.raises(InputError) as refused:
        weight_answers(answers, Weighting(targets=targets))
    lines = str(refused.value).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(
        "cohort.yml, key 'weighting.targets.age': the answers hold 'middle', and no share is given"
    )
    assert "Did you mean 'midle'?" in lines[0]
    assert "nobody is in 'midle'" in lines[1]
    assert "Did you mean 'middle'?" in lines[1]
    assert "key 'weighting.targets.gender': the answers hold no column 'gender'" in lines[2]
    assert "kept now: 'age', 'sex'" in lines[2]
    assert "key 'weighting.targets.sex': nobody is in 'm' at 'c1 before'" in lines[3]


def test_targets_that_contradict_each_other_are_refused_unless_trimmed() -> None:
    rows = [("x", "u"), ("y", "u"), ("y", "v")] * 5
    answers = pd.DataFrame(rows, columns=["a", "b"]).assign(wave="after", site="n", weight=1.0)
    targets = {"a": {"x": 0.6, "y": 0.4}, "b": {"u": 0.3, "v": 0.7}}
    with pytest.raises(InputError, match="can't all be met at once at 'n' after"):
        weight_answers(answers, Weighting(targets=targets))
    weighted, found = weight_answers(answers, Weighting(targets=targets, trim=(0.3, 3.0)))
    assert weighted["weight"].between(0.3 - 1e-9, 3 + 1e-9).all()
    note = found.loc[found["estimator"] == "n_eff", "note"].iloc[0]
    assert "do not reach every target" in note
    assert "held at a limit" in note
    flags = found.loc[found["estimator"] == "n_eff", "flags"].iloc[0]
    assert flags.split() == [Flag.TARGETS_MISSED, Flag.WEIGHTS_LIMITED]


def test_people_without_a_category_keep_their_share(people: pd.DataFrame) -> None:
    answers = people.assign(weight=1.0)
    answers.loc[answers.index % 10 == 0, "age"] = " "
    answers.loc[answers.index % 11 == 0, "sex"] = "Prefer not to say"
    weighting = Weighting(targets=TARGETS, no_target=("prefer not to say",))
    weighted, found = weight_answers(answers, weighting)
    for (site, wave), cell in weighted.groupby(["site", "wave"]):
        blank = cell["age"] == " "
        share = np.average(blank, weights=cell["weight"])
        assert share == pytest.approx(blank.mean())
        others = cell[~blank]
        assert np.average(others["age"] == "old", weights=others["weight"]) == pytest.approx(0.25)
        rows = found[(found["site"] == site) & (found["period"] == wave)]
        row = rows[(rows["outcome"] == "age/no answer") & (rows["estimator"] == "share_after")]
        assert row["estimate"].iloc[0] == pytest.approx(blank.mean())
        assert "sex/prefer not to say" in set(rows["outcome"])
    margins = find_margins(weighted, weighting)
    assert margins is not None
    assert len(np.unique(margins.categories[:, 0])) == 6 * 4


def test_case_and_spacing_of_a_category_count_for_nothing(people: pd.DataFrame) -> None:
    loud = people.assign(age=np.where(people.index % 2, people["age"].str.upper(), people["age"]))
    ours, _ = weight(loud)
    theirs, _ = weight(people)
    assert (ours["weight"] == theirs["weight"]).all()
    found = [compare(one)["se"] for one in (ours, theirs)]
    assert found[0].to_numpy() == pytest.approx(found[1].to_numpy(), nan_ok=True)


def test_a_given_weight_of_zero_leaves_a_person_out(people: pd.DataFrame) -> None:
    zero = people.assign(weight=people["weight"].where(people.index % 5 > 0, 0.0))
    weighted, found = weight(zero)
    assert (weighted["weight"].eq(0) == zero["weight"].eq(0)).all()
    fewer = zero[zero["weight"] > 0].reset_index(drop=True)
    alone, _ = weight(fewer)
    assert weighted.loc[weighted["weight"] > 0, "weight"].to_numpy() == pytest.approx(
        alone["weight"].to_numpy()
    )
    ours = compare(weighted)
    theirs = compare(alone)
    assert ours["se"].to_numpy() == pytest.approx(theirs["se"].to_numpy(), nan_ok=True)
    nobody = people.assign(weight=people["weight"].where(people["site"] != "c1", 0.0))
    _, found = weight(nobody)
    row = found[(found["site"] == "c1") & (found["estimator"] == "n_eff")].iloc[0]
    assert math.isnan(row["estimate"])
    assert "weight is 0" in row["note"]


def test_given_weights_alone_are_described(people: pd.DataFrame) -> None:
    same, found = weight_answers(people, Weighting())
    assert same is people
    assert set(found["estimator"]) == {"n_eff", "largest_weight"}
    cell = people[(people["site"] == "a1") & (people["wave"] == "before")]["weight"]
    row = found[(found["site"] == "a1") & (found["period"] == "before")].set_index("estimator")
    assert row.loc["n_eff", "estimate"] == pytest.approx(compute_kish_n(cell))
    assert row.loc["largest_weight", "estimate"] == pytest.approx(cell.max() / cell.mean())
    assert weight_answers(people.assign(weight=1.0), Weighting())[1].empty
    assert weight(people.iloc[:0])[1].empty


def test_a_kept_column_may_not_take_our_name_nor_a_share_be_of_an_item(people) -> None:
    with pytest.raises(InputError, match="may not be called 'base_weight'"):
        weight(people.assign(base_weight="x"))
    with pytest.raises(InputError, match="no column 'y' of categories"):
        weight_answers(people, Weighting(targets={"y": {"1": 0.5, "2": 0.5}}))


def test_quality_lists_what_was_done(people: pd.DataFrame) -> None:
    blank = people.copy()
    blank.loc[blank.index[:4], "age"] = ""
    blank.loc[blank.index[::12], "sex"] = ""
    blank.loc[blank.index[5:17], "weight"] = 0.0
    nothing = pd.DataFrame()
    quality = tabulate_lines([("f", Check(CheckKind.READ, "c", 1.0))])
    responses = Responses(blank, nothing, nothing, nothing, nothing, nothing, quality)
    weighted, findings = weigh_responses(responses, plan())
    checks = weighted.quality.set_index("check")
    counts, notes = checks["count"].to_dict(), checks["note"].to_dict()
    assert counts["answers weighted"] == len(people) - 12
    assert "'age', 'sex'" in notes["answers weighted"]
    assert counts["left out: weight of 0"] == 12
    assert math.isnan(counts["no answer under 'age'"])
    assert "fewer than 10" in notes["no answer under 'age'"]
    assert counts["no answer under 'sex'"] == (blank["sex"] == "").sum()
    assert len(quality) == 1
    assert "base_weight" in weighted.answers
    assert (findings["section"] == "weights").all()
    plain = Responses(
        people.assign(weight=1.0), nothing, nothing, nothing, nothing, nothing, quality
    )
    same, none = weigh_responses(plain, plan(targets={}))
    assert same.quality is quality
    assert none.empty
