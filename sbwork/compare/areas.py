"""The areas of an archive: what LSOAs they are made of, who lives there, which touch a site."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sbwork.read.places.boundaries import find_neighbours
from sbwork.read.places.geography import (
    name_msoa,
    place_sites,
    read_area_boundaries,
    read_lookup,
)
from sbwork.specs.cohort import Cohort

__all__ = ["find_adjacent_areas", "group_lsoas", "sum_populations"]


def find_adjacent_areas(cohort: Cohort, site: str) -> frozenset[str] | None:
    """Find the areas with an LSOA that touches one of the site's; None without boundaries."""
    boundaries = read_area_boundaries(cohort)
    if not boundaries.codes:
        return None
    names = dict(zip(boundaries.codes, boundaries.names, strict=True))
    grouped = group_lsoas(cohort, names)
    inside = place_sites(cohort)[site] if site in cohort.sites else frozenset()
    inside = inside or frozenset(code for code, area in grouped.items() if area == site)
    if not inside & set(names):
        return None
    touching = find_neighbours(boundaries)
    near = {other for code in inside & set(names) for other in touching[code]} - inside
    return frozenset(grouped[code] for code in near if grouped[code]) - {site}


def sum_populations(cohort: Cohort) -> dict[str, float]:
    """Sum the residents of each area from the lookup; areas without a full figure are left out."""
    lookup = read_lookup(cohort)
    if lookup["population"].isna().all():
        return {}
    names = {str(code): str(name) for code, name in lookup["name"].items()}
    grouped = group_lsoas(cohort, names)
    people = pd.DataFrame(
        {"area": list(grouped.values()), "people": lookup["population"].to_numpy()}
    )
    sums = people.groupby("area")["people"].agg(lambda part: part.sum(skipna=False))
    return {str(area): float(total) for area, total in sums.dropna().items() if area}


def group_lsoas(cohort: Cohort, names: Mapping[str, str]) -> dict[str, str]:
    """Name the area of each LSOA, as `sbwork.read.incidents` groups them."""
    level = cohort.placebo.group_by
    if level == "lsoa":
        return {code: code for code in names}
    lookup = read_lookup(cohort)
    if level in ("ward", "authority") and not lookup.empty:
        known = lookup[level].to_dict()
        return {code: str(known.get(code, "")) for code in names}
    told = lookup["msoa"].to_dict()
    areas = {code: told.get(code) or name_msoa(name) or code for code, name in names.items()}
    if level == "authority":
        areas = {code: area.rpartition(" ")[0] or area for code, area in areas.items()}
    return areas
