"""Where the sites lie, in plain sentences."""

from __future__ import annotations

import math

from sbwork.areas import SiteOutlines
from sbwork.cohort import Cohort
from sbwork.formats import format_list, format_number

__all__ = ["describe_map"]

_KILOMETRES = 111.195
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


def describe_map(cohort: Cohort, outlines: SiteOutlines) -> str:
    """Say how far, and which way, each other site of a pair lies from its intervention site.

    Parameters
    ----------
    cohort : Cohort
        For the pairs and their titles.
    outlines : SiteOutlines
        Where the sites lie.

    Returns
    -------
    str
        A sentence a pair; a site without an outline is said to be missing from the map.
    """
    middles = outlines.find_middles()
    told = []
    for pair in cohort.pairs:
        start = middles.get(pair.intervention)
        others = (
            ("its control site", pair.control),
            ("its displacement area", pair.displacement),
            ("the control of that", pair.displacement_control),
        )
        parts = [
            f"{words} {cohort.title_site(site)} {_tell_way(start, middles[site])}"
            for words, site in others
            if start and site and site in middles
        ]
        title = cohort.title_site(pair.intervention)
        if parts:
            told.append(f"{title}: {format_list(parts)}.")
        missing = [site for site in pair.sites if site not in middles]
        if missing:
            names = format_list([cohort.title_site(site) for site in missing])
            told.append(f"Without an outline, so not on the map: {names}.")
    return "Map of the sites. " + " ".join(told)


def _tell_way(start: tuple[float, float], end: tuple[float, float]) -> str:
    shrink = math.cos(math.radians((start[1] + end[1]) / 2))
    east = (end[0] - start[0]) * shrink * _KILOMETRES
    north = (end[1] - start[1]) * _KILOMETRES
    wind = _WINDS[round(math.degrees(math.atan2(east, north)) / 45) % 8]
    return f"lies {format_number(math.hypot(east, north), 1)} km to the {wind}"
