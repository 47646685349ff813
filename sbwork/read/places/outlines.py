"""Where the sites of a cohort lie: their outlines, their middles, and which of them touch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbwork.read.places.geography import place_sites, read_area_boundaries, read_site_polygons
from sbwork.read.places.shapes import form_shape, measure_border
from sbwork.specs.cohort import Cohort

__all__ = ["Contact", "SiteOutlines", "find_contacts", "outline_sites"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SiteOutlines:
    """The outlines of the areas around the sites, and which of them belong to which site.

    Attributes
    ----------
    rings : tuple of tuple of numpy.ndarray
        For each area its rings, each of shape (n_points, 2): longitude and latitude, closed.
    sites : tuple of str
        For each area the key of its site; empty for an area of none.
    """

    rings: tuple[tuple[Matrix, ...], ...]
    sites: tuple[str, ...]

    def find_middles(self) -> dict[str, tuple[float, float]]:
        """Find the middle of each site: longitude and latitude, weighted by surface."""
        middles = {}
        for site in dict.fromkeys(key for key in self.sites if key):
            parts = [
                _measure_ring(ring)
                for rings, key in zip(self.rings, self.sites, strict=True)
                if key == site
                for ring in rings
            ]
            sizes = np.array([size for size, _ in parts])
            points = np.array([middle for _, middle in parts])
            middle = np.average(points, axis=0, weights=sizes if sizes.sum() else None)
            middles[site] = (float(middle[0]), float(middle[1]))
        return middles


@dataclass(frozen=True, slots=True)
class Contact:
    """A control site that touches a place which spill-over may come from.

    Attributes
    ----------
    control, other : str
        Keys of the two sites.
    role : {"intervention", "displacement"}
        What the other is.
    border : float
        Metres of border that they share, as `sbwork.read.places.shapes.measure_border` has it.
    """

    control: str
    other: str
    role: str
    border: float


def outline_sites(cohort: Cohort) -> SiteOutlines | None:
    """Outline the sites and the areas around them.

    Parameters
    ----------
    cohort : Cohort
        Its ``geography.boundaries`` hold the outlines of LSOAs, its sites their own polygons.

    Returns
    -------
    SiteOutlines or None
        None where no site has an outline.

    Raises
    ------
    InputError
        A file of boundaries can't be read.
    """
    boundaries = read_area_boundaries(cohort)
    polygons = read_site_polygons(cohort)
    if not boundaries.codes and not polygons:
        return None
    owner = {code: site for site, codes in place_sites(cohort).items() for code in codes}
    rings = list(boundaries.rings)
    sites = [owner.get(code, "") for code in boundaries.codes]
    for site, polygon in polygons.items():
        rings += polygon.rings
        sites += [site] * len(polygon.rings)
    return SiteOutlines(tuple(rings), tuple(sites)) if any(sites) else None


def find_contacts(outlines: SiteOutlines, cohort: Cohort) -> tuple[Contact, ...]:
    """Find the control sites that touch an intervention or a displacement area of any pair.

    Of any pair, and not of their own alone: what spills over does not ask which pair a control
    stands in, and models that take all controls together use them all.

    Parameters
    ----------
    outlines : SiteOutlines
        A site without an outline is left out: whether it touches another can't be said.
    cohort : Cohort
        For the pairs, whose controls and controls of displacement areas are looked at.

    Returns
    -------
    tuple of Contact
        In the order of the pairs.

    Examples
    --------
    >>> square = np.array([[0, 50], [0.01, 50], [0.01, 50.01], [0, 50.01], [0, 50.0]])
    >>> outlines = SiteOutlines(((square,), (square + [0.01, 0],)), ("a", "c"))
    >>> cohort = Cohort.model_validate({"name": "pilot", "sites": {"a": {}, "c": {}},
    ...     "pairs": [{"intervention": "a", "control": "c"}]})
    >>> [(found.control, found.other, round(found.border, -2))
    ...     for found in find_contacts(outlines, cohort)]
    [('c', 'a', 1100.0)]
    """
    controls = dict.fromkeys(
        site for pair in cohort.pairs for site in (pair.control, pair.displacement_control) if site
    )
    others: dict[str, str] = {}
    for role in ("intervention", "displacement"):
        for pair in cohort.pairs:
            if site := getattr(pair, role):
                others.setdefault(site, role)
    areas: dict[str, list[tuple[Matrix, ...]]] = {}
    for rings, site in zip(outlines.rings, outlines.sites, strict=True):
        areas.setdefault(site, []).append(rings)
    shapes = {site: form_shape(areas[site]) for site in {**controls, **others} if site in areas}
    found = [
        Contact(control, other, role, measure_border(shapes[control], shapes[other]))
        for control in controls
        for other, role in others.items()
        if control != other and control in shapes and other in shapes
    ]
    return tuple(contact for contact in found if not math.isnan(contact.border))


def _measure_ring(ring: Matrix) -> tuple[float, Matrix]:
    """Measure a closed ring: its surface (square degrees, never below 0) and its middle."""
    x, y = (ring - ring[0]).T
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    twice = float(cross.sum())
    if abs(twice) < 1e-15:
        return 0.0, ring[:-1].mean(axis=0)
    shift = np.array([((x[:-1] + x[1:]) * cross).sum(), ((y[:-1] + y[1:]) * cross).sum()])
    return abs(twice) / 2, ring[0] + shift / (3 * twice)
