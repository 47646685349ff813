"""Where the sites lie, in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sbwork.read.places.outlines import Contact, SiteOutlines
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import format_list, format_number

__all__ = ["describe_contacts", "describe_map", "name_contacts"]

_KILOMETRES = 111.195
_SHORTEST_BORDER = 100
_ROLES = {"intervention": "where the work is", "displacement": "a displacement area"}
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")

_SPILL = (
    "What is done in one place can spill over to the next: crime that moves across the border "
    "makes the area look better than it is beside that control, and benefit that spreads across "
    "it makes it look worse. So the comparison may be biased, either way."
)


def describe_map(cohort: Cohort, outlines: SiteOutlines, contacts: Sequence[Contact] = ()) -> str:
    """Say how far, and which way, each other site of a pair lies from its intervention site.

    Parameters
    ----------
    cohort : Cohort
        For the pairs and their titles.
    outlines : SiteOutlines
        Where the sites lie.
    contacts : sequence of Contact
        Controls that touch, from `sbwork.compare.areas.find_contacts`.

    Returns
    -------
    str
        A sentence a pair, and one a contact; a site without an outline is said to be missing from
        the map.
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
    told += _list_contacts(cohort, contacts)
    return "Map of the sites. " + " ".join(told)


def name_contacts(cohort: Cohort, contacts: Sequence[Contact]) -> str:
    """Name the sites that touch, for a caption; empty where none do."""
    if not contacts:
        return ""
    pairs = [
        f"{cohort.title_site(found.control)} and {cohort.title_site(found.other)}"
        for found in contacts
    ]
    return f"A control touches an area it should lie apart from: {'; '.join(pairs)}. {_SPILL}"


def describe_contacts(
    cohort: Cohort, outlines: SiteOutlines | None, contacts: Sequence[Contact]
) -> str:
    """Say which controls touch an area that spill-over may come from, or that none does.

    Parameters
    ----------
    cohort : Cohort
        For the pairs and their titles.
    outlines : SiteOutlines or None
        Where the sites lie; None where no boundaries are given.
    contacts : sequence of Contact
        From `sbwork.compare.areas.find_contacts`.

    Returns
    -------
    str
        A few sentences; empty for a cohort without control sites. What can't be said for want of
        an outline is named.
    """
    if not any(pair.control or pair.displacement_control for pair in cohort.pairs):
        return ""
    known = set(outlines.sites) if outlines is not None else set()
    missing = list(
        dict.fromkeys(site for pair in cohort.pairs for site in pair.sites if site not in known)
    )
    named = {site for pair in cohort.pairs for site in pair.sites}
    if not named & known:
        return (
            "No boundaries of the sites are given, so it can't be said whether a control site "
            "touches the area it is compared with."
        )
    told = [*_list_contacts(cohort, contacts), _SPILL] if contacts else []
    if not contacts and not missing:
        told = ["No control site touches an area where the work is, or a displacement area."]
    if missing:
        names = format_list([cohort.title_site(site) for site in missing])
        told.append(f"Without an outline, so that nothing can be said of its borders: {names}.")
    return " ".join(told)


def _list_contacts(cohort: Cohort, contacts: Sequence[Contact]) -> list[str]:
    told = []
    for found in contacts:
        how = "touches, at a corner or along a short border,"
        if found.border >= _SHORTEST_BORDER:
            how = f"shares about {format_number(found.border / 1000, 1)} km of border with"
        control, other = cohort.title_site(found.control), cohort.title_site(found.other)
        told.append(f"The control site {control} {how} {other}, {_ROLES[found.role]}.")
    return told


def _tell_way(start: tuple[float, float], end: tuple[float, float]) -> str:
    shrink = math.cos(math.radians((start[1] + end[1]) / 2))
    east = (end[0] - start[0]) * shrink * _KILOMETRES
    north = (end[1] - start[1]) * _KILOMETRES
    wind = _WINDS[round(math.degrees(math.atan2(east, north)) / 45) % 8]
    return f"lies {format_number(math.hypot(east, north), 1)} km to the {wind}"
