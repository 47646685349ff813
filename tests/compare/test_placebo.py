"""Each pair among areas where nothing was done, on frames made by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_archive
from small_archive import CAUSAL, PAIR, make_cohort, pick

from sbwork.compare.counts import compare_counts
from sbwork.compare.placebo import DISTRIBUTION_COLUMNS, compare_placebos
from sbwork.read.incidents import read_incidents
from sbwork.specs.cohort import Cohort, list_months, read_cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.pairs import MonthlyCounts, PairCounts
from sbwork.stats.ranks import estimate_placebo_mean, rank_mean

DATA = Path(__file__).parents[2] / "data"
MONTHS = list_months("2014-01", "2017-12")


make_incidents = partial(small_archive.make_incidents, MONTHS)


@pytest.fixture
def areas() -> np.ndarray:
    return np.random.default_rng(1).poisson(20, (60, 48)).astype(float)


@pytest.fixture
def sites() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    north = np.concatenate([rng.poisson(20, 36), rng.poisson(10, 12)]).astype(float)
    return {"north": north, "south": rng.poisson(20, 48).astype(float)}


def test_the_shapes(sites, areas):
    placebo = compare_placebos(make_incidents(sites, areas), make_cohort())
    assert tuple(placebo.findings.columns) == RESULT_COLUMNS
    assert tuple(placebo.distribution.columns) == DISTRIBUTION_COLUMNS
    assert set(placebo.findings["section"]) == {"placebo"}
    assert set(placebo.distribution["kind"]) == {"space", "time"}
    assert not placebo.findings.duplicated(["outcome", "site", "estimator"]).any()
    assert not placebo.findings["note"].str.contains(CAUSAL).any()


def test_a_halved_site_stands_outside_what_areas_do(sites, areas):
    found = compare_placebos(make_incidents(sites, areas), make_cohort()).findings
    assert pick(found, "placebo_share_as_large")["estimate"] == 0
    assert pick(found, "placebo_p")["estimate"] < 0.05
    assert pick(found, "placebo_p")["p_value"] == pick(found, "placebo_p")["estimate"]
    low, high = (pick(found, f"placebo_{end}")["estimate"] for end in ("low", "high"))
    assert pick(found, "placebo_observed")["estimate"] < low < 0 < high
    assert pick(found, "rirr_placebo")["ci_high"] < 1
    assert pick(found, "placebo_areas")["estimate"] == 60


def test_a_placebo_change_is_the_ratio_of_the_two_areas(sites, areas):
    placebo = compare_placebos(make_incidents(sites, areas), make_cohort())
    row = placebo.distribution[placebo.distribution["kind"] == "space"].iloc[7]
    one, other = (areas[int(row[part][1:])] for part in ("area", "comparison"))
    expected = math.log(one[36:].sum() / one[24:36].sum()) - math.log(
        other[36:].sum() / other[24:36].sum()
    )
    assert row["log_rirr"] == pytest.approx(expected)
    assert row["percent_change"] == pytest.approx(100 * math.expm1(expected))


def test_areas_in_a_site_and_areas_of_another_size_are_left_out(sites, areas):
    areas[5] *= 4
    areas[6] = 0
    areas[7, 30] = math.nan
    incidents = make_incidents(sites, areas, overlap={3: "north", 4: "south"})
    placebo = compare_placebos(incidents, make_cohort())
    used = set(placebo.distribution["area"]) | set(placebo.distribution["comparison"])
    assert not used & {"E00003", "E00004", "E00005", "E00006", "E00007"}
    assert pick(placebo.findings, "placebo_areas")["estimate"] == 55


def test_an_area_that_fell_to_nothing_counts_as_a_large_change(sites, areas):
    areas[8, 36:] = 0
    placebo = compare_placebos(make_incidents(sites, areas), make_cohort())
    of_eight = placebo.distribution[placebo.distribution["area"] == "E00008"]
    assert (of_eight["log_rirr"] < -4).all()
    assert np.isfinite(placebo.distribution["log_rirr"]).all()


def test_too_few_areas_are_said_and_give_no_p(sites, areas):
    found = compare_placebos(make_incidents(sites, areas[:12]), make_cohort()).findings
    p = pick(found, "placebo_p")
    assert math.isnan(p["estimate"])
    assert math.isnan(p["p_value"])
    assert "Too few areas for p = .05 to be possible: at least 19" in p["note"]
    assert "group_by" in p["note"]
    assert math.isnan(pick(found, "rirr_placebo")["ci_low"])
    assert pick(found, "placebo_areas")["estimate"] == 12


def test_no_comparable_area_at_all(sites, areas):
    found = compare_placebos(make_incidents(sites, areas * 50), make_cohort()).findings
    assert pick(found, "placebo_areas")["estimate"] == 0
    for name in ("placebo_p", "placebo_share_as_large", "placebo_low", "placebo_high"):
        assert math.isnan(pick(found, name)["estimate"])
        assert pick(found, name)["note"]


def test_an_archive_without_areas(sites):
    found = compare_placebos(make_incidents(sites, np.empty((0, 48))), make_cohort()).findings
    assert pick(found, "placebo_areas")["estimate"] == 0
    assert math.isnan(pick(found, "placebo_p")["estimate"])


def test_a_site_with_nothing_can_not_be_placed(sites, areas):
    sites["north"][36:] = 0
    found = compare_placebos(make_incidents(sites, areas), make_cohort()).findings
    assert "counts of the pair is 0" in pick(found, "placebo_p")["note"]
    assert math.isnan(pick(found, "placebo_observed")["estimate"])


def test_without_a_control_the_sites_own_change_is_placed(sites, areas):
    pair = [{"intervention": "north"}]
    placebo = compare_placebos(make_incidents({"north": sites["north"]}, areas), make_cohort(pair))
    assert pick(placebo.findings, "placebo_p")["estimate"] == pytest.approx(1 / 61)
    assert set(placebo.distribution[placebo.distribution["kind"] == "space"]["comparison"]) == {""}


def test_windows_moved_back_stay_before_the_start(sites, areas):
    placebo = compare_placebos(make_incidents(sites, areas), make_cohort())
    in_time = placebo.distribution[placebo.distribution["kind"] == "time"]
    assert list(in_time["shift"]) == list(range(-12, -25, -1))
    north, south = sites["north"], sites["south"]
    expected = math.log(north[24:36].sum() / north[12:24].sum()) - math.log(
        south[24:36].sum() / south[12:24].sum()
    )
    assert in_time.iloc[0]["log_rirr"] == pytest.approx(expected)
    assert pick(placebo.findings, "placebo_time_contrasts")["estimate"] == 13
    assert pick(placebo.findings, "placebo_time_share_as_large")["estimate"] == 0
    assert "no test" in pick(placebo.findings, "placebo_time_share_as_large")["note"]


def test_several_pairs_are_placed_together(sites, areas):
    rng = np.random.default_rng(3)
    sites["east"] = np.concatenate([rng.poisson(20, 36), rng.poisson(14, 12)]).astype(float)
    sites["west"] = rng.poisson(20, 48).astype(float)
    cohort = make_cohort([PAIR, {"intervention": "east", "control": "west"}])
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    together = pick(found, "placebo_observed", "all")["estimate"]
    apart = [pick(found, "placebo_observed", site)["estimate"] for site in ("north", "east")]
    assert math.log1p(together / 100) == pytest.approx(
        np.mean([math.log1p(change / 100) for change in apart])
    )
    assert pick(found, "placebo_p", "all")["estimate"] < 0.01
    assert "sites and controls of all pairs" in pick(found, "placebo_p", "all")["note"]
    sites["west"][36:] = 0
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    assert "1 of 2 pairs" in pick(found, "placebo_p", "all")["note"]


def test_each_pair_alone_leaves_the_other_pairs_out_but_together_they_are_areas_too(sites, areas):
    cohort = make_cohort([PAIR, {"intervention": "east", "control": "south"}])
    found = {}
    for size in (1, 30):  # as large as the areas, and much larger
        sites["east"] = size * np.random.default_rng(3).poisson(20, 48).astype(float)
        sites["east"][36:] /= 2
        found[size] = compare_placebos(make_incidents(sites, areas), cohort).findings
    alone = [pick(found[size], "placebo_p")["estimate"] for size in found]
    assert alone[0] == alone[1]
    assert [pick(found[size], "placebo_areas")["estimate"] for size in found] == [60, 60]
    assert math.isnan(pick(found[30], "placebo_p", "all")["estimate"])


def test_the_mean_of_pairs_is_ranked_by_hand(sites, areas):
    rng = np.random.default_rng(9)
    sites["north"] = rng.poisson(20, 48).astype(float)
    sites["east"] = np.concatenate([rng.poisson(20, 36), rng.poisson(16, 12)]).astype(float)
    cohort = make_cohort([PAIR, {"intervention": "east", "control": "south"}])
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    rows = np.vstack([areas, sites["north"], sites["east"], sites["south"]])
    before, after = rows[:, 24:36].sum(axis=1), rows[:, 36:].sum(axis=1)
    change = np.log(after / before)
    layout = [(60, 62), (61, 62)]
    rank = rank_mean(change, before, layout, 1.5)
    p = pick(found, "placebo_p", "all")["estimate"]
    assert p == pytest.approx(rank.p_value, abs=4 * math.sqrt(rank.p_value / 9999))
    own = (change[60] + change[61]) / 2 - change[62]
    observed = pick(found, "placebo_observed", "all")["estimate"]
    assert math.log1p(observed / 100) == pytest.approx(own)
    ratio = pick(found, "rirr_placebo", "all")
    cells = [
        [side[area] for area in pair for side in (before, after)] for pair in ((60, 62), (61, 62))
    ]
    expected = estimate_placebo_mean(rank, cells, layout)
    assert ratio["estimate"] == pytest.approx(math.exp(own))
    assert ratio["ci_low"] == pytest.approx(expected.ci_low, rel=0.02)
    assert ratio["ci_high"] == pytest.approx(expected.ci_high, rel=0.02)
    assert ratio["p_value"] == p


def make_pairs(sites: dict[str, np.ndarray], control: str) -> Cohort:
    """A cohort of two pairs; the second site fell by a tenth."""
    rng = np.random.default_rng(9)
    sites["east"] = np.concatenate([rng.poisson(20, 36), rng.poisson(18, 12)]).astype(float)
    sites["west"] = rng.poisson(20, 48).astype(float)
    return make_cohort([PAIR, {"intervention": "east", "control": control}])


def test_a_shared_control_is_flagged_and_makes_the_interval_wider(sites, areas):
    widths = {}
    for control in ("south", "west"):
        cohort = make_pairs(sites, control)
        found = compare_placebos(make_incidents(sites, areas), cohort).findings
        pooled = found[found["site"] == "all"]
        shared = [has_flag(row, Flag.SHARED_CONTROL) for _, row in pooled.iterrows()]
        assert shared == [control == "south"] * len(pooled)
        assert len(pooled) == 6
        ratio = pick(found, "rirr_placebo", "all")
        widths[control] = math.log(ratio["ci_high"] / ratio["ci_low"])
    # variance (1/2 + 1) s^2 with a shared control, (1/2 + 1/2) s^2 with two; less where pairs must
    # start as unequal as the real ones
    assert 1.08 < widths["south"] / widths["west"] < math.sqrt(1.5)


def test_each_pair_is_taken_in_the_months_of_its_own_sites(sites, areas):
    cohort = make_pairs(sites, "south")
    sites["east"][24:30] = math.nan
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    apart = [pick(found, "rirr_placebo", site)["estimate"] for site in ("north", "east")]
    half = sites["east"][42:].sum() / sites["east"][30:36].sum()
    half /= sites["south"][42:].sum() / sites["south"][30:36].sum()
    assert apart[1] == pytest.approx(half)
    together = pick(found, "rirr_placebo", "all")
    assert together["estimate"] == pytest.approx(math.sqrt(apart[0] * apart[1]))
    assert together["ci_low"] < together["estimate"] < together["ci_high"]


def test_the_smallest_p_stands_beside_each_p(sites, areas):
    cohort = make_pairs(sites, "south")
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    p, smallest = (
        found[found["estimator"] == name].set_index("site")["estimate"]
        for name in ("placebo_p", "placebo_smallest_p")
    )
    assert list(p.index) == list(smallest.index) == ["north", "east", "all"]
    assert ((smallest > 0) & (smallest <= p)).all()
    assert smallest["north"] < 0.05
    row = pick(found, "placebo_smallest_p")
    assert row["unit"] == "p"
    assert math.isnan(row["p_value"])
    lone = make_cohort([{"intervention": "north"}])
    found = compare_placebos(make_incidents(sites, areas), lone).findings
    assert pick(found, "placebo_smallest_p")["estimate"] == pytest.approx(1 / 61)


def test_a_site_that_few_areas_are_like_can_not_reach_five_percent(sites, areas):
    cohort = make_pairs(sites, "south")
    areas[:2] *= 1.9
    sites["north"] = sites["north"] * 1.9
    sites["south"] = np.full(48, 20.0)  # moves as the middle area does, so that half fell more
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    p, smallest = pick(found, "placebo_p"), pick(found, "placebo_smallest_p")
    assert pick(found, "placebo_areas")["estimate"] > 38
    assert p["estimate"] >= smallest["estimate"] > 0.05
    assert "possible, however large the change" in p["note"]
    assert has_flag(p, Flag.FEW_AREAS)
    assert has_flag(smallest, Flag.FEW_AREAS)
    assert not has_flag(pick(found, "placebo_p", "east"), Flag.FEW_AREAS)


def test_sites_without_control_are_judged_together(sites, areas):
    make_pairs(sites, "west")
    cohort = make_cohort([{"intervention": site} for site in ("north", "east")])
    found = compare_placebos(make_incidents(sites, areas), cohort).findings
    assert pick(found, "placebo_p", "all")["estimate"] < 0.05
    ratio = pick(found, "rirr_placebo", "all")
    assert ratio["ci_low"] < ratio["estimate"] < ratio["ci_high"] < 1
    assert not has_flag(ratio, Flag.SHARED_CONTROL)


def test_what_is_missing_has_its_reason(sites, areas):
    cohort = make_pairs(sites, "west")

    def list_reasons(own: Mapping[str, np.ndarray], among: np.ndarray) -> dict[str, str]:
        found = compare_placebos(make_incidents(own, among), cohort).findings
        missing = found["estimate"].isna()
        assert (found.loc[missing, "reason"] != "").all()
        assert (found.loc[missing, "note"] != "").all()
        assert (found.loc[~missing, "reason"] == "").all()
        p_values = found[found["estimator"] == "rirr_placebo"]
        return dict(zip(p_values["site"], p_values["reason"], strict=True))

    nothing, silent = sites["west"].copy(), sites["west"].copy()
    nothing[36:], silent[36:] = 0, math.nan
    assert list_reasons(sites, areas) == {"north": "", "east": "", "all": ""}
    assert list_reasons({**sites, "west": nothing}, areas) == {
        "north": "",
        "east": Reason.ZERO_COUNT,
        "all": Reason.PAIR_MISSING,
    }
    assert list_reasons({**sites, "west": silent}, areas)["east"] == Reason.NO_MONTHS
    assert list_reasons(sites, areas[:12])["all"] == Reason.TOO_FEW_AREAS
    assert list_reasons(sites, areas[:0])["north"] == Reason.TOO_FEW_AREAS


def test_with_few_areas_it_is_said_that_a_large_change_may_not_be_enough(sites, areas):
    rows = [
        pick(compare_placebos(make_incidents(sites, among), make_cohort()).findings, "placebo_p")
        for among in (areas[:37], areas)
    ]
    assert "With fewer than 38 areas" in rows[0]["note"]
    assert "With fewer" not in rows[1]["note"]
    assert [has_flag(row, Flag.FEW_AREAS) for row in rows] == [True, False]


def test_the_distribution_is_thinned_by_the_seed(sites):
    areas = np.random.default_rng(4).poisson(20, (250, 48)).astype(float)
    incidents = make_incidents(sites, areas)
    one, same = (compare_placebos(incidents, make_cohort(seed=7)) for _ in range(2))
    other = compare_placebos(incidents, make_cohort(seed=8))
    space = one.distribution[one.distribution["kind"] == "space"]
    assert len(space) == 20_000
    pd.testing.assert_frame_equal(one.distribution, same.distribution)
    assert not one.distribution.equals(other.distribution)
    pd.testing.assert_frame_equal(one.findings, other.findings)


def test_without_periods_there_is_nothing_to_place(sites, areas):
    placebo = compare_placebos(make_incidents(sites, areas), make_cohort(periods=None))
    assert len(placebo.findings) == len(placebo.distribution) == 0
    assert tuple(placebo.distribution.columns) == DISTRIBUTION_COLUMNS


def test_input_is_left_as_it_was(sites, areas):
    incidents = make_incidents(sites, areas)
    before = incidents.areas.copy(deep=True)
    compare_placebos(incidents, make_cohort())
    pd.testing.assert_frame_equal(incidents.areas, before)


def test_the_rehearsal_on_real_data_finds_nothing_where_a_poisson_interval_would(tmp_path):
    """West Yorkshire, July 2016 and 2017: nothing was done in any of these areas."""
    cohort = read_cohort("west-yorkshire", DATA)
    incidents = read_incidents(cohort, cache=tmp_path)
    ratios = compare_counts(incidents, cohort)
    found = compare_placebos(incidents, cohort).findings
    poisson = ratios[ratios["estimator"] == "rirr_poisson"]["p_value"]
    placed = found[found["estimator"] == "placebo_p"]["p_value"]
    assert poisson.min() < 0.01
    assert placed.notna().all()
    assert placed.min() > 0.05


@pytest.mark.parametrize("months", [12, 1])
def test_the_share_of_intervals_that_err_is_that_of_the_rirr_of_each_placebo_pair(sites, months):
    """Each placebo pair compared by itself, in the long way."""
    rng = np.random.default_rng(5)
    areas = rng.poisson(rng.gamma(20, 1, (30, 48))).astype(float)
    periods = {
        "before": {"start": "2016-01", "end": f"2016-{months:02d}"},
        "after": {"start": "2017-01", "end": f"2017-{months:02d}"},
    }
    incidents = make_incidents(sites, areas)
    placebo = compare_placebos(incidents, make_cohort(periods=periods))
    found = pick(placebo.findings, "placebo_interval_share")
    pairs = placebo.distribution[placebo.distribution["kind"] == "space"]
    assert len(pairs) == found["n"]
    at = [[list(MONTHS).index(f"{year}-{m:02d}") for m in range(1, months + 1)]
          for year in (2016, 2017)]  # fmt: skip
    errs = []
    for one, other in zip(pairs["area"], pairs["comparison"], strict=True):
        cells = [
            MonthlyCounts(areas[int(code[1:])][at[0]], areas[int(code[1:])][at[1]])
            for code in (one, other)
        ]
        ratio = PairCounts(*cells).estimate_rirr()
        errs.append(ratio.ci_low > 1 or ratio.ci_high < 1)
    assert 0 < found["estimate"] < 0.5
    assert found["estimate"] == pytest.approx(np.mean(errs), abs=1e-12)
