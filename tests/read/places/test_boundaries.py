"""Boundaries read, searched for points, asked for neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.places.boundaries import (
    Boundaries,
    find_neighbours,
    locate_points,
    read_boundaries,
)
from sbwork.read.places.coordinates import NATIONAL_GRID, SYSTEMS, convert_points
from sbwork.specs.errors import InputError

# Points inside four LSOAs (2011) as ONS publishes them with the boundaries, both ways: BNG_E,
# BNG_N, LONG, LAT.
ONS_POINTS = np.array(
    [
        [429793, 514320, -1.54122, 54.52331],
        [429535, 551175, -1.5415, 54.85451],
        [423541, 612262, -1.62982, 55.40373],
        [420627, 564662, -1.67929, 54.97615],
    ]
)
GRID_TOLERANCE = 6e-5


def square(west: float, south: float, size: float) -> np.ndarray:
    east, north = west + size, south + size
    return np.array([[west, south], [east, south], [east, north], [west, north], [west, south]])


def test_hole_is_outside_and_island_inside() -> None:
    ring, hole, island = square(0, 50, 1), square(0.2, 50.2, 0.6), square(0.4, 50.4, 0.2)
    area = Boundaries(("A",), ("a",), ((ring, hole, island),))
    found = locate_points(area.shapes, np.array([0.1, 0.3, 0.5, 2, np.nan]), np.full(5, 50.5))
    assert found.tolist() == [0, -1, 0, -1, -1]


@given(
    st.lists(
        st.tuples(st.floats(-1, 3, allow_nan=False), st.floats(49.5, 52.5, allow_nan=False)),
        min_size=1,
        max_size=40,
    )
)
def test_squares_agree_with_comparison(points: list[tuple[float, float]]) -> None:
    two = Boundaries(("A", "B"), ("a", "b"), ((square(0, 50, 1),), (square(1, 50, 1),)))
    x, y = np.array(points).T
    on_edge = np.isin(x, [0, 1, 2]) | np.isin(y, [50, 51])
    found = locate_points(two.shapes, x, y)
    inside = (y > 50) & (y < 51)
    expected = np.where((x > 0) & (x < 1) & inside, 0, np.where((x > 1) & (x < 2) & inside, 1, -1))
    assert (found == expected)[~on_edge].all()


def test_neighbours_share_a_point() -> None:
    rings = ((square(0, 50, 1),), (square(1, 50, 1),), (square(2, 50, 1),), (square(9, 50, 1),))
    four = Boundaries(("A", "B", "C", "D"), ("",) * 4, rings)
    assert find_neighbours(four) == {"A": {"B"}, "B": {"A", "C"}, "C": {"B"}, "D": frozenset()}


def test_grid_against_points_that_ons_publishes_both_ways() -> None:
    longitude, latitude = convert_points(ONS_POINTS[:, 0], ONS_POINTS[:, 1], SYSTEMS[NATIONAL_GRID])
    np.testing.assert_allclose(longitude, ONS_POINTS[:, 2], rtol=0, atol=GRID_TOLERANCE)
    np.testing.assert_allclose(latitude, ONS_POINTS[:, 3], rtol=0, atol=GRID_TOLERANCE)


def write(path: Path, coordinates: object) -> list[tuple[Path, str]]:
    path.write_text(json.dumps({"type": "Polygon", "coordinates": coordinates}))
    return [(path, path.name)]


RING = [[-1.6, 54.7], [-1.5, 54.7], [-1.5, 54.8], [-1.6, 54.7]]


def write_grid(scale: int) -> list[list[float]]:
    ring = [[425860, 533900], [432300, 533950], [432230, 545070], [425860, 533900]]
    return [[scale * x, scale * y] for x, y in ring]


@pytest.mark.parametrize(
    "ring",
    [
        [point[::-1] for point in RING],
        write_grid(1),
        write_grid(10),
        [[-178111, 7303000], [-166979, 7303000], [-166979, 7322000], [-178111, 7303000]],
    ],
    ids=["swapped", "metres", "decimetres", "Web Mercator"],
)
def test_outlines_in_other_coordinates_are_converted_and_noted(
    tmp_path: Path, ring: list[list[float]]
) -> None:
    area = read_boundaries(write(tmp_path / "a.geojson", [ring]))
    np.testing.assert_allclose(area.rings[0][0], RING, rtol=0, atol=0.02)
    assert "a.geojson: taken for " in area.notes[0].note


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ([[2.3, 48.8], [2.4, 48.8], [2.4, 48.9], [2.3, 48.8]], "2.3 to 2.4, .* 48.8 to 48.9"),
        ([*RING, [54.7, -1.6]], "mixed: most are longitude and latitude, but 1 of 6 are latitude"),
        ([*RING * 60, [0, 0]], "a point at 0, 0, not in Britain"),
    ],
)
def test_outlines_elsewhere_are_refused(
    tmp_path: Path, ring: list[list[float]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_boundaries(write(tmp_path / "a.geojson", [ring]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is not GeoJSON"),
        ('{"type": "Point", "coordinates": [0, 51]}', "its type is 'Point'"),
        ('{"type": "FeatureCollection", "features": []}', "there is no polygon"),
        ('{"type": "Polygon", "coordinates": [[[0, 51]]]}', "fewer than three points"),
    ],
)
def test_what_is_no_polygon_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_boundaries([(path, path.name)])
