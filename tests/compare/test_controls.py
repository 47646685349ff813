"""The search for control sites, the synthetic control, and what could be seen."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_by_hand import YEARS, join_incidents, make_cohort, make_incidents, pick

from sbwork.compare.areas import find_adjacent_areas, sum_populations
from sbwork.compare.controls import (
    BALANCE_COLUMNS,
    RANKING_COLUMNS,
    compare_synthetic,
    find_controls,
    plan_counts,
    trace_mixture,
)
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, has_flag, tabulate_findings

MONTHS = list_months("2016-01", "2017-12")
SEASON, FLAT = 1 + 0.4 * np.sin(2 * np.pi * np.arange(24) / 12), np.ones(24)
OUTCOMES = {
    "asb": {"title": "asb", "crime_types": ["Anti-social behaviour"]},
    "burglary": {"title": "burglary", "crime_types": ["Burglary"]},
}
SITE = [31 * SEASON, 12 * FLAT]
ARCHIVE = {
    "twin": [30 * SEASON, 12 * FLAT],
    "level": [90 * SEASON, 36 * FLAT],
    "trend": [30 * SEASON * (0.5 + np.arange(24) / 11), 12 * FLAT],
    "season": [30 * (2 - SEASON), 12 * FLAT],
    "mix": [12 * SEASON, 30 * FLAT],
    "next": [30 * SEASON, 12 * FLAT],
    "mine": [30 * SEASON, 12 * FLAT],
    "gap": [np.where(np.arange(24) == 3, np.nan, 30), 12 * FLAT],
    "silent": [30 * SEASON, 0 * FLAT],
}


def build(areas, site=None, *, periods=YEARS):
    """Build an archive: for each area one series an outcome; the site's own comes apart."""
    series = site or next(iter(areas.values()), ())
    outcomes = dict(list(OUTCOMES.items())[: len(series)])
    several = [
        make_incidents(
            MONTHS,
            {"site": site[k]} if site else {},
            {key: each[k] for key, each in areas.items()},
            {"mine": "site"},
            [f"Area {key}" for key in areas],
            outcome,
        )
        for k, outcome in enumerate(outcomes)
    ]
    sites = {"site": {}} if site else {}
    cohort = make_cohort((), sites=sites, outcomes=outcomes, periods=periods)
    return join_incidents(*several), cohort


def search(**options):
    return find_controls(*build(ARCHIVE, SITE), "site", neighbours=["next"], **options)


def test_the_twin_comes_first_and_each_aspect_counts():
    found = search()
    assert tuple(found.ranking.columns) == RANKING_COLUMNS
    assert found.ranking["area"].iloc[0] == "twin"
    assert set(found.ranking["area"]) == {"twin", "level", "trend", "season", "mix"}
    assert found.ranking["distance"].is_monotonic_increasing
    twin = found.ranking["distance"].iloc[0]
    assert (found.ranking["distance"].iloc[1:] > 5 * twin).all()
    assert found.left_out.set_index("reason")["areas"].to_dict() == {
        "Next to the site": 1,
        "Overlaps a site of the cohort": 1,
        "Some months are not covered by the files": 1,
        "No incident of one of the outcomes": 1,
    }


def test_only_months_before_the_start_are_looked_at():
    incidents, cohort = build(ARCHIVE, SITE)
    changed = incidents.areas.copy()
    changed.loc[changed["month"] >= "2017-01", "count"] *= 7
    one, other = (
        find_controls(each, cohort, "site").ranking
        for each in (incidents, replace(incidents, areas=changed))
    )
    pd.testing.assert_frame_equal(one, other)


def test_balance_in_plain_pandas():
    found = search()
    assert tuple(found.balance.columns) == BALANCE_COLUMNS
    row = found.balance.set_index(["area", "outcome", "feature"]).loc[("level", "asb", "level")]
    assert row["site_value"] == pytest.approx(31)
    assert row["control_value"] == pytest.approx(90)
    kept = [30, 90, ARCHIVE["trend"][0][:12].mean(), 30, 12, 31]
    spread = np.log(kept).std(ddof=1)
    assert row["standardised_difference"] == pytest.approx(math.log(90 / 31) / spread)
    listed = found.findings[found.findings["estimator"] == "standardised_difference"]
    unlike = listed[listed["estimate"].abs() > 0.25]
    assert unlike["note"].str.startswith("Unlike").all()
    assert len(unlike)


def test_population_counts_where_it_is_known():
    people = dict.fromkeys(["twin", "trend", "season", "mix", "site"], 1000.0) | {"level": 9000.0}
    assert "population" in set(search(populations=people).balance["feature"])
    without = search().findings
    missing = without[without["period"] == "population"]
    assert missing["estimate"].isna().all()
    assert missing["note"].str.contains("no population").all()


def test_an_area_can_be_looked_up_before_it_is_a_site():
    ranking = find_controls(*build(ARCHIVE, periods=None), "twin").ranking
    assert "twin" not in set(ranking["area"])
    assert ranking["area"].iloc[0] == "next"


@pytest.mark.parametrize("function", [find_controls, compare_synthetic, plan_counts])
def test_a_wrong_name_is_answered_with_the_nearest(function):
    with pytest.raises(InputError, match="Did you mean 'twin'"):
        function(*build(ARCHIVE), "twinn")


@pytest.mark.filterwarnings("error")
def test_an_archive_without_areas_says_so():
    found = find_controls(*build({}, SITE), "site")
    assert found.ranking.empty
    assert "no area" in found.findings["note"].iloc[0]
    for findings in (found.findings, compare_synthetic(*build({}, SITE), "site")):
        assert findings["estimate"].isna().all()
        assert set(findings["reason"]) == {Reason.TOO_FEW_AREAS}


def write_square(path, squares):
    features = []
    for code, name, (x, y) in squares:
        ring = [[x, y], [x + 0.01, y], [x + 0.01, y + 0.01], [x, y + 0.01], [x, y]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        properties = {"LSOA11CD": code, "LSOA11NM": name}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.mark.parametrize(
    ("group_by", "expected"), [("lsoa", {"E01000002"}), ("msoa", {"Town 001"})]
)
def test_neighbours_come_from_the_boundaries(tmp_path, group_by, expected):
    squares = [
        ("E01000001", "Town 002A", (-1.50, 54.5)),
        ("E01000002", "Town 001A", (-1.49, 54.5)),
        ("E01000003", "Town 001B", (-1.48, 54.5)),
        ("E01000004", "Town 003A", (-1.30, 54.5)),
    ]
    write_square(tmp_path / "map.geojson", squares)
    geography = {"boundaries": ["map.geojson"]}
    sites, placebo = {"site": {"lsoas": ["E01000001"]}}, {"group_by": group_by}
    cohort = make_cohort((), sites=sites, geography=geography, placebo=placebo)
    cohort._folder = tmp_path
    assert find_adjacent_areas(cohort, "site") == expected
    assert find_adjacent_areas(Cohort(name="pilot"), "site") is None


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("LSOA11NM", ("Town 001A", "Town 001B", "Town 002A")),
        ("msoa", ("Town 001",) * 2 + ("Town 002",)),
    ],
)
def test_populations_are_summed_by_area(tmp_path, column, names):
    rows = [
        f"E0100000{number},{name},{people}"
        for number, name, people in zip((1, 2, 3), names, (100, 50, 70), strict=True)
    ]
    (tmp_path / "lookup.csv").write_text("\n".join([f"LSOA11CD,{column},population", *rows]))
    columns = {"population": "population"} | ({"msoa": "msoa"} if column == "msoa" else {})
    geography = {"lookup": "lookup.csv", "lookup_columns": columns}
    cohort = make_cohort((), geography=geography, placebo={"group_by": "msoa"})
    cohort._folder = tmp_path
    assert sum_populations(cohort) == {"Town 001": 150.0, "Town 002": 70.0}


@pytest.mark.parametrize(
    ("unknown", "left_out"), [(["x3"], 1), ([f"x{k}" for k in range(4)], 0), (["site"], 0)]
)
def test_a_few_areas_of_unknown_population_are_left_out_and_many_are_not(unknown, left_out):
    *areas, site = np.random.default_rng(1).poisson(30, (21, 24))
    archive = {f"x{k}": [counts] for k, counts in enumerate(areas)}
    people = {place: 500.0 for place in ("site", *archive) if place not in unknown}
    found = find_controls(*build(archive, [site]), "site", populations=people)
    assert len(found.ranking) == 20 - left_out
    assert found.left_out["areas"].sum() == left_out
    assert not left_out or not set(unknown) & set(found.ranking["area"])


def test_a_mixture_has_the_sites_level_and_the_areas_course():
    areas = {"x": [np.repeat([10.0, 5.0], 12)], "y": [4 * FLAT]}
    weights = tabulate_findings(
        Finding("controls", "asb", "site", Estimate("synthetic_weight", 0.5, unit="share"), area)
        for area in areas
    )
    path = trace_mixture(*build(areas, [20 * FLAT]), weights)
    np.testing.assert_allclose(path["mixture_count"], np.repeat([20.0, 15.0], 12))
    assert (path["site_count"] == 20).all()


def mix(change=1.0, areas=24):
    rng = np.random.default_rng(8)
    site = rng.poisson(40 * SEASON)
    site[12:] = np.rint(site[12:] * change)
    pool = {f"x{k:02d}": [rng.poisson(40 * SEASON)] for k in range(areas)}
    return compare_synthetic(*build(pool, [site]), "site")


def test_a_site_that_fell_by_half_stands_out_from_its_mixture_and_a_steady_one_does_not():
    found = mix(change=0.5)
    assert pick(found, "synthetic_rmspe_ratio", "")["p_value"] == pytest.approx(1 / 25)
    assert pick(found, "synthetic_change", "")["estimate"] == pytest.approx(0.5, abs=0.1)
    weights = found[found["estimator"] == "synthetic_weight"]
    assert weights["estimate"].sum() == pytest.approx(1)
    assert len(weights) <= 12
    assert pick(mix(), "synthetic_rmspe_ratio", "")["p_value"] > 0.1


def test_too_few_areas_give_no_rank():
    rank = pick(mix(areas=10), "synthetic_rmspe_ratio", "")
    assert math.isnan(rank["p_value"])
    assert "Too few areas" in rank["note"]
    assert has_flag(rank, Flag.FEW_AREAS)
    assert has_flag(rank, Flag.NO_BOUNDARIES)


def test_plan_agrees_with_the_formula_and_more_is_never_worse():
    steady = plan_counts(*build({"a": [20 * FLAT]}), "a")
    plan = steady.set_index(["period", "comparison"])["estimate"]
    z = 1.959963984540054 + 0.8416212335729143
    expected = 100 * (math.exp(-z * math.sqrt(2 / 240 + 2 / 480)) - 1)
    assert plan["12+12", "2 controls"] == pytest.approx(expected)
    for length in ("6+6", "12+12", "18+18", "24+24"):
        assert plan[length].is_monotonic_increasing
        assert plan[length].is_unique
    assert plan["24+24", "1 control"] > plan["12+12", "1 control"] > plan["6+6", "1 control"]
    wild = plan_counts(*build({"a": [[2.0, 38.0] * 12]}), "a")
    assert wild["estimate"].iloc[0] < steady["estimate"].iloc[0]


@pytest.mark.filterwarnings("error")
def test_plan_of_an_area_without_incidents_says_so():
    plan = plan_counts(*build({"a": [0 * FLAT]}), "a")
    assert plan["estimate"].isna().all()
    assert plan["note"].str.startswith("Not computed").all()
