"""Each pair among areas where nothing was done, on frames made by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import CAUSAL, DATA, PAIR, make_cohort, make_incidents, pick

from sbwork.compare.counts import compare_counts
from sbwork.compare.placebo import DISTRIBUTION_COLUMNS, Placebo, compare_placebos
from sbwork.read.incidents import read_incidents
from sbwork.specs.cohort import list_months, read_cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.pairs import MonthlyCounts, PairCounts
from sbwork.stats.ranks import estimate_placebo_mean, rank_mean

MONTHS = list_months("2014-01", "2017-12")
LONE = [("north",)]
SHARED, APART = [PAIR, ("east", "south")], [PAIR, ("east", "west")]


def compare(sites, areas, pairs: Any = (PAIR,), overlap=None, **cohort: Any) -> Placebo:
    incidents = make_incidents(MONTHS, sites, areas, overlap)
    return compare_placebos(incidents, make_cohort(pairs, **cohort))


def find(sites, areas, pairs: Any = (PAIR,)) -> pd.DataFrame:
    return compare(sites, areas, pairs).findings


def take_logs(counts: np.ndarray, start: int) -> float:
    """Return the log ratio of the year that starts at a month to the year before it."""
    return math.log(counts[start : start + 12].sum() / counts[start - 12 : start].sum())


@pytest.fixture
def areas() -> np.ndarray:
    return np.random.default_rng(1).poisson(20, (60, 48)).astype(float)


@pytest.fixture
def sites() -> dict[str, np.ndarray]:
    """The first site fell by half, the other intervention site by a tenth."""
    rng = np.random.default_rng(2)
    north = np.concatenate([rng.poisson(20, 36), rng.poisson(10, 12)]).astype(float)
    south = rng.poisson(20, 48).astype(float)
    rng = np.random.default_rng(9)
    east = np.concatenate([rng.poisson(20, 36), rng.poisson(18, 12)]).astype(float)
    return {"north": north, "south": south, "east": east, "west": rng.poisson(20, 48).astype(float)}


def test_the_shapes_and_what_is_left_alone(sites, areas):
    incidents = make_incidents(MONTHS, sites, areas)
    before = incidents.areas.copy(deep=True)
    placebo = compare_placebos(incidents, make_cohort())
    pd.testing.assert_frame_equal(incidents.areas, before)
    assert tuple(placebo.findings.columns) == RESULT_COLUMNS
    assert tuple(placebo.distribution.columns) == DISTRIBUTION_COLUMNS
    assert set(placebo.findings["section"]) == {"placebo"}
    assert set(placebo.distribution["kind"]) == {"space", "time"}
    assert not placebo.findings.duplicated(["outcome", "site", "estimator"]).any()
    assert not placebo.findings["note"].str.contains(CAUSAL).any()
    nothing = compare(sites, areas, periods=None)
    assert len(nothing.findings) == len(nothing.distribution) == 0
    assert tuple(nothing.distribution.columns) == DISTRIBUTION_COLUMNS


def test_a_halved_site_stands_outside_what_areas_do(sites, areas):
    placebo = compare(sites, areas)
    found = placebo.findings
    assert pick(found, "placebo_share_as_large")["estimate"] == 0
    p = pick(found, "placebo_p")
    assert p["p_value"] == p["estimate"] < 0.05
    low, high = (pick(found, f"placebo_{end}")["estimate"] for end in ("low", "high"))
    assert pick(found, "placebo_observed")["estimate"] < low < 0 < high
    assert pick(found, "rirr_placebo")["ci_high"] < 1
    assert pick(found, "placebo_areas")["estimate"] == 60
    row = placebo.distribution[placebo.distribution["kind"] == "space"].iloc[7]
    one, other = (areas[int(row[part][1:])] for part in ("area", "comparison"))
    expected = take_logs(one, 36) - take_logs(other, 36)
    assert row["log_rirr"] == pytest.approx(expected)
    assert row["percent_change"] == pytest.approx(100 * math.expm1(expected))


def test_areas_in_a_site_and_areas_of_another_size_are_left_out(sites, areas):
    areas[5] *= 4
    areas[6] = 0
    areas[7, 30] = math.nan
    areas[8, 36:] = 0
    placebo = compare(sites, areas, overlap={3: "north", 4: "south"})
    used = set(placebo.distribution["area"]) | set(placebo.distribution["comparison"])
    assert not used & {"E00003", "E00004", "E00005", "E00006", "E00007"}
    assert pick(placebo.findings, "placebo_areas")["estimate"] == 55
    # one that fell to nothing counts as a large change
    of_eight = placebo.distribution[placebo.distribution["area"] == "E00008"]
    assert (of_eight["log_rirr"] < -4).all()
    assert np.isfinite(placebo.distribution["log_rirr"]).all()


def test_too_few_areas_are_said_and_give_no_p(sites, areas):
    found = find(sites, areas[:12])
    p = pick(found, "placebo_p")
    assert math.isnan(p["estimate"])
    assert math.isnan(p["p_value"])
    assert "Too few areas for p = .05 to be possible: at least 19" in p["note"]
    assert "group_by" in p["note"]
    assert math.isnan(pick(found, "rirr_placebo")["ci_low"])
    assert pick(found, "placebo_areas")["estimate"] == 12
    few, ample = (pick(find(sites, among), "placebo_p") for among in (areas[:37], areas))
    assert "With fewer than 38 areas" in few["note"]
    assert "With fewer" not in ample["note"]
    assert [has_flag(row, Flag.FEW_AREAS) for row in (few, ample)] == [True, False]


@pytest.mark.parametrize("times", [50, 0])
def test_no_comparable_area_at_all(sites, areas, times):
    found = find(sites, times * areas if times else areas[:0])
    assert pick(found, "placebo_areas")["estimate"] == 0
    for name in ("placebo_p", "placebo_share_as_large", "placebo_low", "placebo_high"):
        assert math.isnan(pick(found, name)["estimate"])
        assert pick(found, name)["note"]


def test_without_a_control_the_sites_own_change_is_placed(sites, areas):
    placebo = compare(sites, areas, LONE)
    for name in ("placebo_p", "placebo_smallest_p"):
        assert pick(placebo.findings, name)["estimate"] == pytest.approx(1 / 61)
    assert set(placebo.distribution[placebo.distribution["kind"] == "space"]["comparison"]) == {""}


def test_windows_moved_back_stay_before_the_start(sites, areas):
    placebo = compare(sites, areas)
    in_time = placebo.distribution[placebo.distribution["kind"] == "time"]
    assert list(in_time["shift"]) == list(range(-12, -25, -1))
    expected = take_logs(sites["north"], 24) - take_logs(sites["south"], 24)
    assert in_time.iloc[0]["log_rirr"] == pytest.approx(expected)
    assert pick(placebo.findings, "placebo_time_contrasts")["estimate"] == 13
    share = pick(placebo.findings, "placebo_time_share_as_large")
    assert share["estimate"] == 0
    assert "no test" in share["note"]


def test_several_pairs_are_placed_together(sites, areas):
    sites["east"][36:] *= 0.75
    found = find(sites, areas, APART)
    together = pick(found, "placebo_observed", "all")["estimate"]
    apart = [pick(found, "placebo_observed", site)["estimate"] for site in ("north", "east")]
    mean = np.mean([math.log1p(change / 100) for change in apart])
    assert math.log1p(together / 100) == pytest.approx(mean)
    p = pick(found, "placebo_p", "all")
    assert p["estimate"] < 0.01
    assert "sites and controls of all pairs" in p["note"]
    sites["west"][36:] = 0
    assert "1 of 2 pairs" in pick(find(sites, areas, APART), "placebo_p", "all")["note"]


def test_each_pair_alone_leaves_the_other_pairs_out_but_together_they_are_areas_too(sites, areas):
    found = {}
    for size in (1, 30):  # as large as the areas, and much larger
        sites["east"] = size * np.random.default_rng(3).poisson(20, 48).astype(float)
        sites["east"][36:] /= 2
        found[size] = find(sites, areas, SHARED)
    alone = [pick(found[size], "placebo_p")["estimate"] for size in found]
    assert alone[0] == alone[1]
    assert [pick(found[size], "placebo_areas")["estimate"] for size in found] == [60, 60]
    assert math.isnan(pick(found[30], "placebo_p", "all")["estimate"])


def test_the_mean_of_pairs_is_ranked_by_hand(sites, areas):
    rng = np.random.default_rng(9)
    sites["north"] = rng.poisson(20, 48).astype(float)
    sites["east"] = np.concatenate([rng.poisson(20, 36), rng.poisson(16, 12)]).astype(float)
    found = find(sites, areas, SHARED)
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
    cells = [[side[area] for area in pair for side in (before, after)] for pair in layout]
    expected = estimate_placebo_mean(rank, cells, layout)
    ratio = pick(found, "rirr_placebo", "all")
    assert ratio["estimate"] == pytest.approx(math.exp(own))
    assert ratio["ci_low"] == pytest.approx(expected.ci_low, rel=0.02)
    assert ratio["ci_high"] == pytest.approx(expected.ci_high, rel=0.02)
    assert ratio["p_value"] == p


def test_a_shared_control_is_flagged_and_makes_the_interval_wider(sites, areas):
    widths = {}
    for name, pairs in (("south", SHARED), ("west", APART), ("", [*LONE, ("east",)])):
        found = find(sites, areas, pairs)
        pooled = found[found["site"] == "all"]
        shared = [has_flag(row, Flag.SHARED_CONTROL) for _, row in pooled.iterrows()]
        assert shared == [pairs == SHARED] * 6
        ratio = pick(found, "rirr_placebo", "all")
        assert ratio["ci_low"] < ratio["estimate"] < ratio["ci_high"]
        assert ratio["ci_high"] < 1
        widths[name] = math.log(ratio["ci_high"] / ratio["ci_low"])
    # variance (1/2 + 1) s^2 with a shared control, (1/2 + 1/2) s^2 with two; less where pairs must
    # start as unequal as the real ones
    assert 1.08 < widths["south"] / widths["west"] < math.sqrt(1.5)


def test_each_pair_is_taken_in_the_months_of_its_own_sites(sites, areas):
    sites["east"][24:30] = math.nan
    found = find(sites, areas, SHARED)
    apart = [pick(found, "rirr_placebo", site)["estimate"] for site in ("north", "east")]
    east, south = (sites[site][42:].sum() / sites[site][30:36].sum() for site in ("east", "south"))
    assert apart[1] == pytest.approx(east / south)
    together = pick(found, "rirr_placebo", "all")
    assert together["estimate"] == pytest.approx(math.sqrt(apart[0] * apart[1]))
    assert together["ci_low"] < together["estimate"] < together["ci_high"]


def test_the_smallest_p_stands_beside_each_p(sites, areas):
    found = find(sites, areas, SHARED)
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


def test_a_site_that_few_areas_are_like_can_not_reach_five_percent(sites, areas):
    areas[:2] *= 1.9
    sites["north"] = sites["north"] * 1.9
    sites["south"] = np.full(48, 20.0)  # moves as the middle area does, so that half fell more
    found = find(sites, areas, SHARED)
    p, smallest = pick(found, "placebo_p"), pick(found, "placebo_smallest_p")
    assert pick(found, "placebo_areas")["estimate"] > 38
    assert p["estimate"] >= smallest["estimate"] > 0.05
    assert "possible, however large the change" in p["note"]
    assert has_flag(p, Flag.FEW_AREAS)
    assert has_flag(smallest, Flag.FEW_AREAS)
    assert not has_flag(pick(found, "placebo_p", "east"), Flag.FEW_AREAS)


@pytest.mark.parametrize(
    ("west", "n_areas", "reasons"),
    [
        (None, 60, ("", "", "")),
        (0.0, 60, ("", Reason.ZERO_COUNT, Reason.PAIR_MISSING)),
        (math.nan, 60, ("", Reason.NO_MONTHS, Reason.PAIR_MISSING)),
        (None, 12, ("", "", Reason.TOO_FEW_AREAS)),
        (None, 0, (Reason.TOO_FEW_AREAS,) * 3),
    ],
)
def test_what_is_missing_has_its_reason(sites, areas, west, n_areas, reasons):
    if west is not None:
        sites["west"][36:] = west
    found = find(sites, areas[:n_areas], APART)
    missing = found["estimate"].isna()
    assert (missing == (found["reason"] != "")).all()
    assert (found.loc[missing, "note"] != "").all()
    rows = found[found["estimator"] == "rirr_placebo"]
    assert dict(zip(rows["site"], rows["reason"], strict=True)) == dict(
        zip(("north", "east", "all"), reasons, strict=True)
    )
    if west == 0:
        assert "counts of the pair is 0" in pick(found, "placebo_p", "east")["note"]


def test_the_distribution_is_thinned_by_the_seed(sites):
    areas = np.random.default_rng(4).poisson(20, (250, 48)).astype(float)
    one, same, other = (compare(sites, areas, seed=seed) for seed in (7, 7, 8))
    assert len(one.distribution[one.distribution["kind"] == "space"]) == 20_000
    pd.testing.assert_frame_equal(one.distribution, same.distribution)
    assert not one.distribution.equals(other.distribution)
    pd.testing.assert_frame_equal(one.findings, other.findings)


def test_the_rehearsal_on_real_data_finds_nothing_where_a_poisson_interval_would(tmp_path):
    """West Yorkshire, July 2016 and 2017: nothing was done in any of these areas."""
    cohort = read_cohort("west-yorkshire", DATA)
    incidents = read_incidents(cohort, cache=tmp_path)
    ratios = compare_counts(incidents, cohort)
    found = compare_placebos(incidents, cohort).findings
    assert ratios[ratios["estimator"] == "rirr_poisson"]["p_value"].min() < 0.01
    placed = found[found["estimator"] == "placebo_p"]["p_value"]
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
    placebo = compare(sites, areas, periods=periods)
    found = pick(placebo.findings, "placebo_interval_share")
    pairs = placebo.distribution[placebo.distribution["kind"] == "space"]
    assert len(pairs) == found["n"]
    errs = []
    for codes in zip(pairs["area"], pairs["comparison"], strict=True):
        counts = [areas[int(code[1:])] for code in codes]
        cells = [MonthlyCounts(c[24 : 24 + months], c[36 : 36 + months]) for c in counts]
        ratio = PairCounts(*cells).estimate_rirr()
        errs.append(ratio.ci_low > 1 or ratio.ci_high < 1)
    assert 0 < found["estimate"] < 0.5
    assert found["estimate"] == pytest.approx(np.mean(errs), abs=1e-12)
