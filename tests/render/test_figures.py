"""Figures are tested by the data they receive, not by their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sbwork.render.answers import count_shares, draw_likert
from sbwork.render.counts import draw_changes, draw_monthly_counts
from sbwork.render.scales import draw_score_distributions
from sbwork.render.style import AFTER, BEFORE, CONTROL, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, tabulate_findings

COHORT = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {"title": "Area A"}, "c": {"title": "Control C"}},
        "pairs": [{"intervention": "a", "control": "c"}],
        "periods": {
            "before": {"start": "2016-01", "end": "2016-03"},
            "after": {"start": "2017-01", "end": "2017-03"},
        },
    }
)
INSTRUMENT = Instrument.model_validate(
    {
        "name": "mini",
        "options": {
            "five": [{"code": code, "label": f"L{code}"} for code in range(1, 6)],
            "four": [{"code": code, "label": f"M{code}"} for code in range(1, 5)],
        },
        "items": {
            "q1": {"text": "One", "options": "five"},
            "q2": {"text": "Two", "options": "five"},
            "q3": {"text": "Three", "options": "four"},
        },
        "scales": {"s": {"items": ["q1", "q2"]}},
    }
)
ANSWERS = pd.DataFrame(
    {
        "q1": [1, 2, 3, 3, 4, 5, 5, 5, 4, 3, np.nan],
        "q2": [1, 1, 1, 1, 1, 5, 5, 5, 5, 5, np.nan],
        "q3": [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, np.nan],
    },
    dtype=float,
)


@pytest.fixture
def ax():
    return Figure().subplots()


def change(site: str, value: float, low: float, high: float, note: str = "") -> Finding:
    reason: Any = "" if value == value else Reason.ZERO_COUNT
    estimate = Estimate("percentage_change", value, low, high, note=note, reason=reason)
    return Finding("counts", "asb", site, estimate, period="change")


def test_changes_are_drawn_where_they_are(ax):
    findings = tabulate_findings([change("a", -31.0, -44.0, -15.0), change("c", 5.0, -9.0, 22.0)])
    draw_changes(ax, findings, COHORT, "asb")
    drawn = [tuple(line.get_xdata()) for line in ax.lines]
    assert (-44.0, -15.0) in drawn
    assert (-9.0, 22.0) in drawn
    assert [text.get_text() for text in ax.texts] == ["−31%", "+5%"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Area A", "Control C"]


def test_a_missing_change_says_so_and_draws_nothing_at_zero(ax):
    nan = float("nan")
    findings = tabulate_findings(
        [change("a", nan, nan, nan, "Nothing before."), change("c", 5, 1, 9)]
    )
    draw_changes(ax, findings, COHORT, "asb")
    assert "not available" in [text.get_text() for text in ax.texts]
    markers = [line for line in ax.lines if line.get_marker() == "o"]
    assert markers == []


def monthly(values: dict[str, list[float]]) -> pd.DataFrame:
    months = ["2016-01", "2016-02", "2016-03", "2017-01", "2017-02", "2017-03"]
    rows = [
        {"site": site, "outcome": "asb", "month": month, "count": count}
        for site, counts in values.items()
        for month, count in zip(months, counts, strict=True)
    ]
    return pd.DataFrame(rows)


def test_a_month_without_a_file_is_a_gap_not_a_zero(ax):
    counts = monthly({"a": [3, float("nan"), 4, 2, 2, 1], "c": [5, 6, 5, 4, 6, 5]})
    draw_monthly_counts(ax, counts, COHORT, ["a", "c"], "asb")
    first = ax.lines[0].get_ydata()
    assert np.isnan(first[1])
    assert list(first[[0, 2]]) == [3, 4]


def test_only_the_chosen_period_is_drawn(ax):
    counts = monthly({"a": [3, 3, 4, 2, 2, 1]})
    draw_monthly_counts(ax, counts, COHORT, ["a"], "asb", ["after"])
    assert list(ax.lines[0].get_ydata()) == [2, 2, 1]


def test_shares_leave_missing_answers_out_of_the_base():
    shares, bases = count_shares(ANSWERS, ["q1", "q2"], [1, 2, 3, 4, 5])
    assert list(bases) == [10, 10]
    np.testing.assert_allclose(shares[0], [10, 10, 30, 20, 30])
    np.testing.assert_allclose(shares[1], [50, 0, 0, 0, 50])
    np.testing.assert_allclose(shares.sum(axis=1), 100)


def bars(ax, item: int) -> list[tuple[float, float]]:
    """Return (left, right) of each bar of one item, in the order of the options."""
    found = [container.patches[item] for container in ax.containers]
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in found]


def test_split_puts_half_of_the_middle_on_each_side(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q1", "q2"], neutral="split")
    placed = bars(ax, 0)
    assert placed[2] == pytest.approx((-15, 15))
    assert placed[0][0] == pytest.approx(-35)
    assert placed[4][1] == pytest.approx(65)


def test_centred_keeps_the_sides_clear_of_the_widest_middle(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q1", "q2"], neutral="centred")
    for item in (0, 1):
        placed = bars(ax, item)
        assert placed[1][1] == pytest.approx(-15)
        assert placed[3][0] == pytest.approx(15)
        assert placed[2][0] == pytest.approx(-placed[2][1])


def test_aside_takes_the_middle_out_of_the_line(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q1", "q2"], neutral="aside")
    placed = bars(ax, 0)
    assert placed[1][1] == pytest.approx(0)
    assert placed[3][0] == pytest.approx(0)
    assert placed[2][0] > 100


def test_stacked_runs_from_0_to_100(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q1", "q2"], neutral="stacked")
    for item in (0, 1):
        assert bars(ax, item)[0][0] == pytest.approx(0)
        assert bars(ax, item)[-1][1] == pytest.approx(100)


def test_an_even_number_of_options_has_no_middle(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q3"], neutral="split")
    placed = bars(ax, 0)
    assert placed[1][1] == pytest.approx(0)
    assert placed[2][0] == pytest.approx(0)


def test_likert_prints_the_base_and_keeps_the_order(ax):
    draw_likert(ax, ANSWERS, INSTRUMENT, ["q2", "q1"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["Two\n(n = 10)", "One\n(n = 10)"]


def test_likert_refuses_an_unknown_neutral(ax):
    with pytest.raises(ValueError, match="allowed: split, centred, aside, stacked"):
        draw_likert(ax, ANSWERS, INSTRUMENT, ["q1"], neutral="middle")


def test_score_distributions_leave_small_groups_out(ax):
    scores = pd.DataFrame(
        {
            "site": ["a"] * 12 + ["c"] * 3,
            "wave": ["before"] * 15,
            "s": np.linspace(1, 5, 15),
        }
    )
    draw_score_distributions(ax, scores, COHORT, "s", fewest=10)
    boxes = [patch for patch in ax.patches if patch.get_label() in {"Before", "_"}]
    assert len(boxes) == 1


def test_inputs_are_left_as_they_were(ax):
    answers = ANSWERS.copy()
    draw_likert(ax, answers, INSTRUMENT, ["q1", "q2"])
    pd.testing.assert_frame_equal(answers, ANSWERS)


def luminance(colour: str) -> float:
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize(
    ("one", "other"),
    [(INTERVENTION, CONTROL), (BEFORE, AFTER)],
)
def test_colours_that_mean_opposite_things_stay_apart_in_grey(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 2.5
