"""Placed incidents summed by site or area, by outcome and by month."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.incidents.police_uk import CRIME_TYPES
from sbwork.read.incidents.tallies import Reading, list_levels
from sbwork.read.places.placing import Places
from sbwork.specs.cohort import HARM, Cohort, list_months
from sbwork.specs.documents import fold_name
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.periods import name_month, number_month

__all__ = [
    "SHARE_OF_A_MAIN_FEED",
    "Coverage",
    "OutcomeKinds",
    "count_areas",
    "count_sites",
    "cover_places",
    "list_coverage",
    "list_feeds",
    "read_outcomes",
    "rename_kinds",
]

SHARE_OF_A_MAIN_FEED = 0.1
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
    wanted: set[str] = set()
    if cohort.periods and months:
        wanted = {*cohort.periods.before.months, *cohort.periods.after.months}
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
    outcomes.held = np.zeros((len(readings), len(outcomes.keys)), dtype=np.bool_)
    for source, _, number in outcomes.weights:
        outcomes.held[source, number] = True
    for source, reading in enumerate(readings):
        outcomes.held[source] |= reading.style == "police-uk"
    problems: dict[tuple[int, str], Problem] = {}
    for entry, problem in _find_double_counts(placed, cohort, outcomes, readings, kinds):
        problems.setdefault(entry, problem)
    if problems:
        raise InputError(problems.values())
    return outcomes


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


def count_sites(
    placed: pd.DataFrame,
    cohort: Cohort,
    places: Places,
    outcomes: OutcomeKinds,
    coverage: Coverage,
    published: Flags,
) -> pd.DataFrame:
    """Count each site: columns ``site``, ``outcome``, ``month``, ``count``, complete."""
    keys = list(cohort.sites)
    counts = _sum_by(placed, "site", len(keys), outcomes, coverage, published)
    counts[[keys.index(key) for key in places.absent]] = math.nan
    return _lay_out({"site": keys}, outcomes.keys, coverage.span, counts)


def count_areas(
    placed: pd.DataFrame,
    cohort: Cohort,
    places: Places,
    outcomes: OutcomeKinds,
    coverage: Coverage,
    published: Flags,
) -> pd.DataFrame:
    """Count each area: ``area``, ``name``, ``site``, ``outcome``, ``month``, ``count``."""
    counts = _sum_by(placed, "area", len(places.areas), outcomes, coverage, published)
    keys = list(cohort.sites)
    owners = [""] * len(places.areas)
    inside = placed[(placed["area"] >= 0) & (placed["site"] >= 0)]
    shares = inside.groupby(["area", "site"])["n"].sum().sort_values(kind="stable")
    for area, site in [*shares.index, *places.owners.items()]:
        owners[area] = keys[site]
    labels = {"area": places.areas, "name": places.names, "site": owners}
    return _lay_out(labels, outcomes.keys, coverage.span, counts)


def _sum_by(
    placed: pd.DataFrame,
    place: str,
    size: int,
    outcomes: OutcomeKinds,
    coverage: Coverage,
    published: Flags,
) -> Array:
    """Sum weights by place, outcome and month; NaN where those who record there cover nothing.

    Who records in a place is seen from its rows: every feed with at least a tenth of them. A
    month that none of these covers is missing there, though another force's file may hold it;
    so is one that lacks any of those that record beside each other (see `cover_places`).
    """
    inside = np.flatnonzero(placed[place].to_numpy() >= 0)
    where, feeds, month, source, kind, n = (
        column.to_numpy()[inside]
        for column in (
            placed[place], placed["feed"], placed["month"], placed["source"],
            placed["kind"].cat.codes, placed["n"],
        )
    )  # fmt: skip
    kinds = placed["kind"].cat.categories
    weights = np.zeros((len(outcomes.keys), len(outcomes.held), len(kinds)))
    for (number, name, outcome), weight in outcomes.weights.items():
        weights[outcome, number, kinds.get_loc(name)] = weight
    by_month = where.astype(np.intp) * len(coverage.span) + (month - coverage.origin)
    by_feed_code = where.astype(np.intp) * len(coverage.feeds) + feeds
    counts = np.zeros((size, len(outcomes.keys), len(coverage.span)))
    by_feed = np.zeros((size, len(outcomes.keys), len(coverage.feeds)))
    by_kind = source.astype(np.intp) * len(kinds) + kind
    for outcome, table in enumerate(weights):
        total = n * table.ravel().take(by_kind)
        for sums, code in ((counts, by_month), (by_feed, by_feed_code)):
            width = sums.shape[2]
            sums[:, outcome] = np.bincount(code, total, size * width).reshape(size, width)
    whole = by_feed.sum(axis=2, keepdims=True)
    main = by_feed >= SHARE_OF_A_MAIN_FEED * np.where(whole > 0, whole, np.inf)
    held = np.array(
        [outcomes.held[sources].any(axis=0) for sources in coverage.sources], dtype=np.bool_
    ).reshape(len(coverage.feeds), len(outcomes.keys))
    here = (by_feed.sum(axis=1, keepdims=True) > 0) & held.T
    main = np.where(whole > 0, main, here)
    main = np.where(main.any(axis=2, keepdims=True), main, held.T)
    counts[~cover_places(main, published, coverage.covered)] = math.nan
    return counts


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
    text = cohort.resolve_path(shown).read_bytes()
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = text.decode("cp1252", errors="replace").splitlines()
    table = csv.DictReader(lines)
    columns = list(table.fieldnames or [])
    missing = [name for name in ("crime_type", "weight") if name not in columns]
    if missing:
        found = f"there is no column {list_names(missing)}"
        allowed = f"Columns found: {list_names(columns) or 'none'}"
        near = find_nearest(missing[0], columns)
        raise InputError(Problem(shown, "line 1", found, allowed, near))
    weights: dict[str, float] = {}
    problems: list[Problem] = []
    for row, line in enumerate(table, start=2):
        name = (line["crime_type"] or "").strip()
        value = (line["weight"] or "").strip().replace(",", "")
        try:
            weight = float(value)
        except ValueError:
            weight = math.nan
        if not 0 <= weight < math.inf:
            found = f"'{quote(value)}' is not a weight"
            allowed = "A weight is a number of 0 or more, such as days of imprisonment"
            problems.append(Problem(shown, f"row {row}", found, allowed))
        elif fold_name(name) in weights:
            problems.append(Problem(shown, f"row {row}", f"'{quote(name)}' stands twice"))
        else:
            weights[fold_name(name)] = weight
    if problems:
        raise InputError(problems)
    return weights
