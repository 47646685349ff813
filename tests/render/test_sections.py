"""What the sections promise: words first, numbers shown or their absence explained."""

from __future__ import annotations

import itertools
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from causal_words import find_forbidden_words
from made_by_hand import publish
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from sbwork.grade.evidence import Evidence
from sbwork.grade.publishable import Publishable, PublishedIncidents
from sbwork.read.checks import CheckKind
from sbwork.read.places.outlines import SiteOutlines
from sbwork.render.blocks import Picture, Section
from sbwork.render.views import view
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate
from sbwork.stats.findings import Finding, tabulate_findings


def read(section: Section) -> str:
    html = re.sub(r"<style>.*?</style>|<img[^>]*>", " ", section._repr_html_(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture(scope="module")
def robust(durham_1) -> Section:
    return view(durham_1, "robustness")


def test_robustness_starts_with_a_paragraph_and_shows_both_pictures(robust):
    assert isinstance(robust.blocks[0], str)
    names = [picture.name for picture in robust.pictures]
    assert names == [
        "event-study-victim_based_crime",
        "event-study-asb",
        "specifications-victim_based_crime",
        "specifications-asb",
    ]
    assert all(re.search(r"\d\.\d\d", picture.alt) for picture in robust.pictures)


PAGE = (176 / 25.4, 200 / 25.4)
"""Inches across the page of a printed report, and the tallest picture that it prints."""


def make_curves(pairs: int) -> Publishable:
    """Make pairs with all specifications there can be: 5 windows, 3 controls, 5 models."""
    names = [f"p{k}" for k in range(pairs)]
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {key: {"title": f"The old harbour quarter and Northgate {key}"}
                      for name in names for key in (name, f"{name}-control")},
            "pairs": [{"intervention": name, "control": f"{name}-control"} for name in names],
            "periods": {"before": {"start": "2019-01", "end": "2021-12"},
                        "after": {"start": "2022-01", "end": "2024-12"}},
            "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}},
        }
    )  # fmt: skip
    draws = np.random.default_rng(1)
    windows = ("change", "6+6", "12+12", "18+18", "24+24")
    models = ("rirr", "panel_quasipoisson", "panel_nb2", "panel_quasipoisson_trend", "its_level")
    found = []
    for name in names:
        controls = (f"{name}-control", "all controls", "comparable areas")
        for window, control, model in itertools.product(windows, controls, models):
            log, wide = draws.normal(-0.2, 0.3), draws.uniform(0.2, 1) if window != "6+6" else 4
            ends = np.exp([log, log - wide, log + wide])
            estimate = Estimate(model, *map(float, ends), unit="ratio")
            found.append(Finding("specification", "asb", name, estimate, control, window))
    nothing = pd.DataFrame()
    incidents = PublishedIncidents(nothing, (), (), nothing, nothing)
    findings = tabulate_findings(found)
    return Publishable(cohort, None, findings, Evidence(1, (), ()), incidents, None)


def test_curves_of_many_pairs_go_on_on_further_pages_and_stay_readable_in_print():
    pictures = list(view(make_curves(3), "robustness").pictures)
    assert [picture.name for picture in pictures] == ["specifications-asb", "specifications-asb-2"]
    for picture in pictures:
        width, height = picture.figure.get_size_inches()
        shrink = PAGE[0] / width
        assert height * shrink <= PAGE[1]
        FigureCanvasAgg(picture.figure).draw()
        texts = [text for text in picture.figure.findobj(Text) if text.get_text().strip()]
        assert min(text.get_fontsize() for text in texts) * shrink >= 7
        box = picture.figure.bbox
        for text in texts:
            extent = text.get_window_extent()
            assert extent.x0 >= box.x0 - 1
            assert extent.x1 <= box.x1 + 1
    titles = [[ax.get_title(loc="left") for ax in picture.figure.axes] for picture in pictures]
    assert sum(title.endswith("ASB") for part in titles for title in part) == 3
    assert "75 specifications" in pictures[1].alt
    assert "p2" in pictures[1].alt
    assert "p1" not in pictures[1].alt
    assert "(2 of 2)" in pictures[1].caption
    limits = {ax.get_ylim() for picture in pictures for ax in picture.figure.axes[::2]}
    assert len(limits) == 1, "the pairs' curves stand on one scale"


def test_intervals_that_run_on_are_counted_in_the_caption():
    evaluation = make_curves(1)
    (picture,) = view(evaluation, "robustness").pictures
    rows = evaluation.findings
    low, high = rows["estimate"].min() / 2, rows["estimate"].max() * 2
    cut = int(((rows["ci_low"] < low) | (rows["ci_high"] > high)).sum())
    assert cut >= 15
    assert f"Arrowheads: {cut} of 75 intervals run on beyond the picture." in picture.caption
    clear = int(((rows["ci_low"] > 1) | (rows["ci_high"] < 1)).sum())
    assert f"{clear} with an interval clear of no change" in picture.alt


def test_robustness_claims_no_more_than_the_level(robust, durham_1):
    assert find_forbidden_words(read(robust), durham_1.evidence.level) == []


def test_the_table_holds_every_check_of_every_pair(robust, durham_1):
    shown = read(robust)
    rows = durham_1.findings.query("section == 'panel' and estimator == 'panel_quasipoisson'")
    for value in rows["estimate"]:
        assert f"{value:.2f}" in shown
    assert "not computed: once the model's terms are taken out" in shown


def test_shares_of_specifications_are_told(robust, durham_1):
    share = durham_1.findings.query(
        "estimator == 'specification_excludes_one' and site == 'area-1' and outcome == 'asb'"
    )["estimate"].iloc[0]
    assert f"and {100 * share:.0f}% have an interval clear of no change" in read(robust)


def test_too_few_months_give_sentences_in_place_of_pictures(west_yorkshire):
    section = view(west_yorkshire, "robustness")
    assert section.pictures == []
    shown = read(section)
    assert "The picture month by month is not drawn: it takes at least 6 numbers" in shown
    assert "The curve of specifications is not drawn" in shown
    reason = "one month on each side and two sites leave nothing to judge precision by"
    assert shown.count(f"not computed: {reason}") == 1


def test_without_counts_there_is_nothing_to_test(durham_2):
    (said,) = view(durham_2, "robustness").blocks
    assert "No incident file was given" in str(said)


def test_the_map_stands_beside_the_sites_where_boundaries_are_given(durham_1):
    assert view(durham_1, "evidence").pictures == []
    ring = np.array([[-1.6, 54.9], [-1.59, 54.9], [-1.59, 54.91], [-1.6, 54.9]])
    outlines = SiteOutlines(((ring,), (ring + 0.02,)), ("area-1", "area-1-control"))
    section = view(publish(durham_1, outlines=outlines), "evidence")
    (picture,) = section.pictures
    assert isinstance(picture, Picture)
    assert picture.name == "map"
    assert "Area 1 control site lies 2.6 km to the north-east" in picture.alt


def test_a_control_that_touches_is_told_on_the_map_in_the_quality_and_in_the_limits(durham_1):
    assert "it can't be said whether a control site touches" in read(view(durham_1, "quality"))
    ring = np.array([[-1.6, 54.9], [-1.59, 54.9], [-1.59, 54.91], [-1.6, 54.91], [-1.6, 54.9]])
    outlines = SiteOutlines(((ring,), (ring + np.array([0.01, 0]),)), ("area-1", "area-1-control"))
    touching = publish(durham_1, outlines=outlines)
    (picture,) = view(touching, "evidence").pictures
    border = "Area 1 control site shares about 1.1 km of border with Area 1, where the work is."
    assert border in picture.alt
    assert "Area 1 control site and Area 1. What is done" in picture.caption
    assert border in read(view(touching, "quality"))
    assert "touch an area that it may have come from" in read(view(touching, "limits"))
    assert "spill-over" not in read(view(durham_1, "limits"))


def test_an_invented_story_is_labelled(durham_2):
    story = durham_2.cohort.stories[0].model_copy(update={"invented": True})
    others = durham_2.cohort.stories[1:]
    cohort = durham_2.cohort.model_copy(update={"stories": (story, *others)})
    told = read(view(publish(durham_2, cohort=cohort), "stories"))
    assert told.count("staff (invented)") == 1
    assert "(invented)" not in read(view(durham_2, "stories"))


def test_methods_say_which_numbers_stand_in_the_results_and_which_do_not(durham_1):
    told = read(view(durham_1, "methods"))
    assert (
        "Every estimate, interval and p value of a site, a pair or a scale stands unrounded in"
        in told
    )
    assert "questions left blank, options ticked" in told
    counted = pd.concat([durham_1.incidents.quality, durham_1.responses.quality])
    read_rows = counted.loc[counted["kind"] == CheckKind.ROWS_READ, "count"]
    assert len(read_rows) > 1
    assert not durham_1.findings["estimate"].isin(read_rows).any()
    assert "Every number" not in told
