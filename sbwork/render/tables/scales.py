"""Tables of survey scales: waves, differences in differences, reliability."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.render.tables.layout import describe_value, lay_out
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_count,
    format_interval,
    format_list,
    format_number,
    format_p,
    format_share,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_differences", "tabulate_reliability", "tabulate_scales"]

_RISES = ("mean_difference", "mean_difference_people")
_COMPARED = {
    "difference_in_differences": "",
    "difference_in_differences_with_shock": ", with shocks of {shock:g} SD",
    "ancova": ", same score before",
}
_VERDICTS = {
    Flag.EFFECT: "Effect, among {reach}",
    Flag.NO_MEANINGFUL_EFFECT: "No meaningful effect, among {reach}",
    Flag.INCONCLUSIVE: "Inconclusive",
}


def tabulate_scales(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out every scale by site: n, means by wave, the difference with its tests."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales")
    chosen = chosen[chosen["estimator"].isin(_RISES)]
    linked = False
    for _, row in chosen.iterrows():
        people = row["estimator"] == "mean_difference_people"
        if people and (row["site"] != "intervention" or len(cohort.pairs) < 2):
            continue
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        means = [
            find_row(findings, **place, estimator="mean", period=wave)
            for wave in ("before", "after")
        ]
        g = None if people else find_row(findings, **place, estimator="hedges_g")
        linked |= has_flag(row, Flag.LINKED) or has_flag(row, Flag.PARTLY_LINKED)
        notes.append(row["note"])
        title = _title_group(cohort, row["site"])
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Site": f"{title}, as one sample of people" if people else title,
                "n": " / ".join(describe_value(mean, format_count, "n") for mean in means),
                "Before": "" if people else describe_value(means[0], format_number),
                "After": "" if people else describe_value(means[1], format_number),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "Welch t (df)": (
                    MISSING
                    if math.isnan(row["statistic"])
                    else f"{format_number(row['statistic'])} ({format_number(row['df'], 1)})"
                ),
                "p": format_p(row["p_value"]),
                "Hedges g": "" if people else describe_value(g, format_number),
            }
        )
    tests = "t-tests, of people's own changes where they are known" if linked else "t-tests"
    return lay_out(
        rows,
        name="scales",
        title="Residents' scales, before and after",
        subtitle=f"Welch's {tests}: a description of each place, not yet a comparison",
        stub="Site",
        group="Scale",
        spanners={"Mean score": ["Before", "After"]},
        notes=[*notes, "n: people with a score, before / after."],
    )


def tabulate_differences(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out what compares the pairs on every scale, what leads first, and what it can bear.

    Scales declared in advance come first, and of each scale all pairs together. Beside the row
    that leads stand the difference in differences or the comparison at the same score before, and
    the one with a stated shock.
    """
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales")
    chosen = chosen[chosen["estimator"].isin(_COMPARED)]
    chosen = chosen.assign(
        later=~chosen["outcome"].isin(cohort.confirmatory),
        place=chosen["site"] != "all",
        beside=[not has_flag(row, Flag.LEADS) for _, row in chosen.iterrows()],
        scale=chosen["outcome"].map({key: k for k, key in enumerate(instrument.scales)}),
        pair=chosen["site"].map({pair.intervention: k for k, pair in enumerate(cohort.pairs)}),
    ).sort_values(["later", "scale", "place", "pair", "beside"], kind="stable")
    people: dict[str, None] = {}
    for _, row in chosen.iterrows():
        find = partial(
            find_row, findings, section="scales", outcome=row["outcome"], site=row["site"]
        )
        whole = row["estimator"] == "difference_in_differences"
        smallest, g = (
            find(estimator=estimator) if whole else None
            for estimator in ("smallest_detectable_difference", "did_hedges_g")
        )
        stated = "_with_shock" if row["estimator"].endswith("_with_shock") else ""
        verdict = find(estimator=f"tost{stated}") if whole or stated else None
        within = verdict is not None and has_flag(verdict, Flag.NO_MEANINGFUL_EFFECT)
        shock = find(estimator="tau_star_equivalence" if within else "tau_star") if whole else None
        notes += [str(each["note"]) for each in (row, shock, verdict) if each is not None]
        if whole:
            people[_describe_people(row)] = None
        rows.append(
            {
                "Scale": _title_scale(cohort, instrument, row["outcome"]),
                "Pair": _title_pair(cohort, row),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "p": format_p(row["p_value"]),
                "In SD": _write(g, whole),
                "Smallest detectable (SD)": _write(smallest, whole),
                "Shock that undoes it": _write_shock(shock),
                "Verdict": _describe_verdict(verdict),
            }
        )
    return lay_out(
        rows,
        name="differences",
        title="Did the areas change more than their control sites?",
        subtitle="Difference in differences, in points of the scale, of "
        f"{format_list(list(people)) or 'people'} in the two waves",
        stub="Pair",
        group="Scale",
        text=["Verdict"],
        notes=[*notes, *_explain_adjusting(cohort, instrument)],
    )


def tabulate_reliability(findings: pd.DataFrame, instrument: Instrument) -> GT:
    """Lay out how reliable each scale is, over all sites and waves."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="reliability", site="all", period="all")
    for scale in instrument.scales:
        place = chosen[chosen["outcome"] == scale]
        alpha, omega, floor, ceiling = (
            find_row(place, estimator=estimator)
            for estimator in ("alpha", "omega_total", "floor_share", "ceiling_share")
        )
        if alpha is None:
            continue
        shown = (alpha, omega, floor, ceiling)
        notes += [row["note"] for row in shown if row is not None]
        rows.append(
            {
                "Scale": instrument.title_scale(scale),
                "Items": str(len(instrument.list_scale_items(scale))),
                "n": "hidden" if has_flag(alpha, Flag.N_HIDDEN) else format_count(alpha["n"]),
                "Alpha": format_number(alpha["estimate"]),
                "95% interval": format_interval(alpha["ci_low"], alpha["ci_high"]),
                "Omega total": describe_value(omega, format_number),
                "At the floor": describe_value(floor, format_share),
                "At the ceiling": describe_value(ceiling, format_share),
            }
        )
    items = select_findings(chosen, estimator="item_rest_correlation")
    notes += [note for note in items["note"] if note]
    return lay_out(
        rows,
        name="reliability",
        title="How reliably each scale measures",
        stub="Scale",
        notes=notes,
    )


def _title_scale(cohort: Cohort, instrument: Instrument, scale: str) -> str:
    title = instrument.title_scale(scale)
    if not cohort.confirmatory:
        return title
    return f"{title} ({'confirmatory' if scale in cohort.confirmatory else 'exploratory'})"


def _title_pair(cohort: Cohort, row: pd.Series[Any]) -> str:
    """Name a pair and what is compared; where weighted, with the number of people behind it."""
    title = cohort.title_pair(row["site"])
    title += _COMPARED[row["estimator"]].format(shock=cohort.area_shock_sd)
    weighted = has_flag(row, Flag.WEIGHTED) and not math.isnan(row["n"])
    return f"{title} (n = {format_count(row['n'])})" if weighted else title


def _write(row: pd.Series[Any] | None, whole: bool) -> str:
    return describe_value(row, format_number) if whole else ""


def _write_shock(row: pd.Series[Any] | None) -> str:
    if row is not None and row["reason"] == Reason.NOT_APPLICABLE:
        return "none needed"
    return _write(row, row is not None)


def _describe_people(row: pd.Series[Any]) -> str:
    if has_flag(row, Flag.LINKED):
        return "the same people"
    return "partly the same people" if has_flag(row, Flag.PARTLY_LINKED) else "different people"


def _describe_verdict(row: pd.Series[Any] | None) -> str:
    if row is None:
        return ""
    reach = "such areas" if row["estimator"].endswith("_with_shock") else "these people"
    words = [word for flag, word in _VERDICTS.items() if has_flag(row, flag)]
    return words[0].format(reach=reach) if words else ""


def _explain_adjusting(cohort: Cohort, instrument: Instrument) -> list[str]:
    several = len(instrument.scales) > 1
    if not several:
        return []
    rest = "Benjamini and Hochberg's method"
    counted = "the number of scales (of single pairs, for that of scales and pairs)"
    if not cohort.confirmatory:
        return [f"p adjusted: for {counted}, by {rest}."]
    return [
        f"p adjusted: for {counted}, by Holm's method over the confirmatory scales, which were "
        f"named in advance, and by {rest} over the others."
    ]


def _title_group(cohort: Cohort, site: str) -> str:
    together = {
        "intervention": "All areas together",
        "control": "All control sites",
        "all": "All sites together",
    }
    return together.get(site) or cohort.title_site(site)
