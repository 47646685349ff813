"""What was read from incident files, what was left out, and why."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.incidents.continuity import Continuity
from sbwork.read.incidents.counting import SHARE_OF_A_MAIN_FEED, Coverage, OutcomeKinds
from sbwork.read.incidents.police_uk import CRIME_TYPES
from sbwork.read.incidents.tallies import Reading
from sbwork.read.places.placing import Places
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import find_nearest, list_names

__all__ = ["tabulate_quality"]

_CERTAIN = 1e-3

Row = tuple[str, Check]
Flags = npt.NDArray[np.bool_]


def tabulate_quality(
    placed: pd.DataFrame,
    cohort: Cohort,
    places: Places,
    outcomes: OutcomeKinds,
    coverage: Coverage,
    readings: list[Reading],
    continuity: Continuity,
    published: Flags,
) -> pd.DataFrame:
    """List what was read and left out, in the columns `sbwork.read.checks.CHECK_COLUMNS`."""
    rows: list[Row] = []
    for number, (source, reading) in enumerate(zip(cohort.incidents, readings, strict=True)):
        rows += _describe_source(placed, number, source.path, reading, bool(cohort.sites))
        rows += [(source.path, line) for line in reading.quality]
        rows += _describe_kinds(cohort, number, source.path, outcomes)
    everything = "all files"
    rows += [
        (cohort.incidents[source].path if source >= 0 else everything, line)
        for source, line in places.notes
    ]
    if cohort.incidents:
        n_months = float(len(coverage.months))
        line = Check(CheckKind.READ, "months covered", n_months, _span_note(coverage))
        rows.append((everything, line))
    if coverage.missing:
        note = f"Missing, not zero: {list_names(coverage.missing, 24)}"
        line = Check(CheckKind.MISSING, "months missing", float(len(coverage.missing)), note)
        rows.append((everything, line))
    rows += _describe_gaps(coverage, everything)
    rows += [(everything, line) for line in continuity.quality]
    rows += _describe_vanishing(placed, cohort, places, coverage, published, everything)
    lacking = [
        cohort.title_outcome(key)
        for number, key in enumerate(outcomes.keys)
        if not outcomes.held[:, number].any()
    ]
    if lacking and cohort.incidents:
        note = f"{list_names(lacking)}: no file mentions any of its crime types"
        check = "outcomes without any record"
        rows.append((everything, Check(CheckKind.MISSING, check, float(len(lacking)), note)))
    if outcomes.unweighted:
        total = sum(outcomes.unweighted.values())
        note = f"Left out of 'harm': {list_names(sorted(outcomes.unweighted), 20)}"
        check = "incidents without a harm weight"
        rows.append((everything, Check(CheckKind.LEFT_OUT, check, total, note)))
    return tabulate_lines(rows)


def _describe_source(
    placed: pd.DataFrame, number: int, shown: str, reading: Reading, has_sites: bool
) -> list[Row]:
    rows_of = placed[placed["source"] == number]
    site, area = rows_of["site"] >= 0, rows_of["area"] >= 0
    lost = ~site & ~area & (rows_of["lsoa"] == "")
    read, inside, outside, pointed, located, nowhere = (
        float(rows_of["n"][chosen].sum())
        for chosen in (
            slice(None),
            site,
            ~site & ~lost,
            rows_of["pointed"],
            lost & rows_of["located"],
            lost & ~rows_of["located"],
        )
    )
    unit = "incidents" if any(batch.counted for batch in reading.batches) else "rows"
    files = len({batch.shown for batch in reading.batches})
    note = "Nothing was dropped as a duplicate" if unit == "rows" else "Counted by others"
    lines = [
        Check(CheckKind.READ, "files read", float(files)),
        Check(CheckKind.ROWS_READ, f"{unit} read", read, note),
    ]
    if has_sites:
        lines.append(Check(CheckKind.READ, f"{unit} in the sites", inside))
        lines.append(Check(CheckKind.READ, f"{unit} outside every site", outside))
    if pointed:
        note = "They carry no LSOA, but coordinates inside the boundaries"
        lines.append(Check(CheckKind.READ, f"{unit} placed by their coordinates", pointed, note))
    if located:
        note = "They carry coordinates and no LSOA, and lie in no boundary that is given"
        check = f"{unit} not placed, though they have coordinates"
        lines.append(Check(CheckKind.DOUBT, check, located, note))
    lines.append(Check(CheckKind.READ, f"{unit} without any place", nowhere))
    return [(shown, line) for line in lines]


def _describe_kinds(cohort: Cohort, number: int, shown: str, outcomes: OutcomeKinds) -> list[Row]:
    known = [*CRIME_TYPES, *(t for o in cohort.outcomes.values() for t in o.crime_types)]
    rows: list[Row] = []
    for (source, kind), count in outcomes.unknown.items():
        if source == number:
            near = find_nearest(kind, known)
            note = f"'{kind}'" if kind else "The crime type is blank"
            note += f"; the nearest known one is '{near}'" if near else ""
            check = "incidents of an unknown crime type"
            line = Check(CheckKind.UNKNOWN_TYPE, check, count, f"{note}. Not counted")
            rows.append((shown, line))
    return rows


def _span_note(coverage: Coverage) -> str:
    if not coverage.months:
        return ""
    first, last = coverage.months[0], coverage.months[-1]
    return first if first == last else f"{first} to {last}"


def _describe_gaps(coverage: Coverage, shown: str) -> list[Row]:
    rows: list[Row] = []
    if len(coverage.feeds) < 2:
        return rows
    for feed, covered in zip(coverage.feeds, coverage.covered, strict=True):
        gap = [
            month
            for month, has in zip(coverage.span, covered.tolist(), strict=True)
            if not has and month not in coverage.missing
        ]
        if gap:
            note = f"'{feed}' holds nothing for {list_names(gap, 12)}; places where "
            note += "it records a tenth or more are missing there"
            check = "months missing in one part"
            rows.append((shown, Check(CheckKind.MISSING, check, float(len(gap)), note)))
    return rows


def _describe_vanishing(
    placed: pd.DataFrame,
    cohort: Cohort,
    places: Places,
    coverage: Coverage,
    published: Flags,
    shown: str,
) -> list[Row]:
    """Name LSOAs of sites that start or stop part way through the series, beyond chance.

    LSOAs that a table joins across a change of boundaries start and stop as they should. A month
    counts for an LSOA where every force with a tenth of its incidents has one that is whole.
    """
    joined = set(places.change.units) if places.change is not None else set()
    inside = placed[(placed["site"] >= 0) & (placed["lsoa"] != "") & (placed["n"] > 0)]
    inside = inside[~inside["lsoa"].isin(joined)]
    keys = list(cohort.sites)
    rows: list[Row] = []
    there = np.asarray(published.any(axis=1))
    for _, part in inside.groupby(["site", "lsoa"], observed=True):
        site, lsoa = int(part["site"].iloc[0]), str(part["lsoa"].iloc[0])
        by_feed = part.groupby("feed")["n"].sum()
        feeds = by_feed[by_feed >= SHARE_OF_A_MAIN_FEED * by_feed.sum()].index.to_numpy(np.intp)
        known = np.flatnonzero(np.all(there[feeds], axis=0))
        met = np.intersect1d(part["month"].to_numpy() - coverage.origin, known)
        if not met.size:
            continue
        seen = int(((known >= met[0]) & (known <= met[-1])).sum())
        unseen = known.size - seen
        count = float(part["n"].sum())
        if unseen and math.exp(-count / seen * unseen) < _CERTAIN:
            months = "month" if unseen == 1 else f"{unseen} months"
            note = (
                f"{cohort.title_site(keys[site])}: {lsoa} has {count:,.0f} incidents from "
                f"{coverage.span[met[0]]} to {coverage.span[met[-1]]} and none in the other "
                f"{months}; its boundary may have moved"
            )
            check = "LSOA of a site that starts or stops"
            rows.append((shown, Check(CheckKind.DOUBT, check, count, note)))
    return rows
