"""Counts of sites, pairs and all pairs compared, on frames made by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import made_by_hand
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import CAUSAL, PAIR, join_incidents, make_cohort, make_incidents

from sbwork.compare.counts import compare_counts
from sbwork.specs.cohort import list_months
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.pairs import PAIR_ESTIMATORS
from sbwork.stats.pooling import pool_with_prior

EXACT = 1e-9
POOLED = ("rirr_pooled_bayes", "rirr_pooled", "rirr_pooled_fixed", "rirr_pooled_dl")
SPREAD = ("heterogeneity_q", "heterogeneity_i2", "heterogeneity_tau2")
MONTHS = list_months("2015-10", "2017-09")
NAN = math.nan


def make_periods(before: tuple[str, str], after: tuple[str, str], **more):
    ends = {"before": before, "after": after}
    return {name: {"start": pair[0], "end": pair[1]} for name, pair in ends.items()} | more


PERIODS = make_periods(("2015-10", "2016-09"), ("2016-10", "2017-09"))
UNEQUAL = make_periods(("2015-10", "2016-09"), ("2016-10", "2017-03"), unequal_seasons=True)
SINGLE = {
    "months": ("2016-07", "2017-07"),
    "periods": make_periods(("2016-07", "2016-07"), ("2017-07", "2017-07")),
}
TWO = [PAIR, ("east", "west")]
SHARED = [PAIR, ("east", "south")]
NORTH = [18, 35, 25, 9, 21, 24, 41, 27, 12, 20, 17, 15, 14, 25, 20, 6, 18, 16, 30, 9, 15, 14, 8, 14]
SOUTH = [
    *(25, 14, 38, 22, 36, 29, 43, 21, 27, 14, 22, 21),
    *(24, 36, 17, 23, 35, 18, 45, 30, 15, 26, 31, 12),
]
SERIES = {"north": NORTH, "south": SOUTH}
FOUR = dict(
    zip(
        ("north", "south", "east", "west"),
        np.random.default_rng(1).poisson(20, (4, 24)),
        strict=True,
    )
)


def compare(series=None, pairs=(PAIR,), *, months=MONTHS, outcome="asb", **cohort) -> pd.DataFrame:
    incidents = make_incidents(months, SERIES if series is None else series, outcome=outcome)
    return compare_counts(incidents, make_cohort(pairs, **{"periods": PERIODS, **cohort}))


def pick(frame: pd.DataFrame, estimator: str, site: str = "north", period: str = "change"):
    return made_by_hand.pick(frame, estimator, site, period)


def step(before: float, after: float) -> list[float]:
    return [before] * 12 + [after] * 12


@pytest.fixture(scope="module")
def findings() -> pd.DataFrame:
    return compare()


def test_the_shape_is_that_of_all_results(findings):
    assert tuple(findings.columns) == RESULT_COLUMNS
    assert set(findings["section"]) == {"counts"}
    assert not (findings["site"] == "all").any()
    key = ["outcome", "site", "comparison", "period", "estimator"]
    assert not findings.duplicated(key).any()
    of_pair = findings[(findings["comparison"] == "south") & (findings["period"] == "change")]
    assert list(of_pair["estimator"]) == ["window_months", *PAIR_ESTIMATORS]
    incidents = make_incidents(MONTHS, SERIES)
    before = incidents.sites.copy(deep=True)
    compare_counts(incidents, make_cohort(periods=PERIODS))
    pd.testing.assert_frame_equal(incidents.sites, before)


def test_the_published_panel_comes_through(findings):
    rirr = pick(findings, "rirr")
    assert (rirr["ci_low"], rirr["ci_high"]) == pytest.approx((0.449588, 1.139989), abs=1e-6)
    assert rirr["comparison"] == "south"
    assert rirr["df"] == 44
    poisson = pick(findings, "rirr_poisson")
    assert poisson["p_value"] == pytest.approx(0.007, abs=5e-4)
    assert "3.4 times" in poisson["note"]
    assert has_flag(poisson, Flag.NARROW_INTERVAL)
    assert not has_flag(rirr, Flag.NARROW_INTERVAL)
    assert pick(findings, "dispersion")["estimate"] == pytest.approx(3.4401936, abs=1e-7)
    effect = pick(findings, "relative_effect_size")["estimate"]
    assert effect == pytest.approx(1 / rirr["estimate"], abs=EXACT)


def test_the_same_in_plain_pandas(findings):
    sums = [sum(NORTH[:12]), sum(NORTH[12:]), sum(SOUTH[:12]), sum(SOUTH[12:])]
    expected = sums[0] * sums[3] / sums[2] - sums[1]
    wanted = {
        "percentage_change": 100 * (sums[1] / sums[0] - 1),
        "wdd": (sums[1] - sums[0]) - (sums[3] - sums[2]),
        "incidents_avoided": expected,
        "total_net_effect": expected,
    }
    found = {name: pick(findings, name)["estimate"] for name in wanted}
    assert found == pytest.approx(wanted)
    for period, count in zip(("before", "after"), sums, strict=False):
        assert pick(findings, "count", period=period)["estimate"] == count
    assert pick(findings, "wdd")["se"] == pytest.approx(math.sqrt(sum(sums)))
    phi = pick(findings, "dispersion")["estimate"]
    assert pick(findings, "wdd_corrected")["se"] == pytest.approx(math.sqrt(sum(sums) * phi))


def test_other_windows_are_given_where_the_data_allow(findings):
    assert pick(findings, "window_months", period="6+6")["estimate"] == 6
    half = pick(findings, "wdd", period="6+6")["estimate"]
    assert half == (sum(NORTH[12:18]) - sum(NORTH[:6])) - (sum(SOUTH[12:18]) - sum(SOUTH[:6]))
    longer = pick(findings, "window_months", period="24+24")
    assert math.isnan(longer["estimate"])
    assert "2014-10 to 2018-09" in longer["note"]
    assert not ((findings["period"] == "24+24") & (findings["estimator"] == "rirr")).any()


def test_a_window_past_the_last_month_of_one_site_is_left_out_though_the_files_go_on():
    """A force that stops publishing would leave the same six months in every longer window."""
    series = {"north": [20.0] * 39 + [NAN] * 21, "south": [30.0] * 60}
    found = compare(series, months=list_months("2014-01", "2018-12"))
    for period in ("change", "6+6"):
        assert pick(found, "window_months", period=period)["estimate"] == 6
    for period in ("18+18", "24+24"):
        row = pick(found, "window_months", period=period)
        assert math.isnan(row["estimate"])
        assert "there are counts of all its sites from 2014-01 to 2017-03" in row["note"]


def test_a_single_month_falls_back_on_poisson_and_says_so_up_to_the_pooled_figures():
    series = {"north": [73, 110], "south": [72, 54], "east": [60, 61], "west": [50, 40]}
    found = compare(series, TWO, **SINGLE)
    assert "single month" in pick(found, "dispersion")["note"]
    for name in ("rirr", "rirr_poisson", "wdd", "wdd_corrected", "percentage_change"):
        assert "too narrow" in pick(found, name)["note"]
    assert pick(found, "rirr")["ci_low"] == pick(found, "rirr_poisson")["ci_low"]
    main = found[found["period"].isin(["before", "after", "change"]) & found["estimate"].notna()]
    assert {"all", "north", "west"} <= set(main["site"])
    assert main["flags"].str.contains(Flag.SINGLE_MONTH).all()


def test_a_month_missing_in_the_control_is_left_out_of_the_site_too():
    south = [NAN if month == "2017-02" else c for month, c in zip(MONTHS, SOUTH, strict=True)]
    found = compare(FOUR | {"north": NORTH, "south": south}, TWO)
    lost = [MONTHS.index("2016-02"), MONTHS.index("2017-02")]
    kept = [NORTH[i] for i in range(24) if i not in lost]
    assert pick(found, "count", period="before")["estimate"] == sum(kept[:11])
    assert pick(found, "count", period="after")["estimate"] == sum(kept[11:])
    for name in ("count", "percentage_change", "rirr", "wdd", "window_months"):
        note = pick(found, name, period="before" if name == "count" else "change")["note"]
        assert "11 of 12 months on each side: 2017-02 is set aside" in note
    assert pick(found, "window_months")["estimate"] == 11
    main = found[found["period"].isin(["before", "after", "change"]) & found["estimate"].notna()]
    flagged = main["flags"].str.split().map(lambda flags: Flag.FEWER_MONTHS in flags)
    assert (flagged == main["site"].isin(["north", "south", "all"])).all()
    assert not has_flag(pick(found, "rirr"), Flag.FEW_MONTHS)


def test_a_control_with_two_months_is_used_and_called_far_too_few():
    south = [c if m[5:] in ("03", "04") else NAN for m, c in zip(MONTHS, SOUTH, strict=True)]
    found = compare({"north": NORTH, "south": south})
    rirr = pick(found, "rirr")
    assert "Fewer than 3 months" in rirr["note"]
    assert has_flag(rirr, Flag.FEW_MONTHS)
    assert not has_flag(rirr, Flag.SINGLE_MONTH)
    assert pick(found, "window_months")["estimate"] == 2


@pytest.mark.parametrize("where", [slice(0, 12), slice(12, 24), slice(0, 24)])
@pytest.mark.parametrize("site", ["north", "south"])
def test_zero_cells_give_no_ratio_but_a_difference(site, where):
    counts = np.array(SERIES[site])
    counts[where] = 0
    found = compare(SERIES | {site: counts})
    for name in ("rirr", "rirr_poisson", "relative_effect_size", "incidents_avoided"):
        assert math.isnan(pick(found, name)["estimate"])
        assert "count of 0" in pick(found, name)["note"]
    assert not math.isnan(pick(found, "wdd")["estimate"])
    assert "can't be compared" in pick(found, "rirr_wdd_agreement")["note"]
    if where == slice(0, 24):
        assert "either period" in pick(found, "percentage_change", site)["note"]


def test_displacement_enters_the_difference_and_the_quotient():
    """The published example, all incidents of a side in one month."""
    sums = {"north": (207, 110), "south": (308, 318), "east": (178, 157), "west": (150, 140)}
    series = {site: [before, *[0] * 11, after, *[0] * 11] for site, (before, after) in sums.items()}
    found = compare(series, [("north", "south", "east", "west")])
    assert pick(found, "wdd")["estimate"] == -118
    assert pick(found, "wdd")["se"] ** 2 == pytest.approx(1568)
    assert pick(found, "wdq")["estimate"] == pytest.approx(0.25819, abs=1e-5)
    assert "No valid interval" in pick(found, "wdq")["note"]


def test_windows_of_unequal_length_use_rates():
    found = compare({"north": [20] * 24, "south": [30] * 24}, periods=UNEQUAL)
    for name, value in (("percentage_change", 0), ("rirr", 1), ("wdd", 0)):
        assert pick(found, name)["estimate"] == pytest.approx(value, abs=EXACT)
    assert "seasons may look like change" in pick(found, "rirr")["note"]
    assert has_flag(pick(found, "rirr"), Flag.UNEQUAL_SEASONS)
    assert not has_flag(pick(found, "rirr"), Flag.FEWER_MONTHS)


def test_rates_are_given_where_the_population_is_known():
    found = compare(sites={"north": {"population": 4000}, "south": {}})
    rate = pick(found, "rate_per_1000", period="before")
    assert rate["estimate"] == pytest.approx(sum(NORTH[:12]) / 4)
    assert "12 months" in rate["note"]
    assert not ((found["estimator"] == "rate_per_1000") & (found["site"] == "south")).any()


def test_harm_weights_get_no_poisson_interval(findings):
    harm = {site: [19.5 * count for count in counts] for site, counts in SERIES.items()}
    found = compare(harm, outcome="harm")
    assert math.isnan(pick(found, "rirr_poisson")["estimate"])
    assert math.isnan(pick(found, "wdd")["ci_low"])
    for end in ("estimate", "ci_low", "ci_high", "p_value"):
        assert pick(found, "rirr")[end] == pytest.approx(pick(findings, "rirr")[end])
    ours, plain = (pick(each, "wdd_corrected")["p_value"] for each in (found, findings))
    assert ours == pytest.approx(plain)


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
    verdict = pick(compare({"north": step(*north), "south": step(*south)}), "rirr_wdd_agreement")
    assert verdict["estimate"] == agree
    assert re.search(said, verdict["note"])
    assert has_flag(verdict, Flag.OPPOSITE_SIGNS) == ("WDD" in said)


def assert_pooled(found, covariance, period="change"):
    """Assert that the headline is the pooled ratios of north and east with this covariance."""
    ratios = [pick(found, "rirr", site, period) for site in ("north", "east")]
    expected = pool_with_prior([math.log(ratio["estimate"]) for ratio in ratios], covariance)
    pooled = pick(found, "rirr_pooled_bayes", "all", period)
    for name in ("estimate", "ci_low", "ci_high", "se"):
        assert pooled[name] == pytest.approx(getattr(expected, name), abs=EXACT)
    assert math.isnan(pooled["p_value"])


def test_pairs_are_pooled_in_every_window():
    found = compare(FOUR, TWO)
    for period in ("change", "6+6"):
        ratios = [pick(found, "rirr", site, period) for site in ("north", "east")]
        assert_pooled(found, [ratio["se"] ** 2 for ratio in ratios], period)
        logs = [math.log(ratio["estimate"]) for ratio in ratios]
        mean = np.average(logs, weights=[1 / ratio["se"] ** 2 for ratio in ratios])
        fixed = pick(found, "rirr_pooled_fixed", "all", period)
        assert math.log(fixed["estimate"]) == pytest.approx(mean)
        assert fixed["n"] == 2
    for name in (*POOLED, *SPREAD):
        assert not math.isnan(pick(found, name, "all")["estimate"])
    assert 0 <= pick(found, "heterogeneity_i2", "all")["estimate"] <= 1
    described = {name: has_flag(pick(found, name, "all"), Flag.DESCRIPTION) for name in POOLED}
    assert described == dict.fromkeys(POOLED, True) | {"rirr_pooled_bayes": False}


def test_one_computed_pair_is_not_pooled():
    found = compare(FOUR | {"west": step(0, 20)}, TWO)
    for name in (*POOLED, *SPREAD):
        pooled = pick(found, name, "all")
        assert pooled["reason"] == Reason.TOO_FEW_PAIRS
        assert "one pair is not pooled" in pooled["note"]
        assert "1 of 2 pairs is left out" in pooled["note"]
        assert has_flag(pooled, Flag.PAIRS_LEFT_OUT)
    assert pick(found, "rirr", "east")["reason"] == Reason.ZERO_COUNT


def test_a_shared_control_is_flagged_and_enters_with_its_covariance():
    one, two = compare(FOUR, SHARED), compare(FOUR | {"west": FOUR["south"]}, TWO)
    for name in (*POOLED, *SPREAD):
        assert has_flag(pick(one, name, "all"), Flag.SHARED_CONTROL)
        assert not has_flag(pick(two, name, "all"), Flag.SHARED_CONTROL)
    apart, together = (pick(each, "rirr_pooled_fixed", "all")["se"] for each in (two, one))
    assert together > 1.1 * apart
    factors = [max(1, pick(one, "dispersion", site)["estimate"]) for site in ("north", "east")]
    covariance = np.diag([pick(one, "rirr", site)["se"] ** 2 for site in ("north", "east")])
    noise = 1 / sum(FOUR["south"][:12]) + 1 / sum(FOUR["south"][12:])
    covariance[0, 1] = covariance[1, 0] = math.sqrt(math.prod(factors)) * noise
    assert_pooled(one, covariance)


def test_pairs_on_unequal_months_share_the_noise_of_the_larger_count():
    """With sites far busier than their control, any larger covariance would be impossible."""
    series = {"north": [9e4] * 24, "east": [9e4] * 3 + [NAN] + [9e4] * 20, "south": SOUTH}
    found = compare(series, SHARED)
    fixed = pick(found, "rirr_pooled_fixed", "all")
    assert fixed["se"] == pytest.approx(pick(found, "rirr")["se"], rel=0.05)
    assert not math.isnan(pick(found, "rirr_pooled_bayes", "all")["estimate"])


@pytest.mark.parametrize(
    ("change", "reason", "note"),
    [
        ({"periods": None}, Reason.NO_PERIODS, "No periods"),
        ({"pairs": [("north",)]}, Reason.NO_CONTROL, "No control site"),
        ({"series": {"north": NORTH}}, Reason.NO_MONTHS, "no count of south in the period before"),
        (
            {"series": {"north": NORTH, "south": [NAN] * 24}},
            Reason.NO_MONTHS,
            "There is no count of south in the period before",
        ),
        (
            {"series": {"north": step(20.0, NAN), "south": SOUTH}},
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


def test_outcomes_stand_in_the_cohorts_order_and_a_missing_column_is_refused():
    outcomes = ("asb", "victim_based_crime")
    both = join_incidents(*(make_incidents(MONTHS, SERIES, outcome=name) for name in outcomes))
    found = compare_counts(both, make_cohort(periods=PERIODS))
    assert tuple(dict.fromkeys(found["outcome"])) == outcomes[::-1]
    with pytest.raises(ValueError, match="count"):
        compare_counts(replace(both, sites=both.sites.drop(columns="count")), make_cohort())


cells = st.lists(st.one_of(st.integers(0, 60).map(float), st.just(NAN)), min_size=24, max_size=24)


@settings(max_examples=40)
@given(north=cells, south=cells, east=cells)
def test_whatever_the_counts_every_gap_has_its_reason_and_no_word_claims_a_cause(
    north, south, east
):
    series = {"north": north, "south": south, "east": east}
    found = compare(series, [("north", "south", "east"), ("east", "south")])
    assert not np.isinf(found[["estimate", "ci_low", "ci_high", "se"]].to_numpy()).any()
    missing = found["estimate"].isna()
    assert (found["note"][missing] != "").all()
    assert (missing == (found["reason"] != "")).all()
    assert not found["note"].str.contains(CAUSAL).any()
    known = found.dropna(subset=["ci_low"])
    assert (known["ci_low"] <= known["estimate"]).all()
    assert (known["estimate"] <= known["ci_high"]).all()
