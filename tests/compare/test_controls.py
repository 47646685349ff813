"""The search for control sites, the synthetic control, and what could be seen."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from sbwork.compare.areas import find_adjacent_areas, sum_populations
from sbwork.compare.controls import (
    BALANCE_COLUMNS,
    RANKING_COLUMNS,
    compare_synthetic,
    find_controls,
    plan_counts,
    trace_mixture,
)
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, has_flag, tabulate_findings

MONTHS = list_months("2016-01", "2017-12")
SEASON = 1 + 0.4 * np.sin(2 * np.pi * np.arange(24) / 12)


def build(areas, site=None, *, owners=None, periods=True, outcomes=("asb", "burglary"), **more):
    """Build an archive: for each area one series an outcome; the site's own comes apart."""
    kinds = {"asb": "Anti-social behaviour", "burglary": "Burglary"}
    text = {
        "name": "pilot",
        "sites": {"site": {}} if site is not None else {},
        "outcomes": {key: {"title": key, "crime_types": [kinds[key]]} for key in outcomes},
    }
    if periods:
        text["periods"] = {
            "before": {"start": "2016-01", "end": "2016-12"},
            "after": {"start": "2017-01", "end": "2017-12"},
        }
    cohort = Cohort.model_validate(text | more)

    def lay_out(series):
        return [
            (outcome, month, float(count))
            for outcome, counts in zip(outcomes, series, strict=True)
            for month, count in zip(MONTHS, counts, strict=True)
        ]

    sites = [("site", *row) for row in lay_out(site)] if site is not None else []
    rows = [
        (key, f"Area {key}", (owners or {}).get(key, ""), *row)
        for key, series in areas.items()
        for row in lay_out(series)
    ]
    columns = ["outcome", "month", "count"]
    return Incidents(
        pd.DataFrame(sites, columns=["site", *columns]),
        pd.DataFrame(rows, columns=["area", "name", "site", *columns]),
        MONTHS,
        (),
        pd.DataFrame(),
    ), cohort


def draw(levels, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.poisson(np.asarray(level) * np.ones(24)) for level in levels]


def make_archive():
    flat, t = np.ones(24), np.arange(24)
    return {
        "twin": [30 * SEASON, 12 * flat],
        "level": [90 * SEASON, 36 * flat],
        "trend": [30 * SEASON * (0.5 + t / 11), 12 * flat],
        "season": [30 * (2 - SEASON), 12 * flat],
        "mix": [12 * SEASON, 30 * flat],
        "next": [30 * SEASON, 12 * flat],
        "mine": [30 * SEASON, 12 * flat],
        "gap": [np.where(t == 3, np.nan, 30), 12 * flat],
        "silent": [30 * SEASON, 0 * flat],
    }


def search(**options):
    incidents, cohort = build(
        make_archive(), [31 * SEASON, 12 * np.ones(24)], owners={"mine": "site"}
    )
    return find_controls(incidents, cohort, "site", neighbours=["next"], **options)


def test_the_twin_comes_first_and_each_aspect_counts():
    found = search()
    assert tuple(found.ranking.columns) == RANKING_COLUMNS
    assert found.ranking["area"].iloc[0] == "twin"
    assert set(found.ranking["area"]) == {"twin", "level", "trend", "season", "mix"}
    assert found.ranking["distance"].is_monotonic_increasing
    twin = found.ranking["distance"].iloc[0]
    assert (found.ranking["distance"].iloc[1:] > 5 * twin).all()


def test_what_is_left_out_is_counted_with_its_reason():
    left = search().left_out.set_index("reason")["areas"].to_dict()
    assert left == {
        "Next to the site": 1,
        "Overlaps a site of the cohort": 1,
        "Some months are not covered by the files": 1,
        "No incident of one of the outcomes": 1,
    }


def test_only_months_before_the_start_are_looked_at():
    archive = make_archive()
    incidents, cohort = build(archive, [31 * SEASON, 12 * np.ones(24)], owners={"mine": "site"})
    changed = incidents.areas.copy()
    changed.loc[changed["month"] >= "2017-01", "count"] *= 7
    other = Incidents(incidents.sites, changed, MONTHS, (), pd.DataFrame())
    pd.testing.assert_frame_equal(
        find_controls(incidents, cohort, "site").ranking,
        find_controls(other, cohort, "site").ranking,
    )


def test_balance_in_plain_pandas():
    found = search()
    assert tuple(found.balance.columns) == BALANCE_COLUMNS
    row = found.balance.set_index(["area", "outcome", "feature"]).loc[("level", "asb", "level")]
    assert row["site_value"] == pytest.approx(31)
    assert row["control_value"] == pytest.approx(90)
    kept = [30, 90, make_archive()["trend"][0][:12].mean(), 30, 12, 31]
    spread = np.log(kept).std(ddof=1)
    assert row["standardised_difference"] == pytest.approx(math.log(90 / 31) / spread)
    listed = found.findings[found.findings["estimator"] == "standardised_difference"]
    unlike = listed[listed["estimate"].abs() > 0.25]
    assert unlike["note"].str.startswith("Unlike").all()
    assert len(unlike)


def test_population_counts_where_it_is_known():
    people = dict.fromkeys(["twin", "trend", "season", "mix", "site"], 1000.0) | {"level": 9000.0}
    with_people = search(populations=people)
    assert "population" in set(with_people.balance["feature"])
    without = search().findings
    missing = without[without["period"] == "population"]
    assert missing["estimate"].isna().all()
    assert missing["note"].str.contains("no population").all()


def test_an_area_can_be_looked_up_before_it_is_a_site():
    incidents, cohort = build(make_archive(), periods=False)
    ranking = find_controls(incidents, cohort, "twin").ranking
    assert "twin" not in set(ranking["area"])
    assert set(ranking["area"].iloc[:2]) == {"next", "mine"}


def test_a_wrong_name_is_answered_with_the_nearest():
    incidents, cohort = build(make_archive())
    for function in (find_controls, compare_synthetic, plan_counts):
        with pytest.raises(InputError, match="Did you mean 'twin'"):
            function(incidents, cohort, "twinn")


@pytest.mark.filterwarnings("error")
def test_an_archive_without_areas_says_so():
    incidents, cohort = build({}, [30 * SEASON, 12 * np.ones(24)])
    found = find_controls(incidents, cohort, "site")
    assert found.ranking.empty
    assert "no area" in found.findings["note"].iloc[0]
    assert set(found.findings["reason"]) == {Reason.TOO_FEW_AREAS}
    synthetic = compare_synthetic(incidents, cohort, "site")
    assert synthetic["estimate"].isna().all()
    assert set(synthetic["reason"]) == {Reason.TOO_FEW_AREAS}


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
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {"site": {"lsoas": ["E01000001"]}},
            "geography": {"boundaries": ["map.geojson"]},
            "placebo": {"group_by": group_by},
        }
    )
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
    cohort = Cohort.model_validate(
        {"name": "pilot", "geography": geography, "placebo": {"group_by": "msoa"}}
    )
    cohort._folder = tmp_path
    assert sum_populations(cohort) == {"Town 001": 150.0, "Town 002": 70.0}


@pytest.mark.parametrize(
    ("unknown", "left_out"), [(["x3"], 1), ([f"x{k}" for k in range(4)], 0), (["site"], 0)]
)
def test_a_few_areas_of_unknown_population_are_left_out_and_many_are_not(unknown, left_out):
    series = draw([30] * 21)
    archive = {f"x{k}": [series[k]] for k in range(20)}
    incidents, cohort = build(archive, [series[20]], outcomes=("asb",))
    people = {place: 500.0 for place in ("site", *archive) if place not in unknown}
    found = find_controls(incidents, cohort, "site", populations=people)
    assert len(found.ranking) == 20 - left_out
    assert found.left_out["areas"].sum() == left_out
    assert not left_out or not set(unknown) & set(found.ranking["area"])


def test_a_mixture_has_the_sites_level_and_the_areas_course():
    x = np.repeat([10.0, 5.0], 12)
    areas = {"x": [x], "y": [np.full(24, 4.0)]}
    incidents, cohort = build(areas, [np.full(24, 20.0)], outcomes=("asb",))
    weights = tabulate_findings(
        Finding("controls", "asb", "site", Estimate("synthetic_weight", 0.5, unit="share"), area)
        for area in areas
    )
    path = trace_mixture(incidents, cohort, weights)
    np.testing.assert_allclose(path["mixture_count"], np.repeat([20.0, 15.0], 12))
    assert (path["site_count"] == 20).all()


def draw_archive(change=1.0, areas=24):
    rng = np.random.default_rng(8)
    site = rng.poisson(40 * SEASON)
    site[12:] = np.rint(site[12:] * change)
    pool = {f"x{k:02d}": [rng.poisson(40 * SEASON)] for k in range(areas)}
    return build(pool, [site], outcomes=("asb",))


def pick(findings, estimator):
    return findings[findings["estimator"] == estimator].iloc[0]


def test_a_site_that_fell_by_half_stands_out_from_its_mixture():
    found = compare_synthetic(*draw_archive(change=0.5), "site")
    rank = pick(found, "synthetic_rmspe_ratio")
    assert rank["p_value"] == pytest.approx(1 / 25)
    assert pick(found, "synthetic_change")["estimate"] == pytest.approx(0.5, abs=0.1)
    weights = found[found["estimator"] == "synthetic_weight"]
    assert weights["estimate"].sum() == pytest.approx(1)
    assert len(weights) <= 12


def test_a_site_that_did_not_change_does_not():
    found = compare_synthetic(*draw_archive(), "site")
    assert pick(found, "synthetic_rmspe_ratio")["p_value"] > 0.1


def test_too_few_areas_give_no_rank():
    rank = pick(compare_synthetic(*draw_archive(areas=10), "site"), "synthetic_rmspe_ratio")
    assert math.isnan(rank["p_value"])
    assert "Too few areas" in rank["note"]
    assert has_flag(rank, Flag.FEW_AREAS)
    assert has_flag(rank, Flag.NO_BOUNDARIES)


def test_plan_agrees_with_the_formula_and_more_is_never_worse():
    incidents, cohort = build({"a": [[20.0] * 24]}, outcomes=("asb",))
    plan = plan_counts(incidents, cohort, "a").set_index(["period", "comparison"])["estimate"]
    z = 1.959963984540054 + 0.8416212335729143
    expected = 100 * (math.exp(-z * math.sqrt(2 / 240 + 2 / 480)) - 1)
    assert plan["12+12", "2 controls"] == pytest.approx(expected)
    for length in ("6+6", "12+12", "18+18", "24+24"):
        assert plan[length].is_monotonic_increasing
        assert plan[length].is_unique
    assert plan["24+24", "1 control"] > plan["12+12", "1 control"] > plan["6+6", "1 control"]


def test_plan_widens_with_the_spread_of_the_months():
    steady, cohort = build({"a": [[20.0] * 24]}, outcomes=("asb",))
    wild, _ = build({"a": [[2.0, 38.0] * 12]}, outcomes=("asb",))
    ends = [plan_counts(each, cohort, "a")["estimate"].iloc[0] for each in (steady, wild)]
    assert ends[1] < ends[0]


@pytest.mark.filterwarnings("error")
def test_plan_of_an_area_without_incidents_says_so():
    incidents, cohort = build({"a": [[0.0] * 24]}, outcomes=("asb",))
    plan = plan_counts(incidents, cohort, "a")
    assert plan["estimate"].isna().all()
    assert plan["note"].str.startswith("Not computed").all()
