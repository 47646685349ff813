"""Standardised differences, bounds, missing answers and ordinal checks, against R."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_by_hand import read_reference
from scipy.stats import norm
from sim_sample import cover_lee

from sbwork.stats import Flag, Reason
from sbwork.stats.balance import estimate_standardised_mean, estimate_standardised_shares
from sbwork.stats.bounds import (
    Side,
    compute_lee_bounds,
    compute_worst_case,
    estimate_bounds,
    estimate_response_bounds,
    find_bounds_value,
)
from sbwork.stats.cells import summarise_cell
from sbwork.stats.missing import fit_normal
from sbwork.stats.ordinal import estimate_ordered_contrast, estimate_superiority

EXACT = 1e-9
LAVAAN = 1e-5
LEE = 1e-4  # the script cuts hundred-thousandths of a person
POLR = 1e-5
R = read_reference("sample")
SIZES = (60, 52, 71, 66)
ITEMS = ["t1", "t2", "t3"]
SIGNS = (1.0, -1.0, -1.0, 1.0)
NAMES = ("low", "high")


@pytest.fixture(scope="module")
def data():
    """Make the data of sample.R, by the same rule."""
    frames = []
    for cell, size in enumerate(SIZES):
        i = np.arange(size)
        own = ((3 * i**2 + 5 * i + cell) % 31) / 10
        frame = pd.DataFrame({"cell": cell, "w": 0.5 + ((i * 13) % 17) / 10}, index=i)
        for item, a, b in zip(ITEMS, (4, 9, 2), (3, 5, 4), strict=True):
            x = np.round(1 + own + ((a * i**2 + 7 * i + cell) % 23) / 15 + 0.4 * (cell == 3))
            frame[item] = np.where((b * i + cell) % 7 == 0, np.nan, np.clip(x, 1, 5))
        frame["age"] = np.array(["young", "middle", "old"])[((i * (2 + cell)) // 3) % 3]
        frame["sex"] = np.where((i * (cell + 2)) % 5 < 2, "f", "m")
        frames.append(frame)
    made = pd.concat(frames, ignore_index=True)
    enough = made[ITEMS].notna().sum(axis=1) >= 2
    return made.assign(score=made[ITEMS].mean(axis=1).where(enough))


def take_cell(data, cell, weighted):
    rows = data[data["cell"] == cell]
    return summarise_cell(rows["score"], rows["w"] if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
def test_standardised_differences_as_tableone_has_them(data, weighted):
    kind = "weighted" if weighted else "plain"
    found = estimate_standardised_mean(*(take_cell(data, cell, weighted) for cell in (2, 0)))
    assert found.estimate == pytest.approx(R["means"][kind], abs=EXACT)
    assert Flag.IMBALANCED in found.flags
    for variable in ("age", "sex"):
        mass = data["w"] if weighted else pd.Series(1.0, index=data.index)
        one, other = (
            mass[data["cell"] == cell].groupby(data[variable]).sum().to_dict() for cell in (2, 0)
        )
        found = estimate_standardised_shares(one, other)
        assert found.estimate == pytest.approx(R[variable][kind], abs=EXACT)
        assert found.flags == ()


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({"a": 3.0}, {"b": 3.0}, Reason.NO_VARIATION),
        ({"a": 3.0}, {"a": 2.0, "b": 1.0}, ""),
        ({"a": 3.0}, {"a": 2.0}, ""),
        ({}, {"a": 2.0}, Reason.NO_ANSWERS),
        ({"a": 2.0, "b": 1.0}, {"c": 2.0, "d": 1.0}, Reason.NO_VARIATION),
    ],
)
def test_odd_categories_have_a_difference_or_a_reason(one, other, reason):
    found = estimate_standardised_shares(one, other)
    assert found.reason == reason
    assert reason or math.isfinite(found.estimate)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [([3.0, 3], [3.0, 3], ""), ([3.0, 3], [4.0, 4], Reason.NO_VARIATION),
     ([1.0], [1.0, 2], Reason.TOO_FEW_PEOPLE), ([], [1.0, 2], Reason.NO_ANSWERS)],
)  # fmt: skip
def test_odd_means_have_a_difference_or_a_reason(one, other, reason):
    assert estimate_standardised_mean(summarise_cell(one), summarise_cell(other)).reason == reason


def follow(cell, lost):
    i = np.arange(SIZES[cell])
    y = ((5 * i**2 + 3 * i + 2 * cell) % 29) / 7 - 1.5 + 0.4 * (cell == 3)
    return Side(cell, np.where((i * 11 + cell) % lost == 0, np.nan, y), np.ones(len(i)))


@pytest.mark.parametrize(
    ("name", "sides"), [("lee", ((3, 9), (1, 4))), ("lee_control", ((3, 4), (1, 9)))]
)
def test_lee_bounds_by_the_formulas_of_the_paper(name, sides):
    bounds = compute_lee_bounds(*(follow(*side) for side in sides))
    low, high = estimate_bounds([bounds], NAMES)
    wanted = R[name]
    assert [low.estimate, high.estimate] == pytest.approx(
        [wanted["lower"], wanted["upper"]], abs=LEE
    )
    assert [low.se, high.se] == pytest.approx([wanted["se_lower"], wanted["se_upper"]], rel=LEE)
    assert [low.ci_low, high.ci_high] == pytest.approx([wanted["low"], wanted["high"]], abs=LEE)
    assert (low.ci_low, low.ci_high) == (high.ci_low, high.ci_high)


def test_lee_bounds_meet_where_as_many_were_lost():
    one, other = (Side(k, np.array([1.0, 2, 4, np.nan]) * k, np.ones(4)) for k in (1, 2))
    low, high = estimate_bounds([compute_lee_bounds(other, one)], NAMES)
    assert low.estimate == high.estimate == pytest.approx(7 / 3)
    half = float(norm.ppf(0.975)) * low.se
    assert high.ci_high == pytest.approx(high.estimate + half)


def test_weights_count_as_people():
    """Lee's bounds of people with weight 2 are those of two people each."""
    side = follow(3, 9)
    twice = Side(3, np.repeat(side.values, 2), np.ones(2 * len(side.values)))
    heavy = Side(3, side.values, np.full(len(side.values), 2.0))
    ends = [compute_lee_bounds(one, follow(1, 4)) for one in (heavy, twice)]
    assert ends[0].lower == pytest.approx(ends[1].lower)
    assert ends[0].upper == pytest.approx(ends[1].upper)


def test_worst_case_holds_every_possible_outcome():
    random = np.random.default_rng(3)
    after = {k: np.where(random.random(40) < 0.3, np.nan, random.uniform(1, 5, 40)) for k in "tc"}
    before = {k: random.uniform(1, 5, 40) for k in "tc"}
    sides = {
        k: tuple(
            Side(k, np.where(np.isnan(after[k]), end, after[k]) - before[k], np.ones(40))
            for end in (1.0, 5.0)
        )
        for k in "tc"
    }
    bounds = compute_worst_case(sides["t"], sides["c"])
    for _ in range(50):
        filled = {k: np.where(np.isnan(v), random.uniform(1, 5, 40), v) for k, v in after.items()}
        effect = np.subtract(*((filled[k] - before[k]).mean() for k in "tc"))
        assert bounds.lower < effect < bounds.upper
    lee = compute_lee_bounds(*(Side(k, after[k] - before[k], np.ones(40)) for k in "tc"))
    assert bounds.lower < lee.lower <= lee.upper < bounds.upper


def test_response_bounds_are_the_rates_times_the_scale():
    cells = [summarise_cell([2.0, 3, 4, 3]) for _ in range(4)]
    low, high = estimate_response_bounds(cells, (8, 5, 4, 16), SIGNS, (1.0, 5.0), NAMES)
    unknown = 0.5 + 0.2 + 0 + 0.75
    assert high.estimate - low.estimate == pytest.approx(4 * unknown)
    assert low.ci_low < low.estimate < high.estimate < high.ci_high


def test_a_shared_control_and_a_shared_cluster_count_once():
    treated, other, control = (follow(*each) for each in ((3, 9), (2, 7), (1, 4)))
    both = [compute_lee_bounds(side, control) for side in (treated, other)]
    shared = estimate_bounds(both, NAMES)[0].se
    apart = math.sqrt(sum(estimate_bounds([each], NAMES)[0].se ** 2 for each in both)) / 2
    assert shared > apart
    codes = {side.key: np.arange(len(side.values)) // 2 + 100 * side.key
             for side in (treated, other, control)}  # fmt: skip
    assert estimate_bounds(both, NAMES, codes)[0].se != shared


@pytest.mark.parametrize(("width", "value"), [(0, 1.959964), (10, 1.644854), (1, 1.717)])
def test_imbens_and_manski_value_lies_between_two_sided_and_one_sided(width, value):
    assert find_bounds_value(width) == pytest.approx(value, abs=0.05 if width == 1 else 1e-5)


def test_means_of_partly_answered_questions_as_lavaan_has_them(data):
    third = np.full(3, 1 / 3)
    fits = [fit_normal(data.loc[data["cell"] == cell, ITEMS]) for cell in range(4)]
    means = [float(fit.mean @ third) for fit in fits]
    variances = [
        float(np.square(fit.influence @ third).sum()) * (fit.n - 1) / fit.n for fit in fits
    ]
    for name, cell in (("m0", 0), ("m3", 3)):
        assert means[cell] == pytest.approx(R["fiml"][name]["estimate"], abs=LAVAAN)
        assert math.sqrt(variances[cell]) == pytest.approx(R["fiml"][name]["se"], rel=1e-4)
    did = float(np.dot(SIGNS, means))
    assert did == pytest.approx(R["fiml"]["did"]["estimate"], abs=LAVAAN)
    assert math.sqrt(sum(variances)) == pytest.approx(R["fiml"]["did"]["se"], rel=1e-4)
    assert fits[0].covariance == pytest.approx(np.array(R["fiml"]["covariance"]), abs=LAVAAN)


@pytest.mark.parametrize("weighted", [False, True])
def test_complete_answers_give_the_plain_mean_and_error(data, weighted):
    complete = data.dropna(subset=ITEMS)
    weights = complete["w"].to_numpy() if weighted else None
    fit = fit_normal(complete[ITEMS], weights)
    cell = summarise_cell(complete[ITEMS].mean(axis=1), weights)
    assert fit.mean.mean() == pytest.approx(cell.mean, abs=1e-8)
    found = np.square(fit.influence.mean(axis=1)).sum()
    assert found == pytest.approx(cell.mean_variance, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x.assign(t1=3.0), Reason.NO_VARIATION),
        (lambda x: x.assign(t1=np.nan), Reason.NO_ANSWERS),
        (lambda x: x.head(3), Reason.TOO_FEW_PEOPLE),
        (lambda x: x.assign(t1=x["t2"]), Reason.NOT_ESTIMABLE),
        (lambda x: x.where(np.random.default_rng(1).random(x.shape) < 0.05), Reason.TOO_FEW_PEOPLE),
        (lambda x: x.assign(t2=x["t2"].where(x["t1"].isna())), Reason.TOO_FEW_PEOPLE),
    ],
)
def test_answers_that_settle_nothing_have_a_reason(data, change, reason):
    fit = fit_normal(change(data.loc[data["cell"] == 2, ITEMS]))
    assert fit.problem is not None
    assert fit.problem.reason == reason


def compare_ordered(data, column, **more):
    known = data.dropna(subset=[column])
    weights = known["w"].to_numpy() if more.pop("weighted", False) else None
    return estimate_ordered_contrast(
        known[column].to_numpy(), known["cell"].to_numpy(), SIGNS, weights, **more
    )


def test_cumulative_logit_as_polr_has_it(data):
    wanted = R["ordered"]
    score, item = compare_ordered(data, "score"), compare_ordered(data, "t1")
    people = np.arange(int(data["score"].notna().sum()))
    robust = compare_ordered(data, "score", groups=people)
    heavy = compare_ordered(data, "score", weighted=True)
    assert [math.log(one.estimate) for one in (score, item, heavy)] == pytest.approx(
        [wanted["estimate"], wanted["item"], wanted["weighted"]], abs=POLR
    )
    assert [score.se, item.se, robust.se] == pytest.approx(
        [wanted["se"], wanted["item_se"], wanted["robust"]], rel=1e-4
    )


def test_mann_and_whitney_as_wilcox_test_has_it(data):
    before, after = (data.loc[data["cell"] == cell, "score"].dropna().to_numpy() for cell in (2, 3))
    found = estimate_superiority(before, after)
    assert found.p_value == pytest.approx(R["ranks"]["p"], abs=EXACT)
    assert found.estimate == pytest.approx(1 - R["ranks"]["u"] / (len(before) * len(after)))


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([3.0] * 8, Reason.NO_VARIATION),
        ([1.0, 1, 2, 3, 2, 3, 2, 3], Reason.NOT_ESTIMABLE),
        ([1.0, 2, 1, 2, 4, 5, 4, 5], Reason.NOT_ESTIMABLE),
        ([1.0, 2, 3, 1, 2, 3, 1], Reason.TOO_FEW_PEOPLE),
    ],
)
def test_order_that_settles_nothing_has_a_reason(scores, reason):
    cells = np.repeat(np.arange(4), 2)[: len(scores)]
    found = estimate_ordered_contrast(np.array(scores), cells, SIGNS)
    assert found.reason == reason
    assert found.note


def test_lee_bounds_hold_the_truth_where_it_is_an_end():
    """Of 500 samples, 95% within three standard errors; the people who stayed mislead."""
    held = cover_lee(500, 3)
    assert held["lee"] == pytest.approx(0.95, abs=0.03)
    assert held["stayed"] < 0.5
