"""People who answered both waves: who they are, who was lost, and what they show of a pair."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats import Estimate, Flag
from sbwork.stats.ancova import AncovaFit, fit_ancova, pool_ancovas
from sbwork.stats.findings import Finding
from sbwork.stats.shares import estimate_share, estimate_share_difference

__all__ = ["LinkedPeople", "compare_linked", "describe_attrition", "link_people"]

_SECTION = "scales"
_WAVES = ("before", "after")
_ANCOVA = "People who answered both waves: the difference afterwards at the same score before."
_LOST = "Share of the people of the first wave who did not answer again."
_WEIGHTED = "Weighted; n counts people before weighting."


@dataclass(frozen=True)
class LinkedPeople:
    """The people who answered each wave once in one site.

    rows: One row a person: ``site``, ``person``, and ``weight`` and each scale ``_before`` and
        ``_after``.
    panels: The sites where everybody in the second wave had answered the first.
    clustered: Whether people come in clusters, for which `compare_linked` does not allow.
    """

    rows: pd.DataFrame
    panels: frozenset[str]
    clustered: bool = False


def link_people(scores: pd.DataFrame, scales: Sequence[str]) -> LinkedPeople | None:
    """Join the two waves of everybody who answered each once in one site; None where nobody did.

    A weight of 0 leaves a row out.
    """
    usable = scores[scores["weight"] > 0]
    known = usable[_find_linkable(usable)]
    before, after = (known[known["wave"] == wave] for wave in _WAVES)
    both = before.merge(
        after[["site", "person", "weight", *scales]],
        on=["site", "person"],
        suffixes=("_before", "_after"),
    )
    if both.empty:
        return None
    followed = usable.loc[usable["wave"] == "after", "site"].value_counts()
    linked = both["site"].value_counts()
    panels = frozenset(str(site) for site, n in linked.items() if n == followed.get(site))
    return LinkedPeople(both, panels, "cluster" in scores and bool((scores["cluster"] != "").any()))


def compare_linked(
    scale: str, linked: LinkedPeople, cohort: Cohort, answered: Collection[tuple[str, str]]
) -> Iterator[Finding]:
    """Yield ``ancova`` (points) for each pair and, as their mean, for all that are compared.

    `Flag.LEADS` is set where sites were drawn by lot, everybody in the second wave had answered the
    first, and no clusters are given. `answered` are the sites and waves with at least two scores.
    """
    weighted = bool((linked.rows[["weight_before", "weight_after"]] != 1).any(axis=None))
    fits = {pair: _fit_pair(scale, linked.rows, pair) for pair in cohort.pairs if pair.control}
    chosen = [pair for pair in cohort.list_surveyed_pairs(answered) if pair in fits]
    compared = [([pair], pair.intervention, str(pair.control)) for pair in fits]
    if chosen:
        compared.append((chosen, "all", "control"))
    for pairs, site, comparison in compared:
        estimate = pool_ancovas([fits[pair] for pair in pairs])
        flags = [*estimate.flags, Flag.LINKED, *([Flag.WEIGHTED] if weighted else [])]
        if not np.isnan(estimate.p_value) and _may_lead(pairs, linked, cohort):
            flags.append(Flag.LEADS)
        notes = (estimate.note, _ANCOVA, _WEIGHTED if weighted else "")
        note = " ".join(text for text in notes if text)
        found = replace(estimate, note=note, flags=tuple(flags))
        yield Finding(_SECTION, scale, site, found, comparison=comparison, period="change")


def describe_attrition(
    scores: pd.DataFrame, sites: Sequence[str], cohort: Cohort
) -> Iterator[Finding]:
    """Yield who of the first wave was lost: ``attrition_share`` and ``attrition_difference``.

    Of the outcome ``"questionnaire"``, as shares of the people of the first wave whose ids are
    known; per site, for all intervention and all control sites, and per pair.
    """
    known = scores.loc[_find_linkable(scores), ["wave", "site", "person"]]
    before = known[known["wave"] == "before"]
    after = known.loc[known["wave"] == "after", ["site", "person"]]
    stayed = before.merge(after, on=["site", "person"])["site"].value_counts()
    asked = before["site"].value_counts()
    lost: dict[str, tuple[int, int]] = {}
    for group, members in _list_groups(sites, cohort).items():
        count = sum(int(asked.get(site, 0)) for site in members)
        lost[group] = (count - sum(int(stayed.get(site, 0)) for site in members), count)
        share = estimate_share(*lost[group], estimator="attrition_share")
        yield _find_lost(group, replace(share, note=f"{share.note} {_LOST}".strip()))
    for pair in cohort.pairs:
        if pair.control:
            counts = (*lost[pair.intervention], *lost[pair.control])
            difference = estimate_share_difference(*counts, estimator="attrition_difference")
            yield _find_lost(pair.intervention, difference, pair.control)


def _find_lost(site: str, estimate: Estimate, comparison: str = "") -> Finding:
    return Finding(_SECTION, "questionnaire", site, estimate, comparison, "change")


def _list_groups(sites: Sequence[str], cohort: Cohort) -> Mapping[str, Sequence[str]]:
    groups: dict[str, Sequence[str]] = {site: (site,) for site in sites}
    groups["intervention"] = [pair.intervention for pair in cohort.pairs]
    groups["control"] = list(dict.fromkeys(pair.control for pair in cohort.pairs if pair.control))
    return {group: members for group, members in groups.items() if members}


def _find_linkable(scores: pd.DataFrame) -> pd.Series:
    person = scores["person"].fillna("")
    return (person != "") & ~scores.duplicated(["wave", "site", "person"], keep=False)


def _fit_pair(scale: str, linked: pd.DataFrame, pair: Pair) -> AncovaFit:
    """Fit one pair on everybody linked; the scores of other sites are left out."""
    inside = linked["site"].isin([pair.intervention, pair.control])
    return fit_ancova(
        linked[f"{scale}_after"].where(inside).to_numpy(),
        linked[f"{scale}_before"].to_numpy(),
        (linked["site"] == pair.intervention).to_numpy(),
        linked["weight_after"].to_numpy(),
    )


def _may_lead(pairs: Sequence[Pair], linked: LinkedPeople, cohort: Cohort) -> bool:
    """Say whether sites were drawn by lot, and their second wave holds nobody new."""
    sites = {site for pair in pairs for site in (pair.intervention, pair.control)}
    drawn = cohort.assignment == "randomised" and not linked.clustered
    return drawn and sites <= linked.panels
