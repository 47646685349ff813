"""Boundaries of areas: read from GeoJSON, searched for points, asked for neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sbwork.specs.errors import InputError, Problem, list_names, quote

__all__ = [
    "Boundaries",
    "convert_grid",
    "find_neighbours",
    "locate_points",
    "read_boundaries",
]

Array = npt.NDArray[np.float64]

_LONGITUDES = (-9.5, 2.5)
_LATITUDES = (49.0, 61.5)
_LARGEST_FILE = 1_000_000_000
_CELLS_AT_A_TIME = 4_000_000
_SAME_POINT = 1e6


@dataclass(frozen=True)
class Boundaries:
    """Areas with their outlines, in degrees (WGS 84).

    Attributes
    ----------
    codes : tuple of str
        The code of each area; empty text where the file gives none.
    names : tuple of str
        The name of each area.
    rings : tuple of tuple of numpy.ndarray
        For each area its rings, each of shape (n_points, 2), longitude first, closed. A point
        is inside where it is inside an odd number of rings, so holes and islands both work.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    rings: tuple[tuple[Array, ...], ...]

    def find_boxes(self) -> Array:
        """Return west, south, east and north of each area, shape (n_areas, 4)."""
        boxes = np.empty((len(self.rings), 4))
        for number, rings in enumerate(self.rings):
            points = np.concatenate(rings)
            boxes[number] = *points.min(axis=0), *points.max(axis=0)
        return boxes


def read_boundaries(files: Iterable[tuple[Path, str]]) -> Boundaries:
    """Read areas from GeoJSON files.

    Parameters
    ----------
    files : iterable of (Path, str)
        Each file, and what a message calls it. Coordinates are longitude and latitude; those of
        the national grid (EPSG:27700) are recognised and converted.

    Returns
    -------
    Boundaries
        The areas of all files, in order.

    Raises
    ------
    InputError
        A file is not GeoJSON, holds no polygon, repeats a code, or has its coordinates swapped.
    """
    codes: list[str] = []
    names: list[str] = []
    outlines: list[tuple[Array, ...]] = []
    problems: list[Problem] = []
    for path, shown in files:
        try:
            before = len(codes)
            for properties, geometry in _list_features(_load(path, shown), shown):
                rings = tuple(_list_rings(geometry, shown))
                if rings:
                    code, name = _find_labels(properties)
                    codes.append(code)
                    names.append(name)
                    outlines.append(rings)
            if len(codes) == before:
                found = "there is no polygon in it"
                problems.append(Problem(shown, "", found, "Give areas, not points or lines"))
        except InputError as error:
            problems += error.problems
    repeated = sorted({code for code in codes if code and codes.count(code) > 1})
    if repeated and not problems:
        found = f"areas that are given twice: {list_names(repeated)}"
        problems.append(Problem("boundaries", "", found))
    if problems:
        raise InputError(problems)
    return Boundaries(tuple(codes), tuple(names), tuple(outlines))


def locate_points(
    boundaries: Boundaries, longitude: Array, latitude: Array
) -> npt.NDArray[np.intp]:
    """Find the area that each point lies in, by counting crossings (even-odd rule).

    Parameters
    ----------
    boundaries : Boundaries
        The areas.
    longitude, latitude : numpy.ndarray, shape (n_points,)
        The points, in degrees; NaN lies nowhere.

    Returns
    -------
    numpy.ndarray of int, shape (n_points,)
        The position of the first area that holds the point; -1 where none does.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[0, 50], [1, 50], [1, 51], [0, 51], [0, 50.0]])
    >>> one = Boundaries(("A",), ("a",), ((square,),))
    >>> locate_points(one, np.array([0.5, 2.0]), np.array([50.5, 50.5])).tolist()
    [0, -1]
    """
    owner = np.full(longitude.shape, -1, dtype=np.intp)
    order = np.argsort(longitude, kind="stable")
    sorted_x = longitude[order]
    for number, (west, south, east, north) in enumerate(boundaries.find_boxes()):
        first = np.searchsorted(sorted_x, west, side="left")
        last = np.searchsorted(sorted_x, east, side="right")
        near = order[first:last]
        near = near[(latitude[near] >= south) & (latitude[near] <= north) & (owner[near] < 0)]
        if near.size:
            inside = _is_inside(boundaries.rings[number], longitude[near], latitude[near])
            owner[near[inside]] = number
    return owner


def find_neighbours(
    boundaries: Boundaries, groups: Sequence[str] | None = None
) -> dict[str, frozenset[str]]:
    """Find the areas that touch each other: those that share a point of their outlines.

    Boundaries published together share their points exactly; points are compared to a
    millionth of a degree, about ten centimetres.

    Parameters
    ----------
    boundaries : Boundaries
        The areas.
    groups : sequence of str, optional
        For each area, the larger area that it belongs to; empty leaves it out. The areas' own
        codes by default.

    Returns
    -------
    dict of str to frozenset of str
        For each area (or larger area) those that touch it, itself not among them.

    Examples
    --------
    >>> import numpy as np
    >>> left = np.array([[0, 50], [1, 50], [1, 51], [0, 50.0]])
    >>> right = np.array([[1, 50], [2, 50], [1, 51], [1, 50.0]])
    >>> two = Boundaries(("A", "B"), ("a", "b"), ((left,), (right,)))
    >>> find_neighbours(two)
    {'A': frozenset({'B'}), 'B': frozenset({'A'})}
    """
    labels = list(boundaries.codes if groups is None else groups)
    known = sorted({label for label in labels if label})
    position = {label: number for number, label in enumerate(known)}
    points: list[npt.NDArray[np.int64]] = []
    owners: list[npt.NDArray[np.int64]] = []
    for label, rings in zip(labels, boundaries.rings, strict=True):
        if label:
            outline = np.rint(np.concatenate(rings) * _SAME_POINT).astype(np.int64)
            points.append(outline)
            owners.append(np.full(len(outline), position[label], dtype=np.int64))
    touching: dict[str, set[str]] = {label: set() for label in known}
    if points:
        table = np.unique(np.column_stack([np.concatenate(points), np.concatenate(owners)]), axis=0)
        for step in range(1, 8):
            same = (table[step:, :2] == table[:-step, :2]).all(axis=1)
            if not same.any():
                break
            pairs = np.unique(
                np.column_stack([table[:-step, 2][same], table[step:, 2][same]]), axis=0
            )
            for one, other in pairs.tolist():
                touching[known[one]].add(known[other])
                touching[known[other]].add(known[one])
    return {label: frozenset(others - {label}) for label, others in touching.items()}


def convert_grid(easting: Array, northing: Array) -> tuple[Array, Array]:
    """Turn eastings and northings of the national grid into longitude and latitude.

    The transverse Mercator projection is undone on the Airy ellipsoid, then a Helmert
    transformation leads from OSGB36 to WGS 84; right to about five metres, which is less than
    the distance by which data.police.uk moves its points.

    Parameters
    ----------
    easting, northing : numpy.ndarray, shape (n_points,)
        Metres.

    Returns
    -------
    longitude, latitude : numpy.ndarray, shape (n_points,)
        Degrees, WGS 84.

    References
    ----------
    Ordnance Survey, A guide to coordinate systems in Great Britain, v3.6, annexes B and C.

    Examples
    --------
    >>> import numpy as np
    >>> longitude, latitude = convert_grid(np.array([429793.0]), np.array([514320.0]))
    >>> round(float(longitude[0]), 4), round(float(latitude[0]), 4)
    (-1.5412, 54.5233)
    """
    a, b, scale = 6377563.396, 6356256.909, 0.9996012717
    lat0, lon0, e0, n0 = np.radians(49.0), np.radians(-2.0), 400000.0, -100000.0
    e2 = 1 - (b / a) ** 2
    n = (a - b) / (a + b)
    lat = lat0 + (northing - n0) / (a * scale)
    for _ in range(10):
        low, high = lat - lat0, lat + lat0
        arc = (
            (1 + n + 1.25 * n**2 + 1.25 * n**3) * low
            - (3 * n + 3 * n**2 + 2.625 * n**3) * np.sin(low) * np.cos(high)
            + (1.875 * n**2 + 1.875 * n**3) * np.sin(2 * low) * np.cos(2 * high)
            - 35 / 24 * n**3 * np.sin(3 * low) * np.cos(3 * high)
        )
        lat = lat + (northing - n0 - b * scale * arc) / (a * scale)
    sin2 = np.sin(lat) ** 2
    nu = a * scale / np.sqrt(1 - e2 * sin2)
    rho = a * scale * (1 - e2) / (1 - e2 * sin2) ** 1.5
    eta2 = nu / rho - 1
    tan = np.tan(lat)
    sec = 1 / np.cos(lat)
    d = easting - e0
    latitude = (
        lat
        - tan / (2 * rho * nu) * d**2
        + tan / (24 * rho * nu**3) * (5 + 3 * tan**2 + eta2 - 9 * tan**2 * eta2) * d**4
        - tan / (720 * rho * nu**5) * (61 + 90 * tan**2 + 45 * tan**4) * d**6
    )
    longitude = (
        lon0
        + sec / nu * d
        - sec / (6 * nu**3) * (nu / rho + 2 * tan**2) * d**3
        + sec / (120 * nu**5) * (5 + 28 * tan**2 + 24 * tan**4) * d**5
    )
    return _shift_datum(longitude, latitude, a, e2)


def _shift_datum(longitude: Array, latitude: Array, a: float, e2: float) -> tuple[Array, Array]:
    nu = a / np.sqrt(1 - e2 * np.sin(latitude) ** 2)
    x = nu * np.cos(latitude) * np.cos(longitude)
    y = nu * np.cos(latitude) * np.sin(longitude)
    z = nu * (1 - e2) * np.sin(latitude)
    scale = 1 - 20.4894e-6
    rx, ry, rz = np.radians(np.array([0.1502, 0.2470, 0.8421]) / 3600)
    x, y, z = (
        446.448 + scale * x - rz * y + ry * z,
        -125.157 + rz * x + scale * y - rx * z,
        542.060 - ry * x + rx * y + scale * z,
    )
    a2, b2 = 6378137.0, 6356752.3141
    f2 = 1 - (b2 / a2) ** 2
    p = np.hypot(x, y)
    lat = np.arctan2(z, p * (1 - f2))
    for _ in range(5):
        nu = a2 / np.sqrt(1 - f2 * np.sin(lat) ** 2)
        lat = np.arctan2(z + f2 * nu * np.sin(lat), p)
    return np.degrees(np.arctan2(y, x)), np.degrees(lat)


def _is_inside(rings: tuple[Array, ...], x: Array, y: Array) -> npt.NDArray[np.bool_]:
    starts = np.concatenate([ring[:-1] for ring in rings])
    ends = np.concatenate([ring[1:] for ring in rings])
    rising = starts[:, 1] != ends[:, 1]
    x1, y1 = starts[rising].T
    x2, y2 = ends[rising].T
    slope = (x2 - x1) / (y2 - y1)
    inside = np.zeros(x.shape, dtype=np.bool_)
    step = max(_CELLS_AT_A_TIME // max(len(x1), 1), 1)
    for first in range(0, len(x), step):
        px = x[first : first + step, None]
        py = y[first : first + step, None]
        crossed = ((y1 > py) != (y2 > py)) & (px < x1 + slope * (py - y1))
        inside[first : first + step] = crossed.sum(axis=1) % 2 == 1
    return inside


def _load(path: Path, shown: str) -> Any:
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(Problem(shown, "", "the file is larger than 1 GB"))
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        line = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        allowed = "Boundaries are GeoJSON files, as geoportal.statistics.gov.uk gives them"
        raise InputError(Problem(shown, line, "this is not GeoJSON", allowed)) from None


def _list_features(data: Any, shown: str) -> Iterator[tuple[dict[str, Any], Any]]:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "FeatureCollection" and isinstance(data.get("features"), list):
        for feature in data["features"]:
            yield from _list_features(feature, shown)
    elif kind == "Feature":
        properties = data.get("properties")
        yield properties if isinstance(properties, dict) else {}, data.get("geometry")
    elif kind in {"Polygon", "MultiPolygon", "GeometryCollection"}:
        yield {}, data
    else:
        found = f"this is not GeoJSON: its type is '{quote(kind)}'"
        raise InputError(Problem(shown, "", found, "A FeatureCollection of polygons is wanted"))


def _list_rings(geometry: Any, shown: str) -> Iterator[Array]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection":
        for part in geometry.get("geometries", []):
            yield from _list_rings(part, shown)
    if kind not in {"Polygon", "MultiPolygon"}:
        return
    polygons = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
    for polygon in polygons:
        for ring in polygon:
            yield _check_ring(ring, shown)


def _check_ring(ring: Any, shown: str) -> Array:
    try:
        points = np.array([point[:2] for point in ring], dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty((0, 2))
    if points.ndim != 2 or points.shape[0] < 3 or not np.isfinite(points).all():
        raise InputError(
            Problem(shown, "", "an outline has fewer than three points, or no numbers")
        )
    if np.abs(points).max() > 1000:
        points = np.column_stack(convert_grid(points[:, 0], points[:, 1]))
    x, y = points.mean(axis=0)
    if not _is_in_britain(x, y):
        found = f"an outline lies around longitude {x:.2f}, latitude {y:.2f}, not in Great Britain"
        hint = "GeoJSON puts longitude first"
        if _is_in_britain(y, x):
            found = "longitude and latitude are swapped"
        raise InputError(Problem(shown, "", found, hint))
    return points if (points[0] == points[-1]).all() else np.vstack([points, points[:1]])


def _is_in_britain(longitude: float, latitude: float) -> bool:
    return bool(
        _LONGITUDES[0] <= longitude <= _LONGITUDES[1] and _LATITUDES[0] <= latitude <= _LATITUDES[1]
    )


def _find_labels(properties: dict[str, Any]) -> tuple[str, str]:
    code = name = ""
    for key, value in properties.items():
        folded = key.lower().strip().replace("_", "")
        if folded.startswith("lsoa") and folded.endswith(("cd", "code")):
            code = str(value).strip()
        elif folded.startswith("lsoa") and folded.endswith(("nm", "name")):
            name = str(value).strip()
    return code, name
