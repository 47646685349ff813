"""Ranks among areas where nothing was done."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sbwork.estimates.ranks import (
    AMPLE_POOL,
    SMALLEST_POOL,
    estimate_placebo_ratio,
    rank_change,
    rank_difference,
    rank_mean,
)

REPLICATIONS = 4000
LEVEL = (0.04, 0.06)


def count_by_hand(own, own_before, changes, before, ratio, gap):
    """Ordered pairs, one at a time."""
    everyone = [*own, *changes]
    size = [math.log(count) for count in (*own_before, *before)]
    kept, placebo = [], []
    for i in range(len(everyone)):
        for j in range(len(everyone)):
            like = abs(size[i] - size[0]) <= math.log(ratio) + 1e-12
            like &= abs(size[j] - size[1]) <= math.log(ratio) + 1e-12
            like &= abs((size[i] - size[j]) - (size[0] - size[1])) <= gap
            if i != j and like:
                kept.append(everyone[i] - everyone[j])
                if i > 1 and j > 1:
                    placebo.append(everyone[i] - everyone[j])
    return kept, placebo


def test_rank_of_a_pair_by_hand():
    rng = np.random.default_rng(1)
    changes, before = rng.normal(0, 0.2, 40), rng.uniform(80, 250, 40)
    own, own_before = (-0.5, 0.1), (140.0, 150.0)
    rank = rank_difference(own, own_before, changes, before, 1.5)
    kept, placebo = count_by_hand(own, own_before, changes, before, 1.5, rank.gap)
    middle = np.median(kept)
    expected = np.mean([abs(k - middle) >= abs(-0.6 - middle) - 1e-12 for k in kept])
    assert rank.p_value == pytest.approx(expected)
    assert sorted(rank.changes) == pytest.approx(sorted(placebo))
    assert changes[rank.treated] - changes[rank.control] == pytest.approx(rank.changes)
    assert rank.share == pytest.approx(
        np.mean(np.abs(placebo - np.median(placebo)) >= abs(-0.6 - np.median(placebo)))
    )


def test_rank_of_one_site_is_its_rank():
    rng = np.random.default_rng(2)
    rank = rank_change(9.0, 100, rng.normal(0, 1, 30), np.full(30, 100.0), 1.5)
    assert rank.p_value == pytest.approx(1 / 31)
    assert rank.share == 0


def test_areas_of_another_size_are_left_out():
    before = np.array([50.0, 66.0, 67.0, 100.0, 150.0, 151.0])
    assert rank_change(0.0, 100, np.zeros(6), before, 1.5).n_areas == 3
    assert rank_difference((0, 0), (100, 100), np.zeros(6), before, 1.5, gap=9).n_areas == 3


def test_without_areas_there_is_no_rank():
    for rank in (
        rank_change(0.1, 100, [], [], 1.5),
        rank_difference((0.1, 0.2), (100, 100), [], [], 1.5),
        rank_difference((0.1, 0.2), (100, 100), [0.3], [100], 1.5),
    ):
        assert math.isnan(rank.p_value)
        assert rank.n_areas == 0


def test_nineteen_areas_are_what_five_percent_takes():
    rank = rank_change(9.0, 100, np.linspace(-1, 1, SMALLEST_POOL), np.full(SMALLEST_POOL, 100), 2)
    assert rank.p_value == pytest.approx(0.05)


def test_many_areas_are_thinned_by_the_seed():
    rng = np.random.default_rng(3)
    changes, before = rng.normal(0, 0.1, 3000), np.full(3000, 100.0)
    ranks = [
        rank_difference((-0.2, 0.1), (100, 100), changes, before, 1.5, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert ranks[0].n_areas == pytest.approx(1224, abs=2)
    assert ranks[0].p_value == ranks[1].p_value != ranks[2].p_value
    assert ranks[0].p_value == pytest.approx(math.erfc(0.3 / 0.2), abs=0.01)


@pytest.mark.parametrize("n_areas", [25, 60])
@pytest.mark.parametrize("pick", ["random", "nearest"])
def test_the_rank_of_a_pair_holds_its_level(n_areas, pick):
    """Areas that vary twice as much as Poisson and drift; nothing was done in any."""
    rng = np.random.default_rng(20180601)
    rejected = []
    for _ in range(REPLICATIONS):
        levels = 240 * np.exp(rng.normal(0, 0.1, n_areas))
        before = rng.poisson(rng.gamma(levels)) + 0.5
        after = rng.poisson(rng.gamma(levels * np.exp(rng.normal(0, 0.1, n_areas)))) + 0.5
        change = np.log(after / before)
        gaps = np.abs(np.log(before / before[0]))
        like = 6 if pick == "nearest" else max(6, int((gaps < 0.4).sum()))
        control = rng.choice(np.argsort(gaps)[1:like])
        free = np.delete(np.arange(n_areas), [0, control])
        rank = rank_difference(
            (change[0], change[control]),
            (before[0], before[control]),
            change[free],
            before[free],
            1.5,
        )
        rejected.append(rank.p_value <= 0.05)
    noise = 1.96 * math.sqrt(0.05 * 0.95 / len(rejected))
    assert LEVEL[0] - noise < np.mean(rejected) < LEVEL[1] + noise


def test_several_pairs_are_judged_by_their_mean():
    rng = np.random.default_rng(4)
    before = np.full(60, 100.0)
    alone = [
        rank_difference((-0.25, 0.0), (100, 100), rng.normal(0, 0.1, 60), before, 1.5)
        for _ in range(4)
    ]
    together = rank_mean([-0.25] * 4, alone, alone, seed=1)
    assert together.p_value < min(rank.p_value for rank in alone)
    assert together == rank_mean([-0.25] * 4, alone, alone, seed=1)
    assert -0.25 < together.low < 0 < together.high < 0.25


def test_the_mean_of_pairs_is_ranked_with_the_other_pairs_among_the_areas():
    rng = np.random.default_rng(6)
    changes, before = rng.normal(0, 0.1, 40), np.full(40, 100.0)
    own = [(-0.5, 0.0), (-0.4, 0.1)]
    alone = [rank_difference(pair, (100, 100), changes, before, 1.5) for pair in own]
    joint = [
        rank_difference(own[k], (100, 100), np.append(changes, own[1 - k]), np.full(42, 100.0), 1.5)
        for k in (0, 1)
    ]
    together = rank_mean([-0.5, -0.5], alone, joint)
    apart = rank_mean([-0.5, -0.5], alone, alone)
    sums = np.add.outer(joint[0].reference, joint[1].reference) / 2
    middle = np.mean([np.median(rank.reference) for rank in joint])
    every = np.mean(np.abs(sums - middle) >= abs(-0.5 - middle) - 1e-12)
    assert together.p_value == pytest.approx(every, abs=4 * math.sqrt(every / 9999))
    assert together.p_value > apart.p_value
    assert (together.low, together.high) == (apart.low, apart.high)


def stretch(counts, ratio):
    """How much more unevenly a site varies after a change by `ratio` than before it."""
    put_back = [*counts]
    put_back[1] /= min(1, ratio)
    return math.sqrt(sum(1 / count for count in counts) / sum(1 / count for count in put_back))


def test_without_control_the_interval_holds_the_ratios_that_the_rank_does_not_reject():
    changes, before = np.random.default_rng(5).normal(0, 0.1, 59), np.full(59, 100.0)
    counts = (100, 74)
    ratio = estimate_placebo_ratio(-0.3, rank_change(-0.3, 100, changes, before, 1.5), counts)
    assert ratio.estimate == pytest.approx(math.exp(-0.3))
    middle = np.median(changes)
    # three ranks of 60 are rejected, so that 57 of 59 changes lie no farther out than an end
    farthest = np.sort(np.abs(changes - middle))[56]
    for end in (ratio.ci_low, ratio.ci_high):
        rest = (-0.3 - math.log(end) - middle) / stretch(counts, end)
        assert abs(rest) == pytest.approx(farthest)
        for share, held in ((0.9, True), (1.1, False)):
            placed = rank_change(middle + share * rest, 100, changes, before, 1.5)
            assert (placed.p_value > 0.05) is held


def test_beside_a_control_the_interval_is_the_placebo_range_widened_by_t():
    changes = np.random.default_rng(5).normal(0, 0.1, 80)
    rank = rank_difference((-0.3, 0.02), (100, 100), changes, np.full(80, 100.0), 1.5)
    counts = (100, 74, 100, 102)
    ratio = estimate_placebo_ratio(-0.32, rank, counts)
    everyone = np.append(changes, 0.02)
    pairs = np.subtract.outer(everyone, everyone)[~np.eye(81, dtype=bool)]
    reach = np.quantile(np.abs(pairs), 0.95) * stats.t.ppf(0.975, 80) / 1.959963984540054
    for end in (ratio.ci_low, ratio.ci_high):
        rest = abs(-0.32 - math.log(end))
        assert rest == pytest.approx(reach * stretch(counts, end))


def test_a_fall_makes_the_interval_wider_and_a_rise_leaves_it():
    changes = np.random.default_rng(7).normal(0, 0.1, 60)
    rank = rank_difference((0.0, 0.0), (240, 240), changes, np.full(60, 240.0), 1.5)
    even = estimate_placebo_ratio(0.0, rank, (240, 240, 240, 240))
    fallen = estimate_placebo_ratio(math.log(0.5), rank, (240, 120, 240, 240))
    risen = estimate_placebo_ratio(math.log(4), rank, (240, 960, 240, 240))
    widths = [ratio.ci_high / ratio.ci_low for ratio in (fallen, even, risen)]
    assert widths[0] > 1.02 * widths[1] > 1.02 * widths[2]
    distances = np.abs(rank.reference[rank.signs == 0])
    reach = np.quantile(distances, 0.95) * stats.t.ppf(0.975, 60) / 1.959963984540054
    assert math.log(widths[2]) == pytest.approx(2 * reach)


@pytest.mark.parametrize("n_areas", [25, 100])
@pytest.mark.parametrize("control", [True, False])
def test_the_placebo_interval_holds_the_truth_as_often_as_it_says(n_areas, control):
    """A site of 240 incidents in which 30% fewer happened, among areas that drift."""
    rng = np.random.default_rng(20180601)
    held = []
    for _ in range(800):
        levels = 240 * np.exp(rng.normal(0, 0.05, n_areas))
        before = rng.poisson(levels) + 0.5
        after_levels = levels * np.exp(rng.normal(0, 0.05, n_areas))
        after_levels[0] *= 0.7
        after = rng.poisson(after_levels) + 0.5
        change = np.log(after / before)
        if control:
            areas = (change[2:], before[2:], 1.5)
            rank = rank_difference((change[0], change[1]), (before[0], before[1]), *areas)
            counts = (before[0], after[0], before[1], after[1])
        else:
            rank = rank_change(change[0], before[0], change[1:], before[1:], 1.5)
            counts = (before[0], after[0])
        own = change[0] - control * change[1]
        ratio = estimate_placebo_ratio(own, rank, counts)
        held.append(ratio.ci_low <= 0.7 <= ratio.ci_high)
    noise = 2.5 * math.sqrt(0.05 * 0.95 / len(held))
    assert 0.94 - noise < np.mean(held) < 0.96 + noise


def test_from_ample_areas_on_a_large_change_always_reaches_five_percent():
    for n_areas, reached in ((AMPLE_POOL - 1, False), (AMPLE_POOL, True)):
        changes, before = np.linspace(-0.2, 0.2, n_areas), np.full(n_areas, 100.0)
        rank = rank_difference((-9.0, -0.3), (100, 100), changes, before, 1.5)
        assert (rank.p_value <= 0.05) is reached


@settings(deadline=None)
@given(
    changes=st.lists(st.floats(-2, 2), min_size=3, max_size=12),
    own=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_turning_every_change_round_leaves_the_p_value(changes, own):
    before = np.full(len(changes), 100.0)
    one = rank_difference(own, (100, 100), changes, before, 1.5)
    other = rank_difference((-own[0], -own[1]), (100, 100), -np.array(changes), before, 1.5)
    assert one.p_value == pytest.approx(other.p_value)
    assert 0 < one.p_value <= 1
