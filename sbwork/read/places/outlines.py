"""Where the sites of a cohort lie: their outlines, their middles, and which of them touch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
        import shapely

        found: dict[str, list[Any]] = {}
        for rings, site in zip(self.rings, self.sites, strict=True):
            found.setdefault(site, []).extend(
                shapely.Polygon(ring) for ring in rings if len(ring) > 3
            )
        middles = {
            site: shapely.centroid(shapely.GeometryCollection(parts))
            for site, parts in found.items()
            if site
        }
        return {site: (float(middle.x), float(middle.y)) for site, middle in middles.items()}


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
    """Outline the sites and the areas around them; None where no site has an outline."""
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

    A site without an outline is left out: whether it touches another can't be said.
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
