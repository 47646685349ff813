"""Coordinates in the systems that British files use, recognised by their range, as degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sbwork.specs.errors import InputError, Problem

__all__ = [
    "ALLOWED",
    "DEGREES",
    "SYSTEMS",
    "System",
    "convert_points",
    "describe_range",
    "recognise_systems",
]

Array = npt.NDArray[np.float64]

LARGEST_STRAY = 0.01
"""Share of a file's points up to which those of another system are typing errors, not a system."""

_NATIONAL_GRID = (
    "+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +ellps=airy "
    "+towgs84=446.448,-125.157,542.06,0.1502,0.247,0.8421,-20.4894"
)
ALLOWED = (
    "Allowed are longitude (-9.5 to 2.5) and latitude (49 to 61.5) in degrees, and eastings and "
    "northings of the British National Grid in metres; Irish Grid and grid references such as "
    "NZ 123 456 must be converted first"
)


@dataclass(frozen=True, slots=True)
class System:
    """A way of writing coordinates: what it is called, and the range of Great Britain in it.

    `crs` is as pyproj takes it, `scale` how many of its units one number is; with `swapped` the
    second of two numbers comes first.
    """

    title: str
    crs: str
    x: tuple[float, float]
    y: tuple[float, float]
    scale: float = 1.0
    swapped: bool = False

    def contains(self, x: Array, y: Array) -> npt.NDArray[np.bool_]:
        """Say of each point, as it is written, whether it is in range."""
        x, y = (y, x) if self.swapped else (x, y)
        inside: npt.NDArray[np.bool_] = (
            (self.x[0] <= x) & (x <= self.x[1]) & (self.y[0] <= y) & (y <= self.y[1])
        )
        return inside


def _list_systems() -> tuple[System, ...]:
    """List the systems; of two that fit, the one named first is meant."""
    degrees = ("EPSG:4326", (-9.5, 2.5), (49.0, 61.5))
    metres = (_NATIONAL_GRID, (1e3, 7e5), (1e3, 1.3e6))
    decimetres = (_NATIONAL_GRID, (5e5, 7e6), (1e4, 1.3e7), 0.1)
    mercator = ("EPSG:3857", (-1.06e6, 2.8e5), (6.27e6, 8.7e6))
    return (
        System("longitude and latitude", *degrees),
        System("metres of the British National Grid", *metres),
        System("latitude and longitude, the two swapped", *degrees, swapped=True),
        System("metres of the British National Grid, northing first", *metres, swapped=True),
        System("decimetres of the British National Grid", *decimetres),
        System("metres of Web Mercator (EPSG:3857)", *mercator),
        System("decimetres of the British National Grid, northing first", *decimetres, True),
        System("metres of Web Mercator (EPSG:3857), northing first", *mercator, swapped=True),
    )


SYSTEMS = _list_systems()
DEGREES, NATIONAL_GRID, _, SWAPPED_GRID = range(4)


def recognise_systems(
    x: Array,
    y: Array,
    weight: Array,
    file: npt.NDArray[np.intp],
    shown: Sequence[str],
    others: Array | None = None,
) -> npt.NDArray[np.intp]:
    """Find the system of each file's points, by the range that most of them are in.

    Parameters
    ----------
    x, y, weight : ndarray of shape (n_points,)
        The points as they are written, and how many rows each has.
    file : ndarray of shape (n_points,)
        Which file each point is in.
    shown : sequence of str
        What a message calls each file.
    others : ndarray of shape (n_files,), optional
        Rows with longitudes and latitudes that are not among the points.

    Returns
    -------
    ndarray of shape (n_files,)
        Positions in `SYSTEMS`.

    Raises
    ------
    InputError
        Most points of a file are in no known range, or a file mixes systems.
    """
    size = len(shown)
    fits = np.array([system.contains(x, y) for system in SYSTEMS])
    sums = np.array([np.bincount(file, weight * fit, size) for fit in fits])
    total = np.bincount(file, weight, size).astype(np.float64)
    if others is not None:
        sums[DEGREES] += others
        total += others
    chosen: npt.NDArray[np.intp] = np.argmax(sums, axis=0)
    left = np.where(fits[chosen[file], np.arange(x.size)], False, fits)
    mixed = np.array([np.bincount(file, weight * fit, size) for fit in left])
    problems = []
    for number in np.flatnonzero(total > 0).tolist():
        inside = file == number
        place = "columns of coordinates"
        if mixed[:, number].max() > LARGEST_STRAY * total[number]:
            other = SYSTEMS[mixed[:, number].argmax()]
            found = (
                f"coordinates are mixed: most are {SYSTEMS[chosen[number]].title}, but "
                f"{mixed[:, number].max():,.0f} of {total[number]:,.0f} are {other.title}"
            )
            problems.append(Problem(shown[number], place, found, "Give all in one system"))
        elif 2 * sums[chosen[number], number] <= total[number]:
            found = f"{describe_range(x[inside], y[inside])}: most are no place in Great Britain"
            problems.append(Problem(shown[number], place, found, ALLOWED))
    if problems:
        raise InputError(problems)
    return chosen


def convert_points(x: Array, y: Array, system: System) -> tuple[Array, Array]:
    """Turn points of a system into longitude and latitude (degrees); NaN where out of range.

    The National Grid is converted by the seven parameters that Ordnance Survey gives (A guide to
    coordinate systems in Great Britain, v3.6, 6.6), right to about five metres, less than
    data.police.uk moves its points. They are spelled out, as EPSG:27700 would use a finer table
    where one happens to be installed.
    """
    import pyproj

    inside = system.contains(x, y)
    x, y = (np.where(inside, values * system.scale, np.nan) for values in (x, y))
    x, y = (y, x) if system.swapped else (x, y)
    if system.crs == SYSTEMS[DEGREES].crs:
        return x, y
    transformer = pyproj.Transformer.from_crs(system.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = transformer.transform(x, y)
    return np.where(inside, longitude, np.nan), np.where(inside, latitude, np.nan)


def describe_range(x: Array, y: Array) -> str:
    """Describe from where to where the two numbers of some points run."""
    (west, east), (south, north) = ((values.min(), values.max()) for values in (x, y))
    return (
        f"longitude or easting runs from {west:,.7g} to {east:,.7g}, latitude or northing from "
        f"{south:,.7g} to {north:,.7g}"
    )
