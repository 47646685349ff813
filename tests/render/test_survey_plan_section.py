"""What is shown of a survey's plan: words, tables and curves, from its numbers alone."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest
from matplotlib.figure import Figure

from sbwork.compare.survey_planning import SurveyPlan, plan_survey
from sbwork.render.blocks import Table
from sbwork.render.survey_planning import draw_survey_sizes, list_assumptions, tabulate_survey_sizes
from sbwork.render.views import view
from sbwork.specs.cohort import Cohort

PANEL = {"waves": "same people", "correlation": 0.6}


def read(plan: SurveyPlan, cohort: Cohort | None = None) -> str:
    html = view(cohort, "survey_plan", plan=plan)._repr_html_()
    html = re.sub(r"<style>.*?</style>|<img[^>]*>", " ", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (
            {"respondents": 150, "sd": 0.5},
            "If 150 residents answer in each of 4 sites before, and 150 others after (1,200 "
            "interviews in all), a true difference of 0.32 SD (0.16 points) is found 8 times in 10",
        ),
        (
            {"difference": 0.4, "pairs": 1, "power": 0.85},
            "For a true difference of 0.40 SD (0.40 points) to be found 85 times in 100, 225 "
            "residents have to answer in each of 2 sites before",
        ),
        (
            {"respondents": 100, "attrition": 0.2} | PANEL,
            "100 residents answer in each of 4 sites before, and 80 of them again after (720",
        ),
        (
            {"respondents": 100, "attrition": 0.2, "refresh": True} | PANEL,
            "and 80 of them again with 20 newcomers after (800",
        ),
        ({"respondents": 100} | PANEL, "before, and the same again after (800"),
        (
            {"respondents": (200, 100, 60, 140)},
            "If 200, 100, 60 and 140 residents answer in the 4 sites before",
        ),
        (
            {"respondents": 100, "response_rate": 0.3, "cost_per_interview": 7.5},
            "If 30% of those invited answer, 334 have to be invited in each site before, and as "
            "many after. At 7.50 an interview that costs 6,000.",
        ),
        (
            {"difference": 0.25, "area_shock_sd": 0.1},
            "cannot be reached with any number of respondents: more areas are needed than 2 pairs "
            "of sites. Whole areas move by chance, and asking more residents of the same areas "
            "does not average that out. At least 6 pairs are needed. Residents who then have to "
            "answer in each site and wave: 515 with 6 pairs,",
        ),
        ({"difference": 0.25, "sd": 0.8}, "as if 20 of 100 residents in the intervention sites"),
        ({"difference": 0.5, "sd": 2.5}, "sites gave an answer 1 step higher and 25 of 100 one"),
        ({"difference": 0.5, "sd": 2}, "gave an answer 1 step higher, and nobody"),
        ({"difference": 0.001}, "as if fewer than 1 of 100 residents"),
        ({"difference": 5}, "moved further than answers from 1 to 5 have room for"),
    ],
)
def test_the_answer_is_said_in_words(choices, words):
    shown = read(plan_survey(**choices))
    assert words in shown
    assert "nan" not in shown.lower().replace("finance", "")
    assert "not available" not in shown


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "taken not to move by chance between the waves. They do, and how far is seldom known"),
        ({"area_shock_sd": 0.05}, "by 0.05 SD, which is taken as known: with 2 pairs of sites no"),
        ({"cluster_size": 10, "icc": 0.05}, "Because of that, 100 interviews tell as much as 69"),
        ({"weighting_effect": 1.25}, "Because of weights, 100 interviews tell as much as 80"),
        ({"tests": 4}, "p below 0.0125 (Holm's first step)"),
        ({"power": 0.975}, "still missed 25 times in 1,000"),
        (PANEL | {"attrition": 0.2}, "but for 20% who do not answer again; the two scores"),
    ],
)
def test_what_a_plan_rests_on_is_listed(choices, words):
    assert any(words in each for each in list_assumptions(plan_survey(respondents=99, **choices)))


def test_the_tables_hold_the_plan_and_its_neighbours():
    plan = plan_survey(difference=0.3, area_shock_sd=0.05, sizes=[100, 200], numbers=[1, 2, 4])
    sizes, pairs = (b for b in view(None, "survey_plan", plan=plan).blocks if isinstance(b, Table))
    answer = "Residents who answer"
    assert [row[answer] for row in sizes.rows] == ["100", "200", f"{plan.respondents} (this plan)"]
    assert sizes.rows[-1]["SD"] == "0.30"
    assert {"Invited", "Cost"}.isdisjoint(sizes.columns)
    needed = plan.findings.query("estimator == 'respondents_needed'")
    assert [row["Residents in each site and wave"] for row in pairs.rows] == [
        f"{n:,.0f}" for n in needed["estimate"]
    ]
    out_of_reach = plan_survey(difference=0.1, area_shock_sd=0.05)
    shown = read(out_of_reach)
    assert shown.count("no number is enough") == 3
    assert "(this plan)" not in shown


def test_unequal_sites_have_no_row_of_their_own():
    table = tabulate_survey_sizes(plan_survey(respondents=(200, 100, 60, 140)))
    assert not any("this plan" in row["Residents who answer"] for row in table.rows)


def test_the_curves_are_the_table_s_and_the_plan_a_star():
    plan = plan_survey(difference=0.3, area_shock_sd=0.05, numbers=[1, 2, 3, 4, 8])
    still, moved = (rows for _, rows in plan.table.groupby("area_shock_sd"))
    for rows, star in ((still, False), (moved, True)):
        ax = Figure().subplots()
        draw_survey_sizes(ax, plan, rows)
        _, labels = ax.get_legend_handles_labels()
        lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
        assert [p for p in labels if "pair" in p] == [f"{p} pairs of sites" for p in (2, 3, 4, 8)]
        assert ("This plan" in labels) is star
        drawn = rows[rows["pairs"] == 2]
        np.testing.assert_allclose(lines[0].get_xdata(), drawn["respondents"])
        np.testing.assert_allclose(lines[0].get_ydata(), drawn["difference"])
        assert len({line.get_marker() for line in lines}) == len(lines) == 4


def test_the_status_of_the_data_stands_on_a_plan_for_a_cohort():
    plan = plan_survey(difference=0.3)
    invented = Cohort(name="pilot", data_status="invented", notice="Made up.")
    (picture,) = view(invented, "survey_plan", plan=plan).pictures
    assert picture.alt.startswith("Invented data. For a true difference of 0.30 SD")
    (plain,) = view(None, "survey_plan", plan=plan).pictures
    assert plain.alt.startswith("For a true difference of 0.30 SD")
