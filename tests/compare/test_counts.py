"""Counts of sites, pairs and all pairs compared, on frames made by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
import small_archive
from hypothesis import given, settings
from hypothesis import strategies as st
from small_archive import CAUSAL, PAIR

from sbwork.compare.counts import compare_counts
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, list_months
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.pairs import PAIR_ESTIMATORS, MonthlyCounts, PairCounts
from sbwork.stats.pooling import pool_with_prior

EXACT = 1e-9
POOLED = ("rirr_pooled_bayes", "rirr_pooled", "rirr_pooled_fixed", "rirr_pooled_dl")
SPREAD = ("heterogeneity_q", "heterogeneity_i2", "heterogeneity_tau2")
MONTHS = list_months("2015-10", "2017-09")
UNITS = {"percent", "ratio", "incidents", "points", "sd", "share", "p", "count"}


def make_periods(before: tuple[str, str], after: tuple[str, str], **more):
    ends = {"before": before, "after": after}
    return {name: {"start": pair[0], "end": pair[1]} for name, pair in ends.items()} | more


PERIODS = make_periods(("2015-10", "2016-09"), ("2016-10", "2017-09"))


def make_cohort(pairs: Sequence[Mapping[str, str]] | None = None, **more) -> Cohort:
    return small_archive.make_cohort(
        [PAIR] if pairs is None else pairs, **{"periods": PERIODS, **more}
    )


def make_incidents(series, months=MONTHS, outcome: str = "asb") -> Incidents:
    return small_archive.make_incidents(months, series, outcome=outcome)


def pick(frame: pd.DataFrame, estimator: str, site: str = "north", period: str = "change"):
    return small_archive.pick(frame, estimator, site, period)


def compare(series=None, pairs=None, *, months=MONTHS, outcome="asb", **cohort) -> pd.DataFrame:
    series = {"north": NORTH, "south": SOUTH} if series is None else series
    return compare_counts(make_incidents(series, months, outcome), make_cohort(pairs, **cohort))


UNEQUAL = make_periods(("2015-10", "2016-09"), ("2016-10", "2017-03"), unequal_seasons=True)
TWO = [PAIR, {"intervention": "east", "control": "west"}]
SHARED = [{"intervention": site, "control": "south"} for site in ("north", "east")]
NORTH = [18, 35, 25, 9, 21, 24, 41, 27, 12, 20, 17, 15, 14, 25, 20, 6, 18, 16, 30, 9, 15, 14, 8, 14]
SOUTH = [
    *(25, 14, 38, 22, 36, 29, 43, 21, 27, 14, 22, 21),
    *(24, 36, 17, 23, 35, 18, 45, 30, 15, 26, 31, 12),
]


@pytest.fixture
def findings() -> pd.DataFrame:
    return compare()


def test_the_shape_is_that_of_all_results(findings):
    assert tuple(findings.columns) == RESULT_COLUMNS
    assert set(findings["section"]) == {"counts"}
    assert set(findings["unit"]) <= UNITS
    assert not (findings["site"] == "all").any()
    key = ["outcome", "site", "comparison", "period", "estimator"]
    assert not findings.duplicated(key).any()


def test_the_published_panel_comes_through(findings):
    rirr = pick(findings, "rirr")
    assert (rirr["ci_low"], rirr["ci_high"]) == pytest.approx((0.449588, 1.139989), abs=1e-6)
    assert rirr["comparison"] == "south"
    assert rirr["df"] == 44
    assert pick(findings, "rirr_poisson")["p_value"] == pytest.approx(0.007, abs=5e-4)
    assert "3.4 times" in pick(findings, "rirr_poisson")["note"]
    assert pick(findings, "dispersion")["estimate"] == pytest.approx(3.4401936, abs=1e-7)
    assert pick(findings, "relative_effect_size")["estimate"] == pytest.approx(
        1 / rirr["estimate"], abs=EXACT
    )


def test_the_same_in_plain_pandas(findings):
    sums = [sum(NORTH[:12]), sum(NORTH[12:]), sum(SOUTH[:12]), sum(SOUTH[12:])]
    assert pick(findings, "count", period="before")["estimate"] == sums[0]
    assert pick(findings, "count", period="after")["estimate"] == sums[1]
    change = pick(findings, "percentage_change")["estimate"]
    assert change == pytest.approx(100 * (sums[1] / sums[0] - 1))
    assert pick(findings, "wdd")["estimate"] == (sums[1] - sums[0]) - (sums[3] - sums[2])
    assert pick(findings, "wdd")["se"] == pytest.approx(math.sqrt(sum(sums)))
    assert pick(findings, "wdd_corrected")["se"] == pytest.approx(
        math.sqrt(sum(sums) * pick(findings, "dispersion")["estimate"])
    )
    expected = sums[0] * sums[3] / sums[2] - sums[1]
    assert pick(findings, "incidents_avoided")["estimate"] == pytest.approx(expected)
    assert pick(findings, "total_net_effect")["estimate"] == pytest.approx(expected)


def test_input_is_left_as_it_was():
    incidents = make_incidents({"north": NORTH, "south": SOUTH})
    before = incidents.sites.copy(deep=True)
    compare_counts(incidents, make_cohort())
    pd.testing.assert_frame_equal(incidents.sites, before)


def test_every_pair_has_every_estimator(findings):
    of_pair = findings[(findings["comparison"] == "south") & (findings["period"] == "change")]
    assert list(of_pair["estimator"]) == ["window_months", *PAIR_ESTIMATORS]
    assert dict(zip(of_pair["estimator"][1:], of_pair["unit"][1:], strict=True)) == PAIR_ESTIMATORS


def test_other_windows_are_given_where_the_data_allow(findings):
    assert pick(findings, "window_months", period="6+6")["estimate"] == 6
    half = pick(findings, "wdd", period="6+6")["estimate"]
    assert half == (sum(NORTH[12:18]) - sum(NORTH[:6])) - (sum(SOUTH[12:18]) - sum(SOUTH[:6]))
    longer = pick(findings, "window_months", period="24+24")
    assert math.isnan(longer["estimate"])
    assert "2014-10 to 2018-09" in longer["note"]
    assert not ((findings["period"] == "24+24") & (findings["estimator"] == "rirr")).any()


def test_a_single_month_falls_back_on_poisson_and_says_so():
    gap = [math.nan] * 11
    found = compare(
        {"north": [73, *gap, 110], "south": [72, *gap, 54]},
        months=list_months("2016-07", "2017-07"),
        periods=make_periods(("2016-07", "2016-07"), ("2017-07", "2017-07")),
    )
    assert "single month" in pick(found, "dispersion")["note"]
    for name in ("rirr", "rirr_poisson", "wdd", "wdd_corrected", "percentage_change"):
        assert "too narrow" in pick(found, name)["note"]
    assert pick(found, "rirr")["ci_low"] == pick(found, "rirr_poisson")["ci_low"]


def test_a_month_missing_in_the_control_is_left_out_of_the_site_too():
    south = [math.nan if month == "2017-02" else c for month, c in zip(MONTHS, SOUTH, strict=True)]
    found = compare(dict(make_four(), north=NORTH, south=south), TWO)
    lost = [MONTHS.index("2016-02"), MONTHS.index("2017-02")]
    kept = [NORTH[i] for i in range(24) if i not in lost]
    assert pick(found, "count", period="before")["estimate"] == sum(kept[:11])
    assert pick(found, "count", period="after")["estimate"] == sum(kept[11:])
    for name in ("count", "percentage_change", "rirr", "wdd", "window_months"):
        note = pick(found, name, period="before" if name == "count" else "change")["note"]
        assert "11 of 12 months on each side: 2017-02 is missing" in note
    assert pick(found, "window_months")["estimate"] == 11
    main = found[found["period"].isin(["before", "after", "change"]) & found["estimate"].notna()]
    flagged = main["flags"].str.split().map(lambda flags: Flag.FEWER_MONTHS in flags)
    assert (flagged == main["site"].isin(["north", "south", "all"])).all()
    assert not has_flag(pick(found, "rirr"), Flag.FEW_MONTHS)


def test_a_control_with_two_months_is_used_and_called_far_too_few():
    south = [
        c if month[5:] in ("03", "04") else math.nan for month, c in zip(MONTHS, SOUTH, strict=True)
    ]
    found = compare({"north": NORTH, "south": south})
    rirr = pick(found, "rirr")
    assert "Fewer than 3 months" in rirr["note"]
    assert has_flag(rirr, Flag.FEW_MONTHS)
    assert not has_flag(rirr, Flag.SINGLE_MONTH)
    assert pick(found, "window_months")["estimate"] == 2


@pytest.mark.parametrize("where", [slice(0, 12), slice(12, 24)])
@pytest.mark.parametrize("site", ["north", "south"])
def test_zero_cells_give_no_ratio_but_a_difference(site, where):
    series = {"north": list(NORTH), "south": list(SOUTH)}
    series[site][where] = [0] * 12
    found = compare(series)
    for name in ("rirr", "rirr_poisson", "relative_effect_size", "incidents_avoided"):
        assert math.isnan(pick(found, name)["estimate"])
        assert "count of 0" in pick(found, name)["note"]
    assert not math.isnan(pick(found, "wdd")["estimate"])
    assert "can't be compared" in pick(found, "rirr_wdd_agreement")["note"]


def test_a_site_with_no_incident_at_all():
    found = compare({"north": [0] * 24, "south": SOUTH})
    assert pick(found, "count", period="before")["estimate"] == 0
    assert "either period" in pick(found, "percentage_change")["note"]
    assert math.isnan(pick(found, "rirr")["estimate"])


def test_displacement_enters_the_difference_and_the_quotient():
    """The published example, all incidents of a side in one month."""
    moved = {"displacement": "east", "displacement_control": "west"}
    sums = {"north": (207, 110), "south": (308, 318), "east": (178, 157), "west": (150, 140)}
    series = {site: [before, *[0] * 11, after, *[0] * 11] for site, (before, after) in sums.items()}
    found = compare(series, [{"intervention": "north", "control": "south", **moved}])
    assert pick(found, "wdd")["estimate"] == -118
    assert pick(found, "wdd")["se"] ** 2 == pytest.approx(1568)
    assert pick(found, "wdq")["estimate"] == pytest.approx(0.25819, abs=1e-5)
    assert "No valid interval" in pick(found, "wdq")["note"]


def test_windows_of_unequal_length_use_rates():
    found = compare({"north": [20] * 24, "south": [30] * 24}, periods=UNEQUAL)
    assert pick(found, "percentage_change")["estimate"] == pytest.approx(0, abs=EXACT)
    assert pick(found, "rirr")["estimate"] == pytest.approx(1)
    assert pick(found, "wdd")["estimate"] == pytest.approx(0, abs=EXACT)
    assert "seasons may look like change" in pick(found, "rirr")["note"]
    assert has_flag(pick(found, "rirr"), Flag.UNEQUAL_SEASONS)
    assert not has_flag(pick(found, "rirr"), Flag.FEWER_MONTHS)


def test_rates_are_given_where_the_population_is_known():
    cohort = make_cohort(sites={"north": {"population": 4000}, "south": {}})
    found = compare_counts(make_incidents({"north": NORTH, "south": SOUTH}), cohort)
    rate = pick(found, "rate_per_1000", period="before")
    assert rate["estimate"] == pytest.approx(sum(NORTH[:12]) / 4)
    assert "12 months" in rate["note"]
    assert not ((found["estimator"] == "rate_per_1000") & (found["site"] == "south")).any()


def test_harm_weights_get_no_poisson_interval():
    incidents = make_incidents(
        {"north": [19.5 * c for c in NORTH], "south": [19.5 * c for c in SOUTH]}, outcome="harm"
    )
    found = compare_counts(incidents, make_cohort())
    plain = compare()
    assert math.isnan(pick(found, "rirr_poisson")["estimate"])
    for end in ("estimate", "ci_low", "ci_high", "p_value"):
        assert pick(found, "rirr")[end] == pytest.approx(pick(plain, "rirr")[end])
    assert math.isnan(pick(found, "wdd")["ci_low"])
    assert pick(found, "wdd_corrected")["p_value"] == pytest.approx(
        pick(plain, "wdd_corrected")["p_value"]
    )


def test_harm_of_a_single_month_has_no_interval_at_all():
    pair = PairCounts(
        MonthlyCounts(np.array([50.0]), np.array([30.0])),
        MonthlyCounts(np.array([60.0]), np.array([55.0])),
        weighted=True,
    )
    for estimate in pair.estimate():
        assert math.isnan(estimate.ci_low), estimate.estimator
        assert math.isnan(estimate.p_value), estimate.estimator


@pytest.mark.parametrize(
    ("north", "south", "agree", "said"),
    [
        ((10, 11), (100, 105), 0.0, "by the difference \\(WDD\\) it fell"),
        ((20, 19), (30, 30), 1.0, "both show no change"),
        ((100, 40), (100, 100), 1.0, "both show a change"),
        ((30, 16), (300, 300), 0.0, "interval of the ratio"),
    ],
)
def test_ratio_and_difference_may_disagree(north, south, agree, said):
    series = {
        name: [*([before] * 12), *([after] * 12)]
        for name, (before, after) in (("north", north), ("south", south))
    }
    found = compare(series)
    verdict = pick(found, "rirr_wdd_agreement")
    assert verdict["estimate"] == agree
    assert re.search(said, verdict["note"])


def make_four(seed: int = 1) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {site: list(rng.poisson(20, 24)) for site in ("north", "south", "east", "west")}


def test_pairs_are_pooled():
    found = compare(make_four(), TWO)
    ratios = [pick(found, "rirr", site) for site in ("north", "east")]
    weights = [1 / ratio["se"] ** 2 for ratio in ratios]
    logs = [math.log(ratio["estimate"]) for ratio in ratios]
    fixed = pick(found, "rirr_pooled_fixed", "all")
    assert math.log(fixed["estimate"]) == pytest.approx(np.average(logs, weights=weights))
    assert fixed["n"] == 2
    for name in ("rirr_pooled", "rirr_pooled_dl", "heterogeneity_q", "heterogeneity_tau2"):
        assert not math.isnan(pick(found, name, "all")["estimate"])
    assert 0 <= pick(found, "heterogeneity_i2", "all")["estimate"] <= 1
    described = {name: has_flag(pick(found, name, "all"), Flag.DESCRIPTION) for name in POOLED}
    assert described == dict.fromkeys(POOLED, True) | {"rirr_pooled_bayes": False}


def test_pairs_are_pooled_with_a_prior_on_their_spread_in_every_window():
    found = compare(make_four(), TWO)
    for period in ("change", "6+6"):
        ratios = [pick(found, "rirr", site, period) for site in ("north", "east")]
        logs = [math.log(ratio["estimate"]) for ratio in ratios]
        expected = pool_with_prior(logs, [ratio["se"] ** 2 for ratio in ratios])
        pooled = pick(found, "rirr_pooled_bayes", "all", period)
        for name in ("estimate", "ci_low", "ci_high", "se"):
            assert pooled[name] == pytest.approx(getattr(expected, name), abs=EXACT)
        assert math.isnan(pooled["p_value"])


def test_one_computed_pair_is_not_pooled():
    series = make_four()
    series["west"][:12] = [0] * 12
    found = compare(series, TWO)
    for name in (*POOLED, *SPREAD):
        pooled = pick(found, name, "all")
        assert math.isnan(pooled["estimate"])
        assert pooled["reason"] == Reason.TOO_FEW_PAIRS
        assert "one pair is not pooled" in pooled["note"]
        assert "1 of 2 pairs is left out" in pooled["note"]
        assert has_flag(pooled, Flag.PAIRS_LEFT_OUT)
    assert pick(found, "rirr", "east")["reason"] == Reason.ZERO_COUNT


def test_a_shared_control_is_flagged_and_enters_with_its_covariance():
    series = make_four()
    one = compare(series, SHARED)
    two = compare(dict(series, west=series["south"]), TWO)
    for name in (*POOLED, *SPREAD):
        assert has_flag(pick(one, name, "all"), Flag.SHARED_CONTROL)
        assert not has_flag(pick(two, name, "all"), Flag.SHARED_CONTROL)
    apart, together = (pick(each, "rirr_pooled_fixed", "all")["se"] for each in (two, one))
    assert together > 1.1 * apart
    ratios = [pick(one, "rirr", site) for site in ("north", "east")]
    factors = [max(1, pick(one, "dispersion", site)["estimate"]) for site in ("north", "east")]
    covariance = np.diag([ratio["se"] ** 2 for ratio in ratios])
    noise = 1 / sum(series["south"][:12]) + 1 / sum(series["south"][12:])
    covariance[0, 1] = covariance[1, 0] = math.sqrt(math.prod(factors)) * noise
    expected = pool_with_prior([math.log(ratio["estimate"]) for ratio in ratios], covariance)
    pooled = pick(one, "rirr_pooled_bayes", "all")
    for name in ("estimate", "ci_low", "ci_high", "se"):
        assert pooled[name] == pytest.approx(getattr(expected, name), abs=EXACT)


def test_pairs_on_unequal_months_share_the_noise_of_the_larger_count():
    """With sites far busier than their control, any larger covariance would be impossible."""
    series = {"north": [9e4] * 24, "east": [9e4] * 24, "south": SOUTH}
    series["east"][3] = math.nan
    found = compare(series, SHARED)
    fixed = pick(found, "rirr_pooled_fixed", "all")
    assert fixed["se"] == pytest.approx(pick(found, "rirr")["se"], rel=0.05)
    assert not math.isnan(pick(found, "rirr_pooled_bayes", "all")["estimate"])


def test_single_months_are_flagged_up_to_the_pooled_figures():
    series = {"north": [73, 110], "south": [72, 54], "east": [60, 61], "west": [50, 40]}
    months = ("2016-07", "2017-07")
    periods = make_periods(*((month, month) for month in months))
    found = compare(series, TWO, months=months, periods=periods)
    main = found[found["period"].isin(["before", "after", "change"]) & found["estimate"].notna()]
    assert {"all", "north", "west"} <= set(main["site"])
    assert main["flags"].str.contains(Flag.SINGLE_MONTH).all()


def test_an_interval_that_is_too_narrow_and_opposite_signs_are_flagged(findings):
    assert has_flag(pick(findings, "rirr_poisson"), Flag.NARROW_INTERVAL)
    assert not has_flag(pick(findings, "rirr"), Flag.NARROW_INTERVAL)
    series = {"north": [10] * 12 + [11] * 12, "south": [100] * 12 + [105] * 12}
    found = compare(series)
    assert has_flag(pick(found, "rirr_wdd_agreement"), Flag.OPPOSITE_SIGNS)


@pytest.mark.parametrize(
    ("change", "reason", "note"),
    [
        ({"periods": None}, Reason.NO_PERIODS, "No periods"),
        ({"pairs": [{"intervention": "north"}]}, Reason.NO_CONTROL, "No control site"),
        ({"series": {"north": NORTH}}, Reason.NO_MONTHS, "no count of south in the period before"),
        (
            {"series": {"north": NORTH, "south": [math.nan] * 24}},
            Reason.NO_MONTHS,
            "There is no count of south in the period before",
        ),
        (
            {"series": {"north": [20.0] * 12 + [math.nan] * 12, "south": SOUTH}},
            Reason.NO_MONTHS,
            "There is no count of north in the period after (2016-10 to 2017-09).",
        ),
        (
            {"periods": make_periods(("2012-01", "2012-12"), ("2013-01", "2013-12"))},
            Reason.OUTSIDE_FILES,
            "hold 2015-10 to 2017-09, and no month of the period before (2012-01 to 2012-12) or "
            "after",
        ),
    ],
)
def test_what_is_missing_has_its_reason_as_data_and_in_words(change, reason, note):
    found = compare(**change)
    name = "percentage_change" if reason is Reason.NO_PERIODS else "rirr"
    rows = found[found["estimator"] == name]
    assert rows["estimate"].isna().all()
    assert set(rows["reason"]) == {reason}
    assert rows["note"].str.contains(note, regex=False).all()
    if reason is Reason.NO_CONTROL:
        assert pick(found, "percentage_change")["estimate"] < 0


def test_outcomes_stand_in_the_cohorts_order():
    asb = make_incidents({"north": NORTH, "south": SOUTH})
    crime = make_incidents({"north": NORTH, "south": SOUTH}, outcome="victim_based_crime")
    both = Incidents(pd.concat([asb.sites, crime.sites]), asb.areas, asb.months, (), pd.DataFrame())
    found = compare_counts(both, make_cohort())
    assert list(dict.fromkeys(found["outcome"])) == ["victim_based_crime", "asb"]


def test_a_missing_column_is_the_callers_mistake():
    incidents = make_incidents({"north": NORTH, "south": SOUTH})
    broken = Incidents(
        incidents.sites.drop(columns="count"), incidents.areas, (), (), pd.DataFrame()
    )
    with pytest.raises(ValueError, match="count"):
        compare_counts(broken, make_cohort())


cells = st.lists(
    st.one_of(st.integers(0, 60).map(float), st.just(math.nan)), min_size=24, max_size=24
)


@settings(max_examples=40)
@given(north=cells, south=cells, east=cells)
def test_whatever_the_counts_every_gap_has_its_reason_and_no_word_claims_a_cause(
    north, south, east
):
    pairs = [
        {"intervention": "north", "control": "south", "displacement": "east"},
        {"intervention": "east", "control": "south"},
    ]
    found = compare({"north": north, "south": south, "east": east}, pairs)
    assert not np.isinf(found[["estimate", "ci_low", "ci_high", "se"]].to_numpy()).any()
    assert (found["note"][found["estimate"].isna()] != "").all()
    assert (found["reason"][found["estimate"].isna()] != "").all()
    assert (found["reason"][found["estimate"].notna()] == "").all()
    assert not found["note"].str.contains(CAUSAL).any()
    held = found.dropna(subset=["ci_low"])
    assert (held["ci_low"] <= held["estimate"]).all()
    assert (held["estimate"] <= held["ci_high"]).all()


def test_a_window_past_the_last_month_of_one_site_is_left_out_though_the_files_go_on():
    """A force that stops publishing would leave the same six months in every longer window."""
    months = list_months("2014-01", "2018-12")
    stops = [20.0] * 39 + [math.nan] * 21
    incidents = make_incidents({"north": stops, "south": [30.0] * 60}, months)
    found = compare_counts(incidents, make_cohort())
    assert pick(found, "window_months")["estimate"] == 6
    assert pick(found, "window_months", period="6+6")["estimate"] == 6
    for period in ("18+18", "24+24"):
        row = pick(found, "window_months", period=period)
        assert math.isnan(row["estimate"])
        assert "there are counts of all its sites from 2014-01 to 2017-03" in row["note"]
