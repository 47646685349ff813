"""Boundaries of areas: read from GeoJSON, searched for points, asked for neighbours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sbwork.read.checks import Check, CheckKind
from sbwork.read.places.coordinates import (
    ALLOWED,
    DEGREES,
    SYSTEMS,
    System,
    convert_points,
    recognise_systems,
)
from sbwork.read.places.shapes import Array, form_shape
from sbwork.specs.errors import InputError, Problem, list_names
from sbwork.specs.files import measure_file

__all__ = [
    "Boundaries",
    "find_neighbours",
    "locate_points",
    "read_boundaries",
]

_LARGEST_FILE = 200_000_000
_TOUCHING = 1e-6
_PACKED = ("Polygon", "MultiPolygon")
_OTHER_KINDS = {"Point", "MultiPoint", "LineString", "MultiLineString", "Topology"}


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
    notes : tuple of Check
        Which files were converted from other coordinates.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    rings: tuple[tuple[Array, ...], ...]
    notes: tuple[Check, ...] = ()

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

    Coordinates are longitude and latitude; those of other systems of
    `sbwork.read.places.coordinates` are recognised and converted.

    Raises
    ------
    InputError
        A file is not GeoJSON, holds no polygon, repeats a code, or lies in no known place.
    """
    areas: list[tuple[str, str, tuple[Array, ...]]] = []
    notes: list[Check] = []
    problems: list[Problem] = []
    for path, shown in files:
        found_here: list[tuple[str, str, tuple[Array, ...]]] = []
        try:
            for properties, geometry in _list_features(_load(path, shown), shown):
                rings = tuple(_list_rings(geometry))
                if rings:
                    found_here.append((*_find_labels(properties), rings))
            if not found_here:
                found = "there is no polygon in it"
                problems.append(Problem(shown, "", found, "Give areas, not points or lines"))
                continue
            areas += _convert_areas(found_here, shown, notes)
        except InputError as error:
            problems += error.problems
    codes = [code for code, _, _ in areas]
    repeated = sorted(code for code, count in Counter(codes).items() if code and count > 1)
    if repeated and not problems:
        found = f"areas that are given twice: {list_names(repeated)}"
        problems.append(Problem("boundaries", "", found))
    if problems:
        raise InputError(problems)
    columns = zip(*areas, strict=True) if areas else ((), (), ())
    return replace(Boundaries(*columns), notes=tuple(notes))


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


def _load(path: Path, shown: str) -> Any:
    measure_file(path, shown, _LARGEST_FILE, "take generalised boundaries, or fewer areas")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return json.loads(text, object_hook=lambda found: _pack_rings(found, shown))
    except InputError:
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        line = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        allowed = "Boundaries are GeoJSON files, as geoportal.statistics.gov.uk gives them"
        raise InputError(Problem(shown, line, "this is not GeoJSON", allowed)) from None


def _list_features(data: Any, shown: str) -> Iterator[tuple[dict[str, Any], Any]]:
    kind = str(data.get("type")) if isinstance(data, dict) else ""
    if kind == "FeatureCollection" and isinstance(data.get("features"), list):
        for feature in data["features"]:
            yield from _list_features(feature, shown)
    elif kind == "Feature":
        properties = data.get("properties")
        yield properties if isinstance(properties, dict) else {}, data.get("geometry")
    elif kind in {*_PACKED, "GeometryCollection"}:
        yield {}, data
    else:
        known = f"'{kind}'" if kind in _OTHER_KINDS else "none of GeoJSON's"
        found = f"this is not GeoJSON: its type is {known}"
        raise InputError(Problem(shown, "", found, "A FeatureCollection of polygons is wanted"))


def _list_rings(geometry: Any) -> Iterator[Array]:
    """List the rings of a geometry, and of those in it."""
    if isinstance(geometry, dict):
        yield from geometry.get("rings", ()) if geometry.get("type") in _PACKED else ()
        parts = geometry.get("geometries")
        for part in parts if isinstance(parts, list) else ():
            yield from _list_rings(part)


def _pack_rings(found: dict[str, Any], shown: str) -> dict[str, Any]:
    """Turn the outlines of a geometry into arrays as soon as it is read: lists take ten times more.

    Rings are taken as they stand: shapely's reader refuses a file for one ring left open.
    """
    kind = found.get("type")
    coordinates: Any = found.get("coordinates")
    if kind in _PACKED:
        try:
            polygons = [coordinates] if kind == "Polygon" else coordinates
            rings = [_check_ring(ring, shown) for polygon in polygons for ring in polygon]
        except TypeError:
            rings = [_check_ring((), shown)]
        return {"type": kind, "rings": rings}
    return found


def _check_ring(ring: Any, shown: str) -> Array:
    try:
        points = np.array([point[:2] for point in ring], dtype=np.float64)
    except (TypeError, ValueError, LookupError, OverflowError):
        points = np.empty((0, 2))
    if points.ndim != 2 or points.shape[0] < 3 or not np.isfinite(points).all():
        raise InputError(
            Problem(shown, "", "an outline has fewer than three points, or no numbers")
        )
    return points if (points[0] == points[-1]).all() else np.vstack([points, points[:1]])


def _convert_areas(
    areas: list[tuple[str, str, tuple[Array, ...]]], shown: str, notes: list[Check]
) -> list[tuple[str, str, tuple[Array, ...]]]:
    """Turn the outlines of one file into degrees; one that lies elsewhere is refused."""
    x, y = np.concatenate([ring for *_, rings in areas for ring in rings]).T
    number = int(recognise_systems(x, y, np.ones(x.size), np.zeros(x.size, np.intp), [shown])[0])
    system = SYSTEMS[number]
    lost = np.flatnonzero(~system.contains(x, y))
    if lost.size:
        found = f"an outline has a point at {x[lost[0]]:,.7g}, {y[lost[0]]:,.7g}, not in Britain; "
        found += f"the others are {system.title}"
        raise InputError(Problem(shown, "", found, ALLOWED))
    if number == DEGREES:
        return areas
    note = f"{shown}: taken for {system.title}, and converted"
    notes.append(Check(CheckKind.READ, "outlines converted", len(areas), note))
    return [
        (code, name, tuple(_convert_ring(ring, system) for ring in rings))
        for code, name, rings in areas
    ]


def _convert_ring(ring: Array, system: System) -> Array:
    return np.column_stack(convert_points(ring[:, 0], ring[:, 1], system))


def _find_labels(properties: dict[str, Any]) -> tuple[str, str]:
    code = name = ""
    for key, value in properties.items():
        folded = key.lower().strip().replace("_", "")
        if folded.startswith("lsoa") and folded.endswith(("cd", "code")):
            code = str(value).strip()
        elif folded.startswith("lsoa") and folded.endswith(("nm", "name")):
            name = str(value).strip()
    return code, name
