"""Classical reliability against R's psych and against published values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats import Reason
from sbwork.stats.reliability import (
    estimate_alpha,
    estimate_alpha_if_dropped,
    estimate_item_rest,
    find_obstacle,
    find_opposed_items,
)

DETERMINISTIC = 1e-9
PUBLISHED = 5e-7

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def psych() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((REFERENCE / "reliability.json").read_text("utf-8"))
    return values


@pytest.fixture(scope="module")
def tests_of_1939() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv")


def equicorrelated(alpha: float, k: int) -> np.ndarray:
    r = alpha / (k - alpha * (k - 1))
    return np.full((k, k), r) + (1 - r) * np.eye(k)


@pytest.mark.parametrize(("scale", "k"), [("visual", 3), ("all", 9)])
def test_agrees_with_psych(
    psych: dict[str, Any], tests_of_1939: pd.DataFrame, scale: str, k: int
) -> None:
    matrix = tests_of_1939[[f"x{i + 1}" for i in range(k)]].cov().to_numpy()
    n = len(tests_of_1939)
    expected = psych[scale]
    assert estimate_alpha(matrix, n).estimate == pytest.approx(expected["alpha"], abs=DETERMINISTIC)
    rests = [item.estimate for item in estimate_item_rest(matrix, n)]
    assert rests == pytest.approx(expected["item_rest"], abs=DETERMINISTIC)
    dropped = [item.estimate for item in estimate_alpha_if_dropped(matrix, n)]
    assert dropped == pytest.approx(expected["if_dropped"], abs=DETERMINISTIC)


def test_published_alpha_of_visual_tests(tests_of_1939: pd.DataFrame) -> None:
    matrix = tests_of_1939[["x1", "x2", "x3"]].cov().to_numpy()
    assert estimate_alpha(matrix, 301).estimate == pytest.approx(0.62611713, abs=PUBLISHED)
    rests = [item.estimate for item in estimate_item_rest(matrix, 301)]
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
        before = [item.estimate for item in estimate(matrix, 50)]
        after = [item.estimate for item in estimate(turned, 50)]
        assert after == pytest.approx([before[i] for i in order], rel=1e-7, abs=1e-9, nan_ok=True)


@given(covariances())
def test_interval_holds_alpha(matrix: np.ndarray) -> None:
    found = estimate_alpha(matrix, 30)
    assert found.ci_low < found.estimate < found.ci_high <= 1


def test_says_why_there_is_no_number() -> None:
    constant = np.diag([1.0, 0.0, 1.0])
    cases = {
        "one item": (np.eye(1), 50, (), Reason.TOO_FEW_ITEMS),
        "Only 9 people": (np.eye(3), 9, (), Reason.TOO_FEW_PEOPLE),
        "Nobody": (np.eye(3), 0, (), Reason.TOO_FEW_PEOPLE),
        "'t2'": (constant, 50, ("t1", "t2", "t3"), Reason.NO_VARIATION),
        "sum of the items": (
            np.array([[1.0, -1.0], [-1.0, 1.0]]),
            50,
            (),
            Reason.NO_VARIATION,
        ),
    }
    for words, (matrix, n, names, reason) in cases.items():
        found = find_obstacle(matrix, n, names)
        assert found is not None
        assert found[0] == reason
        assert words in found[1]
        estimates = (
            estimate_alpha(matrix, n, names=names),
            *estimate_item_rest(matrix, n, names=names),
            *estimate_alpha_if_dropped(matrix, n, names=names),
        )
        for estimate in estimates:
            assert math.isnan(estimate.estimate)
            assert words in estimate.note
            assert estimate.reason == reason


def test_two_items_have_alpha_but_none_to_drop() -> None:
    matrix = equicorrelated(0.8, 2)
    assert estimate_alpha(matrix, 40).estimate == pytest.approx(0.8)
    assert all("no scale left" in item.note for item in estimate_alpha_if_dropped(matrix, 40))


def test_a_rest_without_variance_is_missing_with_a_reason() -> None:
    matrix = np.array([[1.0, 0.5, -0.5], [0.5, 1.0, -1.0], [-0.5, -1.0, 1.0]])
    rest = estimate_item_rest(matrix, 40)[0]
    assert math.isnan(rest.estimate)
    assert "same for all" in rest.note
    assert math.isnan(estimate_alpha_if_dropped(matrix, 40)[0].estimate)


def test_negative_alpha_is_given_and_explained() -> None:
    found = estimate_alpha([[1, -0.4, 0.1], [-0.4, 1, -0.4], [0.1, -0.4, 1]], 40)
    assert found.estimate < 0
    assert "run against each other" in found.note


def test_opposed_items_are_the_minority() -> None:
    signs = np.array([1, 1, -1, 1, -1])
    matrix = (np.full((5, 5), 0.5) + 0.5 * np.eye(5)) * np.outer(signs, signs)
    assert find_opposed_items(matrix).tolist() == [False, False, True, False, True]
    assert find_opposed_items(-signs[:, None] * matrix * -signs).sum() == 0


def test_refuses_a_matrix_that_is_not_square() -> None:
    with pytest.raises(ValueError, match="square"):
        estimate_alpha(np.ones((2, 3)), 20)
