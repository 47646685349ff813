"""Tables of survey scales: waves, differences in differences, reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.cohort import Cohort
from sbwork.estimates import Flag
from sbwork.formats import (
    MISSING,
    format_count,
    format_interval,
    format_number,
    format_p,
    format_share,
)
from sbwork.instrument import Instrument
from sbwork.results import find_row, has_flag, select_findings
from sbwork.tables.layout import describe_value, lay_out

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_differences", "tabulate_reliability", "tabulate_scales"]

_VERDICTS = {
    Flag.EFFECT: "Effect, among these people",
    Flag.NO_MEANINGFUL_EFFECT: "No meaningful effect, among these people",
    Flag.INCONCLUSIVE: "Inconclusive",
}


def tabulate_scales(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out every scale by site: n, means by wave, the difference with its tests."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales", estimator="mean_difference")
    for _, row in chosen.iterrows():
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        means = [
            find_row(findings, **place, estimator="mean", period=wave)
            for wave in ("before", "after")
        ]
        g = find_row(findings, **place, estimator="hedges_g")
        notes.append(row["note"])
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Site": _title_group(cohort, row["site"]),
                "n": " / ".join(describe_value(mean, format_count, "n") for mean in means),
                "Before": describe_value(means[0], format_number),
                "After": describe_value(means[1], format_number),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "Welch t (df)": (
                    MISSING
                    if math.isnan(row["statistic"])
                    else f"{format_number(row['statistic'])} ({format_number(row['df'], 1)})"
                ),
                "p": format_p(row["p_value"]),
                "Hedges g": describe_value(g, format_number),
            }
        )
    return lay_out(
        rows,
        name="scales",
        title="Residents' scales, before and after",
        subtitle="Independent-samples t-tests: a description of each place, not yet a comparison",
        stub="Site",
        group="Scale",
        spanners={"Mean score": ["Before", "After"]},
        notes=[*notes, "n: people with a score, before / after."],
    )


def tabulate_differences(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out the difference in differences of every scale, with what it would take to erase it."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales", estimator="difference_in_differences")
    for _, row in chosen.iterrows():
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        tau, smallest, g = (
            find_row(findings, **place, estimator=estimator)
            for estimator in ("tau_star", "smallest_detectable_difference", "did_hedges_g")
        )
        verdict = find_row(findings, **place, estimator="tost")
        notes += [each["note"] for each in (row, tau, verdict) if each is not None]
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Pair": _title_pair(cohort, row),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "p": format_p(row["p_value"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "In SD": describe_value(g, format_number),
                "Smallest detectable (SD)": describe_value(smallest, format_number),
                "Shock that erases it": describe_value(tau, format_number),
                "Verdict": _write_verdict(verdict),
            }
        )
    return lay_out(
        rows,
        name="differences",
        title="Did the areas change more than their control sites?",
        subtitle="Difference in differences, in points of the scale",
        stub="Pair",
        group="Scale",
        text=["Verdict"],
        notes=notes,
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
                "n": format_count(alpha["n"]),
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


def _title_pair(cohort: Cohort, row: pd.Series[Any]) -> str:
    """Name a pair; where its figures are weighted, with the number of people behind them."""
    title = cohort.title_pair(row["site"])
    weighted = has_flag(row, Flag.WEIGHTED) and not math.isnan(row["n"])
    return f"{title} (n = {format_count(row['n'])})" if weighted else title


def _write_verdict(verdict: pd.Series[Any] | None) -> str:
    if verdict is None:
        return ""
    return next((words for flag, words in _VERDICTS.items() if has_flag(verdict, flag)), "")


def _title_group(cohort: Cohort, site: str) -> str:
    together = {
        "intervention": "All areas together",
        "control": "All control sites",
        "all": "All sites together",
    }
    return together.get(site) or cohort.title_site(site)
