"""Overlaps of areas, against slabs summed by hand and the ellipsoid integrated numerically."""

from __future__ import annotations

import json
import math
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad

from sbwork.read.places.coordinates import NATIONAL_GRID, SYSTEMS, convert_points
from sbwork.read.places.geography import read_site_polygons
from sbwork.read.places.placing import read_places
from sbwork.read.places.shapes import form_shape, measure_border, measure_overlap
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

METRES_NORTH = 111_309.0
"""A degree of latitude around 54.9 degrees north."""
METRES_EAST = METRES_NORTH * math.cos(math.radians(54.9)) * 1.0045
ORIGIN = np.array([-1.6, 54.9])
# Both are exact as binary numbers, so that what lies on one line stays on it.
CORNER, STEP = np.array([-1.5, 54.875]), 2.0**-10


def box(west: float, south: float, east: float, north: float) -> np.ndarray:
    """Make a rectangle; in metres from the origin."""
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return ORIGIN + np.array(corners) / [METRES_EAST, METRES_NORTH]


def measure_degree(latitude: float) -> float:
    """Measure a square degree in square metres: the radii of curvature of WGS 84, multiplied."""
    a, e2 = 6378137.0, 0.00669437999014
    w = 1 - e2 * math.sin(math.radians(latitude)) ** 2
    radii = a * (1 - e2) / w**1.5 * a / math.sqrt(w)
    return radii * math.cos(math.radians(latitude)) * math.radians(1) ** 2


def find_inside(rings: list[np.ndarray], y: float) -> list[tuple[float, float]]:
    """Find the stretches of a horizontal line inside an odd number of rings."""
    crossings = sorted(
        x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        for ring in rings
        for (x1, y1), (x2, y2) in pairwise(ring)
        if (y1 > y) != (y2 > y)
    )
    return list(zip(crossings[::2], crossings[1::2], strict=True))


def sum_slabs(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Sum what two areas share: cut at every height where edges end or cross.

    Between two such heights the shared length is a straight function of height, so its middle
    times the height is exact.
    """
    edges = [
        (ring[k], ring[k + 1]) for ring in (*one, *other) for k in range(len(ring) - 1)
    ]  # fmt: skip
    heights = {float(point[1]) for edge in edges for point in edge}
    for (p, q), (r, s) in combinations(edges, 2):
        (dx, dy), (ex, ey) = q - p, s - r
        det = dx * ey - dy * ex
        if det:
            t = ((r[0] - p[0]) * ey - (r[1] - p[1]) * ex) / det
            if 0 <= t <= 1:
                heights.add(float(p[1] + t * dy))
    total = 0.0
    levels = sorted(heights)
    for low, high in pairwise(levels):
        middle = (low + high) / 2
        total += (high - low) * sum(
            max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
            for a in find_inside(one, middle)
            for b in find_inside(other, middle)
        )
    return total


corners = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=7, unique=True
)
areas = st.lists(corners, min_size=1, max_size=3)


@example([[(0, 0), (0, 1), (1, 0)]], [[(0, 0), (1, 1), (2, 2)]])
@given(areas, areas)
def test_the_shared_surface_is_that_of_the_slabs(one: list, other: list) -> None:
    """Rings at random: holes, islands, rings that cross themselves and each other, shared edges."""
    grids = [[np.array([*ring, ring[0]], dtype=float) for ring in rings] for rings in (one, other)]
    first, second = (form_shape([[CORNER + STEP * ring for ring in rings]]) for rings in grids)
    found = measure_overlap(first, second)
    shared = sum_slabs(*grids) * STEP**2
    degree = measure_degree(CORNER[1] + 6 * STEP)
    assert found.area == pytest.approx(shared * degree, rel=2e-3, abs=1)
    smaller = min(sum_slabs(grid, grid) for grid in grids) * STEP**2
    if smaller:
        assert found.share == pytest.approx(shared / smaller, rel=2e-3, abs=1e-6)
    else:
        assert math.isnan(found.share)
    turned = measure_overlap(second, first)
    assert turned.area == pytest.approx(found.area, rel=1e-5, abs=0.1)
    assert turned.is_noise == found.is_noise


def test_a_surface_is_that_of_the_ellipsoid() -> None:
    square = np.array([[-2, 50], [-1, 50], [-1, 51], [-2, 51], [-2, 50.0]])
    shape = form_shape([[square]])
    expected, _ = quad(measure_degree, 50, 51)
    assert measure_overlap(shape, shape).area == pytest.approx(expected, rel=1e-9)


def test_a_kilometre_of_the_national_grid_is_a_square_kilometre() -> None:
    """The grid's scale at this easting, .99961, is in Ordnance Survey's guide, section 5.1."""
    east, north = np.array([[430e3, 540e3], [431e3, 540e3], [431e3, 541e3], [430e3, 541e3],
                            [430e3, 540e3]]).T  # fmt: skip
    shape = form_shape([[np.column_stack(convert_points(east, north, SYSTEMS[NATIONAL_GRID]))]])
    assert measure_overlap(shape, shape).area == pytest.approx(1e6 / 0.99961**2, rel=1e-4)


@pytest.mark.parametrize(
    ("other", "is_noise"),
    [
        (box(1000, 0, 2000, 1000), True),
        (box(995, 0, 1995, 1000), True),
        (box(985, 0, 1985, 1000), False),
        (box(975, 400, 1975, 500), False),
        (box(991, -100, 1991, 1100), True),
        (box(100, 100, 130, 130), False),
        (box(3000, 0, 4000, 1000), True),
    ],
    ids=["border", "5 m", "15 m", "25 m wide", "9 m", "all of a small one", "apart"],
)
def test_noise_is_narrow_and_a_small_share(other: np.ndarray, is_noise: bool) -> None:
    square = form_shape([[box(0, 0, 1000, 1000)]])
    assert measure_overlap(square, form_shape([[other]])).is_noise is is_noise


@given(st.integers(0, 2**32 - 1))
def test_a_border_drawn_twice_with_noise_is_no_overlap(seed: int) -> None:
    """A kilometre of border, each side's points up to 8 m off, none where the other's are."""
    noise = np.random.default_rng(seed)

    def draw(outer: float) -> np.ndarray:
        y = np.sort([0, *noise.uniform(0, 1000, 28), 1000])
        border = np.column_stack([noise.uniform(-8, 8, 30), y])
        points = np.vstack([[[outer, 0]], border, [[outer, 1000]], [[outer, 0]]])
        return ORIGIN + points / [METRES_EAST, METRES_NORTH]

    west, east = form_shape([[draw(-1000)]]), form_shape([[draw(1000)]])
    assert measure_overlap(west, east).is_noise
    # The border goes to and fro by up to 16 m between points some 30 m apart.
    assert 900 < measure_border(west, east) < 1500


def test_a_border_is_as_long_as_it_was_drawn() -> None:
    square = form_shape([[box(0, 0, 1000, 1000)]])
    beside = form_shape([[box(1000, 400, 1500, 900)]])
    assert measure_border(square, beside) == pytest.approx(500, abs=2)
    corner = form_shape([[box(1000, 1000, 1500, 1500)]])
    assert measure_border(square, corner) == pytest.approx(0, abs=2)
    enclave = form_shape([[box(0, 0, 1000, 1000), box(300, 300, 700, 700)]])
    inner = form_shape([[box(300, 300, 700, 700)]])
    assert measure_border(enclave, inner) == pytest.approx(1600, abs=2)
    assert math.isnan(measure_border(square, form_shape([[box(1030, 0, 1500, 900)]])))
    assert math.isnan(measure_border(square, form_shape([])))


def write_site(path: Path, *polygons: list[np.ndarray]) -> str:
    """Write a site as a multipolygon: for each part its outline and its holes."""
    coordinates = [[ring.tolist() for ring in part] for part in polygons]
    path.write_text(json.dumps({"type": "MultiPolygon", "coordinates": coordinates}))
    return path.name


def make_cohort(folder: Path, **sites: list[list[np.ndarray]]) -> Cohort:
    named = {key: {"polygon": write_site(folder / f"{key}.geojson", *parts)}
             for key, parts in sites.items()}  # fmt: skip
    cohort = Cohort.model_validate({"name": "pilot", "sites": named})
    cohort._folder = folder
    return cohort


def test_sites_that_share_ground_are_refused_before_any_incident_is_read(tmp_path: Path) -> None:
    cohort = make_cohort(
        tmp_path,
        north=[[box(0, 0, 1000, 1000)]],
        park=[[box(900, 0, 1300, 500)]],
        far=[[box(5000, 0, 6000, 500)]],
    )
    with pytest.raises(InputError) as caught:
        read_places(cohort)
    (problem,) = caught.value.problems
    assert problem.found == (
        "'north' (north.geojson) and 'park' (park.geojson) overlap: they share about 50,000 m², "
        "25% of 'park', the smaller"
    )
    assert "may lie on each other by 20 m at most, and by no more than 1%" in problem.allowed


def test_a_site_in_the_hole_of_another_or_between_its_parts_is_no_overlap(tmp_path: Path) -> None:
    ring = [box(0, 0, 1000, 1000), box(300, 300, 700, 700)]
    parts = [ring, [box(1500, 0, 2000, 1000)]]
    cohort = make_cohort(
        tmp_path,
        around=parts,
        inner=[[box(300, 300, 700, 700)]],
        between=[[box(1000, 0, 1500, 1000)]],
    )
    assert set(read_site_polygons(cohort)) == {"around", "inner", "between"}
    wider = make_cohort(tmp_path, around=parts, inner=[[box(250, 300, 700, 700)]])
    with pytest.raises(InputError, match="they share about 20,000 m², 11% of 'inner'"):
        read_site_polygons(wider)


def test_large_areas_are_told_in_square_kilometres(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path, a=[[box(0, 0, 40_000, 1000)]], b=[[box(0, 500, 60_000, 3000)]])
    with pytest.raises(InputError, match="they share about 20 km², 50% of 'a', the smaller"):
        read_site_polygons(cohort)


BOW = box(0, 0, 1000, 1000)[[0, 1, 3, 2, 0]]
LOOP = [[0, 0], [1000, 0], [980, 1030], [1010, 1010], [0, 1000], [0, 0]]
"""A square whose last side overshoots its corner."""


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([[BOW]], r"an outline crosses itself near longitude -1\.5922, latitude 54\.9045"),
        ([[np.vstack([box(0, 0, 9, 9)] * 2)]], "an outline crosses itself"),
        ([[box(0, 0, 900, 900)], [box(500, 500, 1500, 1500)]], "two of its outlines cross each"),
        ([[box(0, 0, 900, 900)], [box(0, 0, 900, 900)]], "its outlines enclose nothing"),
    ],
    ids=["bow", "twice round", "parts that overlap", "the same part twice"],
)
def test_outlines_that_leave_it_open_what_is_inside_are_refused(
    tmp_path: Path, parts: list, message: str
) -> None:
    with pytest.raises(InputError, match=f"a.geojson, polygon of site 'a': {message}"):
        read_site_polygons(make_cohort(tmp_path, a=parts))


def test_a_small_loop_and_a_touching_part_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """A slip of the pen is left to even and odd; a hole drawn in one go is no crossing."""
    outline = [[0, 0], [-1000, 0], [-1000, -1000], [0, -1000], [0, 0]]
    hole = [[-200, -400], [-400, -200], [0, 0]]
    looped, pierced = (
        ORIGIN + np.array(points) / [METRES_EAST, METRES_NORTH]
        for points in (LOOP, [*outline, *hole])
    )
    assert not shapely.Polygon(looped).is_valid
    assert not shapely.Polygon(pierced).is_valid
    cohort = make_cohort(tmp_path, looped=[[looped]], pierced=[[pierced]])
    assert set(read_site_polygons(cohort)) == {"looped", "pierced"}
