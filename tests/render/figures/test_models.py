"""Event studies and specification curves, by the data they receive."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sbwork.render.robustness import draw_event_study
from sbwork.render.specifications import (
    choose_range,
    draw_choices,
    draw_specifications,
    scale_ratios,
)
from sbwork.render.style import INTERVENTION
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, tabulate_findings

NAN = float("nan")


@pytest.fixture
def ax():
    return Figure().subplots()


def frame(section: str, rows: list[tuple[str, str, float, float, float]]):
    return tabulate_findings(
        Finding(
            section,
            "asb",
            "a",
            Estimate(name, value, low, high, unit="ratio")
            if value == value
            else Estimate(name, unit="ratio", note="None.", reason=Reason.ZERO_COUNT),
            "c",
            period,
        )
        for name, period, value, low, high in rows
    )


def test_months_before_and_after_differ_in_marker_and_gaps_stay_open(ax):
    rows = frame(
        "panel",
        [
            ("event_study", "-2", 0.9, 0.5, 1.6),
            ("event_study", "-1", NAN, NAN, NAN),
            ("event_study", "0", 0.5, 0.3, 0.8),
            ("event_study", "1", 0.6, 0.4, 0.9),
        ],
    )
    draw_event_study(ax, rows)
    drawn = {
        line.get_marker(): list(line.get_xdata()) for line in ax.lines if len(line.get_xdata())
    }
    assert drawn["s"] == [-2]
    assert drawn["o"] == [0, 1]
    assert ax.get_yscale() == "log"


def test_the_headline_differs_in_colour_and_marker_from_all_others(ax):
    rows = frame(
        "specification",
        [("rirr", "change", 0.6, 0.4, 0.9), ("rirr", "6+6", 0.7, 0.3, 1.6),
         ("panel_nb2", "change", 1.2, 0.9, 1.5)],
    )  # fmt: skip
    draw_specifications(ax, rows, rows.index[1])
    marks = [line for line in ax.lines if line.get_marker() in ("o", "D")]
    assert [line.get_marker() for line in marks] == ["o", "D", "o"]
    assert [float(line.get_ydata()[0]) for line in marks] == [0.6, 0.7, 1.2]
    assert to_hex(marks[1].get_color()) == INTERVENTION
    assert len({to_hex(marks[at].get_color()) for at in (0, 2)}) == 1
    assert [to_hex(line.get_markerfacecolor()) for line in marks] == [
        "#5c6875", INTERVENTION, "#ffffff"
    ]  # fmt: skip
    whiskers = [tuple(map(float, line.get_ydata())) for line in ax.lines]
    assert (0.3, 1.6) in whiskers
    assert [text.get_text() for text in ax.texts] == ["this report"]
    low, high = ax.get_ylim()
    assert low < 0.3
    assert high > 1.6


def test_an_interval_that_knows_next_to_nothing_ends_in_an_arrowhead(ax):
    rows = frame(
        "specification",
        [("rirr", "change", 0.6, 0.4, 0.9), ("rirr", "6+6", 0.8, 0.01, 90.0)],
    )  # fmt: skip
    assert choose_range(rows) == pytest.approx((0.3, 1.6))
    draw_specifications(ax, rows, None)
    heads = {line.get_marker(): line.get_xydata()[0].tolist() for line in ax.lines}
    assert heads["v"] == pytest.approx([1, 0.3])
    assert heads["^"] == pytest.approx([1, 1.6])
    low, high = ax.get_ylim()
    assert 0.2 < low < 0.3
    assert 1.6 < high < 2


def test_a_half_and_a_double_lie_as_far_from_one(ax):
    scale_ratios(ax, 0.3, 3.0)
    at = ax.transData.transform([(0, 0.5), (0, 1), (0, 2)])[:, 1]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0.5", "1", "2"]


def test_choices_stand_on_the_line_of_what_was_chosen(ax):
    groups = [["6 + 6", "12 + 12"], ["own", "all"]]
    draw_choices(ax, [("12 + 12", "own"), ("6 + 6", "all")], groups, 0)
    marks = [(*map(float, line.get_xydata()[0]), line.get_marker()) for line in ax.lines[:4]]
    assert marks == [(0, 1, "D"), (0, 2, "D"), (1, 0, "o"), (1, 3, "o")]
    assert np.allclose(ax.lines[-1].get_ydata(), 1.5)
