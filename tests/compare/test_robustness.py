"""Panel findings of a cohort: what is computed, what is missing and why."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_by_hand import ASB, CAUSAL, PAIR, make_cohort, make_incidents, pick, read_reference

from sbwork.compare.counts import compare_counts
from sbwork.compare.panel import Panel
from sbwork.compare.placebo import compare_placebos
from sbwork.compare.robustness import analyse_panel, assess_comparability, vary_specifications
from sbwork.specs.cohort import Periods, list_months
from sbwork.specs.periods import name_month, number_month
from sbwork.stats.findings import RESULT_COLUMNS

TOLERANCE = 1e-6
R = read_reference("panels")
FUNCTIONS = (assess_comparability, analyse_panel, vary_specifications)
FOUR = dict(zip(("north", "south", "east", "west"), R["sites"].values(), strict=True))
PAIRS = (PAIR, ("east", "west"))
NAN = math.nan


def build(series, first="2016-01", periods=None, *, areas=None, people=None, pairs=(PAIR,)):
    """Build a cohort of one outcome, and its incidents from the month `first` on."""
    length = len(next(iter(series.values())))
    months = list_months(first, name_month(number_month(first) + length - 1))
    more = {"outcomes": ASB, **({"periods": periods} if periods else {})}
    if people:
        more["sites"] = {site: {"population": people.get(site)} for site in series}
    return make_incidents(months, series, areas or {}), make_cohort(pairs, **more)


def make_periods(before, after, **more):
    ends = {"before": before, "after": after}
    return {name: {"start": first, "end": last} for name, (first, last) in ends.items()} | more


def make_level(length, level, lost=()):
    """Make a steady series, not quite level, that lacks some months."""
    return [NAN if n in lost else level + n % 3 for n in range(length)]


def reference(**options):
    return build(FOUR, pairs=PAIRS, **options)


def one_month():
    series = {"north": [50] + [NAN] * 11 + [30], "south": [60] + [NAN] * 11 + [55]}
    return build(series, "2016-07", make_periods(("2016-07",) * 2, ("2017-07",) * 2))


def weigh(incidents, cohort, unit=1.0):
    """Take the incidents for harm, each of which weighs so much."""
    harm = incidents.sites.assign(outcome="harm", count=unit * incidents.sites["count"])
    alone = cohort.model_copy(update={"outcomes": {}, "harm_weights": "weights.csv"})
    return replace(incidents, sites=harm), alone


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shape_notes_and_inputs(function):
    incidents, cohort = reference()
    before = incidents.sites.copy()
    found = function(incidents, cohort)
    assert tuple(found.columns) == RESULT_COLUMNS
    missing = found["estimate"].isna()
    assert found.loc[missing, "note"].str.startswith("Not computed").all()
    assert not found["note"].str.contains(CAUSAL).any()
    pd.testing.assert_frame_equal(incidents.sites, before)


def test_comparability_of_each_pair_agrees_with_r():
    found = assess_comparability(*reference())
    assert len(found) == 4
    assert set(zip(found["section"], found["period"], strict=True)) == {("panel", "before")}
    level = pick(found, "pre_level_ratio", comparison="south")
    assert math.log(level["ci_high"]) == pytest.approx(R["pre_level"]["high"], abs=TOLERANCE)
    expected = 100 * math.expm1(R["pre_trend"]["low"])
    assert pick(found, "pre_trend")["ci_low"] == pytest.approx(expected, abs=1e-4)


def test_level_is_of_rates_only_where_both_populations_are_known():
    counts, rates, one = (
        pick(assess_comparability(*reference(people=people)), "pre_level_ratio")
        for people in (None, {"north": 1000, "south": 2000}, {"north": 1000})
    )
    assert rates["estimate"] == pytest.approx(2 * counts["estimate"])
    assert "per head" in rates["note"]
    assert one["estimate"] == counts["estimate"]
    assert "No population" in one["note"]
    assert "no_population" in one["flags"]


def test_trend_looks_back_further_than_the_period_before():
    series = {"north": [*range(10, 34), *[20] * 24], "south": [20] * 48}
    found = pick(assess_comparability(*build(series, "2014-01")), "pre_trend")
    assert found["n"] == sum(series["north"][:36]) + sum(series["south"][:36])


def test_models_of_each_pair_and_of_all_agree_with_r():
    found = analyse_panel(*reference())
    pair = pick(found, "panel_quasipoisson")
    assert pair["period"] == "change"
    assert math.log(pair["ci_low"]) == pytest.approx(R["panel_quasipoisson"]["low"], abs=TOLERANCE)
    for name in ("quasipoisson", "nb2"):
        pooled, expected = pick(found, f"panel_{name}", "all"), R[f"panel_{name}_four"]
        assert math.log(pooled["estimate"]) == pytest.approx(expected["log"], abs=TOLERANCE)
        assert pooled["se"] == pytest.approx(expected["se"], abs=TOLERANCE)
    assert pick(found, "its_level")["se"] == pytest.approx(R["its_level"]["se"], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("length", "after", "last"),
    [(24, ("2017-01", "2017-12"), "-1"), (27, ("2017-04", "2018-03"), "-4")],
)
def test_months_are_counted_from_the_start_and_a_transition_is_left_out(length, after, last):
    periods = make_periods(("2016-01", "2016-12"), after)
    built = build({"north": [20] * length, "south": [20] * length}, periods=periods)
    found = analyse_panel(*built)
    study = found[found["estimator"] == "event_study"]["period"].tolist()
    assert study[11:13] == [last, "0"]


def test_models_of_a_gap_keep_to_the_months_that_match():
    series = {site: np.array(FOUR[site], dtype=float) for site in ("north", "south")}
    series["north"][3] = NAN
    found = analyse_panel(*build(series))
    kept = np.array([k for k in range(12) if k != 3])
    cells = [counts[kept + shift].sum() for counts in series.values() for shift in (0, 12)]
    panel = pick(found, "panel_quasipoisson")
    assert panel["estimate"] == pytest.approx(cells[1] / cells[0] * cells[2] / cells[3])
    assert "2016-04" in panel["note"]
    for estimator in ("panel_quasipoisson", "sensitivity_mbar", "its_level"):
        assert "fewer_months" in pick(found, estimator)["flags"].split()
    month = pick(found, "event_study", period="-9")
    assert math.isnan(month["estimate"])
    assert "do not cover" in month["note"]


def test_one_month_on_each_side_says_what_it_cannot_show():
    comparability = assess_comparability(*one_month())
    assert pick(comparability, "pre_level_ratio")["estimate"] == pytest.approx(50 / 60)
    assert math.isnan(pick(comparability, "pre_trend")["estimate"])
    panel = analyse_panel(*one_month())
    known = panel[panel["estimate"].notna()]
    assert known["estimator"].tolist() == ["event_study"]
    assert known["estimate"].iloc[0] == pytest.approx(30 / 50 * 60 / 55)
    assert "too narrow" in known["note"].iloc[0]
    rirr = pick(vary_specifications(*one_month()), "rirr", period="change")
    assert rirr["estimate"] == pytest.approx(0.6545454545)


@pytest.mark.parametrize(
    "series",
    [
        ([5] * 12 + [0] * 12, [6] * 24),
        ([0] * 24, [6] * 24),
        ([NAN] * 24, [6] * 24),
        ([0] * 24, [0] * 24),
        ([5] * 24, [6] * 24),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("error")
def test_zero_cells_gaps_and_flat_counts_never_break(function, series):
    found = function(*build(dict(zip(("north", "south"), series, strict=True))))
    assert np.isfinite(found["estimate"].dropna()).all()
    assert (found["estimate"].notna() | (found["note"] != "")).all()
    assert (found["estimate"].isna() == (found["reason"] != "")).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_pair_without_control_or_a_cohort_without_periods_is_said(function):
    incidents, cohort = build({"north": [5] * 24}, pairs=[("north",)])
    found = function(incidents, cohort)
    assert found["estimate"].isna().all()
    assert found["note"].str.contains("no control site|no specification", case=False).all()
    assert set(found["reason"]) <= {"no_control", "not_estimable"}
    bare = function(incidents, cohort.model_copy(update={"periods": None}))
    assert bare["estimate"].isna().all()
    assert (bare["reason"] != "").all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_harm_is_compared_like_any_outcome_and_its_unit_does_not_matter(function):
    counts = function(*reference())
    plain, scaled = (function(*weigh(*reference(), unit)) for unit in (0.37, 9.5))
    assert set(plain["outcome"]) == {"harm"}
    columns = ["estimate", "ci_low", "ci_high"]
    np.testing.assert_allclose(plain[columns], scaled[columns], rtol=1e-4)
    known = plain[plain["estimate"].notna() & (plain["period"] != "summary")]
    both = known.merge(counts, on=["site", "comparison", "period", "estimator"])
    assert both["estimate_x"].to_numpy() == pytest.approx(both["estimate_y"], rel=1e-6)
    refused = plain[plain["estimator"] == "panel_nb2"]
    assert set(refused["reason"]) <= {"not_applicable"}
    assert len(refused) == (3 if function is analyse_panel else 0)


def test_harm_of_a_single_month_has_no_interval():
    harm = weigh(*one_month())
    level = pick(assess_comparability(*harm), "pre_level_ratio")
    month = pick(analyse_panel(*harm), "event_study", period="0")
    rirr = pick(vary_specifications(*harm), "rirr", period="change")
    for row in (level, month, rirr):
        assert math.isfinite(row["estimate"])
        assert math.isnan(row["ci_low"])
    assert level["flags"].split() == ["single_month", "no_interval", "no_population"]


def test_unequal_seasons_are_flagged():
    series = {"north": make_level(24, 30), "south": make_level(24, 40, lost={3})}
    incidents, cohort = build(series)
    spec = make_periods(("2016-01", "2016-09"), ("2017-01", "2017-12"), unequal_seasons=True)
    periods = Periods.model_validate(spec)
    panel = analyse_panel(incidents, cohort.model_copy(update={"periods": periods}))
    row = pick(panel, "panel_quasipoisson")
    assert "unequal_seasons" in row["flags"].split()
    assert "Compared on 8 of 9 months before and 12 of 12 after: 2016-04" in row["note"]
    assert "no_seasons" in pick(panel, "its_level")["flags"].split()


def test_specifications_cover_windows_controls_and_models():
    rng = np.random.default_rng(3)
    areas = {f"x{k}": rng.poisson(20, 48) for k in range(5)} | {"big": rng.poisson(90, 48)}
    series = {name: rng.poisson(20, 48) for name in FOUR}
    mine = vary_specifications(*build(series, "2015-01", areas=areas, pairs=PAIRS))
    mine = mine[mine["site"] == "north"]
    curve = mine[mine["period"] != "summary"]
    assert set(curve["comparison"]) == {"south", "all controls", "comparable areas"}
    assert set(curve["period"]) == {"change", "6+6", "18+18", "24+24"}
    models = {"rirr", "panel_quasipoisson", "panel_quasipoisson_trend", "its_level"}
    assert models <= set(curve["estimator"])
    known = curve[curve["estimate"].notna()]
    logs = np.log(known["estimate"])
    median, same, excludes = (
        pick(mine, f"specification_{name}") for name in ("median", "same_sign", "excludes_one")
    )
    assert median["estimate"] == pytest.approx(math.exp(np.median(logs)))
    sides = np.sign(logs) == np.sign(math.log(median["estimate"]))
    assert same["estimate"] == pytest.approx(sides.mean())
    assert same["n"] == len(known)
    outside = (known["ci_low"] > 1) | (known["ci_high"] < 1)
    assert excludes["estimate"] == pytest.approx(outside.mean())


def test_areas_of_another_size_are_no_control_and_one_that_lacks_months_takes_them_from_no_other():
    areas = {
        "small": [2] * 24,
        "like": make_level(24, 31),
        "too": make_level(24, 29),
        "stops": make_level(24, 30, lost=set(range(18, 24))),
        "big": [90] * 24,
    }
    series = {"north": make_level(24, 30), "south": make_level(24, 40)}
    curve = vary_specifications(*build(series, areas=areas))
    row = pick(curve, "rirr", period="change", comparison="comparable areas")
    assert row["n"] == sum(series["north"]) + sum(areas["like"]) + sum(areas["too"])
    assert "Compared on" not in row["note"]


def test_without_placebo_areas_there_is_no_comparable_area():
    """One area is like the site and none like its control, so no pair is laid out like theirs."""
    series = {"north": make_level(24, 30), "south": make_level(24, 80)}
    given = build(series, areas={"like": make_level(24, 31)})
    assert pick(compare_placebos(*given).findings, "placebo_areas")["estimate"] == 0
    assert "comparable areas" not in set(vary_specifications(*given)["comparison"])


@pytest.mark.parametrize(
    ("lost", "estimator", "said"),
    [
        ({27}, "rirr", "Compared on 11 of 12 months on each side: 2017-04 is set aside"),
        (range(28, 34), "specification", "less than three quarters of the months"),
    ],
)
def test_a_missing_month_takes_no_window_but_most_of_them_do(lost, estimator, said):
    series = {"north": make_level(48, 30), "south": make_level(48, 40, lost=lost)}
    row = pick(vary_specifications(*build(series, "2015-01")), estimator, period="change")
    assert said in row["note"]
    assert "(the cohort's own periods)" in row["note"]
    assert math.isnan(row["estimate"]) == (estimator == "specification")


def test_months_before_alone_are_said_to_be_the_reason():
    north, south = ([30 + by] * 12 + [NAN] * 12 for by in (0, 5))
    incidents, cohort = build({"north": north, "south": south})
    incidents = replace(incidents, months=incidents.months[:12])
    found = [f(incidents, cohort) for f in (compare_counts, analyse_panel, vary_specifications)]
    frame = pd.concat([*found, compare_placebos(incidents, cohort).findings])
    missing = frame[frame["estimate"].isna() & ~frame["estimator"].str.startswith("specification_")]
    assert set(missing["reason"]) == {"outside_files"}
    assert missing["note"].str.contains("files hold 2016-01 to 2016-12|do not reach").all()


def test_weights_outside_the_compared_months_change_no_method():
    incidents, cohort = build({"north": [0.5] + [30] * 24, "south": [1.5] + [40] * 24}, "2015-12")
    outcome = incidents.sites["outcome"].iloc[0]
    assert Panel(incidents, outcome).weighted
    assert not Panel(incidents, outcome, cohort.compared_months).weighted
