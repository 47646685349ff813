"""Maps are tested by the shapes that they are given, on squares made up here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from sbwork.read.places.outlines import SiteOutlines
from sbwork.render.maps import KILOMETRES, ROLES, describe_map, draw_map
from sbwork.specs.cohort import Cohort

COHORT = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {"title": "Area A"}, "c": {"title": "Control C"}, "d": {}, "spare": {}},
        "pairs": [{"intervention": "a", "control": "c", "displacement": "d"}],
    }
)


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


@pytest.fixture
def ax():
    return Figure().subplots()


def test_roles_differ_in_hue_and_in_hatch(ax):
    draw_map(ax, OUTLINES, COHORT)
    looks = {patch.get_gid(): (patch.get_edgecolor(), patch.get_hatch()) for patch in ax.patches}
    assert set(looks) == {"site-a", "site-c", "site-d"}
    assert len({colour for colour, _ in looks.values()}) == 3
    assert len({hatch for _, hatch in looks.values()}) == 3
    assert len({hatch for _, _, hatch in ROLES.values()}) == len(ROLES)


def test_areas_of_no_pair_are_grey_and_far_ones_are_left_out(ax):
    draw_map(ax, OUTLINES, COHORT)
    (others,) = [item for item in ax.collections if isinstance(item, PatchCollection)]
    assert len(others.get_paths()) == 2


def test_sites_are_labelled_with_title_and_role(ax):
    draw_map(ax, OUTLINES, COHORT)
    texts = {text.get_text() for text in ax.texts}
    assert {"Area A\nintervention", "Control C\ncontrol", "d\ndisplacement", "N"} <= texts


def test_shapes_are_true_and_the_bar_is_as_long_as_it_says(ax):
    draw_map(ax, OUTLINES, COHORT)
    assert ax.get_aspect() == pytest.approx(1 / math.cos(math.radians(54.91)), rel=1e-3)
    west, east = ax.get_xlim()
    assert west < -1.60
    assert east > -1.57
    (bar,) = ax.lines
    length = np.ptp(bar.get_xdata()) * KILOMETRES * math.cos(math.radians(np.mean(ax.get_ylim())))
    (told,) = [text.get_text() for text in ax.texts if text.get_text().endswith(" km")]
    assert float(told.removesuffix(" km")) == pytest.approx(length)


def test_a_hole_stays_open_whichever_way_it_is_drawn(ax):
    for hole in (square(-1.598, 54.902, 0.004), square(-1.598, 54.902, 0.004)[::-1]):
        outlines = SiteOutlines(((square(-1.6, 54.9), hole),), ("a",))
        fresh = Figure().subplots()
        draw_map(fresh, outlines, COHORT)
        (patch,) = [item for item in fresh.patches if isinstance(item, PathPatch)]
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
    heights = [t.xyann[1] for t in ax.texts if t.get_text() in ("Area A\nintervention",
                                                                "Control C\ncontrol")]  # fmt: skip
    south, north = ax.get_ylim()
    assert abs(heights[0] - heights[1]) > 0.08 * (north - south)


def test_middles_are_weighted_by_surface():
    two = SiteOutlines(((square(-1.6, 54.9, 0.02),), (square(-1.57, 54.9, 0.01),)), ("a", "a"))
    (x, y) = two.find_middles()["a"]
    assert x == pytest.approx((-1.59 * 4 - 1.565) / 5)
    assert y == pytest.approx((54.91 * 4 + 54.905) / 5)


def test_words_tell_distance_and_direction_and_what_is_not_on_the_map():
    outlines = SiteOutlines(OUTLINES.rings[:2], OUTLINES.sites[:2])
    told = describe_map(COHORT, outlines)
    assert "Area A: its control site Control C lies 1.3 km to the east." in told
    assert "not on the map: d." in told
