"""Tables of how a comparison of counts holds up: before the start, other models, drift."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.compare.accuracy import read_study
from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_change,
    format_interval,
    format_list,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_models"]

_COLUMNS = {
    "pre_level_ratio": "Site / control",
    "pre_trend": "Drift a month",
    "panel_quasipoisson": "Quasi-Poisson",
    "panel_nb2": "Negative binomial",
    "its_level": "Break in level",
    "its_slope": "Break in slope",
    "sensitivity_mbar": "Drift to undo it",
}
_SPANNERS = {
    "Before the start": ("pre_level_ratio", "pre_trend"),
    "Panel model": ("panel_quasipoisson", "panel_nb2"),
    "Interrupted series": ("its_level", "its_slope"),
}
_BEFORE = ("pre_level_ratio", "pre_trend")
_LEGEND = (
    "Each cell: the estimate, with its 95% interval. Site / control, panel models and break in "
    "level are ratios, where 1 means no difference; drift and break in slope are in percent a "
    "month, where 0 means none.",
    "Drift to undo it: how large the steps by which the two would have moved apart anyway, from "
    "each quarter to the next, may be before the 95% interval of the mean change takes in no "
    "change, as a multiple of the largest step before the start (breakdown value under relative "
    "magnitudes). 0: it takes in no change without any drift.",
)


def _describe_errors() -> str:
    """Say how often the interrupted series sees a break where there is none."""
    worlds = read_study("series")
    level, slope = (
        f"{format_share(shares.min())} to {format_share(shares.max())}"
        for shares in (worlds["wider"], worlds["wider_slope"])
    )
    return (
        f"Interrupted series: in simulations without a break, the 95% interval saw one in level in "
        f"{level} of pairs and one in slope in {slope}, most often where months hang together."
    )


def _describe_power() -> str:
    """Say how often the drift that would undo a result is above 0, half and 1 without any."""
    worlds = read_study("drift")
    true = worlds[worlds["ratio"] != 1]
    parts = [
        f"at {_describe_world(world)} above 0 in {_write_share(world['above_0'])}, above 0.5 in "
        f"{_write_share(world['above_half'])} and above 1 in {_write_share(world['above_1'])}"
        for _, world in true.iterrows()
    ]
    wrong = worlds.loc[worlds["ratio"] == 1, "above_0"]
    months, ratio = true[["months", "ratio"]].iloc[0]
    return (
        "What drift to undo it can show: in simulated pairs that did not drift at all, with "
        f"{months:g} months on each side and a true ratio of "
        f"{format_number(ratio)}, it was {'; '.join(parts)}. So a low number "
        "is no sign that a result is wrong. Where nothing changed, it was above 0 in "
        f"{_write_share(wrong.min())} to {_write_share(wrong.max())}."
    )


def _describe_world(world: pd.Series[Any]) -> str:
    level = f"{format_number(world['incidents_a_month'], 0)} incidents a month"
    if world["phi"] == 1:
        return level
    return f"{level} (variance {format_number(world['phi'], 0)} times the mean)"


def _write_share(share: float) -> str:
    return "under 1%" if share < 0.005 else format_share(share)


def tabulate_models(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out each pair's likeness before the start, the other models, and the drift bound.

    Parameters
    ----------
    findings : pandas.DataFrame
        Of `sbwork.compare.panels.assess_comparability` and `sbwork.compare.panels.analyse_panel`.
    cohort : Cohort
        For the pairs, the outcomes and their titles.

    Returns
    -------
    great_tables.GT
        One row a pair and outcome; a number that is missing has its reason below the table.
    """
    rows: list[dict[str, str]] = []
    remarks: dict[str, list[str]] = {}
    chosen = select_findings(findings, section="panel")
    for outcome in cohort.list_outcomes():
        sites = [pair.intervention for pair in cohort.pairs]
        for site in [*sites, "all"]:
            find = partial(find_row, chosen, outcome=outcome, site=site)
            found = {
                name: find(estimator=name, period="before" if name in _BEFORE else "change")
                for name in _COLUMNS
            }
            found = {
                name: find(estimator=name) if row is None and name not in _BEFORE else row
                for name, row in found.items()
            }
            if all(row is None for row in found.values()):
                continue
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Pair": cohort.title_pair(site),
                    **{name: _describe_cell(row, remarks) for name, row in found.items()},
                }
            )
    return lay_out(
        rows or [{"Outcome": "", "Pair": MISSING}],
        name="models",
        title="The same comparison, asked in other ways",
        stub="Pair",
        group="Outcome",
        spanners={label: list(columns) for label, columns in _SPANNERS.items()} if rows else None,
        labels=_COLUMNS if rows else None,
        notes=[*_LEGEND, _describe_errors(), _describe_power(), *_gather_notes(remarks)],
    )


def _describe_cell(row: pd.Series[Any] | None, remarks: dict[str, list[str]]) -> str:
    """Write an estimate above its interval; remark why it is missing, or what to know of it."""
    if row is None:
        return ""
    missing = math.isnan(row["estimate"])
    narrow = row["estimator"] == "panel_nb2" and has_flag(row, Flag.TOO_NARROW)
    if missing or narrow:
        columns = remarks.setdefault(row["note"], [])
        if _COLUMNS[row["estimator"]] not in columns:
            columns.append(_COLUMNS[row["estimator"]])
    if missing:
        return MISSING
    percent = row["unit"] == "percent"
    value = format_change(row["estimate"], 1) if percent else format_number(row["estimate"])
    if has_flag(row, Flag.ABOVE_SEARCHED):
        value = f"above {value}"
    if math.isnan(row["ci_low"]):
        return value
    interval = format_interval(row["ci_low"], row["ci_high"], 1 if percent else 2, percent=percent)
    return f"{value}\n({interval})"


def _gather_notes(remarks: dict[str, list[str]]) -> list[str]:
    """Write each remark once, after the columns that it is about."""
    return [
        f"{format_list([columns[0], *map(_lower, columns[1:])])}: {_lower(remark)}"
        for remark, columns in remarks.items()
    ]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
