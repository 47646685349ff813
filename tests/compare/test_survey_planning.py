"""Surveys planned, against R's power.t.test and formulas written out in tests/reference."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.compare.survey_planning import SURVEY_PLAN_COLUMNS, measure_survey, plan_survey
from sbwork.specs.errors import InputError
from sbwork.stats import Reason

EXACT = 1e-8
"""The same formulas with two searches for the noncentrality."""
PRINTED = 2e-3
"""t in place of the normal, of which the methods print .457 at 150 a cell."""

R = read_reference("survey_plan")
PANEL = {"waves": "same people"}
LINKED = {
    "r5_n150": {"respondents": 150, "correlation": 0.5},
    "r75_n50": {"respondents": 50, "correlation": 0.75},
    "r75_n400_power9": {"respondents": 400, "correlation": 0.75, "power": 0.9},
    "r5_n150_holm4": {"respondents": 150, "correlation": 0.5, "tests": 4},
    "clusters": {"respondents": 150, "correlation": 0.5, "cluster_size": 10, "icc": 0.05},
}
OTHERS = {
    "n50": {"respondents": 50},
    "n150": {"respondents": 150},
    "n400_pairs4": {"respondents": 400, "pairs": 4},
    "clusters": {"respondents": 150, "cluster_size": 10, "icc": 0.05},
    "weights": {"respondents": 150, "weighting_effect": 1.5},
    "shock": {"respondents": 150, "pairs": 2, "area_shock_sd": 0.1},
    "shock_holm4": {"respondents": 400, "pairs": 2, "area_shock_sd": 0.05, "tests": 4},
    "unequal": {"respondents": (150, 100, 80, 120), "pairs": 2},
    "attrition": PANEL | {"respondents": 150, "correlation": 0.6, "attrition": 0.3},
    "refreshed": PANEL
    | {"respondents": 150, "correlation": 0.6, "attrition": 0.3, "refresh": True},
}


@pytest.mark.parametrize("name", LINKED)
def test_change_scores_are_planned_as_by_power_t_test(name):
    plan = plan_survey(pairs=1, **PANEL, **LINKED[name])
    assert plan.difference == pytest.approx(R["linked"][name], abs=EXACT)


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("needed_r5", {"difference": 0.3, "correlation": 0.5}),
        ("needed_r75_holm4", {"difference": 0.2, "correlation": 0.75, "tests": 4}),
    ],
)
def test_respondents_needed_are_those_of_power_t_test(name, choices):
    assert plan_survey(pairs=1, **PANEL, **choices).respondents == R["linked"][name]


@pytest.mark.parametrize("name", OTHERS)
def test_other_designs_are_as_written_out_in_r(name):
    plan = plan_survey(**{"pairs": 1} | OTHERS[name])
    assert plan.difference == pytest.approx(R["others"][name]["difference"], abs=EXACT)
    assert plan.answer["df"] == pytest.approx(R["others"][name]["df"])
    assert plan.answer["estimate"] == plan.difference


def test_the_methods_own_value_at_150_a_cell():
    assert plan_survey(respondents=150, pairs=1).difference == pytest.approx(0.457, abs=PRINTED)
    assert R["normal"] == pytest.approx(0.457, abs=PRINTED / 2)


DESIGNS = st.fixed_dictionaries(
    {
        "pairs": st.integers(1, 6),
        "area_shock_sd": st.sampled_from([0.0, 0.03, 0.2]),
        "tests": st.sampled_from([1, 4]),
        "weighting_effect": st.sampled_from([1.0, 1.7]),
    },
    optional={
        "same": st.fixed_dictionaries(
            {"correlation": st.floats(-0.5, 0.95), "attrition": st.floats(0, 0.8)},
            optional={"refresh": st.booleans()},
        ),
        "grouped": st.fixed_dictionaries(
            {"cluster_size": st.floats(1.5, 30), "icc": st.floats(0, 1)}
        ),
    },
)


@settings(deadline=None, max_examples=60)
@given(DESIGNS, st.floats(0.05, 2))
def test_no_fewer_would_do_and_where_none_do_more_pairs_would(design, difference):
    same, grouped = design.pop("same", None), design.pop("grouped", {})
    choices = design | grouped | (PANEL | same if same else {})
    plan = plan_survey(difference=difference, sizes=[100], numbers=[1], **choices)
    if not math.isnan(plan.respondents):
        assert plan.design.find_difference(plan.respondents) <= difference
        if plan.respondents - 1 >= plan.design.fewest:
            assert plan.design.find_difference(plan.respondents - 1) > difference
        return
    assert plan.answer["reason"] == Reason.TOO_FEW_PAIRS
    assert "cannot be reached with any number of respondents" in plan.answer["note"].lower()
    (fewest,) = plan.findings.query("estimator == 'pairs_needed'")["estimate"]
    with_more = plan_survey(difference=difference, **choices | {"pairs": int(fewest)})
    assert not math.isnan(with_more.respondents)
    with_fewer = plan_survey(difference=difference, **choices | {"pairs": int(fewest) - 1})
    assert math.isnan(with_fewer.respondents)


def test_no_number_of_respondents_buys_an_area_shock_away():
    plan = plan_survey(respondents=10**8, area_shock_sd=0.1)
    (ever,) = plan.findings.query("estimator == 'smallest_difference_ever'")["estimate"]
    assert ever == pytest.approx(R["floor"], abs=EXACT)
    assert plan.difference == pytest.approx(ever, rel=1e-5)


def test_a_design_without_losses_clusters_weights_or_shock_is_the_plain_one():
    plain = plan_survey(respondents=100).difference
    whole = {"cluster_size": 1, "icc": 0.3, "weighting_effect": 1, "sizes": 50, "numbers": 1}
    assert plan_survey(respondents=100, **whole).difference == plain
    assert plan_survey(respondents=[100] * 4).difference == pytest.approx(plain)
    assert plan_survey(
        respondents=100, **PANEL, correlation=0.0, attrition=0.5, refresh=True
    ).difference == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    ("choices", "ends"),
    [
        ({}, (150, 500, 500, 1200)),
        (PANEL | {"correlation": 0.5, "attrition": 0.2}, (120, 500, 150, 1080)),
        (PANEL | {"correlation": 0.5, "attrition": 0.2, "refresh": True}, (150, 500, 250, 1200)),
    ],
)
def test_the_table_counts_who_answers_is_invited_and_what_it_costs(choices, ends):
    plan = plan_survey(
        respondents=150, response_rate=0.3, cost_per_interview=12, sd=0.8, numbers=[2, 5], **choices
    )
    assert tuple(plan.table) == SURVEY_PLAN_COLUMNS
    assert set(plan.table["pairs"]) == {2, 5}
    assert set(plan.table["area_shock_sd"]) == {0, 0.1}
    (row,) = plan.table.query("pairs == 2 and respondents == 150 and area_shock_sd == 0").to_dict(
        "records"
    )
    names = ("respondents_after", "invited", "invited_after", "interviews")
    assert tuple(row[name] for name in names) == pytest.approx(ends)
    assert row["cost"] == 12 * row["interviews"] == 12 * plan.answer["n"]
    assert row["points"] == pytest.approx(0.8 * plan.difference)


def test_sizes_too_small_for_two_clusters_are_left_out():
    plan = plan_survey(respondents=90, cluster_size=40, icc=0.05, sizes=[50, 79, 80, 200])
    assert sorted(set(plan.table["respondents"])) == [80, 90, 200]
    assert np.isfinite(plan.table["difference"]).all()


BAD = [
    *(("difference", value) for value in (-1, 0, math.nan, math.inf, "large", True, 1 + 1j)),
    *(("respondents", value) for value in (-5, 0, 1, 2.5, math.nan, "many", [], [100, None])),
    *(("pairs", value) for value in (0, -1, 1.5, None, math.nan)),
    *(("waves", value) for value in ("same", None, 2)),
    *(("correlation", value) for value in (1, -1, 1.2, math.nan)),
    *(("attrition", value) for value in (1, -0.1, math.nan, None)),
    *(("cluster_size", value) for value in (0, 0.5, math.inf)),
    *(("icc", value) for value in (-0.01, 1.01, math.nan)),
    *(("weighting_effect", value) for value in (0.9, math.nan)),
    *(("area_shock_sd", value) for value in (-0.1, math.nan, None)),
    *(("tests", value) for value in (0, 1.5)),
    *(("power", value) for value in (0, 1, 80, math.nan, 0.05)),
    *(("alpha", value) for value in (0, 1, math.nan)),
    *(("sd", value) for value in (0, -1, math.nan)),
    *(("response_rate", value) for value in (0, 1.1, math.nan)),
    *(("cost_per_interview", value) for value in (-1, math.nan)),
    *(("sizes", value) for value in ([], [0], "50", 3.5)),
    *(("numbers", value) for value in ([], [0], None)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_gives_one_message_that_names_it(name, value):
    beside = {"cluster_size": {"icc": 0.1}, "icc": {"cluster_size": 10}}.get(name, {})
    if name in ("correlation", "attrition"):
        beside = PANEL | {"correlation": 0.5}
    asked = {} if name in ("difference", "respondents") else {"difference": 0.3}
    with pytest.raises(InputError) as refused:
        plan_survey(**asked | beside | {name: value})
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"plan_survey, {name}: ")
    assert "given" in line


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "difference and respondents: neither is given"),
        ({"difference": 0.3, "respondents": 100}, "difference and respondents: both are given"),
        ({"difference": 0.3} | PANEL, "correlation: it is not given"),
        ({"difference": 0.3, "correlation": 0.5}, "different people answer each wave"),
        ({"difference": 0.3, "attrition": 0.5}, "different people answer each wave"),
        ({"difference": 0.3, "refresh": True}, "different people answer each wave"),
        ({"difference": 0.3, "icc": 0.1}, "'cluster_size' is not given beside it"),
        ({"difference": 0.3, "cluster_size": 10}, "'icc' is not given beside it"),
        ({"respondents": [100, 200]}, "2 numbers are given for 2 pairs of sites"),
        ({"respondents": 15, "cluster_size": 10, "icc": 0.1}, "At least 20 in each site"),
        ({"difference": 0.3, "waves": "same poeple"}, "Did you mean 'same people'?"),
    ],
)
def test_what_does_not_go_together_is_refused(choices, words):
    with pytest.raises(InputError, match=words.replace("?", r"\?")):
        plan_survey(**choices)


def make_scores() -> pd.DataFrame:
    """Make the survey of survey_plan.R."""
    cells = [
        pd.DataFrame({"k": np.arange(24)}).assign(cell=cell, site=f"s{cell // 2}")
        for cell in range(4)
    ]
    rows = pd.concat(cells, ignore_index=True)
    k, cell = rows["k"], rows["cell"]
    newcomer = (k % 4 == 0) & (cell % 2 == 1)
    return rows.assign(
        wave=np.where(cell % 2, "after", "before"),
        cluster=cell.astype(str) + " " + (k**2 % 7).astype(str),
        trust=1 + (k**2 % 7) / 4 + ((k**2 % 7) * 5 + k * 11 + cell * 3) % 17 / 8,
        weight=1.0 + k % 3,
        person=np.where(newcomer, "new ", "") + k.astype(str),
    )


def test_an_earlier_survey_is_measured_as_by_r():
    measured = measure_survey(make_scores(), "trust")
    expected = R["measured"] | {"attrition": 0.25, "refresh": True, "waves": "same people"}
    assert measured == pytest.approx(expected, abs=EXACT)
    assert plan_survey(difference=0.3, **measured).respondents > 0


def test_what_an_earlier_survey_does_not_show_is_left_out():
    scores = make_scores().assign(person="", weight=1.0)
    assert set(measure_survey(scores, "trust")) == {
        "sd", "weighting_effect", "cluster_size", "icc",
    }  # fmt: skip
    plain = measure_survey(scores.drop(columns="cluster"), "trust")
    assert plain == {"sd": pytest.approx(R["measured"]["sd"]), "weighting_effect": 1.0}
    missing = scores.assign(trust=scores["trust"].where(scores["k"] > 3), cluster="")
    assert set(measure_survey(missing, "trust")) == set(plain)


@pytest.mark.parametrize(
    ("scores", "scale", "words"),
    [
        (make_scores(), "turst", "Did you mean 'trust'?"),
        (make_scores().head(9), "trust", "too few people"),
        (make_scores().assign(trust=3.0), "trust", "have the same"),
        (make_scores().assign(weight=0.0), "trust", "too few people"),
    ],
)
def test_a_survey_that_shows_nothing_is_refused(scores, scale, words):
    with pytest.raises(InputError) as refused:
        measure_survey(scores, scale)
    assert words in str(refused.value)


def test_power_promised_is_power_found(monkeypatch):
    """A small part of tests/studies/sim_survey_plan.py, within four standard errors."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "studies"))
    import sim_survey_plan as study

    for name in ("attrition .3", "shock .1"):
        (row,) = study.simulate(study.World(name), n=study.BATCH, seed=7)
        assert row["found"] == pytest.approx(row["promised"], abs=4 * math.sqrt(0.16 / row["n"]))
    sys.modules.pop("sim_survey_plan")
