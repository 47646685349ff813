"""Figures are tested by the data they receive, not by their pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from sbwork.read.places.outlines import SiteOutlines
from sbwork.render.answers import draw_likert
from sbwork.render.counts import (
    describe_monthly_counts,
    draw_changes,
    draw_monthly_counts,
    draw_reported,
)
from sbwork.render.maps import KILOMETRES, ROLES, describe_map, draw_map
from sbwork.render.robustness import draw_event_study
from sbwork.render.scales import draw_score_distributions
from sbwork.render.specifications import (
    choose_range,
    draw_choices,
    draw_specifications,
    scale_ratios,
)
from sbwork.render.style import AFTER, BEFORE, CONTROL, GREY, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, tabulate_findings

NAN = math.nan
COHORT = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {"title": "Area A"}, "c": {"title": "Control C"}, "d": {}, "spare": {}},
        "pairs": [{"intervention": "a", "control": "c", "displacement": "d"}],
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


def share(**items: list[int]) -> pd.DataFrame:
    """Lay out the shares of each item's answers, given in per cent and from the lowest code up."""
    return pd.DataFrame(
        {"item": item, "code": code, "share": part / 100, "n": 10.0, "above": NAN}
        for item, parts in items.items()
        for code, part in enumerate(parts, 1)
    )


@pytest.fixture
def ax():
    return Figure().subplots()


def frame(section: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Make findings of (estimator, site, period, estimate, low, high); NaN is a missing number."""
    return tabulate_findings(
        Finding(
            section, "asb", site,
            Estimate(name, value, low, high, reason="" if value == value else Reason.ZERO_COUNT,
                     note="" if value == value else "None."),
            "x", period,
        )
        for name, site, period, value, low, high in rows
    )  # fmt: skip


def list_intervals(ax) -> list[tuple[float, ...]]:
    """List the ends of the intervals along their own axis."""
    ends = [
        segment for found in ax.collections if isinstance(found, LineCollection)
        for segment in found.get_segments()
    ]  # fmt: skip
    return [tuple(np.round(part[:, int(part[0, 0] == part[1, 0])], 9)) for part in ends]


def list_marks(ax, *markers: str) -> dict[str, list[list[float]]]:
    """List where each kind of marker stands."""
    return {
        str(line.get_marker()): line.get_xydata().tolist()
        for line in ax.lines
        if line.get_marker() in markers and len(line.get_xydata())
    }


def test_changes_are_drawn_where_they_are(ax):
    change = "percentage_change"
    findings = frame("counts", [(change, "a", "change", -31.0, -44.0, -15.0),
                                (change, "c", "change", 5.0, -9.0, 22.0)])  # fmt: skip
    draw_changes(ax, findings, COHORT, "asb")
    assert list_intervals(ax) == [(-44.0, -15.0), (-9.0, 22.0)]
    assert list_marks(ax, "o", "s") == {"o": [[-31.0, 0.0]], "s": [[5.0, 1.0]]}
    assert [text.get_text() for text in ax.texts] == ["−31%", "+5%"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Area A", "Control C"]


def test_a_missing_change_says_so_and_draws_nothing_at_zero(ax):
    change = "percentage_change"
    findings = frame("counts", [(change, "a", "change", NAN, NAN, NAN),
                                (change, "c", "change", 5.0, 1.0, 9.0)])  # fmt: skip
    draw_changes(ax, findings, COHORT, "asb")
    assert "not available" in [text.get_text() for text in ax.texts]
    assert list_marks(ax, "o", "s") == {"s": [[5.0, 1.0]]}


def monthly(values: dict[str, list[float]]) -> pd.DataFrame:
    months = ["2016-01", "2016-02", "2016-03", "2017-01", "2017-02", "2017-03"]
    rows = [
        {"site": site, "outcome": "asb", "month": month, "count": count}
        for site, counts in values.items()
        for month, count in zip(months, counts, strict=True)
    ]
    return pd.DataFrame(rows)


def test_a_month_without_a_file_is_a_gap_not_a_zero_and_no_line_across(ax):
    counts = monthly({"a": [3, NAN, 4, 2, 2, 1], "c": [5, 6, 5, 4, 6, 5]})
    draw_monthly_counts(ax, counts, COHORT, ["a", "c"], "asb")
    drawn = [line.get_xydata().tolist() for line in ax.lines if len(line.get_xydata())]
    assert drawn[:2] == [[[0, 3]], [[2, 4], [3, 2], [4, 2], [5, 1]]]
    assert len(drawn[2]) == 6
    assert [text.get_text() for text in ax.get_legend().texts] == ["Area A", "Control C"]


def test_a_site_whose_months_are_all_hidden_has_no_line(ax):
    counts = monthly({"a": [NAN] * 6, "c": [5, 6, 5, 4, 6, 5]})
    draw_monthly_counts(ax, counts, COHORT, ["a", "c"], "asb")
    assert [text.get_text() for text in ax.get_legend().texts] == ["Control C"]
    hiding = COHORT.model_copy(update={"smallest_count": 20})
    told = describe_monthly_counts(hiding, counts, ["a", "c"], "asb")
    assert told.endswith(", where shown: Control C between 4 and 6 a month.")


def test_only_the_chosen_period_is_drawn(ax):
    draw_monthly_counts(ax, monthly({"a": [3, 3, 4, 2, 2, 1]}), COHORT, ["a"], "asb", ["after"])
    assert list(ax.lines[0].get_ydata()) == [2, 2, 1]


def test_reported_figures_are_hatched_bars_without_intervals(ax):
    findings = frame("reported", [("reported_change_percent", "", "", -40.0, NAN, NAN)])
    draw_reported(ax, findings)
    (bar,) = ax.patches
    assert bar.get_width() == -40
    assert bar.get_hatch()
    assert list_intervals(ax) == []
    assert [text.get_text() for text in ax.texts] == ["−40%"]


def list_bars(ax, item: int) -> list[tuple[float, float]]:
    """Return (left, right) of each bar of one item, in the order of the options."""
    found = [container.patches[item] for container in ax.containers]
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in found]


def test_half_of_the_middle_answer_lies_on_each_side(ax):
    draw_likert(ax, share(q2=[50, 0, 0, 0, 50], q1=[10, 10, 30, 20, 30]), INSTRUMENT)
    placed = list_bars(ax, 1)
    assert placed[2] == pytest.approx((-15, 15))
    assert (placed[0][0], placed[4][1]) == pytest.approx((-35, 65))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["Two\n(n = 10)", "One\n(n = 10)"]


def test_an_even_number_of_options_has_no_middle(ax):
    draw_likert(ax, share(q3=[30, 30, 20, 20]), INSTRUMENT)
    placed = list_bars(ax, 0)
    assert (placed[1][1], placed[2][0]) == pytest.approx((0, 0))


@pytest.mark.parametrize("shown", [1, 0])
def test_score_distributions_have_a_box_for_each_group_that_is_shown(ax, shown):
    columns = ["scale", "site", "wave", "low", "q1", "median", "q3", "high"]
    rows = [("s", "c", "before", 1.5, 2.0, 3.0, 3.5, 4.5), ("t", "a", "after", 1, 2, 3, 4, 5)]
    draw_score_distributions(ax, pd.DataFrame(rows[1 - shown :], columns=columns), COHORT, "s")
    boxes = [patch.get_window_extent().transformed(ax.transData.inverted()) for patch in ax.patches]
    assert [tuple(box.intervalx) for box in boxes] == [pytest.approx((2.0, 3.5))] * shown
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Area A", "Control C"]
    for box in boxes:
        assert abs(np.mean(box.intervaly) - 1) < 0.5, "the box lies on another site's line"
    lines = {tuple(part[:, 0]) for found in ax.collections for part in found.get_segments()}
    assert lines == ({(1.5, 4.5), (3.0, 3.0)} if shown else set())


def test_months_before_and_after_differ_in_marker_and_gaps_stay_open(ax):
    draw_event_study(
        ax,
        frame("panel", [("event_study", "a", "-2", 0.9, 0.5, 1.6),
                        ("event_study", "a", "-1", NAN, NAN, NAN),
                        ("event_study", "a", "0", 0.5, 0.3, 0.8),
                        ("event_study", "a", "1", 0.6, 0.4, 0.9)]),
    )  # fmt: skip
    assert list_marks(ax, "o", "s") == {"s": [[-2, 0.9]], "o": [[0, 0.5], [1, 0.6]]}
    assert list_intervals(ax) == [(0.5, 1.6), (0.3, 0.8), (0.4, 0.9)]
    assert ax.get_yscale() == "log"


def test_the_headline_differs_in_colour_and_marker_from_all_others(ax):
    rows = frame(
        "specification",
        [("rirr", "a", "change", 0.6, 0.4, 0.9), ("rirr", "a", "6+6", 0.7, 0.3, 1.6),
         ("panel_nb2", "a", "change", 1.2, 0.9, 1.5)],
    )  # fmt: skip
    draw_specifications(ax, rows, rows.index[1], (0.3, 1.6))
    looks = {
        (x, y): (line.get_marker(), to_hex(line.get_markerfacecolor()))
        for line in ax.lines
        if line.get_marker() in ("o", "D")
        for x, y in line.get_xydata()
    }
    assert looks == {
        (0, 0.6): ("o", GREY),
        (1, 0.7): ("D", INTERVENTION),
        (2, 1.2): ("o", "#ffffff"),
    }
    assert sorted(list_intervals(ax)) == [(0.3, 1.6), (0.4, 0.9), (0.9, 1.5)]
    assert [text.get_text() for text in ax.texts] == ["this report"]
    low, high = ax.get_ylim()
    assert low < 0.3 < 1.6 < high


def test_an_interval_that_knows_next_to_nothing_ends_in_an_arrowhead(ax):
    rows = frame("specification", [("rirr", "a", "change", 0.6, 0.4, 0.9),
                                   ("rirr", "a", "6+6", 0.8, 0.01, 90.0)])  # fmt: skip
    limits = choose_range(rows)
    assert limits == pytest.approx((0.3, 1.6))
    draw_specifications(ax, rows, None, limits)
    heads = list_marks(ax, "v", "^")
    assert heads["v"] == [pytest.approx([1, 0.3])]
    assert heads["^"] == [pytest.approx([1, 1.6])]
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
    assert list_marks(ax, "o", "D") == {"o": [[1, 0], [1, 3]], "D": [[0, 1], [0, 2]]}
    assert np.allclose(ax.lines[-1].get_ydata(), 1.5)


def luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize(("one", "other"), [(INTERVENTION, CONTROL), (BEFORE, AFTER)])
def test_colours_that_mean_opposite_things_stay_apart_in_grey(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 2.5


def square(x: float, y: float, size: float = 0.01) -> np.ndarray:
    return np.array([[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]])


OUTLINES = SiteOutlines(
    (
        (square(-1.60, 54.90),),
        (square(-1.58, 54.90),),
        (square(-1.60, 54.91),),
        (square(-1.57, 54.90),),
        (square(-1.59, 54.90),),
        (square(0.5, 52.0),),
    ),
    ("a", "c", "d", "spare", "", ""),
)


def test_roles_differ_in_hue_and_in_hatch_and_other_areas_are_grey(ax):
    draw_map(ax, OUTLINES, COHORT)
    looks = {patch.get_gid(): (patch.get_edgecolor(), patch.get_hatch()) for patch in ax.patches}
    assert set(looks) == {"site-a", "site-c", "site-d"}
    assert len({colour for colour, _ in looks.values()}) == 3
    assert len({hatch for _, hatch in looks.values()}) == 3
    assert len({hatch for _, _, hatch in ROLES.values()}) == len(ROLES)
    (others,) = [item for item in ax.collections if isinstance(item, PatchCollection)]
    assert len(others.get_paths()) == 2, "the one far away is left out"
    texts = {text.get_text() for text in ax.texts}
    assert {"Area A\nintervention", "Control C\ncontrol", "d\ndisplacement", "N"} <= texts


def test_shapes_are_true_and_the_bar_is_as_long_as_it_says(ax):
    draw_map(ax, OUTLINES, COHORT)
    assert ax.get_aspect() == pytest.approx(1 / math.cos(math.radians(54.91)), rel=1e-3)
    west, east = ax.get_xlim()
    assert west < -1.60 < -1.57 < east
    (bar,) = ax.lines
    length = np.ptp(bar.get_xdata()) * KILOMETRES * math.cos(math.radians(np.mean(ax.get_ylim())))
    (words,) = [text.get_text() for text in ax.texts if text.get_text().endswith(" km")]
    assert float(words.removesuffix(" km")) == pytest.approx(length)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_hole_stays_open_whichever_way_it_is_drawn(ax, turn):
    hole = square(-1.598, 54.902, 0.004)[::turn]
    draw_map(ax, SiteOutlines(((square(-1.6, 54.9), hole),), ("a",)), COHORT)
    (patch,) = [item for item in ax.patches if isinstance(item, PathPatch)]
    turns = [
        np.sign(np.sum(ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]))
        for ring in (part - part[0] for part in patch.get_path().to_polygons(closed_only=False))
    ]
    assert sorted(turns) == [-1, 1]


def test_labels_of_sites_that_lie_together_do_not_cover_each_other(ax):
    close = SiteOutlines(
        ((square(-1.6, 54.9, 0.001),), (square(-1.6, 54.901, 0.001),), (square(-1.5, 54.95),)),
        ("a", "c", "d"),
    )
    draw_map(ax, close, COHORT)
    low, high = sorted(t.xyann[1] for t in ax.texts if t.get_text().startswith(("Area", "Control")))
    south, north = ax.get_ylim()
    assert high - low > 0.08 * (north - south)


def test_middles_are_weighted_by_surface():
    two = SiteOutlines(((square(-1.6, 54.9, 0.02),), (square(-1.57, 54.9, 0.01),)), ("a", "a"))
    assert two.find_middles()["a"] == pytest.approx(
        ((-1.59 * 4 - 1.565) / 5, (54.91 * 4 + 54.905) / 5)
    )


def test_words_give_distance_and_direction_and_what_is_not_on_the_map():
    words = describe_map(COHORT, SiteOutlines(OUTLINES.rings[:2], OUTLINES.sites[:2]))
    assert "Area A: its control site Control C lies 1.3 km to the east." in words
    assert "not on the map: d." in words
