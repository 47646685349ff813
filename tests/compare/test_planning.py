"""What is shown of a plan: candidates, a mixture, the smallest detectable fall, the accuracy."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from made_by_hand import ASB, make_cohort, make_incidents
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sbwork.compare.controls import compare_synthetic, find_controls, plan_counts, trace_mixture
from sbwork.compare.simulation import World, simulate_counts
from sbwork.read.incidents import Incidents
from sbwork.render.accuracy import ESTIMATORS, draw_false_positives
from sbwork.render.blocks import Section
from sbwork.render.planning import (
    describe_mixture,
    draw_balance,
    draw_detectable,
)
from sbwork.render.style import INTERVENTION
from sbwork.render.views import view
from sbwork.specs.cohort import list_months
from sbwork.stats import Reason

MONTHS = list_months("2016-01", "2017-12")
COHORT = make_cohort([("site",)], titles={"site": "The Site"}, outcomes=ASB)


def build(areas: int, months: tuple[str, ...] = MONTHS) -> Incidents:
    rng, first = np.random.default_rng(3), MONTHS.index(months[0])
    season = 40 + 10 * np.sin(np.arange(first, first + len(months)) * np.pi / 6)
    near = {f"x{k}": rng.poisson(season) for k in range(areas)}
    names = [f"Ward {k}" for k in range(areas)]
    return make_incidents(months, {"site": rng.poisson(season)}, near, names=names)


@pytest.fixture(scope="module")
def incidents() -> Incidents:
    return build(24)


def read(section: Section) -> str:
    html = re.sub(r"<style>.*?</style>|<img[^>]*>", " ", section._repr_html_(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_candidates_are_ranked_by_name_with_balance_and_picture(incidents):
    search = find_controls(incidents, COHORT, "site")
    section = view(COHORT, "candidates", search=search)
    shown = read(section)
    best = search.ranking["name"].iloc[0]
    assert shown.startswith("24 areas could stand beside The Site")
    assert f"The most alike is {best}" in shown
    assert "ASB: trend, % a month" in shown
    assert "Residents are not compared" in shown
    assert not re.search(r"\bx\d", shown)
    (picture,) = section.pictures
    assert picture.alt.startswith(f"{best}, in standard deviations from the site")


def test_no_candidate_is_said_with_the_reason():
    empty = build(0)
    section = view(COHORT, "candidates", search=find_controls(empty, COHORT, "site"))
    assert section.pictures == []
    assert "No area can be ranked beside The Site: no area of the archive is left" in read(section)


def test_too_few_months_are_said():
    short = build(24, MONTHS[9:14])
    shown = read(view(COHORT, "candidates", search=find_controls(short, COHORT, "site")))
    assert "a trend needs 6" in shown
    assert "a season needs 12" in shown


def test_a_mixture_is_drawn_month_by_month_with_its_rank(incidents):
    mixture = compare_synthetic(incidents, COHORT, "site")
    traced = trace_mixture(incidents, COHORT, mixture)
    assert traced["month"].tolist() == list(MONTHS)
    before = traced[traced["period"] == "before"]
    assert before["mixture_count"].mean() == pytest.approx(before["site_count"].mean())
    names = {f"x{k}": f"Ward {k}" for k in range(24)}
    section = view(COHORT, "mixture", mixture=mixture, traced=traced, names=names)
    ratio = mixture.set_index("estimator").loc["synthetic_rmspe_ratio"]
    assert f"{ratio['estimate']:.2f} times as large (RMSPE ratio)" in read(section)
    assert f"p = {ratio['p_value']:.3f}".replace("0.", ".") in read(section)
    assert "Ward" in section.pictures[0].alt


def test_without_a_mixture_the_reason_stands_in_its_place():
    short = build(24, MONTHS[9:14])
    mixture = compare_synthetic(short, COHORT, "site")
    traced = trace_mixture(short, COHORT, mixture)
    assert traced.empty
    section = view(COHORT, "mixture", mixture=mixture, traced=traced)
    assert section.pictures == []
    assert "ASB: there is no mixture of areas. Not computed:" in read(section)


def test_sentences_on_a_mixture_come_from_data_and_not_from_notes(incidents):
    mixture = compare_synthetic(incidents, COHORT, "site")
    mute = mixture.assign(note="")
    assert describe_mixture(COHORT, mute, "asb") == describe_mixture(COHORT, mixture, "asb")
    few = compare_synthetic(build(10), COHORT, "site").assign(note="")
    assert "areas are too few to rank that among" in describe_mixture(COHORT, few, "asb")
    perfect = mute.copy()
    ratio = perfect["estimator"] == "synthetic_rmspe_ratio"
    perfect.loc[ratio, ["estimate", "p_value"]] = np.nan
    perfect.loc[ratio, "reason"] = Reason.NO_VARIATION
    told = describe_mixture(COHORT, perfect, "asb")
    assert "it can't be said how many times as large" in told
    assert "not available" not in told


def test_a_tiny_p_value_has_one_sign_of_comparison(incidents):
    mixture = compare_synthetic(incidents, COHORT, "site")
    mixture.loc[mixture["estimator"] == "synthetic_rmspe_ratio", "p_value"] = 0.0001
    assert "gives p < .001" in describe_mixture(COHORT, mixture, "asb")


def test_a_plan_shows_every_window_and_number_of_controls(incidents):
    plan = plan_counts(incidents, COHORT, "site", lengths=[6, 12], numbers=[1, 4])
    section = view(COHORT, "plan", plan=plan)
    shown = read(section)
    for value in plan["estimate"]:
        assert f"−{abs(value):.0f}%" in shown
    ax = Figure().subplots()
    draw_detectable(ax, plan, plan["estimate"].min())
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in drawn] == [[6, 12], [6, 12]]
    assert len({line.get_marker() for line in drawn}) == 2
    assert len({str(line._dash_pattern) for line in drawn}) == 2
    np.testing.assert_allclose(
        drawn[1].get_ydata(), plan[plan["comparison"] == "4 controls"]["estimate"]
    )


def test_the_most_similar_area_stands_out_in_the_love_plot():
    balance = pd.DataFrame(
        {
            "area": ["Near", "Near", "Far", "Far"],
            "outcome": ["asb", "asb", "asb", "asb"],
            "feature": ["level", "trend", "level", "trend"],
            "standardised_difference": [0.1, -0.2, 0.9, 0.5],
        }
    )
    ax = Figure().subplots()
    draw_balance(ax, balance, ["Level", "Trend"])
    marks = [found for found in ax.collections if len(found.get_offsets())]
    looks = {
        tuple(place): to_hex(colour)
        for found in marks
        for place, colour in zip(found.get_offsets(), found.get_facecolors(), strict=False)
    }
    own = {(0.1, 0.0), (-0.2, 1.0)}
    assert set(looks) == own | {(0.9, 0.0), (0.5, 1.0)}
    assert {place for place, colour in looks.items() if colour == INTERVENTION} == own


@pytest.fixture(scope="module")
def accuracy() -> pd.DataFrame:
    worlds = [World(phi=phi, drift=drift, n_areas=50) for drift in (0.0, 0.1) for phi in (1.0, 4.0)]
    return pd.concat([simulate_counts(world, n=20) for world in worlds])


def test_accuracy_is_told_in_words_in_a_table_and_in_a_picture(accuracy):
    section = view(accuracy, "accuracy")
    shown = read(section)
    assert "RIRR, Poisson interval: finds a change where there is none in" in shown
    assert set(accuracy["estimator"]) <= set(ESTIMATORS)
    assert "φ 4, drift 0.1" in shown
    (picture,) = section.pictures
    assert [ax.get_title(loc="left") for ax in picture.figure.axes] == [
        "Areas do not drift",
        "Areas drift by 10%",
    ]


def test_false_positives_are_drawn_where_they_are(accuracy):
    ax = Figure().subplots()
    rows = accuracy[accuracy["drift"] == 0]
    draw_false_positives(ax, rows, 0.5)
    drawn = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    expected = rows[rows["estimator"] == "placebo_p"].sort_values("phi")
    np.testing.assert_allclose(
        next(points for points in drawn if len(points)), expected[["phi", "false_positive"]]
    )
