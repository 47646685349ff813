"""How many people were asked: hidden where it would give back how few of them have no score."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import PurePath

import pandas as pd

from sbwork.grade.disclosure.totals import Place, Total, find_telling_totals
from sbwork.read.checks import CheckKind
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import has_flag

__all__ = ["coarsen_rows", "find_secret_bases", "hide_bases", "suppress_questionnaires"]

_SHARES = ("share_before",)
_ATTRITION = ("attrition_share", "attrition_difference")
_ENOUGH = 100
_NOTE = "Rounded, and without the number of people, which would give back a hidden one."
_COUNT_NOTE = "Hidden: it would give back how few people have no score."


def find_secret_bases(
    findings: pd.DataFrame, hidden: pd.Series[bool], cohort: Cohort
) -> set[Place]:
    """Find the sites and periods of which the number of people asked must not be known.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Before anything is hidden.
    hidden : pandas.Series of bool
        Which rows will be.
    cohort : Cohort
        Its sites, and the smallest group that may be shown.

    Returns
    -------
    set of (str, str)
        Those where a scale's ``n_unscored`` is hidden, and the totals from which theirs would
        follow. What is asked is asked for every scale, so one hidden number hides all of a place.
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
            place: Total(counts[place], inside)
            for place, inside in parts.items()
            if place in counts and place not in secret
        }
        within = {place: counts[place] for place in cells & secret if place in counts}
        secret |= find_telling_totals(totals, within, cohort.smallest_group)
    return secret


def hide_bases(findings: pd.DataFrame, places: Collection[Place]) -> pd.DataFrame:
    """Hide how many people were asked at some places, and shares exact enough to tell.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        The rest is hidden already.
    places : collection of (str, str)
        From `find_secret_bases`.

    Returns
    -------
    pandas.DataFrame
        A copy. The rows keep `Flag.N_HIDDEN` in place of `n`.
    """
    if not places:
        return findings
    here = pd.Series(
        [place in places for place in zip(findings["site"], findings["period"], strict=True)],
        index=findings.index,
    )
    counted = here & ((findings["section"] == "weights") | (findings["estimator"] == "n_scored"))
    exact = here & findings["estimator"].isin(_SHARES)
    if any(period == "before" for _, period in places):
        exact |= findings["estimator"].isin(_ATTRITION)
    shown = _drop_numbers(findings, counted & ~exact, ["n"])
    return coarsen_rows(shown, exact & findings["estimate"].notna())


def coarsen_rows(findings: pd.DataFrame, rows: pd.Series[bool]) -> pd.DataFrame:
    """Round figures so far that the number of people cannot be worked out from them.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Any findings.
    rows : pandas.Series of bool
        Which of them.

    Returns
    -------
    pandas.DataFrame
        A copy: estimates and intervals to two decimals, p to three, `n`, standard errors and
        degrees of freedom missing; below 100 people no interval, as its width would tell.
    """
    if not rows.any():
        return findings
    few = rows & (findings["n"] < _ENOUGH)
    shown = _drop_numbers(findings, rows, ["n", "df", "se", "statistic"])
    ends = ["ci_low", "ci_high"]
    shown.loc[rows, ["estimate", *ends]] = shown.loc[rows, ["estimate", *ends]].round(2)
    shown.loc[rows, ["p_value", "p_adjusted"]] = shown.loc[rows, ["p_value", "p_adjusted"]].round(3)
    shown.loc[few, ends] = math.nan
    shown.loc[rows, "note"] = [f"{note} {_NOTE}".strip() for note in shown.loc[rows, "note"]]
    return shown


def suppress_questionnaires(
    quality: pd.DataFrame, findings: pd.DataFrame, cohort: Cohort
) -> pd.DataFrame:
    """Hide how many questionnaires the files hold where that would give back a hidden number.

    Parameters
    ----------
    quality : pandas.DataFrame
        ``Responses.quality``.
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        As `suppress_findings` returns them.
    cohort : Cohort
        Which site and wave each file holds.

    Returns
    -------
    pandas.DataFrame
        A copy, with the counts missing and the reason in the note: of rows read and answers used,
        where the file may hold a site and wave whose number of people asked is hidden; of people
        linked across waves, where the number of those who were lost is.
    """
    rows = findings[findings["estimator"] == "n_scored"]
    places = {
        (str(row["site"]), str(row["period"]))
        for _, row in rows.iterrows()
        if has_flag(row, Flag.N_HIDDEN) and row["site"] in cohort.sites and row["period"] != "all"
    }
    lost = findings[findings["estimator"] == "attrition_share"]["estimate"]
    telling = [
        (
            (kind in (CheckKind.ROWS_READ, CheckKind.USED) and _holds_any(source, places, cohort))
            or (kind == CheckKind.LINKED and bool(lost.isna().any()))
        )
        for source, kind in zip(quality["source"], quality["kind"], strict=True)
    ]
    hidden = pd.Series(telling, index=quality.index, dtype=bool)
    return quality.assign(
        count=quality["count"].mask(hidden), note=quality["note"].mask(hidden, _COUNT_NOTE)
    )


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
