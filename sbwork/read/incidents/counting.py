"""Placed incidents summed by site or area, by outcome and by month."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.read.incidents.covering import cover_places
from sbwork.read.incidents.police_uk import CRIME_TYPES
from sbwork.read.incidents.tallies import Reading
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
    "list_coverage",
    "list_feeds",
    "read_outcomes",
]

SHARE_OF_A_MAIN_FEED = 0.1

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
        Kinds that are neither a crime type of data.police.uk nor named by the cohort: source
        and kind, with their incidents.
    unweighted : dict of str to float
        Kinds without a harm weight, with their incidents.
    """

    keys: list[str]
    held: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    weights: dict[tuple[int, str, int], float] = field(default_factory=dict)
    unknown: dict[tuple[int, str], float] = field(default_factory=dict)
    unweighted: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Coverage:
    """Which months are covered, and by whom.

    Attributes
    ----------
    months : tuple of str
        Months that some file covers, sorted.
    span : tuple of str
        Every month from the first to the last.
    missing : tuple of str
        Months of the span, and of the cohort's periods, that no file covers.
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
    covered: npt.NDArray[np.bool_]
    sources: list[list[int]]

    @property
    def origin(self) -> int:
        """The number of the first month; see `sbwork.specs.periods.number_month`."""
        return number_month(self.span[0]) if self.span else 0


def list_coverage(cohort: Cohort, readings: list[Reading]) -> Coverage:
    """List the months that the files cover; a month without a file is missing, not zero."""
    months_of: dict[str, set[str]] = {}
    for reading in readings:
        for batch in reading.batches:
            months_of.setdefault(batch.feed, set()).update(batch.months)
    months = tuple(sorted(set().union(*months_of.values()))) if months_of else ()
    span = list_months(months[0], months[-1]) if months else ()
    wanted: set[str] = set()
    if cohort.periods and months:
        wanted = {*cohort.periods.before.months, *cohort.periods.after.months}
    missing = tuple(sorted((set(span) | wanted) - set(months)))
    feeds = list_feeds(readings)
    covered = np.array(
        [[month in months_of[feed] for month in span] for feed in feeds], dtype=np.bool_
    ).reshape(len(feeds), len(span))
    sources = [
        sorted({s for s, r in enumerate(readings) if any(b.feed == feed for b in r.batches)})
        for feed in feeds
    ]
    return Coverage(months, span, missing, feeds, covered, sources)


def list_feeds(readings: list[Reading]) -> list[str]:
    """List who recorded: forces, or files where no force is named; sorted."""
    return sorted({batch.feed for reading in readings for batch in reading.batches})


def read_outcomes(placed: pd.DataFrame, cohort: Cohort, readings: list[Reading]) -> OutcomeKinds:
    """Say which outcome each kind of incident counts for, and how much.

    A kind is a crime type, under the name that ``crime_types`` of its source gives it, or the
    key or title of an outcome in a file that is counted already.

    Raises
    ------
    InputError
        An outcome names a crime type that neither data.police.uk nor the files know, the table
        of harm weights can't be used, or two sources hold the same incidents.
    """
    names = placed["kind"].cat.categories
    cell = placed["source"].to_numpy() * len(names) + placed["kind"].cat.codes.to_numpy()
    totals = np.bincount(cell, placed["n"])
    found = sorted(
        (at // len(names), names[at % len(names)], float(totals[at]))
        for at in np.flatnonzero(np.bincount(cell)).tolist()
    )
    renamed = {
        source: {fold_name(theirs): ours for theirs, ours in spec.crime_types.items()}
        for source, spec in enumerate(cohort.incidents)
    }
    kinds = {
        (source, kind): renamed[source].get(fold_name(kind), kind) for source, kind, _ in found
    }
    _refuse_unknown_types(cohort, set(kinds.values()))
    wanted: dict[str, list[str]] = {}
    for key, outcome in cohort.outcomes.items():
        for name in {
            fold_name(key),
            fold_name(outcome.title),
            *map(fold_name, outcome.crime_types),
        }:
            wanted.setdefault(name, []).append(key)
    weights = _read_weights(cohort)
    outcomes = OutcomeKinds([*cohort.outcomes, *([HARM] if weights is not None else [])])
    published = {fold_name(name) for name in CRIME_TYPES}
    for source, kind, count in found:
        ours = fold_name(kinds[source, kind])
        for key in wanted.get(ours, []):
            outcomes.weights[source, kind, outcomes.keys.index(key)] = 1.0
        if ours not in wanted and ours not in published:
            outcomes.unknown[source, kind] = count
        if weights is not None and ours in weights:
            outcomes.weights[source, kind, len(outcomes.keys) - 1] = weights[ours]
        elif weights is not None:
            name = kinds[source, kind]
            outcomes.unweighted[name] = outcomes.unweighted.get(name, 0.0) + count
    outcomes.held = np.zeros((len(readings), len(outcomes.keys)), dtype=np.bool_)
    for source, _, number in outcomes.weights:
        outcomes.held[source, number] = True
    for source, reading in enumerate(readings):
        outcomes.held[source] |= reading.style == "police-uk"
    _refuse_double_counts(placed, cohort, outcomes, readings, kinds)
    return outcomes


def _refuse_double_counts(
    placed: pd.DataFrame,
    cohort: Cohort,
    counted: OutcomeKinds,
    readings: list[Reading],
    kinds: dict[tuple[int, str], str],
) -> None:
    """Refuse incidents given twice: by two sources, or as a type and as a whole outcome."""
    if all(reading.style == "police-uk" for reading in readings):
        return
    inside = placed[placed["site"] >= 0]
    once = inside[["site", "month", "source", "kind"]].drop_duplicates()
    found: dict[tuple[int, int, int], list[tuple[int, str]]] = {}
    for site, month, source, kind in sorted(once.itertuples(index=False, name=None)):
        for number in range(len(cohort.outcomes)):
            if (source, kind, number) in counted.weights:
                found.setdefault((site, number, month), []).append((source, kind))
    sites, outcomes = list(cohort.sites), list(cohort.outcomes)
    problems: dict[tuple[int, str], Problem] = {}
    for (site, number, month), entries in sorted(found.items()):
        outcome = cohort.outcomes[outcomes[number]]
        types = {fold_name(name) for name in outcome.crime_types}
        given: dict[str, int] = {}
        for source, kind in entries:
            name = fold_name(kinds[source, kind])
            first = given.setdefault(name, source)
            both_police = readings[first].style == readings[source].style == "police-uk"
            whole = name not in types and len(entries) > 1
            if whole or (first != source and not both_police):
                said = f"{kind} of {cohort.title_site(sites[site])} in {name_month(month)}"
                other = next(
                    (s for s, k in entries if (s, k) != (source, kind) and s != source), source
                )
                problems.setdefault(
                    (source, name),
                    Problem(
                        cohort.incidents[source].path,
                        "",
                        f"{quote(said)} would be counted twice: "
                        + (
                            f"{cohort.incidents[other].path} holds it too"
                            if other != source
                            else f"the file holds single crime types of '{outcome.title}' as well"
                        ),
                        "Leave one of the two out",
                    ),
                )
    if problems:
        raise InputError(problems.values())


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

    Who records in a place is told by its rows: every feed with at least a tenth of them. A
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


def _lay_out(
    labels: dict[str, list[str]], outcomes: list[str], span: tuple[str, ...], counts: Array
) -> pd.DataFrame:
    size = counts.size
    place = np.repeat(np.arange(counts.shape[0]), counts.shape[1] * counts.shape[2])
    columns = {name: _spread(values, place) for name, values in labels.items()}
    columns["outcome"] = _spread(
        outcomes, np.tile(np.repeat(np.arange(len(outcomes)), len(span)), counts.shape[0])
    )
    columns["month"] = _spread(
        list(span), np.tile(np.arange(len(span)), counts.shape[0] * len(outcomes))
    )
    columns["count"] = counts.ravel()
    return pd.DataFrame(columns, index=pd.RangeIndex(size))


def _spread(values: list[str], where: npt.NDArray[np.intp]) -> Any:
    return pd.array(values, dtype="str").take(where)


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
        raise InputError(
            Problem(shown, "line 1", found, allowed, find_nearest(missing[0], columns))
        )
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
