"""Incident files counted by site, outcome and month."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.cohort import Cohort, IncidentSource
from sbwork.errors import InputError, Problem
from sbwork.incidents.cache import find_entry, load_entry, save_entry
from sbwork.incidents.counting import (
    count_areas,
    count_sites,
    list_coverage,
    list_feeds,
    read_outcomes,
)
from sbwork.incidents.quality import tabulate_quality
from sbwork.places.placing import Places, place_rows, read_places
from sbwork.readers.archives import find_parts
from sbwork.readers.incident_tables import choose_format, read_tables
from sbwork.readers.police_uk import PointNeed, read_street_files
from sbwork.readers.tally import Reading, create_tally, open_store

__all__ = ["Incidents", "read_incidents"]

_CACHE = ".sbwork-cache"
_ROWS_FOR_ONE_CORE = 200_000


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
        ``outcome``, ``month``, ``count``.
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

    Files are streamed through DuckDB and counted by place, crime type and month as they pass,
    so memory depends on the number of places, not of rows. Nothing is dropped as a duplicate.

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
        A file can't be used, a month stands twice, LSOAs of 2011 and 2021 are mixed without a
        table to join them, or sites overlap or are unknown; the message says which and where.

    Examples
    --------
    >>> read_incidents(Cohort(name="pilot")).months
    ()
    """
    places = read_places(cohort)
    if cache is None and cohort.folder != Path():
        cache = cohort.folder / _CACHE
    store = open_store()
    try:
        readings = [
            _read_source(store, cohort, source, places, cache, number)
            for number, source in enumerate(cohort.incidents)
        ]
        _gather(store, readings)
        _refuse_repeated_months(cohort, readings)
        if store.execute("SELECT count(*) FROM tally").fetchone()[0] < _ROWS_FOR_ONE_CORE:
            store.execute("SET threads = 1")
        place_rows(store, cohort, places)
        outcomes = read_outcomes(store, cohort, readings)
        coverage = list_coverage(cohort, readings)
        return Incidents(
            sites=count_sites(store, cohort, places, outcomes, coverage),
            areas=count_areas(store, cohort, places, outcomes, coverage),
            months=coverage.months,
            missing_months=coverage.missing,
            quality=tabulate_quality(store, cohort, places, outcomes, coverage, readings),
        )
    finally:
        store.close()


def _read_source(
    store: Any,
    cohort: Cohort,
    source: IncidentSource,
    places: Places,
    cache: Path | None,
    number: int,
) -> Reading:
    """Leave the tally of one source in a table of its own, from the cache where it is there."""
    path = cohort.resolve_path(source.path)
    parts = find_parts(path, source.path)
    style = choose_format(source, parts)
    points = _need_points(places)
    settings = (style, sorted(source.columns.items()), points)
    create_tally(store, "tally")
    entry = find_entry(cache, source.path, parts, settings) if cache is not None else None
    reading = load_entry(store, entry) if entry is not None else None
    if reading is None:
        if style == "police-uk":
            reading = read_street_files(store, parts, source.path, points)
        else:
            reading = read_tables(store, parts, source, style, points)
        if entry is not None:
            save_entry(store, entry, reading)
    store.execute(f"ALTER TABLE tally RENAME TO tally_{number}")
    return reading


def _need_points(places: Places) -> PointNeed:
    boxes = [box for outline in places.polygons.values() for box in outline.find_boxes().tolist()]
    return PointNeed(
        unplaced=bool(places.boundaries.codes),
        boxes=tuple((west, south, east, north) for west, south, east, north in boxes),
    )


def _gather(store: Any, readings: list[Reading]) -> None:
    """Lay the tallies of all sources side by side, with their batches numbered throughout."""
    store.execute(
        "CREATE TABLE batches (source INTEGER, batch INTEGER, feed VARCHAR, feed_number INTEGER, "
        "grid BOOLEAN)"
    )
    feeds = list_feeds(readings)
    rows: list[tuple[int, int, str, int, bool]] = []
    pieces: list[str] = []
    for source, reading in enumerate(readings):
        pieces.append(
            f"SELECT * REPLACE (batch + {len(rows)} AS batch) FROM tally_{source}"  # noqa: S608
        )
        rows += [
            (source, len(rows) + number, batch.feed, feeds.index(batch.feed), batch.grid)
            for number, batch in enumerate(reading.batches)
        ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        store.execute(
            "INSERT INTO batches SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5)",
            columns,
        )
    create_tally(store, "tally")
    if pieces:
        store.execute("DROP TABLE tally")
        store.execute(f"CREATE VIEW tally AS {' UNION ALL '.join(pieces)}")


def _refuse_repeated_months(cohort: Cohort, readings: list[Reading]) -> None:
    seen: dict[tuple[str, str], str] = {}
    problems = []
    for reading in readings:
        for batch in reading.batches:
            for month in batch.months:
                first = seen.setdefault((batch.feed, month), batch.shown)
                if first != batch.shown:
                    found = f"{month} of '{batch.feed}' is in {first} already"
                    allowed = "Every month of a force may be given once; remove one of the files"
                    problems.append(Problem(batch.shown, "", found, allowed))
    if problems:
        raise InputError(problems)
