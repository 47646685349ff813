"""What was read from incident files, what was left out, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.incidents.counting import Coverage, OutcomeKinds, Placed
from sbwork.read.incidents.losses import compare_losses
from sbwork.read.incidents.police_uk import CRIME_TYPES
from sbwork.read.incidents.tallies import Reading
from sbwork.read.places.placing import Places
from sbwork.specs.cohort import Cohort, Join
from sbwork.specs.errors import find_nearest, list_names
from sbwork.specs.periods import number_month

__all__ = ["tabulate_quality"]

_CERTAIN = 1e-3
_ALL = "all files"


def tabulate_quality(placed: Placed, sites: pd.DataFrame, notes: Iterable[Check]) -> pd.DataFrame:
    """List what was read and left out, in the columns `sbwork.read.checks.CHECK_COLUMNS`.

    `sites` are the counts of the sites; `notes` are lines on the months of all files.
    """
    cohort, outcomes, coverage = placed.cohort, placed.outcomes, placed.coverage
    lines: list[tuple[str, Check]] = []
    for number, (source, reading) in enumerate(zip(cohort.incidents, placed.readings, strict=True)):
        own = [
            *_describe_source(placed.rows, number, reading, bool(cohort.sites)),
            *_count_joins(
                placed.rows[placed.rows["source"] == number],
                number,
                cohort,
                placed.places,
                outcomes,
            ),
            *reading.quality,
            *_describe_kinds(cohort, number, outcomes),
        ]
        lines += [(source.path, line) for line in own]
    for number, line in placed.places.notes:
        lines.append((cohort.incidents[number].path if number >= 0 else _ALL, line))
    of_all = [
        *_describe_months(coverage, bool(cohort.incidents)),
        *_join_months(cohort, coverage),
        *compare_losses(placed.rows, cohort, outcomes, coverage),
        *notes,
        *_describe_repeats(placed.rows, cohort),
        *_describe_vanishing(placed, sites),
        *_describe_outcomes(cohort, outcomes),
    ]
    return tabulate_lines([*lines, *((_ALL, line) for line in of_all)])


def _describe_source(
    placed: pd.DataFrame, number: int, reading: Reading, has_sites: bool
) -> Iterator[Check]:
    rows = placed[placed["source"] == number]
    site, area = rows["site"] >= 0, rows["area"] >= 0
    lost = ~site & ~area & (rows["lsoa"] == "")

    def _sum(chosen: pd.Series) -> float:
        return float(rows["n"][chosen].sum())

    unit = "incidents" if any(batch.counted for batch in reading.batches) else "rows"
    note = "Nothing was dropped as a duplicate" if unit == "rows" else "Counted by others"
    if reading.style == "police-uk":
        note = "A row without a Crime ID is never taken for a duplicate"
    files = len({batch.shown for batch in reading.batches})
    yield Check(CheckKind.READ, "files read", float(files))
    yield Check(CheckKind.ROWS_READ, f"{unit} read", float(rows["n"].sum()), note)
    if has_sites:
        yield Check(CheckKind.READ, f"{unit} in the sites", _sum(site))
        yield Check(CheckKind.READ, f"{unit} outside every site", _sum(~site & ~lost))
    if pointed := _sum(rows["pointed"]):
        note = "They carry no LSOA, but coordinates inside the boundaries"
        yield Check(CheckKind.READ, f"{unit} placed by their coordinates", pointed, note)
    if located := _sum(lost & rows["located"]):
        note = "They carry coordinates and no LSOA, and lie in no boundary that is given"
        check = f"{unit} not placed, though they have coordinates"
        yield Check(CheckKind.DOUBT, check, located, note)
    yield Check(CheckKind.READ, f"{unit} without any place", _sum(lost & ~rows["located"]))


def _count_joins(
    rows: pd.DataFrame, number: int, cohort: Cohort, places: Places, outcomes: OutcomeKinds
) -> Iterator[Check]:
    """Count what one source's rows and area codes were joined with, and what of them was lost."""
    counts, total = rows["n"], float(rows["n"].sum())

    def _join(name: Join, matched: float, all_: float = total) -> Check:
        return Check(CheckKind.JOIN, name, matched, lost=all_ - matched)

    placed = ~rows["lost"]
    yield _join("places", float(counts[placed].sum()))
    if any(places.sites.values()) or places.polygons or (rows["site"] >= 0).any():
        yield _join("sites", float(counts[rows["site"] >= 0].sum()), float(counts[placed].sum()))
    if not places.lookup.empty:
        units = places.change.units if places.change else {}
        codes = set(rows.loc[rows["lsoa"] != "", "lsoa"])
        known = {c for c in codes if {c, units.get(c)} & set(places.lookup.index)}
        yield _join("lookup", len(known), len(codes))
    unknown = sum(n for (source, _), n in outcomes.unknown.items() if source == number)
    yield _join("crime_types", total - unknown)
    if cohort.periods:
        wanted = [number_month(month) for month in cohort.compared_months]
        yield _join("periods", float(counts[rows["month"].isin(wanted)].sum()))


def _describe_kinds(cohort: Cohort, number: int, outcomes: OutcomeKinds) -> Iterator[Check]:
    known = [*CRIME_TYPES, *(t for o in cohort.outcomes.values() for t in o.crime_types)]
    for (source, kind), count in outcomes.unknown.items():
        if source == number:
            near = find_nearest(kind, known)
            note = f"'{kind}'" if kind else "The crime type is blank"
            note += f"; the nearest known one is '{near}'" if near else ""
            check = "incidents of an unknown crime type"
            yield Check(CheckKind.UNKNOWN_TYPE, check, count, f"{note}. Not counted")


def _describe_months(coverage: Coverage, has_files: bool) -> Iterator[Check]:
    months, missing = coverage.months, coverage.missing
    if has_files:
        note = " to ".join(dict.fromkeys([*months[:1], *months[-1:]]))
        yield Check(CheckKind.READ, "months covered", float(len(months)), note)
    if missing:
        note = f"Missing, not zero: {list_names(missing, 24)}"
        yield Check(CheckKind.MISSING, "months missing", float(len(missing)), note)
    if len(coverage.feeds) < 2:
        return
    for feed, covered in zip(coverage.feeds, coverage.covered.tolist(), strict=True):
        days = zip(coverage.span, covered, strict=True)
        gap = [month for month, has in days if not has and month not in missing]
        if gap:
            note = f"'{feed}' holds nothing for {list_names(gap, 12)}; places where "
            note += "it records a tenth or more are missing there"
            yield Check(CheckKind.MISSING, "months missing in one part", float(len(gap)), note)


def _join_months(cohort: Cohort, coverage: Coverage) -> Iterator[Check]:
    if cohort.periods and cohort.incidents:
        wanted = set(cohort.compared_months)
        lost = len(wanted - set(coverage.months))
        yield Check(CheckKind.JOIN, "months", len(wanted) - lost, lost=lost)


def _describe_vanishing(placed: Placed, sites: pd.DataFrame) -> Iterator[Check]:
    """Name LSOAs of sites that start or stop part way through the series, beyond chance.

    LSOAs that a table joins across a change of boundaries start and stop as they should. A month
    counts for an LSOA where its site has a count.
    """
    cohort, coverage, change = placed.cohort, placed.coverage, placed.places.change
    rows, joined = placed.rows, set(change.units) if change is not None else set()
    inside = rows[(rows["site"] >= 0) & (rows["lsoa"] != "") & (rows["n"] > 0)]
    inside = inside[~inside["lsoa"].isin(joined)]
    keys = list(cohort.sites)
    whole = sites.dropna(subset="count")
    counted = set(zip(whole["site"], whole["month"], strict=True))
    for _, part in inside.groupby(["site", "lsoa"], observed=True):
        site, lsoa = int(part["site"].iloc[0]), str(part["lsoa"].iloc[0])
        known = np.flatnonzero([(keys[site], month) in counted for month in coverage.span])
        met = np.intersect1d(part["month"].to_numpy() - coverage.origin, known)
        if not met.size:
            continue
        seen = int(((known >= met[0]) & (known <= met[-1])).sum())
        unseen = known.size - seen
        count = float(part["n"].sum())
        if unseen and math.exp(-count / seen * unseen) < _CERTAIN:
            others = "month" if unseen == 1 else f"{unseen} months"
            note = (
                f"{cohort.title_site(keys[site])}: {lsoa} has {count:,.0f} incidents from "
                f"{coverage.span[met[0]]} to {coverage.span[met[-1]]} and none in the other "
                f"{others}; its boundary may have moved"
            )
            yield Check(CheckKind.DOUBT, "LSOA of a site that starts or stops", count, note)


def _describe_repeats(placed: pd.DataFrame, cohort: Cohort) -> Iterator[Check]:
    """Count by site and period the rows whose Crime ID another row has with other content."""
    again, months = placed["again"], placed["month"]
    if not again.any():
        return
    periods = cohort.periods
    windows = {"before": periods.before.months, "after": periods.after.months} if periods else {}
    numbers = {name: [number_month(m) for m in span] for name, span in windows.items()}
    said = []
    for site, key in enumerate(cohort.sites):
        own = again.where(placed["site"] == site, 0.0)
        counts = {name: own[months.isin(span)].sum() for name, span in numbers.items()}
        counts = counts or {"in all": own.sum()}
        shown = [
            f"{n:,.0f} {name}"
            if not 0 < n < cohort.smallest_count
            else f"fewer than {cohort.smallest_count} {name}"
            for name, n in counts.items()
        ]
        said.append(f"{cohort.title_site(key)} {', '.join(shown)}")
    note = "The rows differ, so each is counted"
    note += f": {'; '.join(said)}" if said else ""
    yield Check(CheckKind.DOUBT, "rows that share a Crime ID", float(again.sum()), note)


def _describe_outcomes(cohort: Cohort, outcomes: OutcomeKinds) -> Iterator[Check]:
    lacking = [
        cohort.title_outcome(key)
        for number, key in enumerate(outcomes.keys)
        if not outcomes.held[:, number].any()
    ]
    if lacking and cohort.incidents:
        note = f"{list_names(lacking)}: no file mentions any of its crime types"
        check = "outcomes without any record"
        yield Check(CheckKind.MISSING, check, float(len(lacking)), note)
    if outcomes.unweighted:
        note = f"Left out of 'harm': {list_names(sorted(outcomes.unweighted), 20)}"
        total = sum(outcomes.unweighted.values())
        yield Check(CheckKind.LEFT_OUT, "incidents without a harm weight", total, note)
