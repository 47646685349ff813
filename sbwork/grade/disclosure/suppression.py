"""What may be shown: small groups hidden, and whatever would give them back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sbwork.grade.disclosure.bases import coarsen_rows, find_secret_bases, hide_bases
from sbwork.grade.disclosure.totals import Place, Total, find_determined, find_telling_totals
from sbwork.grade.disclosure.weights import suppress_weights
from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Reason

__all__ = ["merge_small_cells", "suppress_findings", "suppress_table"]

_PEOPLE = ("scales", "scores", "reliability")
_INCIDENTS = ("choice", "counts", "panel", "placebo", "specification")
_WAVES = ("before", "after")
_GROUPS = ("intervention", "control")
_NUMBERS = (
    "estimate",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "se",
    "statistic",
    "df",
    "n",
)
_COMPLETE = (
    "mean_complete_cases",
    "alpha",
    "omega_total",
    "item_rest_correlation",
    "alpha_if_dropped",
)
_SCORED = ("n", "mean", "sd", "n_scored", "share_prorated", "floor_share", "ceiling_share")
_LARGEST_ATTACK = 400

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]


def suppress_findings(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Hide every figure that rests on a small group, or that would give one back.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Findings of all sections.
    cohort : Cohort
        ``smallest_group`` (people, 10 by default) and ``smallest_count`` (incidents; 1 by
        default, which hides none), and who is paired with whom.

    Returns
    -------
    pandas.DataFrame
        A copy; in hidden rows every number is NaN and the note says so. Nothing else changes.

    Notes
    -----
    Of people (sections scales, scores, reliability) a figure is hidden

    1. where it rests on 1 to ``smallest_group`` - 1 people, or is a share or count of as many, or
       of all but as many;
    2. where it is a total whose shown parts leave 1 to ``smallest_group`` - 1 people, or let a
       hidden part be worked out;
    3. where it compares waves or sites and one of the groups compared is hidden;
    4. where it rests on all people with a score but 1 to ``smallest_group`` - 1 of them.

    Where the number of people without a score is hidden, so is how many were asked, of every scale
    and wherever else it stands (see `bases`), since the number with a score is shown.

    Of the weights (section weights), see `weights.suppress_weights`.

    Of incidents, a count from 1 to ``smallest_count`` - 1 is hidden with every figure built on it,
    pooled ones included. Outcomes that are sums of other outcomes are not looked for: with a
    ``smallest_count`` above 1, don't define such outcomes.

    References
    ----------
    Hundepool, A., et al. (2012). Statistical Disclosure Control. Wiley, chapter 4.

    Examples
    --------
    >>> from sbwork.stats import Estimate
    >>> from sbwork.stats.findings import Finding, tabulate_findings
    >>> few = Estimate("mean", 3.5, n=4, unit="points")
    >>> rows = tabulate_findings([Finding("scales", "trust", "a", few, period="before")])
    >>> suppress_findings(rows, Cohort(name="pilot"))["note"].tolist()
    ['Hidden: fewer than 10 people.']
    """
    people = findings["section"].isin(_PEOPLE)
    hidden = pd.Series(False, index=findings.index)
    for numbers in _list_families(findings[people]):
        answered = _list_answered(findings, numbers)
        places = _find_unsafe_places(_take_largest(findings, numbers), cohort, answered)
        hidden.loc[numbers.index] |= _mark_places(findings.loc[numbers.index], places)
    hidden |= _hide_comparisons(findings, hidden & people, cohort)
    hidden |= _hide_left_out(findings, hidden)
    bases = find_secret_bases(findings, hidden, cohort)
    hidden |= _mark_unscored(findings, bases)
    few = hidden.copy()
    hidden |= _hide_incidents(findings, cohort)
    shown = _blank(findings, few, hidden, cohort)
    shown = coarsen_rows(shown, _find_nearly_all(findings, cohort) & ~hidden)
    shown = coarsen_rows(shown, _find_linked(findings, hidden, cohort) & ~hidden)
    return suppress_weights(hide_bases(shown, bases), cohort.smallest_group)


def suppress_table(
    counts: pd.DataFrame, smallest_group: int = 10, total: str = "Total"
) -> pd.DataFrame:
    """Add totals to a cross-table of people, and hide its small cells so that they stay hidden.

    Parameters
    ----------
    counts : pandas.DataFrame, shape (n_rows, n_columns)
        Whole numbers of people, without totals.
    smallest_group : int, default 10
        Cells from 1 to one less than this are hidden. A cell of 0 is shown.
    total : str, default "Total"
        Name of the row and the column of totals.

    Returns
    -------
    pandas.DataFrame, shape (n_rows + 1, n_columns + 1), float64
        The table with its totals, NaN where hidden. Besides the small cells, others are hidden
        until no row or column leaves a remainder of 1 to ``smallest_group`` - 1 people, no small
        cell follows from the totals, and none is pinned to one value by the fact that nobody can
        be counted less than zero times.

    Raises
    ------
    ValueError
        A count is negative, missing or not whole; `total` is already a name in the table.

    References
    ----------
    Hundepool, A., et al. (2012). Statistical Disclosure Control. Wiley, chapter 4.

    Examples
    --------
    >>> table = pd.DataFrame({"before": [4, 40, 60], "after": [30, 50, 70]}, index=list("abc"))
    >>> suppress_table(table)
           before  after  Total
    a         NaN    NaN   34.0
    b         NaN    NaN   90.0
    c        60.0   70.0  130.0
    Total   104.0  150.0  254.0
    """
    plain = counts.to_numpy(dtype=np.float64)
    if not (np.isfinite(plain).all() and (plain >= 0).all() and (plain == np.floor(plain)).all()):
        raise ValueError("counts must be whole numbers, none missing and none below 0")
    if total in counts.index or total in counts.columns:
        raise ValueError(f"'{total}' is already a name in the table")
    full = np.zeros((plain.shape[0] + 1, plain.shape[1] + 1))
    full[:-1, :-1] = plain
    full[-1] = full.sum(axis=0)
    full[:, -1] = full[:, :-1].sum(axis=1)
    lines = _list_lines(full.shape)
    values = full.ravel()
    hidden = (values >= 1) & (values < smallest_group)
    small = hidden.copy()
    while (extra := _choose_secondary(values, hidden, small, lines, smallest_group)) is not None:
        hidden[extra] = True
    shown = np.where(hidden, np.nan, values).reshape(full.shape)
    return pd.DataFrame(
        shown, index=[*counts.index, total], columns=[*counts.columns, total], dtype="float64"
    )


def merge_small_cells(counts: ArrayLike, fewest: int) -> Vector:
    """Merge ordered counts of people until none lies between 1 and `fewest` - 1.

    Parameters
    ----------
    counts : array_like of float, shape (n_options,)
        How many people gave each answer, in the order of the answers.
    fewest : int
        The smallest count that may be shown.

    Returns
    -------
    numpy.ndarray, shape (n_options,)
        The same total. A small count is added to the next answer towards the middle, a small
        middle to its larger neighbour; all zero where the total itself is small.

    Examples
    --------
    >>> merge_small_cells([3, 40, 100, 60, 12], 10).tolist()
    [0.0, 43.0, 100.0, 60.0, 12.0]
    """
    merged = np.array(counts, dtype=float)
    if merged.sum() < fewest:
        return np.zeros_like(merged)
    middle = (len(merged) - 1) / 2
    while True:
        filled = [at for at, count in enumerate(merged) if count > 0]
        small = [at for at in filled if merged[at] < fewest]
        if not small:
            return merged
        at = max(small, key=lambda index: abs(index - middle))
        place = filled.index(at)
        beside = [filled[i] for i in (place - 1, place + 1) if 0 <= i < len(filled)]
        inward = [other for other in beside if abs(other - middle) < abs(at - middle)]
        into = max(inward or beside, key=lambda index: merged[index])
        merged[into] += merged[at]
        merged[at] = 0.0


def _list_families(rows: pd.DataFrame) -> Iterator[pd.Series]:
    """Yield numbers of people, by row, that may be set against one another.

    All that is said of the same people is one family, whichever section says it: how many have a
    score on a scale. Every other estimator is a family by itself, and so is the part of the people
    that a share or a count takes in, and the part that it leaves out.
    """
    part = rows["estimate"].where(rows["unit"] == "count")
    part = part.where(rows["unit"] != "share", (rows["estimate"] * rows["n"]).round())
    base = rows["n"].where(rows["estimator"] != "n_scored", rows["estimate"])
    scored = rows["estimator"].isin(_SCORED)
    incomplete = _count_left_out(rows)
    for _, family in rows[scored].groupby("outcome", sort=False):
        yield base[family.index].fillna(0)
    for _, family in rows.groupby(["section", "outcome", "estimator"], sort=False):
        left_out = (rows["n"] - part).where(rows["unit"] == "share")
        yield rows.loc[family.index, "n"].fillna(0)
        yield part[family.index].fillna(0)
        yield left_out[family.index].fillna(0)
        if family["estimator"].iloc[0] == "mean_complete_cases":
            yield incomplete[family.index]


def _take_largest(findings: pd.DataFrame, numbers: pd.Series) -> dict[Place, float]:
    """Return the number of people of each site and period that a family tells of."""
    rows = findings.loc[numbers.index]
    counts: dict[Place, float] = {}
    for site, period, comparison, number in zip(
        rows["site"], rows["period"], rows["comparison"], numbers, strict=True
    ):
        if not comparison:
            counts[site, period] = max(number, counts.get((site, period), 0.0))
    return counts


def _list_answered(findings: pd.DataFrame, numbers: pd.Series) -> set[Place] | None:
    """List the sites and waves with two scores or more; None where scales have nothing to do."""
    outcome = findings.loc[numbers.index[0], "outcome"]
    rows = findings[(findings["section"] == "scales") & (findings["outcome"] == outcome)]
    rows = rows[rows["estimator"] == "n"]
    if rows.empty:
        return None
    enough = rows[rows["estimate"] > 1]
    return set(zip(enough["site"], enough["period"], strict=True))


def _find_unsafe_places(
    counts: Mapping[Place, float], cohort: Cohort, answered: Collection[Place] | None = None
) -> set[Place]:
    """Find the sites and periods whose numbers are small, or would give a small one back."""
    small = cohort.smallest_group
    unsafe = {place for place, count in counts.items() if 1 <= count < small}
    bases = {
        place: count
        for place, count in counts.items()
        if place[0] in cohort.sites and place[1] not in ("", "all") and count > 0
    }
    secret = {place: count for place, count in bases.items() if place in unsafe}
    totals = {
        place: Total(count, frozenset(_list_cells(place, bases, cohort, answered)))
        for place, count in counts.items()
        if place not in bases and place not in unsafe
    }
    return unsafe | find_telling_totals(totals, secret, small)


def _mark_places(rows: pd.DataFrame, places: Collection[Place]) -> pd.Series:
    marked = [
        (site, period) in places for site, period in zip(rows["site"], rows["period"], strict=True)
    ]
    return pd.Series(marked, index=rows.index, dtype=bool) & (rows["comparison"] == "")


def _list_cells(
    place: Place,
    bases: Mapping[Place, float],
    cohort: Cohort,
    answered: Collection[Place] | None,
) -> Iterator[Place]:
    """List the sites and waves that a figure over several of them takes in."""
    sites = _list_members(place[0], cohort, answered, place[1])
    for site, period in bases:
        if site in sites and place[1] in ("", "all", period):
            yield site, period


def _find_nearly_all(findings: pd.DataFrame, cohort: Cohort) -> pd.Series:
    """Find how reliable answers are that leave out few of the people with a score.

    The figures say nothing of those few; how many they rest on would.
    """
    nearly = pd.Series(False, index=findings.index)
    left = _count_left_out(findings)
    for _, rows in findings[findings["section"] == "reliability"].groupby(["outcome", "estimator"]):
        numbers = left[rows.index]
        places = _find_unsafe_places(_take_largest(findings, numbers), cohort)
        nearly.loc[rows.index] = _mark_places(rows, places)
    return nearly


def _count_left_out(findings: pd.DataFrame) -> pd.Series:
    """Count the people with a score on whom a figure of complete answers does not rest."""
    counted = findings[findings["estimator"] == "n_scored"]
    keys = zip(counted["outcome"], counted["site"], counted["period"], strict=True)
    scored = dict(zip(keys, counted["estimate"], strict=True))
    places = zip(
        findings["outcome"].str.split("/").str[0], findings["site"], findings["period"], strict=True
    )
    people = pd.Series([scored.get(place, math.nan) for place in places], index=findings.index)
    complete = findings["estimator"].isin(_COMPLETE)
    return (people - findings["n"]).where(complete).clip(lower=0).fillna(0)


def _find_linked(findings: pd.DataFrame, hidden: pd.Series, cohort: Cohort) -> pd.Series:
    """Find comparisons of linked people from whose number few lost ones would follow."""
    lost = findings[hidden & (findings["estimator"] == "attrition_share")]
    sites = {member for site in lost["site"] for member in _list_members(site, cohort)}
    touches = findings["site"].isin(sites) | findings["comparison"].isin(sites)
    touches |= (findings["site"] == "all") & bool(sites)
    return (findings["estimator"] == "ancova") & touches


def _list_members(
    site: str,
    cohort: Cohort,
    answered: Collection[Place] | None = None,
    period: str = "",
) -> Collection[str]:
    """List the sites of a group; of scales, only those of the pairs that are compared."""
    if site in ("", "all"):
        return cohort.sites
    if site not in _GROUPS:
        return {site}
    pairs: Collection[Pair] = cohort.pairs
    if answered is not None:
        pairs = cohort.list_surveyed_pairs(answered, period if period in _WAVES else "")
    return {name for pair in pairs if (name := getattr(pair, site))}


def _hide_comparisons(findings: pd.DataFrame, hidden: pd.Series, cohort: Cohort) -> pd.Series:
    """Find the comparisons of scales that rest on a hidden group."""
    scales = findings["section"] == "scales"
    compares = (findings["comparison"] != "") | (findings["site"] == "all")
    change = scales & (compares | (findings["period"] == "change"))
    rests = pd.Series(False, index=findings.index)
    for outcome, rows in findings[change].groupby("outcome"):
        periods = ("change",) if outcome == "questionnaire" else _WAVES
        gone = findings[scales & hidden & (findings["outcome"] == outcome)]
        secret = set(gone.loc[gone["period"].isin(periods), "site"])
        if secret:
            answered = _list_answered(findings, rows["n"])
            found = [
                bool(secret & _list_compared(row, cohort, answered)) for _, row in rows.iterrows()
            ]
            rests.loc[rows.index] = np.array(found)
    return change & rests


def _hide_left_out(findings: pd.DataFrame, hidden: pd.Series) -> pd.Series:
    """Find groups of sites that leave out a pair because one person answered: that tells of one."""
    alone = findings[
        hidden
        & (findings["section"] == "scales")
        & (findings["estimator"] == "n")
        & (findings["estimate"] == 1)
        & ~findings["site"].isin(_GROUPS)
    ]
    together = findings["site"].isin([*_GROUPS, "all"]) & (findings["section"] == "scales")
    return together & findings["outcome"].isin(alone["outcome"])


def _list_compared(
    row: pd.Series[Any], cohort: Cohort, answered: Collection[Place] | None
) -> set[str]:
    """List the sites and groups of sites that a comparison rests on."""
    site, groups = str(row["site"]), {str(row["site"]), str(row["comparison"])}
    sides = _GROUPS if site == "all" else (site,)
    # The mean over people and the mean of the sites together would give back two hidden sites.
    if site == "all" or row["estimator"] == "mean_difference_people":
        groups |= {member for side in sides for member in _list_members(side, cohort, answered)}
    return groups


def _hide_incidents(findings: pd.DataFrame, cohort: Cohort) -> pd.Series:
    """Find small counts of incidents, and every figure of the same outcome built on them."""
    incidents = findings["section"].isin(_INCIDENTS)
    counted = incidents & (findings["estimator"] == "count")
    value = findings["estimate"]
    few = counted & (value >= 1) & (value < cohort.smallest_count)
    found = few.copy()
    for outcome, rows in findings[few].groupby("outcome"):
        touched = set(rows["site"])
        pooled = findings["site"].isin(["all", "intervention", "control"])
        pooled |= findings["comparison"] == "all controls"
        built = findings["site"].isin(touched) | findings["comparison"].isin(touched) | pooled
        same_cell = counted & ~few & ~pooled
        found |= incidents & (findings["outcome"] == outcome) & built & ~same_cell
    return found


def _mark_unscored(findings: pd.DataFrame, bases: Collection[Place]) -> pd.Series:
    return (findings["estimator"] == "n_unscored") & _mark_places(findings, bases)


def _blank(
    findings: pd.DataFrame, few: pd.Series, hidden: pd.Series, cohort: Cohort
) -> pd.DataFrame:
    people = f"Hidden: fewer than {cohort.smallest_group} people."
    counts = f"Hidden: fewer than {cohort.smallest_count} incidents."
    blank = findings.copy()
    blank.loc[hidden, list(_NUMBERS)] = math.nan
    blank.loc[hidden, "note"] = counts
    blank.loc[few, "note"] = people
    blank.loc[hidden, "flags"] = ""
    blank.loc[hidden, "reason"] = Reason.SMALL_COUNT.value
    blank.loc[few, "reason"] = Reason.SMALL_GROUP.value
    return blank


def _list_lines(shape: tuple[int, int]) -> Vector:
    """List the sums that a reader knows to be zero: the cells of a line minus its total."""
    rows, columns = shape
    lines = []
    for row in range(rows):
        line = np.zeros(shape)
        line[row, :-1], line[row, -1] = 1.0, -1.0
        lines.append(line.ravel())
    for column in range(columns):
        line = np.zeros(shape)
        line[:-1, column], line[-1, column] = 1.0, -1.0
        lines.append(line.ravel())
    return np.array(lines)


def _choose_secondary(
    values: Vector, hidden: Flags, small: Flags, lines: Vector, smallest_group: int
) -> int | None:
    """Choose the next cell to hide; None when every small cell is safe."""
    for line in lines:
        parts = (line > 0) & hidden
        if not hidden[line < 0].any() and 1 <= values[parts].sum() < smallest_group:
            return _choose_beside(values, hidden, lines, np.flatnonzero(line), small)
    if not small.any():
        return None
    solved = _find_solved_cells(hidden, lines)
    exposed = np.flatnonzero(solved & small)
    if len(exposed):
        beside = np.flatnonzero((lines[(lines[:, solved] != 0).any(axis=1)] != 0).any(axis=0))
        return _choose_beside(values, hidden, lines, beside, small)
    pinned = next(_find_pinned(values, hidden, small, lines), None)
    if pinned is None:
        return None
    touching = np.flatnonzero(lines[:, pinned])
    beside = np.flatnonzero(np.abs(lines[touching]).sum(axis=0))
    return _choose_beside(values, hidden, lines, beside, small)


def _choose_beside(
    values: Vector, hidden: Flags, lines: Vector, beside: NDArray[np.intp], small: Flags
) -> int | None:
    """Choose among shown cells: the one that leaves fewest small cells exposed, then the least.

    Cells come before totals, and cells with people in them before empty ones.
    """
    within = set(beside.tolist())
    shown = [cell for cell in range(len(values)) if not hidden[cell] and cell in within]
    shown = shown or np.flatnonzero(~hidden).tolist()
    totals = set(np.flatnonzero(lines.min(axis=0) < 0).tolist())

    def rank(cell: int) -> tuple[int, bool, bool, float, int]:
        trial = hidden.copy()
        trial[cell] = True
        left = int((_find_solved_cells(trial, lines) & small).sum())
        people = float(values[cell])
        return left, cell in totals, people == 0, people, cell

    return min(shown, key=rank, default=None)


def _find_solved_cells(hidden: Flags, lines: Vector) -> Flags:
    solved = np.zeros(len(hidden), dtype=bool)
    unknown = np.flatnonzero(hidden)
    solved[unknown] = find_determined(lines[:, unknown])
    return solved


def _find_pinned(
    values: Vector,
    hidden: Flags,
    small: Flags,
    lines: Vector,
) -> Iterator[int]:
    """Yield small cells that have one value only, because no count is below zero."""
    from scipy.optimize import linprog

    unknown = np.flatnonzero(hidden)
    if len(unknown) > _LARGEST_ATTACK:
        return
    known = -lines[:, ~hidden] @ values[~hidden]
    for position in np.flatnonzero(small[unknown]):
        aim = np.zeros(len(unknown))
        aim[position] = 1.0
        ends = [
            linprog(sign * aim, A_eq=lines[:, unknown], b_eq=known, bounds=(0, None)).fun
            for sign in (1, -1)
        ]
        low, high = ends[0], -ends[1] if ends[1] is not None else math.inf
        if low is not None and high - low < 1:
            yield int(unknown[position])
