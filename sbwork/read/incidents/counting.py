"""Placed incidents summed by site or area, by outcome and by month."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.police_uk import CRIME_TYPES
from sbwork.read.incidents.silence import find_silent_months
from sbwork.read.incidents.tallies import Reading, list_levels
from sbwork.read.places.placing import NOTABLE_SHARE, Places, find_recorded
from sbwork.read.tables import read_small_table
from sbwork.specs.cohort import HARM, Cohort, list_months
from sbwork.specs.documents import fold_name
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.masks import describe_cell
from sbwork.specs.periods import list_windows, name_month, name_months, number_month

__all__ = [
    "PREFIXES",
    "Coverage",
    "OutcomeKinds",
    "Placed",
    "count_areas",
    "count_sites",
    "cover_places",
    "judge_months",
    "list_coverage",
    "list_feeds",
    "list_parts",
    "list_stretches",
    "read_outcomes",
    "rename_kinds",
]

_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

PREFIXES = {
    CheckKind.NOT_COMPARABLE: "not comparable: ",
    CheckKind.OUTSIDE_PERIODS: "outside the periods, not comparable: ",
}
"""How the check of a line begins whose months are set aside."""

_NOT_BY_CHANCE = "At the level of its other months chance would do that less than once in a million"
_KEPT = "Counted as 0 all the same, as the file or 'keep_months' says"
_OVERLAP = 3

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass
class OutcomeKinds:
    """Which kinds of incident each outcome holds.

    Attributes
    ----------
    keys : list of str
        The outcomes, ``"harm"`` last where weights are given.
    held : numpy.ndarray of bool, shape (n_sources, n_outcomes)
        Which source holds which outcome at all. Archives of data.police.uk hold every crime
        type; another file may just not record what it never mentions.
    weights : dict of tuple of (int, str, int) to float
        Source, kind and the outcome's position -> what an incident counts; 1 but for harm.
    unknown : dict of tuple of (int, str) to float
        Source and kind -> incidents, of kinds that neither data.police.uk nor the cohort knows.
    unweighted : dict of str to float
        Kinds without a harm weight, with their incidents.
    """

    keys: list[str]
    held: Flags = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    weights: dict[tuple[int, str, int], float] = field(default_factory=dict)
    unknown: dict[tuple[int, str], float] = field(default_factory=dict)
    unweighted: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Coverage:
    """Which months are covered, and by whom.

    Attributes
    ----------
    months, span, missing : tuple of str
        Months that some file covers; every month from the first to the last; and months of the
        span, and of the cohort's periods, that no file covers. Sorted.
    feeds : list of str
        Who recorded: forces, or files where no force is named.
    covered : numpy.ndarray of bool, shape (n_feeds, n_span)
        Which feed covers which month.
    sources : list of list of int
        For each feed, the sources that it stands in.
    """

    months: tuple[str, ...]
    span: tuple[str, ...]
    missing: tuple[str, ...]
    feeds: list[str]
    covered: Flags
    sources: list[list[int]]

    @property
    def origin(self) -> int:
        """The number of the first month; see `sbwork.specs.periods.number_month`."""
        return number_month(self.span[0]) if self.span else 0

    def take(self, months: Collection[str]) -> Coverage:
        """Take some months, as if no file held any other."""
        kept = tuple(month for month in self.months if month in months)
        span = list_months(kept[0], kept[-1]) if kept else ()
        start = number_month(span[0]) - self.origin if span else 0
        inside = [month in months for month in span]
        covered = self.covered[:, start : start + len(span)] & inside
        return replace(self, months=kept, span=span, covered=covered)


@dataclass(frozen=True)
class Placed:
    """Incidents in their places, and what their counting needs.

    Attributes
    ----------
    rows : pandas.DataFrame
        See `sbwork.read.places.placing.place_rows`.
    cohort, places, readings, outcomes, coverage
        The evaluation; its sites and areas; a reading for each source; which kinds of incident
        an outcome holds; and the months that each feed covers.
    """

    rows: pd.DataFrame
    cohort: Cohort
    places: Places
    readings: Sequence[Reading]
    outcomes: OutcomeKinds
    coverage: Coverage

    def take(self, months: set[str]) -> Placed:
        """Take some months, as if no file held any other."""
        if months >= set(self.coverage.months):
            return self
        coverage = self.coverage.take(months)
        numbers = [number_month(month) for month in coverage.months]
        rows = self.rows[np.isin(self.rows["month"], numbers)]
        held = _find_held(rows, self.outcomes, self.readings)
        return replace(
            self, rows=rows, coverage=coverage, outcomes=replace(self.outcomes, held=held)
        )


def judge_months(months: Collection[str], compared: Collection[str]) -> CheckKind:
    """Say whether months that are set aside are among those compared: all, where none are."""
    inside = not compared or set(compared) & set(months)
    return CheckKind.NOT_COMPARABLE if inside else CheckKind.OUTSIDE_PERIODS


def list_parts(placed: Placed) -> list[Placed]:
    """Take of placed incidents the months that are judged by each other; all of them last."""
    return [placed.take(months) for months in list_stretches(placed.cohort, placed.coverage)]


def list_stretches(cohort: Cohort, coverage: Coverage) -> list[set[str]]:
    """List the months that are judged by each other: each set holds the one before it.

    The months of the cohort's own periods come first, and those of the other windows next, so
    that no count in a window depends on what files hold of other months.
    """
    nested = [set(coverage.months)]
    if cohort.periods:
        windows = list_windows(cohort.periods)
        nested.insert(0, set(windows[0].months) & nested[-1])
        nested.insert(1, {month for w in windows for month in w.months} & nested[-1])
    return [m for n, m in enumerate(nested) if m and m not in nested[:n]] or [set()]


def list_coverage(cohort: Cohort, readings: Sequence[Reading]) -> Coverage:
    """List the months that the files cover; a month without a file is missing, not zero."""
    feeds = list_feeds(readings)
    months_of: dict[str, set[str]] = {feed: set() for feed in feeds}
    sources_of: dict[str, set[int]] = {feed: set() for feed in feeds}
    for source, reading in enumerate(readings):
        for batch in reading.batches:
            months_of[batch.feed].update(batch.months)
            sources_of[batch.feed].add(source)
    months = tuple(sorted(set().union(*months_of.values())))
    span = list_months(months[0], months[-1]) if months else ()
    wanted = set(cohort.compared_months if months else ())
    missing = tuple(sorted((set(span) | wanted) - set(months)))
    covered = np.array([[month in months_of[feed] for month in span] for feed in feeds], np.bool_)
    covered = covered.reshape(len(feeds), len(span))
    sources = [sorted(sources_of[feed]) for feed in feeds]
    return Coverage(months, span, missing, feeds, covered, sources)


def list_feeds(readings: Iterable[Reading]) -> list[str]:
    """List who recorded: forces, or files where no force is named; sorted."""
    return sorted({batch.feed for reading in readings for batch in reading.batches})


def read_outcomes(
    placed: pd.DataFrame, cohort: Cohort, readings: Sequence[Reading]
) -> OutcomeKinds:
    """Say which outcome each kind of incident counts for, and how much.

    A kind is a crime type, under the name that ``crime_types`` of its source gives it, or the
    key or title of an outcome in a file that is counted already.

    Raises
    ------
    InputError
        An outcome names a crime type that neither data.police.uk nor the files know, the table
        of harm weights can't be used, or two sources hold the same incidents.
    """
    totals = placed.groupby(["source", "kind"], observed=True)["n"].sum().reset_index()
    found: list[tuple[int, str, float]] = sorted(totals.itertuples(index=False, name=None))
    renamed = [rename_kinds(source.crime_types) for source in cohort.incidents]
    kinds = {
        (source, kind): [renamed[source].get(fold_name(name), name) for name in list_levels(kind)]
        for source, kind, _ in found
    }
    _refuse_unknown_types(cohort, {name for names in kinds.values() for name in names})
    wanted: dict[str, list[str]] = {}
    for key, outcome in cohort.outcomes.items():
        for name in {fold_name(name) for name in (key, outcome.title, *outcome.crime_types)}:
            wanted.setdefault(name, []).append(key)
    harm = _read_weights(cohort)
    outcomes = OutcomeKinds([*cohort.outcomes, *([HARM] if harm is not None else [])])
    published = {fold_name(name) for name in CRIME_TYPES}
    for source, kind, count in found:
        folded = [fold_name(name) for name in kinds[source, kind]]
        for key in {key for name in folded for key in wanted.get(name, [])}:
            outcomes.weights[source, kind, outcomes.keys.index(key)] = 1.0
        if not any(name in wanted or name in published for name in folded):
            outcomes.unknown[source, kind] = count
        if harm is not None and (weighted := [name for name in folded if name in harm]):
            outcomes.weights[source, kind, len(outcomes.keys) - 1] = harm[weighted[-1]]
        elif harm is not None:
            name = kinds[source, kind][0]
            outcomes.unweighted[name] = outcomes.unweighted.get(name, 0.0) + count
    outcomes.held = _find_held(placed, outcomes, readings)
    problems: dict[tuple[int, str], Problem] = {}
    for entry, problem in _find_double_counts(placed, cohort, outcomes, readings, kinds):
        problems.setdefault(entry, problem)
    if problems:
        raise InputError(problems.values())
    return outcomes


def _find_held(rows: pd.DataFrame, outcomes: OutcomeKinds, readings: Sequence[Reading]) -> Flags:
    held = np.zeros((len(readings), len(outcomes.keys)), dtype=np.bool_)
    met = rows[["source", "kind"]].drop_duplicates()
    present = set(zip(met["source"], met["kind"], strict=True))
    for source, kind, number in outcomes.weights:
        held[source, number] |= (source, kind) in present
    for source, reading in enumerate(readings):
        held[source] |= reading.style == "police-uk"
    return held


def rename_kinds(crime_types: Mapping[str, str]) -> dict[str, str]:
    """Return the cohort's name of each crime type that a source calls otherwise."""
    return {fold_name(theirs): ours for theirs, ours in crime_types.items()}


def _find_double_counts(
    placed: pd.DataFrame,
    cohort: Cohort,
    counted: OutcomeKinds,
    readings: Sequence[Reading],
    kinds: Mapping[tuple[int, str], Sequence[str]],
) -> Iterator[tuple[tuple[int, str], Problem]]:
    """Find incidents given twice: by two sources, or as a type and as a whole outcome."""
    archives = [reading.style == "police-uk" for reading in readings]
    if all(archives):
        return
    inside = placed[placed["site"] >= 0]
    once = inside[["site", "month", "source", "kind"]].drop_duplicates()
    given: dict[tuple[int, int, int], list[tuple[int, str]]] = {}
    for site, month, source, kind in sorted(once.itertuples(index=False, name=None)):
        for number in range(len(cohort.outcomes)):
            if (source, kind, number) in counted.weights:
                given.setdefault((site, number, month), []).append((source, kind))
    sites, outcomes = list(cohort.sites), list(cohort.outcomes.values())
    for (site, number, month), entries in sorted(given.items()):
        outcome = outcomes[number]
        types = {fold_name(name) for name in outcome.crime_types}
        first: dict[str, int] = {}
        for source, kind in entries:
            folded = [fold_name(name) for name in kinds[source, kind]]
            named = [name for name in folded if name in types]
            name = (named or folded)[-1]
            earlier = first.setdefault(name, source)
            whole = not named and len(entries) > 1
            if not whole and (earlier == source or (archives[earlier] and archives[source])):
                continue
            what = f"{kind} of {cohort.title_site(sites[site])} in {name_month(month)}"
            others = [other for other, _ in entries if other != source]
            why = f"the file holds single crime types of '{outcome.title}' as well"
            if others:
                why = f"{cohort.incidents[others[0]].path} holds it too"
            path = cohort.incidents[source].path
            twice = f"{quote(what)} would be counted twice: {why}"
            yield (source, name), Problem(path, "", twice, "Leave one of the two out")


def count_sites(parts: Sequence[Placed], published: Flags) -> tuple[pd.DataFrame, list[Check]]:
    """Count each site: columns ``site``, ``outcome``, ``month``, ``count``, complete.

    `parts` are `list_parts`; `published` is `mark_published`. Also returns lines for the table of
    data quality.
    """
    placed = parts[-1]
    keys = list(placed.cohort.sites)
    counts, silent, kept, lacking = _count_places(parts, "site", len(keys), published)
    counts[[keys.index(key) for key in placed.places.absent]] = math.nan
    notes = [
        note
        for number in range(len(keys))
        for note in _note_silent(placed, number, silent[number], kept[number], lacking)
    ]
    return _lay_out({"site": keys}, placed.outcomes.keys, placed.coverage.span, counts), notes


def count_areas(parts: Sequence[Placed], published: Flags) -> tuple[pd.DataFrame, list[Check]]:
    """Count each area: ``area``, ``name``, ``site``, ``comparable``, ``outcome``, ... ``count``."""
    placed = parts[-1]
    places, keys = placed.places, list(placed.cohort.sites)
    counts, silent, kept, _ = _count_places(parts, "area", len(places.areas), published)
    owners = [""] * len(places.areas)
    inside = placed.rows[(placed.rows["area"] >= 0) & (placed.rows["site"] >= 0)]
    shares = inside.groupby(["area", "site"])["n"].sum().sort_values(kind="stable")
    for area, site in [*shares.index, *places.owners.items()]:
        owners[area] = keys[site]
    labels = {"area": places.areas, "name": places.names, "site": owners}
    frame = _lay_out(labels, placed.outcomes.keys, placed.coverage.span, counts)
    comparable = _find_comparable(placed) & np.array([not owner for owner in owners], np.bool_)
    frame["comparable"] = comparable.repeat(counts[:1].size)
    free = [
        n
        for n in np.flatnonzero((silent.any(axis=1) & ~kept).any(axis=1)).tolist()
        if not owners[n]
    ]
    if not free:
        return frame, []
    note = f"{list_names([places.names[n] for n in free], 6)}. {_NOT_BY_CHANCE}; missing there"
    check = "areas outside the sites whose rows stop"
    return frame, [Check(CheckKind.MISSING, check, float(len(free)), note)]


def _find_comparable(placed: Placed) -> Flags:
    """Find the areas that a force which records in the sites, or any, records as its own."""
    rows, size, width = placed.rows, len(placed.places.areas), len(placed.coverage.feeds)

    def _find_main(by: str, size: int) -> tuple[Array, Flags]:
        inside = rows[rows[by] >= 0]
        code = inside[by].to_numpy(dtype=np.intp) * width + inside["feed"].to_numpy()
        sums: Array = np.asarray(np.bincount(code, inside["n"], size * width), dtype=np.float64)
        sums = sums.reshape(size, width)
        return sums, (sums > 0) & (sums >= NOTABLE_SHARE * sums.sum(axis=1, keepdims=True))

    sums, main = _find_main("area", size)
    own = _find_main("site", len(placed.cohort.sites))[1].any(axis=0)
    if own.any():
        main &= own
    return main.any(axis=1) & find_recorded(np.where(main, sums, 0.0).sum(axis=1))


def _note_silent(
    placed: Placed, site: int, silent: Flags, kept: Flags, lacking: Mapping[int, set[str]]
) -> Iterator[Check]:
    """Describe the months in which a site has no rows, of an outcome or (the last) of any kind."""
    cohort, span = placed.cohort, np.array(placed.coverage.span, dtype=object)
    title = cohort.title_site(list(cohort.sites)[site])
    names = [f"{cohort.title_outcome(key)} in {title}" for key in placed.outcomes.keys]
    if site in lacking:
        title = f"{title} ({list_names(sorted(lacking[site]), 4)})"
    rows = [silent[-1], *(silent[:-1] & ~silent[-1])]
    for name, flags in zip([title, *names], rows, strict=True):
        for chosen, end in ((flags & ~kept, "Missing, not zero"), (flags & kept, _KEPT)):
            if chosen.any():
                months = span[chosen].tolist()
                kind = (
                    CheckKind.DOUBT
                    if end == _KEPT
                    else judge_months(months, cohort.compared_months)
                )
                note = f"{name} has no rows in {name_months(months)}. {_NOT_BY_CHANCE}. {end}"
                check = f"{PREFIXES.get(kind, '')}rows of a site stop"
                yield Check(kind, check, float(len(months)), note)


def _count_places(
    parts: Sequence[Placed], by: str, size: int, published: Flags
) -> tuple[Array, Flags, Flags, dict[int, set[str]]]:
    """Sum weights by place, outcome and month; NaN where the count is not whole.

    The months of a part are judged by that part alone; a place without a row in it by the next.
    Also returns where places are silent, with all kinds of incident together last among the
    outcomes; the months that stay a zero all the same; and the LSOAs that alone are silent.
    """
    placed = parts[-1]
    span = placed.coverage.span
    counts = np.full((size, len(placed.outcomes.keys), len(span)), math.nan)
    silent = np.zeros((size, len(placed.outcomes.keys) + 1, len(span)), dtype=np.bool_)
    left = np.ones((size, len(span)), dtype=np.bool_)
    lacking: dict[int, set[str]] = {}
    for part in parts:
        start, width = part.coverage.origin - placed.coverage.origin, len(part.coverage.span)
        at = slice(start, start + width)
        there = published[:, :, at] & part.coverage.covered[:, None]
        sums, heads, whole = _sum_by(part, by, size, there)
        known = np.concatenate([whole, whole.any(axis=1, keepdims=True)], axis=1)
        series = (heads.shape[0] * heads.shape[1], width)
        quiet = find_silent_months(heads.reshape(series), known.reshape(series))
        quiet = quiet.reshape(heads.shape)
        here: Flags = left[:, at] & np.isin(part.coverage.span, part.coverage.months)
        if part is not placed:
            here &= heads[:, -1].max(axis=1, initial=0.0)[:, None] > 0
        if by == "site":
            for site, units, months in _find_lacking(part, heads[:, -1], known[:, -1]):
                alone: Flags = months & here[site] & ~quiet[site, -1]
                quiet[site, -1] |= alone
                if alone.any():
                    lacking.setdefault(site, set()).update(units)
        np.copyto(counts[:, :, at], np.where(whole, sums, math.nan), where=here[:, None])
        np.copyto(silent[:, :, at], quiet, where=here[:, None])
        left[:, at] &= ~here
    keep = placed.cohort.periods.keep_months if placed.cohort.periods else ()
    kept = np.broadcast_to(np.isin(span, keep), left.shape).copy()
    # A zero that a table of counts states is one.
    stated = placed.rows[(placed.rows["n"] == 0) & (placed.rows[by] >= 0)]
    kept[stated[by], stated["month"] - placed.coverage.origin] = True
    counts[(silent[:, :-1] | silent[:, -1:]) & ~kept[:, None]] = math.nan
    return counts, silent, kept, lacking


def _find_lacking(
    part: Placed, heads: Array, known: Flags
) -> Iterator[tuple[int, list[str], Flags]]:
    """Find the months in which a tenth or more of a site has no rows, and which LSOAs these are."""
    rows, width = part.rows, heads.shape[1]
    inside = rows[rows["site"] >= 0]
    units = part.places.change.units if part.places.change is not None else {}
    lsoas = inside["lsoa"].astype(object).map(lambda code: units.get(code, code))
    areas = inside["area"].map(lambda area: part.places.areas[area] if area >= 0 else "")
    names = lsoas.where(lsoas != "", areas)
    month = inside["month"].to_numpy() - part.coverage.origin
    for site, own in names.groupby(inside["site"]):
        code, labels = pd.factorize(own)
        at = inside.index.get_indexer(own.index)
        n = inside["n"].to_numpy(dtype=np.float64)[at]
        totals: Array = np.zeros((labels.size, width))
        np.add.at(totals, (code, month[at]), n)
        there = np.broadcast_to(known[site], totals.shape)
        quiet = find_silent_months(totals, there)
        if not quiet.any():
            continue
        usual = (totals * (there & ~quiet)).sum(axis=1) / (there & ~quiet).sum(axis=1)
        lost = quiet.T @ usual
        whole = usual.sum()
        # LSOAs that others follow, as at a change of boundaries, leave no gap in the site.
        gap: Flags = (
            (lost >= NOTABLE_SHARE * whole) & (heads[site] <= whole - lost / 2) & known[site]
        )
        yield (
            int(site),
            [str(name) for name in labels[np.flatnonzero(quiet[:, gap].any(axis=1))]],
            gap,
        )


def _sum_by(placed: Placed, place: str, size: int, published: Flags) -> tuple[Array, Array, Flags]:
    """Sum weights by place, outcome and month; count rows, of all kinds last; say what is whole.

    Who records in a place is seen from its rows: every feed with at least a tenth of them, of the
    outcome or of all (of a rare outcome, a file of one year may have none). A month that none of
    these covers is missing there, though another force's file may hold it; so is one that lacks
    any of those that record beside each other (see `cover_places`).
    """
    rows, coverage, outcomes = placed.rows, placed.coverage, placed.outcomes
    inside = np.flatnonzero(rows[place].to_numpy() >= 0)
    where, feeds, month, source, kind, n = (
        column.to_numpy()[inside]
        for column in (
            rows[place], rows["feed"], rows["month"], rows["source"],
            rows["kind"].cat.codes, rows["n"],
        )
    )  # fmt: skip
    kinds = rows["kind"].cat.categories
    weights = np.zeros((len(outcomes.keys), len(outcomes.held), len(kinds)))
    for (number, name, outcome), weight in outcomes.weights.items():
        weights[outcome, number, kinds.get_loc(name)] = weight
    by_month = where.astype(np.intp) * len(coverage.span) + (month - coverage.origin)
    by_feed_code = where.astype(np.intp) * len(coverage.feeds) + feeds

    def _sum(code: npt.NDArray[np.intp], width: int, total: npt.NDArray[Any]) -> Array:
        sums = np.bincount(code, total, size * width).reshape(size, width)
        return np.asarray(sums, dtype=np.float64)

    counts = np.zeros((size, len(outcomes.keys), len(coverage.span)))
    heads = np.zeros((size, len(outcomes.keys) + 1, len(coverage.span)))
    by_feed = np.zeros((size, len(outcomes.keys), len(coverage.feeds)))
    by_kind = source.astype(np.intp) * len(kinds) + kind
    heads[:, -1] = _sum(by_month, len(coverage.span), n)
    for outcome, table in enumerate(weights):
        total = n * table.ravel().take(by_kind)
        counts[:, outcome] = _sum(by_month, len(coverage.span), total)
        by_feed[:, outcome] = _sum(by_feed_code, len(coverage.feeds), total)
        heads[:, outcome] = counts[:, outcome]
        if table.max(initial=0.0) > 1:
            counted = n * (table > 0).ravel().take(by_kind)
            heads[:, outcome] = _sum(by_month, len(coverage.span), counted)
    whole = by_feed.sum(axis=2, keepdims=True)
    main = by_feed >= NOTABLE_SHARE * np.where(whole > 0, whole, np.inf)
    held = np.array(
        [outcomes.held[sources].any(axis=0) for sources in coverage.sources], dtype=np.bool_
    ).reshape(len(coverage.feeds), len(outcomes.keys))
    here = (by_feed.sum(axis=1, keepdims=True) > 0) & held.T
    of_all = _sum(by_feed_code, len(coverage.feeds), n)
    notable = of_all >= NOTABLE_SHARE * np.maximum(of_all.sum(axis=1, keepdims=True), 1)
    main = np.where(whole > 0, main | (notable[:, None] & held.T), here)
    main = np.where(main.any(axis=2, keepdims=True), main, held.T)
    return counts, heads, cover_places(main, published, coverage.covered)


def cover_places(main: Flags, published: Flags, covered: Flags) -> Flags:
    """Find the months in which a place's count is whole, by those who record there.

    A month counts if some main feed of the place covers it and none is lacking that records
    beside it. So where a force stops publishing, what the transport police still record there
    does not pass for the whole. Feeds that follow each other, such as one file a year, share
    fewer than three months, and need not all be there.

    Parameters
    ----------
    main : ndarray of bool, shape (n_places, n_outcomes, n_feeds)
        Which feeds hold a notable part of a place's incidents.
    published : ndarray of bool, shape (n_feeds, n_outcomes, n_span)
        Which feed covers which outcome in which month.
    covered : ndarray of bool, shape (n_feeds, n_span)
        Which feed has a file for which month.
    """
    # Outcome first, so that the products run as matrices of places by months.
    by_outcome = main.transpose(1, 0, 2).astype(np.float32)
    some = by_outcome @ published.transpose(1, 0, 2).astype(np.float32)
    whole: Flags = np.asarray(some > 0, dtype=np.bool_).transpose(1, 0, 2).copy()
    lengths = covered.sum(axis=1)
    shared = covered.astype(np.intp) @ covered.T.astype(np.intp)
    needed = np.minimum(_OVERLAP, np.minimum(lengths[:, None], lengths[None, :]))
    beside = (shared >= needed) & (needed > 0)
    for place, outcome in np.argwhere(main.sum(axis=2) > 1):
        feeds = np.flatnonzero(main[place, outcome])
        there = published[feeds, outcome]
        joined = beside[np.ix_(feeds, feeds)].astype(np.intp)
        lacking = ~there & (joined @ there.astype(np.intp) > 0)
        whole[place, outcome] &= ~lacking.any(axis=0)
    return whole


def _lay_out(
    labels: dict[str, list[str]], outcomes: Sequence[str], span: Sequence[str], counts: Array
) -> pd.DataFrame:
    place, outcome, month = np.indices(counts.shape).reshape(3, -1)
    at = dict.fromkeys(labels, place) | {"outcome": outcome, "month": month}
    texts = labels | {"outcome": list(outcomes), "month": list(span)}
    columns: dict[str, Any] = {
        name: pd.array(values, dtype="str").take(at[name]) for name, values in texts.items()
    }
    return pd.DataFrame(columns | {"count": counts.ravel()})


def _refuse_unknown_types(cohort: Cohort, present: set[str]) -> None:
    known = {fold_name(name): name for name in (*CRIME_TYPES, *present)}
    problems = [
        Problem(
            "cohort.yml",
            f"key 'outcomes.{key}.crime_types'",
            f"the crime type '{quote(name)}' is neither one of data.police.uk nor in the files",
            nearest=find_nearest(name, known.values()),
        )
        for key, outcome in cohort.outcomes.items()
        for name in outcome.crime_types
        if fold_name(name) not in known
    ]
    if problems:
        raise InputError(problems)


def _read_weights(cohort: Cohort) -> dict[str, float] | None:
    shown = cohort.harm_weights
    if not shown:
        return None
    if HARM in cohort.outcomes:
        found = "there are harm weights, and an outcome called 'harm' as well"
        raise InputError(Problem("cohort.yml", "key 'outcomes'", found, "Give it another name"))
    table = read_small_table(cohort.resolve_path(shown), shown)
    columns = [str(name) for name in table]
    table.columns = pd.Index([re.sub(r"[ _-]+", "_", name.casefold()) for name in columns])
    missing = [name for name in ("crime_type", "weight") if name not in table]
    if missing:
        found = f"there is no column {list_names(missing)}"
        allowed = f"Columns found: {list_names(columns) or 'none'}"
        near = find_nearest(missing[0], columns)
        raise InputError(Problem(shown, "line 1", found, allowed, near))
    weights: dict[str, float] = {}
    problems: list[Problem] = []
    thousands = all("," not in v or _THOUSANDS.fullmatch(v.strip()) for v in table["weight"])
    for row, kind, written in table[["crime_type", "weight"]].itertuples():
        name, value = kind.strip(), written.strip().replace(",", "" if thousands else ".")
        try:
            weight = float(value)
        except ValueError:
            weight = math.nan
        if not 0 <= weight < math.inf:
            found = f"{describe_cell(value)} is not a weight"
            allowed = "A weight is a number of 0 or more, such as days of imprisonment"
            problems.append(Problem(shown, f"row {row}", found, allowed))
        elif fold_name(name) in weights:
            problems.append(Problem(shown, f"row {row}", f"'{quote(name)}' stands twice"))
        else:
            weights[fold_name(name)] = weight
    if problems:
        raise InputError(problems)
    return weights
