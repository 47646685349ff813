"""Panel findings of a cohort: what is computed, what is missing and why."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sbwork.compare.robustness import analyse_panel, assess_comparability, vary_specifications
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, Periods, list_months
from sbwork.stats.findings import RESULT_COLUMNS

TOLERANCE = 1e-6
CAUSAL = re.compile(r"reduc|caus|led to|impact|effect of", re.IGNORECASE)

R = json.loads((Path(__file__).parents[1] / "reference/panels.json").read_text())
FUNCTIONS = (assess_comparability, analyse_panel, vary_specifications)


def build(series, first, before, after, *, areas=None, populations=None, pairs=None, ratio=1.5):
    """Build a cohort of one outcome, and its incidents; sites pair up in order."""
    length = len(next(iter(series.values())))
    number = int(first[:4]) * 12 + int(first[5:]) - 2 + length
    months = list_months(first, f"{number // 12:04d}-{number % 12 + 1:02d}")
    names = list(series)
    given = pairs or [
        {"intervention": a, "control": b} for a, b in zip(names[::2], names[1::2], strict=True)
    ]
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {name: {"population": (populations or {}).get(name)} for name in names},
            "pairs": given,
            "periods": {
                "before": dict(zip(("start", "end"), before, strict=True)),
                "after": dict(zip(("start", "end"), after, strict=True)),
            },
            "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}},
            "placebo": {"size_ratio": ratio},
        }
    )
    rows = [
        (name, "asb", month, float(count))
        for name in names
        for month, count in zip(months, series[name], strict=True)
    ]
    sites = pd.DataFrame(rows, columns=["site", "outcome", "month", "count"])
    places = pd.DataFrame(
        [
            (area, area, "", "asb", month, float(count))
            for area, counts in (areas or {}).items()
            for month, count in zip(months, counts, strict=True)
        ],
        columns=["area", "name", "site", "outcome", "month", "count"],
    )
    return Incidents(sites, places, months, (), pd.DataFrame()), cohort


YEAR = ("2016-01", "2016-12"), ("2017-01", "2017-12")


def reference(**options):
    return build(R["sites"], "2016-01", *YEAR, **options)


def pick(findings, **wanted):
    for column, value in wanted.items():
        findings = findings[findings[column] == value]
    assert len(findings) == 1, findings
    return findings.iloc[0]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shape_notes_and_inputs(function):
    incidents, cohort = reference()
    before = incidents.sites.copy()
    found = function(incidents, cohort)
    assert tuple(found.columns) == RESULT_COLUMNS
    missing = found["estimate"].isna()
    assert found.loc[missing, "note"].str.startswith("Not computed").all()
    assert not found["note"].map(lambda note: bool(CAUSAL.search(note))).any()
    pd.testing.assert_frame_equal(incidents.sites, before)


def test_comparability_of_each_pair_agrees_with_r():
    found = assess_comparability(*reference())
    assert len(found) == 4
    assert set(found["section"]) == {"panel"}
    assert set(found["period"]) == {"before"}
    level = pick(found, site="a", comparison="b", estimator="pre_level_ratio")
    assert math.log(level["ci_high"]) == pytest.approx(R["pre_level"]["high"], abs=TOLERANCE)
    trend = pick(found, site="a", comparison="b", estimator="pre_trend")
    expected = 100 * math.expm1(R["pre_trend"]["low"])
    assert trend["ci_low"] == pytest.approx(expected, abs=1e-4)


def test_level_is_of_rates_only_where_both_populations_are_known():
    counts = pick(assess_comparability(*reference()), site="a", estimator="pre_level_ratio")
    both = {"a": 1000, "b": 2000}
    rates = pick(
        assess_comparability(*reference(populations=both)), site="a", estimator="pre_level_ratio"
    )
    one = pick(
        assess_comparability(*reference(populations={"a": 1000})),
        site="a",
        estimator="pre_level_ratio",
    )
    assert rates["estimate"] == pytest.approx(2 * counts["estimate"])
    assert one["estimate"] == counts["estimate"]
    assert "No population" in one["note"]
    assert "per head" in rates["note"]


def test_trend_looks_back_further_than_the_period_before():
    series = {"a": [*range(10, 34), *[20] * 24], "b": [20] * 48}
    incidents, cohort = build(series, "2014-01", *YEAR)
    found = pick(assess_comparability(incidents, cohort), estimator="pre_trend")
    assert found["n"] == sum(series["a"][:36]) + sum(series["b"][:36])


def test_models_of_each_pair_and_of_all_agree_with_r():
    found = analyse_panel(*reference())
    pair = pick(found, site="a", estimator="panel_quasipoisson")
    assert pair["period"] == "change"
    assert math.log(pair["ci_low"]) == pytest.approx(R["panel_quasipoisson"]["low"], abs=TOLERANCE)
    for name in ("quasipoisson", "nb2"):
        pooled = pick(found, site="all", estimator=f"panel_{name}")
        expected = R[f"panel_{name}_four"]
        assert math.log(pooled["estimate"]) == pytest.approx(expected["log"], abs=TOLERANCE)
        assert pooled["se"] == pytest.approx(expected["se"], abs=TOLERANCE)
    its = pick(found, site="a", estimator="its_level")
    assert its["se"] == pytest.approx(R["its_level"]["se"], abs=TOLERANCE)
    assert list(
        found.loc[(found["site"] == "a") & (found["estimator"] == "event_study"), "period"]
    )[11:13] == ["-1", "0"]


def test_a_transition_is_left_out_and_counted_in_time():
    incidents, cohort = build(
        {"a": [20] * 27, "b": [20] * 27}, "2016-01", YEAR[0], ("2017-04", "2018-03")
    )
    found = analyse_panel(incidents, cohort)
    study = found[found["estimator"] == "event_study"]["period"].tolist()
    assert study[11:13] == ["-4", "0"]


def test_models_of_a_gap_keep_to_the_months_that_match():
    series = {name: np.array(counts, dtype=float) for name, counts in R["sites"].items()}
    series["a"][3] = np.nan
    incidents, cohort = build({"a": series["a"], "b": series["b"]}, "2016-01", *YEAR)
    found = analyse_panel(incidents, cohort)
    kept = [k for k in range(12) if k != 3]
    cells = [float(series[s][np.array(kept) + shift].sum()) for s in "ab" for shift in (0, 12)]
    panel = pick(found, estimator="panel_quasipoisson")
    assert panel["estimate"] == pytest.approx(cells[1] / cells[0] * cells[2] / cells[3])
    assert "2016-04" in panel["note"]
    month = pick(found, estimator="event_study", period="-9")
    assert math.isnan(month["estimate"])
    assert "do not cover" in month["note"]


def one_month():
    a, b = (np.full(13, np.nan) for _ in "ab")
    a[[0, 12]], b[[0, 12]] = (50, 30), (60, 55)
    return build({"a": a, "b": b}, "2016-07", ("2016-07",) * 2, ("2017-07",) * 2)


def test_one_month_on_each_side_says_what_it_cannot_show():
    comparability = assess_comparability(*one_month())
    assert pick(comparability, estimator="pre_level_ratio")["estimate"] == pytest.approx(50 / 60)
    assert math.isnan(pick(comparability, estimator="pre_trend")["estimate"])
    panel = analyse_panel(*one_month())
    known = panel[panel["estimate"].notna()]
    assert known["estimator"].tolist() == ["event_study"]
    assert known["estimate"].iloc[0] == pytest.approx(30 / 50 * 60 / 55)
    assert "too narrow" in known["note"].iloc[0]
    curve = vary_specifications(*one_month())
    rirr = pick(curve, estimator="rirr", period="change")
    assert rirr["estimate"] == pytest.approx(0.6545454545)


@pytest.mark.parametrize(
    "series",
    [
        {"a": [5] * 12 + [0] * 12, "b": [6] * 24},
        {"a": [0] * 24, "b": [6] * 24},
        {"a": [np.nan] * 24, "b": [6] * 24},
        {"a": [0] * 24, "b": [0] * 24},
        {"a": [5] * 24, "b": [6] * 24},
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("error")
def test_zero_cells_gaps_and_flat_counts_never_break(function, series):
    found = function(*build(series, "2016-01", *YEAR))
    known = found[found["estimate"].notna()]
    assert np.isfinite(known["estimate"]).all()
    assert (found["estimate"].notna() | (found["note"] != "")).all()
    assert (found["estimate"].isna() == (found["reason"] != "")).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_pair_without_control_or_a_cohort_without_periods_is_said(function):
    incidents, cohort = build({"a": [5] * 24}, "2016-01", *YEAR, pairs=[{"intervention": "a"}])
    found = function(incidents, cohort)
    assert found["estimate"].isna().all()
    assert found["note"].str.contains("no control site|no specification", case=False).all()
    bare = function(incidents, cohort.model_copy(update={"periods": None}))
    assert bare["estimate"].isna().all()
    assert set(found["reason"]) <= {"no_control", "not_estimable"}
    assert (bare["reason"] != "").all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_harm_is_compared_like_any_outcome_and_its_unit_does_not_matter(function):
    incidents, cohort = reference()
    harm = incidents.sites.assign(outcome="harm")
    alone = cohort.model_copy(update={"outcomes": {}, "harm_weights": "weights.csv"})
    plain, scaled = (
        function(replace(incidents, sites=harm.assign(count=unit * harm["count"])), alone)
        for unit in (0.37, 9.5)
    )
    assert set(plain["outcome"]) == {"harm"}
    columns = ["estimate", "ci_low", "ci_high"]
    np.testing.assert_allclose(plain[columns], scaled[columns], rtol=1e-4)
    known = plain[plain["estimate"].notna()]
    counts = function(incidents, cohort)
    both = known.merge(counts, on=["site", "comparison", "period", "estimator"])
    fitted = both[both["period"] != "summary"]
    assert fitted["estimate_x"].to_numpy() == pytest.approx(fitted["estimate_y"], rel=1e-6)
    refused = plain[plain["estimator"] == "panel_nb2"]
    assert set(refused["reason"]) <= {"not_applicable"}
    assert len(refused) == (3 if function is analyse_panel else 0)


def test_harm_of_a_single_month_has_no_interval():
    incidents, cohort = one_month()
    alone = cohort.model_copy(update={"outcomes": {}, "harm_weights": "weights.csv"})
    harm = replace(incidents, sites=incidents.sites.assign(outcome="harm"))
    level = pick(assess_comparability(harm, alone), estimator="pre_level_ratio")
    month = pick(analyse_panel(harm, alone), estimator="event_study", period="0")
    rirr = pick(vary_specifications(harm, alone), estimator="rirr", period="change")
    for row in (level, month, rirr):
        assert math.isfinite(row["estimate"])
        assert math.isnan(row["ci_low"])
    assert level["flags"].split() == ["single_month", "no_interval", "no_population"]


def test_what_readers_must_know_is_flagged():
    series = {"a": make_level(24, 30), "b": make_level(24, 40, lost={3})}
    incidents, cohort = build(series, "2016-01", *YEAR)
    assert (
        "no_population"
        in pick(assess_comparability(incidents, cohort), estimator="pre_level_ratio")["flags"]
    )
    panel = analyse_panel(incidents, cohort)
    for estimator in ("panel_quasipoisson", "sensitivity_mbar", "its_level"):
        assert "fewer_months" in pick(panel, estimator=estimator)["flags"].split()
    periods = Periods.model_validate(
        {
            "before": {"start": "2016-01", "end": "2016-09"},
            "after": {"start": "2017-01", "end": "2017-12"},
            "unequal_seasons": True,
        }
    )
    panel = analyse_panel(incidents, cohort.model_copy(update={"periods": periods}))
    assert "unequal_seasons" in pick(panel, estimator="panel_quasipoisson")["flags"].split()
    assert "no_seasons" in pick(panel, estimator="its_level")["flags"].split()


def test_specifications_cover_windows_controls_and_models():
    rng = np.random.default_rng(3)
    areas = {f"x{k}": rng.poisson(20, 48) for k in range(5)} | {"big": rng.poisson(90, 48)}
    series = {name: rng.poisson(20, 48) for name in "abcd"}
    found = vary_specifications(*build(series, "2015-01", *YEAR, areas=areas))
    mine = found[found["site"] == "a"]
    curve = mine[mine["period"] != "summary"]
    assert set(curve["comparison"]) == {"b", "all controls", "comparable areas"}
    assert set(curve["period"]) == {"change", "6+6", "18+18", "24+24"}
    assert {"rirr", "panel_quasipoisson", "panel_quasipoisson_trend", "its_level"} <= set(
        curve["estimator"]
    )
    known = curve[curve["estimate"].notna()]
    same = pick(mine, estimator="specification_same_sign")
    median = pick(mine, estimator="specification_median")["estimate"]
    assert median == pytest.approx(math.exp(np.median(np.log(known["estimate"]))))
    sides = np.sign(np.log(known["estimate"])) == np.sign(math.log(median))
    assert same["estimate"] == pytest.approx(sides.mean())
    assert same["n"] == len(known)
    excludes = pick(mine, estimator="specification_excludes_one")["estimate"]
    assert excludes == pytest.approx(((known["ci_low"] > 1) | (known["ci_high"] < 1)).mean())


def test_areas_of_another_size_are_no_control():
    areas = {"small": [2] * 24, "like": [21] * 24, "big": [90] * 24}
    found = vary_specifications(
        *build({"a": [20, 22] * 12, "b": [20] * 24}, "2016-01", *YEAR, areas=areas)
    )
    chosen = found[(found["comparison"] == "comparable areas") & (found["estimator"] == "rirr")]
    assert chosen.loc[chosen["period"] == "change", "n"].iloc[0] == 24 * 42


def make_level(length, level, lost=()):
    """Build a steady series, not quite level, that lacks some months."""
    return [math.nan if n in lost else level + n % 3 for n in range(length)]


def test_one_missing_month_takes_no_window_from_the_specifications():
    series = {"a": make_level(48, 30), "b": make_level(48, 40, lost={27})}
    incidents, cohort = build(series, "2015-01", ("2016-01", "2016-12"), ("2017-01", "2017-12"))
    curve = vary_specifications(incidents, cohort)
    own = curve[(curve["period"] == "change") & (curve["estimator"] == "rirr")]
    assert own["estimate"].notna().all()
    assert "Compared on 11 of 12 months on each side: 2017-04 is missing" in own["note"].item()
    assert "(the cohort's own periods)" in own["note"].item()


def test_a_window_that_lost_most_of_its_months_is_not_called_by_its_name():
    series = {"a": make_level(48, 30), "b": make_level(48, 40, lost=set(range(28, 34)))}
    incidents, cohort = build(series, "2015-01", ("2016-01", "2016-12"), ("2017-01", "2017-12"))
    curve = vary_specifications(incidents, cohort)
    row = curve[curve["period"] == "change"]
    assert row["estimate"].isna().all()
    assert "less than three quarters of the months" in row["note"].item()


def test_an_area_that_lacks_months_takes_them_from_no_other():
    series = {"a": make_level(24, 30), "b": make_level(24, 40)}
    areas = {
        "whole": make_level(24, 31),
        "too": make_level(24, 29),
        "stops": make_level(24, 30, lost=set(range(18, 24))),
    }
    incidents, cohort = build(
        series, "2016-01", ("2016-01", "2016-12"), ("2017-01", "2017-12"), areas=areas
    )
    curve = vary_specifications(incidents, cohort)
    row = curve[
        (curve["comparison"] == "comparable areas")
        & (curve["estimator"] == "rirr")
        & (curve["period"] == "change")
    ]
    assert row["estimate"].notna().all()
    assert "Compared on" not in row["note"].item()
