"""What may be shown: small groups hidden, and whatever would give them back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from sbwork.grade.cross_tables import find_determined
from sbwork.read.checks import CheckKind
from sbwork.read.surveys import Responses
from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import has_flag

__all__ = ["suppress_findings", "suppress_responses"]

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
_ATTRITION = ("attrition_share", "attrition_difference")
_ENOUGH_TO_SHOW_WIDTH = 100
_ROUNDED_NOTE = "Rounded, and without the number of people, which would give back a hidden one."
_COUNT_NOTE = "Hidden: it would give back a number of people that is hidden."
_COUNTS = tuple(CheckKind(kind) for kind in ("rows_read", "used", "doubt", "linked", "join"))

Place = tuple[str, str]
"""A site and a period."""


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
    and wherever else it stands, since the number with a score is shown.

    Of the weights, a category with few people loses its number and its shares, so does the next
    smallest of the same column, until the people hidden together are as many, since shares add up
    to 1, and so does the largest weight: it is often such a category's target over its share.

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
    bases = _find_secret_bases(findings, hidden, cohort)
    hidden |= _mark_unscored(findings, bases)
    hidden |= _find_small_samples(findings, cohort)
    few = hidden.copy()
    hidden |= _hide_incidents(findings, cohort)
    shown = _blank(findings, few, hidden, cohort)
    shown = _coarsen_rows(shown, _find_nearly_all(findings, cohort) & ~hidden)
    shown = _coarsen_rows(shown, _find_linked(findings, hidden, cohort) & ~hidden)
    return _suppress_weights(_hide_bases(shown, bases), cohort.smallest_group)


def suppress_responses(
    responses: Responses, scores: pd.DataFrame, findings: pd.DataFrame, cohort: Cohort
) -> tuple[Responses, pd.DataFrame]:
    """Leave small groups out of the answers and scores, and hide counts that would tell of them.

    A site and wave with fewer people than ``smallest_group`` is in none of the frames returned but
    that of stories. `findings` are those that `suppress_findings` returns. Counts of
    ``Responses.quality`` are missing, with the reason in the note, where they are of people, and
    the file may hold such a site and wave, or one whose number of people asked is hidden; of people
    linked across waves, also where the number of those who were lost is.
    """
    answers = responses.answers
    sizes = Counter(zip(answers["site"], answers["wave"], strict=True))
    small = {place for place, size in sizes.items() if size < cohort.smallest_group}
    rows = findings[findings["estimator"] == "n_scored"]
    secret = small | {
        (str(row["site"]), str(row["period"]))
        for _, row in rows.iterrows()
        if has_flag(row, Flag.N_HIDDEN) and row["site"] in cohort.sites and row["period"] != "all"
    }
    quality = _suppress_counts(responses.quality, secret, findings, cohort)
    kept = {
        name: _leave_out(getattr(responses, name), small)
        for name in ("answers", "nonresponse", "multiple")
    }
    return replace(responses, quality=quality, **kept), _leave_out(scores, small)


def _leave_out(rows: pd.DataFrame, places: Collection[Place]) -> pd.DataFrame:
    inside = [place in places for place in zip(rows["site"], rows["wave"], strict=True)]
    return rows[~np.array(inside, dtype=bool)].reset_index(drop=True) if any(inside) else rows


def _suppress_counts(
    quality: pd.DataFrame, places: Collection[Place], findings: pd.DataFrame, cohort: Cohort
) -> pd.DataFrame:
    lost = findings[findings["estimator"] == "attrition_share"]["estimate"].isna().any()
    telling = [
        (kind in _COUNTS and count > 0 and _holds_any(source, places, cohort))
        or (kind == CheckKind.LINKED and lost)
        for source, kind, count in zip(
            quality["source"], quality["kind"], quality["count"], strict=True
        )
    ]
    hidden = pd.Series(telling, index=quality.index, dtype=bool)
    return quality.assign(
        count=quality["count"].mask(hidden),
        lost=quality["lost"].mask(hidden),
        note=quality["note"].mask(hidden, _COUNT_NOTE),
    )


def _find_small_samples(findings: pd.DataFrame, cohort: Cohort) -> pd.Series:
    """Find what weights tell of a site and wave with few people; their targets stay."""
    weights = findings[findings["section"] == "weights"]
    people = weights.groupby(["site", "period"])["n"].transform("max")
    few = (people < cohort.smallest_group) & (weights["estimator"] != "target_share")
    return few.reindex(findings.index, fill_value=False)


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
        place: _Total(count, frozenset(_list_cells(place, bases, cohort, answered)))
        for place, count in counts.items()
        if place not in bases and place not in unsafe
    }
    return unsafe | _find_telling_totals(totals, secret, small)


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


def _find_secret_bases(
    findings: pd.DataFrame, hidden: pd.Series[bool], cohort: Cohort
) -> set[Place]:
    """Find the sites and periods of which the number of people asked must not be known.

    Those where a scale's ``n_unscored`` is hidden, and the totals from which theirs would follow.
    What is asked is asked for every scale, so one hidden number hides all of a place.
    """
    rows = findings[(findings["section"] == "scores") & (findings["estimator"] == "n_unscored")]
    places = list(zip(rows["site"], rows["period"], strict=True))
    secret = {place for place, gone in zip(places, hidden[rows.index], strict=True) if gone}
    cells = {place for place in places if place[0] in cohort.sites and place[1] != "all"}
    parts = {
        (site, period): frozenset(
            cell for cell in cells if site in ("all", cell[0]) and period in ("all", cell[1])
        )
        for site, period in set(places) - cells
    }
    for _, family in rows.groupby("outcome", sort=False):
        counts = dict(
            zip(zip(family["site"], family["period"], strict=True), family["estimate"], strict=True)
        )
        totals = {
            place: _Total(counts[place], inside)
            for place, inside in parts.items()
            if place in counts and place not in secret
        }
        within = {place: counts[place] for place in cells & secret if place in counts}
        secret |= _find_telling_totals(totals, within, cohort.smallest_group)
    return secret


def _hide_bases(findings: pd.DataFrame, places: Collection[Place]) -> pd.DataFrame:
    """Hide how many people were asked at some places, and shares exact enough to tell."""
    if not places:
        return findings
    here = pd.Series(
        [place in places for place in zip(findings["site"], findings["period"], strict=True)],
        index=findings.index,
    )
    counted = here & ((findings["section"] == "weights") | (findings["estimator"] == "n_scored"))
    exact = here & (findings["estimator"] == "share_before")
    if any(period == "before" for _, period in places):
        exact |= findings["estimator"].isin(_ATTRITION)
    shown = _drop_numbers(findings, counted & ~exact, ["n"])
    return _coarsen_rows(shown, exact & findings["estimate"].notna())


def _coarsen_rows(findings: pd.DataFrame, rows: pd.Series[bool]) -> pd.DataFrame:
    """Round figures so far that the number of people cannot be worked out from them.

    Estimates and intervals to two decimals, p to three; `n`, standard errors and degrees of freedom
    missing; below 100 people no interval, as its width would tell.
    """
    if not rows.any():
        return findings
    few = rows & (findings["n"] < _ENOUGH_TO_SHOW_WIDTH)
    ends = ["ci_low", "ci_high"]
    shown = _drop_numbers(findings, rows, ["n", "df", "se", "statistic"])
    shown.loc[rows, ["estimate", *ends]] = shown.loc[rows, ["estimate", *ends]].round(2)
    shown.loc[rows, ["p_value", "p_adjusted"]] = shown.loc[rows, ["p_value", "p_adjusted"]].round(3)
    shown.loc[few, ends] = math.nan
    notes = shown.loc[rows, "note"]
    shown.loc[rows, "note"] = (notes + f" {_ROUNDED_NOTE}").str.strip()
    return shown


def _holds_any(source: str, places: Collection[Place], cohort: Cohort) -> bool:
    """Say whether a file may hold answers of one of these sites and waves."""
    name = PurePath(source.replace("\\", "/")).name
    named = [spec for spec in cohort.surveys if spec.path.replace("\\", "/").endswith(name)]
    return any(
        spec.wave in (None, wave) and (not spec.site or cohort.identify_site(spec.site) == site)
        for spec in named or cohort.surveys
        for site, wave in places
    )


def _drop_numbers(
    findings: pd.DataFrame, rows: pd.Series[bool], columns: list[str]
) -> pd.DataFrame:
    shown = findings.copy()
    shown.loc[rows, columns] = math.nan
    shown.loc[rows, "flags"] = [
        f"{flags} {Flag.N_HIDDEN}".strip() for flags in shown.loc[rows, "flags"]
    ]
    return shown


@dataclass(frozen=True, slots=True)
class _Total:
    """A figure over several cells: how many people, and which cells."""

    count: float
    cells: frozenset[Place]


def _find_telling_totals(
    totals: Mapping[Place, _Total], secret: Mapping[Place, float], small: int
) -> set[Place]:
    """Find totals from which hidden cells follow, alone or set against one another.

    `totals` are those that would be shown, `secret` the hidden cells and how many people each
    holds. Returned are those to hide as well, so that the rest lets no hidden cell be worked out
    and leaves no hidden cells together with 1 to `small` - 1 people.
    """
    shown = {key: total for key, total in totals.items() if total.cells & set(secret)}
    telling: set[Place] = set()
    while shown:
        exposed = _find_small_remainders(shown, secret, small) or _find_solved(shown, secret)
        if not exposed:
            break
        worst = min(exposed, key=lambda key: (shown[key].count, key))
        telling.add(worst)
        del shown[worst]
    return telling


def _find_small_remainders(
    shown: Mapping[Place, _Total], secret: Mapping[Place, float], small: int
) -> set[Place]:
    left = {key: total.cells & set(secret) for key, total in shown.items()}
    exposed = set()
    for key, cells in left.items():
        others = [frozenset[Place](), *(c for k, c in left.items() if k != key and c < cells)]
        for inner in others:
            remainder = sum(secret[cell] for cell in cells - inner)
            if 1 <= remainder < small:
                exposed.add(key)
    return exposed


def _find_solved(shown: Mapping[Place, _Total], secret: Mapping[Place, float]) -> set[Place]:
    cells = list(secret)
    system = np.array([[float(cell in total.cells) for cell in cells] for total in shown.values()])
    solved = {cells[i] for i in np.flatnonzero(find_determined(system))}
    return {key for key, total in shown.items() if total.cells & solved}


def _suppress_weights(findings: pd.DataFrame, smallest_group: int) -> pd.DataFrame:
    """Hide the shares of categories that few people of a site and wave are in; targets stay."""
    rows = findings[findings["section"] == "weights"]
    if rows.empty:
        return findings
    shown = findings.copy()
    note = f"Hidden: fewer than {smallest_group} people."
    for _, sample in rows.groupby(["site", "period"], sort=False):
        hidden = set(_find_hidden_categories(sample, smallest_group))
        if not hidden:
            continue
        inside = sample["outcome"].isin(hidden)
        shares = sample.index[inside & sample["estimator"].isin(["share_before", "share_after"])]
        largest = sample.index[sample["estimator"] == "largest_weight"]
        for index in (shares, largest):
            shown.loc[index, ["estimate", "n"]] = math.nan
            shown.loc[index, "note"] = note
        shown.loc[sample.index[inside], "n"] = math.nan
    return shown


def _find_hidden_categories(sample: pd.DataFrame, smallest_group: int) -> Iterator[str]:
    """Yield the outcomes of one site and wave that are to be hidden."""
    categories = sample[sample["outcome"].str.contains("/", regex=False)]
    counts = categories.groupby("outcome", sort=False)["n"].max()
    variables: dict[str, dict[str, float]] = {}
    for outcome, n in counts.items():
        variables.setdefault(str(outcome).partition("/")[0], {})[str(outcome)] = float(n)
    for categories_of_one in variables.values():
        yield from _choose_categories(categories_of_one, smallest_group)


def _choose_categories(counts: Mapping[str, float], smallest_group: int) -> list[str]:
    order = sorted(counts, key=lambda name: counts[name])
    chosen = [name for name in order if 1 <= counts[name] < smallest_group]
    if not chosen:
        return []
    for name in order:
        if len(chosen) > 1 and sum(counts[each] for each in chosen) >= smallest_group:
            break
        if name not in chosen:
            chosen.append(name)
    return chosen
