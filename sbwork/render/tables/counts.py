"""Tables of counts: changes, comparisons with control sites, placebos, reported figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.grade.headlines import find_headline
from sbwork.render.tables.layout import describe_interval, describe_value, lay_out
from sbwork.specs.cohort import HARM, Cohort
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_change,
    format_count,
    format_interval,
    format_list,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = [
    "tabulate_changes",
    "tabulate_count_models",
    "tabulate_placebos",
    "tabulate_pooled",
    "tabulate_reported_figures",
]

_POOLED = (
    ("placebo", "rirr_placebo", "Interval from placebo areas"),
    ("counts", "rirr_pooled_bayes", "Random effects"),
    ("counts", "rirr_pooled", "REML, Knapp and Hartung"),
    ("counts", "rirr_pooled_fixed", "Fixed effects (not used)"),
)

_PLACEBO_NOTE = (
    "Areas: how many of like size, in which nothing was done, stand in for the site{or_control}. "
    "Rank p: how often {drawn} changed at least as much (two-sided, by randomisation). Smallest "
    "possible: the rank p of {kind} that changed more than every other, and the same adjusted. "
    "RIRR interval by placebos: how far the ratio could lie from what was found, if places drift "
    "as those areas did."
)
_OF_PAIRS = {
    "or_control": " or its control",
    "drawn": "a pair drawn from those areas and the real ones",
    "kind": "a pair",
}
_OF_SITES = {
    "or_control": "",
    "drawn": "those areas, and the site among them,",
    "kind": "a site",
}


def tabulate_changes(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out the Durham table: each area beside its control site, an outcome a row."""
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    sites = [(pair, site) for pair in cohort.pairs for site in (pair.intervention, pair.control)]
    for pair, site in sites:
        if site:
            spanners.setdefault(pair.title or cohort.title_site(pair.intervention), []).append(site)
            labels[site] = cohort.title_site(site)
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    for outcome in cohort.list_outcomes():
        row = {"Change in": cohort.title_outcome(outcome)}
        for site, title in labels.items():
            row[site], note = _describe_change(findings, outcome, site)
            noted.append((f"{cohort.title_outcome(outcome)}, {title}", note))
        rows.append(row)
    notes = _name_rows(noted)
    notes.append("Each cell: percentage change; counts before and after; 95% interval.")
    return lay_out(
        rows,
        name="changes",
        title="Each area beside its control site"
        if any(pair.control for pair in cohort.pairs)
        else "Each area, before and after",
        stub="Change in",
        spanners={key: value for key, value in spanners.items() if len(value) > 1},
        labels=labels,
        notes=notes,
    )


def tabulate_count_models(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out the comparison of each pair's counts: raw change, RIRR and WDD, with intervals."""
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    outcomes = list(cohort.list_outcomes())
    for outcome in outcomes:
        title = cohort.title_outcome(outcome)
        find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
        for pair in cohort.pairs:
            rirr = find(site=pair.intervention, estimator="rirr")
            if rirr is None:
                continue
            wdd = find(site=pair.intervention, estimator="wdd_corrected")
            if wdd is None or math.isnan(wdd["estimate"]):
                wdd = find(site=pair.intervention, estimator="wdd")
            area, control = (
                find(site=site or "", estimator="percentage_change")
                for site in (pair.intervention, pair.control)
            )
            row = f"{title}, {cohort.title_pair(pair.intervention)}"
            noted.append((row, rirr["note"]))
            agreement = find(site=pair.intervention, estimator="rirr_wdd_agreement")
            if agreement is not None and agreement["estimate"] == 0:
                noted.append((row, agreement["note"]))
            rows.append(
                {
                    "Outcome": title,
                    "Pair": cohort.title_pair(pair.intervention),
                    "Months": _count_months(
                        find(site=pair.intervention, estimator="window_months"), cohort
                    ),
                    "Area": describe_value(area, format_change),
                    "Control": describe_value(control, format_change),
                    "RIRR": format_number(rirr["estimate"]),
                    "95% interval": describe_interval(rirr),
                    "p": format_p(rirr["p_value"]),
                    "p adjusted": format_p(rirr["p_adjusted"]),
                    "WDD": describe_value(wdd, format_count),
                    "WDD interval": describe_interval(wdd, digits=0),
                }
            )
    notes = _name_rows(noted)
    notes.append(
        "Months: how many on each side are compared. RIRR: relative incidence rate ratio; 1 means "
        "the area changed just as its control site did, below 1 that it fell more or rose less. "
        f"{_describe_adjustment(cohort)} WDD: weighted displacement difference, in incidents over "
        f"the window{' (of crime harm, in its points)' if HARM in outcomes else ''}."
    )
    return lay_out(
        rows,
        name="count-models",
        title="Each area against its control site",
        subtitle="Relative incidence rate ratio beside the raw change",
        stub="Pair",
        group="Outcome",
        spanners={"Raw change": ["Area", "Control"]},
        notes=notes,
    )


def tabulate_pooled(findings: pd.DataFrame, cohort: Cohort) -> GT | None:
    """Lay out the pairs taken together: each way of pooling, and how much the pairs differ.

    Returns
    -------
    great_tables.GT or None
        None where no outcome has two computed pairs.
    """
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for outcome in cohort.list_outcomes():
        find = partial(find_row, findings, outcome=outcome, site="all", period="change")
        spread = {
            name: find(section="counts", estimator=f"heterogeneity_{name}")
            for name in ("q", "i2", "tau2")
        }
        headline = find_headline(findings, outcome)
        if headline is None or headline.site != "all":
            continue
        q = spread["q"]
        for section, estimator, title in _POOLED:
            row = find(section=section, estimator=estimator)
            if row is None or math.isnan(row["estimate"]):
                continue
            leads = estimator == headline.ratio["estimator"]
            notes.append(str(row["note"]) and f"{title}: {row['note']}")
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Taken together": f"{title} (leads)" if leads else title,
                    "RIRR": format_number(row["estimate"]),
                    "95% interval": describe_interval(row),
                    "p": "" if math.isnan(row["p_value"]) else format_p(row["p_value"]),
                    "Q (df)": _describe_q(q) if leads else "",
                    "Q test p": format_p(q["p_value"]) if leads and q is not None else "",
                    "I²": describe_value(spread["i2"], format_share) if leads else "",
                    "tau": _describe_tau(spread["tau2"]) if leads else "",
                }
            )
    if not rows:
        return None
    return lay_out(
        rows,
        name="pooled",
        title="All pairs taken together",
        subtitle="Each way of pooling, and how much the pairs differ among themselves",
        stub="Taken together",
        group="Outcome",
        spanners={"How much pairs differ": ["Q (df)", "Q test p", "I²", "tau"]},
        notes=[
            *notes,
            "Q: Cochran's test that all pairs share one ratio. I²: share of the variation between "
            "pairs that chance within them does not explain. tau: standard deviation between "
            "pairs of the log ratio (REML). With two or three pairs all three are rough.",
        ],
    )


def tabulate_placebos(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out where each pair stands among comparable areas in which nothing was done."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    controls = any(pair.control for pair in cohort.pairs)
    explained = _PLACEBO_NOTE.format(**(_OF_PAIRS if controls else _OF_SITES))
    chosen = select_findings(findings, section="placebo", estimator="placebo_p")
    for _, row in chosen.iterrows():
        place = {"section": "placebo", "outcome": row["outcome"], "site": row["site"]}
        low, high, areas, share, ratio, smallest, smallest_adjusted = (
            find_row(findings, **place, estimator=estimator)
            for estimator in (
                "placebo_low", "placebo_high", "placebo_areas", "placebo_share_as_large",
                "rirr_placebo", "placebo_smallest_p", "placebo_smallest_p_adjusted",
            )
        )  # fmt: skip
        notes.append(row["note"] if math.isnan(row["estimate"]) else explained)
        rows.append(
            {
                "Outcome": cohort.title_outcome(row["outcome"]),
                "Pair": cohort.title_pair(row["site"]),
                "Areas": "" if areas is None else format_count(areas["estimate"]),
                "Middle 95% of them": (
                    format_interval(low["estimate"], high["estimate"], 0, percent=True)
                    if low is not None and high is not None
                    else MISSING
                ),
                "Changed as much": "" if share is None else format_share(share["estimate"]),
                "Rank p": format_p(row["estimate"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "Smallest possible": describe_value(smallest, format_p),
                "Smallest adjusted": describe_value(smallest_adjusted, format_p),
                "RIRR interval by placebos": "" if ratio is None else describe_interval(ratio),
            }
        )
    return lay_out(
        rows or [{"Outcome": "", "Pair": MISSING}],
        name="placebos",
        title="How often places where nothing happened changed as much",
        stub="Pair",
        group="Outcome",
        spanners={"p": ["Rank p", "p adjusted", "Smallest possible", "Smallest adjusted"]}
        if rows
        else None,
        labels={"Rank p": "Rank", "p adjusted": "Adjusted"} if rows else None,
        notes=notes,
    )


def tabulate_reported_figures(cohort: Cohort) -> GT:
    """Lay out figures that somebody gave, with their source and what is not known of them."""
    rows = [
        {
            "Figure": figure.title,
            "Change": format_change(figure.change_percent),
            "Counts": MISSING,
            "Interval": MISSING,
            "Control site": MISSING,
            "Source": figure.reported_by,
        }
        for figure in cohort.reported_figures
    ]
    return lay_out(
        rows,
        name="reported",
        title="Figures as reported",
        stub="Figure",
        text=["Source"],
        notes=["No counts came with these figures, so no interval can be given: level 1 evidence."],
    )


def _name_rows(noted: Sequence[tuple[str, str]]) -> list[str]:
    """Say of each note which rows it is for, unless it is for all of them."""
    rows: dict[str, list[str]] = {}
    for row, note in noted:
        if note and row not in rows.setdefault(note, []):
            rows[note].append(row)
    every = len({row for row, _ in noted})
    return [
        note if len(held) == every else f"{'; '.join(held)}: {note}" for note, held in rows.items()
    ]


def _count_months(row: pd.Series[Any] | None, cohort: Cohort) -> str:
    """Write how many months on a side are compared, of how many were meant."""
    if row is None or math.isnan(row["estimate"]) or cohort.periods is None:
        return MISSING
    meant = min(len(cohort.periods.before.months), len(cohort.periods.after.months))
    held = int(row["estimate"])
    return str(held) if held == meant else f"{held} of {meant}"


def _describe_change(findings: pd.DataFrame, outcome: str, site: str) -> tuple[str, str]:
    """Write a site's change, and return the note on it."""
    place = {"section": "counts", "outcome": outcome, "site": site}
    change = find_row(findings, **place, estimator="percentage_change", period="change")
    if change is None or math.isnan(change["estimate"]):
        return MISSING, str(change["note"]) if change is not None else ""
    counts = [
        find_row(findings, **place, estimator="count", period=wave) for wave in ("before", "after")
    ]
    cell = (
        f"{format_change(change['estimate'])}\n"
        f"{describe_value(counts[0], format_count)} to {describe_value(counts[1], format_count)}\n"
        f"({format_interval(change['ci_low'], change['ci_high'], 0, percent=True)})"
    )
    return cell, str(change["note"])


def _describe_adjustment(cohort: Cohort) -> str:
    """Say over which family p values are adjusted."""
    family = "Benjamini and Hochberg over all pairs and outcomes"
    if cohort.confirmatory_counts:
        titles = format_list(
            [lower_title(cohort.title_outcome(each)) for each in cohort.confirmatory_counts]
        )
        family = f"Holm over the pairs of the confirmatory outcomes ({titles}), by that of "
        family += "Benjamini and Hochberg over the rest"
    return f"p adjusted: by the method of {family}."


def _describe_q(row: pd.Series[Any] | None) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    return f"{format_number(row['estimate'], 1)} ({format_count(row['df'])})"


def _describe_tau(row: pd.Series[Any] | None) -> str:
    return MISSING if row is None else format_number(math.sqrt(row["estimate"]))
