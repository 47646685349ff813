"""Areas as shapes: how much of them two share, whether they touch, and outlines that cross."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sbwork.read.places.boundaries import Boundaries, locate_points
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

NARROWEST_OVERLAP = 20.0
"""Metres. An overlap nowhere wider than this may be the noise of drawing.

ONS's generalised boundaries (BGC), the ones most often drawn from, lie up to 20 m from the true
line.
"""

SMALLEST_SHARE = 0.01
"""Share of the smaller area up to which a narrow overlap is taken for the noise of drawing."""

_RADIUS, _ECCENTRICITY = 6378137.0, 0.0818191908426215
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
    """Join areas, each given by its rings, into one shape.

    A point belongs to an area where it lies inside an odd number of its rings, as
    `sbwork.read.places.boundaries.locate_points` has it: so holes and islands stay what they are,
    and a ring that crosses itself holds what its crossings leave.

    Parameters
    ----------
    areas : iterable of iterable of numpy.ndarray
        The rings of each area, each of shape (n_points, 2): longitude and latitude, closed.

    Returns
    -------
    shapely.Geometry
        In degrees; empty where the rings enclose nothing.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[0, 50], [1, 50], [1, 51], [0, 51], [0, 50.0]])
    >>> form_shape([[square, 0.5 * (square + [0.5, 50.5])]]).area
    0.75
    """
    import shapely

    return shapely.union_all([_subtract_holes(_fill_rings(rings)) for rings in areas])


def measure_overlap(one: Geometry, other: Geometry) -> Overlap:
    """Measure what two shapes share.

    Surfaces are taken on the WGS 84 ellipsoid, through its cylindrical equal-area projection
    (Snyder 1987, equations 3-12, 10-13 to 10-15).

    Parameters
    ----------
    one, other : shapely.Geometry
        In degrees, from `form_shape`.

    Returns
    -------
    Overlap

    References
    ----------
    Snyder, J. P. (1987). Map projections: a working manual. U.S. Geological Survey Professional
    Paper 1395.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[0, 50], [0.1, 50], [0.1, 50.1], [0, 50.1], [0, 50.0]])
    >>> found = measure_overlap(form_shape([[square]]), form_shape([[square + [0.05, 0]]]))
    >>> round(found.area), round(found.share, 3), found.is_noise
    (39832229, 0.5, False)
    """
    import shapely

    shared, first, second = _lay_flat(shapely.intersection(one, other), one, other)
    area, smaller = float(shared.area), float(min(first.area, second.area))
    share = area / smaller if smaller else math.nan
    is_narrow = shapely.buffer(shared, -NARROWEST_OVERLAP / 2).is_empty
    return Overlap(area, share, bool(is_narrow and not share > SMALLEST_SHARE))


def measure_border(one: Geometry, other: Geometry) -> float:
    """Measure how long the border is that two shapes share.

    Parameters
    ----------
    one, other : shapely.Geometry
        In degrees, from `form_shape`.

    Returns
    -------
    float
        Metres of the one's outline that lie no further than `NARROWEST_OVERLAP` from the other,
        less as much at each end, where the two part; the mean of both ways round. 0 where they
        touch at a corner, NaN where they lie further apart than that.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[0, 50], [0.1, 50], [0.1, 50.1], [0, 50.1], [0, 50.0]])
    >>> left, right = form_shape([[square]]), form_shape([[square + [0.1, 0]]])
    >>> round(measure_border(left, right), -2)
    11100.0
    >>> measure_border(left, form_shape([[square + [0.3, 0]]]))
    nan
    """
    import shapely

    first, second = _lay_flat(one, other)
    if not shapely.dwithin(first, second, NARROWEST_OVERLAP):
        return math.nan
    total = 0.0
    for a, b in ((first, second), (second, first)):
        near = shapely.intersection(shapely.boundary(a), shapely.buffer(b, NARROWEST_OVERLAP))
        for line in shapely.get_parts(shapely.line_merge(near)):
            ends = 0 if line.is_closed else 2 * NARROWEST_OVERLAP
            total += max(line.length - ends, 0.0)
    return total / 2


def refuse_overlaps(polygons: Mapping[str, Boundaries], files: Mapping[str, str]) -> None:
    """Refuse sites whose polygons share more than the noise of drawing, or cross themselves.

    Parameters
    ----------
    polygons : mapping of str to Boundaries
        The polygon of each site.
    files : mapping of str to str
        What a message calls the file of each site.

    Raises
    ------
    InputError
        Two sites share ground, and how much; an outline crosses itself or another of the same
        site in more than `SMALLEST_SHARE` of its surface, so that it can't be told what is
        inside; a site has no surface.
    """
    problems = [
        Problem(files[key], f"polygon of site '{key}'", found, allowed)
        for key, polygon in polygons.items()
        for found, allowed in _find_crossings(polygon)
    ]
    if problems:
        raise InputError(problems)
    shapes = {key: form_shape(polygon.rings) for key, polygon in polygons.items()}
    for (one, first), (other, second) in combinations(shapes.items(), 2):
        found = measure_overlap(first, second)
        if not found.is_noise:
            smaller = min((one, first), (other, second), key=lambda item: item[1].area)[0]
            told = f"they share about {_tell_area(found.area)}, {_tell_share(found.share)}"
            problems.append(
                Problem(
                    "cohort.yml",
                    "key 'sites'",
                    f"'{one}' ({files[one]}) and '{other}' ({files[other]}) overlap: {told} of "
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
    x, y = shapely.get_coordinates(shapely.point_on_surface(faces)).reshape(-1, 2).T
    return shapely.union_all(faces[locate_points(Boundaries(("",), ("",), ((ring,),)), x, y) == 0])


def _subtract_holes(shapes: list[Geometry]) -> Geometry:
    """Keep what lies in an odd number of shapes; taken two by two, so that many stay quick."""
    import shapely

    while len(shapes) > 1:
        last = shapes[-1:] if len(shapes) % 2 else []
        pairs = zip(shapes[::2], shapes[1::2], strict=False)
        shapes = [shapely.symmetric_difference(*pair) for pair in pairs] + last
    return shapes[0] if shapes else shapely.Polygon()


def _find_crossings(polygon: Boundaries) -> list[tuple[str, str]]:
    """Find what makes it doubtful which side of an outline is inside, and what to do about it."""
    import shapely

    hint = "Mend it, with 'Fix geometries' in QGIS for one, so that it goes round its area once"
    found = []
    for rings in polygon.rings:
        for ring in rings:
            filled = sum(shape.area for shape in _fill_rings([ring]))
            x, y = (ring - ring[0]).T
            signed = abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2
            # Only a ring that never crosses itself and goes round once has the same of both.
            if abs(signed - filled) > SMALLEST_SHARE * filled:
                told = f"an outline crosses itself{_tell_place(ring)}"
                found.append((told, hint))
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
                told = f"two of its outlines cross each other near {_tell_point(x, y)}"
                found.append((told, hint))
    if not found and not form_shape(polygon.rings).area:
        found.append(("its outlines enclose nothing", "Give each outline once"))
    return found


def _tell_place(ring: Array) -> str:
    """Say where a ring crosses itself, where that can be told."""
    import shapely

    reason = shapely.is_valid_reason(shapely.Polygon(ring))
    numbers = re.findall(r"-?\d+(?:\.\d+)?", reason.partition("[")[2])
    return f" near {_tell_point(float(numbers[0]), float(numbers[1]))}" if len(numbers) > 1 else ""


def _tell_point(longitude: float, latitude: float) -> str:
    return f"longitude {longitude:.4f}, latitude {latitude:.4f}"


def _tell_area(area: float) -> str:
    if area >= _SQUARE_KILOMETRE / 10:
        return f"{area / _SQUARE_KILOMETRE:.2g} km²"
    return f"{float(f'{area:.2g}'):,.0f} m²"


def _tell_share(share: float) -> str:
    return "less than 1%" if share < 0.005 else f"{share:.0%}"


def _lay_flat(*shapes: Geometry) -> list[Any]:
    """Project shapes to metres: surfaces stay true, and lengths near the middle latitude do."""
    import shapely

    west, south, east, north = shapely.total_bounds(list(shapes))
    sine = math.sin(math.radians((south + north) / 2)) if math.isfinite(south + north) else 0.0
    square = _ECCENTRICITY**2
    scale = math.sqrt((1 - sine**2) / (1 - square * sine**2))

    def project(points: Array) -> Array:
        up = np.sin(np.radians(points[:, 1]))
        inner = _ECCENTRICITY * up
        q = (1 - square) * (up / (1 - inner**2) + np.arctanh(inner) / _ECCENTRICITY)
        x = _RADIUS * scale * np.radians(points[:, 0] - (west + east) / 2)
        return np.column_stack([x, _RADIUS * q / (2 * scale)])

    return [shapely.transform(shape, project) for shape in shapes]
