"""Incident files counted by site, outcome and month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.checks import CheckKind
from sbwork.read.incidents.archives import find_parts
from sbwork.read.incidents.cache import find_entry, load_entry, mark_parts, save_entry
from sbwork.read.incidents.continuity import mark_published, track_series
from sbwork.read.incidents.counting import (
    Placed,
    count_areas,
    count_sites,
    list_coverage,
    list_feeds,
    list_parts,
    read_outcomes,
)
from sbwork.read.incidents.incident_tables import (
    choose_format,
    read_saved_street_files,
    read_tables,
)
from sbwork.read.incidents.quality import tabulate_quality
from sbwork.read.incidents.tallies import PointNeed, Reading, fetch_tally, join_tallies, open_store
from sbwork.read.places.geography import name_msoa
from sbwork.read.places.placing import Places, place_rows, read_places
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem

__all__ = ["IncidentDescription", "Incidents", "describe_incidents", "read_incidents"]

_CACHE = ".sbwork-cache"


@dataclass(frozen=True)
class Incidents:
    """Counts by month: those of the sites, and those of every area of the archive.

    Attributes
    ----------
    sites : pandas.DataFrame
        Columns ``site``, ``outcome``, ``month`` (text, YYYY-MM) and ``count`` (float64). Complete:
        every site, outcome and month from the first month to the last; a month that the files do
        not cover is NaN, a covered month in which nothing was recorded is 0.
    areas : pandas.DataFrame
        The same for every area of the archive, grouped as ``cohort.placebo.group_by`` says:
        columns ``area``, ``name``, ``site`` (the site it overlaps, empty where none),
        ``outcome``, ``month``, ``count``, and ``comparable``: it overlaps no site, and a force that
        records in the sites records it as its own, rather than a few crimes that spill over.
    months : tuple of str
        The months that the files cover, sorted.
    missing_months : tuple of str
        Months between the first and the last that no file covers, and months of the cohort's
        periods that no file covers, sorted.
    quality : pandas.DataFrame
        What was read and what was left out: columns ``source`` (the file as the cohort names
        it), ``check`` (plain words), ``count`` (float64) and ``note``.
    """

    sites: pd.DataFrame
    areas: pd.DataFrame
    months: tuple[str, ...]
    missing_months: tuple[str, ...]
    quality: pd.DataFrame


def read_incidents(cohort: Cohort, *, cache: Path | None = None) -> Incidents:
    """Read and count a cohort's incident files.

    Files are counted by place, crime type and month as they stream by, so memory depends on the
    number of places, not of rows. A crime that street files hold more than once, as its Crime ID
    says, is counted once.

    Parameters
    ----------
    cohort : Cohort
        Its ``incidents`` name the files, its ``sites`` and ``geography`` where they belong, its
        ``outcomes`` which crime types count together. With ``harm_weights``, a table of
        ``crime_type`` and ``weight``, an outcome ``"harm"`` is added: the weighted sum.
    cache : Path, optional
        The folder in which tallies are kept; ``.sbwork-cache`` in the cohort's folder by
        default, none where the cohort was not read from a folder. Safe to delete.

    Returns
    -------
    Incidents
        Counts of sites and areas, months covered and missing, and what was left out.

    Raises
    ------
    InputError
        A file can't be used, two files differ on a month of a force, LSOAs of 2011 and 2021 are
        mixed without a table to join them, or sites overlap or are unknown; the message says
        which and where.

    Examples
    --------
    >>> read_incidents(Cohort(name="pilot")).months
    ()
    """
    places = read_places(cohort)
    if cache is None and cohort.folder != Path():
        cache = cohort.folder / _CACHE
    readings = _read_sources(cohort, places, cache)
    rows = _place(readings, cohort, places)
    outcomes = read_outcomes(rows, cohort, readings)
    coverage = list_coverage(cohort, readings)
    placed = Placed(rows, cohort, places, readings, outcomes, coverage)
    continuity = track_series(placed)
    published = mark_published(continuity.gaps, outcomes.keys, coverage)
    parts = list_parts(placed)
    sites, of_sites = count_sites(parts, published)
    areas, of_areas = count_areas(parts, published)
    notes = [*continuity.quality, *of_sites, *of_areas]
    return Incidents(
        sites=sites,
        areas=areas,
        months=coverage.months,
        missing_months=coverage.missing,
        quality=tabulate_quality(placed, sites, notes),
    )


def _read_sources(cohort: Cohort, places: Places, cache: Path | None) -> list[Reading]:
    """Count every source; those with street files together, as one crime may be in several."""
    sources, points = cohort.incidents, _need_points(places)
    names = cohort.list_site_names()
    parts = [find_parts(cohort.resolve_path(source.path), source.path) for source in sources]
    styles = [choose_format(*pair) for pair in zip(sources, parts, strict=True)]
    street = [number for number, style in enumerate(styles) if style == "police-uk"]
    groups = [[number] for number in range(len(sources)) if number not in street]
    readings: dict[int, Reading] = {}
    for group in [*groups, *([street] if street else [])]:
        style, source = styles[group[0]], sources[group[0]]
        entries: list[Path] = []
        marks: list[str] = []
        if cache is not None:
            own = [(sorted(sources[n].columns.items()), sources[n].sheets) for n in group]
            called = [] if style == "police-uk" else names
            marks = [mark_parts(parts[n]) for n in group]
            settings = (style, points, called, own, marks)
            entries = [find_entry(cache, sources[n].path, *settings, n) for n in group]
        kept = [load_entry(entry) for entry in entries]
        found = [reading for reading in kept if reading is not None]
        if len(found) < len(group):
            if style == "police-uk":
                found = read_saved_street_files([(sources[n], parts[n]) for n in group], points)
            else:
                found = [read_tables(parts[group[0]], source, style, points, names)]
            # A file that was changed while it was read is not kept.
            if entries and marks == [mark_parts(parts[n]) for n in group]:
                for entry, reading in zip(entries, found, strict=True):
                    save_entry(entry, reading)
        readings |= zip(group, found, strict=True)
    return [readings[number] for number in range(len(sources))]


def _place(readings: list[Reading], cohort: Cohort, places: Places) -> pd.DataFrame:
    """Put the tallies of all sources together, and say where their rows belong."""
    feeds = list_feeds(readings)
    files = list(dict.fromkeys(batch.shown for reading in readings for batch in reading.batches))
    names: dict[str, str] = {}
    tallies = []
    for source, reading in enumerate(readings or [_read_nothing()]):
        batch = reading.tally["batch"].to_numpy()
        feed = np.array([feeds.index(batch.feed) for batch in reading.batches], np.int32)
        file = np.array([files.index(batch.shown) for batch in reading.batches], np.int32)
        tallies.append(
            reading.tally.assign(source=np.int32(source), feed=feed[batch], file=file[batch])
        )
        names = reading.names | names
    return place_rows(join_tallies(tallies), names, feeds, files, cohort, places)


def _read_nothing() -> Reading:
    with open_store() as store:
        return Reading(tally=fetch_tally(store))


def _need_points(places: Places) -> PointNeed:
    boxes = [box for outline in places.polygons.values() for box in outline.find_boxes()]
    return PointNeed(unplaced=bool(places.boundaries.codes), boxes=tuple(boxes))


@dataclass(frozen=True)
class IncidentDescription:
    """One file, folder or zip of incidents.

    `missing` are months between those covered; `authorities` are the local authorities that
    the names of the LSOAs have, with about how many incidents each holds; `lsoas` have the most
    incidents first, without those that have but a few which spill over (`spilled`); `notes` are
    what a person should look at, such as crime types that are not known; `problems` say why it
    could not be read.
    """

    months: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: float = 0.0
    lsoas: tuple[str, ...] = ()
    spilled: tuple[str, ...] = ()
    authorities: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def describe_incidents(path: Path, called: str = "") -> IncidentDescription:
    """Look into a file, folder or zip of incidents without a cohort to place them in.

    Messages name it as `called`, by default by its name.
    """
    cohort = Cohort.model_validate(
        {"name": "new", "incidents": [{"path": str(path.resolve())}], "placebo": {}}
    )
    try:
        incidents = read_incidents(cohort)
    except InputError as error:
        shown = str(path.resolve())
        problems = (
            Problem(
                p.file.replace(shown, called or path.name), p.place, p.found, p.allowed, p.nearest
            )
            for p in error.problems
        )
        return IncidentDescription(problems=tuple(problems))
    sums = incidents.areas.groupby(["area", "name", "comparable"])["count"].sum()
    areas = sums.sort_values(ascending=False, kind="stable").reset_index()
    codes = areas.loc[[_is_lsoa(str(code)) for code in areas["area"]]]
    names: Counter[str] = Counter()
    for name, count in zip(areas["name"].astype("str"), areas["count"], strict=True):
        # Counts of known crime types only, so that an area without any is not left out.
        names[name_msoa(name).rpartition(" ")[0]] += 1 + int(count)
    del names[""]
    quality = incidents.quality
    unknown = quality.loc[quality["kind"] == CheckKind.UNKNOWN_TYPE, "note"]
    read = quality.loc[quality["kind"] == CheckKind.ROWS_READ, "count"]
    return IncidentDescription(
        months=incidents.months,
        missing=incidents.missing_months,
        rows=float(read.sum()),
        lsoas=tuple(codes.loc[codes["comparable"], "area"]),
        spilled=tuple(codes.loc[~codes["comparable"], "area"]),
        authorities=dict(names.most_common()),
        notes=tuple(unknown),
    )


def _is_lsoa(code: str) -> bool:
    return len(code) == 9 and code[0] in "EWX" and code[1:].isdigit()
