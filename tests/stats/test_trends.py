"""Level, trend, event study and broken series against R: reference/panels.R."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_by_hand import read_reference

from sbwork.compare.accuracy import read_study
from sbwork.render import robustness
from sbwork.stats.synthetic import fit_synthetic_control
from sbwork.stats.trends import (
    estimate_event_study,
    estimate_interrupted_series,
    estimate_level_ratio,
    estimate_pre_trend,
)

TOLERANCE = 1e-6

R = read_reference("panels")
TIMES = np.array(R["times"], dtype=float)
A, B, C = (np.array(R["sites"][name], dtype=float) for name in "abc")
BEFORE = TIMES < 0


def check(found, expected):
    percent = found.unit == "percent"
    ends = [found.estimate, found.ci_low, found.ci_high]
    logs = [math.log1p(end / 100) if percent else math.log(end) for end in ends]
    assert logs == pytest.approx([expected[k] for k in ("log", "low", "high")], abs=TOLERANCE)
    assert found.se == pytest.approx(expected["se"], abs=TOLERANCE)
    assert found.p_value == pytest.approx(expected["p"], abs=TOLERANCE)


def test_level_ratio_and_trend_agree_with_glm():
    counts = estimate_level_ratio(A[BEFORE], B[BEFORE])
    check(counts, R["pre_level"])
    rates = estimate_level_ratio(A[BEFORE], B[BEFORE], exposure=(1000, 3000))
    assert rates.estimate == pytest.approx(3 * counts.estimate)
    assert rates.se == counts.se
    assert rates.p_value < counts.p_value
    month = estimate_level_ratio([50], [60])
    assert month.se == pytest.approx(math.sqrt(1 / 50 + 1 / 60))
    assert "too narrow" in month.note
    trend = estimate_pre_trend(A[BEFORE], B[BEFORE], TIMES[BEFORE])
    check(trend, R["pre_trend"])
    assert "not proof" in trend.note


@pytest.mark.parametrize("months", [0, 1, 5])
def test_pre_trend_of_few_months_is_missing_with_the_reason(months):
    found = estimate_pre_trend(A[:months], B[:months], TIMES[:months])
    assert math.isnan(found.estimate)
    assert "at least 6" in found.note


def test_pre_trend_skips_months_that_are_missing():
    gap = A[BEFORE].copy()
    gap[4] = np.nan
    kept = np.delete(np.arange(12), 4)
    with_gap = estimate_pre_trend(gap, B[BEFORE], TIMES[BEFORE])
    without = estimate_pre_trend(A[kept], B[kept], TIMES[kept])
    assert with_gap.estimate == pytest.approx(without.estimate)
    assert np.isnan(gap[4])


def test_event_study_agrees_with_poisson_glm_month_by_month_and_leaves_out_a_zero():
    for month, expected in zip(estimate_event_study(A, B, TIMES), R["event_study"], strict=True):
        check(month, expected)
    found = estimate_event_study(C, B, TIMES)
    missing = [month for month, one in zip(TIMES, found, strict=True) if math.isnan(one.estimate)]
    assert missing == [-10]
    assert "zero" in found[2].note


def test_interrupted_series_agrees_with_glm_and_the_line_through_log_ratios():
    level, slope = estimate_interrupted_series(A, B, TIMES)
    check(level, R["its_level"])
    check(slope, R["its_slope"])
    assert math.log(level.estimate) == pytest.approx(R["its_level_panel"], abs=TOLERANCE)
    line = R["its_level_lm"]
    assert math.log(level.estimate) == pytest.approx(line["log"], abs=line["se"] / 2)


def test_interrupted_series_sees_a_break_where_there_is_none_no_more_often_than_it_says():
    rng = np.random.default_rng(20180601)
    seen = []
    for _ in range(300):
        one, other = rng.poisson(20, (2, 24)).astype(float)
        level, _ = estimate_interrupted_series(one, other, TIMES)
        seen.append(level.ci_low > 1 or level.ci_high < 1)
    assert np.mean(seen) < 0.08


def test_interrupted_series_refuses_a_short_side():
    level, slope = estimate_interrupted_series(A[:19], B[:19], TIMES[:19])
    assert math.isnan(level.estimate)
    assert math.isnan(slope.estimate)
    assert "12 before and 7 after" in level.note


def test_synthetic_weights_agree_with_quadratic_programming():
    expected = R["synthetic"]
    found = fit_synthetic_control(expected["series"], expected["donors"], TIMES)
    assert found.weights == pytest.approx(expected["weights"], abs=TOLERANCE)
    assert found.rmspe_before == pytest.approx(expected["rmspe"], abs=TOLERANCE)


def test_the_docstring_of_the_broken_series_gives_the_shares_of_the_simulation():
    """Made by tests/studies/sim_series.py."""
    text = " ".join((estimate_interrupted_series.__doc__ or "").split())
    alone, level, slope = (
        [f"{100 * share:.0f}%" for share in column]
        for column in read_study("series")[["newey_west", "wider", "wider_slope"]].to_numpy().T
    )
    assert (alone, level, slope) == (
        ["16%", "18%", "16%"], ["3%", "7%", "12%"], ["3%", "15%", "15%"],
    )  # fmt: skip
    assert "in 16% of simulated pairs, the larger of the two in 3%" in text
    assert "it is 18% and 7% with 12 months a side, 16% and 12% with 24" in text
    assert "the interval for the slope leaves out no difference in 15%" in text
    assert "saw one in level in 3% to 12% of pairs and one in slope in 3% to 15%" in (
        robustness._describe_errors()
    )
