"""Boundaries of areas: read from GeoJSON, searched for points, asked for neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sbwork.read.places.shapes import Array, form_shape
from sbwork.specs.errors import InputError, Problem, list_names, quote

__all__ = [
    "Boundaries",
    "convert_grid",
    "find_neighbours",
    "is_in_britain",
    "locate_points",
    "read_boundaries",
]

_LONGITUDES = (-9.5, 2.5)
_LATITUDES = (49.0, 61.5)
_LARGEST_FILE = 1_000_000_000
_TOUCHING = 1e-6
_NATIONAL_GRID = (
    "+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +ellps=airy "
    "+towgs84=446.448,-125.157,542.06,0.1502,0.247,0.8421,-20.4894"
)


@dataclass(frozen=True)
class Boundaries:
    """Areas with their outlines, in degrees (WGS 84).

    Attributes
    ----------
    codes, names : tuple of str
        The code and the name of each area; empty text where the file gives none.
    rings : tuple of tuple of numpy.ndarray
        For each area its rings, each of shape (n_points, 2), longitude first, closed. A point
        is inside where it is inside an odd number of rings, so holes and islands both work.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    rings: tuple[tuple[Array, ...], ...]

    @cached_property
    def shapes(self) -> npt.NDArray[np.object_]:
        """The shape of each area."""
        shapes = np.empty(len(self.rings), dtype=object)
        shapes[:] = [form_shape([rings]) for rings in self.rings]
        return shapes

    def find_boxes(self) -> list[tuple[float, float, float, float]]:
        """Return west, south, east and north of each area."""
        outlines = [np.concatenate(rings) for rings in self.rings]
        return [(*points.min(axis=0).tolist(), *points.max(axis=0).tolist()) for points in outlines]


def read_boundaries(files: Iterable[tuple[Path, str]]) -> Boundaries:
    """Read areas from GeoJSON files; each is given with what a message calls it.

    Coordinates are longitude and latitude; those of the national grid (EPSG:27700) are
    recognised and converted.

    Raises
    ------
    InputError
        A file is not GeoJSON, holds no polygon, repeats a code, or has its coordinates swapped.
    """
    areas: list[tuple[str, str, tuple[Array, ...]]] = []
    problems: list[Problem] = []
    for path, shown in files:
        before = len(areas)
        try:
            for properties, geometry in _list_features(_load(path, shown), shown):
                rings = tuple(_check_ring(ring, shown) for ring in _list_rings(geometry))
                if rings:
                    areas.append((*_find_labels(properties), rings))
            if len(areas) == before:
                found = "there is no polygon in it"
                problems.append(Problem(shown, "", found, "Give areas, not points or lines"))
        except InputError as error:
            problems += error.problems
    codes = [code for code, _, _ in areas]
    repeated = sorted({code for code in codes if code and codes.count(code) > 1})
    if repeated and not problems:
        found = f"areas that are given twice: {list_names(repeated)}"
        problems.append(Problem("boundaries", "", found))
    if problems:
        raise InputError(problems)
    return Boundaries(*zip(*areas, strict=True)) if areas else Boundaries((), (), ())


def locate_points(
    shapes: npt.NDArray[np.object_], longitude: Array, latitude: Array
) -> npt.NDArray[np.intp]:
    """Find the first of some shapes that contains each point (degrees); -1 where none does.

    A point on an outline is contained; one that is NaN lies nowhere.
    """
    import shapely

    known = np.flatnonzero(np.isfinite(longitude) & np.isfinite(latitude))
    tree = shapely.STRtree(shapely.points(longitude[known], latitude[known]))
    area, point = tree.query(shapes, predicate="intersects")
    owner = np.full(longitude.shape, len(shapes), dtype=np.intp)
    np.minimum.at(owner, known[point], area)
    return np.where(owner < len(shapes), owner, -1)


def find_neighbours(boundaries: Boundaries) -> dict[str, frozenset[str]]:
    """Find the areas that touch each other, up to a millionth of a degree (ten centimetres)."""
    import shapely

    codes, shapes = boundaries.codes, boundaries.shapes
    touching: dict[str, set[str]] = {code: set() for code in codes}
    pairs = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=_TOUCHING)
    for one, other in pairs.T.tolist():
        touching[codes[one]].add(codes[other])
    return {code: frozenset(others - {code}) for code, others in touching.items()}


def convert_grid(easting: Array, northing: Array) -> tuple[Array, Array]:
    """Turn eastings and northings of the national grid (metres) into longitude and latitude.

    By the seven parameters that Ordnance Survey gives (A guide to coordinate systems in Great
    Britain, v3.6, 6.6), right to about five metres, less than data.police.uk moves its points.
    They are spelled out, as EPSG:27700 would use a finer table where one happens to be installed.
    """
    import pyproj

    transformer = pyproj.Transformer.from_crs(_NATIONAL_GRID, "EPSG:4326", always_xy=True)
    longitude, latitude = transformer.transform(easting, northing)
    return longitude, latitude


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


def _list_rings(geometry: Any) -> Iterator[Any]:
    """List the rings as they stand: shapely's reader refuses a file for one ring left open."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection":
        for part in geometry.get("geometries", []):
            yield from _list_rings(part)
    elif kind == "Polygon":
        yield from geometry["coordinates"]
    elif kind == "MultiPolygon":
        for polygon in geometry["coordinates"]:
            yield from polygon


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
    if not is_in_britain(x, y):
        found = f"an outline lies around longitude {x:.2f}, latitude {y:.2f}, not in Great Britain"
        if is_in_britain(y, x):
            found = "longitude and latitude are swapped"
        raise InputError(Problem(shown, "", found, "GeoJSON puts longitude first"))
    return points if (points[0] == points[-1]).all() else np.vstack([points, points[:1]])


def is_in_britain(longitude: float, latitude: float) -> bool:
    """Say whether a point lies in or about Great Britain (degrees)."""
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
