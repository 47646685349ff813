"""Ranks among areas where nothing was done."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sbwork.compare.accuracy import read_study
from sbwork.stats import Flag, placebo_sets, ranks
from sbwork.stats.ranks import (
    AMPLE_POOL,
    estimate_placebo_mean,
    estimate_placebo_ratio,
    find_smallest_p,
    rank_change,
    rank_difference,
    rank_mean,
)

REPLICATIONS = 1000
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


def test_areas_of_another_size_are_left_out_and_without_areas_there_is_no_rank():
    before = np.array([50.0, 66.0, 67.0, 100.0, 150.0, 151.0])
    assert rank_change(0.0, 100, np.zeros(6), before, 1.5).n_areas == 3
    assert rank_difference((0, 0), (100, 100), np.zeros(6), before, 1.5, gap=9).n_areas == 3
    for rank in (
        rank_change(0.1, 100, [], [], 1.5),
        rank_difference((0.1, 0.2), (100, 100), [], [], 1.5),
        rank_difference((0.1, 0.2), (100, 100), [0.3], [100], 1.5),
    ):
        assert math.isnan(rank.p_value)
        assert rank.n_areas == 0


def test_many_areas_are_thinned_and_sets_drawn_by_the_seed():
    rng = np.random.default_rng(3)
    changes, before = rng.normal(0, 0.1, 3000), np.full(3000, 100.0)
    one, same, other = (
        rank_difference((-0.2, 0.1), (100, 100), changes, before, 1.5, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.n_areas == pytest.approx(1224, abs=2)
    assert one.p_value == same.p_value != other.p_value
    assert one.p_value == pytest.approx(math.erfc(0.3 / 0.2), abs=0.01)
    one, same, other = (
        rank_mean(changes[:60], before[:60], [(0, 2), (1, 2)], 1.5, seed=seed) for seed in (1, 1, 2)
    )
    assert one.p_value == same.p_value != other.p_value
    assert one.p_value == pytest.approx(other.p_value, abs=0.03)


def draw_areas(rng, n_areas, drift=0.1, effects=(), *, rough=True):
    """Draw counts before and after of areas of 240 incidents that drift, `rough` ones twice as
    much as Poisson; the first ones changed by `effects`."""
    levels = 240 * np.exp(rng.normal(0, drift, n_areas))
    later = levels * np.exp(rng.normal(0, drift, n_areas))
    later[: len(effects)] *= effects
    return (rng.poisson(rng.gamma(mean) if rough else mean) + 0.5 for mean in (levels, later))


def find_noise(n):
    return 1.96 * math.sqrt(0.05 * 0.95 / n)


@pytest.mark.parametrize("n_areas", [25, 60])
@pytest.mark.parametrize("pick", ["random", "nearest"])
def test_the_rank_of_a_pair_holds_its_level(n_areas, pick):
    rng = np.random.default_rng(20180601)
    rejected = []
    for _ in range(REPLICATIONS):
        before, after = draw_areas(rng, n_areas)
        change = np.log(after / before)
        gaps = np.abs(np.log(before / before[0]))
        like = 6 if pick == "nearest" else max(6, int((gaps < 0.4).sum()))
        pair = [0, rng.choice(np.argsort(gaps)[1:like])]
        others = np.delete(change, pair), np.delete(before, pair)
        rank = rank_difference(tuple(change[pair]), tuple(before[pair]), *others, 1.5)
        rejected.append(rank.p_value <= 0.05)
    noise = find_noise(REPLICATIONS)
    assert LEVEL[0] - noise < np.mean(rejected) < LEVEL[1] + noise


def lay_out(sharing, n_pairs):
    """Positions of sites and controls: the sites first."""
    controls = {"own": range(n_pairs, 2 * n_pairs), "shared": [n_pairs] * n_pairs}
    return list(zip(range(n_pairs), controls.get(sharing, [None] * n_pairs), strict=True))


def list_sets(before, pairs, ratio, gap):
    """All sets of distinct areas laid out like `pairs`, one at a time; by hand."""
    size = np.log(before)
    parts = [*(site for site, _ in pairs), *dict.fromkeys(control for _, control in pairs)]
    parts = [part for part in parts if part is not None]
    found = []
    for areas in itertools.permutations(range(len(before)), len(parts)):
        taken = dict(zip(parts, areas, strict=True))
        like = all(abs(size[a] - size[p]) <= math.log(ratio) + 1e-12 for p, a in taken.items())
        for site, control in pairs:
            if control is not None and like:
                start = size[taken[site]] - size[taken[control]]
                like = abs(start - (size[site] - size[control])) <= gap + 1e-12
        if like:
            found.append(areas)
    return parts, found


LAYOUTS = {
    "two pairs": [(0, 1), (2, 3)],
    "one control": [(0, 2), (1, 2)],
    "one control and a pair": [(0, 2), (1, 2), (3, 4)],
    "a site without control": [(0, 1), (2, None)],
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("moved", [False, True])
def test_every_set_of_areas_is_as_probable_as_every_other(name, moved, monkeypatch):
    monkeypatch.setattr(placebo_sets, "FEWEST_PLACEBO_PAIRS", 0)
    monkeypatch.setattr(placebo_sets, "_LOOSE", 2.0 if moved else 0.0)
    before = np.exp(np.random.default_rng(11).normal(0, 0.25, 7)) * 100
    parts, expected = list_sets(before, LAYOUTS[name], 1.5, 0.3)
    layout = placebo_sets.Layout(np.tile(before, (3, 1)), LAYOUTS[name], 1.5, 0.3)
    drawn = layout.draw(np.ones(7, dtype=bool), 40_000, np.random.default_rng(1))
    assert layout.parts.tolist() == parts
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert {tuple(row) for row in found.tolist()} == set(expected)
    assert 10 < len(expected) < 2000
    assert stats.chisquare(counts).pvalue > 0.001


def test_the_tolerance_is_widened_until_there_are_enough_sets():
    rng = np.random.default_rng(12)
    before = np.append([100, 140, 130], 100 * np.exp(rng.normal(0, 0.2, 25)))
    layout = placebo_sets.Layout(np.tile(before, (2, 1)), [(0, 2), (1, 2)], 1.5, 0.001)
    for number, site in ((0, 0), (1, 1)):
        alone = rank_difference(
            (0, 0), (before[site], before[2]), np.zeros(25), before[3:], 1.5, gap=0.001
        )
        assert alone.changes.size >= 100
        assert layout.gaps[number] >= alone.gap - 1e-9
        assert layout.gaps[number] <= 2 * alone.gap


def test_one_pair_is_ranked_as_by_all_its_placements():
    rng = np.random.default_rng(13)
    changes, before = rng.normal(0, 0.1, 82), 100 * np.exp(rng.normal(0, 0.2, 82))
    changes[0], before[:2] = -0.2, 100
    alone = rank_difference(changes[:2], before[:2], changes[2:], before[2:], 1.5)
    mean = rank_mean(changes, before, [(0, 1)], 1.5)
    assert mean.observed == pytest.approx(changes[0] - changes[1])
    assert mean.p_value == pytest.approx(alone.p_value, abs=0.015)
    assert mean.smallest_p == pytest.approx(find_smallest_p(mean.observed, alone), abs=0.01)
    counts = (100, 80, 100, 110)
    one = estimate_placebo_ratio(mean.observed, alone, counts)
    other = estimate_placebo_mean(mean, [counts], [(0, 1)])
    for end in ("estimate", "ci_low", "ci_high"):
        assert getattr(other, end) == pytest.approx(getattr(one, end), rel=0.01)


def test_the_mean_of_pairs_with_one_control_by_hand():
    rng = np.random.default_rng(14)
    changes, before = rng.normal(0, 0.1, 24), np.full(24, 100.0)
    pairs = [(0, 2), (1, 2)]
    mean = rank_mean(changes, before, pairs, 1.5, draws=20_000)
    _, sets = list_sets(before, pairs, 1.5, 9)
    every = [(changes[i] + changes[j]) / 2 - changes[k] for i, j, k in sets]
    own = (changes[0] + changes[1]) / 2 - changes[2]
    sides = [np.mean(np.array(every) <= own + 1e-12), np.mean(np.array(every) >= own - 1e-12)]
    assert mean.p_value == pytest.approx(2 * min(sides), abs=0.02)
    untouched = [value for value, areas in zip(every, sets, strict=True) if not {0, 1} & set(areas)]
    for end, level in ((mean.low, 0.025), (mean.high, 0.975)):
        assert end == pytest.approx(np.quantile(untouched, level), abs=0.01)
    assert mean.n_areas == 22


def test_pairs_counted_in_months_of_their_own():
    rng = np.random.default_rng(15)
    changes, before = rng.normal(0, 0.1, (2, 60)), np.full((2, 60), 100.0)
    before[0, 30:] = math.nan
    before[1, 4:30] = math.nan
    pairs = [(0, 1), (2, 3)]
    mean = rank_mean(changes, before, pairs, 1.5)
    own = (changes[0, 0] - changes[0, 1] + changes[1, 2] - changes[1, 3]) / 2
    assert mean.observed == pytest.approx(own)
    assert mean.n_areas == 58
    layout = placebo_sets.Layout(before, pairs, 1.5, 0.1)
    drawn = layout.draw(np.ones(60, dtype=bool), 2000, rng)
    assert drawn[:, [layout.columns[0], layout.columns[1]]].max() < 30
    assert set(drawn[:, layout.columns[2]]) == {0, 1, 2, 3, *range(30, 60)}


def test_where_no_set_can_be_drawn_there_is_no_rank_and_with_many_lone_sites_no_interval():
    pairs = [(0, 2), (1, 2)]
    mean = rank_mean(np.zeros(4), np.full(4, 100.0), pairs, 1.5)
    assert math.isnan(mean.p_value)
    assert math.isnan(mean.smallest_p)
    assert mean.n_areas == 0
    ratio = estimate_placebo_mean(mean, [(100, 100, 100, 100)] * 2, pairs)
    assert math.isnan(ratio.ci_low)
    assert ratio.flags == (Flag.FEW_AREAS,)
    lone, changes = lay_out("none", 20), np.random.default_rng(22).normal(0, 0.1, 40)
    rank = rank_mean(changes, np.full(40, 100.0), lone, 1.5)
    assert 0 < rank.p_value <= 1
    assert math.isnan(estimate_placebo_mean(rank, [(100, 100)] * 20, lone).ci_low)


@pytest.mark.parametrize(
    ("sharing", "n_pairs"), [("shared", 2), ("shared", 3), ("own", 3), ("none", 4)]
)
def test_the_rank_of_several_pairs_holds_its_level(sharing, n_pairs):
    """Drawn as independent pairs, two that share a control err in 9%, three in 15% of cases."""
    rng, pairs = np.random.default_rng(20180601), lay_out(sharing, n_pairs)
    rejected, covered = [], []
    for _ in range(500):
        before, after = draw_areas(rng, 45)
        rank = rank_mean(np.log(after / before), before, pairs, 2, draws=499)
        cells = [
            [side[area] for area in pair if area is not None for side in (before, after)]
            for pair in pairs
        ]
        ratio = estimate_placebo_mean(rank, cells, pairs)
        rejected.append(rank.p_value <= 0.05)
        covered.append(ratio.ci_low <= 1 <= ratio.ci_high)
    noise = find_noise(len(covered))
    assert LEVEL[0] - noise < np.mean(rejected) < LEVEL[1] + noise
    assert 0.94 - noise < np.mean(covered) < 0.97 + noise


def test_the_committed_simulation_holds_what_the_docstrings_claim():
    table = read_study("ranks")
    assert set(table["phi"]) == {1, 2, 4}
    assert set(table["drift"]) == {0, 0.1}
    assert set(table["n_pairs"]) == {2, 3, 6}
    assert set(table["n_areas"]) == {45, 120}
    assert set(table["sharing"]) == {"own", "shared", "mixed", "none"}
    noise = 2 * np.sqrt(0.05 * 0.95 / table["n"])
    assert (noise < 0.011).all()
    assert table["false_positive"].between(0.04 - noise, 0.06 + noise).all()
    assert table["coverage"].between(0.94 - noise, 0.97 + noise).all()
    assert table["coverage_null"].between(0.94 - noise, 0.97 + noise).all()
    for _, alike in table.groupby(["sharing", "n_areas"]):
        assert 0.045 < alike["false_positive"].mean() < 0.055
        assert 0.94 < alike["coverage"].mean() < 0.96


@pytest.mark.parametrize("n_areas", [19, 25, 38, 39, 45, 120])
def test_the_rank_of_a_lone_site_has_the_size_that_its_areas_allow(n_areas):
    changes = np.random.default_rng(17).normal(0, 0.1, n_areas + 1)
    before = np.full(n_areas, 100.0)
    p_values = [
        rank_change(changes[i], 100, np.delete(changes, i), before, 1.5).p_value
        for i in range(n_areas + 1)
    ]
    size = math.floor(0.05 * (n_areas + 1)) / (n_areas + 1)
    assert np.mean(np.array(p_values) <= 0.05 + 1e-12) == pytest.approx(size)


@settings(max_examples=50)
@given(
    # In millionths: beside a change of 99, a smaller difference between areas is lost in rounding.
    changes=st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 1e6), min_size=5, max_size=12),
    own=st.tuples(st.floats(-2, 2), st.floats(-1, 1)),
)
def test_the_smallest_p_is_that_of_a_site_far_out(changes, own):
    before = np.full(len(changes), 100.0)
    rank = rank_difference(own, (100, 100), changes, before, 1.5)
    far = [
        rank_difference((by, own[1]), (100, 100), changes, before, 1.5).p_value
        for by in (-99.0, 99.0)
    ]
    smallest = find_smallest_p(own[0] - own[1], rank)
    assert smallest == pytest.approx(min(rank.p_value, *far))
    lone = rank_change(own[0], 100, changes, before, 1.5)
    assert find_smallest_p(own[0], lone) == pytest.approx(1 / (len(changes) + 1))


@pytest.mark.parametrize("pairs", [[(0, 2), (1, 2)], [(0, 2), (1, 3)]])
def test_the_smallest_p_of_several_pairs_is_that_of_sites_far_out(pairs):
    changes, before = np.random.default_rng(18).normal(0, 0.1, 40), np.full(40, 100.0)
    mean = rank_mean(changes, before, pairs, 1.5, draws=2000)
    far = []
    for by in (-9.0, 9.0):
        moved = changes + by * (np.arange(40) < 2)
        far.append(rank_mean(moved, before, pairs, 1.5, draws=2000).p_value)
    assert mean.smallest_p == pytest.approx(min(mean.p_value, *far))
    assert 2 / 2001 <= mean.smallest_p < 0.05
    assert mean.p_value > 0.05


def test_few_sets_leave_no_small_p():
    before = np.append([250.0, 250.0, 150.0, 250.0, 250.0], np.full(50, 150.0))
    changes = np.random.default_rng(23).normal(0, 0.1, 55)
    changes[:2] = -9
    mean = rank_mean(changes, before, [(0, 2), (1, 2)], 1.5)
    # sites take the parts of sites in 2 of 12 sets of such areas, and half of these fell more
    assert 0.1 < mean.smallest_p <= mean.p_value < 0.35


def test_sites_that_fell_are_found_although_they_could_have_been_the_common_control():
    changes, before = np.random.default_rng(19).normal(0, 0.05, 45), np.full(45, 100.0)
    changes[:6] -= 2
    assert rank_mean(changes, before, lay_out("shared", 6), 1.5).p_value < 0.01


@pytest.mark.parametrize("end", ["ci_low", "ci_high"])
def test_a_fall_widens_by_the_variance_of_the_mean(end):
    rng = np.random.default_rng(20)
    changes, before = np.append([-0.7, -0.7, 0.0], rng.normal(0, 0.1, 60)), np.full(63, 100.0)
    pairs = [(0, 2), (1, 2)]
    rank = rank_mean(changes, before, pairs, 1.5)
    ratio = estimate_placebo_mean(rank, [(100, 50, 90, 80), (120, 60, 90, 80)], pairs)
    fall = min(1.0, getattr(ratio, end))
    control = 1 / 90 + 1 / 80
    sites = (1 / 100 + 1 / 50 + 1 / 120 + 1 / 60) / 4
    untouched = (1 / 100 + fall / 50 + 1 / 120 + fall / 60) / 4
    wider = math.sqrt((sites + control) / (untouched + control))
    middle = np.median(rank.means)
    reach = np.quantile(np.abs(rank.means - middle), 0.95)
    reach *= stats.t.ppf(0.975, 61) / stats.norm.ppf(0.975)
    rest = abs(rank.observed - math.log(getattr(ratio, end)) - middle)
    assert rest == pytest.approx(reach * wider)


def test_a_shared_control_enters_the_variance_with_what_the_pairs_have_in_common():
    """By simulation of counts: the one pair has the first half of the months of the other."""
    rng = np.random.default_rng(21)
    half, rest = rng.poisson(400, (2, 2, 200_000))
    both = np.log(half[0] / half[1]) + np.log((half + rest)[0] / (half + rest)[1])
    counts = [(1e9, 1e9, 400, 400), (1e9, 1e9, 800, 800)]
    total, after = ranks._find_variance(counts, [5, 5])
    assert total == pytest.approx(both.var() / 4, rel=0.02)
    assert after < 1e-8
    apart, _ = ranks._find_variance(counts, [5, 6])
    assert apart == pytest.approx((2 / 400 + 2 / 800) / 4)


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


@pytest.mark.parametrize("n_areas", [25, 100])
@pytest.mark.parametrize("control", [True, False])
def test_the_placebo_interval_holds_the_truth_as_often_as_it_says(n_areas, control):
    """A site of 240 incidents in which 30% fewer happened, among areas that drift."""
    rng = np.random.default_rng(20180601)
    covered = []
    for _ in range(400):
        before, after = draw_areas(rng, n_areas, 0.05, [0.7], rough=False)
        change = np.log(after / before)
        own = change[0] - control * change[1]
        if control:
            areas = (change[2:], before[2:], 1.5)
            rank = rank_difference(tuple(change[:2]), tuple(before[:2]), *areas)
        else:
            rank = rank_change(change[0], before[0], change[1:], before[1:], 1.5)
        counts = np.column_stack([before, after])[: 1 + control].ravel()
        ratio = estimate_placebo_ratio(own, rank, counts)
        covered.append(ratio.ci_low <= 0.7 <= ratio.ci_high)
    noise = 2.5 * math.sqrt(0.05 * 0.95 / len(covered))
    assert 0.94 - noise < np.mean(covered) < 0.96 + noise


def test_from_ample_areas_on_a_large_change_always_reaches_five_percent():
    for n_areas, reached in ((AMPLE_POOL - 1, False), (AMPLE_POOL, True)):
        changes, before = np.linspace(-0.2, 0.2, n_areas), np.full(n_areas, 100.0)
        rank = rank_difference((-9.0, -0.3), (100, 100), changes, before, 1.5)
        assert (rank.p_value <= 0.05) is reached


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
