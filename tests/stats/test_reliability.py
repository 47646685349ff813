"""Classical reliability against R's psych and against published values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import REFERENCE, read_reference

from sbwork.stats import Estimate, Reason
from sbwork.stats.reliability import (
    estimate_alpha,
    estimate_alpha_if_dropped,
    estimate_item_rest,
    find_opposed_items,
)

DETERMINISTIC = 1e-9
PUBLISHED = 5e-7
PSYCH = read_reference("reliability")
TESTS_OF_1939 = pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv")


def equicorrelated(alpha: float, k: int) -> np.ndarray:
    r = alpha / (k - alpha * (k - 1))
    return np.full((k, k), r) + (1 - r) * np.eye(k)


def take_estimates(estimates: Sequence[Estimate]) -> list[float]:
    return [estimate.estimate for estimate in estimates]


@pytest.mark.parametrize(("scale", "k"), [("visual", 3), ("all", 9)])
def test_agrees_with_psych_and_published_values(scale: str, k: int) -> None:
    matrix = TESTS_OF_1939[[f"x{i + 1}" for i in range(k)]].cov().to_numpy()
    alpha = estimate_alpha(matrix, 301).estimate
    rests = take_estimates(estimate_item_rest(matrix, 301))
    dropped = take_estimates(estimate_alpha_if_dropped(matrix, 301))
    expected = PSYCH[scale]
    assert alpha == pytest.approx(expected["alpha"], abs=DETERMINISTIC)
    assert rests == pytest.approx(expected["item_rest"], abs=DETERMINISTIC)
    assert dropped == pytest.approx(expected["if_dropped"], abs=DETERMINISTIC)
    if scale == "visual":
        assert alpha == pytest.approx(0.62611713, abs=PUBLISHED)
        assert rests == pytest.approx([0.449, 0.375, 0.484], abs=5e-4)


@pytest.mark.parametrize(
    ("alpha", "n", "k", "low", "high"),
    [(0.85, 89, 7, 0.797065, 0.893167), (0.913, 873, 20, 0.9044024, 0.9211588)],
)
def test_feldt_interval(alpha: float, n: int, k: int, low: float, high: float) -> None:
    found = estimate_alpha(equicorrelated(alpha, k), n)
    assert found.estimate == pytest.approx(alpha, abs=1e-12)
    assert found.ci_low == pytest.approx(low, abs=PUBLISHED)
    assert found.ci_high == pytest.approx(high, abs=PUBLISHED)


@st.composite
def covariances(draw: st.DrawFn) -> np.ndarray:
    k = draw(st.integers(2, 7))
    numbers = st.floats(-2, 2, allow_nan=False)
    roots = np.array(draw(st.lists(numbers, min_size=k * k, max_size=k * k))).reshape(k, k)
    return roots @ roots.T + 0.1 * np.eye(k)


@given(covariances(), st.floats(0.01, 100), st.randoms(use_true_random=False))
def test_order_and_units_change_nothing(matrix: np.ndarray, scale: float, random: Any) -> None:
    order = list(range(len(matrix)))
    random.shuffle(order)
    turned = matrix[np.ix_(order, order)] * scale
    found, expected = estimate_alpha(turned, 50), estimate_alpha(matrix, 50)
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-9, abs=1e-9)
    for estimate in (estimate_item_rest, estimate_alpha_if_dropped):
        before = take_estimates(estimate(matrix, 50))
        after = take_estimates(estimate(turned, 50))
        assert after == pytest.approx([before[i] for i in order], rel=1e-7, abs=1e-9, nan_ok=True)


@given(covariances())
def test_interval_holds_alpha(matrix: np.ndarray) -> None:
    found = estimate_alpha(matrix, 30)
    assert found.ci_low < found.estimate < found.ci_high <= 1


NAMES = ("t1", "t2", "t3")


@pytest.mark.parametrize(
    ("words", "matrix", "n", "reason"),
    [
        ("one item", np.eye(1), 50, Reason.TOO_FEW_ITEMS),
        ("Only 9 people", np.eye(3), 9, Reason.TOO_FEW_PEOPLE),
        ("Nobody", np.eye(3), 0, Reason.TOO_FEW_PEOPLE),
        ("'t2'", np.diag([1.0, 0.0, 1.0]), 50, Reason.NO_VARIATION),
        ("sum of the items", np.array([[1.0, -1.0], [-1.0, 1.0]]), 50, Reason.NO_VARIATION),
    ],
)
def test_says_why_there_is_no_number(words, matrix, n, reason) -> None:
    for estimate in (
        estimate_alpha(matrix, n, names=NAMES),
        *estimate_item_rest(matrix, n, names=NAMES),
        *estimate_alpha_if_dropped(matrix, n, names=NAMES),
    ):
        assert math.isnan(estimate.estimate)
        assert words in estimate.note
        assert estimate.reason == reason


def test_what_two_items_opposed_items_and_a_constant_rest_leave() -> None:
    two = equicorrelated(0.8, 2)
    assert estimate_alpha(two, 40).estimate == pytest.approx(0.8)
    assert all("no scale left" in item.note for item in estimate_alpha_if_dropped(two, 40))
    matrix = np.array([[1.0, 0.5, -0.5], [0.5, 1.0, -1.0], [-0.5, -1.0, 1.0]])
    rest = estimate_item_rest(matrix, 40)[0]
    assert math.isnan(rest.estimate)
    assert "same for all" in rest.note
    assert math.isnan(estimate_alpha_if_dropped(matrix, 40)[0].estimate)
    negative = estimate_alpha([[1, -0.4, 0.1], [-0.4, 1, -0.4], [0.1, -0.4, 1]], 40)
    assert negative.estimate < 0
    assert "run against each other" in negative.note


def test_opposed_items_are_the_minority() -> None:
    signs = np.array([1, 1, -1, 1, -1])
    matrix = (np.full((5, 5), 0.5) + 0.5 * np.eye(5)) * np.outer(signs, signs)
    assert find_opposed_items(matrix).tolist() == [False, False, True, False, True]
    assert find_opposed_items(-signs[:, None] * matrix * -signs).sum() == 0


def test_refuses_a_matrix_that_is_not_square() -> None:
    with pytest.raises(ValueError, match="square"):
        estimate_alpha(np.ones((2, 3)), 20)
