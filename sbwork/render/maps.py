"""Where the sites lie: a map from their outlines alone, and borders that touch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sbwork.grade.publishable import Publishable
from sbwork.read.places.outlines import Contact, SiteOutlines, find_contacts
from sbwork.render.blocks import Picture, compose_picture
from sbwork.render.style import CONTROL, INK, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import (
    format_list,
    format_number,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch


_SHORTEST_BORDER = 100
_ROLES = {"intervention": "where the work is", "displacement": "a displacement area"}
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
_SPILL = (
    "What is done in one place can spill over to the next: crime that moves across the border "
    "makes the area look better than it is beside that control, and benefit that spreads across "
    "it makes it look worse. So the comparison may be biased, either way."
)
Points = NDArray[np.float64]
KILOMETRES = 111.195
"""Length of one degree of latitude."""
ROLES = {
    "intervention": ("intervention", INTERVENTION, "//"),
    "control": ("control", CONTROL, ".."),
    "displacement": ("displacement", "#6d3f9c", "xx"),
    "displacement_control": ("displacement control", "#1f7a6c", "\\\\"),
}
"""For each role what it is called, its hue and its hatch, which tells it apart in grey."""
_KEY = (
    "Where the sites lie, north up. Blue, slanted lines: intervention. Orange, dots: control. "
    "Purple, crosses: displacement. Green, slanted the other way: its own control. Grey: other "
    "areas."
)
_FINEST = 1500
_MARGIN = 0.18
_NICE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def picture_map(cohort: Cohort, outlines: SiteOutlines) -> list[Picture]:
    """Draw the map, where a site that a pair names has an outline."""
    if not _list_sites(cohort).keys() & set(outlines.sites):
        return []
    contacts = find_contacts(outlines, cohort)
    return [
        compose_picture(
            cohort,
            "map",
            [("", lambda ax: draw_map(ax, outlines, cohort))],
            size=(8.4, 6.4),
            alt=describe_map(cohort, outlines, contacts),
            caption=f"{_KEY} {name_contacts(cohort, contacts)}".strip(),
        )
    ]


def _list_sites(cohort: Cohort) -> dict[str, None]:
    return {site: None for pair in cohort.pairs for site in pair.sites}


def explain_borders(evaluation: Publishable) -> list[str]:
    """Say which control sites touch an area that they should lie apart from."""
    outlines, cohort = evaluation.outlines, evaluation.cohort
    contacts = find_contacts(outlines, cohort) if outlines is not None else ()
    words = describe_contacts(cohort, outlines, contacts)
    return [f"Borders of the control sites. {words}"] if words else []


def describe_map(cohort: Cohort, outlines: SiteOutlines, contacts: Sequence[Contact] = ()) -> str:
    """Say how far, and which way, each other site of a pair lies from its intervention site."""
    middles = outlines.find_middles()
    sentences = ["Map of the sites."]
    for pair in cohort.pairs:
        start = middles.get(pair.intervention)
        others = {
            "its control site": pair.control,
            "its displacement area": pair.displacement,
            "the control of that": pair.displacement_control,
        }
        parts = [
            f"{words} {cohort.title_site(site)} {_describe_way(start, middles[site])}"
            for words, site in others.items()
            if start and site and site in middles
        ]
        if parts:
            sentences.append(f"{cohort.title_site(pair.intervention)}: {format_list(parts)}.")
        missing = [cohort.title_site(site) for site in pair.sites if site not in middles]
        if missing:
            sentences.append(f"Without an outline, so not on the map: {format_list(missing)}.")
    return " ".join([*sentences, *_list_contacts(cohort, contacts)])


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
    """Say which controls touch an area that spill-over may come from, or that none does."""
    if not any(pair.control or pair.displacement_control for pair in cohort.pairs):
        return ""
    known = set(outlines.sites) if outlines is not None else set()
    missing = [cohort.title_site(site) for site in _list_sites(cohort) if site not in known]
    if len(missing) == len(_list_sites(cohort)):
        return (
            "No boundaries of the sites are given, so it can't be said whether a control site "
            "touches the area it is compared with."
        )
    sentences = [*_list_contacts(cohort, contacts), _SPILL] if contacts else []
    if not contacts and not missing:
        sentences = ["No control site touches an area where the work is, or a displacement area."]
    if missing:
        names = format_list(missing)
        sentences.append(
            f"Without an outline, so that nothing can be said of its borders: {names}."
        )
    return " ".join(sentences)


def _list_contacts(cohort: Cohort, contacts: Sequence[Contact]) -> list[str]:
    sentences = []
    for found in contacts:
        how = "touches, at a corner or along a short border,"
        if found.border >= _SHORTEST_BORDER:
            how = f"shares about {format_number(found.border / 1000, 1)} km of border with"
        control, other = cohort.title_site(found.control), cohort.title_site(found.other)
        sentences.append(f"The control site {control} {how} {other}, {_ROLES[found.role]}.")
    return sentences


def _describe_way(start: tuple[float, float], end: tuple[float, float]) -> str:
    shrink = math.cos(math.radians((start[1] + end[1]) / 2))
    east = (end[0] - start[0]) * shrink * KILOMETRES
    north = (end[1] - start[1]) * KILOMETRES
    wind = _WINDS[round(math.degrees(math.atan2(east, north)) / 45) % 8]
    return f"lies {format_number(math.hypot(east, north), 1)} km to the {wind}"


def list_roles(cohort: Cohort) -> dict[str, str]:
    """List the role of each site that a pair names; the first pair that names it decides."""
    roles: dict[str, str] = {}
    for pair in cohort.pairs:
        for role in ROLES:
            site = getattr(pair, role)
            if site:
                roles.setdefault(site, role)
    return roles


def draw_map(ax: Axes, outlines: SiteOutlines, cohort: Cohort) -> None:
    """Draw the sites with the areas around them, north up, with a scale bar."""
    from matplotlib.collections import PatchCollection

    roles = list_roles(cohort)
    west, south, east, north = _find_view(
        rings for rings, site in zip(outlines.rings, outlines.sites, strict=True) if site in roles
    )
    step = max(east - west, north - south) / _FINEST
    others, shown = [], []
    for rings, site in zip(outlines.rings, outlines.sites, strict=True):
        points = np.concatenate(rings)
        low, high = points.min(axis=0), points.max(axis=0)
        if high[0] < west or low[0] > east or high[1] < south or low[1] > north:
            continue
        patch = _make_patch(rings, step)
        if patch is None:
            continue
        if site not in roles:
            others.append(patch)
            continue
        _, colour, hatch = ROLES[roles[site]]
        patch.set(facecolor=(*_lighten(colour), 1), edgecolor=colour, hatch=hatch, lw=1.1, zorder=2)
        patch.set_gid(f"site-{site}")
        shown.append(patch)
    grey = PatchCollection(others, facecolor="#eef0f3", edgecolor="#c6ccd4", lw=0.5, zorder=1)
    ax.add_collection(grey)
    for patch in shown:
        ax.add_patch(patch)
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect(1 / math.cos(math.radians((south + north) / 2)))
    ax.set_axis_off()
    _draw_labels(ax, outlines, cohort, roles)
    _draw_scale(ax)
    ax.annotate(
        "N",
        (0.985, 0.985),
        xytext=(0.985, 0.9),
        xycoords="axes fraction",
        ha="center",
        va="top",
        fontweight="bold",
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.4},
    )


def _find_view(shapes: Iterable[Iterable[Points]]) -> tuple[float, float, float, float]:
    """Find west, south, east and north of a map that holds the sites, near enough to square."""
    points = np.concatenate([ring for rings in shapes for ring in rings])
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    shrink = math.cos(math.radians((south + north) / 2))
    width, height = (east - west) * shrink, north - south
    wide, high = max(width, 1.1 * height), max(height, 0.55 * width)
    wide, high = wide * (1 + 2 * _MARGIN), high * (1 + 2 * _MARGIN)
    x, y = (west + east) / 2, (south + north) / 2
    half = wide / shrink / 2
    return x - half, y - high / 2, x + half, y + high / 2


def _make_patch(rings: Sequence[Points], step: float) -> PathPatch | None:
    """Make one patch of an area's rings, holes left open, without detail finer than `step`.

    The points lie on one grid for all areas, so a border that two of them share stays one line.
    """
    import shapely
    from shapely.plotting import patch_from_polygon

    parts = [shapely.Polygon(ring) for ring in rings if len(ring) > 3]
    shape = shapely.set_precision(shapely.symmetric_difference_all(parts), step)
    return None if shape.is_empty else patch_from_polygon(shapely.orient_polygons(shape))


def _draw_labels(ax: Axes, outlines: SiteOutlines, cohort: Cohort, roles: dict[str, str]) -> None:
    """Label each site in its middle, moved up where two labels would lie on each other."""
    south, north = ax.get_ylim()
    west, east = ax.get_xlim()
    middles = sorted(
        ((site, at) for site, at in outlines.find_middles().items() if site in roles),
        key=lambda item: item[1][1],
    )
    placed: list[tuple[float, float]] = []
    for site, (x, y) in middles:
        at = y
        for other_x, other_y in sorted(placed, key=lambda point: point[1]):
            near = abs(other_x - x) < 0.26 * (east - west)
            if near and abs(at - other_y) < 0.085 * (north - south):
                at = other_y + 0.085 * (north - south)
        placed.append((x, at))
        called, colour, _ = ROLES[roles[site]]
        ax.annotate(
            f"{cohort.title_site(site)}\n{called}",
            (x, y),
            xytext=(x, at),
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
            zorder=5,
            linespacing=1.05,
            bbox={"fc": "white", "ec": colour, "lw": 1.2, "alpha": 0.93, "pad": 1.8},
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1} if at != y else None,
        )


def _draw_scale(ax: Axes) -> None:
    """Draw a bar of a round number of kilometres in the lower left corner."""
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    degree = KILOMETRES * math.cos(math.radians((south + north) / 2))
    length = max([nice for nice in _NICE if nice <= (east - west) * degree / 4] or [_NICE[0]])
    x, y = west + 0.02 * (east - west), south + 0.03 * (north - south)
    ax.plot([x, x + length / degree], [y, y], color=INK, lw=3, solid_capstyle="butt", zorder=6)
    ax.annotate(
        f"{format_number(length, 0 if length >= 1 else 1)} km",
        (x, y),
        xytext=(0, 5),
        textcoords="offset points",
        fontsize=9,
        bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8},
        zorder=6,
    )


def _lighten(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = (0.7 + 0.3 * part for part in to_rgb(colour))
    return red, green, blue
