"""Areas as shapes: how much of them two share, whether they touch, and outlines that cross."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sbwork.specs.errors import InputError, Problem

if TYPE_CHECKING:
    from shapely import Geometry

__all__ = [
    "NARROWEST_OVERLAP",
    "SMALLEST_SHARE",
    "Overlap",
    "form_shape",
    "measure_border",
    "measure_overlap",
    "refuse_overlaps",
]

Array = npt.NDArray[np.float64]
Rings = Sequence[Sequence[Array]]

NARROWEST_OVERLAP = 20.0
"""Metres. An overlap nowhere wider than this may be the noise of drawing.

ONS's generalised boundaries (BGC), the ones most often drawn from, lie up to 20 m from the true
line.
"""

SMALLEST_SHARE = 0.01
"""Share of the smaller area up to which a narrow overlap is taken for the noise of drawing."""

_SQUARE_KILOMETRE = 1e6


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two areas share.

    Attributes
    ----------
    area : float
        Square metres; 0 where they share a border or nothing.
    share : float
        The same as a share of the smaller area; NaN where that has no surface.
    is_noise : bool
        Nowhere wider than `NARROWEST_OVERLAP` and no more than `SMALLEST_SHARE`. Each limit
        alone would let something real pass: a share, a street of a large area; a width, half of
        a small park.
    """

    area: float
    share: float
    is_noise: bool


def form_shape(areas: Iterable[Iterable[Array]]) -> Geometry:
    """Join areas, each given by its rings (longitude and latitude, closed), into one shape.

    A point belongs to an area where it lies inside an odd number of its rings: so holes and
    islands stay what they are, and a ring that crosses itself holds what its crossings leave.
    """
    import shapely

    return shapely.union_all([_subtract_holes(_fill_rings(rings)) for rings in areas])


def measure_overlap(one: Geometry, other: Geometry) -> Overlap:
    """Measure what two shapes (in degrees) share, on the WGS 84 ellipsoid."""
    import shapely

    shared, first, second = _project(shapely.intersection(one, other), one, other)
    area, smaller = float(shared.area), float(min(first.area, second.area))
    share = area / smaller if smaller else math.nan
    is_narrow = shapely.buffer(shared, -NARROWEST_OVERLAP / 2).is_empty
    return Overlap(area, share, bool(is_narrow and not share > SMALLEST_SHARE))


def measure_border(one: Geometry, other: Geometry) -> float:
    """Measure how long the border is that two shapes (in degrees) share.

    Returns
    -------
    float
        Metres of the one's outline that lie no further than `NARROWEST_OVERLAP` from the other,
        less as much at each end, where the two part; the mean of both ways round. 0 where they
        touch at a corner, NaN where they lie further apart than that.
    """
    import shapely

    first, second = _project(one, other)
    if not shapely.dwithin(first, second, NARROWEST_OVERLAP):
        return math.nan
    total = 0.0
    for a, b in ((first, second), (second, first)):
        near = shapely.intersection(shapely.boundary(a), shapely.buffer(b, NARROWEST_OVERLAP))
        for line in shapely.get_parts(shapely.line_merge(near)):
            ends = 0 if line.is_closed else 2 * NARROWEST_OVERLAP
            total += max(line.length - ends, 0.0)
    return total / 2


def refuse_overlaps(sites: Mapping[str, Rings], files: Mapping[str, str]) -> None:
    """Refuse sites whose polygons share more than the noise of drawing, or cross themselves.

    Each site is given by the rings of its areas; `files` holds what a message calls its file.

    Raises
    ------
    InputError
        Two sites share ground, and how much; an outline crosses itself or another of the same
        site in more than `SMALLEST_SHARE` of its surface, so that it can't be said what is
        inside; a site has no surface.
    """
    problems = [
        Problem(files[key], f"polygon of site '{key}'", found, allowed)
        for key, areas in sites.items()
        for found, allowed in _find_crossings(areas)
    ]
    if problems:
        raise InputError(problems)
    shapes = {key: form_shape(areas) for key, areas in sites.items()}
    for (one, first), (other, second) in combinations(shapes.items(), 2):
        found = measure_overlap(first, second)
        if not found.is_noise:
            smaller = min((one, first), (other, second), key=lambda item: item[1].area)[0]
            what = f"they share about {_name_area(found.area)}, {_name_share(found.share)}"
            problems.append(
                Problem(
                    "cohort.yml",
                    "key 'sites'",
                    f"'{one}' ({files[one]}) and '{other}' ({files[other]}) overlap: {what} of "
                    f"'{smaller}', the smaller",
                    "An incident may count for one site only. Borders that two sites share may "
                    f"lie on each other by {NARROWEST_OVERLAP:.0f} m at most, and by no more than "
                    f"{SMALLEST_SHARE:.0%} of the smaller site",
                )
            )
    if problems:
        raise InputError(problems)


def _fill_rings(rings: Iterable[Array]) -> list[Geometry]:
    """Fill each ring by itself; what has no surface is left out."""
    return [shape for ring in rings if len(ring) > 3 and (shape := _fill_ring(ring)).area]


def _fill_ring(ring: Array) -> Geometry:
    """Fill one ring: where it crosses itself, the faces that lie inside it by even and odd."""
    import shapely

    polygon = shapely.Polygon(ring)
    if polygon.is_valid:
        return polygon
    lines = shapely.get_parts(shapely.node(shapely.LineString(ring)))
    faces = shapely.get_parts(shapely.polygonize(lines))
    x, y = shapely.get_coordinates(shapely.point_on_surface(faces)).reshape(-1, 2).T[:, :, None]
    (x1, y1), (x2, y2) = ring[:-1].T, ring[1:].T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = ((y1 > y) != (y2 > y)) & (x < x1 + (x2 - x1) / (y2 - y1) * (y - y1))
    return shapely.union_all(faces[crossed.sum(axis=1) % 2 == 1])


def _subtract_holes(shapes: list[Geometry]) -> Geometry:
    """Keep what lies in an odd number of shapes; taken two by two, so that many stay quick."""
    import shapely

    while len(shapes) > 1:
        last = shapes[-1:] if len(shapes) % 2 else []
        pairs = zip(shapes[::2], shapes[1::2], strict=False)
        shapes = [shapely.symmetric_difference(*pair) for pair in pairs] + last
    return shapes[0] if shapes else shapely.Polygon()


def _find_crossings(areas: Rings) -> list[tuple[str, str]]:
    """Find what makes it doubtful which side of an outline is inside, and what to do about it."""
    import shapely

    hint = "Mend it, with 'Fix geometries' in QGIS for one, so that it goes round its area once"
    found = []
    for rings in areas:
        for ring in rings:
            filled = sum(shape.area for shape in _fill_rings([ring]))
            x, y = (ring - ring[0]).T
            signed = abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2
            # Only a ring that never crosses itself and goes round once has the same of both.
            if abs(signed - filled) > SMALLEST_SHARE * filled:
                found.append((f"an outline crosses itself{_name_crossing(ring)}", hint))
        shapes = _fill_rings(rings)
        tree = shapely.STRtree(shapes)
        near = tree.query(np.array(shapes, dtype=object), predicate="overlaps")
        for first, second in near.T.tolist():
            one, other = shapes[first], shapes[second]
            smaller = min(one.area, other.area)
            shared = shapely.intersection(one, other)
            doubtful = min(shared.area, smaller - shared.area)
            if first < second and doubtful > SMALLEST_SHARE * smaller:
                (x, y) = shapely.point_on_surface(shared).coords[0]
                found.append(
                    (f"two of its outlines cross each other near {_name_point(x, y)}", hint)
                )
    if not found and not form_shape(areas).area:
        found.append(("its outlines enclose nothing", "Give each outline once"))
    return found


def _name_crossing(ring: Array) -> str:
    import shapely

    reason = shapely.is_valid_reason(shapely.Polygon(ring))
    numbers = re.findall(r"-?\d+(?:\.\d+)?", reason.partition("[")[2])
    return f" near {_name_point(float(numbers[0]), float(numbers[1]))}" if len(numbers) > 1 else ""


def _name_point(longitude: float, latitude: float) -> str:
    return f"longitude {longitude:.4f}, latitude {latitude:.4f}"


def _name_area(area: float) -> str:
    if area >= _SQUARE_KILOMETRE / 10:
        return f"{area / _SQUARE_KILOMETRE:.2g} km²"
    return f"{float(f'{area:.2g}'):,.0f} m²"


def _name_share(share: float) -> str:
    return "less than 1%" if share < 0.005 else f"{share:.0%}"


def _project(*shapes: Geometry) -> list[Any]:
    """Project shapes to metres: surfaces stay true, and lengths near the middle latitude do."""
    import pyproj
    import shapely

    west, south, east, north = np.nan_to_num(shapely.total_bounds(list(shapes)))
    flat = pyproj.Proj(
        proj="cea", ellps="WGS84", lon_0=(west + east) / 2, lat_ts=(south + north) / 2
    )
    return [
        shapely.transform(shape, lambda points: np.column_stack(flat(*points.T)))
        for shape in shapes
    ]
