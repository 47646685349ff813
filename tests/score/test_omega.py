"""Omega total against lavaan, and its bootstrap interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_by_hand import REFERENCE, read_reference

from sbwork.score.omega import estimate_omega, resample_covariances
from sbwork.stats import Estimate

LAVAAN = 1e-8
BOUNDED = 1e-6


def make_rows(n: int, k: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 1)) + random.normal(size=(n, k))


def test_agrees_with_lavaan_and_the_published_omega() -> None:
    tests = pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv")
    lavaan = read_reference("reliability")

    def estimate(items: list[str]) -> Estimate:
        return estimate_omega(tests[items].cov().to_numpy(), 301, names=items)

    for expected in lavaan["one_factor"].values():
        found = estimate(expected["items"])
        assert found.estimate == pytest.approx(expected["omega"], abs=LAVAAN)
    heywood = estimate(lavaan["heywood"]["items"])
    assert heywood.estimate == pytest.approx(lavaan["heywood"]["omega"], abs=BOUNDED)
    assert "'x8' was held at zero" in heywood.note
    assert estimate(["x1", "x2", "x3"]).estimate == pytest.approx(0.63255, abs=5e-6)


def test_interval_is_that_of_refits_one_by_one() -> None:
    rows = make_rows(120, 5)
    matrix = np.cov(rows, rowvar=False)
    resamples = resample_covariances(rows, 200, np.random.default_rng(3))
    found = estimate_omega(matrix, 120, resamples=resamples)
    alone = [estimate_omega(resample, 120).estimate for resample in resamples]
    assert [found.ci_low, found.ci_high] == pytest.approx(
        np.quantile(alone, [0.025, 0.975]).tolist(), abs=1e-5
    )
    assert found.ci_low < found.estimate < found.ci_high


def test_resamples_follow_the_seed_and_numpy() -> None:
    rows = make_rows(30, 3)
    one = resample_covariances(rows, 4, np.random.default_rng(5))
    assert np.array_equal(one, resample_covariances(rows, 4, np.random.default_rng(5)))
    assert not np.array_equal(one, resample_covariances(rows, 4, np.random.default_rng(6)))
    chosen = np.random.default_rng(5).integers(30, size=30)
    assert one[0] == pytest.approx(np.cov(rows[chosen], rowvar=False))


def test_too_few_usable_resamples_mean_no_interval() -> None:
    rows = make_rows(60, 4)
    resamples = resample_covariances(rows, 300, np.random.default_rng(1))
    resamples[:60, :, 2] = 0.0
    resamples[:60, 2, :] = 0.0
    found = estimate_omega(np.cov(rows, rowvar=False), 60, resamples=resamples)
    assert not math.isnan(found.estimate)
    assert math.isnan(found.ci_low)
    assert "only 240 of 300" in found.note


@pytest.mark.parametrize(
    ("matrix", "n", "words"),
    [
        (np.eye(2) + 0.5, 50, "at least three items"),
        (np.eye(3), 9, "Only 9 people"),
        (np.diag([1.0, 0.0, 1.0]), 50, "same answer to item 2"),
        (np.ones((3, 3)) + np.diag([0.0, 0.0, 1.0]), 50, "sum of others"),
    ],
)
def test_says_why_there_is_no_number(matrix: np.ndarray, n: int, words: str) -> None:
    found = estimate_omega(matrix, n)
    assert math.isnan(found.estimate)
    assert words in found.note
