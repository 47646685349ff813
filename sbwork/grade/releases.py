"""Reports that were published: what a reader can work out of them and a newer one together."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sbwork.grade.suppression import Beliefs, bound_table
from sbwork.specs.errors import InputError, Problem
from sbwork.stats import Flag

__all__ = [
    "CELLS",
    "FOLDER",
    "RELEASE",
    "RESULTS",
    "Earlier",
    "Link",
    "Release",
    "compare_releases",
    "deduce",
    "find_corrected",
    "find_given_away",
    "hash_text",
    "join_reorganised",
    "lay_out",
    "list_releases",
    "name_release",
    "read_releases",
    "write_cells",
]

FOLDER, RELEASE, RESULTS, CELLS = "releases", "release.json", "results.csv", "cells.json"
_PRIVATE = ("code", "sum", "squares")
"""Kinds of cells that no report shows; which scores people have is not to be kept."""
_MOST_JOINED = 3

Cell = tuple[str, ...]
Link = Mapping[Cell, float]


@dataclass(frozen=True)
class Earlier:
    """What a reader of one published report knows of people, or of incidents.

    known: Numbers that were shown, or follow from those.
    links: Sums that tie cells of which some were not shown.
    """

    known: Mapping[Cell, float]
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Release:
    """A published report; `date` is the day of its release."""

    date: str
    people: Earlier
    incidents: Earlier
    findings: pd.DataFrame = field(repr=False)


def hash_text(content: bytes) -> str:
    """Return the SHA-256 of a text, the same with any ends of lines."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def name_release(date: str, about: bytes) -> str:
    """Return the name of a release's folder: its date, and what its files hash to."""
    return f"{date}-{hash_text(about)[:12]}"


def list_releases(cohort: Path) -> list[Path]:
    """List the folders of a cohort's releases, the oldest first."""
    place = cohort / FOLDER
    found = place.iterdir() if place.is_dir() else ()
    return sorted(path for path in found if path.is_dir() and not path.name.startswith("."))


def write_cells(cells: Mapping[str, Mapping[str, Sequence[Any]]]) -> str:
    """Write what a reader knows as JSON, a number or a sum a line."""
    parts = [
        f'"{name}_{key}": [\n'
        + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        + "\n]"
        for name, content in cells.items()
        for key, rows in content.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


def lay_out(
    counts: Mapping[Cell, float], shown: Collection[Cell], links: Iterable[Link]
) -> dict[str, Any]:
    """Lay out what a reader knows: numbers shown, and the sums that tie them to others."""
    return {
        "shown": [
            [list(cell), counts[cell]]
            for cell in counts
            if cell in shown and cell[0] not in _PRIVATE
        ],
        "sums": [
            [[list(cell), factor] for cell, factor in link.items()]
            for link in links
            if link.keys() <= counts.keys()
            and not link.keys() <= set(shown)
            and not any(cell[0] in _PRIVATE for cell in link)
            and abs(sum(f * counts[cell] for cell, f in link.items())) < 1e-6
        ],
    }


def read_releases(cohort: Path) -> list[Release]:
    """Read every release of a cohort, the oldest first.

    Raises
    ------
    InputError
        A file is missing, can't be read or is not as it was when the report was released.
    """
    releases, problems = [], []
    for folder in list_releases(cohort):
        try:
            releases.append(_read_release(folder))
        except (OSError, ValueError, TypeError, KeyError) as error:
            found = "this release can't be read" + f": {error}" * (type(error) is _ChangedError)
            allowed = (
                "Put it back as 'sbwork release' made it: without it nothing can be compared with "
                "what was published"
            )
            problems.append(Problem(f"{cohort.name}/{FOLDER}/{folder.name}", "", found, allowed))
    if problems:
        raise InputError(problems)
    return releases


class _ChangedError(ValueError):
    """A file is not as it was."""


def _read_release(folder: Path) -> Release:
    for name in (RELEASE, RESULTS, CELLS):
        if not (folder / name).is_file():
            raise _ChangedError(f"'{name}' is missing")
    files = {name: (folder / name).read_bytes() for name in (RELEASE, RESULTS, CELLS)}
    about, content = json.loads(files[RELEASE]), json.loads(files[CELLS])
    if folder.name != name_release(str(about["released"]), files[RELEASE]):
        raise _ChangedError(f"the folder's name and '{RELEASE}' don't belong together")
    for name in (RESULTS, CELLS):
        if hash_text(files[name]) != about["files"][name]:
            raise _ChangedError(f"'{name}' was changed after the release")
    parts = []
    for name in ("people", "incidents"):
        shown = {tuple(cell): float(number) for cell, number in content[f"{name}_shown"]}
        links = [{tuple(c): float(f) for c, f in link} for link in content[f"{name}_sums"]]
        parts.append(Earlier(deduce(shown, links), links))
    findings = pd.read_csv(folder / RESULTS, keep_default_na=False, na_values={"estimate": [""],
                           "n": [""]}, dtype={"site": str, "outcome": str})  # fmt: skip
    return Release(str(about["released"]), parts[0], parts[1], findings)


def deduce(shown: Mapping[Cell, float], links: Iterable[Link]) -> dict[Cell, float]:
    """Add to the numbers shown those that follow from a sum in which all others are known."""
    known, waiting = dict(shown), list(links)
    while True:
        left = []
        for link in waiting:
            missing = [cell for cell in link if cell not in known]
            if len(missing) == 1:
                rest = sum(f * known[cell] for cell, f in link.items() if cell in known)
                known[missing[0]] = -rest / link[missing[0]]
            elif missing:
                left.append(link)
        if len(left) == len(waiting):
            return known
        waiting = left


def join_reorganised(
    counts: Mapping[Cell, float], earlier: Sequence[Earlier], smallest: int
) -> Iterator[tuple[list[Cell], float]]:
    """Yield cells whose sum is near what a release says of the same people under other names.

    Where sites were merged, divided or renamed between the reports, or people moved between them,
    whoever knows how adds up the parts.
    """
    for each in earlier:
        olds, news = _group(each.known, counts, smallest), _group(counts, each.known, smallest)
        for group in olds.keys() & news.keys():
            before, now = olds[group], news[group]
            renamed = not (set(before) <= counts.keys() and set(now) <= each.known.keys())
            pairs = [(tuple(before), tuple(now))]
            if renamed:
                pairs += [(part, (one,)) for one in now for part in _list_parts(before)]
                pairs += [((one,), part) for one in before for part in _list_parts(now)]
            for old, new in dict.fromkeys(pairs):
                total = sum(each.known[cell] for cell in old)
                apart = abs(sum(counts[cell] for cell in new) - total)
                if (1 <= apart < smallest or (renamed and not apart)) and old != new:
                    yield list(new), total


def _group(
    one: Mapping[Cell, float], other: Mapping[Cell, float], smallest: int
) -> dict[Cell, list[Cell]]:
    """Group the cells that the other report lacks or has with quite another number, by site."""
    groups: dict[Cell, list[Cell]] = {}
    for cell, number in one.items():
        moved = cell not in other or abs(other[cell] - number) >= smallest
        of_site = len(cell) == 4 and cell[0] not in (*_PRIVATE, "file")
        if moved and of_site and cell[2] not in ("intervention", "control", "all", ""):
            groups.setdefault((*cell[:2], cell[3]), []).append(cell)
    return groups


def _list_parts(cells: Sequence[Cell]) -> Iterator[tuple[Cell, ...]]:
    for size in range(1, min(len(cells), _MOST_JOINED) + 1):
        yield from combinations(cells[:8], size)


def compare_releases(
    cells: Sequence[Cell],
    counts: Mapping[Cell, float],
    earlier: Sequence[Earlier],
    smallest: int,
    guarded: Mapping[Cell, tuple[float, float]],
    patterns: Iterable[Collection[Cell]],
) -> Beliefs:
    """Find what readers of releases believe of each cell now, and what must stay open.

    Whoever sees the same number twice takes it for the same people; where it is larger, for the
    same and some more. Fewer than `smallest` more, or fewer, are a small group.
    """
    values = np.array([counts[cell] for cell in cells])
    low, high, open_low, open_high = np.full((4, len(cells)), math.nan)
    for each in earlier:
        old = np.array([each.known.get(cell, math.nan) for cell in cells])
        low = np.fmax(low, np.where(old <= values, old, math.nan))
        high = np.fmin(high, np.where(old >= values, old, math.nan))
        more = np.where(values > old, 1.0, -1.0)
        few = (np.abs(values - old) >= 1) & (np.abs(values - old) < smallest)
        ends = np.sort([old + more, old + more * (smallest - 1)], axis=0)
        open_low = np.fmin(open_low, np.where(few, ends[0], math.nan))
        open_high = np.fmax(open_high, np.where(few, ends[1], math.nan))
    for at, cell in enumerate(cells):
        if cell in guarded:
            open_low[at] = np.fmin(open_low[at], guarded[cell][0])
            open_high[at] = np.fmax(open_high[at], guarded[cell][1])
    tried = tuple(np.array([cell in pattern for cell in cells]) for pattern in patterns)
    return Beliefs(low, high, np.maximum(open_low, 0.0), open_high, tried)


def find_given_away(earlier: Earlier, seen: Mapping[Cell, float], smallest: int) -> Iterator[Cell]:
    """Yield numbers seen now that would narrow a group hidden then, taken to be the same as then.

    `seen` are the numbers shown now and those that follow.
    """
    open_links = [link for link in earlier.links if not link.keys() <= earlier.known.keys()]
    reached = {cell for link in open_links for cell in link if cell in seen} - earlier.known.keys()
    guesses, links = sorted(reached), list[Link]()
    while fresh := [link for link in open_links if link not in links and reached & link.keys()]:
        links += fresh
        reached |= {cell for link in fresh for cell in link if cell not in earlier.known}
    if not guesses:
        return
    at = {cell: number for number, cell in enumerate(sorted(reached))}
    matrix, rest = np.zeros((len(links), len(at))), np.zeros(len(links))
    for row, link in enumerate(links):
        for cell, factor in link.items():
            if cell in at:
                matrix[row, at[cell]] = factor
            else:
                rest[row] -= factor * earlier.known[cell]
    free = bound_table(matrix, rest, {}, smallest)
    if free is None:
        return
    # All at once where that can be; a few changed since then, then each by itself.
    trials = [guesses]
    while trials:
        trial = trials.pop()
        fixed = {at[cell]: seen[cell] for cell in trial}
        narrow = bound_table(matrix, rest, fixed, smallest)
        if narrow is None:
            trials += [[cell] for cell in trial] if len(trial) > 1 else []
            continue
        small = (free[:, 0] <= 1) & (free[:, 1] >= smallest - 1)
        found = (narrow[:, 0] > 1) | (narrow[:, 1] < smallest - 1)
        found &= (narrow[:, 0] <= smallest - 1) & (narrow[:, 1] >= 1)
        found[list(fixed)] &= np.array([1 <= seen[cell] < smallest for cell in trial])
        if (small & found).any():
            yield from trial


def find_corrected(
    findings: pd.DataFrame,
    releases: Iterable[Release],
    spans: Mapping[Cell, float],
    smallest: int,
) -> set[Cell]:
    """Find groups of as many people as in a release whose scores differ by what few could cause."""
    key = ["outcome", "site", "period", "estimator"]

    def _choose(rows: pd.DataFrame) -> pd.DataFrame:
        chosen = rows["section"].eq("scales") & rows["estimator"].isin(["mean", "sd"])
        return rows[chosen & rows["comparison"].eq("")].dropna(subset=["estimate", "n"])

    corrected: set[tuple[Cell, str, float]] = set()
    for release in releases:
        both = _choose(findings).merge(_choose(release.findings), on=key, suffixes=("", "_old"))
        weighted = [both[name].str.contains(Flag.WEIGHTED) for name in ("flags", "flags_old")]
        both = both[(both["n"] == both["n_old"]) & (weighted[0] == weighted[1])]
        row: Any
        for row in both.itertuples(name="Score"):
            cell = ("scored", row.outcome, row.site, row.period)
            change = abs(row.estimate - row.estimate_old)
            fewest = change * row.n / spans[cell] if cell in spans else 0.0
            if change > 1e-9 and (fewest <= smallest - 1 or row.estimator == "sd"):
                corrected.add((cell, row.estimator, fewest))
    enough = {cell for cell, name, fewest in corrected if name == "mean" and fewest > smallest - 1}
    return {cell for cell, _, _ in corrected} - enough
