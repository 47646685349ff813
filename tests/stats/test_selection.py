"""What follows from picking the highest or the steepest, on areas whose truth is known."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import sim_choice
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sbwork.compare.accuracy import read_study
from sbwork.stats import Flag, Reason
from sbwork.stats.selection import (
    Pool,
    Selected,
    describe_pool,
    estimate_from_pool,
    estimate_from_regression,
    estimate_from_selected,
    join_selected,
    rank_among_selected,
    select_again,
)

WITHIN = 0.03
AREAS = st.lists(st.tuples(*[st.integers(0, 200)] * 3), min_size=10, max_size=40)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Made by tests/studies/sim_choice.py."""
    return read_study("choice")


def draw_gamma_poisson(rng: np.random.Generator, n: int, mean: float, between: float) -> np.ndarray:
    levels = rng.gamma(mean**2 / between, between / mean, n)
    return np.repeat(levels[:, None], 12, axis=1) / 12


# --- the formula ---------------------------------------------------------------------------------


def test_the_formula_is_the_posterior_mean_of_gamma_levels() -> None:
    # Levels from a gamma distribution and Poisson counts: E is the mean of the gamma posterior.
    mean, between, count = 48.0, 100.0, 80.0
    shape, rate = mean**2 / between, mean / between
    posterior = stats.gamma(shape + count, scale=1 / (rate + 1))
    pool = Pool(40, mean, between)
    assert pool.expect(count) == pytest.approx(posterior.mean())
    assert pool.shrinkage == pytest.approx(between / (between + mean))


def test_every_part_of_the_formula() -> None:
    pool = Pool(40, mean=50.0, between=200.0, dispersion=2.0, drift=0.1, change=0.15)
    shrinkage = 200 / (200 + 2 * 50 + 0.1**2 * 50**2)
    assert pool.shrinkage == pytest.approx(shrinkage)
    site, control = (50 + shrinkage * (n - 50) for n in (90, 60))
    found = estimate_from_pool(90, 60, pool)
    assert found.estimate == pytest.approx((site / 90) / (control / 60))
    assert estimate_from_pool(90, None, pool).estimate == pytest.approx(site / 90)
    assert found.n == 40
    assert found.ci_low < found.estimate < found.ci_high
    # alike areas go back all the way, and a site like its control stays beside it
    assert estimate_from_pool(72, 48, Pool(40, 48.0, 0.0)).estimate == pytest.approx(48 / 72)
    assert estimate_from_pool(72, 72, Pool(40, 48.0, 30.0)).estimate == pytest.approx(1)


@given(site=st.floats(1, 500), more=st.floats(1, 500), between=st.floats(0, 5000))
@settings(max_examples=60)
def test_the_higher_a_site_the_more_it_is_expected_to_fall(site, more, between) -> None:
    pool = Pool(40, 48.0, between)
    lower, higher = (estimate_from_pool(n, 48, pool).estimate for n in (site, site + more))
    assert higher <= lower + 1e-9


# --- the parts of the formula --------------------------------------------------------------------


def test_the_dispersion_is_pearsons_with_areas_and_months_taken_out() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    season = 1 + 0.5 * np.sin(np.arange(12) / 2)
    months = rng.poisson(rng.gamma(3, 2, (30, 1)) * season + 1).astype(float)
    areas, names = np.indices(months.shape)
    design = pd.get_dummies(
        pd.DataFrame({"a": areas.ravel(), "m": names.ravel()}).astype(str), drop_first=True
    )
    fit = sm.GLM(
        months.ravel(), sm.add_constant(design.astype(float)), family=sm.families.Poisson()
    ).fit()
    expected = fit.pearson_chi2 / fit.df_resid
    assert describe_pool(months, floor=False).dispersion == pytest.approx(expected, rel=1e-5)
    assert describe_pool(months).dispersion == max(
        1.0, describe_pool(months, floor=False).dispersion
    )


@pytest.mark.parametrize("lasting", [True, False])
def test_the_parts_are_recovered_from_many_areas(lasting: bool) -> None:
    rng, n, mean, phi, drift = np.random.default_rng(5), 6000, 20.0, 2.0, 0.2
    level = mean * np.exp(rng.normal(0, 0.3, n))
    if lasting:
        now, later = level, level * np.exp(rng.normal(0, drift, n))
    else:
        now, later = (level * np.exp(rng.normal(0, drift / math.sqrt(2), n)) for _ in range(2))
    months, after = (
        rng.poisson(rng.gamma(np.repeat(x[:, None], 12, 1) / (phi - 1), phi - 1)).astype(float)
        for x in (now, later)
    )
    pool = describe_pool(months, months.sum(axis=1), after.sum(axis=1))
    assert pool.dispersion == pytest.approx(phi, rel=0.03)
    assert pool.change == pytest.approx(drift, rel=0.1)
    assert pool.drift**2 == pytest.approx(0 if lasting else drift**2 / 2, abs=0.006)
    spread = (12 * mean) ** 2 * math.exp(0.09) * math.expm1(0.09)
    assert pool.between == pytest.approx(spread, rel=0.1)


def test_the_slope_of_the_later_count_on_the_earlier_is_the_shrinkage() -> None:
    rng = np.random.default_rng(8)
    levels = draw_gamma_poisson(rng, 20_000, 48, 60)
    months, later = rng.poisson(levels).astype(float), rng.poisson(levels).sum(axis=1)
    pool = describe_pool(months, months.sum(axis=1), later.astype(float))
    slope = np.polyfit(months.sum(axis=1), later, 1)[0]
    assert pool.shrinkage == pytest.approx(slope, abs=0.02)


@given(areas=AREAS)
@settings(max_examples=60)
def test_the_shrinkage_is_a_share(areas) -> None:
    months = np.array(areas, dtype=float)
    pool = describe_pool(months, months[:, 0], months[:, 1])
    assert 0 <= pool.shrinkage <= 1
    assert 0 <= pool.drift <= pool.change + 1e-12


# --- the regression ------------------------------------------------------------------------------


def test_the_regression_is_statsmodels_weighted_least_squares() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    known = rng.poisson(rng.gamma(9, 5, (60, 1)), (60, 3)).astype(float)
    after = rng.poisson(known.mean(axis=1)).astype(float)
    fit = sm.WLS(
        after, sm.add_constant(known), weights=1 / (known[:, 0] + known[:, 0].mean())
    ).fit()
    site, control = (70.0, 80.0, 40.0), (60.0, 50.0, 55.0)
    expected = [float(fit.params @ np.array([1.0, *row])) / row[0] for row in (site, control)]
    found = estimate_from_regression(known, after, site, control)
    assert found.estimate == pytest.approx(expected[0] / expected[1])
    alone = estimate_from_regression(known, after, site, None)
    assert alone.estimate == pytest.approx(expected[0] / (after.sum() / known[:, 0].sum()))


def test_what_cannot_be_computed_has_its_reason() -> None:
    pool, few = Pool(40, 48.0, 10.0), np.ones((18, 2))
    for found, reason in (
        (estimate_from_pool(0, 50, pool), Reason.ZERO_COUNT),
        (estimate_from_pool(50, 0, pool), Reason.ZERO_COUNT),
        (estimate_from_pool(50, 50, Pool(9, 48.0, 10.0)), Reason.TOO_FEW_AREAS),
        (estimate_from_regression(few, np.ones(18), (3.0, 2.0), None), Reason.TOO_FEW_AREAS),
        (estimate_from_regression(few, np.ones(18), (0.0, 2.0), None), Reason.ZERO_COUNT),
    ):
        assert found.reason == reason
    assert Flag.FEW_AREAS in estimate_from_pool(50, 50, Pool(12, 48.0, 10.0)).flags
    assert describe_pool(np.arange(30.0)[:, None]).dispersion == 1
    assert describe_pool([[3.0, 4.0]]).between == 0


# --- picking, and picking again ------------------------------------------------------------------


def test_the_highest_of_a_pool_is_picked() -> None:
    rng = np.random.default_rng(1)
    counts = rng.permutation(50)
    assert counts[sim_choice.select_highest(counts, 50, rng)] == 49
    assert {sim_choice.select_highest(np.zeros(4), 4, rng) for _ in range(60)} == {0, 1, 2, 3}


@pytest.mark.parametrize(("n", "size", "place"), [(7, 3, 1), (7, 3, 2), (6, 6, 2), (5, 1, 1)])
def test_the_weights_are_those_of_all_pools(n: int, size: int, place: int) -> None:
    counts = np.arange(n, 0, -1.0)
    pools = list(combinations(range(n), size))
    picked = [sorted(pool)[place - 1] for pool in pools]  # the lowest position is the highest count
    expected = np.bincount(picked, minlength=n) / len(pools)
    found = select_again(counts, counts, counts, size, place=place)
    assert found.weights == pytest.approx(expected[expected > 0])


def test_the_control_of_a_picked_area_starts_as_far_from_it_as_the_real_one() -> None:
    before = np.array([100.0, 80.0, 52.0, 30.0])
    after = np.array([50.0, 80.0, 26.0, 30.0])
    near = select_again(before, before, after, 4, gap=0.0)
    assert np.exp(near.changes) == pytest.approx([0.5])
    half = select_again(before, before, after, 4, gap=math.log(0.5))
    assert np.exp(half.changes) == pytest.approx([1.0])
    beside_all = select_again(before, before, after, 4)
    assert np.exp(beside_all.changes) == pytest.approx([0.5 * before.sum() / after.sum()])


def test_an_area_without_incidents_is_never_picked() -> None:
    found = select_again([9, 5, 1], [0, 5, 5], [3, 0, 5], 2)
    assert np.isfinite(found.changes).all()
    assert found.weights == pytest.approx([1.0])


def test_the_rank_is_that_of_equally_likely_areas() -> None:
    even = Selected(np.linspace(-1, 1, 19), np.full(19, 1 / 19))
    assert even.n == pytest.approx(19)
    assert rank_among_selected(5.0, even).p_value == pytest.approx(1 / 20)
    assert rank_among_selected(0.0, even).p_value == pytest.approx(1)
    few = Selected(even.changes[:18], np.full(18, 1 / 18))
    assert rank_among_selected(5.0, few).reason == Reason.TOO_FEW_AREAS
    assert estimate_from_selected(few).reason == Reason.TOO_FEW_AREAS
    assert rank_among_selected(math.nan, even).reason == Reason.ZERO_COUNT
    assert join_selected([]).n == 0
    assert join_selected([even, few]).weights.sum() == pytest.approx(1)


# --- the truth, simulated ------------------------------------------------------------------------


@pytest.mark.parametrize("control", ["nearest", "random"])
def test_the_formula_meets_the_truth(control: str) -> None:
    world = sim_choice.World("highest", control, 40, 40, 4.0, 0.3, 1.0)
    (row,) = sim_choice.simulate_choice(world, n=600)
    assert row["expected_ratio"] == pytest.approx(row["true_ratio"], abs=0.05)
    assert 0.90 < row["coverage"] < 0.98
    again, other = (sim_choice.simulate_choice(world, n=30, seed=seed) for seed in (1, 2))
    assert again == sim_choice.simulate_choice(world, n=30, seed=1) != other


def test_areas_chosen_again_meet_the_truth() -> None:
    world = sim_choice.World("rising", "nearest", 400, 40, 4.0, 0.3, 1.0)
    for row in sim_choice.simulate_choice(world, n=400):
        assert row["true_ratio"] < 0.9
        assert row["expected_ratio"] == pytest.approx(row["true_ratio"], abs=0.06)
        if row["method"] == "selected":
            assert row["false_positive"] < 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    ("method", "n", "within", "most", "column", "between"),
    [
        ("pool", 204, 193, 0.043, "coverage", (0.91, 0.97)),
        ("regression", 36, 34, 0.048, "coverage", (0.89, 0.955)),
        ("selected", 24, 24, 0.017, "false_positive", (0.032, 0.054)),
    ],
)
def test_the_table_says_how_near_the_expectation_is(
    table: pd.DataFrame, method: str, n: int, within: int, most: float, column: str, between
) -> None:
    rows = table[table["method"] == method]
    off = (rows["expected_ratio"] - rows["true_ratio"]).abs()
    assert (len(rows), (off <= WITHIN).sum()) == (n, within)
    assert off.max() <= most
    assert rows[column].between(*between).all()
    assert method != "pool" or off[rows["control"] == "nearest"].max() <= WITHIN


def test_the_highest_area_falls_where_nothing_was_done(table: pd.DataFrame) -> None:
    # The site is the highest of 40 areas with 48 incidents each, beside an area drawn at random.
    chosen = table[(table["chosen"] == "highest") & (table["control"] == "random")]
    chosen = chosen[(chosen["mean"] == 4) & (chosen["areas"] == 40)].set_index("spread")
    still = chosen[(chosen["phi"] == 1) & (chosen["drift"] == 0)]["true_ratio"]
    assert still[0.0] == pytest.approx(0.75, abs=0.02)
    assert still[0.5] == pytest.approx(0.97, abs=0.02)
    assert still[0.3] == pytest.approx(0.91, abs=0.02)
    moving = chosen[(chosen["phi"] == 2) & (chosen["drift"] == 0.1)]["true_ratio"]
    assert moving[0.3].between(0.80, 0.87).all()


def test_the_table_is_of_the_worlds_that_are_listed(table: pd.DataFrame) -> None:
    worlds = table[list(sim_choice.World.__dataclass_fields__)].drop_duplicates()
    assert worlds.to_dict("records") == [asdict(world) for world in sim_choice.list_worlds()]
